package settings

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/civil"
)

// YAML writes a clinic.yaml that Parse reads as the same settings. Amounts stand in it tax included, so nothing is taxable;
// the tax itself stays named.
func (c Clinic) YAML() ([]byte, error) {
	c = c.sorted()
	var y yamlWriter
	y.field("clinic", c.Name)
	y.optional("country", c.Country)
	y.optional("region", c.Region)
	y.field("time_zone", c.TimeZone)
	y.field("currency", c.Currency)
	y.optional("week_starts", c.WeekStarts)
	if c.PseudonymStaff {
		y.field("staff", "pseudonym")
	}
	if c.TaxName != "" {
		fmt.Fprintf(&y.out, "tax: {name: %s, rate: %s}\n", yamlText(c.TaxName), yamlText(share(c.TaxPerMillion)))
	}
	y.list("disciplines", len(c.Disciplines), func(i int) string {
		return fmt.Sprintf("{name: %s, falloff_days: %d}", yamlText(c.Disciplines[i].Name), c.Disciplines[i].FalloffDays)
	})
	y.list("prices", len(c.Prices), func(i int) string {
		p := c.Prices[i]
		return fmt.Sprintf("{item: %s%s%s, price: %s%s}", yamlText(p.Item), yamlOptional("discipline", p.Discipline),
			yamlOptional("location", p.Location), yamlText(amount(p.GrossCents)), yamlDays(p.From, p.To))
	})
	y.list("fees", len(c.Fees), func(i int) string {
		f := c.Fees[i]
		notice := ""
		if f.Kind == LateCancel {
			notice = fmt.Sprintf(", notice_hours: %d", f.NoticeHours)
		}
		return fmt.Sprintf("{kind: %s, item: %s%s%s, amount: %s%s%s}", f.Kind, yamlText(f.Item), yamlOptional("discipline", f.Discipline),
			yamlOptional("location", f.Location), yamlText(amount(f.GrossCents)), notice, yamlDays(f.From, f.To))
	})
	y.list("insurers", len(c.Insurers), func(i int) string { return yamlText(c.Insurers[i]) })
	y.list("filing_limits", len(c.FilingLimits), func(i int) string {
		return fmt.Sprintf("{insurer: %s, days: %d}", yamlText(c.FilingLimits[i].Insurer), c.FilingLimits[i].Days)
	})
	if len(c.Retention) > 0 {
		y.out.WriteString("retention:\n")
		for _, r := range c.Retention {
			fmt.Fprintf(&y.out, "  %s: %dm\n", r.Dataset, r.Months)
		}
	}
	y.list("checks_off", len(c.ChecksOff), func(i int) string { return yamlText(c.ChecksOff[i]) })
	if c.UnreconciledPerMillion != nil {
		y.field("unreconciled_limit", share(*c.UnreconciledPerMillion))
	}
	if c.PatientDueDays != 0 || c.InsurerDueDays != 0 {
		fmt.Fprintf(&y.out, "due_days: {patient: %d, insurer: %d}\n", c.PatientDueDays, c.InsurerDueDays)
	}
	if c.AliveModel != "" {
		y.field("alive_model", c.AliveModel)
	}
	if err := c.readsAs(y.out.Bytes()); err != nil {
		return nil, fmt.Errorf("writing clinic.yaml: %w", err)
	}
	return y.out.Bytes(), nil
}

// readsAs says whether a clinic.yaml is read as these settings.
func (c Clinic) readsAs(body []byte) error {
	read, err := Parse(body, "clinic.yaml")
	if err != nil {
		return err
	}
	want, err := c.JSON()
	if err != nil {
		return err
	}
	got, err := read.JSON()
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("it would be read as other settings than those stored")
	}
	return err
}

// share is a share of one as a person writes it.
func share(perMillion int64) string {
	text := strings.TrimRight(fmt.Sprintf("0.%06d", perMillion), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

// amount is cents as a person writes them.
func amount(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

type yamlWriter struct{ out bytes.Buffer }

func (y *yamlWriter) field(name, value string) {
	fmt.Fprintf(&y.out, "%s: %s\n", name, yamlText(value))
}

func (y *yamlWriter) optional(name, value string) {
	if value != "" {
		y.field(name, value)
	}
}

func (y *yamlWriter) list(name string, n int, entry func(i int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(&y.out, "%s:\n", name)
	for i := range n {
		fmt.Fprintf(&y.out, "  - %s\n", entry(i))
	}
}

func yamlOptional(name, value string) string {
	if value == "" {
		return ""
	}
	return ", " + name + ": " + yamlText(value)
}

func yamlDays(from, to *civil.Date) string {
	text := ""
	if from != nil {
		text += ", from: " + from.String()
	}
	if to != nil {
		text += ", to: " + to.String()
	}
	return text
}

// yamlText is a text in single quotes, in which only they mean anything. Names hold no line end.
func yamlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
