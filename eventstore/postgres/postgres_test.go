package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/storetest"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func database(t testing.TB) func() eventstore.Backend {
	db := sqldbtest.Postgres(t)
	return func() eventstore.Backend {
		backend, err := postgres.New(t.Context(), db)
		require.NoError(t, err)
		return backend
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, database) }

func TestABatchBehindAnotherOne(t *testing.T) { storetest.RunBehind(t, database) }
