package simclinic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloud.google.com/go/civil"
)

// Formats are the formats of report files.
func Formats() []string { return []string{"csv", "xlsx"} }

// FileName is the name under which the portal offers a report; extension is csv or xlsx.
func (c *Clinic) FileName(report string, from, to civil.Date, extension string) string {
	compact := func(d civil.Date) string { return strings.ReplaceAll(d.String(), "-", "") }
	return fmt.Sprintf("%s_%s_%s_%s.%s", c.Slug(), report, compact(from), compact(to), extension)
}

// Export writes every report into dir in one of Formats, clinic.yaml beside them, and the truth: truthFile as CSV with
// category,source_id,occurred_on,amount_cents and truthFile with .states.csv appended with patient,date,status. dir and
// truthFile's folder are made where they are missing. Each file appears whole or not at all; files of other names are left
// alone, but a dir that holds anything else than such reports is refused, so that two clinics or a person's papers do not
// get mixed up.
func (c *Clinic) Export(ctx context.Context, dir, truthFile, format string) error {
	if format != "csv" && format != "xlsx" {
		return fmt.Errorf("format %q: choose one of %v", format, Formats())
	}
	if err := c.claimFolder(dir, truthFile); err != nil {
		return err
	}
	for _, report := range Reports() {
		for _, r := range c.ranges(report, format) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("exporting %s to %s: %w", report, dir, err)
			}
			l, err := c.listing(report, r.from.date(), r.to.date())
			if err != nil {
				return err
			}
			l.each = until(ctx, l.each)
			path := filepath.Join(dir, c.FileName(report, l.from, l.to, format))
			err = writeWhole(path, func(w io.Writer) error {
				if format == "xlsx" {
					return c.writeXLSX(w, l)
				}
				return c.writeCSV(w, l)
			})
			if err != nil {
				return err
			}
		}
	}
	err := writeWhole(filepath.Join(dir, settingsFile), func(w io.Writer) error {
		_, err := w.Write(c.SettingsYAML())
		return err
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(truthFile), 0o755); err != nil {
		return fmt.Errorf("making the folder of the truth file: %w", err)
	}
	if err := writeWhole(truthFile, c.WriteTruth); err != nil {
		return err
	}
	return writeWhole(truthFile+statesSuffix, c.WriteStates)
}

const (
	settingsFile = "clinic.yaml"
	statesSuffix = ".states.csv"
	// partPrefix starts the names of files that are being written.
	partPrefix = ".simclinic-"
)

// WriteTruth writes the truth as CSV.
func (c *Clinic) WriteTruth(w io.Writer) error {
	if _, err := io.WriteString(w, "category,source_id,occurred_on,amount_cents\n"); err != nil {
		return err
	}
	for _, leak := range c.truth {
		if _, err := fmt.Fprintf(w, "%s,%s,%s,%d\n", leak.Category, leak.SourceID, leak.OccurredOn, leak.AmountCents); err != nil {
			return err
		}
	}
	return nil
}

// WriteStates writes the states as CSV.
func (c *Clinic) WriteStates(w io.Writer) error {
	if _, err := io.WriteString(w, "patient,date,status\n"); err != nil {
		return err
	}
	for _, s := range c.States() {
		if _, err := fmt.Fprintf(w, "%s,%s,%s\n", s.Patient, s.Date, s.Status); err != nil {
			return err
		}
	}
	return nil
}

// until makes a listing stop where the context ends.
func until(ctx context.Context, each func(func([]Cell) error) error) func(func([]Cell) error) error {
	return func(yield func([]Cell) error) error {
		rows := 0
		return each(func(row []Cell) error {
			if rows++; rows%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return yield(row)
		})
	}
}

type dayRange struct{ from, to day }

// ranges are the ranges of the files of a report: one, or one a month for hours, for transactions (the portal gives no
// more at a time) and for what does not fit one sheet; one day for what is as of a day.
func (c *Clinic) ranges(report, format string) []dayRange {
	w := c.world
	all := dayRange{w.from, w.today}
	rows := 0
	switch report {
	case Appointments:
		all.to = w.horizon
		rows = len(w.appointments)
	case Sales:
		rows = 2 * len(w.parts)
	case Claims:
		rows = len(w.claims)
	case Applied:
		rows = len(w.applied) + len(w.payments)
	}
	if AsOf(report) {
		return []dayRange{{all.to, all.to}}
	}
	if report != Hours && report != Transactions && (format != "xlsx" || rows < MaxSheetRows-10) {
		return []dayRange{all}
	}
	var months []dayRange
	for first := all.from; first <= all.to; first = first.nextMonth() {
		months = append(months, dayRange{first, min(first.nextMonth()-1, all.to)})
	}
	return months
}

// claimFolder makes dir, and refuses one that holds files which are not this package's.
func (c *Clinic) claimFolder(dir, truthFile string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the export folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the export folder: %w", err)
	}
	left := func(entry fs.DirEntry) bool { // by an earlier export, whole or broken off
		return !entry.IsDir() && (strings.HasPrefix(entry.Name(), c.Slug()+"_") || strings.HasPrefix(entry.Name(), partPrefix))
	}
	exported := slices.ContainsFunc(entries, left)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		isTruth := path == filepath.Clean(truthFile) || path == filepath.Clean(truthFile)+statesSuffix
		if !left(entry) && !isTruth && (!exported || entry.Name() != settingsFile) {
			return fmt.Errorf("export folder %s holds %q, which is no report of a simulated clinic: choose an empty folder", dir, entry.Name())
		}
	}
	// Reports of an earlier export under other dials would be read as this clinic's.
	for _, entry := range entries {
		if left(entry) {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing the report of an earlier export: %w", err)
			}
		}
	}
	return nil
}

// writeWhole writes a file beside its place and moves it there once it is complete.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), partPrefix+"*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	out := bufio.NewWriterSize(file, 1<<18)
	if err = write(out); err != nil {
		return err
	}
	if err = out.Flush(); err != nil {
		return err
	}
	if err = file.Chmod(0o644); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
