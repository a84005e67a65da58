package models

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Severity says what a check that finds rows does.
type Severity string

// A check that blocks keeps the build from being published: the last good marts stay. One that warns is only told.
const (
	Block Severity = "block"
	Warn  Severity = "warn"
)

// checksFolder holds the checks: each file is a select over marts and settings, and every row it gives is something wrong.
const checksFolder = "checks"

// Check is one rule that marts must keep.
type Check struct {
	Severity Severity
	// Remedy says what a person can do where it is broken.
	Remedy string

	model *Model
}

// Name is the file's name without folder and ending.
func (c *Check) Name() string { return c.model.table }

// Description says what must hold.
func (c *Check) Description() string { return c.model.Description }

// Broken is a rule that the marts of a build do not keep.
type Broken struct {
	// Check is the check's name, or model and rule; File is where it is written, below sql/.
	Check       string   `json:"check"`
	File        string   `json:"file"`
	Description string   `json:"description"`
	Remedy      string   `json:"remedy"`
	Severity    Severity `json:"severity"`
	// Rows is how many rows break it, Shown the first of them, as `column=value` pairs.
	Rows  int      `json:"rows"`
	Shown []string `json:"shown"`
}

func (b *Broken) Error() string {
	if b.Severity == Block {
		return b.Said() + " The marts of the last good build stay."
	}
	return b.Said()
}

// Said says what is broken, where, and what to do.
func (b *Broken) Said() string {
	more := ""
	if b.Rows > len(b.Shown) {
		more = fmt.Sprintf("; and %d more", b.Rows-len(b.Shown))
	}
	return fmt.Sprintf("check %s (sql/%s) finds %d rows: %s%s. What must hold: %s What to do: %s",
		b.Check, b.File, b.Rows, strings.Join(b.Shown, "; "), more, b.Description, b.Remedy)
}

// loadChecks reads the checks of a tree.
func loadChecks(tree fs.FS) ([]*Check, error) {
	files, err := fs.Glob(tree, checksFolder+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing checks: %w", err)
	}
	var checks []*Check
	for _, file := range files {
		text, err := fs.ReadFile(tree, file)
		if err != nil {
			return nil, fmt.Errorf("reading check %s: %w", file, err)
		}
		c := &Check{model: &Model{Layer: checksFolder, File: file, Text: string(text), table: strings.TrimSuffix(path.Base(file), ".sql")}}
		fields, err := headerFields("check "+file, c.model.Text, "severity", "description", "remedy")
		if err != nil {
			return nil, err
		}
		c.Severity, c.Remedy, c.model.Description = Severity(fields["severity"]), fields["remedy"], fields["description"]
		if c.Severity != Block && c.Severity != Warn {
			return nil, fmt.Errorf("check %s: severity %q: write %s or %s", file, c.Severity, Block, Warn)
		}
		checks = append(checks, c)
	}
	return checks, nil
}

// mayRead refuses a check that reads what is gone when it runs.
func (c *Check) mayRead() error {
	for _, name := range c.model.Reads {
		if !strings.HasPrefix(name, string(Marts)+".") && !strings.HasPrefix(name, "settings.") {
			return fmt.Errorf("check %s reads %s: checks read marts and settings", c.model.File, name)
		}
	}
	return nil
}

// shownRows is how many of the rows that break a check are told.
const shownRows = 5

// check runs all checks. The error is a *Broken for the first that blocks; those that warn are returned.
func (s *session) check(ctx context.Context, checks []*Check) (warnings []*Broken, err error) {
	for _, c := range checks {
		broken, err := s.checkOne(ctx, c)
		if err != nil {
			return nil, describe(err, "check "+c.Name(), c.model.File)
		}
		switch {
		case broken == nil:
		case c.Severity == Block:
			return nil, broken
		default:
			warnings = append(warnings, broken)
		}
	}
	return warnings, nil
}

func (s *session) checkOne(ctx context.Context, c *Check) (*Broken, error) {
	rows, err := s.conn.QueryContext(ctx, c.model.Text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b := &Broken{Check: c.Name(), File: c.model.File, Description: c.Description(), Remedy: c.Remedy, Severity: c.Severity}
	if b.Rows, b.Shown, err = showRows(rows, shownRows); err != nil || b.Rows == 0 {
		return nil, err
	}
	return b, nil
}
