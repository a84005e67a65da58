// Command falloff finds the revenue that a clinic's practice-management system shows nobody: it extracts billing and
// schedule under pseudonyms, computes falloff cohorts and a ledger of leaked revenue, and serves both to Grafana.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // clinics' zones, also where the system has none

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it gives the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	root := a.root()
	root.SetArgs(args)
	defer a.unlocking.passphrase.Wipe()
	err := root.ExecuteContext(ctx)
	a.observedEnd(ctx, err)
	code := exitCode(err)
	if err != nil {
		if failure, ok := errors.AsType[*extractors.Failure](err); ok && failure.Cause == extractors.RefusedWrite {
			_, _ = fmt.Fprintf(stderr, "\nALARM: %v. It was stopped before it left this machine.\n", failure.Err)
		}
		text := err.Error()
		if code == exitInterrupted {
			text = "interrupted; what had landed stays, nothing half-landed"
		}
		if a.logForm == logJSON {
			named := nameError(err)
			if named.Doing != "" {
				text = named.Doing + ": " + named.Cause // what to do about it can name who did it, and docs/running.md has it
			}
			newLog(stderr, logJSON).Error("failed", "error", text, "exit_code", code, "cause", named.Cause)
		} else {
			_, _ = fmt.Fprintln(stderr, "falloff: "+text)
		}
	}
	return code
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time

	configFile string
	// profilePath is the file with what is different in the clinic's portal, empty for the usual place.
	profilePath string
	flags       config
	file        config
	json        bool
	quiet       bool
	unlocking   unlocking
	actor       string
	// logForm is how standard error is written, observed the command as telemetry sees it.
	logForm  string
	observed *observed
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
5 try again later, 6 the lake cannot be read or written, 7 tests failed, 130 interrupted.
Settings that repeat can go into falloff.yaml; see docs/running.md.

falloff is independent: not affiliated with or endorsed by Jane.`,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Lookup("lake") == nil { // it has nothing to do with a lake, nor with settings
				return nil
			}
			var err error
			if a.file, err = loadConfig(a.configFile); err != nil {
				return err
			}
			if a.logForm != logText && a.logForm != logJSON {
				return usagef("--log-format %q is not known: use text or json", a.logForm)
			}
			ctx, err := a.observe(cmd.Context(), strings.TrimPrefix(cmd.CommandPath(), "falloff "))
			if err != nil {
				return err
			}
			cmd.SetContext(lake.WithS3Encryption(ctx, lake.S3Encryption{
				Mode: lake.EncryptionMode(a.file.S3Encryption), KMSKey: a.file.S3KMSKey, Warn: func(text string) { a.tellf("%s", text) },
			}))
			return nil
		},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "Available Commands:", "Commands:", 1))
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s. See `%s --help`", flagMistake(err), cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "settings `file` (default ./falloff.yaml, then the user's configuration folder)")
	flags.StringVar(&a.flags.ConfigDir, "config-dir", "", "`folder` where this machine keeps its keys (default the user's configuration folder)")
	flags.StringVar(&a.flags.KeyFile, "key-file", "", "`file` with the machine key (default machine.key in --config-dir)")
	flags.StringVar(&a.flags.CacheDir, "cache-dir", "", "`folder` for what is read of a lake in S3, sealed (default falloff in the user's cache folder)")
	flags.StringVar(&a.flags.CacheSize, "cache-size", "", "how many `bytes` it may take, such as 500MB; 0 keeps nothing (default "+defaultCacheSize+")")
	a.unlockFlags(flags)
	flags.BoolVar(&a.json, "json", false, "print a machine-readable summary on standard output")
	flags.StringVar(&a.logForm, "log-format", logText, "`form` of what goes to standard error: text, or json for a log store")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "show results and errors only, no progress and no remarks")
	root.AddCommand(a.demoCommand(), a.connectCommand(), a.preflightCommand(), a.runCommand(), a.workerCommand(), a.scheduleCommand(), a.pauseCommand(), a.resumeCommand(), a.reconcileCommand(),
		a.identityModeCommand(), a.backupCommand(), a.restoreCommand(), a.deleteCommand(), a.importCommand(), a.planCommand(), a.buildCommand(), a.closeCommand(), a.retainCommand(), a.leaksCommand(),
		a.statusCommand(), a.doctorCommand(), a.notifyCommand(), a.lakeCommand(), a.sqlCommand(), a.analyzeCommand(), a.exportCommand(), a.schemaCommand(), a.lineageCommand(), a.metricsCommand(), a.testCommand(), a.serveCommand(), a.readyCommand(), a.queryCommand(), a.reportCommand(), a.credentialsCommand(), a.agreementCommand(), a.accessCommand(), a.supportCommand(), a.tokenCommand(), a.auditCommand(),
		a.profileCommand(), a.trustCommand(), a.simclinicCommand(), a.sandboxWorkerCommand(),
		a.versionCommand())
	explainArgs(root)
	return root
}

// explainArgs makes wrong arguments of a command a usage error that names its help.
func explainArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			switch {
			case err == nil:
				return nil
			case cmd.HasSubCommands() && len(args) > 0:
				return unknownCommand(cmd, args[0])
			case len(args) > 0:
				// They are not repeated: somebody may have typed a password.
				return usagef("%s takes flags only, and got something else. See `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			default:
				return usagef("%v. See `%s --help`", err, cmd.CommandPath())
			}
		}
	}
	for _, sub := range cmd.Commands() {
		explainArgs(sub)
	}
}

// unknownCommand names the command that was probably meant.
func unknownCommand(cmd *cobra.Command, typed string) error {
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(typed); len(near) > 0 {
		hint = fmt.Sprintf(" Did you mean `%s %s`?", cmd.CommandPath(), near[0])
	}
	return usagef("there is no command %q.%s See `%s --help`", typed, hint, cmd.CommandPath())
}

// flagMistake says what is wrong with a flag, without the words of Go's number parser.
func flagMistake(err error) string {
	text, parser, found := strings.Cut(err.Error(), ": strconv.")
	switch {
	case !found:
		return text
	case strings.HasPrefix(parser, "ParseBool"):
		return text + ": true or false is needed"
	default:
		return text + ": a whole number is needed"
	}
}

// lakeFlags adds the flags that name a clinic in a lake.
func (a *app) lakeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.flags.Lake, "lake", "", "the lake: a `folder`, or s3://bucket/prefix")
	cmd.Flags().StringVar(&a.flags.Clinic, "clinic", "", "the clinic's `id` in the lake: lower-case letters, digits, hyphens")
	cmd.Flags().BoolVar(&a.flags.Unencrypted, "unencrypted", false, "let the clinic lie unencrypted in a lake that is a folder")
}

// lakeOptions joins flags and falloff.yaml, all but the clinic.
func (a *app) lakeOptions() (pipeline.SiteOptions, error) {
	o := pipeline.SiteOptions{
		ConfigDir: firstOf(a.flags.ConfigDir, a.file.ConfigDir), KeyFile: firstOf(a.flags.KeyFile, a.file.KeyFile), Now: a.now, Region: a.file.Region,
		Unencrypted: a.flags.Unencrypted || a.file.Unencrypted,
	}
	var err error
	if o.Lake, err = a.lakeAddress(); err != nil {
		return o, err
	}
	if o.Cache, err = a.cache(o.Lake); err != nil {
		return o, err
	}
	o.Unlock, err = a.unlock()
	return o, err
}

// siteOptions joins flags and falloff.yaml.
func (a *app) siteOptions() (pipeline.SiteOptions, error) {
	o, err := a.lakeOptions()
	if err != nil {
		return o, err
	}
	if o.Clinic, err = need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic); err != nil {
		return o, err
	}
	if _, err := lake.ParseClinicID(o.Clinic); err != nil {
		return o, usagef("--clinic: %v", err)
	}
	return o, nil
}

// address looks like somebody meant an address rather than a folder: a scheme, with or without its slashes.
var address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// lakeAddress is where the lake lies. An address that is not quite one must not become a folder of that name.
func (a *app) lakeAddress() (string, error) {
	at, err := need("lake", "./lake", a.flags.Lake, a.file.Lake)
	if err == nil && address.MatchString(at) && !isURL(at) {
		return "", usagef("--lake %q is neither a folder nor s3://bucket/prefix (a folder of such a name is written ./%s)", at, at)
	}
	return at, err
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
	show, stop := newProgress(a.stderr, drawable(a.stderr), a.quiet, a.now)
	if a.logForm == logJSON && !a.quiet {
		show = logged(a.log(), a.now)
	}
	return a.observed.stepped(show), stop
}

// drawable says that lines can be drawn anew in place: w is a terminal that knows how wide it is and how to go back.
func drawable(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	return err == nil && width >= 40
}

// tellf prints a line of explanation on standard error, unless told to be quiet.
func (a *app) tellf(format string, args ...any) {
	switch {
	case a.quiet:
	case a.logForm == logJSON:
		a.log().Info("remark", "note", fmt.Sprintf(format, args...))
	default:
		_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}
