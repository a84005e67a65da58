package mutation

import (
	"slices"
	"strings"
	"unicode"
)

// kind is what a token is.
type kind int

const (
	word kind = iota
	whole
	decimal
	text
	symbol
)

// token is a piece of a statement, lower-cased, with where it stands.
type token struct {
	kind     kind
	text     string
	from, to int
	// depth counts the parentheses and brackets around it; an opening and a closing one are as deep as what is around them. cases counts
	// the open `case … end` around it; `case` and `end` are as deep as what is around them.
	depth, cases int
}

func (t token) is(words ...string) bool {
	return (t.kind == word || t.kind == symbol) && slices.Contains(words, t.text)
}

// symbols of more than one character, longest first.
var symbols = []string{"::", ":=", "=>", "->", "<=", ">=", "<>", "!=", "==", "||", "**", "//"}

// tokenise cuts a statement into tokens, without comments and white space.
func tokenise(s string) []token {
	var tokens []token
	depth, cases := 0, 0
	for i := 0; i < len(s); {
		rest := s[i:]
		n := 1
		t := token{kind: symbol}
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "--"):
			i += lengthWhile(rest, func(r rune) bool { return r != '\n' })
			continue
		case unicode.IsSpace(rune(c)):
			i++
			continue
		case c == '\'' || c == '"':
			t.kind, n = text, lengthOfQuoted(rest)
		case isDigit(rune(c)):
			n = lengthWhile(rest, func(r rune) bool { return isDigit(r) || r == '.' || r == '_' })
			if t.kind = whole; strings.Contains(rest[:n], ".") {
				t.kind = decimal
			}
			if after := rest[n:]; strings.HasPrefix(after, "e") {
				t.kind = decimal
				n += 1 + lengthWhile(after[1:], func(r rune) bool { return isDigit(r) || r == '-' || r == '+' })
			}
		case c == '_' || unicode.IsLetter(rune(c)):
			t.kind, n = word, lengthWhile(rest, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || isDigit(r) })
		default:
			for _, long := range symbols {
				if strings.HasPrefix(rest, long) {
					n = len(long)
					break
				}
			}
		}
		t.text, t.from, t.to = strings.ToLower(rest[:n]), i, i+n
		switch {
		case t.is(")", "]", "}"):
			depth--
		case t.is("end"):
			cases--
		}
		t.depth, t.cases = depth, cases
		switch {
		case t.is("(", "[", "{"):
			depth++
		case t.is("case"):
			cases++
		}
		tokens = append(tokens, t)
		i += n
	}
	return tokens
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func lengthWhile(s string, holds func(r rune) bool) int {
	for i, r := range s {
		if !holds(r) {
			return i
		}
	}
	return len(s)
}

// lengthOfQuoted is the length of the quoted text that s begins with; a doubled quote is a quote in it.
func lengthOfQuoted(s string) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}
