package models

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// TestPublished holds marts that were published to what is declared of them and to the checks, and gives all that they break. marts
// lists the files of each; of the inputs, settings, days and keys count. A rule about a mart that is not there is left out.
func (p *Project) TestPublished(ctx context.Context, in Inputs, marts map[string][]string) ([]*Broken, error) {
	files := in
	files.Tables = marts
	s, err := open(ctx, files)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, schema := range []string{"settings", string(Marts)} {
		if err := s.exec(ctx, "create schema "+schema); err != nil {
			return nil, fmt.Errorf("preparing the tests: %w", err)
		}
	}
	if err := s.loadSettings(ctx, in); err != nil {
		return nil, err
	}
	made := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(marts)) {
		source := in.Keys.Scan(marts[name], "hive_partitioning = false", parquetkeys.UnionByName)
		if err := s.exec(ctx, fmt.Sprintf("create table %s.%s as select * from %s", Marts, name, source)); err != nil {
			return nil, fmt.Errorf("reading the mart %s: %w", name, err)
		}
		made[string(Marts)+"."+name] = true
	}
	for _, t := range settingsTables(in) {
		made["settings."+t.name] = true
	}
	isMade := func(table string) bool { return made[table] }
	var all []*Broken
	for _, m := range p.Models {
		if m.Layer != Marts || !made[m.Name()] {
			continue
		}
		broken, err := s.testAll(ctx, m, isMade)
		if err != nil {
			return nil, err
		}
		all = append(all, broken...)
	}
	for _, c := range p.Checks {
		if !slices.ContainsFunc(c.model.Reads, func(name string) bool { return !made[name] }) {
			broken, err := s.checkOne(ctx, c)
			if err != nil {
				return nil, describe(err, "check "+c.Name(), c.model.File)
			}
			if broken != nil {
				all = append(all, broken)
			}
		}
	}
	return all, nil
}
