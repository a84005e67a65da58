package plugin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// Macros stand in an analyst's SQL for what the dashboard says. They are expanded here, so that alert rules have them too, and outside
// of texts, quoted names and comments alone.
//
//	$__timeFilter(column)        cast(column as date) between date '2026-09-01' and date '2026-09-30'
//	$__timeFrom, $__timeTo       date '2026-09-01', date '2026-09-30'
//	$__interval                  interval '1 month': the length of time that fits the panel
//	$__timeGroup(column, month)  date_trunc('month', cast(column as date)); day, week, month, quarter, year, or $__interval

var (
	macroName = regexp.MustCompile(`^\$__[A-Za-z_]+`)
	units     = []string{"day", "week", "month", "quarter", "year"}
)

// expand writes macros out. What is no macro stays as it is, so that the query server says what is wrong with it.
func expand(text string, q backend.DataQuery) (string, error) {
	var out strings.Builder
	for at := 0; at < len(text); {
		if end := opaque(text, at); end > at {
			out.WriteString(text[at:end])
			at = end
			continue
		}
		name := macroName.FindString(text[at:])
		if name == "" {
			out.WriteByte(text[at])
			at++
			continue
		}
		at += len(name)
		var arguments []string
		if at < len(text) && text[at] == '(' {
			end := closing(text, at)
			if end < 0 {
				return "", misused(name, "its bracket is never closed")
			}
			arguments = split(text[at+1 : end])
			at = end + 1
		}
		written, err := macro(name, arguments, q)
		if err != nil {
			return "", err
		}
		out.WriteString(written)
	}
	return out.String(), nil
}

// macro is what one macro stands for.
func macro(name string, arguments []string, q backend.DataQuery) (string, error) {
	from, to := "date '"+q.TimeRange.From.UTC().Format(time.DateOnly)+"'", "date '"+q.TimeRange.To.UTC().Format(time.DateOnly)+"'"
	plain := len(arguments) == 0 || len(arguments) == 1 && arguments[0] == ""
	switch name {
	case "$__timeFilter":
		if len(arguments) != 1 || plain {
			return "", misused(name, "it takes one column: $__timeFilter(occurred_on)")
		}
		return fmt.Sprintf("cast(%s as date) between %s and %s", arguments[0], from, to), nil
	case "$__timeFrom", "$__timeTo", "$__interval":
		if !plain {
			return "", misused(name, "it takes nothing")
		}
		return map[string]string{"$__timeFrom": from, "$__timeTo": to, "$__interval": interval(unitOf(q))}[name], nil
	case "$__timeGroup":
		if len(arguments) != 2 {
			return "", misused(name, "it takes a column and a length of time: $__timeGroup(occurred_on, month)")
		}
		unit := strings.ToLower(strings.Trim(arguments[1], "'"))
		if unit == "$__interval" {
			unit = unitOf(q)
		}
		if !slices.Contains(units, unit) {
			return "", misused(name, "its length of time is one of "+strings.Join(units, ", ")+", or $__interval")
		}
		return fmt.Sprintf("date_trunc('%s', cast(%s as date))", unit, arguments[0]), nil
	default:
		return "", misused(name, "there is no such macro: use $__timeFilter, $__timeFrom, $__timeTo, $__timeGroup or $__interval")
	}
}

func misused(name, why string) error {
	return &problem{Category: categoryQuery, Message: "The macro " + clip(name) + " cannot be written out", Hint: why}
}

// interval is a unit as SQL writes its length.
func interval(unit string) string {
	if unit == "quarter" {
		return "interval '3 months'"
	}
	return "interval '1 " + unit + "'"
}

// opaque gives the end of a text, a quoted name or a comment that begins at a place; the place itself where none does. One that is
// never closed reaches to the end.
func opaque(text string, at int) int {
	rest := text[at:]
	switch {
	case rest[0] == '\'' && at > 0 && (text[at-1] == 'e' || text[at-1] == 'E') && !wordBefore(text, at-1):
		return at + quotedEnd(rest, '\'', true)
	case rest[0] == '\'' || rest[0] == '"':
		return at + quotedEnd(rest, rest[0], false)
	case strings.HasPrefix(rest, "--"):
		if end := strings.IndexAny(rest, "\r\n"); end >= 0 {
			return at + end
		}
		return len(text)
	case strings.HasPrefix(rest, "/*"):
		return at + commentEnd(rest)
	case rest[0] == '$':
		tag := dollarTag.FindString(rest)
		if tag == "" || wordBefore(text, at) {
			return at
		}
		if end := strings.Index(rest[len(tag):], tag); end >= 0 {
			return at + 2*len(tag) + end
		}
		return len(text)
	default:
		return at
	}
}

// dollarTag begins and ends a text that is quoted by dollars.
var dollarTag = regexp.MustCompile(`^\$([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)

// wordBefore says that what stands before a place is part of a name.
func wordBefore(text string, at int) bool {
	if at == 0 {
		return false
	}
	c := text[at-1]
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quotedEnd is the length of what is in quotes, which are doubled within.
func quotedEnd(text string, quote byte, escapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// commentEnd is the length of a comment, in which others may lie.
func commentEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// closing is the place of the bracket that closes the one at a place, -1 where none does.
func closing(text string, at int) int {
	depth := 0
	for i := at; i < len(text); {
		if end := opaque(text, i); end > i {
			i = end
			continue
		}
		switch text[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}

// split cuts a macro's arguments at their commas.
func split(text string) []string {
	var parts []string
	from, depth := 0, 0
	for i := 0; i < len(text); {
		if end := opaque(text, i); end > i {
			i = end
			continue
		}
		switch text[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
		i++
	}
	return append(parts, strings.TrimSpace(text[from:]))
}
