package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "what falloff knows of the portal's pages: show it, or hold it against a portal",
		Args:  cobra.NoArgs,
		Long: `Everything that falloff relies on in the portal's pages (routes, elements, texts, requests) stands in one profile. It
comes with the program. A clinic whose portal differs can have a profile of its own, which holds only what is different:
profiles/<clinic>.yaml in the configuration folder, or the file that --profile names. It cannot weaken what guards the
clinic: forbidden addresses stay forbidden, and no write is allowed that the program's own profile does not allow.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.profileShowCommand(), a.profileCheckCommand())
	return cmd
}

// profileFor reads the profile of a clinic: the one in path, else the clinic's own in the configuration folder, else the
// program's. source is the file that overrides it, empty where none does.
func (a *app) profileFor(clinic, path string) (profile *jane.Profile, source string, err error) {
	if path == "" && clinic != "" {
		dir := firstOf(a.flags.ConfigDir, a.file.ConfigDir)
		if dir == "" {
			base, err := os.UserConfigDir()
			if err != nil {
				profile, err := jane.DefaultProfile()
				return profile, "", err
			}
			dir = filepath.Join(base, "falloff")
		}
		path = filepath.Join(dir, "profiles", clinic+".yaml")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			path = ""
		}
	}
	if path == "" {
		profile, err = jane.DefaultProfile()
		return profile, "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", usagef("reading the portal profile: %v", err)
	}
	if profile, err = jane.OverriddenProfile(text); err != nil {
		return nil, "", usagef("%s: %v", path, err)
	}
	return profile, path, nil
}

func (a *app) profileShowCommand() *cobra.Command {
	var path string
	var diff bool
	cmd := &cobra.Command{
		Use:   "show [--clinic NAME] [--profile FILE] [--diff]",
		Short: "print the profile, or what a clinic's own changes in it",
		Args:  cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			profile, _, err := a.profileFor(firstOf(a.flags.Clinic, a.file.Clinic), path)
			if err != nil {
				return err
			}
			if diff {
				return a.printChanges(profile)
			}
			if a.json {
				encoder := json.NewEncoder(a.stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(profile.Tree())
			}
			text, err := profile.YAML()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&path, "profile", "", "`file` with what is different (default: profiles/<clinic>.yaml in the configuration folder)")
	cmd.Flags().BoolVar(&diff, "diff", false, "print only what is different from the program's own profile")
	return cmd
}

func (a *app) printChanges(profile *jane.Profile) error {
	changes, err := profile.Changes()
	if err != nil {
		return err
	}
	if a.json {
		if changes == nil {
			changes = []jane.Change{}
		}
		return json.NewEncoder(a.stdout).Encode(changes)
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(a.stdout, "The profile is the program's own.")
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintf(a.stdout, "%s\n", c.Key); err != nil {
			return err
		}
		for _, side := range []struct{ sign, text string }{{"-", c.Was}, {"+", c.Is}} {
			if side.text != "" {
				if _, err := fmt.Fprintf(a.stdout, "  %s %s\n", side.sign, side.text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// profileFlag lets a command that signs in take a profile from elsewhere.
func (a *app) profileFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.profilePath, "profile", "", "`file` with what is different in this portal's pages (default: profiles/<clinic>.yaml in the configuration folder)")
}

func (a *app) profileCheckCommand() *cobra.Command {
	var snapshots string
	cmd := &cobra.Command{
		Use:   "check --lake DIR --clinic NAME [--profile FILE]",
		Short: "sign in and compare every screen with the profile, exporting nothing",
		Args:  cobra.NoArgs,
		Long: `Signs in as the clinic's billing clerk, opens every screen of the profile, and says of each element whether it is as the
profile describes it, differs, or is missing. It sets no filter and exports nothing, so the export's own tab is not looked
at. It prints the profile's words and, of everything else, the shape alone: letters as x, digits as 9.

Ends with code 4 when something differs.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			pictures, err := a.picturesIn(snapshots)
			if err != nil {
				return err
			}
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			var findings []jane.Finding
			err = a.look(ctx, k, func(ctx context.Context, config jane.Config) error {
				progress, stop := a.progress()
				defer stop()
				config.Progress = showExtraction(progress)
				pictures.taking(&config)
				var err error
				if findings, err = jane.Inspect(ctx, config); err == nil {
					progress(pipeline.Step{Name: "portal", Ended: true, Note: fmt.Sprintf("%d elements looked for", len(findings))})
				}
				return err
			})
			return errors.Join(a.printFindings(findings), differences(findings, err))
		},
	}
	a.lakeFlags(cmd)
	a.profileFlag(cmd)
	snapshotsFlag(cmd, &snapshots)
	return cmd
}

// differences is the failure of a check that found some.
func differences(findings []jane.Finding, err error) error {
	n := 0
	for _, f := range findings {
		if f.Verdict == jane.Differs || f.Verdict == jane.Missing {
			n++
		}
	}
	if n == 0 || err != nil {
		return err
	}
	return &extractors.Failure{
		Cause: extractors.PageChanged, Doing: "comparing the portal with the profile", Err: fmt.Errorf("%d elements differ", n),
		Hint: "Write what is different into profiles/<clinic>.yaml and check again, or look for a newer version of falloff",
	}
}

func (a *app) printFindings(findings []jane.Finding) error {
	if a.json {
		if findings == nil {
			findings = []jane.Finding{}
		}
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	screen := ""
	for _, f := range findings {
		if f.Screen != screen {
			screen = f.Screen
			if _, err := fmt.Fprintf(a.stdout, "%s\n", screen); err != nil {
				return err
			}
		}
		line := fmt.Sprintf("  %-13s %s", f.Verdict, f.Element)
		if f.Expected != "" {
			line += fmt.Sprintf(": expected %s, found %s", f.Expected, f.Found)
		}
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
