// Command falloff finds the revenue that a clinic's practice-management system shows nobody: it extracts billing and
// schedule under pseudonyms, computes falloff cohorts and a ledger of leaked revenue, and serves both to Grafana.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/pipeline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it gives the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil {
		text := err.Error()
		if code == exitInterrupted {
			text = "interrupted; what had landed stays, nothing half-landed"
		}
		_, _ = fmt.Fprintln(stderr, "falloff: "+text)
	}
	return code
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time

	configFile string
	flags      config
	file       config
	json       bool
	quiet      bool
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "falloff",
		Short:         "find a clinic's leaked revenue, and the patients who fall off",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		Long: `falloff brings a clinic's schedule and billing home from its practice-management system under
pseudonyms, lands them as Parquet, and computes falloff cohorts and a ledger of leaked revenue.

Exit codes: 0 done, 1 unexpected, 2 wrong flags or settings, 3 data refused, 4 a person must act,
5 try again later, 6 the lake cannot be read or written, 130 interrupted.
Settings that repeat can go into falloff.yaml; see docs/running.md.

falloff is independent: not affiliated with or endorsed by Jane.`,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			var err error
			a.file, err = loadConfig(a.configFile)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v. See `%s --help`", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "settings `file` (default ./falloff.yaml, then the user's configuration folder)")
	flags.StringVar(&a.flags.ConfigDir, "config-dir", "", "`folder` where this machine keeps its keys (default the user's configuration folder)")
	flags.StringVar(&a.flags.KeyFile, "key-file", "", "`file` with the machine key (default machine.key in --config-dir)")
	flags.BoolVar(&a.json, "json", false, "print a machine-readable summary on standard output")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "show no progress")
	root.AddCommand(a.demoCommand(), a.runCommand(), a.importCommand(), a.buildCommand(), a.leaksCommand(), a.statusCommand(),
		a.sqlCommand(), a.serveCommand(), a.simclinicCommand(), a.versionCommand())
	for _, c := range root.Commands() {
		explainArgs(c)
	}
	return root
}

// explainArgs makes wrong arguments of a command a usage error that names its help.
func explainArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%v. See `%s --help`", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		explainArgs(sub)
	}
}

// lakeFlags adds the flags that name a clinic in a lake.
func (a *app) lakeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.flags.Lake, "lake", "", "the lake: a `folder`, or s3://bucket/prefix")
	cmd.Flags().StringVar(&a.flags.Clinic, "clinic", "", "the clinic's `id` in the lake: lower-case letters, digits, hyphens")
}

// siteOptions joins flags and falloff.yaml.
func (a *app) siteOptions() (pipeline.SiteOptions, error) {
	o := pipeline.SiteOptions{
		ConfigDir: firstOf(a.flags.ConfigDir, a.file.ConfigDir), KeyFile: firstOf(a.flags.KeyFile, a.file.KeyFile), Now: a.now,
	}
	var err error
	if o.Lake, err = need("lake", "./lake", a.flags.Lake, a.file.Lake); err != nil {
		return o, err
	}
	o.Clinic, err = need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic)
	return o, err
}

// existingSite opens a clinic that must be there.
func (a *app) existingSite(ctx context.Context) (*pipeline.Site, error) {
	o, err := a.siteOptions()
	if err != nil {
		return nil, err
	}
	return pipeline.OpenExistingSite(ctx, o)
}

// progress shows steps on standard error.
func (a *app) progress() (pipeline.Progress, func()) {
	file, ok := a.stderr.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a file descriptor fits
	return newProgress(a.stderr, terminal, a.quiet, a.now)
}

// tell prints a line of explanation on standard error, unless told to be quiet.
func (a *app) tell(format string, args ...any) {
	if !a.quiet {
		_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}
