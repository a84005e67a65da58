package mutation

import (
	"strconv"
	"strings"
)

// Operator is a kind of mistake.
type Operator string

// The kinds of mistakes.
const (
	Comparison Operator = "comparison" // < for <=, = for <>
	Condition  Operator = "condition"  // a part of a join condition, a where, having, qualify or filter is missing
	OffByOne   Operator = "off by one" // a whole number is one more or less
	Connective Operator = "connective" // and for or
	Extreme    Operator = "extreme"    // min for max, least for greatest, lag for lead
	Join       Operator = "join"       // left join without the left
	Distinct   Operator = "distinct"
	Coalesce   Operator = "coalesce" // its first two arguments swapped
	Negation   Operator = "negation" // a not that is missing, or one too many
	Sign       Operator = "sign"     // + for -
	Direction  Operator = "direction"
)

// edit puts other characters in the place of some.
type edit struct {
	operator Operator
	from, to int
	with     string
}

var comparisons = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "=", "!=": "="}

var swaps = map[string]string{
	"min": "max", "max": "min", "least": "greatest", "greatest": "least", "lag": "lead", "lead": "lag",
	"bool_or": "bool_and", "bool_and": "bool_or", "arg_min": "arg_max", "arg_max": "arg_min", "floor": "ceil", "ceil": "floor",
}

// editsOf lists every mistake that can be made in a statement.
func editsOf(statement string) []edit {
	tokens := tokenise(statement)
	var edits []edit
	add := func(o Operator, from, to token, with string) {
		edits = append(edits, edit{operator: o, from: from.from, to: to.to, with: with})
	}
	at := func(i int) token {
		if i < 0 || i >= len(tokens) {
			return token{kind: symbol}
		}
		return tokens[i]
	}
	for i, t := range tokens {
		before, after := at(i-1), at(i+1)
		switch {
		case t.kind == whole:
			if !isCounted(tokens, i) {
				continue
			}
			n, err := strconv.Atoi(t.text)
			if err != nil {
				continue
			}
			// Of a count, `> -1` for `> 0` is `>= 0`: that mistake is made as a comparison.
			isCompared := !after.is("+", "-", "*", "/", "%", "//")
			if !isCompared || !before.is(">=", "<") {
				add(OffByOne, t, t, strconv.Itoa(n+1))
			}
			if !isCompared || !before.is(">", "<=") {
				add(OffByOne, t, t, strconv.Itoa(n-1))
			}
		case t.kind == symbol && comparisons[t.text] != "":
			add(Comparison, t, t, comparisons[t.text])
		case t.is("+", "-") && isOperand(before):
			add(Sign, t, t, map[string]string{"+": "-", "-": "+"}[t.text])
		case t.is("and") && !isOfBetween(tokens, i):
			add(Connective, t, t, "or")
		case t.is("or") && !before.is("create"):
			add(Connective, t, t, "and")
		case t.kind == word && swaps[t.text] != "" && after.is("("):
			add(Extreme, t, t, swaps[t.text])
		case t.is("left") && after.is("join"):
			add(Join, t, t, "inner")
		case t.is("distinct") && before.is("(", "select") && !after.is("on"):
			add(Distinct, t, t, "")
		case t.is("distinct") && before.is("is"):
			add(Negation, t, t, "not distinct")
		case t.is("not"):
			add(Negation, t, t, "")
		case t.is("null") && before.is("is"):
			add(Negation, t, t, "not null")
		case t.is("coalesce") && after.is("("):
			if args := arguments(tokens, i+1); len(args) > 1 {
				a, b := args[0], args[1]
				add(Coalesce, a[0], b[1], textOf(statement, b)+", "+textOf(statement, a))
			}
		case t.is("desc") && t.depth > 0:
			add(Direction, t, t, "asc")
		case t.is("on", "where", "having", "qualify") && !before.is("distinct"):
			edits = append(edits, conditions(tokens, i)...)
		case t.is("using") && after.is("("):
			edits = append(edits, usings(statement, tokens, i)...)
		}
	}
	return edits
}

// isCounted says that a whole number counts something: that it is no part of a type, and no constant that a subquery asks for only to
// see whether there is a row.
func isCounted(tokens []token, i int) bool {
	for j := i - 1; j >= 0; j-- {
		if tokens[j].depth < tokens[i].depth {
			isType := tokens[j].is("(") && j > 0 && tokens[j-1].is("decimal", "numeric", "varchar")
			isExists := tokens[j].is("(") && j > 0 && tokens[j-1].is("exists") && tokens[i-1].is("select")
			return !isType && !isExists
		}
	}
	return true
}

// isOperand says that a + or - behind it stands between two values.
func isOperand(t token) bool {
	return t.kind == whole || t.kind == decimal || t.kind == text || t.is(")", "]", "end") ||
		t.kind == word && !t.is("select", "then", "else", "when", "and", "or", "on", "where", "by", "in", "between", "not", "limit", "return")
}

// isOfBetween says that an `and` belongs to a `between` before it.
func isOfBetween(tokens []token, i int) bool {
	for j := i - 1; j >= 0 && tokens[j].depth >= tokens[i].depth; j-- {
		switch same := tokens[j].depth == tokens[i].depth && tokens[j].cases == tokens[i].cases; {
		case same && tokens[j].is("between"):
			return true
		case same && tokens[j].is("and", "or", "where", "on", "when", "having", "qualify"):
			return false
		}
	}
	return false
}

// arguments are the first and last token of each argument of a call whose parenthesis opens at i.
func arguments(tokens []token, i int) [][2]token {
	var args [][2]token
	first := i + 1
	for j := i + 1; j < len(tokens); j++ {
		isClosing := tokens[j].depth == tokens[i].depth && tokens[j].is(")")
		if isClosing || tokens[j].depth == tokens[i].depth+1 && tokens[j].is(",") {
			if j > first {
				args = append(args, [2]token{tokens[first], tokens[j-1]})
			}
			first = j + 1
		}
		if isClosing {
			break
		}
	}
	return args
}

func textOf(statement string, span [2]token) string { return statement[span[0].from:span[1].to] }

// ends are the words that a condition ends before.
var ends = []string{
	"group", "having", "qualify", "window", "order", "limit", "join", "left", "right", "full", "inner", "cross", "asof", "where", "union",
	"except", "intersect", "then", "else",
}

// conditions leaves out each part of the condition that begins after the word at i, in turn.
func conditions(tokens []token, i int) []edit {
	depth, cases := tokens[i].depth, tokens[i].cases
	end := len(tokens)
	var ands []int
	isEither := false
	for j := i + 1; j < len(tokens); j++ {
		t := tokens[j]
		if t.depth < depth || t.depth == depth && (t.is(";", ",") || t.cases == cases && t.is(ends...) && !isCall(tokens, j)) {
			end = j
			break
		}
		if t.depth == depth && t.cases == cases {
			isEither = isEither || t.is("or")
			if t.is("and") && !isOfBetween(tokens, j) {
				ands = append(ands, j)
			}
		}
	}
	if end == i+1 {
		return nil
	}
	if isEither || len(ands) == 0 {
		return []edit{{Condition, tokens[i+1].from, tokens[end-1].to, "true"}}
	}
	var edits []edit
	starts := append([]int{i}, ands...)
	for n, start := range starts {
		last := end - 1
		if n+1 < len(starts) {
			last = starts[n+1] - 1
		}
		edits = append(edits, edit{Condition, tokens[start+1].from, tokens[last].to, "true"})
	}
	return edits
}

// isCall says that a word is one of the functions of a join's name.
func isCall(tokens []token, i int) bool {
	return tokens[i].is("left", "right") && i+1 < len(tokens) && tokens[i+1].is("(")
}

// usings leaves out each of several columns that a join is made by.
func usings(statement string, tokens []token, i int) []edit {
	columns := arguments(tokens, i+1)
	if len(columns) < 2 {
		return nil
	}
	var edits []edit
	for n := range columns {
		var others []string
		for m, c := range columns {
			if m != n {
				others = append(others, textOf(statement, c))
			}
		}
		edits = append(edits, edit{Condition, columns[0][0].from, columns[len(columns)-1][1].to, strings.Join(others, ", ")})
	}
	return edits
}
