package simclinic

import (
	"bytes"
	"fmt"
)

// SettingsYAML is clinic.yaml: what the clinic would type in because no report says it.
func (c *Clinic) SettingsYAML() []byte {
	w := c.world
	home := countries[w.dials.Country]
	var out bytes.Buffer
	line := func(format string, values ...any) { fmt.Fprintf(&out, format+"\n", values...) }
	line("clinic: %s", c.Name())
	line("country: %s", w.dials.Country)
	line("region: %s", home.region)
	line("time_zone: %s", w.dials.Zone)
	line("currency: %s", home.currency)
	line("week_starts: monday")
	line("staff: name")
	line("tax: {name: %q, rate: %q}", w.dials.Tax.Name, w.dials.Tax.Rate)
	line("disciplines:")
	for _, s := range w.premises.specialities {
		line("  - {name: %q, falloff_days: 42}", s.name)
	}
	line("prices:")
	for _, p := range w.premises.prices {
		it := &w.premises.items[p.item]
		place := ""
		if p.place >= 0 {
			place = fmt.Sprintf("location: %q, ", w.premises.places[p.place])
		}
		line("  - {item: %q, discipline: %q, %sprice: %q, taxable: %t, %s}", it.name, w.premises.specialities[it.discipline].name,
			place, decimal(p.cents), it.taxable, validity(p.from, p.to))
	}
	line("fees:")
	for _, f := range w.premises.fees {
		kind, more := "no_show", ""
		if f.kind == lateCancel {
			kind, more = "late_cancel", fmt.Sprintf("notice_hours: %d, ", f.notice)
		}
		if f.discipline >= 0 {
			more += fmt.Sprintf("discipline: %q, ", w.premises.specialities[f.discipline].name)
		}
		line("  - {kind: %s, item: %q, amount: %q, taxable: %t, %s%s}", kind, feeItems[f.kind], decimal(f.cents), w.feeTaxed, more,
			validity(f.from, f.to))
	}
	if len(w.premises.fees) == 0 {
		out.Truncate(out.Len() - len("fees:\n"))
	}
	line("insurers:")
	for _, name := range insurerNames {
		line("  - %q", name)
	}
	line("filing_limits:")
	line("  - {insurer: %q, days: 31}", insurerNames[0])
	return out.Bytes()
}

func validity(from, to day) string {
	text := "from: " + from.date().String()
	if to != never {
		text += ", to: " + to.date().String()
	}
	return text
}

func decimal(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
