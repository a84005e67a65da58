package jane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The screens of the contract, as the profile's section `contract` names them.
const (
	screenSignIn   = "sign_in"
	screenPassword = "password"
	screenCode     = "second_factor"
	screenAccount  = "account"
	screenFilters  = "filters" // a report's screen before its result is there
	screenReport   = "report"  // the same with its result
	screenMenu     = "menu"
	screenExport   = "export"
)

// contractScreens are the screens for which the profile must say what they look like, in the order of a visit.
var contractScreens = []string{
	screenSignIn, screenPassword, screenCode, screenAccount, screenFilters, screenReport, screenMenu, screenExport,
}

// A pageContract says what the portal's screens must look like to be used: what the profile names is there, once, and
// is what it was when the profile was written. What it does not name may change.
type pageContract struct {
	// Languages are those that the pages may declare themselves to be in. Another one means other words, dates and
	// numbers.
	Languages []string `yaml:"languages"`
	// Screens are the elements of each screen.
	Screens map[string][]expectation `yaml:"screens"`
	// FileName is how exported files are called: a pattern whose first group is the clinic, {report} the report's name.
	FileName string `yaml:"file_name"`
	// Reports say what tells one report's screen from another's, by the report's name.
	Reports map[string]reportContract `yaml:"reports"`
}

type reportContract struct {
	// Heading are the headings that the report may have.
	Heading []string `yaml:"heading"`
	// Headers are columns that its table must have, each once; it may have others. Case does not count.
	Headers []string `yaml:"headers"`
	// Without are elements that its screen does not have: one that is asked for as of a day has no first day.
	Without []string `yaml:"without,omitempty"`
	// File is what file names call the report, where that is not its name.
	File string `yaml:"file,omitempty"`
}

// An expectation is what one element must be. Of the parts that are left out nothing is demanded.
type expectation struct {
	// Element is a key of the profile that holds a selector, for example screen.apply; lists count from 0.
	Element string `yaml:"element,omitempty"`
	// Name and Selector describe an element that no other part of the profile names.
	Name     string `yaml:"name,omitempty"`
	Selector string `yaml:"selector,omitempty"`
	// Presence is shown (once, and seen; the default), maybe (shown once, or not at all) or there (once in the page,
	// shown or not).
	Presence string `yaml:"presence,omitempty"`
	// Tag is the element's name, Role what it is to a screen reader.
	Tag  string `yaml:"tag,omitempty"`
	Role string `yaml:"role,omitempty"`
	// Text lists what may be written in it, Matches is a pattern for it.
	Text    []string `yaml:"text,omitempty"`
	Matches string   `yaml:"matches,omitempty"`
	// Label lists its accessible names: an aria-label, the label of a field, the term that a definition belongs to.
	Label []string `yaml:"label,omitempty"`
	// Attributes are patterns for its attributes; Value is one for what a field holds.
	Attributes map[string]string `yaml:"attributes,omitempty"`
	Value      string            `yaml:"value,omitempty"`
	// Within is an element that must contain it, Before one that must follow it.
	Within string `yaml:"within,omitempty"`
	Before string `yaml:"before,omitempty"`
	// Alone says that nothing may be written beside it unless this element is there: a word beside a count says that it
	// is old, or not the whole.
	Alone string `yaml:"alone,omitempty"`
	// Enabled says that it must be ready to be used.
	Enabled bool `yaml:"enabled,omitempty"`
	// Controls are the fields that may stand in it with a value; any other must be blank.
	Controls []string `yaml:"controls,omitempty"`
	// Heading and Headers demand what the contract's `reports` say of the report on the screen.
	Heading bool `yaml:"heading,omitempty"`
	Headers bool `yaml:"headers,omitempty"`
}

func (e *expectation) title() string {
	if e.Element != "" {
		return e.Element
	}
	return e.Name
}

// checkContract puts selectors in the place of keys and checks that the contract is whole.
func (p *Profile) checkContract() error {
	c := &p.Contract
	var errs []error
	errs = append(errs, p.checkFileNames())
	if len(c.Languages) == 0 {
		errs = append(errs, errors.New("contract.languages must not be empty"))
	}
	for _, screen := range contractScreens {
		if len(c.Screens[screen]) == 0 {
			errs = append(errs, fmt.Errorf("contract.screens.%s must not be empty", screen))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Screens)) {
		if !slices.Contains(contractScreens, name) {
			errs = append(errs, fmt.Errorf("contract.screens.%s: there is no such screen; there are %s", name, strings.Join(contractScreens, ", ")))
		}
		for i := range c.Screens[name] {
			if err := p.resolve(&c.Screens[name][i]); err != nil {
				errs = append(errs, fmt.Errorf("contract.screens.%s: %w", name, err))
			}
		}
	}
	for _, r := range p.Reports {
		known, ok := c.Reports[r.Name]
		if !ok || len(known.Heading) == 0 || len(known.Headers) == 0 {
			errs = append(errs, fmt.Errorf("contract.reports.%s needs heading and headers: without them another report could pass for this one", r.Name))
		}
	}
	return errors.Join(errs...)
}

// presences are what an expectation may say of an element's presence; shown is also what saying nothing means.
var presences = []string{"", "shown", "maybe", "there"}

func (p *Profile) resolve(e *expectation) error {
	if (e.Element == "") == (e.Name == "" || e.Selector == "") {
		return fmt.Errorf("%q needs either an element or a name and a selector", e.title())
	}
	if !slices.Contains(presences, e.Presence) {
		return fmt.Errorf("%s: the presence %q is none of shown, maybe, there", e.title(), e.Presence)
	}
	if e.Element != "" {
		e.Selector = p.selectorOf(e.Element)
	}
	keys := slices.Concat([]string{e.Element, e.Within, e.Before, e.Alone}, e.Controls)
	for _, key := range keys {
		if key != "" && p.selectorOf(key) == "" {
			return fmt.Errorf("%s: the profile has no selector %s", e.title(), key)
		}
	}
	for _, pattern := range append(slices.Collect(maps.Values(e.Attributes)), e.Matches, e.Value) {
		if _, err := regexp.Compile(pattern); err != nil {
			return fmt.Errorf("%s: %q is not a pattern", e.title(), pattern)
		}
	}
	return nil
}

// selectorOf is the selector that the profile holds under a key, empty if none.
func (p *Profile) selectorOf(key string) string {
	at := any(p.tree)
	for part := range strings.SplitSeq(key, ".") {
		switch node := at.(type) {
		case map[string]any:
			at = node[part]
		case []any:
			at = itemOf(node, part)
		default:
			return ""
		}
	}
	switch node := at.(type) {
	case string:
		return node
	case map[string]any:
		selector, _ := node["selector"].(string)
		return selector
	}
	return ""
}

// itemOf finds an item of a list by its place or, of a list of maps, by its name.
func itemOf(list []any, part string) any {
	if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(list) {
		return list[i]
	}
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok && entry["name"] == part {
			return item
		}
	}
	return nil
}

// Verdict is what a look at an element of the contract found.
type Verdict string

// The verdicts.
const (
	AsExpected Verdict = "as expected"
	Differs    Verdict = "differs"
	Missing    Verdict = "missing"
	// NotSeen is an element that can only be seen by doing what a check does not do: an export.
	NotSeen Verdict = "not looked at"
)

// A Finding says whether one element of a screen is as the profile describes it. It holds words of the profile, and of
// everything else the shape alone: letters as x, digits as 9.
type Finding struct {
	Screen  string  `json:"screen"`
	Element string  `json:"element"`
	Verdict Verdict `json:"verdict"`
	// Expected and Found are set where the verdict is Differs or Missing.
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
}

// String is the finding in words.
func (f Finding) String() string {
	if f.Verdict == AsExpected {
		return f.Element + " as expected"
	}
	return fmt.Sprintf("%s: expected %s, found %s", f.Element, f.Expected, f.Found)
}

// contractRequest is what the script that looks at a page is asked.
type contractRequest struct {
	Languages []string          `json:"languages"`
	Words     []string          `json:"words"`
	Elements  []contractElement `json:"elements"`
}

type contractElement struct {
	Title      string            `json:"title"`
	Selector   string            `json:"selector"`
	Presence   string            `json:"presence"`
	Tag        string            `json:"tag"`
	Role       string            `json:"role"`
	Text       []string          `json:"text"`
	Matches    string            `json:"matches"`
	Label      []string          `json:"label"`
	Attributes map[string]string `json:"attributes"`
	Value      string            `json:"value"`
	Within     string            `json:"within"`
	WithinName string            `json:"within_name"`
	Before     string            `json:"before"`
	BeforeName string            `json:"before_name"`
	Alone      string            `json:"alone"`
	Enabled    bool              `json:"enabled"`
	Controls   []string          `json:"controls"`
	Headers    []string          `json:"headers"`
}

// contractOf prepares the contract of a screen; report names the report on it, where it shows one.
func (p *Profile) contractOf(screen, report string) contractRequest {
	c := p.Contract
	about := c.Reports[report]
	ask := contractRequest{Languages: c.Languages, Words: p.words(), Elements: []contractElement{}}
	elements := c.Screens[screen]
	if screen == screenReport {
		elements = slices.Concat(c.Screens[screenFilters], elements)
	}
	for _, e := range elements {
		if slices.Contains(about.Without, e.Element) {
			continue
		}
		want := contractElement{
			Title: e.title(), Selector: e.Selector, Presence: e.Presence, Tag: e.Tag, Role: e.Role,
			Text: e.Text, Matches: e.Matches, Label: e.Label, Attributes: e.Attributes, Value: e.Value, Enabled: e.Enabled,
			Within: p.selectorOf(e.Within), WithinName: e.Within, Before: p.selectorOf(e.Before), BeforeName: e.Before,
			Alone: p.selectorOf(e.Alone),
		}
		for _, key := range e.Controls {
			want.Controls = append(want.Controls, p.selectorOf(key))
		}
		if e.Heading {
			want.Text = about.Heading
		}
		if e.Headers {
			want.Headers = about.Headers
		}
		ask.Elements = append(ask.Elements, want)
	}
	return ask
}

// words are the texts of the contract. They may be repeated where they are found in the wrong place; what else a page
// says may not.
func (p *Profile) words() []string {
	words := slices.Clone(p.Contract.Languages)
	for _, elements := range p.Contract.Screens {
		for _, e := range elements {
			words = slices.Concat(words, e.Text, e.Label)
		}
	}
	for _, r := range p.Contract.Reports {
		words = append(words, r.Heading...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// checkContract waits until a screen is as the profile describes it, and says what differs where it does not become so.
// Nothing but the differences leaves the page, and of those only the profile's own words and shapes.
func (r *run) checkContract(ctx context.Context, s *screen, which, report string) error {
	ask := r.profile.contractOf(which, report)
	var last []Finding
	limit := r.timeouts.Element
	if r.inspect != nil && report != "" { // the screen has settled, and what differs will not come round
		limit = min(limit, 3*time.Second)
	}
	err := s.until(ctx, limit,
		func() string { return inWords(which, report, last) },
		func(ctx context.Context) (bool, error) {
			answer, err := s.ask(ctx, contractScript, ask)
			if err != nil {
				return false, err
			}
			last = last[:0]
			for _, found := range answer.Arr() {
				last = append(last, Finding{
					Screen: screenName(which, report), Element: found.Get("element").Str(), Verdict: Verdict(found.Get("verdict").Str()),
					Expected: found.Get("expected").Str(), Found: found.Get("found").Str(),
				})
			}
			return len(last) > 0 && !slices.ContainsFunc(last, Finding.drifted), nil
		})
	if r.inspect != nil {
		r.inspect(last)
		if drift := (*unmet)(nil); errors.As(err, &drift) {
			return nil
		}
	}
	return err
}

func (f Finding) drifted() bool { return f.Verdict == Differs || f.Verdict == Missing }

func screenName(which, report string) string {
	if report == "" {
		return which
	}
	return which + " " + report
}

// inWords names what differs, at most three things of it.
func inWords(which, report string, findings []Finding) string {
	var differ []string
	for _, f := range findings {
		if f.drifted() {
			differ = append(differ, f.String())
		}
	}
	more := ""
	if n := len(differ) - 3; n > 0 {
		differ, more = differ[:3], fmt.Sprintf("; and %d more differences", n)
	}
	return fmt.Sprintf("the screen %s as the profile describes it; %s%s", screenName(which, report), strings.Join(differ, "; "), more)
}
