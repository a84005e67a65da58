package sandbox

import (
	"fmt"
	"strings"
	"unicode"
)

// Code says what became of a statement that was not answered, for programs.
type Code string

// What a statement was not answered for.
const (
	// NotOneSelect is a text that is no statement, several, or one that is no SELECT.
	NotOneSelect Code = "not_one_select"
	// BadSyntax is a text that the parser does not understand.
	BadSyntax Code = "bad_syntax"
	// NotAllowed is a table, function, type or form that is on no list.
	NotAllowed Code = "not_allowed"
	// TooComplex is a text that is too long or too deeply nested to be looked at.
	TooComplex Code = "too_complex"
	// Failed is an error of the statement itself: a column that is not there, a text that is no number.
	Failed Code = "failed"
	// TooLarge is an answer with too many rows or bytes.
	TooLarge Code = "too_large"
	// TooMuchMemory, TooSlow and Died are what happened to the worker that computed it.
	TooMuchMemory Code = "too_much_memory"
	TooSlow       Code = "too_slow"
	Died          Code = "worker_died"
	// Busy is a server whose workers are all at work for others.
	Busy Code = "busy"
	// Cancelled is a request that its sender gave up.
	Cancelled Code = "cancelled"
)

// Error says why a statement was not answered. Its text names what is not allowed, never more of the statement than that name:
// it may be logged.
type Error struct {
	code Code
	text string
	hint string
	// Line and Column say where in the statement, counted from 1; zero where that is not known.
	Line, Column int
	// Detail is what DuckDB says, for the person who asked alone: it can repeat values of rows that they may see. It belongs into
	// no log.
	Detail string
	// Cause is the context's error, or that of the system, where there is one.
	Cause error
}

func (e *Error) Error() string {
	text := e.text
	if e.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, text)
	}
	if e.hint != "" {
		text += " (" + e.hint + ")"
	}
	return text
}

// Code says what kind of refusal it is.
func (e *Error) Code() Code { return e.code }

// Hint says what to do about it, empty where nothing can be.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

func refuse(code Code, hint, format string, args ...any) *Error {
	return &Error{code: code, hint: hint, text: fmt.Sprintf(format, args...)}
}

// at says where in a statement the refusal lies.
func (e *Error) at(text string, offset int) *Error {
	if offset < 0 || offset > len(text) {
		return e
	}
	before := text[:offset]
	e.Line = 1 + strings.Count(before, "\n")
	e.Column = 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	return e
}

const longestName = 60

// named is a name out of a statement as an error repeats it: short, and nothing in it that a terminal or a log would obey.
func named(name string) string {
	runes := []rune(name)
	if len(runes) > longestName {
		runes = append(runes[:longestName], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return `"` + string(runes) + `"`
}
