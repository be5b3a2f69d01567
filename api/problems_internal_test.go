package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

func TestEveryKindOfErrorHasItsStatus(t *testing.T) {
	want := map[domain.Kind]int{
		domain.Internal: 500, domain.Malformed: 400, domain.Unauthenticated: 401, domain.Forbidden: 403, domain.NotFound: 404, domain.Conflict: 409,
		domain.Stale: 412, domain.TooLarge: 413, domain.Refused: 422, domain.TooMany: 429, domain.Unavailable: 503,
	}
	titles := map[string]bool{}
	for kind := domain.Internal; kind <= domain.Unavailable; kind++ {
		status, title := statusOf(kind)
		require.Equal(t, want[kind], status, "kind %d", kind)
		require.NotEmpty(t, title)
		require.False(t, titles[title], "%q stands twice", title)
		titles[title] = true
	}
}

func TestErrorsAreFoundHoweverTheyAreWrapped(t *testing.T) {
	wrapped := fmt.Errorf("a: %w", fmt.Errorf("b: %w", domain.Refuse("no_live_grant", "none", "there is no grant")))
	p := (&edge{}).problem(t.Context(), "test", wrapped)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, "no_live_grant", p.Code)
	require.Equal(t, "none", p.State)
	require.Equal(t, "there is no grant", p.Detail)
	require.Equal(t, "internal", ledgerError(errors.New("disk on fire")).Code)
	require.Equal(t, "unavailable", ledgerError(fmt.Errorf("query the read models: %w", io.ErrUnexpectedEOF)).Code, "the database will be back")
}

func TestRetryAfterGoesWithWhatPasses(t *testing.T) {
	for _, kind := range []domain.Kind{domain.TooMany, domain.Unavailable} {
		require.NotEmpty(t, problemOf(&domain.Error{Kind: kind, Code: "x"}).GetHeaders().Get("Retry-After"))
	}
	require.Empty(t, problemOf(&domain.Error{Kind: domain.Refused, Code: "x"}).GetHeaders())
}
