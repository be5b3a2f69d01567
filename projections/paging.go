package projections

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/collabledger/collabledger/domain"
)

// limit is how many items the page may have.
func (p Paging) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultPageItems, nil
	case p.Limit < 0 || p.Limit > MaxPageItems:
		return 0, domain.Invalid("limit", fmt.Sprintf("a page has 1 to %d items", MaxPageItems))
	}
	return p.Limit, nil
}

// after reads the cursor, if there is one, into a pointer to the query's sort key. found is false on the first page.
func (p Paging) after(key any) (found bool, err error) {
	if p.Cursor == "" {
		return false, nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(decoded, key)
	}
	if err != nil || bytes.Contains(decoded, []byte(`\u0000`)) { // Postgres takes no NUL in a text
		return false, badCursor()
	}
	return true, nil
}

// badCursor refuses a cursor that this query never gave.
func badCursor() error {
	return domain.Invalid("cursor", "must be the next of an earlier page of the same query")
}

// paged makes a page of the items of a statement that asked for one more than the limit. key is an item's sort key, from which the
// next page goes on.
func paged[T, K any](items []T, limit int, key func(T) K) (Page[T], error) {
	if len(items) <= limit {
		return Page[T]{Items: items}, nil
	}
	encoded, err := json.Marshal(key(items[limit-1]))
	if err != nil {
		return Page[T]{}, fmt.Errorf("cursor: %w", err)
	}
	return Page[T]{Items: items[:limit], Next: base64.RawURLEncoding.EncodeToString(encoded)}, nil
}

// pageOf makes a page of what the items of another page stand for.
func pageOf[T, U any](page Page[T], item func(T) U) Page[U] {
	items := make([]U, len(page.Items))
	for i := range page.Items {
		items[i] = item(page.Items[i])
	}
	return Page[U]{Items: items, Next: page.Next}
}
