package jane

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

//go:embed profile.yaml
var defaultProfile []byte

// A Profile holds everything the extractor relies on in the portal's pages. The comments in profile.yaml say what each
// part means and how well it is known.
type Profile struct {
	App          string             `yaml:"app"`
	SignIn       signInScreen       `yaml:"sign_in"`
	SecondFactor secondFactorScreen `yaml:"second_factor"`
	SignOut      signOutMenu        `yaml:"sign_out"`
	Alert        string             `yaml:"alert"`
	Refusals     []refusal          `yaml:"refusals"`
	Access       accessScreen       `yaml:"access"`
	Screen       reportScreen       `yaml:"screen"`
	Export       exportTab          `yaml:"export"`
	Reports      []report           `yaml:"reports"`
	Requests     []browser.Rule     `yaml:"requests"`
	// Tolerated are writes that the application tries by itself: they are refused, and no cause for alarm.
	Tolerated []browser.Tolerated `yaml:"tolerated"`
	Forbidden []string            `yaml:"forbidden"`
	Words     []string            `yaml:"words"`
	Contract  pageContract        `yaml:"contract"`

	countText, previewPath, fileRange, anyFileName, rangeShown *regexp.Regexp
	// tree is the profile as it was written, in which keys such as screen.apply are looked up.
	tree map[string]any
}

type signInScreen struct {
	Route    string `yaml:"route"`
	Account  string `yaml:"account"`
	Password string `yaml:"password"`
	Submit   string `yaml:"submit"`
	SignedIn string `yaml:"signed_in"`
	Request  string `yaml:"request"`
}

type secondFactorScreen struct {
	Code     string   `yaml:"code"`
	Others   []string `yaml:"others"`
	Trust    string   `yaml:"trust"`
	Submit   string   `yaml:"submit"`
	Rejected string   `yaml:"rejected"`
	Used     string   `yaml:"used"`
	Blocked  string   `yaml:"blocked"`
	Request  string   `yaml:"request"`
}

type signOutMenu struct {
	Menu string `yaml:"menu"`
	Item string `yaml:"item"`
}

type refusal struct {
	Cause extractors.Cause `yaml:"cause"`
	Text  string           `yaml:"text"`
}

type accessScreen struct {
	Route  string `yaml:"route"`
	Level  string `yaml:"level"`
	Levels struct {
		Fitting   []string `yaml:"fitting"`
		Excessive []string `yaml:"excessive"`
		Missing   []string `yaml:"missing"`
	} `yaml:"levels"`
	Toggles     []toggle     `yaml:"toggles"`
	ToggleWords []string     `yaml:"toggle_words"`
	Navigation  []navigation `yaml:"navigation"`
}

// navigation is an entry of the application's navigation that an account must not be offered.
type navigation struct {
	Name     string `yaml:"name"`
	Selector string `yaml:"selector"`
	Do       string `yaml:"do"`
}

type toggle struct {
	Name      string           `yaml:"name"`
	Selector  string           `yaml:"selector"`
	Must      string           `yaml:"must"`
	Otherwise extractors.Cause `yaml:"otherwise"`
}

type reportScreen struct {
	Heading   string   `yaml:"heading"`
	Filters   string   `yaml:"filters"`
	Range     string   `yaml:"range"`
	From      string   `yaml:"from"`
	To        string   `yaml:"to"`
	RangeText string   `yaml:"range_text"`
	AsOfText  string   `yaml:"as_of_text"`
	TooLong   string   `yaml:"too_long"`
	Apply     string   `yaml:"apply"`
	Reset     string   `yaml:"reset"`
	Narrowing []string `yaml:"narrowing"`
	Busy      string   `yaml:"busy"`
	Count     string   `yaml:"count"`
	CountText string   `yaml:"count_text"`
	FreshCopy string   `yaml:"fresh_copy"`
	Menu      string   `yaml:"menu"`
	MenuItems string   `yaml:"menu_items"`
	Rows      string   `yaml:"rows"`
}

type exportTab struct {
	Formats     map[string]exportFormat `yaml:"formats"`
	PreviewPath string                  `yaml:"preview_path"`
	Link        string                  `yaml:"link"`
	FileName    string                  `yaml:"file_name"`
	FileRange   string                  `yaml:"file_range"`
}

type exportFormat struct {
	Item       string   `yaml:"item"`
	MediaTypes []string `yaml:"media_types"`
}

type report struct {
	Name    string            `yaml:"name"`
	Dataset string            `yaml:"dataset"`
	Route   string            `yaml:"route"`
	Period  extractors.Period `yaml:"period"`
	MaxDays int               `yaml:"max_days"`
	Recent  int               `yaml:"recent_days"`
}

// kind is how the report is asked for.
func (r report) kind() extractors.ReportKind {
	return extractors.ReportKind{Name: r.Name, Dataset: r.Dataset, Period: r.Period, MaxDays: r.MaxDays, RecentDays: r.Recent}
}

// Kinds are the reports of the profile, in the order in which they are read.
func (p *Profile) Kinds() []extractors.ReportKind {
	kinds := make([]extractors.ReportKind, len(p.Reports))
	for i, r := range p.Reports {
		kinds[i] = r.kind()
	}
	return kinds
}

// DefaultProfile is the profile that comes with the program.
func DefaultProfile() (*Profile, error) { return ParseProfile(defaultProfile) }

// ParseProfile reads a profile and checks that it is whole: a misspelt or missing key is an error, and so is a request
// that would reach what is forbidden.
func ParseProfile(text []byte) (*Profile, error) {
	p := &Profile{}
	if err := yaml.UnmarshalWithOptions(text, p, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading the portal profile: %w", err)
	}
	if err := yaml.Unmarshal(text, &p.tree); err != nil {
		return nil, fmt.Errorf("reading the portal profile: %w", err)
	}
	if err := errors.Join(p.checkPresent(), p.checkPatterns(), p.checkCauses(), p.checkReports(), p.checkRequests(), p.checkContract()); err != nil {
		return nil, fmt.Errorf("checking the portal profile: %w", err)
	}
	return p, nil
}

// checkPresent demands every selector and route.
func (p *Profile) checkPresent() error {
	var missing []string
	for name, text := range map[string]string{
		"app": p.App, "alert": p.Alert,
		"sign_in.account": p.SignIn.Account, "sign_in.password": p.SignIn.Password, "sign_in.submit": p.SignIn.Submit,
		"sign_in.signed_in": p.SignIn.SignedIn, "second_factor.code": p.SecondFactor.Code, "second_factor.submit": p.SecondFactor.Submit,
		"second_factor.trust": p.SecondFactor.Trust, "second_factor.rejected": p.SecondFactor.Rejected, "second_factor.used": p.SecondFactor.Used, "second_factor.blocked": p.SecondFactor.Blocked,
		"sign_out.menu": p.SignOut.Menu, "sign_out.item": p.SignOut.Item,
		"access.level": p.Access.Level, "screen.heading": p.Screen.Heading, "screen.filters": p.Screen.Filters,
		"screen.range": p.Screen.Range, "screen.from": p.Screen.From, "screen.to": p.Screen.To, "screen.apply": p.Screen.Apply,
		"screen.reset": p.Screen.Reset, "screen.busy": p.Screen.Busy, "screen.count": p.Screen.Count,
		"screen.fresh_copy": p.Screen.FreshCopy, "screen.menu": p.Screen.Menu, "screen.menu_items": p.Screen.MenuItems,
		"export.link": p.Export.Link, "export.file_name": p.Export.FileName,
	} {
		if strings.TrimSpace(text) == "" {
			missing = append(missing, name)
		}
	}
	if len(p.Access.Levels.Fitting) == 0 {
		missing = append(missing, "access.levels.fitting")
	}
	if len(p.Access.Navigation) == 0 || slices.ContainsFunc(p.Access.Navigation, func(n navigation) bool { return n.Name == "" || n.Selector == "" || n.Do == "" }) {
		missing = append(missing, "access.navigation")
	}
	if len(p.Access.Toggles) == 0 {
		missing = append(missing, "access.toggles")
	}
	if len(p.Export.Formats) == 0 {
		missing = append(missing, "export.formats")
	}
	if len(p.Reports) == 0 {
		missing = append(missing, "reports")
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("%s must not be empty", strings.Join(missing, ", "))
	}
	return nil
}

func (p *Profile) checkPatterns() error {
	var errs []error
	compile := func(name, pattern string, groups int) *regexp.Regexp {
		re, err := regexp.Compile(pattern)
		switch {
		case pattern == "" || err != nil:
			errs = append(errs, fmt.Errorf("%s: %q is not a pattern", name, pattern))
		case re.NumSubexp() != groups:
			errs = append(errs, fmt.Errorf("%s: %q must have %d groups", name, pattern, groups))
		}
		return re
	}
	p.countText = compile("screen.count_text", p.Screen.CountText, 2)
	p.previewPath = compile("export.preview_path", p.Export.PreviewPath, 0)
	p.fileRange = compile("export.file_range", p.Export.FileRange, 2)
	if !strings.Contains(p.Screen.RangeText, "{from}") || !strings.Contains(p.Screen.RangeText, "{to}") {
		errs = append(errs, fmt.Errorf("screen.range_text: %q must hold {from} and {to}", p.Screen.RangeText))
	}
	if !strings.Contains(p.Screen.AsOfText, "{to}") {
		errs = append(errs, fmt.Errorf("screen.as_of_text: %q must hold {to}", p.Screen.AsOfText))
	}
	const day = `([0-9]{4}-[0-9]{2}-[0-9]{2})`
	p.rangeShown = regexp.MustCompile("^" + strings.NewReplacer(`\{from\}`, day, `\{to\}`, day).Replace(regexp.QuoteMeta(p.Screen.RangeText)) + "$")
	for _, route := range []string{p.SignIn.Route, p.Access.Route} {
		errs = append(errs, p.checkRoute(route))
	}
	for name, format := range p.Export.Formats {
		if format.Item == "" || len(format.MediaTypes) == 0 {
			errs = append(errs, fmt.Errorf("export.formats.%s needs item and media_types", name))
		}
	}
	return errors.Join(errs...)
}

// routeForm is a hash route of plain words.
var routeForm = regexp.MustCompile(`^#[a-z_]+(/[a-z_]+)*$`)

func (p *Profile) checkRoute(route string) error {
	if !routeForm.MatchString(route) {
		return fmt.Errorf("route %q must look like #reports/sales", route)
	}
	for part := range strings.SplitSeq(route[1:], "/") {
		if slices.Contains(p.Forbidden, part) {
			return fmt.Errorf("route %q leads to what is forbidden", route)
		}
	}
	return nil
}

// refusable are the causes that a text or a toggle of the portal can stand for.
var refusable = []extractors.Cause{
	extractors.WrongPassword, extractors.AccountDeactivated, extractors.AccountLocked, extractors.SessionExpired,
	extractors.RateLimited, extractors.PortalMaintenance, extractors.PermissionMissing, extractors.PermissionExcessive,
	extractors.ExportIncomplete, extractors.Network,
}

func (p *Profile) checkCauses() error {
	var errs []error
	for _, r := range p.Refusals {
		if strings.TrimSpace(r.Text) == "" || !slices.Contains(refusable, r.Cause) {
			errs = append(errs, fmt.Errorf("refusals: %q does not stand for a known cause (%q)", r.Text, r.Cause))
		}
	}
	for _, t := range p.Access.Toggles {
		if t.Name == "" || t.Selector == "" || !slices.Contains(p.Access.ToggleWords, t.Must) || !slices.Contains(refusable, t.Otherwise) {
			errs = append(errs, fmt.Errorf("access.toggles: %q needs name, selector, one of the toggle_words, and a known cause", t.Name))
		}
	}
	return errors.Join(errs...)
}

func (p *Profile) checkReports() error {
	var errs []error
	seen := map[string]bool{}
	for _, r := range p.Reports {
		switch {
		case r.Name == "" || r.Dataset == "":
			errs = append(errs, fmt.Errorf("reports: %q needs name and dataset", r.Name))
		case seen[r.Name]:
			errs = append(errs, fmt.Errorf("reports: %s is there twice", r.Name))
		case !slices.Contains(extractors.Periods(), r.Period):
			errs = append(errs, fmt.Errorf("reports: %s has the unknown period %q", r.Name, r.Period))
		case r.MaxDays < 0 || r.Recent < 0:
			errs = append(errs, fmt.Errorf("reports: %s has max_days %d and recent_days %d, which must not be negative", r.Name, r.MaxDays, r.Recent))
		}
		seen[r.Name] = true
		errs = append(errs, p.checkRoute(r.Route))
	}
	return errors.Join(errs...)
}

func (p *Profile) checkRequests() error {
	if err := browser.CheckRules(p.Requests, p.Tolerated); err != nil {
		return err
	}
	for _, t := range p.Tolerated {
		for part := range strings.SplitSeq(t.Path, "/") {
			if slices.Contains(p.Forbidden, part) {
				return fmt.Errorf("tolerated %q: a write to what is forbidden (%s) is a cause for alarm", t.Why, t.Path)
			}
		}
	}
	captures := false
	purposes := map[string]bool{}
	for _, r := range p.Requests {
		purposes[r.Purpose] = true
		captures = captures || r.Capture
		if !slices.Contains(contract.Subjects(), r.Subject) && r.Subject != "" && r.Subject[0] != '{' {
			return fmt.Errorf("request %q: the subject %q is neither a report nor a screen that the activity log knows (%s)", r.Purpose, r.Subject, strings.Join(contract.Subjects(), ", "))
		}
		if r.Method != http.MethodGet && r.Stage == "" {
			return fmt.Errorf("request %q: a %s needs a stage", r.Purpose, r.Method)
		}
		for part := range strings.SplitSeq(r.Path, "/") {
			if slices.Contains(p.Forbidden, part) {
				return fmt.Errorf("request %q leads to what is forbidden (%s)", r.Purpose, r.Path)
			}
		}
	}
	for name, purpose := range map[string]string{"screen.rows": p.Screen.Rows, "sign_in.request": p.SignIn.Request, "second_factor.request": p.SecondFactor.Request} {
		if !purposes[purpose] {
			return fmt.Errorf("%s: no request has the purpose %q", name, purpose)
		}
	}
	if !captures {
		return errors.New("requests: none captures an export")
	}
	return nil
}

// refusalOf is the cause that a text of the portal stands for, empty if none.
func (p *Profile) refusalOf(text string) extractors.Cause {
	text = strings.ToLower(text)
	for _, r := range p.Refusals {
		if strings.Contains(text, strings.ToLower(r.Text)) {
			return r.Cause
		}
	}
	return ""
}

// downloadPurpose is the purpose of the requests whose answers are exports.
func (p *Profile) downloadPurpose() string {
	for _, r := range p.Requests {
		if r.Capture {
			return r.Purpose
		}
	}
	return ""
}

// shownRange reads a range as the portal shows it, zero where it shows none.
func (p *Profile) shownRange(text string) extractors.Window {
	found := p.rangeShown.FindStringSubmatch(text)
	if len(found) != 3 {
		return extractors.Window{}
	}
	w, err := extractors.ParseWindow(found[1] + ".." + found[2])
	if err != nil {
		return extractors.Window{}
	}
	return w
}

// rangeText is how the portal shows the range of a report.
func (p *Profile) rangeText(period extractors.Period, w extractors.Window) string {
	text := p.Screen.RangeText
	if period == extractors.AsOf {
		text = p.Screen.AsOfText
	}
	return strings.NewReplacer("{from}", w.From.String(), "{to}", w.To.String()).Replace(text)
}
