package query

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// No query of ours tries any of this. The engine must hold all the same, should one ever carry a hole.
func TestTheEngineCanReachNothingOutside(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	engine, err := Open(t.Context(), nil, Meta{Clinic: "c", Commit: "1", AsOf: civil.Date{Year: 2026, Month: 9, Day: 30}}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	for _, statement := range []string{
		"select a from read_csv('" + secret + "')",
		"select a from '" + secret + "'",
		"select content from read_text('" + secret + "')",
		"select file from glob('" + dir + "/*')",
		"copy snapshot to '" + filepath.Join(dir, "out.csv") + "'",
		"attach '" + filepath.Join(dir, "other.db") + "'",
		"export database '" + dir + "/out'",
		"install httpfs",
		"load httpfs",
		"set enable_external_access = true",
		"set lock_configuration = false",
		"set memory_limit = '64GB'",
		"reset memory_limit",
		"set temp_directory = '" + dir + "'",
		"create persistent secret s (type s3, key_id 'a', secret 'b')",
	} {
		if _, err := engine.db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("it ran: %s", statement)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("it left files: %v", entries)
	}
}

func TestDefinitionsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range catalogue {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		if d.Title == "" || d.Description == "" || len(d.Columns) == 0 || d.order == "" || d.Marts == nil {
			t.Errorf("%s lacks a title, a description, columns, marts or an order", d.Name)
		}
		if bound, err := d.Bind(nil); err != nil || len(bound) != len(d.Parameters) {
			t.Errorf("%s: defaults: %v %v", d.Name, bound, err)
		}
		asked := d
		if d.Released != nil {
			released := d.asReleased()
			checkReleased(t, d)
			if d.IsReleasedOnly() {
				asked = released
			}
		}
		mentioned := map[string]bool{}
		for _, name := range asked.placeholders() {
			mentioned[name] = true
		}
		for _, p := range d.Parameters {
			if !mentioned[p.Name] {
				t.Errorf("%s: the SQL does not use %s", d.Name, p.Name)
			}
			if p.Title == "" || p.Description == "" {
				t.Errorf("%s: parameter %s lacks a title or a description", d.Name, p.Name)
			}
			// A default must pass the check that a sent value passes.
			if _, err := d.Bind(map[string]any{p.Name: p.Default}); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
			delete(mentioned, p.Name)
		}
		if (mentioned["from"] && mentioned["to"]) != (d.TimeRange != "") {
			t.Errorf("%s: the time range is declared as %q", d.Name, d.TimeRange)
		}
		delete(mentioned, "from")
		delete(mentioned, "to")
		if len(mentioned) > 0 {
			t.Errorf("%s: the SQL uses what is declared nowhere: %v", d.Name, mentioned)
		}
		columns := map[string]bool{}
		for _, c := range d.Columns {
			columns[c.Name] = true
		}
		if s := d.Series; s != nil && (!columns[s.X] || !columns[s.Name] || !columns[s.Value]) {
			t.Errorf("%s: the series names columns that are not there: %+v", d.Name, *s)
		}
	}
	files, err := texts.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	// Those that are about released tables alone have their SQL in a folder of its own.
	released := 0
	for _, d := range catalogue {
		if d.IsReleasedOnly() {
			released++
		}
	}
	if len(files) != len(catalogue)-released {
		t.Errorf("%d SQL files for %d definitions", len(files), len(catalogue)-released)
	}
}

// checkReleased holds what a definition says of released tables: that they are there, that the SQL reads them and no other table
// of figures, and that its limits are values of the parameters.
func checkReleased(t *testing.T, d Definition) {
	t.Helper()
	there := map[string]bool{"cells": true}
	for _, g := range disclosure.Groups() {
		for _, table := range g.Tables {
			there[table.Name] = true
		}
	}
	for _, table := range d.Released.Tables {
		if !there[table] {
			t.Errorf("%s: there is no released table %s", d.Name, table)
		}
	}
	for _, match := range regexp.MustCompile(`(?m)(?:from|join) ([a-z_.]+)`).FindAllStringSubmatch(d.asReleased().text, -1) {
		table, isReleased := strings.CutPrefix(match[1], "released.")
		switch {
		case isReleased && table != "cells" && !slices.Contains(d.Released.Tables, table):
			t.Errorf("%s reads the released table %s and does not say so", d.Name, table)
		case !isReleased && !slices.Contains([]string{"snapshot", "leak_category", "statuses", "cells", "people", "buckets"}, table):
			t.Errorf("%s reads %s to answer whoever may see no rows", d.Name, table)
		}
	}
	for name, only := range d.Released.Only {
		at := slices.IndexFunc(d.Parameters, func(p Parameter) bool { return p.Name == name })
		if at < 0 || len(only) == 0 {
			t.Errorf("%s: it limits %s, which is no parameter", d.Name, name)
			continue
		}
		for _, value := range only {
			if _, err := d.Bind(map[string]any{name: value}); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
		}
	}
}
