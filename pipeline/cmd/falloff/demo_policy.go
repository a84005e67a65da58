package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline"
)

// demoPolicy writes an access policy for the simulated clinic beside the demo's vault: somebody of each kind, to be tried out. It lets
// people in without a second factor, which a policy has to say.
func demoPolicy(o pipeline.SiteOptions, practitioner string) error {
	var text strings.Builder
	fmt.Fprintf(&text, `# Who may see what of the simulated clinic. A clinic's own demands a second factor: leave the second line out.
version: 1
require_second_factor: false
clinics: [%[1]s]
people:
  - login: ada
    roles: [{role: clinic_owner, clinics: "*"}]
  - login: mia
    roles: [{role: manager, clinics: [%[1]s]}]
  - login: anna
    roles: [{role: analyst, clinics: [%[1]s]}]
  - login: petra
    roles: [{role: privacy_officer, clinics: [%[1]s]}]
  - login: robin
    roles: [{role: practitioner, clinics: [%[1]s]}]
    staff: [{clinic: %[1]s, names: [%[2]q]}]
`, o.Clinic, practitioner)
	if err := os.WriteFile(filepath.Join(o.ConfigDir, defaultPolicy), []byte(text.String()), 0o600); err != nil {
		return &pipeline.StorageError{Doing: "writing the demo's access policy", Err: err}
	}
	return nil
}
