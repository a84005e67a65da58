package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// table is one dataset of whatever rows.
type table interface {
	name() string
	write(ctx context.Context, s *lake.Snapshot, form Form, f *Folder) ([]File, error)
	place(ctx context.Context, tx *lake.Tx, o *Opened, d Dataset) error
}

// typed is a dataset with its row type.
type typed[T contract.Row] struct {
	lake.Table[T]
	columns []column
}

func of[T contract.Row](t lake.Table[T]) table {
	d, _ := contract.Find(t.Name()) // a test holds the list below to the contract
	return typed[T]{t, columnsOf(d)}
}

// tables are all datasets.
func tables() []table {
	return []table{
		of(lake.Appointments), of(lake.InvoiceLines), of(lake.Payments), of(lake.AppliedPayments), of(lake.Claims), of(lake.Policies),
		of(lake.Shifts), of(lake.ShiftPeriods), of(lake.Adjustments), of(lake.WriteOffs), of(lake.Credits), of(lake.AccountsReceivable),
		of(lake.UnscheduledPatients), of(lake.PortalActivity), of(lake.Insurers), of(lake.AccessLedger),
		of(lake.LeakStates), of(lake.Identities),
	}
}

func (t typed[T]) name() string { return t.Name() }

// WriteDatasets writes the rows of a snapshot's datasets, but for those that are left out, with what belongs to them.
func (f *Folder) WriteDatasets(ctx context.Context, s *lake.Snapshot, form Form, leftOut map[string]string) (map[string]Dataset, error) {
	out := map[string]Dataset{}
	for _, t := range tables() {
		live, there := s.Commit().Datasets[t.name()]
		if _, out := leftOut[t.name()]; out || !there {
			continue
		}
		d := Dataset{Rows: live.Rows(), Covers: live.Covers, Totals: totals(live)}
		var err error
		if d.Files, err = t.write(ctx, s, form, f); err != nil {
			return nil, fmt.Errorf("exporting %s: %w", t.name(), err)
		}
		removed, err := s.Removed(ctx, t.name())
		if err != nil {
			return nil, err
		}
		if len(removed) > 0 {
			file, err := f.writeRemoved("removed/"+t.name()+".csv", removed)
			if err != nil {
				return nil, err
			}
			d.Removed = &file
		}
		out[t.name()] = d
	}
	for name := range s.Commit().Datasets {
		_, known := out[name]
		if _, out := leftOut[name]; !known && !out {
			return nil, fmt.Errorf("the lake has a dataset %s that this program does not know: use the falloff that wrote it, or a newer one", name)
		}
	}
	return out, nil
}

// totals sums the totals of a dataset's objects.
func totals(d lake.Dataset) map[string]int64 {
	var sums map[string]int64
	for _, o := range d.Objects {
		for name, cents := range o.Totals {
			if sums == nil {
				sums = map[string]int64{}
			}
			sums[name] += cents
		}
	}
	return sums
}

func (t typed[T]) write(ctx context.Context, s *lake.Snapshot, form Form, f *Folder) ([]File, error) {
	if form == Parquet {
		return t.writeMonths(ctx, s, f)
	}
	name, rows := "datasets/"+t.Name()+form.ending(), s.Commit().Datasets[t.Name()].Rows()
	file, err := f.write(name, rows, func(w *bufio.Writer) error {
		line := t.csvLine(w)
		if form == JSON {
			line = t.jsonLine(w)
		} else if err := (csvWriter{w}).record(t.names()); err != nil {
			return err
		}
		for row, err := range lake.Rows(ctx, s, t.Table) {
			if err != nil {
				return err
			}
			if err := line(reflect.ValueOf(&row).Elem()); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return []File{file}, err
}

func (t typed[T]) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// writeMonths writes a Parquet file a month.
func (t typed[T]) writeMonths(ctx context.Context, s *lake.Snapshot, f *Folder) ([]File, error) {
	files := []File{}
	var held []T
	month := ""
	flush := func() error {
		if len(held) == 0 {
			return nil
		}
		body, err := t.Encode(held)
		if err != nil {
			return err
		}
		file, err := f.write("datasets/"+t.Name()+"/"+month+Parquet.ending(), int64(len(held)), func(w *bufio.Writer) error {
			_, err := w.Write(body)
			return err
		})
		files, held = append(files, file), held[:0]
		return err
	}
	for row, err := range lake.Rows(ctx, s, t.Table) {
		if err != nil {
			return nil, err
		}
		if in := contract.MonthOf(row.Day()); in != month {
			if err := flush(); err != nil {
				return nil, err
			}
			month = in
		}
		held = append(held, row)
	}
	return files, errors.Join(flush(), ctx.Err())
}

func (t typed[T]) csvLine(w *bufio.Writer) func(row reflect.Value) error {
	cells := make([]string, len(t.columns))
	return func(row reflect.Value) error {
		for i, c := range t.columns {
			text, null, err := c.format(row)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.Name, err)
			}
			if cells[i] = text; c.isText() {
				cells[i] = cell(text, null, c.Nullable)
			}
		}
		return csvWriter{w}.record(cells)
	}
}

func (t typed[T]) jsonLine(w *bufio.Writer) func(row reflect.Value) error {
	var line []byte
	return func(row reflect.Value) error {
		line = append(line[:0], '{')
		for i, c := range t.columns {
			text, null, err := c.format(row)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.Name, err)
			}
			if i > 0 {
				line = append(line, ',')
			}
			line = append(strconv.AppendQuote(line, c.Name), ':')
			switch {
			case null:
				line = append(line, "null"...)
			case c.want() == 's':
				if line, err = jsonText(line, text); err != nil {
					return err
				}
			default:
				line = append(line, text...)
			}
		}
		_, err := w.Write(append(line, '}', '\n'))
		return err
	}
}

// Place puts everything of an export into the first commit of a clinic, as it was.
func (o *Opened) Place(ctx context.Context, tx *lake.Tx, told func(dataset string)) error {
	known := map[string]table{}
	for _, t := range tables() {
		known[t.name()] = t
	}
	for _, name := range slices.Sorted(maps.Keys(o.Manifest.Datasets)) {
		told(name)
		d := o.Manifest.Datasets[name]
		if err := known[name].place(ctx, tx, o, d); err != nil {
			return err
		}
		is := tx.Snapshot().Commit().Datasets[name]
		if is.Rows() != d.Rows || !maps.Equal(totals(is), d.Totals) {
			return fmt.Errorf("%s: it has %d rows and money totals %v; the manifest says %d and %v", name, is.Rows(), totals(is), d.Rows, d.Totals)
		}
	}
	for name, reasons := range o.Manifest.Quarantine {
		tx.SetQuarantine(name, reasons)
	}
	for name, checkpoint := range o.Manifest.Sources {
		if err := tx.SetSource(name, checkpoint); err != nil {
			return err
		}
	}
	tx.AdvanceAsOf(o.Manifest.AsOf)
	return nil
}

func (t typed[T]) place(ctx context.Context, tx *lake.Tx, o *Opened, d Dataset) error {
	removed, err := o.readRemoved(d.Removed)
	if err != nil {
		return err
	}
	at := CellError{File: "datasets/" + t.Name()}
	_, err = lake.Place(ctx, tx, t.Table, lake.Placement[T]{Rows: t.rows(ctx, o, d, &at), Covers: d.Covers, Removed: removed})
	if errors.Is(err, lake.ErrMisplaced) {
		at.Problem = err
		return &at
	}
	return err
}
