package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// Limits of a node's connections to Postgres.
const (
	postgresMaxConns       = 16               // connections of one node, unless the DSN says pool_max_conns
	postgresConnectTimeout = 5 * time.Second  // for one attempt to connect, and for the check at the start
	postgresIdleInTxLimit  = 60 * time.Second // after which the server ends a transaction that its node has left alone
)

// OpenPostgres connects to a server and checks that it answers. Its errors name the server and hide the password.
func OpenPostgres(ctx context.Context, dsn string) (*DB, error) { return openPostgres(ctx, dsn, false) }

// OpenPostgresReadOnly is OpenPostgres for reading alone: the server refuses every write.
func OpenPostgresReadOnly(ctx context.Context, dsn string) (*DB, error) {
	return openPostgres(ctx, dsn, true)
}

func openPostgres(ctx context.Context, dsn string, readOnly bool) (*DB, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, dsnError(dsn, err)
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = postgresMaxConns
	}
	config.ConnConfig.ConnectTimeout = postgresConnectTimeout
	// A node that freezes within a transaction must not keep the log's head row locked for the others.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] =
		strconv.FormatInt(postgresIdleInTxLimit.Milliseconds(), 10)
	if readOnly {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	}

	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("cannot reach Postgres at %s: %w", servers(&config.ConnConfig.Config), err)
	}
	checkCtx, cancel := context.WithTimeout(ctx, postgresConnectTimeout)
	defer cancel()
	if err := pool.Ping(checkCtx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("cannot reach Postgres at %s: %w", servers(&config.ConnConfig.Config), err)
	}
	std := stdlib.OpenDBFromPool(pool)
	return &DB{Dialect: Postgres, Write: std, Read: std, Pool: pool, ReadOnly: readOnly}, nil
}

// dsnError tells what is wrong with a DSN. Only in a well-formed URL is it certain which part is the password, and pgx masks it
// there; of any other DSN nothing is repeated.
func dsnError(dsn string, err error) error {
	if parsed, urlErr := url.Parse(dsn); urlErr == nil && parsed.Host != "" {
		return fmt.Errorf("the Postgres DSN is not valid: %w", err)
	}
	return errors.New("the Postgres DSN is not valid: it must be like postgres://user:password@host:port/database")
}

// servers lists the addresses that a connection is tried at, host:port, each once.
func servers(config *pgconn.Config) string {
	addresses := []string{net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))}
	for _, fallback := range config.Fallbacks {
		address := net.JoinHostPort(fallback.Host, strconv.Itoa(int(fallback.Port)))
		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return strings.Join(addresses, ", ")
}
