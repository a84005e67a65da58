// Package query answers a fixed set of named questions about one clinic's snapshot.
//
// A Definition is one question: its name, what it means, the parameters it takes, the columns it answers with and their
// units. The SQL of each lies in sql/ and is embedded; what a person types is bound, never spliced. An Engine holds the
// marts of one snapshot in an in-memory DuckDB that can reach nothing else, and answers with Arrow records whose columns
// are only text, 64-bit integers and floats, booleans and UTC timestamps, which is what every reader of the wire can take.
//
// Civil days travel as timestamps at midnight UTC: a reader shows them in UTC, or as a day, never in a zone of its own.
// Money travels as integer cents with the snapshot's currency beside it.
package query

import (
	"fmt"
	"slices"
)

// ColumnType is how a column travels.
type ColumnType string

// Column types and the Arrow types they stand for.
const (
	Text    ColumnType = "text"    // utf8
	Integer ColumnType = "integer" // int64
	Number  ColumnType = "number"  // float64
	Flag    ColumnType = "flag"    // bool
	Instant ColumnType = "instant" // timestamp[us, UTC]
	Day     ColumnType = "day"     // timestamp[us, UTC] at midnight: a civil day of the clinic
)

// duckType is the SQL type that gives the Arrow type of c.
func (c ColumnType) duckType() string {
	switch c {
	case Integer:
		return "bigint"
	case Number:
		return "double"
	case Flag:
		return "boolean"
	case Instant, Day:
		return "timestamptz"
	default:
		return "varchar"
	}
}

// Unit says what a number counts.
type Unit string

// Units. NoUnit is for text, and for numbers that have none.
const (
	NoUnit   Unit = ""
	Cents    Unit = "cents" // of the snapshot's currency
	Count    Unit = "count"
	Days     Unit = "days"
	Fraction Unit = "fraction" // 0 to 1
)

// Column is one column of an answer.
type Column struct {
	Name        string     `json:"name"`
	Title       string     `json:"title"`
	Type        ColumnType `json:"type"`
	Unit        Unit       `json:"unit,omitempty"`
	Description string     `json:"description,omitempty"`
}

// Series says how a long answer becomes a wide one: a row for each value of X, a column for each value of Name.
type Series struct {
	X     string `json:"x"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Definition is one named query.
type Definition struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Parameters  []Parameter `json:"parameters"`
	Columns     []Column    `json:"columns"`
	// TimeRange says what the request's time range narrows; empty where the query is about the snapshot as a whole and
	// ignores it.
	TimeRange string `json:"time_range,omitempty"`
	// Series says how the answer is drawn as curves or a matrix; nil where it is a table only.
	Series *Series `json:"series,omitempty"`
	// Marts are the tables it reads.
	Marts []string `json:"marts"`
	// Released says how it is answered to whoever may see aggregates and no rows; nil where it is not.
	Released *Released `json:"released,omitempty"`
	// Rows says that it answers with rows about single patients, invoices or appointments, under pseudonyms; else it answers
	// with aggregates.
	Rows bool `json:"rows"`

	text string
	// order is the order of the answer's rows, in terms of its columns before they are cast.
	order string
}

// Catalogue is every named query, in the order in which a person would look for them. The answer is the caller's own.
func Catalogue() []Definition {
	return slices.Clone(catalogue)
}

// Lookup finds a definition by name.
func Lookup(name string) (Definition, bool) {
	at := slices.IndexFunc(catalogue, func(d Definition) bool { return d.Name == name })
	if at < 0 {
		return Definition{}, false
	}
	return catalogue[at], true
}

// UnknownQueryError says that no query has the name.
type UnknownQueryError struct{ Name string }

// Unknown is the error of a name that no query has.
func Unknown(name string) error { return &UnknownQueryError{Name: clip(name)} }

func (e *UnknownQueryError) Error() string { return fmt.Sprintf("there is no query named %q", e.Name) }

// Hint says what to do.
func (e *UnknownQueryError) Hint() string { return "the catalogue lists the names: GET /v1/queries" }

// UnavailableError says that the snapshot cannot answer the query: a mart is missing from it, or has another shape.
type UnavailableError struct {
	Name   string
	Reason string
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("this snapshot cannot answer %q: %s", e.Name, e.Reason)
}

// Hint says what to do.
func (e *UnavailableError) Hint() string { return "build the models again: falloff build" }

// TooLargeError says that an answer has more rows than the engine gives out.
type TooLargeError struct {
	Name string
	Rows int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer of %q has more than %d rows", e.Name, e.Rows)
}

// Hint says what to do.
func (e *TooLargeError) Hint() string { return "narrow the time range or the parameters" }

// TooMuchMemoryError says that an answer needs more memory than the engine may use.
type TooMuchMemoryError struct{ Name string }

func (e *TooMuchMemoryError) Error() string {
	return fmt.Sprintf("query %s needs more memory than it may use", e.Name)
}

// Hint says what to do about it.
func (e *TooMuchMemoryError) Hint() string {
	return "narrow the time range or the parameters, or ask again when the server is less busy"
}
