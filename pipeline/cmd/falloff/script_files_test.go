package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/pipeline"
)

// newestCommits are the paths of the newest commit of every clinic of a lake.
func newestCommits(ts *testscript.TestScript, root string) []string {
	folders, err := filepath.Glob(filepath.Join(ts.MkAbs(root), "clinic=*", "commits"))
	ts.Check(err)
	var out []string
	for _, folder := range folders {
		commits, err := filepath.Glob(filepath.Join(folder, "*.json")) // sorted by name, and names sort by number
		ts.Check(err)
		if len(commits) > 0 {
			out = append(out, commits[len(commits)-1])
		}
	}
	return out
}

func head(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "head LAKE")
	for _, path := range newestCommits(ts, args[0]) {
		body, err := os.ReadFile(path)
		ts.Check(err)
		_, _ = fmt.Fprintf(ts.Stdout(), "%s %x\n", filepath.Base(path), sha256.Sum256(body))
	}
}

func objects(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "objects LAKE")
	for _, path := range newestCommits(ts, args[0]) {
		_, clinic, _ := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(path))), "=")
		site, err := pipeline.OpenExistingSite(context.Background(), pipeline.SiteOptions{
			Lake: ts.MkAbs(args[0]), Clinic: clinic, ConfigDir: filepath.Join(ts.Getenv("HOME"), ".config", "falloff"),
		})
		ts.Check(err)
		commit, err := site.Clinic.Head(context.Background())
		ts.Check(err)
		var names []string
		for _, d := range commit.Datasets {
			for _, o := range d.Objects {
				names = append(names, o.Path)
			}
			if d.Removed != nil {
				names = append(names, d.Removed.Path)
			}
		}
		for _, m := range commit.Marts {
			names = append(names, m.Path)
		}
		if commit.Settings != nil {
			names = append(names, commit.Settings.Path)
		}
		slices.Sort(names)
		_, _ = fmt.Fprintln(ts.Stdout(), strings.Join(names, "\n"))
	}
}

// leaksEqual holds a printed ledger against the truth, and prints the differences as a table.
func leaksEqual(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "leaks-equal LEDGER TRUTH")
	var sides [2][]string
	for i, file := range args {
		rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(file))).ReadAll()
		ts.Check(err)
		for r, row := range rows {
			leak := strings.Join(row[:4], " ")
			if row[0] == "falloff" {
				continue // an estimate, which no truth knows
			}
			if r == 0 && leak != "category source_id occurred_on amount_cents" {
				ts.Fatalf("%s begins with the columns %s", file, leak)
			}
			sides[i] = append(sides[i], leak)
		}
	}
	if len(sides[1]) < 20 {
		ts.Fatalf("a truth of %d rows proves little", len(sides[1]))
	}
	var table strings.Builder
	for _, leak := range sides[1] {
		if !slices.Contains(sides[0], leak) {
			fmt.Fprintf(&table, "\n  missing     %s", leak)
		}
	}
	for _, leak := range sides[0] {
		if !slices.Contains(sides[1], leak) {
			fmt.Fprintf(&table, "\n  unexpected  %s", leak)
		}
	}
	if table.Len() > 0 || len(sides[0]) != len(sides[1]) {
		ts.Fatalf("%d rows, want %d:%s", len(sides[0]), len(sides[1]), table.String())
	}
}

// innocent searches for what planted.txt lists, which belongs to people.
func innocent(ts *testscript.TestScript, neg bool, args []string) {
	searcher, err := canary.New(strings.Split(strings.TrimSpace(ts.ReadFile("planted.txt")), "\n"))
	ts.Check(err)
	var hits []canary.Hit
	for _, stream := range []string{"stdout", "stderr", "ttyout"} {
		for _, h := range searcher.Bytes([]byte(ts.ReadFile(stream))) {
			h.File = stream
			hits = append(hits, h)
		}
	}
	for _, path := range args {
		found, err := searcher.Tree(ts.MkAbs(path))
		ts.Check(err)
		hits = append(hits, found...)
		hits = append(hits, saidBy(ts, searcher, ts.MkAbs(path))...)
	}
	switch {
	case len(hits) > 0 && !neg:
		ts.Fatalf("identities were found: %+v", hits[:min(3, len(hits))])
	case len(hits) == 0 && neg:
		ts.Fatalf("no identity was found")
	}
}

// saidBy searches what the lakes below a path say when they are opened: the bytes of an encrypted one show nothing. Somewhere in the
// script's folder must lie the vault that opens it.
func saidBy(ts *testscript.TestScript, searcher *canary.Searcher, below string) (hits []canary.Hit) {
	var lakes, vaults []string
	walk := func(root string, visit func(path string, e fs.DirEntry)) {
		ts.Check(filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err == nil {
				visit(path, e)
			}
			return err
		}))
	}
	walk(below, func(path string, e fs.DirEntry) {
		if e.IsDir() && strings.HasPrefix(e.Name(), "clinic=") {
			if commits, _ := filepath.Glob(filepath.Join(path, "commits", "0*.json")); len(commits) > 0 {
				lakes = append(lakes, path)
			}
		}
	})
	if len(lakes) == 0 {
		return nil
	}
	walk(ts.Getenv("WORK"), func(path string, e fs.DirEntry) {
		if e.Name() == "vault.json" {
			vaults = append(vaults, filepath.Dir(path))
		}
	})
	for _, path := range lakes {
		var failed error
		for _, vault := range vaults {
			var site *pipeline.Site
			if site, failed = pipeline.OpenExistingSite(context.Background(), pipeline.SiteOptions{
				Lake: filepath.Dir(path), Clinic: strings.TrimPrefix(filepath.Base(path), "clinic="), ConfigDir: vault,
			}); failed != nil {
				continue
			}
			ts.Check(site.Said(context.Background(), func(name string, said []byte) error {
				found, err := searcher.Body(name+", opened", said)
				hits = append(hits, found...)
				return err
			}))
			break
		}
		if failed != nil || len(vaults) == 0 {
			ts.Fatalf("nothing here opens %s, so searching it would prove nothing: %v", path, failed)
		}
	}
	return hits
}

func edit(ts *testscript.TestScript, file string, change func(body []byte) []byte) {
	path := ts.MkAbs(file)
	body, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, change(body), 0o600))
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3 || len(args) == 4, "replace FILE OLD NEW [N]")
	times := 1
	if len(args) == 4 {
		var err error
		times, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	old, with := []byte(strings.ReplaceAll(args[1], `\n`, "\n")), []byte(strings.ReplaceAll(args[2], `\n`, "\n"))
	edit(ts, args[0], func(body []byte) []byte {
		if bytes.Count(body, old) < times {
			ts.Fatalf("%s holds %q %d times, not %d", args[0], old, bytes.Count(body, old), times)
		}
		return bytes.Replace(body, old, with, times)
	})
}

// editTable changes the rows of a CSV below what stands before its header.
func editTable(ts *testscript.TestScript, file string, change func(rows [][]string)) {
	edit(ts, file, func(body []byte) []byte {
		reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
		reader.FieldsPerRecord = -1
		rows, err := reader.ReadAll()
		ts.Check(err)
		for len(rows) > 0 && len(rows[0]) < 4 { // a title, a date range
			rows = rows[1:]
		}
		change(rows)
		var out bytes.Buffer
		ts.Check(csv.NewWriter(&out).WriteAll(rows))
		return out.Bytes()
	})
}

func reverseColumns(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "reverse-columns FILE")
	editTable(ts, args[0], func(rows [][]string) {
		for _, row := range rows {
			slices.Reverse(row)
		}
	})
}

func reverseRows(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "reverse-rows FILE")
	editTable(ts, args[0], func(rows [][]string) { slices.Reverse(rows[1:]) })
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "cut FILE PERCENT")
	percent, err := strconv.Atoi(args[1])
	ts.Check(err)
	edit(ts, args[0], func(body []byte) []byte { return body[:len(body)*percent/100] })
}

func garbage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "garbage FILE MB")
	megabytes, err := strconv.Atoi(args[1])
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fs.FileMode(0o600))
	ts.Check(err)
	random := rand.NewChaCha8([32]byte{7})
	block := make([]byte, 1<<20)
	for range megabytes {
		_, _ = random.Read(block)
		_, err := file.Write(block)
		ts.Check(err)
	}
	ts.Check(file.Close())
}
