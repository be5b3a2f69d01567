package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// requireClean checks a log in the folder or database that the flags name, as a stranger would.
func requireClean(t *testing.T, flags ...string) {
	t.Helper()
	code, stdout, stderr := runLedger(t, nil, append([]string{"check"}, flags...)...)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
	require.Empty(t, stderr)
	require.Regexp(t, `^no rule is broken: [1-9]\d* events in [1-9]\d* streams, \d+\.\d s, \d+ events/s\n$`, stdout)
}

func TestTheDemosLogIsClean(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "demo")
	code, stdout, stderr := runLedger(t, nil, "demo", "--data", folder)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
	requireClean(t, "--data", folder)

	server := startServer(t, "--data", folder)
	requireClean(t, "--data", folder)
	register(t, server.Client(), domain.Business, "La Espiga")
	requireClean(t, "--data", folder)
	server.Kill9()
	requireClean(t, "--data", folder)

	code, stdout, stderr = runLedger(t, nil, "check", "--data", folder, "--json")
	require.Equal(t, exitOK, code, stderr)
	var report checked
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Positive(t, report.Events)
	require.Positive(t, report.EventsPerSecond)
	require.NotNil(t, report.Violations)
}

// tamperedLedger is a ledger in which a person has registered a business, as only a service may.
func tamperedLedger(t *testing.T, db *sqldb.DB) {
	t.Helper()
	store, err := openStore(t.Context(), db)
	require.NoError(t, err)
	id := uuid.MustParse("0192f3c4-0000-7000-8000-000000000001")
	owner := uuid.MustParse("0192f3c4-0000-7000-8000-000000000002")
	data, err := json.Marshal(domain.AccountRegistered{AccountID: id, Type: domain.Business, Plan: domain.PlanFree, Owner: domain.Person{UserID: owner}})
	require.NoError(t, err)
	stream := eventstore.StreamID{Kind: domain.AccountStream, ID: id}
	_, err = store.Append(t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: domain.User(id, owner).String(), Expect: []eventstore.StreamVersion{{Stream: stream}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: domain.AccountRegistered{}.EventType(), Data: data}},
	})
	require.NoError(t, err)
	require.NoError(t, store.Close())
}

func TestCheckTellsWhichRulesAreBroken(t *testing.T) {
	for name, place := range map[string]func(t *testing.T) (flags []string, open func(context.Context) (*sqldb.DB, error)){
		"sqlite": func(t *testing.T) ([]string, func(context.Context) (*sqldb.DB, error)) {
			folder := t.TempDir()
			return []string{"--data", folder}, func(ctx context.Context) (*sqldb.DB, error) {
				return sqldb.OpenSQLite(ctx, filepath.Join(folder, databaseFile))
			}
		},
		"postgres": func(t *testing.T) ([]string, func(context.Context) (*sqldb.DB, error)) {
			dsn := sqldbtest.PostgresDSN(t)
			return []string{"--postgres", dsn}, func(ctx context.Context) (*sqldb.DB, error) { return sqldb.OpenPostgres(ctx, dsn) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags, open := place(t)
			db, err := open(t.Context())
			require.NoError(t, err)
			tamperedLedger(t, db)
			require.NoError(t, db.Close())

			code, stdout, stderr := runLedger(t, nil, append([]string{"check"}, flags...)...)
			require.Equal(t, exitFailed, code)
			require.Empty(t, stderr)
			require.Regexp(t, `(?m)^RULE BROKEN +POSITION +EVENT +STREAM +TIME +WHAT IS WRONG$`, stdout)
			require.Regexp(t, `(?m)^actor_kind_wrong \(docs/domain\.md\)  1  +account\.AccountRegistered\.v1 +account-0192f3c4-0000-7000-8000-000000000001 +\S+Z +a user did what only a service does$`, stdout)
			require.Regexp(t, `(?m)^rules are broken 1 times: 1 events in 1 streams, `, stdout)

			code, stdout, _ = runLedger(t, nil, append([]string{"check", "--json"}, flags...)...)
			require.Equal(t, exitFailed, code)
			var report struct {
				Found      int
				Violations []struct {
					Code, Source, Detail string
					Events               []struct {
						Position     int64
						Type, Stream string
						Time         time.Time
					}
				}
			}
			require.NoError(t, json.Unmarshal([]byte(stdout), &report))
			require.Equal(t, 1, report.Found)
			require.Equal(t, "actor_kind_wrong", report.Violations[0].Code)
			require.EqualValues(t, 1, report.Violations[0].Events[0].Position)
			require.Equal(t, "account.AccountRegistered.v1", report.Violations[0].Events[0].Type)
			require.False(t, report.Violations[0].Events[0].Time.IsZero())
		})
	}
}

func TestCheckTriesAPolicy(t *testing.T) {
	folder := t.TempDir()
	server := startServer(t, "--data", folder)
	collaborating(t, server.Client())
	docs := filepath.Join("..", "..", "docs", "policies")

	code, stdout, stderr := runLedger(t, nil, "check", "--data", folder, "--policy", filepath.Join(docs, "no-long-grants.json"))
	require.Equal(t, exitFailed, code, stderr)
	require.Regexp(t, `(?m)^POLICY +POSITION +EVENT +STREAM +TIME +WHAT IS WRONG$`, stdout)
	require.Regexp(t, `(?m)^no-long-grants \(policy\) +\d+ +collaboration\.AccessGranted\.v1 `, stdout)
	require.Regexp(t, `(?m)^no rule is broken, and the policy would have refused 1 events: `, stdout)

	code, stdout, _ = runLedger(t, nil, "check", "--data", folder, "--policy", filepath.Join(docs, "no-administrators.json"))
	require.Equal(t, exitOK, code)
	require.Regexp(t, `^no rule is broken, and the policy would have refused 0 events: `, stdout)

	wrong := filepath.Join(folder, "wrong.json")
	require.NoError(t, os.WriteFile(wrong, []byte(`{"rules":[{"name":"r","on":"AccessGranted","require":[{"field":"until","present":true}]}]}`), secretMode))
	for path, want := range map[string]string{
		wrong:                              `rule "r": require 1: AccessGranted has no field "until"`,
		filepath.Join(folder, "none.json"): "no such file",
	} {
		code, stdout, stderr = runLedger(t, nil, "check", "--data", folder, "--policy", path)
		require.Equal(t, exitUsage, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want)
	}
}

func TestACheckThatCannotBeMadeHasAnExitCodeOfItsOwn(t *testing.T) {
	empty := t.TempDir()
	code, stdout, stderr := runLedger(t, nil, "check", "--data", empty)
	require.Equal(t, exitUnchecked, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "there is no ledger in "+empty)

	require.NoError(t, os.WriteFile(filepath.Join(empty, databaseFile), nil, secretMode))
	code, _, stderr = runLedger(t, nil, "check", "--data", empty)
	require.Equal(t, exitUnchecked, code, "an empty database")
	require.Contains(t, stderr, "the database has no such schema")

	dsn := sqldbtest.PostgresDSN(t)
	code, _, stderr = runLedger(t, nil, "check", "--postgres", dsn)
	require.Equal(t, exitUnchecked, code, "an empty database")
	require.Contains(t, stderr, "the database has no such schema")
}

func TestACheckChangesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, databaseFile)
	db, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	tamperedLedger(t, db)
	require.NoError(t, db.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o400))
	code, _, _ := runLedger(t, nil, "check", "--data", folder)
	require.Equal(t, exitFailed, code)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, slices.Equal(before, after))
}
