package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/eventstore/storetest"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func database(t testing.TB) func() eventstore.Backend {
	db := sqldbtest.SQLite(t)
	return func() eventstore.Backend {
		backend, err := sqlite.New(t.Context(), db)
		require.NoError(t, err)
		return backend
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, database) }

func BenchmarkAppend(b *testing.B) {
	for _, clients := range storetest.Clients {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { storetest.BenchmarkAppend(b, clients, database(b)()) })
	}
}

func BenchmarkReadAll(b *testing.B) { storetest.BenchmarkReadAll(b, database(b)()) }
