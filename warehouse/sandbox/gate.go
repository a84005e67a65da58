package sandbox

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"
)

// Bounds of a statement. An analyst's question is a page; what is longer was made by a program, or to wear a parser out.
const (
	longestText  = 32 << 10
	largestTree  = 32 << 20
	mostNodes    = 20_000
	deepestNode  = 200
	mostBrackets = 100
)

// TableName names a table as it is written in a statement: schema.name.
type TableName struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

func (t TableName) String() string { return t.Schema + "." + t.Name }

// Tables are those that a statement may read.
type Tables []TableName

// Check lets a statement pass that is a single SELECT over allowed tables, and says which of them it reads; the error is an
// *Error otherwise. DuckDB parses it by json_serialize_sql, which serialises SELECTs alone; nothing of it is bound or run.
// A table may be written with its schema, or without where only one of the allowed has that name.
//
// The parser is C++ that walks what it is given: a process that must stay up asks a Pool, which calls Check elsewhere.
func Check(ctx context.Context, db *sql.DB, text string, allowed Tables) ([]TableName, error) {
	if err := readable(text); err != nil {
		return nil, err
	}
	root, err := parse(ctx, db, text)
	if err != nil {
		return nil, err
	}
	w := walker{text: text, allowed: allowed, read: map[TableName]bool{}}
	if err := w.query(root, nil, 0); err != nil {
		return nil, err
	}
	return w.reads(), nil
}

// readable refuses what no parser should see.
func readable(text string) error {
	switch {
	case len(text) > longestText:
		return refuse(TooComplex, "put lists of values aside, or ask in parts", "the statement is longer than %d bytes", longestText)
	case !utf8.ValidString(text):
		return refuse(BadSyntax, "send it as UTF-8", "the statement is no UTF-8 text")
	case strings.TrimSpace(text) == "":
		return refuse(NotOneSelect, "write one SELECT", "there is no statement")
	}
	depth := 0
	for at, r := range text {
		// A NUL would end the text for one reader and not for another. Marks that turn the direction of writing, and others
		// without a shape, let a text look like what it is not.
		if unicode.Is(unicode.Cf, r) || (unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t') {
			return refuse(BadSyntax, "type it anew", "there is an invisible character, U+%04X", r).at(text, at)
		}
		switch r {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth > mostBrackets {
			return refuse(TooComplex, "split it by WITH", "brackets are nested more than %d deep", mostBrackets).at(text, at)
		}
	}
	return nil
}

// serialised is what json_serialize_sql answers.
type serialised struct {
	Error      bool   `json:"error"`
	Kind       string `json:"error_type"`
	Message    string `json:"error_message"`
	Position   string `json:"position"`
	Statements []struct {
		Node       map[string]any `json:"node"`
		Parameters []any          `json:"named_param_map"`
	} `json:"statements"`
}

const onlySelect = "write one SELECT: this door reads, and neither writes nor sets anything"

func parse(ctx context.Context, db *sql.DB, text string) (map[string]any, error) {
	var tree string
	if err := db.QueryRowContext(ctx, "select json_serialize_sql(?::varchar)::varchar", text).Scan(&tree); err != nil {
		var of *duckdb.Error
		if errors.As(err, &of) && ctx.Err() == nil {
			return nil, refuse(BadSyntax, onlySelect, "the statement cannot be parsed")
		}
		return nil, fmt.Errorf("parsing a statement: %w", err)
	}
	if len(tree) > largestTree {
		return nil, refuse(TooComplex, "ask in parts", "the statement has too many parts")
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(tree)))
	decoder.UseNumber()
	var parsed serialised
	if err := decoder.Decode(&parsed); err != nil {
		return nil, refuse(TooComplex, "ask in parts", "the statement's parts are nested too deep")
	}
	switch {
	case parsed.Error && parsed.Position != "":
		refusal := refuse(BadSyntax, "see DuckDB's SQL", "the statement is not understood here")
		if offset, err := strconv.Atoi(parsed.Position); err == nil {
			return nil, refusal.at(text, offset)
		}
		return nil, refusal
	case parsed.Error && parsed.Kind == "not implemented":
		return nil, refuse(NotOneSelect, onlySelect+"; PIVOT needs its values: FROM t PIVOT (sum(x) FOR y IN ('a', 'b'))", "this is not a SELECT")
	case parsed.Error:
		return nil, refuse(BadSyntax, onlySelect, "the statement is not understood")
	case len(parsed.Statements) != 1:
		return nil, refuse(NotOneSelect, onlySelect, "there are %d statements", len(parsed.Statements))
	case len(parsed.Statements[0].Parameters) > 0:
		return nil, refuse(NotAllowed, "write the value itself", "the statement has parameters")
	}
	return parsed.Statements[0].Node, nil
}

// openParser is a DuckDB that parses and holds nothing.
func openParser() (*sql.DB, error) {
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	return sql.OpenDB(connector), nil
}
