package analysis

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

func fileOf(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func requestOf(input Input, file string) Request {
	q := Request{
		File: file, Input: input, Metric: Survival, AsOf: civil.Date{Year: 2025, Month: 6, Day: 15}, Definition: LastVisit, FalloffDays: 90,
		Model: bgnbd.MBG, UnitDays: 7, HorizonDays: 90, Basis: InvoiceDate,
	}
	if input == Invoices {
		q.Metric = Aging
	}
	return q
}

func TestBadFilesAreRefusedWithTheirPlace(t *testing.T) {
	const invoice = "invoice,invoice_date,due_date,settled_date,amount\n"
	for _, test := range []struct {
		name, text string
		input      Input
		row        int64
		column     string
		says       string
	}{
		{"empty", "", Events, 0, "", "the file is empty"},
		{"byte order mark alone", "\ufeff", Events, 0, "", "the file is empty"},
		{"header alone", "entity,date\n", Events, 0, "", "no row"},
		{"missing column", "entity,day\na,2025-01-01\n", Events, 0, "date", "no such column"},
		{"semicolons", "entity;date\na;2025-01-01\n", Events, 0, "entity", "cells are parted by commas"},
		{"column twice", "entity,date,Date\na,2025-01-01,2025-01-01\n", Events, 0, "date", "has it twice"},
		{"UTF-16", "\xff\xfee\x00", Events, 0, "", "UTF-16"},
		{"Latin-1", "entity,date\nren\xe9,2025-01-01\n", Events, 2, "", "not UTF-8"},
		{"no such day", "entity,date\na,2025-01-01\na,2025-02-29\n", Events, 3, "date", "no date of the calendar"},
		{"other form", "entity,date\na,01/02/2025\n", Events, 2, "date", "YYYY-MM-DD"},
		{"time of day", "entity,date\na,2025-01-01 09:00\n", Events, 2, "date", "time of day"},
		{"empty entity", "entity,date\n,2025-01-01\n", Events, 2, "entity", "empty"},
		{"empty date", "entity,date\na,\n", Events, 2, "date", "empty"},
		{"too many cells", "entity,date\na,2025-01-01\nb,2025-01-01,x\n", Events, 3, "", "3 cells, the header 2"},
		{"open quotation", "entity,date\n\"a,2025-01-01\n", Events, 2, "", "quotation"},
		{"bare quotation mark", "entity,date\na\"b,2025-01-01\n", Events, 2, "", "quotation"},
		{"all later", "entity,date\na,2025-06-16\n", Events, 0, "date", "choose an --as-of from 2025-06-16"},
		{"nobody can be judged", "entity,date\na,2025-06-01\n", Events, 0, "", "fewer --falloff-days"},
		{"negative time", "time,event\n3,1\n-1,0\n", Durations, 3, "time", "negative"},
		{"fraction", "time,event\n1.5,1\n", Durations, 2, "time", "whole days"},
		{"no number", "time,event\nNaN,1\n", Durations, 2, "time", "no number"},
		{"empty time", "time,event\n,1\n", Durations, 2, "time", "empty"},
		{"event 2", "time,event\n1,2\n", Durations, 2, "event", "--metric incidence"},
		{"event word", "time,event\n1,yes\n", Durations, 2, "event", "0, 1, false or true"},
		{"event empty", "time,event\n1,\n", Durations, 2, "event", "0, 1, false or true"},
		{"amount with currency", invoice + "1,2025-01-01,,,$5\n", Invoices, 2, "amount", "120.50"},
		{"amount with thousands", invoice + "1,2025-01-01,,,\"1,000\"\n", Invoices, 2, "amount", "thousands"},
		{"amount too large", invoice + "1,2025-01-01,,,1e99\n", Invoices, 2, "amount", "too large"},
		{"amount too fine", invoice + "1,2025-01-01,,,0.0000000001\n", Invoices, 2, "amount", "round"},
		{"settled on no day", invoice + "1,2025-01-01,,never,5\n", Invoices, 2, "settled_date", "no date"},
		{"invoice without number", invoice + ",2025-01-01,,,5\n", Invoices, 2, "invoice", "empty"},
		{"not Parquet", "PAR1 is how it begins", Events, 0, "", "cannot be read as Parquet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := requestOf(test.input, fileOf(t, test.text))
			_, rows, err := answerOf(t, q)
			failure, ok := errors.AsType[*InputError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if failure.Row != test.row || failure.Column != test.column || !strings.Contains(failure.Text, test.says) {
				t.Errorf("row %d, column %q: %v", failure.Row, failure.Column, err)
			}
			if len(rows) > 0 {
				t.Errorf("%d rows were given out", len(rows))
			}
		})
	}
	if _, _, err := answerOf(t, requestOf(Events, filepath.Join(t.TempDir(), "none.csv"))); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestErrorsRepeatNoCell(t *testing.T) {
	const canary = "Cornelius Canary"
	for input, text := range map[Input]string{
		Events:    "entity,date\n" + canary + "," + canary + "\n",
		Durations: "time,event\n" + canary + ",1\n",
		Invoices:  "invoice,invoice_date,settled_date,amount\n1,2025-01-01,," + canary + "\n",
	} {
		_, _, err := answerOf(t, requestOf(input, fileOf(t, text)))
		if err == nil || strings.Contains(err.Error(), "Canary") {
			t.Errorf("%s: %v", input, err)
		}
	}
	for _, text := range []string{"entity,date\n\"" + canary + "\"x,2025-01-01\n", "entity,date\n" + canary + ",2025-01-01,3\n"} {
		if _, _, err := answerOf(t, requestOf(Events, fileOf(t, text))); err == nil || strings.Contains(err.Error(), "Canary") {
			t.Errorf("%v", err)
		}
	}
}

func TestParquetIsReadAsCSVIs(t *testing.T) {
	type visit struct {
		Note   string `parquet:"note"`
		Date   int32  `parquet:"date,date"`
		Entity string `parquet:"entity,dict"`
	}
	type numbered struct {
		Entity int64  `parquet:"entity"`
		Date   string `parquet:"date"`
	}
	type duration struct {
		Time  float64 `parquet:"time"`
		Event bool    `parquet:"event"`
		Group *string `parquet:"group"`
	}
	write := func(rows func(name string) error) string {
		name := filepath.Join(t.TempDir(), "in.parquet")
		if err := rows(name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	b := "b"
	files := []struct {
		input Input
		csv   string
		file  string
	}{
		{Events, "entity,date\na,2025-01-01\nb,2024-02-29\na,2025-01-08\n", write(func(name string) error {
			return parquet.WriteFile(name, []visit{{"x", 20089, "a"}, {"y", 19782, "b"}, {"z", 20096, "a"}})
		})},
		{Events, "entity,date\n1,2025-01-01\n2,2024-02-29\n", write(func(name string) error {
			return parquet.WriteFile(name, []numbered{{1, "2025-01-01"}, {2, "2024-02-29"}})
		})},
		{Durations, "time,event,group\n3,1,b\n5,0,\n", write(func(name string) error {
			return parquet.WriteFile(name, []duration{{3, true, &b}, {5, false, nil}})
		})},
	}
	for _, test := range files {
		q := requestOf(test.input, fileOf(t, test.csv))
		if test.input == Events {
			q.Metric = Status
		}
		header, want := ask(t, q)
		q.File = test.file
		gotHeader, got := ask(t, q)
		if text(gotHeader, got) != text(header, want) {
			t.Errorf("Parquet gives\n%s\nCSV\n%s", text(gotHeader, got), text(header, want))
		}
	}
	q := requestOf(Events, files[2].file)
	if _, _, err := answerOf(t, q); err == nil || !strings.Contains(err.Error(), "column entity: there is no such column") {
		t.Errorf("a Parquet file without the column: %v", err)
	}
}

func text(header []string, rows [][]string) string {
	lines := []string{strings.Join(header, ",")}
	for _, row := range rows {
		lines = append(lines, strings.Join(row, ","))
	}
	return strings.Join(lines, "\n")
}

func TestEdges(t *testing.T) {
	for _, test := range []struct {
		name, in string
		q        func(*Request)
		want     string
	}{
		{"one entity, seen on as-of", "entity,date\na,2025-06-15\n", func(q *Request) { q.Metric = Status },
			"entity,first,last,visits,status\na,2025-06-15,2025-06-15,1,active"},
		{"all at one day", "entity,date\na,2025-06-15\nb,2025-06-15\nb,2025-06-15\n", func(q *Request) { q.Metric = Retention },
			"cohort_month,month_index,cohort_size,active\n2025-06,0,2,2"},
		{"a visit on the last judged day is censored there", "entity,date\na,2025-03-17\nb,2025-03-16\nc,2025-03-18\n", func(*Request) {},
			"time,n_risk,n_event,n_censor,survival,std_err,ci_low,ci_high\n0,2,1,1,0.5,0.3535533905932738,0.005983087639145736,0.9104100848367374"},
		{"everything an event", "time,event\n1,1\n1,1\n", func(*Request) {},
			"time,n_risk,n_event,n_censor,survival,std_err,ci_low,ci_high\n0,2,0,0,1,0,,\n1,2,2,0,0,,,"},
		{"everything censored", "time,event\n0,0\n4,false\n4,FALSE\n", func(*Request) {},
			"time,n_risk,n_event,n_censor,survival,std_err,ci_low,ci_high\n0,3,0,1,1,0,,\n4,2,0,2,1,0,,"},
		{"a group without name, and other columns", "note,group,event,time\nx,,1,3\n", func(*Request) {},
			"group,time,n_risk,n_event,n_censor,survival,std_err,ci_low,ci_high\n,0,1,0,0,1,0,,\n,3,1,1,0,0,,,"},
		{"no open invoice", "invoice,invoice_date,settled_date,amount\n1,2025-06-16,,5\n2,2025-01-01,2025-06-15,5.5\n", func(*Request) {},
			"bucket,invoices,amount\nnot_due,0,0\n0-30,0,0\n31-60,0,0\n61-90,0,0\n91-120,0,0\nover_120,0,0"},
		{"an invoice of two lines, and cents that doubles cannot hold", "invoice,invoice_date,settled_date,amount\n1,2025-06-15,,0.1\n1,2025-06-15,,0.2\n2,2025-06-14,,-0.05\n", func(*Request) {},
			"bucket,invoices,amount\nnot_due,0,0\n0-30,2,0.25\n31-60,0,0\n61-90,0,0\n91-120,0,0\nover_120,0,0"},
		{"line ends of Windows, a byte order mark, quoted cells", "\ufeff\"entity\",\"date\"\r\n\"a, the \"\"first\"\"\",2025-06-01\r\n", func(q *Request) { q.Metric = Status },
			"entity,first,last,visits,status\na, the \"first\",2025-06-01,2025-06-01,1,active"},
		{"several ends", "time,event\n2,1\n2,2\n3,0\n5,2\n", func(q *Request) { q.Metric = Incidence },
			"time,cause,n_risk,n_event,n_censor,incidence\n0,1,4,0,0,0\n0,2,4,0,0,0\n2,1,4,1,0,0.25\n2,2,4,1,0,0.25\n3,1,2,0,1,0.25\n3,2,2,0,1,0.25\n5,1,1,0,0,0.25\n5,2,1,1,0,0.75"},
	} {
		t.Run(test.name, func(t *testing.T) {
			input := Events
			switch {
			case strings.Contains(test.in, "time"):
				input = Durations
			case strings.Contains(test.in, "invoice"):
				input = Invoices
			}
			q := requestOf(input, fileOf(t, test.in))
			test.q(&q)
			if header, rows := ask(t, q); text(header, rows) != test.want {
				t.Errorf("got\n%s\nwant\n%s", text(header, rows), test.want)
			}
		})
	}
}
