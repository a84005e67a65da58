package worker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// A DatabaseError says what became of something that was asked of PostgreSQL. What the driver says of it names host and user,
// so that it is not part of the text.
type DatabaseError struct {
	Doing, Reason string
	// Later says that trying again later is right, Person that somebody must act first.
	Later, Person bool
	err           error
}

func (e *DatabaseError) Error() string { return e.Doing + ": " + e.Reason }

func (e *DatabaseError) Unwrap() error { return e.err }

// explain makes a *DatabaseError of what the driver says; nil stays nil.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*DatabaseError](err); ok {
		return known
	}
	e := &DatabaseError{Doing: doing, err: err}
	answer, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, context.Canceled):
		e.Reason = "interrupted"
	case !answered:
		e.Reason, e.Later = "PostgreSQL cannot be reached. Look whether it runs, and whether the address of the database is right", true
	case strings.HasPrefix(answer.Code, "28"):
		e.Reason, e.Person = "PostgreSQL refuses the sign-in. Look at user and password in the address of the database", true
	case answer.Code == "3D000":
		e.Reason, e.Person = "PostgreSQL has no database of that name. Make it with createdb, then run falloff worker migrate", true
	case answer.Code == "42P01", answer.Code == "42703", answer.Code == "42704":
		e.Reason, e.Person = "the database lacks tables that this version needs. Run falloff worker migrate", true
	case answer.Code == "42501":
		e.Reason, e.Person = "the database's user may not do that. Let it own the database, or its schema", true
	case strings.HasPrefix(answer.Code, "57P"), strings.HasPrefix(answer.Code, "53"), strings.HasPrefix(answer.Code, "08"), answer.Code == "25006":
		e.Reason, e.Later = "PostgreSQL is starting, stopping or full (SQLSTATE "+answer.Code+"). Try again in a minute", true
	default:
		e.Reason = "PostgreSQL answers with SQLSTATE " + answer.Code
	}
	return e
}

// ErrAddress says that a database's address cannot be used. The address is not repeated.
var ErrAddress = errors.New("the address of the database cannot be used")

// Open opens a database by its address, as in postgres://USER:PASSWORD@HOST/DATABASE. Nothing of the address is in an error. What
// is not on this machine must be reached with TLS. Close the pool.
func Open(ctx context.Context, address string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(strings.TrimSpace(address))
	if err != nil {
		return nil, fmt.Errorf("%w: write it as postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full", ErrAddress)
	}
	plain := config.ConnConfig.TLSConfig == nil && !onThisMachine(config.ConnConfig.Host)
	for _, fallback := range config.ConnConfig.Fallbacks {
		plain = plain || fallback.TLSConfig == nil && !onThisMachine(fallback.Host)
	}
	if plain {
		return nil, fmt.Errorf("%w: what is not on this machine is reached with TLS: add ?sslmode=verify-full to it (and sslrootcert=FILE)", ErrAddress)
	}
	config.ConnConfig.RuntimeParams["application_name"] = "falloff"
	config.ConnConfig.ConnectTimeout = 10 * time.Second
	config.MaxConns = max(config.MaxConns, 8) // one listens, one keeps the lease, the others are for jobs
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, explain("opening the database", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, explain("opening the database", err)
	}
	return pool, nil
}

func onThisMachine(host string) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

//go:embed schema.sql
var schema string

// Migrate brings a database's tables to what this version needs, and does nothing where they are so. Workers of this version and of
// the one before it may be at work meanwhile.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (versions []int, err error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: silent})
	if err != nil {
		return nil, fmt.Errorf("preparing the migration: %w", err)
	}
	done, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return nil, explain("migrating the database", err)
	}
	for _, v := range done.Versions {
		versions = append(versions, v.Version)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Two at once would both find that a table is missing.
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('falloff migrate'))"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	return versions, explain("migrating the database", err)
}
