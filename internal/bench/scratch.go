package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of making and dropping databases.
const (
	postgresConns = 64               // connections that a measurement on Postgres opens at most, below the 100 that a server takes by default
	cleanUpWait   = 30 * time.Second // for databases to be dropped, also after an interruption
	maxNamePart   = 44               // bytes of the name of the DSN's database in the names of ours; Postgres takes 63 in all
)

// emptyTemplate is what Postgres makes an empty database from, whatever has been added to the usual one.
const emptyTemplate = "template0"

// Place is where a benchmark makes its databases.
type Place struct {
	Postgres string // DSN of a server on which databases may be created; the DSN's own is only looked at. Empty: SQLite
	Folder   string // in which the SQLite files are; empty: the system's folder for temporary files
}

// scratch makes databases, one for each measurement, and drops them.
type scratch struct {
	place  Place
	folder string          // of the SQLite files
	server *pgx.ConnConfig // of the DSN; nil on SQLite
	prefix string          // of the names of the Postgres databases
	made   int             // databases so far
	exist  []string        // Postgres databases to be dropped
}

// newScratch begins with no database.
func newScratch(place Place) (*scratch, error) {
	s := &scratch{place: place}
	var err error
	if place.Postgres == "" {
		if s.folder, err = os.MkdirTemp(place.Folder, "ledger-bench-"); err != nil {
			return nil, fmt.Errorf("make a folder for SQLite: %w", err)
		}
		return s, nil
	}
	config, err := pgxpool.ParseConfig(place.Postgres)
	if err != nil {
		return nil, &InvalidError{Setting: "postgres", Rule: "must be a DSN like postgres://user:password@host:port/database"}
	}
	s.server = config.ConnConfig
	s.prefix = strings.ToValidUTF8(s.server.Database[:min(len(s.server.Database), maxNamePart)], "") + "_bench_" + uuid.NewString()[:8]
	return s, nil
}

// remove drops what is left. It does so also when ctx has ended.
func (s *scratch) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWait)
	defer cancel()
	var errs []error
	for _, name := range s.exist {
		errs = append(errs, s.drop(ctx, name))
	}
	s.exist = nil
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}

// connect connects to a database of the server; without a name, to the DSN's.
func (s *scratch) connect(ctx context.Context, name string) (*pgx.Conn, error) {
	config := s.server.Copy()
	if name != "" {
		config.Database = name
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	return conn, nil
}

// run runs one statement on a connection of its own.
func (s *scratch) run(ctx context.Context, name, statement string) error {
	conn, err := s.connect(ctx, name)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// drop drops a Postgres database. FORCE ends connections that an interruption has left behind.
func (s *scratch) drop(ctx context.Context, name string) error {
	if err := s.run(ctx, "", "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database %s that was measured in: %w", name, err)
	}
	return nil
}

// create makes a Postgres database and gives its name.
func (s *scratch) create(ctx context.Context, template string) (string, error) {
	s.made++
	name := s.prefix + "_" + strconv.Itoa(s.made)
	s.exist = append(s.exist, name) // before it exists: an interruption may leave open whether it does
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	if err := s.run(ctx, "", statement); err != nil {
		return "", fmt.Errorf("create a database to measure in: %w", err)
	}
	return name, nil
}

// database is one that was made for a measurement.
type database struct {
	*sqldb.DB
	drop func(ctx context.Context) error
}

// fresh makes a database and opens it with as many connections as a measurement may have.
func (s *scratch) fresh(ctx context.Context) (*database, error) { return s.freshFrom(ctx, "") }

// freshFrom is fresh, but on Postgres it begins as a copy of the template, if one is given.
func (s *scratch) freshFrom(ctx context.Context, template string) (*database, error) {
	if s.place.Postgres == "" {
		s.made++
		path := filepath.Join(s.folder, strconv.Itoa(s.made)+".db")
		db, err := sqldb.OpenSQLite(ctx, path)
		return &database{DB: db, drop: func(context.Context) error { return removeSQLite(path) }}, err
	}
	name, err := s.create(ctx, cmp.Or(template, emptyTemplate))
	if err != nil {
		return nil, err
	}
	dsn, err := dsnOf(s.place.Postgres, name)
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenPostgres(ctx, dsn)
	return &database{DB: db, drop: func(ctx context.Context) error {
		if err := s.drop(ctx, name); err != nil {
			return err
		}
		s.exist = slices.DeleteFunc(s.exist, func(other string) bool { return other == name })
		return nil
	}}, err
}

// close closes the database and drops it. What ctx's end keeps from being dropped here, scratch.remove drops.
func (d *database) close(ctx context.Context) error {
	err := d.Close()
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, d.drop(ctx))
}

// removeSQLite removes a database file with its write-ahead log.
func removeSQLite(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// dsnOf is a DSN with another database, and as many connections as a measurement may have.
func dsnOf(dsn, name string) (string, error) {
	if !strings.Contains(dsn, "://") {
		return fmt.Sprintf("%s dbname='%s' pool_max_conns=%d", dsn, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name), postgresConns), nil
	}
	parsed, err := url.Parse(dsn)
	if err != nil {
		return "", &InvalidError{Setting: "postgres", Rule: "must be a DSN like postgres://user:password@host:port/database"}
	}
	parsed.Path = "/" + name
	query := parsed.Query()
	query.Del("dbname")
	query.Del("database")
	query.Set("pool_max_conns", strconv.Itoa(postgresConns))
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}

// ScratchPostgres makes a database beside that of a DSN, for a whole ledger to be measured in. drop drops it, also when ctx has
// ended meanwhile.
func ScratchPostgres(ctx context.Context, dsn string) (scratchDSN string, drop func(context.Context) error, err error) {
	s, err := newScratch(Place{Postgres: dsn})
	if err != nil {
		return "", nil, err
	}
	name, err := s.create(ctx, emptyTemplate)
	if err == nil {
		scratchDSN, err = dsnOf(dsn, name)
	}
	if err != nil {
		return "", nil, errors.Join(err, s.remove(ctx))
	}
	return scratchDSN, s.remove, nil
}

// openStore opens a log in the database.
func (d *database) openStore(ctx context.Context) (*eventstore.Store, error) {
	var backend eventstore.Backend
	var err error
	if d.Dialect == sqldb.Postgres {
		backend, err = postgres.New(ctx, d.DB)
	} else {
		backend, err = sqlite.New(ctx, d.DB)
	}
	if err != nil {
		return nil, err
	}
	store, err := eventstore.Open(ctx, backend, eventstore.Options{})
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	return store, nil
}

// describe tells which database is measured, with the settings that decide what a commit costs.
func (s *scratch) describe(ctx context.Context) (string, error) {
	if s.place.Postgres == "" {
		return fmt.Sprintf("SQLite in %s, WAL, synchronous FULL", filepath.Dir(s.folder)), nil
	}
	conn, err := s.connect(ctx, "")
	if err != nil {
		return "", err
	}
	var text string
	err = conn.QueryRow(ctx, `SELECT format('Postgres %s, fsync %s, synchronous_commit %s, shared_buffers %s',
		split_part(current_setting('server_version'), ' ', 1), current_setting('fsync'), current_setting('synchronous_commit'),
		current_setting('shared_buffers'))`).Scan(&text)
	return text, errors.Join(err, conn.Close(ctx))
}

// objectInUse is the SQLSTATE of a copy of a database to which others are connected.
const objectInUse = "55006"

func inUse(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refusal.Code == objectInUse
}
