package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// OpenTogether opens the marts of several clinics of one owner in one DuckDB: each mart is a table in the schema marts with a column
// clinic in front, and the rows of every clinic that has it. Datasets are not among them. Nobody is the same person in two clinics
// there: each clinic's pseudonyms are made under a key of its own. Close it.
func OpenTogether(ctx context.Context, sites []*Site) (*View, error) {
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	v := &View{DB: sql.OpenDB(connector)}
	for _, statement := range []string{"set temp_directory = ''", "create schema marts"} {
		if _, err := v.DB.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("preparing DuckDB: %w", err), v.Close())
		}
	}
	made := map[string]bool{}
	for _, s := range sites {
		if err := v.add(ctx, s, made); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	return v, nil
}

// add puts the marts of a clinic's newest commit beside those of the clinics before. Its files are not needed afterwards.
func (v *View) add(ctx context.Context, s *Site, made map[string]bool) (err error) {
	clinic := string(s.Clinic.ID())
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return storage("opening the clinic "+clinic, err)
	}
	if len(head.Marts) == 0 {
		return refused("opening the clinic "+clinic, ErrNotBuilt)
	}
	snapshot := s.Clinic.Snapshot(head)
	if err := s.mayCache(ctx, snapshot); err != nil {
		return err
	}
	local, err := snapshot.Materialise(ctx, lake.Want{Datasets: []string{}, Marts: sortedKeys(head.Marts)})
	if err != nil {
		return storage("reading the clinic "+clinic, err)
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	if err := local.Keys.Unlock(ctx, func(ctx context.Context, statement string) error {
		_, err := v.DB.ExecContext(ctx, statement)
		return err
	}); err != nil {
		return fmt.Errorf("opening the clinic %s: %w", clinic, err)
	}
	for _, mart := range sortedKeys(local.Marts) {
		rows := fmt.Sprintf("select %s as clinic, * from %s", parquetkeys.Quoted(clinic), local.Keys.Scan(local.Marts[mart], "hive_partitioning = false"))
		statement := fmt.Sprintf("create table marts.%s as %s", mart, rows)
		if made[mart] {
			statement = fmt.Sprintf("insert into marts.%s by name %s", mart, rows)
		}
		if _, err := v.DB.ExecContext(ctx, statement); err != nil {
			if damaged := damage(ctx, snapshot, err); damaged != nil {
				return damaged
			}
			return fmt.Errorf("reading the mart %s of the clinic %s: %w. Where the clinics were built by other versions, build them again: falloff build", mart, clinic, err)
		}
		made[mart] = true
	}
	return nil
}
