package browser

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An Access is one line of the access ledger: a request that a rule with Access allowed, as the proxy saw it end. What
// it holds comes from the profile and from closed lists, so it names nobody.
type Access struct {
	// At is when the request was passed on.
	At time.Time
	// Action and Subject are the rule's Access and Subject, the latter filled in.
	Action, Subject string
	// Purpose and Method are the rule's, and Path is its pattern.
	Purpose, Method, Path string
	// Query and Body hold the keys that the rule names. A query's value is there if it is a number, a date or a truth
	// value, else it is `?`; a body's if the rule lists its values.
	Query, Body map[string][]string
	// Status is the portal's, 0 if there was no answer. What a redirect leads to is a line of its own.
	Status int
	// Bytes is the length of the answer's body as far as it came, Whole whether it came to its end.
	Bytes int64
	Whole bool
}

// accesses are the actions that a rule's Access may name.
var accesses = []string{"signed_in", "signed_out", "opened", "ran", "exported", "previewed", "downloaded"}

var (
	subjectForm = regexp.MustCompile(`^[a-z][a-z_/ -]*$`)
	fieldForm   = regexp.MustCompile(`^\{([A-Za-z0-9_.]+)\}$`)
	// plainValue is a query's value that can name nobody.
	plainValue = regexp.MustCompile(`^([0-9-]{1,12}|true|false)?$`)
)

func (r *Rule) checkAccess() error {
	switch {
	case r.Access == "" && r.Subject != "":
		return fmt.Errorf("rule %q: it has a subject and no access", r.Purpose)
	case r.Access != "" && !slices.Contains(accesses, r.Access):
		return fmt.Errorf("rule %q: access %q is none of %s", r.Purpose, r.Access, strings.Join(accesses, ", "))
	case r.Subject == "" || subjectForm.MatchString(r.Subject):
		return nil
	}
	field := fieldForm.FindStringSubmatch(r.Subject)
	if field == nil {
		return fmt.Errorf("rule %q: the subject %q is neither plain words in small letters nor a body field in braces", r.Purpose, r.Subject)
	}
	if len(r.Body[field[1]]) == 0 {
		return fmt.Errorf("rule %q: the subject %s needs a body field of that name whose values are listed", r.Purpose, r.Subject)
	}
	return nil
}

// accessOf is the line that an allowed request leaves; false if its rule leaves none.
func accessOf(rule *Rule, r request, at time.Time) (Access, bool) {
	if rule.Access == "" {
		return Access{}, false
	}
	line := Access{At: at, Action: rule.Access, Subject: rule.Subject, Purpose: rule.Purpose, Method: rule.Method, Path: rule.Path}
	if u, err := url.Parse(r.url); err == nil {
		line.Query = map[string][]string{}
		for key, values := range u.Query() {
			if !slices.Contains(rule.Query, key) {
				continue
			}
			for _, value := range values {
				if !plainValue.MatchString(value) {
					value = "?"
				}
				line.Query[key] = append(line.Query[key], value)
			}
		}
	}
	if found, ok := bodyFields(r.contentType, r.body); ok {
		line.Body = maps.Clone(found)
		maps.DeleteFunc(line.Body, func(name string, _ []string) bool { return len(rule.Body[name]) == 0 })
	}
	if field := fieldForm.FindStringSubmatch(rule.Subject); field != nil {
		line.Subject = strings.Join(line.Body[field[1]], " ")
	}
	return line, true
}
