package simclinic

import (
	"fmt"
	"strings"
	"testing"
	_ "time/tzdata" // the tests name zones that a small machine may lack

	"cloud.google.com/go/civil"
)

func TestDialsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		turn func(*Dials)
		want string
	}{
		"too few patients":       {func(d *Dials) { d.Patients = 49 }, "patients is 49: choose 50 to 200000"},
		"too many patients":      {func(d *Dials) { d.Patients = 200_001 }, "choose 50 to 200000"},
		"dates swapped":          {func(d *Dials) { d.From, d.To = d.To, d.From }, "swap them"},
		"a short history":        {func(d *Dials) { d.To = d.From.AddDays(58) }, "make it at least 60"},
		"a very long history":    {func(d *Dials) { d.From.Year = 2000 }, "longer than 20 years"},
		"no date":                {func(d *Dials) { d.To.Month = 13 }, "YYYY-MM-DD"},
		"no discipline":          {func(d *Dials) { d.Disciplines = 0 }, "choose 1 to 6"},
		"fewer staff than needs": {func(d *Dials) { d.Practitioners = 2 }, "at least one for each of 3"},
		"no location":            {func(d *Dials) { d.Locations = 0 }, "choose 1 to 8"},
		"unknown country":        {func(d *Dials) { d.Country = "FR" }, "CA, US, GB or AU"},
		"unknown zone":           {func(d *Dials) { d.Zone = "Mars/Olympus" }, "IANA name"},
		"this machine's zone":    {func(d *Dials) { d.Zone = "Local" }, "IANA name"},
		"a tax without a name":   {func(d *Dials) { d.Tax = Tax{Rate: "0.1"} }, "no name"},
		"a tax in percent":       {func(d *Dials) { d.Tax = Tax{"HST", "13"} }, "decimal share"},
		"a tax of five decimals": {func(d *Dials) { d.Tax = Tax{"HST", "0.12345"} }, "four decimals"},
		"a negative tax":         {func(d *Dials) { d.Tax = Tax{"HST", "-0.1"} }, "decimal share"},
		"unknown fee policy":     {func(d *Dials) { d.FeePolicy = "harsh" }, "changing, flat or none"},
	} {
		t.Run(name, func(t *testing.T) {
			d := DefaultDials()
			c.turn(&d)
			clinic, err := New(d)
			if err == nil || clinic != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New gives %v, %v; want an error that says %q", clinic, err, c.want)
			}
		})
	}
}

// TestClinicsOfEveryShape turns each dial to its ends and lets the outsider check the result.
func TestClinicsOfEveryShape(t *testing.T) {
	for name, turn := range map[string]func(*Dials){
		"fifty patients":          func(d *Dials) { d.Patients = 50 },
		"two months":              func(d *Dials) { d.To = d.From.AddDays(59) },
		"seven years":             func(d *Dials) { d.From.Year = 2019; d.Patients = 400 },
		"one of everything":       func(d *Dials) { d.Disciplines, d.Practitioners, d.Locations = 1, 1, 1 },
		"too few practitioners":   func(d *Dials) { d.Patients, d.Practitioners = 900, 3 },
		"all there is":            func(d *Dials) { d.Disciplines, d.Locations, d.Practitioners = 6, 8, 60 },
		"the United States":       func(d *Dials) { d.Country = "US" },
		"Britain":                 func(d *Dials) { d.Country = "GB" },
		"Australia":               func(d *Dials) { d.Country = "AU" },
		"a tax of an odd rate":    func(d *Dials) { d.Tax = Tax{"GST+QST", "0.1498"} },
		"no tax to speak of":      func(d *Dials) { d.Tax = Tax{"Tax", "0"} },
		"flat fees":               func(d *Dials) { d.FeePolicy = FeesFlat },
		"no fees":                 func(d *Dials) { d.FeePolicy = FeesNone },
		"a zone without DST":      func(d *Dials) { d.Zone = "Asia/Kolkata" },
		"half an hour of DST":     func(d *Dials) { d.Zone = "Australia/Lord_Howe" },
		"clocks change at 0:00":   func(d *Dials) { d.Zone = "Asia/Beirut" },
		"clocks change at 1:00":   func(d *Dials) { d.Zone = "America/Havana" },
		"clocks change at 24:00":  func(d *Dials) { d.Zone = "America/Santiago" },
		"far east of Greenwich":   func(d *Dials) { d.Zone = "Pacific/Auckland" },
		"a day that was left out": func(d *Dials) { d.Zone, d.From.Year, d.To.Year = "Pacific/Apia", 2011, 2012 },
		"a month begins":          func(d *Dials) { d.To = civil.Date{Year: 2025, Month: 11, Day: 1} },
		"after the clocks change": func(d *Dials) { d.To = civil.Date{Year: 2025, Month: 11, Day: 3} },
		"a leap day":              func(d *Dials) { d.From.Year, d.To = 2022, civil.Date{Year: 2024, Month: 2, Day: 29} },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 2; seed++ {
				d := DefaultDials()
				d.Patients = 150
				turn(&d)
				d.Seed = seed
				c := mustClinic(t, d)
				if len(c.Truth()) == 0 {
					t.Error("nothing was forgotten")
				}
				compare(t, c.Truth(), outsidersLedger(t, c))
				want := outsidersStates(t, c)
				for _, s := range c.States() {
					if key := s.Patient + " " + s.Date.String(); want[key] != s.Status {
						t.Errorf("seed %d: %s: %s, the schedule shows %q", seed, key, s.Status, want[key])
					}
					delete(want, s.Patient+" "+s.Date.String())
				}
				if len(want) > 0 {
					t.Errorf("seed %d: %d states are missing", seed, len(want))
				}
				checkInvariants(t, c)
			}
		})
	}
}

func TestCountriesHaveTheirMoney(t *testing.T) {
	for country, want := range map[string]string{
		"CA": "CAD America/Toronto HST 0.13", "US": "USD America/New_York Sales Tax 0.0825", "GB": "GBP Europe/London VAT 0.20",
		"AU": "AUD Australia/Sydney GST 0.10",
	} {
		d := DefaultDials()
		d.Country, d.Patients = country, 50
		c := mustClinic(t, d)
		s := readSettings(t, c)
		if got := fmt.Sprint(s.Currency, " ", s.TimeZone, " ", s.Tax.Name, " ", s.Tax.Rate); got != want || s.Country != country {
			t.Errorf("%s: clinic.yaml says %s %q, want %q", country, s.Country, got, want)
		}
		if table, _ := c.Table(Sales, d.From, d.To); table.Column(s.Tax.Name) < 0 {
			t.Errorf("%s: the sales report has no column %s: %v", country, s.Tax.Name, table.Headers)
		}
	}
}
