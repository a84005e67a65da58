package settings

import "slices"

// Place is where a clinic's data may lie: a city, and the AWS region that is there.
type Place struct{ City, Region string }

// The places, and the countries whose clinics belong to each; all other countries belong to the first.
var (
	montreal = Place{"Montreal", "ca-central-1"}
	oregon   = Place{"Oregon", "us-west-2"}
	sydney   = Place{"Sydney", "ap-southeast-2"}
	london   = Place{"London", "eu-west-2"}

	countriesOf = map[Place][]string{
		oregon: {"US", "KY"},
		sydney: {"AU", "NZ", "SG"},
		london: {
			"GB", "GG", "IM", "JE", "GI", "AD", "AL", "AT", "BA", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "FR", "GR",
			"HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI",
			"SK", "SM", "UA", "VA", "XK",
		},
	}
	// alsoCalled are names that a clinic.yaml may use for a place.
	alsoCalled = map[string]Place{
		"ca-central": montreal, "montreal": montreal, "us-west": oregon, "oregon": oregon,
		"ap-sydney": sydney, "sydney": sydney, "eu-london": london, "london": london,
	}
)

// Residence is where the clinic's data must lie: what its settings say under region, else the place of its country. ok is false
// where they say neither.
func (c Clinic) Residence() (place Place, ok bool) {
	if c.Region != "" {
		if place, known := alsoCalled[c.Region]; known {
			return place, true
		}
		return Place{City: c.Region, Region: c.Region}, true
	}
	if c.Country == "" {
		return Place{}, false
	}
	for place, countries := range countriesOf {
		if slices.Contains(countries, c.Country) {
			return place, true
		}
	}
	return montreal, true
}
