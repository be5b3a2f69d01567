package domain_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

func TestErrorsAreFoundInAChain(t *testing.T) {
	refusal := domain.Refuse("not_pending", "withdrawn", "the request is %s", "withdrawn")
	wrapped := fmt.Errorf("node 2: %w", fmt.Errorf("attempt 3: %w", refusal))
	require.Same(t, refusal, error(domain.AsError(wrapped)))
	require.True(t, domain.HasCode(wrapped, "not_pending"))
	require.False(t, domain.HasCode(wrapped, "not_found"))
	require.False(t, domain.HasCode(io.EOF, "not_pending"))
	require.False(t, domain.HasCode(nil, ""))
}

// TestForeignErrorsAreInternal: nothing of them is told outside, and nothing is lost for the logs.
func TestForeignErrorsAreInternal(t *testing.T) {
	cause := fmt.Errorf("dial 10.0.0.7: %w", io.ErrUnexpectedEOF)
	e := domain.AsError(cause)
	require.Equal(t, domain.Internal, e.Kind)
	require.Equal(t, "internal", e.Code)
	require.NotContains(t, e.Detail, "10.0.0.7")
	require.Contains(t, e.Error(), "10.0.0.7")
	require.True(t, errors.Is(e, io.ErrUnexpectedEOF))
}

func TestErrorTellsItsFields(t *testing.T) {
	err := &domain.Error{Kind: domain.Malformed, Code: "invalid", Detail: "the body breaks the rules of its fields",
		Fields: []domain.FieldError{{Field: "owner.email", Rule: "must be an e-mail address"}, {Field: "plan", Rule: "is missing"}}, Err: io.EOF}
	require.EqualError(t, err, "invalid: the body breaks the rules of its fields; owner.email: must be an e-mail address; plan: is missing: EOF")
}

func TestConstructorsSetKindAndCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want domain.Error
	}{
		{domain.Refuse("grant_exists", "granted", "role %s", "sales"), domain.Error{Kind: domain.Refused, Code: "grant_exists", State: "granted", Detail: "role sales"}},
		{domain.Forbid("not_assigned", "not %d", 1), domain.Error{Kind: domain.Forbidden, Code: "not_assigned", Detail: "not 1"}},
		{domain.Missing("task", 7), domain.Error{Kind: domain.NotFound, Code: "task_not_found", Detail: "there is no task 7"}},
		{domain.Invalid("plan", "must be one"), domain.Error{Kind: domain.Malformed, Code: "invalid", Detail: "the input breaks a rule", Fields: []domain.FieldError{{Field: "plan", Rule: "must be one"}}}},
	} {
		require.Equal(t, &test.want, domain.AsError(test.err))
	}
}
