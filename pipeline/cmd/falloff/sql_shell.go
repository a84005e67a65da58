package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peterh/liner"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

// Line editing is peterh/liner: kept for more than ten years, small, under the X11 licence, and without a terminal library
// of its own.

// shell is falloff sql on a terminal.
type shell struct {
	app  *app
	view *pipeline.View
	// history is the file with what was typed, empty for none.
	history string
	words   []string
}

// shownRows is how many rows of one answer are printed on a terminal.
const shownRows = 500

const shellHelp = `Statements end with ';' and may be of several lines. Ctrl-C ends a running one, or takes back what is typed.
.tables         the tables of the newest commit
.schema NAME    the columns of a table, such as marts.leak_ledger
.help           this
.quit           leave (or Ctrl-D)`

func (s *shell) run(ctx context.Context) error {
	if _, rows, err := s.view.Query(ctx, `select schema_name || '.' || table_name, column_name from duckdb_columns()
		where schema_name in ('lake', 'marts') order by all`); err == nil {
		for _, r := range rows {
			s.words = append(s.words, fmt.Sprint(r[0]), fmt.Sprint(r[1]))
		}
	}
	if _, rows, err := s.view.Query(ctx, "select keyword_name from duckdb_keywords()"); err == nil {
		for _, r := range rows {
			s.words = append(s.words, fmt.Sprint(r[0]))
		}
	}
	slices.Sort(s.words)
	s.words = slices.Compact(s.words)
	cooked, err := liner.TerminalMode()
	if err != nil {
		return fmt.Errorf("reading the terminal's settings: %w", err)
	}
	line := liner.NewLiner()
	defer func() { _ = line.Close() }()
	raw, err := liner.TerminalMode()
	if err != nil {
		return fmt.Errorf("reading the terminal's settings: %w", err)
	}
	line.SetCtrlCAborts(true)
	line.SetTabCompletionStyle(liner.TabPrints)
	line.SetWordCompleter(s.complete)
	s.load(line)
	if s.view.Commit == nil {
		s.app.tellf("the newest marts of several clinics; .help says what there is")
	} else {
		s.app.tellf("commit %d; .help says what there is", s.view.Commit.Number)
	}
	typed := ""
	for {
		prompt := "falloff> "
		if typed != "" {
			prompt = "     ..> "
		}
		text, err := line.Prompt(prompt)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			typed = ""
			continue
		case errors.Is(err, io.EOF):
			_, _ = fmt.Fprintln(s.app.stdout)
			return s.save(line)
		case err != nil:
			return errors.Join(err, s.save(line))
		}
		if typed == "" && strings.TrimSpace(text) == "" {
			continue
		}
		if typed = strings.TrimSpace(typed + "\n" + text); !strings.HasPrefix(typed, ".") && !ended(typed) {
			continue
		}
		line.AppendHistory(strings.ReplaceAll(typed, "\n", " "))
		statement := typed
		typed = ""
		if statement == ".quit" || statement == ".exit" {
			return s.save(line)
		}
		if err := errors.Join(cooked.ApplyMode(), s.answer(ctx, statement), raw.ApplyMode()); err != nil {
			return errors.Join(err, s.save(line))
		}
	}
}

// ended says whether a statement is whole: it ends with a semicolon outside of quotes.
func ended(statement string) bool {
	open := rune(0)
	for _, r := range statement {
		switch {
		case open != 0 && r == open:
			open = 0
		case open == 0 && (r == '\'' || r == '"'):
			open = r
		}
	}
	return open == 0 && strings.HasSuffix(statement, ";")
}

// answer runs one statement or command, until Ctrl-C. A mistake in it is told and is no error.
func (s *shell) answer(ctx context.Context, statement string) error {
	name, argument, _ := strings.Cut(statement, " ")
	switch {
	case name == ".tables":
		statement = "select schema_name as schema, view_name as name from duckdb_views() where schema_name in ('lake', 'marts') order by all"
	case name == ".schema" && strings.TrimSpace(argument) != "":
		statement = "select column_name, column_type from (describe " + strings.TrimSpace(argument) + ")"
	case name == ".help" || strings.HasPrefix(name, "."):
		_, err := fmt.Fprintln(s.app.stdout, shellHelp)
		return err
	}
	// The command's own context ends with the first Ctrl-C; here one ends a statement, and the next statement begins anew.
	running, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt)
	defer stop()
	columns, rows, err := s.view.Query(running, statement)
	switch {
	case running.Err() != nil:
		_, err = fmt.Fprintln(s.app.stderr, "interrupted")
		return err
	case err != nil:
		_, err = fmt.Fprintln(s.app.stderr, err)
		return err
	}
	if err := printWide(s.app.stdout, columns, rows[:min(len(rows), shownRows)], terminalWidth(s.app.stdout)); err != nil {
		return err
	}
	if len(rows) > shownRows {
		s.app.tellf("%d rows, the first %d are shown", len(rows), shownRows)
	}
	return nil
}

// terminalWidth is how many letters fit in a line, 0 where that is not known.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printWide prints a table that fits into the width, and one that does not as a block a row.
func printWide(w io.Writer, columns []string, rows [][]any, width int) error {
	total, label := 0, 0
	for i, c := range columns {
		widest := utf8.RuneCountInString(c)
		label = max(label, widest)
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(export.Text(row[i])))
		}
		total += widest + 2
	}
	if width == 0 || total-2 <= width {
		return printTable(w, columns, rows)
	}
	for n, row := range rows {
		if _, err := fmt.Fprintf(w, "── row %d\n", n+1); err != nil {
			return err
		}
		for i, c := range columns {
			if _, err := fmt.Fprintf(w, "%*s  %s\n", label, c, strings.Map(printable, export.Text(row[i]))); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete offers tables, columns and keywords for the word before the cursor.
func (s *shell) complete(line string, pos int) (head string, completions []string, tail string) {
	letters := []rune(line)
	from := pos
	for from > 0 && (unicode.IsLetter(letters[from-1]) || unicode.IsDigit(letters[from-1]) || letters[from-1] == '_' || letters[from-1] == '.') {
		from--
	}
	word := strings.ToLower(string(letters[from:pos]))
	if word != "" {
		for _, w := range s.words {
			if strings.HasPrefix(w, word) {
				completions = append(completions, w)
			}
		}
	}
	return string(letters[:from]), completions, string(letters[pos:])
}

func (s *shell) load(line *liner.State) {
	if s.history == "" {
		return
	}
	file, err := os.Open(s.history)
	if err != nil {
		return // there is none yet
	}
	defer file.Close()
	if _, err := line.ReadHistory(file); err != nil {
		s.app.tellf("what was typed earlier cannot be read: %v", err)
	}
}

// save keeps what was typed, for this user alone. liner keeps the newest thousand.
func (s *shell) save(line *liner.State) error {
	if s.history == "" {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(s.history), ".sql_history-") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping what was typed: %w", err)
	}
	_, err = line.WriteHistory(file)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), s.history)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("keeping what was typed: %w", err)
	}
	return nil
}
