package query

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ParameterType is what a parameter takes.
type ParameterType string

// Parameter types. A choice is text out of Allowed.
const (
	IntegerParameter ParameterType = "integer"
	ChoiceParameter  ParameterType = "choice"
	TextParameter    ParameterType = "text"
)

const longestText = 200

// Parameter is one typed parameter of a query.
type Parameter struct {
	Name        string        `json:"name"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Type        ParameterType `json:"type"`
	// Default is bound where the request says nothing: an int64 for integers, a string otherwise.
	Default any `json:"default"`
	// Allowed are the values of a choice.
	Allowed []string `json:"allowed,omitempty"`
	// Min and Max bound an integer, both inclusive.
	Min int64 `json:"min,omitempty"`
	Max int64 `json:"max,omitempty"`
}

// ParameterError says that a parameter was refused. It never holds the value that was sent.
type ParameterError struct {
	Query, Parameter string
	Reason           string
	hint             string
}

func (e *ParameterError) Error() string {
	return fmt.Sprintf("parameter %q of %q: %s", e.Parameter, e.Query, e.Reason)
}

// Hint says what to do.
func (e *ParameterError) Hint() string { return e.hint }

// Bind checks params against the definition and fills in defaults: the answer has one value for each parameter, an
// int64 or a string. Numbers may come as text (template variables do).
func (d Definition) Bind(params map[string]any) (map[string]any, error) {
	bound := make(map[string]any, len(d.Parameters))
	for _, p := range d.Parameters {
		given, ok := params[p.Name]
		if !ok || given == nil {
			bound[p.Name] = p.Default
			continue
		}
		value, reason, hint := p.read(given)
		if reason != "" {
			return nil, &ParameterError{Query: d.Name, Parameter: p.Name, Reason: reason, hint: hint}
		}
		bound[p.Name] = value
	}
	for name := range params {
		if !slices.ContainsFunc(d.Parameters, func(p Parameter) bool { return p.Name == name }) {
			return nil, &ParameterError{Query: d.Name, Parameter: clip(name), Reason: "the query takes no such parameter", hint: d.takes()}
		}
	}
	return bound, nil
}

func (p Parameter) read(given any) (value any, reason, hint string) {
	switch p.Type {
	case IntegerParameter:
		n, ok := wholeNumber(given)
		if !ok {
			return nil, "it takes a whole number", p.bounds()
		}
		if n < p.Min || n > p.Max {
			return nil, "the number is out of range", p.bounds()
		}
		return n, "", ""
	case ChoiceParameter:
		text, ok := given.(string)
		if !ok || !slices.Contains(p.Allowed, text) {
			return nil, "the value is not one of its choices", "send one of: " + strings.Join(p.Allowed, ", ")
		}
		return text, "", ""
	default:
		text, ok := given.(string)
		if !ok {
			return nil, "it takes text", "send a string"
		}
		if len(text) > longestText {
			return nil, "the text is too long", fmt.Sprintf("send at most %d bytes", longestText)
		}
		return text, "", ""
	}
}

func (p Parameter) bounds() string {
	return fmt.Sprintf("send a whole number from %d to %d", p.Min, p.Max)
}

func (d Definition) takes() string {
	if len(d.Parameters) == 0 {
		return "the query takes no parameters"
	}
	names := make([]string, len(d.Parameters))
	for i, p := range d.Parameters {
		names[i] = p.Name
	}
	return "it takes: " + strings.Join(names, ", ")
}

func wholeNumber(given any) (int64, bool) {
	switch v := given.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		return int64(v), true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}

// clip keeps a name that a stranger sent from filling a log.
func clip(name string) string {
	if len(name) > 40 {
		return name[:40] + "…"
	}
	return name
}
