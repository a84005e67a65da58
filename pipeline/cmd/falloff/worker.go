package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// workerSettings is the section of falloff.yaml for falloff worker.
type workerSettings struct {
	// DatabaseURLFile names the file that holds the database's address; it is not it.
	DatabaseURLFile string `yaml:"database_url_file"`
	// Workers is how many nights this machine carries out at once, HostLimit how many clinics of one portal's domain all machines
	// together read at once.
	Workers   int `yaml:"workers"`
	HostLimit int `yaml:"host_limit"`
	// Night is the time of day at which the first clinics are read, in each clinic's zone, Jitter over how long they are spread.
	Night  string `yaml:"night"`
	Jitter string `yaml:"jitter"`
	// Deadline is how long a night may take, Grace how long one that is at work may go on when the worker is to stop.
	Deadline string `yaml:"deadline"`
	Grace    string `yaml:"grace"`
}

// parse reads the section. Its errors name the key.
func (s workerSettings) parse() (worker.Options, error) {
	o := worker.Options{Parallel: s.Workers, PerHost: s.HostLimit, Nights: worker.DefaultNights()}
	if s.Workers < 0 || s.Workers > 64 || s.HostLimit < 0 {
		return o, errors.New("workers is a number from 1 to 64, host_limit one above 0")
	}
	if s.Night != "" {
		at, err := time.Parse("15:04", s.Night)
		if err != nil {
			return o, fmt.Errorf("night %q: write a time of day such as 03:15", s.Night)
		}
		o.Nights.At = civil.TimeOf(at)
	}
	for _, d := range []struct {
		key, text   string
		into        *time.Duration
		least, most time.Duration
	}{
		{"jitter", s.Jitter, &o.Nights.Spread, time.Minute, 12 * time.Hour},
		{"deadline", s.Deadline, &o.Deadline, time.Minute, 24 * time.Hour},
		{"grace", s.Grace, &o.Grace, time.Second, 24 * time.Hour},
	} {
		if d.text == "" {
			continue
		}
		var err error
		if *d.into, err = time.ParseDuration(d.text); err != nil || *d.into < d.least || *d.into > d.most {
			return o, fmt.Errorf("%s %q: write a time from %s to %s, such as 90m", d.key, d.text, d.least, d.most)
		}
	}
	return o, nil
}

// envDatabase holds the address of the worker's database. It is no flag, since flags are seen by everybody on a machine.
const envDatabase = "FALLOFF_DATABASE_URL"

func (a *app) workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker --lake DIR",
		Short: "carry out the nights of many clinics, on any number of machines",
		Example: `  falloff worker migrate                                   # once, and after an upgrade
  falloff worker --lake s3://bucket/lake                   # on each machine
  falloff worker enqueue --lake s3://bucket/lake --clinic harbour-street
  falloff worker jobs`,
		Args: cobra.NoArgs,
		Long: `Works until it is told to end (SIGTERM, Ctrl-C). Every clinic of the lake whose credentials are in the vault and that is not paused is
read once a night, when its own time of night has come; falloff run does it, in a process of its own. A job a clinic and day lies in
PostgreSQL, so that any number of machines share the work: one that dies has its jobs taken over by the others within minutes,
and what had landed is not read again.

A night is tried again as its exit code says: 5, 6 and 130 with growing pauses until the clinic's day is over, 3 once more, 1 once
more, and 4 and 2 never, since a person must act first: a rejected password is not sent a second time. falloff worker jobs lists those.

The database's address is in FALLOFF_DATABASE_URL, or in the file that falloff.yaml names as worker.database_url_file. docs/running.md
("Many machines") says what the other settings mean.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.work(cmd.Context()) },
	}
	a.lakeFlags(cmd)
	cmd.Flags().Lookup("clinic").Hidden = true
	cmd.AddCommand(a.workerMigrateCommand(), a.workerEnqueueCommand(), a.workerJobsCommand())
	return cmd
}

// database opens the worker's database.
func (a *app) database(ctx context.Context) (*pgxpool.Pool, error) {
	address := os.Getenv(envDatabase)
	if path := a.file.Worker.DatabaseURLFile; address == "" && path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usagef("reading the database's address: %v", err)
		}
		address = string(text)
	}
	if strings.TrimSpace(address) == "" {
		return nil, usagef("no database: put its address (postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full) into %s, or into a file that falloff.yaml names as worker.database_url_file", envDatabase)
	}
	return worker.Open(ctx, address)
}

func (a *app) work(ctx context.Context) error {
	if a.flags.Clinic != "" {
		return usagef("a worker reads every clinic of the lake. falloff run reads one")
	}
	if a.unlocking.fd != noFD {
		return usagef("--passphrase-fd gives a passphrase once, and every night needs it: use --passphrase-file")
	}
	options, err := a.file.Worker.parse()
	if err != nil {
		return usagef("%v", err)
	}
	lakeOptions, err := a.lakeOptions()
	if err != nil {
		return err
	}
	kept, err := a.keep(ctx, lakeOptions)
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	pool, err := a.database(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	options.Pool, options.Fleet, options.Now, options.Tell, options.Log = pool, &fleet{app: a, kept: kept}, a.now, a.tellf, a.stderr
	options.Runner = &unit.Process{Binary: binary, Args: append(a.unitArgs(), "--quiet"), Env: unitEnvironment(os.Environ()), Log: a.stderr}
	a.tellf("Working. Jobs that wait are carried out as their nights come.")
	return worker.Run(ctx, options)
}

// unitEnvironment is this process's without the database's address, which no night needs.
func unitEnvironment(all []string) (out []string) {
	for _, entry := range all {
		if !strings.HasPrefix(entry, envDatabase+"=") {
			out = append(out, entry)
		}
	}
	return out
}

func (a *app) workerMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "make the tables that workers need, or bring them up to date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pool, err := a.database(cmd.Context())
			if err != nil {
				return err
			}
			defer pool.Close()
			versions, err := worker.Migrate(cmd.Context(), pool)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(struct {
					Applied []int `json:"applied"`
				}{append([]int{}, versions...)})
			}
			_, err = fmt.Fprintf(a.stdout, "the database is as this version needs it; %d migrations were applied\n", len(versions))
			return err
		},
	}
	a.needsSettings(cmd)
	return cmd
}

func (a *app) workerEnqueueCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "enqueue --lake DIR --clinic NAME [--from DATE]",
		Short: "have a clinic's night, or its history, read as soon as there is a place",
		Args:  cobra.NoArgs,
		Long: `Asks the workers for a clinic's night, before all nights that nobody asked for. One that was given up, or that waits to be tried again,
is begun anew: ask for it when you have done what falloff worker jobs said of it. One that has landed is read again.

With --from the clinic's history from that day on is read, after everything else, over as many days as the portal's budget takes.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			kept, err := a.kept(ctx)
			if err != nil {
				return err
			}
			first, err := parseDay("--from", from)
			if err != nil {
				return err
			}
			clinic, err := (&fleet{app: a, kept: kept}).clinic(ctx, lake.ClinicID(kept.options.Clinic))
			if errors.Is(err, errNotConnected) {
				return &pipeline.KeyError{Err: err}
			}
			if err != nil {
				return err
			}
			pool, err := a.database(ctx)
			if err != nil {
				return err
			}
			defer pool.Close()
			asked, err := worker.Ask(ctx, pool, clinic, first, a.now())
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(asked)
			}
			what := "asked for"
			switch asked.Was {
			case "":
			case "running":
				what = "being read just now"
			default:
				what = "asked for again; it was " + asked.Was
			}
			_, err = fmt.Fprintf(a.stdout, "clinic %s, day %s: %s (job %d)\n", asked.Clinic, asked.Day, what, asked.Job)
			return err
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "first `date` of a history to read (default: what is due tonight)")
	return cmd
}

func (a *app) workerJobsCommand() *cobra.Command {
	var states []string
	var most int
	cmd := &cobra.Command{
		Use:   "jobs [--state STATE,…]",
		Short: "list jobs: what is at work, what waits, and what needs a person",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if most < 1 {
				return usagef("--most %d: give a number above 0", most)
			}
			pool, err := a.database(cmd.Context())
			if err != nil {
				return err
			}
			defer pool.Close()
			jobs, err := worker.List(cmd.Context(), pool, states, most)
			if err != nil {
				return err
			}
			counts, err := worker.Count(cmd.Context(), pool)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(struct {
					Counts map[string]int `json:"counts"`
					Jobs   []worker.Job   `json:"jobs"`
				}{counts, append([]worker.Job{}, jobs...)})
			}
			return a.printJobs(jobs, counts)
		},
	}
	a.needsSettings(cmd)
	cmd.Flags().StringSliceVar(&states, "state", nil, "the `states` to list: "+strings.Join(worker.States(), ", ")+" (default all but completed)")
	cmd.Flags().IntVar(&most, "most", 50, "how many `jobs` to list at most")
	return cmd
}

func (a *app) printJobs(jobs []worker.Job, counts map[string]int) error {
	var said []string
	for _, state := range worker.States() {
		if n := counts[state]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(said) == 0 {
		said = []string{"none"}
	}
	if _, err := fmt.Fprintf(a.stdout, "jobs: %s\n", strings.Join(said, ", ")); err != nil || len(jobs) == 0 {
		return err
	}
	rows := make([][]any, 0, len(jobs))
	for _, j := range jobs {
		last := ""
		if j.Last != nil {
			last = firstOf(j.Last.Cause, string(j.Last.Verdict))
			if j.Last.Hint != "" {
				last += ": " + j.Last.Hint
			}
		}
		rows = append(rows, []any{j.Clinic, j.Day.String(), j.State, j.Priority, j.Attempt, j.At.Format("2006-01-02 15:04 MST"), last})
	}
	if _, err := fmt.Fprintln(a.stdout); err != nil {
		return err
	}
	return printTable(a.stdout, []string{"clinic", "day", "state", "priority", "attempt", "at", "how it ended last"}, rows)
}

// needsSettings has falloff.yaml read for a command that has to do with no lake itself.
func (a *app) needsSettings(cmd *cobra.Command) {
	a.lakeFlags(cmd)
	for _, name := range []string{"lake", "clinic", "unencrypted"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
}
