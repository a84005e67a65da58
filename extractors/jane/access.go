package jane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/extractors"
)

// A finding is one thing that the account screen says, or the navigation offers.
type finding struct {
	name, found string
	// cause is why the account is refused for it, empty if it is as it must be; do is what to change then.
	cause extractors.Cause
	do    string
}

// readAccess reads the account's level and switches, and what the navigation offers. Forbidden screens are not opened to
// find out whether they could be: that the way there is shown says it.
func (r *run) readAccess(ctx context.Context) ([]finding, error) {
	access := r.profile.Access
	r.answers.forget()
	if err := r.main.follow(ctx, access.Route); err != nil {
		return nil, err
	}
	if err := r.checkContract(ctx, r.main, screenAccount, ""); err != nil {
		return nil, err
	}
	level, err := r.main.find(ctx, access.Level)
	if err != nil {
		return nil, err
	}
	found := finding{name: "Access level", found: level, do: "set the access level to " + strings.Join(access.Levels.Fitting, " or ")}
	switch {
	case slices.Contains(access.Levels.Fitting, level):
	case slices.Contains(access.Levels.Excessive, level):
		found.cause = extractors.PermissionExcessive
	case slices.Contains(access.Levels.Missing, level):
		found.cause = extractors.PermissionMissing
	default:
		return nil, &unmet{expected: fmt.Sprintf("an access level that the profile knows in %s, found %q", access.Level, shapeOf(level))}
	}
	findings := []finding{found}
	for _, t := range access.Toggles {
		shown, err := r.main.find(ctx, t.Selector)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(access.ToggleWords, shown) {
			return nil, &unmet{expected: fmt.Sprintf("one of %v in %s, found %q", access.ToggleWords, t.Selector, shapeOf(shown))}
		}
		f := finding{name: t.Name, found: shown, do: "switch " + t.Name + " " + strings.ToLower(t.Must)}
		if shown != t.Must {
			f.cause = t.Otherwise
		}
		findings = append(findings, f)
	}
	for _, n := range access.Navigation {
		offered, err := r.main.look(ctx, n.Selector)
		if err != nil {
			return nil, err
		}
		f := finding{name: n.Name, found: "not offered", do: n.Do}
		if offered.shown > 0 {
			f.found, f.cause = "offered", extractors.PermissionExcessive
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// verdict is the failure that findings come to, nil if there is none. An account that was switched off is that before all;
// what is excessive counts more than what is missing, because it must be told even if the account is useless as well; but
// what a level that is too low offers beside goes away with that level.
func verdict(findings []finding) *extractors.Failure {
	var wrong, do []string
	counts := map[extractors.Cause]int{}
	tooLow := findings[0].cause == extractors.PermissionMissing
	for _, f := range findings {
		if f.cause == "" || tooLow && f.found == "offered" {
			continue
		}
		counts[f.cause]++
		wrong, do = append(wrong, f.name+" is "+f.found), append(do, f.do)
	}
	for _, cause := range []extractors.Cause{extractors.AccountDeactivated, extractors.PermissionExcessive, extractors.PermissionMissing} {
		if counts[cause] == 0 {
			continue
		}
		failure := fail(cause, "", errors.New(strings.Join(wrong, ", ")))
		if cause != extractors.AccountDeactivated {
			failure.Hint += ". Here: " + strings.Join(do, "; ")
		}
		return failure
	}
	return nil
}

// checkAccess refuses an account that sees too little or can do too much.
func (r *run) checkAccess(ctx context.Context) error {
	findings, err := r.readAccess(ctx)
	if err != nil {
		return err
	}
	if failure := verdict(findings); failure != nil {
		return failure
	}
	return nil
}
