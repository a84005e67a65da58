package models

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Variation is a project in which one file says something else: what a test asks that wants to know whether anybody would notice.
type Variation struct {
	project *Project
	file    string
	// readers are the models that the file's text is in: itself, or of a macro those that use it.
	readers map[string]bool
	macro   *macro
	// away says how many models lie between those and each that is made from them; they themselves are 0 away.
	away map[string]int
}

// Vary puts another text in the place of a model's or macro's own. The text is not parsed: what is wrong with it is found by Try.
func (p *Project) Vary(file, text string) (*Variation, error) {
	v := &Variation{
		project: &Project{Models: slices.Clone(p.Models), Checks: p.Checks, macros: slices.Clone(p.macros)},
		file:    file, readers: map[string]bool{}, away: map[string]int{},
	}
	for i, m := range p.Models {
		if m.File == file {
			other := *m
			other.Text = text
			v.project.Models[i], v.readers[m.Name()] = &other, true
		}
	}
	if i := slices.IndexFunc(p.macros, func(m macro) bool { return m.file == file }); i >= 0 {
		v.project.macros[i].text = text
		v.macro = &v.project.macros[i]
		v.readers = p.macroUsers(v.macro.name)
	}
	if len(v.readers) == 0 && v.macro == nil {
		return nil, fmt.Errorf("there is no model and no macro %s", file)
	}
	for _, m := range p.Models { // after all that it reads
		if v.readers[m.Name()] {
			v.away[m.Name()] = 0
			continue
		}
		for _, read := range m.Reads {
			if n, isReached := v.away[read]; isReached {
				if nearest, isKnown := v.away[m.Name()]; !isKnown || n+1 < nearest {
					v.away[m.Name()] = n + 1
				}
			}
		}
	}
	return v, nil
}

// Reaches says whether a model is, or is made from, what was varied, and how many steps away it is.
func (v *Variation) Reaches(model string) (steps int, isReached bool) {
	steps, isReached = v.away[model]
	return steps, isReached
}

// ReachesAny says whether any model is made from what was varied: a macro may serve other analyses only.
func (v *Variation) ReachesAny() bool { return len(v.away) > 0 }

// macroUsers are the models that call a macro, also through other macros.
func (p *Project) macroUsers(name string) map[string]bool {
	calls := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\(`)
	users := map[string]bool{}
	for _, m := range p.Models {
		if calls.MatchString(m.Text) {
			users[m.Name()] = true
		}
	}
	for _, other := range p.macros {
		if other.name == name || !calls.MatchString(other.text) {
			continue
		}
		for user := range p.macroUsers(other.name) {
			users[user] = true
		}
	}
	return users
}

// Remade are the models whose tables a Try made again: those that were varied, and those of whose inputs one changed. Each says whether
// its rows are others than before, in whatever order.
type Remade map[string]bool

// Any says whether any table holds other rows.
func (r Remade) Any() bool { return slices.Contains(slices.Collect(maps.Values(r)), true) }

// Unmakeable says that a model's table could not be made.
type Unmakeable struct {
	Model string
	err   error
}

func (u *Unmakeable) Error() string { return u.err.Error() }

// Unwrap gives what DuckDB or a fit said.
func (u *Unmakeable) Unwrap() error { return u.err }

// Try makes the tables again that the variation gives other rows, shows them, and puts everything back. It is not for several at once.
// What cannot be made is an *Unmakeable.
func (w *Workspace) Try(ctx context.Context, v *Variation, look func(varied *Workspace, made Remade) error) (err error) {
	// What the tables hold now is asked before anything is another thing.
	for _, m := range w.wanted {
		if _, isReached := v.away[m.Name()]; isReached {
			if err := w.remember(ctx, m.Name()); err != nil {
				return err
			}
		}
	}
	if err := w.session.exec(ctx, "begin transaction"); err != nil {
		return fmt.Errorf("trying %s: %w", v.file, err)
	}
	defer func() {
		back := w.session.exec(context.WithoutCancel(ctx), "rollback")
		if err == nil && back != nil {
			err = fmt.Errorf("putting %s back: %w", v.file, back)
		}
	}()
	if v.macro != nil {
		if err := w.session.exec(ctx, v.macro.text); err != nil {
			return &Unmakeable{v.macro.name, describe(err, "macro "+v.macro.name, v.file)}
		}
	}
	made := Remade{}
	for _, old := range w.wanted {
		name := old.Name()
		if !v.readers[name] && !slices.ContainsFunc(old.Reads, func(read string) bool { return made[read] }) {
			continue
		}
		if isIdle, err := w.isIdle(ctx, old); err != nil || isIdle && v.readers[name] {
			if err != nil {
				return err
			}
			continue
		}
		m, _ := v.project.Model(name)
		if err := w.session.makeAgain(ctx, m); err != nil {
			return unmakeable(ctx, name, describe(err, "model "+name, m.File))
		}
		now, err := w.print(ctx, name)
		if err != nil {
			return unmakeable(ctx, name, describe(err, "model "+name, m.File))
		}
		made[name] = now != w.prints[name]
	}
	return look(&Workspace{project: v.project, session: w.session, wanted: w.wanted, prints: w.prints}, made)
}

// unmakeable is what was wrong with a model, or the context's end.
func unmakeable(ctx context.Context, model string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Unmakeable{model, err}
}

// isIdle says that a model makes nothing of nothing here: that it has no row, nor has any model or dataset that it reads, the clock
// aside.
func (w *Workspace) isIdle(ctx context.Context, m *Model) (bool, error) {
	for _, table := range append([]string{m.Name()}, m.Reads...) {
		if table == string(Staging)+".clock" || strings.HasPrefix(table, "settings.") {
			continue
		}
		if err := w.remember(ctx, table); err != nil || w.prints[table] != noRows {
			return false, err
		}
	}
	return true, nil
}

// noRows is the print of a table without rows.
const noRows = "0 0"

func (s *session) makeAgain(ctx context.Context, m *Model) error {
	if m.Layer == Fitted {
		if err := s.exec(ctx, "drop table "+m.Name()); err != nil {
			return err
		}
		return s.fit(ctx, m)
	}
	return s.exec(ctx, "create or replace table "+m.Name()+" as "+m.Text)
}

// print is the same for the same rows, in whatever order. The rows' name must be no column's: that would be hashed alone.
func (w *Workspace) print(ctx context.Context, table string) (string, error) {
	var out string
	err := w.session.conn.QueryRowContext(ctx, "select count(*) || ' ' || coalesce(sum(hash(printed_row)::hugeint), 0) from "+table+" as printed_row").Scan(&out)
	return out, err
}

func (w *Workspace) remember(ctx context.Context, table string) error {
	if w.prints[table] != "" {
		return nil
	}
	held, err := w.print(ctx, table)
	if err != nil {
		return fmt.Errorf("reading %s: %w", table, err)
	}
	w.prints[table] = held
	return nil
}
