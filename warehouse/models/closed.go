package models

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/sql"
)

// FiguresMart is the mart whose rows a closed month publishes.
const FiguresMart = "figures_by_month"

// FigureName says which figure of a month it is, and for what it stands. A dimension that a figure is not split by is empty.
type FigureName struct {
	Figure     string `json:"figure"     parquet:"figure"`
	Category   string `json:"category"   parquet:"category"`
	Detail     string `json:"detail"     parquet:"detail"`
	Discipline string `json:"discipline" parquet:"discipline"`
	Location   string `json:"location"   parquet:"location"`
	Currency   string `json:"currency"   parquet:"currency"`
}

// Compare orders figures as the mart does.
func (n FigureName) Compare(o FigureName) int {
	return cmp.Or(strings.Compare(n.Figure, o.Figure), strings.Compare(n.Category, o.Category), strings.Compare(n.Detail, o.Detail),
		strings.Compare(n.Discipline, o.Discipline), strings.Compare(n.Location, o.Location), strings.Compare(n.Currency, o.Currency))
}

// Figure is one figure of one month: cents, minutes or a count, as its unit says.
type Figure struct {
	FigureName

	Unit   string `json:"unit"   parquet:"unit"`
	Amount int64  `json:"amount" parquet:"amount"`
}

// MonthFigures are the figures of one month, in order.
type MonthFigures struct {
	Figures []Figure
	// Complete says that the month is over by so long that its falloff is known, and that history began before it.
	Complete bool
}

// figureRow is one row of the mart.
type figureRow struct {
	FigureName

	Month    string `parquet:"month"`
	Unit     string `parquet:"unit"`
	Amount   int64  `parquet:"amount"`
	Complete bool   `parquet:"is_complete"`
}

// ReadFigures reads the figures out of the mart's Parquet bytes, by month (YYYY-MM).
func ReadFigures(body []byte) (map[string]MonthFigures, error) {
	rows, err := parquet.Read[figureRow](bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, fmt.Errorf("reading the mart %s: %w", FiguresMart, err)
	}
	out := map[string]MonthFigures{}
	for _, row := range rows {
		month := out[row.Month]
		month.Figures = append(month.Figures, Figure{row.FigureName, row.Unit, row.Amount})
		month.Complete = row.Complete
		out[row.Month] = month
	}
	for _, month := range out {
		slices.SortFunc(month.Figures, func(a, b Figure) int { return a.Compare(b.FigureName) })
	}
	return out, nil
}

// ClosedFigure is a figure of a closed month: as it was published, and as it is now.
type ClosedFigure struct {
	FigureName

	Month               string
	Unit                string
	Published, Restated int64
	AsOf, ClosedOn      civil.Date
}

// Restatement is one change of a closed month's figure.
type Restatement struct {
	FigureName

	Unit      string `json:"unit"`
	Published int64  `json:"published"`
	// Before is what the figure was until then, Restated what it is since.
	Before   int64 `json:"before"`
	Restated int64 `json:"restated"`
	// Since is the number of the commit whose data showed it first, FirstSeen the UTC day of that commit.
	Since     int64      `json:"since_commit"`
	FirstSeen civil.Date `json:"first_seen"`
	// Month and Current are for the mart: the month it is of, and whether nothing came after it.
	Month   string `json:"-"`
	Current bool   `json:"-"`
}

// closedSchema is where the closed months' figures lie for models to read.
const closedSchema = "closed"

// figureColumns are the columns that FigureName fills.
var figureColumns = []Column{
	{"month", "VARCHAR"}, {"figure", "VARCHAR"}, {"category", "VARCHAR"}, {"detail", "VARCHAR"}, {"discipline", "VARCHAR"},
	{"location", "VARCHAR"}, {"currency", "VARCHAR"}, {"unit", "VARCHAR"},
}

// closedTables gives what was published of closed months, and what was restated since, as tables.
func closedTables(in Inputs) []settingsTable {
	name := func(month string, n FigureName, unit string) []any {
		return []any{month, n.Figure, n.Category, n.Detail, n.Discipline, n.Location, n.Currency, unit}
	}
	figures := settingsTable{name: "figures", columns: append(slices.Clone(figureColumns),
		Column{"published", "BIGINT"}, Column{"restated", "BIGINT"}, Column{"as_of", "DATE"}, Column{"closed_on", "DATE"})}
	for _, f := range in.Closed {
		figures.rows = append(figures.rows, append(name(f.Month, f.FigureName, f.Unit), f.Published, f.Restated, f.AsOf.String(), f.ClosedOn.String()))
	}
	restatements := settingsTable{name: "restatements", columns: append(slices.Clone(figureColumns),
		Column{"published", "BIGINT"}, Column{"before", "BIGINT"}, Column{"restated", "BIGINT"}, Column{"since_commit", "BIGINT"},
		Column{"first_seen", "DATE"}, Column{"is_current", "BOOLEAN"})}
	for _, r := range in.Restatements {
		restatements.rows = append(restatements.rows, append(name(r.Month, r.FigureName, r.Unit),
			r.Published, r.Before, r.Restated, r.Since, r.FirstSeen.String(), r.Current))
	}
	return []settingsTable{figures, restatements}
}

// closedRowsAStatement bounds a statement that fills a table: years of months have tens of thousands of rows.
const closedRowsAStatement = 1000

func (s *session) loadClosed(ctx context.Context, in Inputs) error {
	for _, t := range closedTables(in) {
		if err := s.fill(ctx, closedSchema, t); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a table of a schema with its rows.
func (s *session) fill(ctx context.Context, schema string, t settingsTable) error {
	if err := s.exec(ctx, "create table "+schema+"."+t.name+" "+columnList(t.columns)); err != nil {
		return fmt.Errorf("making %s.%s: %w", schema, t.name, err)
	}
	for rows := range slices.Chunk(t.rows, closedRowsAStatement) {
		var values []string
		for _, row := range rows {
			var cells []string
			for _, cell := range row {
				cells = append(cells, literal(cell))
			}
			values = append(values, "("+strings.Join(cells, ", ")+")")
		}
		if err := s.exec(ctx, "insert into "+schema+"."+t.name+" values "+strings.Join(values, ", ")); err != nil {
			return fmt.Errorf("filling %s.%s: %w", schema, t.name, err)
		}
	}
	return nil
}

// literal writes a cell as SQL.
func literal(cell any) string {
	switch cell := cell.(type) {
	case nil:
		return "null"
	case int64:
		return strconv.FormatInt(cell, 10)
	case bool:
		return strconv.FormatBool(cell)
	default:
		return quoted(fmt.Sprint(cell))
	}
}

// only are the models that the named marts need, in order, up to those that are ready; all of them where marts is nil.
func (p *Project) only(marts []string, ready map[string]string) ([]*Model, error) {
	if marts == nil {
		return p.Models, nil
	}
	needed := map[string]bool{}
	for _, name := range marts {
		if _, ok := p.Model(string(Marts) + "." + name); !ok {
			return nil, fmt.Errorf("there is no mart %s", name)
		}
		needed[string(Marts)+"."+name] = true
	}
	var out []*Model
	for _, m := range slices.Backward(p.Models) { // readers come after what they read
		if !needed[m.Name()] {
			continue
		}
		out = append(out, m)
		for _, name := range m.Reads {
			table, isMart := strings.CutPrefix(name, string(Marts)+".")
			if _, isReady := ready[table]; !isMart || !isReady {
				needed[name] = true
			}
		}
	}
	slices.Reverse(out)
	return out, nil
}

// Fingerprint names the project's models: another text of one of them may give another figure.
func Fingerprint() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(sql.Files(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sql.Files(), path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the models: %w", err)
	}
	made := fitters()
	for _, table := range slices.Sorted(maps.Keys(made)) {
		_, _ = fmt.Fprintf(sum, "fitted.%s %s\n", table, made[table].version)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
