package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// simDials are the dials that the simclinic commands and the demo offer.
type simDials struct {
	seed     uint64
	patients int
	from, to string
	country  string
}

func (d *simDials) register(cmd *cobra.Command) {
	usual := simclinic.DefaultDials()
	flags := cmd.Flags()
	flags.Uint64Var(&d.seed, "seed", usual.Seed, "the `number` that decides every chance in the clinic")
	flags.IntVar(&d.patients, "patients", usual.Patients, "how many `people` ever book, 50 to 200000")
	flags.StringVar(&d.from, "from", usual.From.String(), "first `date` of the clinic's history")
	flags.StringVar(&d.to, "to", usual.To.String(), "report `date`: the last day that has happened")
	flags.StringVar(&d.country, "country", usual.Country, "`code` CA, US, GB or AU: zone, currency and tax")
}

func (d *simDials) clinic() (*simclinic.Clinic, error) {
	dials := simclinic.DefaultDials()
	dials.Seed, dials.Patients, dials.Country = d.seed, d.patients, d.country
	var err error
	if dials.From, err = parseDay("--from", d.from); err != nil {
		return nil, err
	}
	if dials.To, err = parseDay("--to", d.to); err != nil {
		return nil, err
	}
	clinic, err := simclinic.New(dials)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return clinic, nil
}

func (a *app) simclinicCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simclinic",
		Short: "a simulated clinic, for tests and for trying falloff out",
		Long: `Simulates a clinic: people who come, pause and drop off, staff who forget to bill, insurers who reject. It stands in
for a real portal where none can be had. Nothing it makes is about a real person.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.simclinicExport(), a.simclinicServe())
	return cmd
}

func (a *app) simclinicExport() *cobra.Command {
	var dials simDials
	var out, truth, format string
	cmd := &cobra.Command{
		Use:   "export --seed N --out DIR --truth FILE",
		Short: "write its report files, its clinic.yaml and the truth",
		Long: `Writes the reports that a person would export from the portal, and clinic.yaml, into a folder; and what really leaked,
as of the report date, into a file apart: category,source_id,occurred_on,amount_cents, and beside it FILE.states.csv with
patient,date,status. The truth comes from the simulated people's behaviour, not from the reports.`,
		Example: "  falloff simclinic export --seed 7 --out exports --truth truth.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" || truth == "" {
				return usagef("say where to write with --out DIR and --truth FILE")
			}
			clinic, err := dials.clinic()
			if err != nil {
				return err
			}
			if err := clinic.Export(cmd.Context(), out, truth, format); err != nil {
				return usagef("%v", err)
			}
			leaks := len(clinic.Truth())
			if a.json {
				return json.NewEncoder(a.stdout).Encode(map[string]any{
					"out": out, "truth": truth, "seed": dials.seed, "patients": dials.patients, "report_date": clinic.ReportDate().String(), "leaks": leaks,
				})
			}
			a.tellf("wrote %s to %s: seed %d, %d people, %s to %s\ntruth: %d leaks in %s, statuses in %s.states.csv",
				clinic.Name(), out, dials.seed, dials.patients, dials.from, dials.to, leaks, truth, truth)
			return nil
		},
	}
	dials.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "`folder` for the report files and clinic.yaml")
	cmd.Flags().StringVar(&truth, "truth", "", "`file` for what really leaked")
	cmd.Flags().StringVar(&format, "format", "csv", "`form` of the reports: csv or xlsx")
	return cmd
}

func (a *app) simclinicServe() *cobra.Command {
	var dials simDials
	listen := "127.0.0.1:8760"
	cmd := &cobra.Command{
		Use:   "serve [--seed N] [--listen ADDRESS]",
		Short: "serve its staff portal, to look at or to extract from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clinic, err := dials.clinic()
			if err != nil {
				return err
			}
			site, err := portal.New(clinic, portal.Options{})
			if err != nil {
				return err
			}
			defer site.Close()
			var config net.ListenConfig
			listener, err := config.Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return usagef("listening: %v. Choose another address with --listen", err)
			}
			if addr, ok := listener.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
				_ = listener.Close()
				return usagef("the simulated portal is served on loopback only: use --listen 127.0.0.1:PORT")
			}
			clerk := portal.DefaultClerk()
			_, _ = fmt.Fprintf(a.stdout, "portal   http://%s/admin\naccount  %s\npassword %s (a made-up clinic: there is nothing to protect)\n",
				listener.Addr(), clerk.Username, clerk.Password)
			srv := &http.Server{Handler: site.Handler(), ReadHeaderTimeout: 10 * time.Second}
			done := make(chan error, 1)
			go func() { done <- srv.Serve(listener) }()
			select {
			case err := <-done:
				return err
			case <-cmd.Context().Done():
				_ = srv.Close()
				if err := <-done; !errors.Is(err, http.ErrServerClosed) {
					return err
				}
				return nil
			}
		},
	}
	dials.register(cmd)
	cmd.Flags().StringVar(&listen, "listen", listen, "loopback `address` to listen on")
	return cmd
}
