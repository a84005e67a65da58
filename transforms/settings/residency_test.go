package settings_test

import (
	"testing"

	"github.com/falloff-analytics/falloff/transforms/settings"
)

func TestResidence(t *testing.T) {
	for _, c := range []struct{ country, region, want string }{
		{"CA", "", "ca-central-1"}, {"BR", "", "ca-central-1"}, {"JP", "", "ca-central-1"}, {"US", "", "us-west-2"}, {"KY", "", "us-west-2"},
		{"AU", "", "ap-southeast-2"}, {"NZ", "", "ap-southeast-2"}, {"SG", "", "ap-southeast-2"}, {"GB", "", "eu-west-2"}, {"DE", "", "eu-west-2"},
		{"IE", "", "eu-west-2"}, {"CA", "us-east-1", "us-east-1"}, {"GB", "ca-central", "ca-central-1"}, {"", "eu-london", "eu-west-2"}, {"", "", ""},
	} {
		got, ok := settings.Clinic{Country: c.country, Region: c.region}.Residence()
		if got.Region != c.want || ok != (c.want != "") {
			t.Errorf("country %q, region %q: %+v, want %q", c.country, c.region, got, c.want)
		}
	}
}
