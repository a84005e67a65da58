package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/currency"

	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// defaultNotice is the notice window of a late-cancellation policy that gives none, in hours.
const defaultNotice = 24

// typed is a price or fee as typed: before tax, with its line.
type typed[T any] struct {
	value   T
	net     int64
	taxable bool
	node    ast.Node
}

// Parse reads a clinic.yaml. file is its name in errors, which are of type *Error.
func Parse(body []byte, file string) (Clinic, error) {
	d := document{file}
	root, err := d.parse(body)
	if err != nil {
		return Clinic{}, err
	}
	c := Clinic{WeekStarts: "monday"}
	var prices []typed[Price]
	var fees []typed[Fee]
	err = d.mapping(root, "the file",
		key{"clinic", true, d.name("clinic", &c.Name)},
		key{"country", false, d.country(&c.Country)},
		key{"region", false, d.name("region", &c.Region)},
		key{"time_zone", true, d.zone(&c.TimeZone)},
		key{"currency", true, d.currency(&c.Currency)},
		key{"week_starts", false, d.oneOf("week_starts", &c.WeekStarts, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")},
		key{"staff", false, d.staff(&c.PseudonymStaff)},
		key{"tax", false, d.tax(&c)},
		key{"disciplines", false, d.list("disciplines", func(n ast.Node) error { return d.discipline(n, &c) })},
		key{"prices", false, d.list("prices", func(n ast.Node) error { return d.price(n, &prices) })},
		key{"fees", false, d.list("fees", func(n ast.Node) error { return d.fee(n, &fees) })},
		key{"insurers", false, d.list("insurers", func(n ast.Node) error { return d.insurer(n, &c) })},
		key{"filing_limits", false, d.list("filing_limits", func(n ast.Node) error { return d.filingLimit(n, &c) })},
		key{"retention", false, d.retention(&c)},
		key{"checks_off", false, d.list("checks_off", func(n ast.Node) error { return d.checkOff(n, &c) })},
		key{"unreconciled_limit", false, d.share("unreconciled_limit", func(perMillion int64) { c.UnreconciledPerMillion = &perMillion })},
		key{"due_days", false, d.dueDays(&c)},
		key{"alive_model", false, d.oneOf("alive_model", &c.AliveModel, "mbgnbd", "bgnbd")},
	)
	if err != nil {
		return Clinic{}, err
	}
	for _, p := range prices {
		if p.value.GrossCents, err = d.gross(&c, p.net, p.taxable, p.node); err != nil {
			return Clinic{}, err
		}
		c.Prices = append(c.Prices, p.value)
	}
	for _, f := range fees {
		if f.value.GrossCents, err = d.gross(&c, f.net, f.taxable, f.node); err != nil {
			return Clinic{}, err
		}
		c.Fees = append(c.Fees, f.value)
	}
	if err := d.pricesAgree(prices); err != nil {
		return Clinic{}, err
	}
	if err := d.feesAgree(fees); err != nil {
		return Clinic{}, err
	}
	return c.sorted(), nil
}

// gross adds tax, rounded half up to the cent.
func (d document) gross(c *Clinic, net int64, taxable bool, n ast.Node) (int64, error) {
	if !taxable {
		return net, nil
	}
	if c.TaxName == "" {
		return 0, d.wrong(n, "Add `tax: {name: HST, rate: \"0.13\"}`, or say `taxable: false`", "it is taxable, but the file has no `tax`")
	}
	return net + (net*c.TaxPerMillion+500_000)/1_000_000, nil
}

// name reads a name the way that reports' names are read, so that both match.
func (d document) name(what string, into *string) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		name, reason := normalise.Name([]byte(value))
		if reason != "" {
			return d.wrong(n, "Write a short name", "%s is no name", what)
		}
		*into = string(name)
		return nil
	}
}

func (d document) oneOf(what string, into *string, values ...string) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		if *into = strings.ToLower(value); !slices.Contains(values, *into) {
			return d.wrong(n, "Write one of "+strings.Join(values, ", "), "%s is %q", what, value)
		}
		return nil
	}
}

func (d document) country(into *string) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, "country")
		if err != nil {
			return err
		}
		if len(value) != 2 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return d.wrong(n, "Write its two-letter code in capitals, such as CA", "country is %q", value)
		}
		*into = value
		return nil
	}
}

func (d document) zone(into *string) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, "time_zone")
		if err != nil {
			return err
		}
		if _, err := loadZone(value); err != nil {
			return d.wrong(n, "Write an IANA name such as America/Toronto", "time_zone: %v", err)
		}
		*into = value
		return nil
	}
}

func (d document) currency(into *string) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, "currency")
		if err != nil {
			return err
		}
		unit, err := currency.ParseISO(value)
		if err != nil || unit.String() != value {
			return d.wrong(n, "Write its ISO 4217 code in capitals, such as CAD", "%q is not a currency", value)
		}
		if scale, _ := currency.Standard.Rounding(unit); scale != 2 {
			return d.wrong(n, "Only currencies of a hundred cents can be counted", "%s has no cents", value)
		}
		*into = value
		return nil
	}
}

func (d document) staff(pseudonyms *bool) func(ast.Node) error {
	return func(n ast.Node) error {
		var value string
		if err := d.oneOf("staff", &value, "name", "pseudonym")(n); err != nil {
			return err
		}
		*pseudonyms = value == "pseudonym"
		return nil
	}
}

func (d document) tax(c *Clinic) func(ast.Node) error {
	return func(n ast.Node) error {
		return d.mapping(n, "tax", key{"name", true, d.name("tax name", &c.TaxName)},
			key{"rate", true, d.share("rate", func(perMillion int64) { c.TaxPerMillion = perMillion })})
	}
}

// share reads a share of one.
func (d document) share(what string, set func(perMillion int64)) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		share, ok := perMillion(value)
		if !ok {
			return d.wrong(n, "Write 13 % as \"0.13\"; at most six decimals", "%s is %q", what, value)
		}
		set(share)
		return nil
	}
}

// perMillion reads 0.13 as 130000; rates of 1 and more are percentages written by mistake.
func perMillion(text string) (int64, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole != "0" || len(fraction) > 6 {
		return 0, false
	}
	n, err := strconv.ParseUint(fraction+strings.Repeat("0", 6-len(fraction)), 10, 32)
	return int64(n), err == nil
}

func (d document) discipline(n ast.Node, c *Clinic) error {
	var v Discipline
	err := d.mapping(n, "a discipline", key{"name", true, d.name("name", &v.Name)},
		key{"falloff_days", true, d.whole("falloff_days", 7, 180, &v.FalloffDays)})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.Disciplines, func(o Discipline) bool { return strings.EqualFold(o.Name, v.Name) }) {
		return d.wrong(n, "Delete one of the two", "discipline %q is there twice", v.Name)
	}
	c.Disciplines = append(c.Disciplines, v)
	return nil
}

func (d document) price(n ast.Node, into *[]typed[Price]) error {
	t := typed[Price]{node: n}
	err := d.mapping(n, "a price",
		key{"item", true, d.name("item", &t.value.Item)},
		key{"discipline", false, d.name("discipline", &t.value.Discipline)},
		key{"location", false, d.name("location", &t.value.Location)},
		key{"price", true, d.money("price", &t.net)},
		key{"taxable", false, d.yesNo("taxable", &t.taxable)},
		key{"from", false, d.date("from", &t.value.From)},
		key{"to", false, d.date("to", &t.value.To)})
	if err != nil {
		return err
	}
	*into = append(*into, t)
	return d.ordered(n, t.value.From, t.value.To)
}

func (d document) fee(n ast.Node, into *[]typed[Fee]) error {
	t := typed[Fee]{node: n}
	var kind string
	notice := -1
	err := d.mapping(n, "a fee",
		key{"kind", true, d.oneOf("kind", &kind, string(NoShow), string(LateCancel))},
		key{"item", true, d.name("item", &t.value.Item)},
		key{"discipline", false, d.name("discipline", &t.value.Discipline)},
		key{"location", false, d.name("location", &t.value.Location)},
		key{"amount", true, d.money("amount", &t.net)},
		key{"taxable", false, d.yesNo("taxable", &t.taxable)},
		key{"notice_hours", false, d.whole("notice_hours", 1, 24*14, &notice)},
		key{"from", false, d.date("from", &t.value.From)},
		key{"to", false, d.date("to", &t.value.To)})
	if err != nil {
		return err
	}
	t.value.Kind = FeeKind(kind)
	switch {
	case t.value.Kind == LateCancel && notice < 0:
		t.value.NoticeHours = defaultNotice
	case t.value.Kind == LateCancel:
		t.value.NoticeHours = notice
	case notice >= 0:
		return d.wrong(n, "Delete it", "a no_show fee has no notice_hours")
	}
	*into = append(*into, t)
	return d.ordered(n, t.value.From, t.value.To)
}

func (d document) insurer(n ast.Node, c *Clinic) error {
	var name string
	if err := d.name("an insurer", &name)(n); err != nil {
		return err
	}
	if slices.ContainsFunc(c.Insurers, func(o string) bool { return strings.EqualFold(o, name) }) {
		return d.wrong(n, "Delete one of the two", "insurer %q is there twice", name)
	}
	c.Insurers = append(c.Insurers, name)
	return nil
}

// checkName is how a refusal names its check: the dataset and the columns.
var checkName = regexp.MustCompile(`^[a-z_]+\.[a-z0-9_-]+$`)

func (d document) checkOff(n ast.Node, c *Clinic) error {
	name, err := d.scalar(n, "a check")
	if err != nil {
		return err
	}
	if !checkName.MatchString(name) {
		return d.wrong(n, "Copy it from the refusal, for example invoice_lines.purchase_date-invoice_date", "%q is not the name of a check", name)
	}
	if !slices.Contains(c.ChecksOff, name) {
		c.ChecksOff = append(c.ChecksOff, name)
	}
	return nil
}

func (d document) filingLimit(n ast.Node, c *Clinic) error {
	var v FilingLimit
	err := d.mapping(n, "a filing limit", key{"insurer", true, d.name("insurer", &v.Insurer)},
		key{"days", true, d.whole("days", 1, 3650, &v.Days)})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.FilingLimits, func(o FilingLimit) bool { return strings.EqualFold(o.Insurer, v.Insurer) }) {
		return d.wrong(n, "Delete one of the two", "insurer %q has two filing limits", v.Insurer)
	}
	c.FilingLimits = append(c.FilingLimits, v)
	return nil
}

func (d document) dueDays(c *Clinic) func(ast.Node) error {
	return func(n ast.Node) error {
		return d.mapping(n, "due_days", key{"patient", false, d.whole("patient", 0, 365, &c.PatientDueDays)},
			key{"insurer", false, d.whole("insurer", 0, 365, &c.InsurerDueDays)})
	}
}

func (d document) money(what string, into *int64) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		cents, reason := normalise.Money([]byte(value), false)
		if reason != "" || cents < 0 {
			return d.wrong(n, "Write it as \"95.00\"", "%s is %q", what, value)
		}
		*into = cents
		return nil
	}
}

func (d document) yesNo(what string, into *bool) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		yes, reason := normalise.Bool([]byte(value))
		if reason != "" {
			return d.wrong(n, "Write true or false", "%s is %q", what, value)
		}
		*into = yes
		return nil
	}
}

func (d document) whole(what string, least, most int, into *int) func(ast.Node) error {
	return func(n ast.Node) error {
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		v, err := strconv.Atoi(value)
		if err != nil || v < least || v > most {
			return d.wrong(n, fmt.Sprintf("Write a whole number from %d to %d", least, most), "%s is %q", what, value)
		}
		*into = v
		return nil
	}
}

func (d document) date(what string, into **civil.Date) func(ast.Node) error {
	return func(n ast.Node) error {
		if n.Type() == ast.NullType {
			return nil
		}
		value, err := d.scalar(n, what)
		if err != nil {
			return err
		}
		day, err := civil.ParseDate(value)
		if err != nil {
			return d.wrong(n, "Write a day that exists as YYYY-MM-DD, such as 2026-01-31", "%s is %q", what, value)
		}
		*into = &day
		return nil
	}
}

func (d document) ordered(n ast.Node, from, to *civil.Date) error {
	if from != nil && to != nil && to.Before(*from) {
		return d.wrong(n, "Swap the dates", "it ends on %s before it begins on %s", to, from)
	}
	return nil
}
