package models

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// test holds a model's table to what is declared of it: the first rule that blocks and is broken is an error, those that warn
// are returned. All rules of a model are counted in one scan; only for one that is broken are rows looked up.
func (s *session) test(ctx context.Context, m *Model, isMade func(table string) bool) (warnings []*Broken, err error) {
	all, err := s.testAll(ctx, m, isMade)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Severity == Block {
			return nil, b
		}
	}
	return all, nil
}

// testMade tests a table that was just made, of a model that is no mart: what it refers to is still there. Marts wait until all are
// made, since they refer to each other.
func (s *session) testMade(ctx context.Context, m *Model) error {
	if !s.isTested || m.Layer == Marts || m.declared == nil {
		return nil
	}
	stale, err := s.testFreshness(ctx, m, s.asOf)
	if err != nil {
		return err
	}
	broken, err := s.test(ctx, m, s.made)
	if err != nil {
		return err
	}
	s.warnings = append(append(s.warnings, stale...), broken...)
	return nil
}

// testMarts tests the marts among the models, and of others that lie ready whether they still refer to what is there.
func (s *session) testMarts(ctx context.Context, p *Project, wanted []*Model, in Inputs) error {
	isMade := func(table string) bool {
		_, isReady := in.Ready[strings.TrimPrefix(table, string(Marts)+".")]
		return isReady || s.made(table)
	}
	var tested []*Model
	for _, m := range p.Models {
		if m.Layer != Marts || !isMade(m.Name()) {
			continue
		}
		if !slices.Contains(wanted, m) {
			if m = m.referring(s.made); m == nil {
				continue
			}
		}
		tested = append(tested, m)
	}
	return s.each(ctx, len(tested), s.wide, func(w *session, i int) (err error) {
		w.warnings, err = w.test(ctx, tested[i], isMade)
		return err
	})
}

// referring is the model with nothing declared but its references to marts that were made; nil where it has none.
func (m *Model) referring(isMade func(table string) bool) *Model {
	if m.declared == nil {
		return nil
	}
	only := &Declared{file: m.declared.file, Columns: map[string]DeclaredColumn{}}
	for _, name := range m.declared.order {
		c := m.declared.Columns[name]
		table, _, _ := cutColumn(c.RefersTo)
		if strings.HasPrefix(table, string(Marts)+".") && isMade(table) {
			only.order = append(only.order, name)
			only.Columns[name] = DeclaredColumn{RefersTo: c.RefersTo, Severity: c.Severity, Remedy: c.Remedy}
		}
	}
	if len(only.order) == 0 {
		return nil
	}
	out := *m
	out.declared = only
	return &out
}

// related are the marts that the models refer to, and those that refer to them.
func (p *Project) related(wanted []*Model) []string {
	made := madeBy(wanted)
	var out []string
	for _, m := range p.Models {
		switch {
		case m.Layer != Marts || m.declared == nil:
		case made(m.Name()):
			for _, c := range m.declared.Columns {
				if table, _, isColumn := cutColumn(c.RefersTo); isColumn {
					out = append(out, table)
				}
			}
		case m.referring(made) != nil:
			out = append(out, m.Name())
		}
	}
	return out
}

// madeBy says which tables there are after a run of some models: theirs, and the inputs.
func madeBy(wanted []*Model) func(table string) bool {
	return func(table string) bool {
		schema, _, _ := strings.Cut(table, ".")
		isModel := slices.Contains([]Layer{Staging, Intermediate, Marts}, Layer(schema))
		return !isModel || slices.ContainsFunc(wanted, func(m *Model) bool { return m.Name() == table })
	}
}

// testAll gives every rule of the model that its table breaks.
func (s *session) testAll(ctx context.Context, m *Model, isMade func(table string) bool) ([]*Broken, error) {
	rules := m.rules(isMade)
	if len(rules) == 0 {
		return nil, nil
	}
	if err := s.hasColumns(ctx, m); err != nil {
		return nil, err
	}
	counts, err := s.countBroken(ctx, m, rules)
	if err != nil {
		return nil, err
	}
	var all []*Broken
	for i, r := range rules {
		if counts[i] == 0 {
			continue
		}
		b := &Broken{Check: m.Name() + ": " + r.name, File: r.file, Description: r.description, Remedy: r.remedy, Severity: r.severity, Rows: int(counts[i])}
		if r.isKey {
			// The scan counted hashes of keys, of which two may be alike where the keys are not.
			if b.Rows, err = s.sharedKeys(ctx, m); err != nil {
				return nil, err
			}
			if b.Rows == 0 {
				continue
			}
		}
		if b.Shown, err = s.showBroken(ctx, m, r); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// countBroken counts for each rule how many rows break it.
func (s *session) countBroken(ctx context.Context, m *Model, rules []rule) ([]int64, error) {
	var counts, joins []string
	for _, r := range rules {
		if r.isKey {
			counts = append(counts, fmt.Sprintf("count(*) - count(distinct hash(%s))", keyOf(m)))
			continue
		}
		counts = append(counts, "count(*) filter (where "+r.broken+")")
		joins = append(joins, r.join)
	}
	found, places := make([]int64, len(rules)), make([]any, len(rules))
	for i := range found {
		places[i] = &found[i]
	}
	query := "select " + strings.Join(counts, ", ") + " from " + m.Name() + " as tested" + strings.Join(joins, "")
	if err := s.conn.QueryRowContext(ctx, query).Scan(places...); err != nil {
		return nil, fmt.Errorf("testing %s: %w", m.Name(), s.blame(ctx, m, rules, err))
	}
	return found, nil
}

// blame finds the rule that cannot be asked, where one cannot.
func (s *session) blame(ctx context.Context, m *Model, rules []rule, failed error) error {
	for _, r := range rules {
		if r.isKey {
			continue
		}
		if err := s.exec(ctx, "select count(*) filter (where "+r.broken+") from "+m.Name()+" as tested"+r.join); err != nil {
			return fmt.Errorf("rule %s (sql/%s): %w", r.name, r.file, err)
		}
	}
	return failed
}

func keyOf(m *Model) string { return "tested." + strings.Join(m.Key, ", tested.") }

// sharedKeys counts rows beyond the first of each key.
func (s *session) sharedKeys(ctx context.Context, m *Model) (n int, err error) {
	err = s.conn.QueryRowContext(ctx, fmt.Sprintf("select count(*) - count(distinct (%s)) from %s as tested", keyOf(m), m.Name())).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting the keys of %s: %w", m.Name(), err)
	}
	return n, nil
}

// showBroken looks up the keys of the first rows that break a rule, whole rows where the model has no key.
func (s *session) showBroken(ctx context.Context, m *Model, r rule) ([]string, error) {
	columns, order := "tested.*", "all"
	if len(m.Key) > 0 {
		columns, order = keyOf(m), keyOf(m)
	}
	query := "select " + columns + " from " + m.Name() + " as tested" + r.join + " where " + r.broken + fmt.Sprintf(" order by %s limit %d", order, shownRows)
	if r.isKey {
		query = fmt.Sprintf("select %s, count(*) as times from %s as tested group by %s having count(*) > 1 order by %s limit %d",
			columns, m.Name(), columns, order, shownRows)
	}
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("looking up rows of %s: %w", m.Name(), err)
	}
	defer rows.Close()
	_, shown, err := showRows(rows, shownRows)
	return shown, err
}

// showRows writes the first rows of a result as `column=value` pairs, and counts all.
func showRows(rows *sql.Rows, most int) (count int, shown []string, err error) {
	columns, err := rows.Columns()
	if err != nil {
		return 0, nil, err
	}
	cells, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range cells {
		places[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return 0, nil, err
		}
		if count++; count > most {
			continue
		}
		pairs := make([]string, len(columns))
		for i, name := range columns {
			if at, isTime := cells[i].(time.Time); isTime {
				cells[i] = at.Format(time.DateOnly)
			}
			if cells[i] == nil {
				cells[i] = "null"
			}
			pairs[i] = fmt.Sprintf("%s=%v", name, cells[i])
		}
		shown = append(shown, strings.Join(pairs, " "))
	}
	return count, shown, rows.Err()
}

// hasColumns refuses declarations about columns that the table does not have.
func (s *session) hasColumns(ctx context.Context, m *Model) error {
	if m.declared == nil && len(m.Key) == 0 {
		return nil
	}
	have, err := s.columns(ctx, "select * from "+m.Name())
	if err != nil {
		return fmt.Errorf("finding the columns of %s: %w", m.Name(), err)
	}
	names := make([]string, len(have))
	for i, c := range have {
		names[i] = c.Name
	}
	for _, column := range m.Key {
		if !slices.Contains(names, column) {
			return fmt.Errorf("the header of sql/%s has the key %s: %s has no such column: there are %s", m.File, column, m.Name(), strings.Join(names, ", "))
		}
	}
	if m.declared == nil {
		return nil
	}
	for _, column := range m.declared.order {
		if !slices.Contains(names, column) {
			return fmt.Errorf("sql/%s speaks of column %s: %s has no such column: there are %s", m.declared.file, column, m.Name(), strings.Join(names, ", "))
		}
	}
	return nil
}

// testFreshness holds the datasets' newest days against D.
func (s *session) testFreshness(ctx context.Context, m *Model, asOf civil.Date) (warnings []*Broken, err error) {
	if m.declared == nil {
		return nil, nil
	}
	for _, r := range m.declared.Freshness {
		table, column, _ := cutColumn(r.Of)
		var newest sql.NullTime
		err := s.conn.QueryRowContext(ctx, fmt.Sprintf("select max(%s)::date from %s", column, table)).Scan(&newest)
		if err != nil {
			return nil, fmt.Errorf("testing %s: freshness of %s (sql/%s): %w", m.Name(), r.Of, m.declared.file, err)
		}
		day := civil.DateOf(newest.Time)
		if !newest.Valid || asOf.DaysSince(day) <= r.WithinDays {
			continue
		}
		b := &Broken{
			Check: m.Name() + ": freshness of " + r.Of, File: m.declared.file, Severity: cmp.Or(r.Severity, Block), Rows: 1,
			Shown:       []string{fmt.Sprintf("newest=%s as_of=%s", day, asOf)},
			Description: fmt.Sprintf("The newest %s is at most %d days before the day that is built for.", r.Of, r.WithinDays),
			Remedy:      cmp.Or(r.Remedy, "Import or extract newer reports of "+strings.TrimPrefix(table, "lake.")+", or build --as-of an earlier day."),
		}
		if b.Severity == Block {
			return nil, b
		}
		warnings = append(warnings, b)
	}
	return warnings, nil
}

// IsBroken finds the rule or check that kept marts from being published, where it was one.
func IsBroken(err error) (*Broken, bool) { return errors.AsType[*Broken](err) }

var noColumn = regexp.MustCompile(`(?:Values list|Table) "(\w+)" does not have a column named`)

// withColumns says which columns a table has of which a model reads one that it does not have: it was renamed, as a rule.
func (s *session) withColumns(ctx context.Context, m *Model, failed error) error {
	missed := noColumn.FindStringSubmatch(failed.Error())
	if missed == nil {
		return failed
	}
	table := regexp.MustCompile(`([a-z_]+\.[a-z_]+) as ` + missed[1] + `\b`).FindStringSubmatch(m.Text)
	if table == nil {
		return failed
	}
	have, err := s.columns(ctx, "select * from "+table[1])
	if err != nil {
		return failed // what failed first is what counts
	}
	return fmt.Errorf("%w\n%s has %s: was it renamed?", failed, table[1], strings.Join(columnNames(have), ", "))
}
