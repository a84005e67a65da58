package jane

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/extractors/browser"
)

// OverriddenProfile is the program's profile with a clinic's own laid over it: a part of the same YAML. Maps are merged,
// entries of lists that have a name, a purpose or an element take the place of those of the same, and every other value
// takes the place of what was there. The result is checked like the program's own, and must guard as much: no address
// that is forbidden, no write that the program's profile does not know, no switch or refusal left out.
func OverriddenProfile(override []byte) (*Profile, error) {
	var own, clinics map[string]any
	if err := yaml.Unmarshal(defaultProfile, &own); err != nil {
		return nil, fmt.Errorf("reading the portal profile: %w", err)
	}
	if err := yaml.Unmarshal(override, &clinics); err != nil {
		return nil, fmt.Errorf("reading the clinic's profile: %s", yaml.FormatError(err, false, false))
	}
	merged, err := yaml.Marshal(mergeMaps(own, clinics))
	if err != nil {
		return nil, fmt.Errorf("merging the clinic's profile: %w", err)
	}
	p, err := ParseProfile(merged)
	if err != nil {
		return nil, fmt.Errorf("with the clinic's profile: %w", err)
	}
	base, err := DefaultProfile()
	if err != nil {
		return nil, err
	}
	if err := p.guardsAsMuchAs(base); err != nil {
		return nil, fmt.Errorf("the clinic's profile: %w", err)
	}
	return p, nil
}

func mergeMaps(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for key, value := range over {
		switch value := value.(type) {
		case map[string]any:
			if before, ok := out[key].(map[string]any); ok {
				out[key] = mergeMaps(before, value)
				continue
			}
		case []any:
			if before, ok := out[key].([]any); ok {
				out[key] = mergeLists(before, value)
				continue
			}
		}
		out[key] = value
	}
	return out
}

// nameOf is by what an entry of a list is known, empty for a list of plain values.
func nameOf(entry any) string {
	fields, ok := entry.(map[string]any)
	if !ok {
		return ""
	}
	for _, key := range []string{"name", "purpose", "element", "text", "why"} {
		if name, ok := fields[key].(string); ok {
			return name
		}
	}
	return ""
}

// mergeLists puts the entries of a list in the place of those of the same name; all that share it go. Entries of new
// names come last. A list of plain values is taken as it is.
func mergeLists(base, over []any) []any {
	plain := func(entry any) bool { return nameOf(entry) == "" }
	if slices.ContainsFunc(over, plain) || slices.ContainsFunc(base, plain) {
		return over
	}
	var out []any
	placed := map[string]bool{}
	place := func(name string) {
		if placed[name] {
			return
		}
		placed[name] = true
		for _, entry := range over {
			if nameOf(entry) == name {
				out = append(out, entry)
			}
		}
	}
	for _, entry := range base {
		name := nameOf(entry)
		if slices.ContainsFunc(over, func(o any) bool { return nameOf(o) == name }) {
			place(name)
			continue
		}
		out = append(out, entry)
	}
	for _, entry := range over {
		place(nameOf(entry))
	}
	return out
}

// guardsAsMuchAs holds a profile against another one that must not be weakened.
func (p *Profile) guardsAsMuchAs(base *Profile) error {
	var errs []error
	for _, part := range base.Forbidden {
		if !slices.Contains(p.Forbidden, part) {
			errs = append(errs, fmt.Errorf("forbidden: %s must stay forbidden", part))
		}
	}
	for _, level := range p.Access.Levels.Fitting {
		if slices.Contains(base.Access.Levels.Excessive, level) || slices.Contains(base.Access.Levels.Missing, level) {
			errs = append(errs, fmt.Errorf("access.levels: %q cannot become fitting", level))
		}
	}
	for _, was := range base.Access.Toggles {
		i := slices.IndexFunc(p.Access.Toggles, func(t toggle) bool { return t.Name == was.Name })
		if i < 0 || p.Access.Toggles[i].Otherwise != was.Otherwise || (p.Access.Toggles[i].Must == was.Must) != slices.Equal(p.Access.ToggleWords, base.Access.ToggleWords) {
			errs = append(errs, fmt.Errorf("access.toggles: %s must be demanded as before", was.Name))
		}
	}
	for _, was := range base.Refusals {
		if !slices.ContainsFunc(p.Refusals, func(r refusal) bool { return r.Cause == was.Cause }) {
			errs = append(errs, fmt.Errorf("refusals: no text stands for %s", was.Cause))
		}
	}
	for screen, elements := range base.Contract.Screens {
		for _, was := range elements {
			if !slices.ContainsFunc(p.Contract.Screens[screen], func(e expectation) bool { return e.title() == was.title() }) {
				errs = append(errs, fmt.Errorf("contract.screens.%s: %s must be looked at", screen, was.title()))
			}
		}
	}
	// A refused write that is tolerated raises no alarm.
	if !reflect.DeepEqual(p.tree["tolerated"], base.tree["tolerated"]) {
		errs = append(errs, errors.New("tolerated: what may be tried cannot be changed for a clinic"))
	}
	for i := range p.Requests {
		errs = append(errs, guardsAsMuch(p.Requests[i], base))
	}
	return errors.Join(errs...)
}

// guardsAsMuch compares a rule with those of its purpose.
func guardsAsMuch(rule browser.Rule, base *Profile) error {
	var known []browser.Rule
	for _, was := range base.Requests {
		if was.Purpose == rule.Purpose {
			known = append(known, was)
		}
	}
	for part := range strings.SplitSeq(rule.Path, "/") {
		if slices.Contains(base.Forbidden, part) {
			return fmt.Errorf("request %q leads to what is forbidden (%s)", rule.Purpose, rule.Path)
		}
	}
	if slices.Contains(rule.Query, "*") && !slices.ContainsFunc(known, func(was browser.Rule) bool { return slices.Contains(was.Query, "*") }) {
		return fmt.Errorf("request %q must list the keys of its query", rule.Purpose)
	}
	if rule.Method == http.MethodGet || rule.Method == http.MethodHead {
		return nil
	}
	for _, was := range known {
		if was.Method == http.MethodGet || was.Method == http.MethodHead {
			continue
		}
		return noWider(rule, was, base)
	}
	return fmt.Errorf("request %q: a %s that the program's own profile does not know", rule.Purpose, rule.Method)
}

// noWider demands of a write that it is bound as the one of the program's profile is.
func noWider(rule, was browser.Rule, base *Profile) error {
	if rule.Stage != was.Stage || was.Limit > 0 && (rule.Limit == 0 || rule.Limit > was.Limit) {
		return fmt.Errorf("request %q must keep its stage and its limit", rule.Purpose)
	}
	if len(rule.Body) > len(was.Body) {
		return fmt.Errorf("request %q may have %d fields, as before", rule.Purpose, len(was.Body))
	}
	free := func(body map[string][]string) (n int) {
		for _, values := range body {
			if len(values) == 0 {
				n++
			}
		}
		return n
	}
	if free(rule.Body) > free(was.Body) {
		return fmt.Errorf("request %q must list the values of its fields, as before", rule.Purpose)
	}
	for field, values := range rule.Body {
		for _, value := range append(slices.Clone(values), field) {
			for part := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == '/' || c == '.' }) {
				if slices.Contains(base.Forbidden, part) {
					return fmt.Errorf("request %q asks for what is forbidden (%s)", rule.Purpose, part)
				}
			}
		}
	}
	return nil
}

// YAML is the profile as it is used.
func (p *Profile) YAML() ([]byte, error) { return yaml.Marshal(p.tree) }

// Tree is the profile as maps, lists and values, for those who print all of it.
func (p *Profile) Tree() map[string]any { return p.tree }

// A Change is one value of a profile that is another than in the program's own.
type Change struct {
	Key string `json:"key"`
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// Changes lists what is different from the program's own profile, by key.
func (p *Profile) Changes() ([]Change, error) {
	base, err := DefaultProfile()
	if err != nil {
		return nil, err
	}
	was, is := map[string]string{}, map[string]string{}
	flatten(was, "", base.tree)
	flatten(is, "", p.tree)
	var out []Change
	for _, key := range slices.Compact(slices.Sorted(maps.Keys(mergeStrings(was, is)))) {
		if was[key] != is[key] {
			out = append(out, Change{Key: key, Was: was[key], Is: is[key]})
		}
	}
	return out, nil
}

func mergeStrings(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// flatten lists the values of a tree by their keys.
func flatten(into map[string]string, key string, node any) {
	join := func(part string) string {
		if key == "" {
			return part
		}
		return key + "." + part
	}
	switch node := node.(type) {
	case map[string]any:
		for part, value := range node {
			flatten(into, join(part), value)
		}
	case []any:
		times := map[string]int{}
		for i, value := range node {
			name := nameOf(value)
			if name == "" {
				name = fmt.Sprint(i)
			}
			if times[name]++; times[name] > 1 {
				name = fmt.Sprintf("%s (%d)", name, times[name])
			}
			flatten(into, join(name), value)
		}
	default:
		into[key] = fmt.Sprint(node)
	}
}
