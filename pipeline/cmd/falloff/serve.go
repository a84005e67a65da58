package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

const defaultListen = "127.0.0.1:8750"

func (a *app) serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve --lake DIR [--clinic NAME] [--policy FILE] [--listen ADDRESS]",
		Short: "answer people's questions over the marts, to each what they may see",
		Example: `  falloff serve --lake lake
  falloff serve --lake s3://bucket/prefix --listen 0.0.0.0:8750 --tls-cert cert.pem --tls-key key.pem
  falloff serve --lake lake --oidc https://login.example/realms/clinic=falloff`,
		Args: cobra.NoArgs,
		Long: `Answers named queries and analysts' SQL over the marts of the newest commit, and takes up newer commits by itself. A request must be
signed: by the Grafana plugin (falloff token plugin-key), by Grafana itself (--grafana), by an OIDC issuer (--oidc), or be a service
token (falloff token issue). Who then sees what is in the access policy, access.yaml; it is read again when it changes. Every request
is in the audit log before it is answered. Plain HTTP is served on loopback only; other addresses need a certificate and get TLS 1.3.
Without --clinic every clinic of the lake is served. docs/running.md, The query server, has it all.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), o) },
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.Listen, "listen", "", "`address` to listen on (default "+defaultListen+")")
	flags.StringVar(&o.certFile, "tls-cert", "", "PEM certificate chain `file`")
	flags.StringVar(&o.certKey, "tls-key", "", "PEM key `file`")
	o.doors.register(cmd)
	return cmd
}

// serveOptions are how a query server is reached, and who is let in.
type serveOptions struct {
	certFile, certKey string
	doors             doorOptions
	// grafana says how to see it in Grafana; empty is where that is written.
	grafana string
}

// serve answers until the context ends.
func (a *app) serve(ctx context.Context, o serveOptions) (err error) {
	site, err := a.servedSite(ctx)
	if err != nil {
		return err
	}
	log := a.log()
	snapshots, err := pipeline.NewSnapshots(ctx, site, query.Limits{})
	if err != nil {
		return err
	}
	clinics, err := a.servable(ctx, snapshots)
	if err != nil {
		return err
	}
	listener, err := serverListener(ctx, firstOf(a.flags.Listen, a.file.Listen, defaultListen), o.certFile, o.certKey)
	if err != nil {
		return err
	}
	d, err := a.openDoors(ctx, site, snapshots, o.doors, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, d.close(context.WithoutCancel(ctx))) }()
	srv, err := server.New(server.Options{
		Snapshots: snapshots, Identify: d.identify(listener.Addr()), Policy: d.now, Audit: pipeline.ServerAudit{Chain: d.chain}, SQL: d.sql,
		AuditLog: d.audit, Support: d.support,
		Settings: pipeline.ServerSettings{Snapshots: snapshots, Chain: d.chain, QuietHours: func(text string) error {
			_, _, err := jane.ParseQuietHours(text)
			return err
		}},
		History:    pipeline.NewServerEvents(snapshots, d.audit, d.support, a.now),
		Identities: pipeline.ServerIdentities{Snapshots: snapshots, Chain: d.chain},
		Leaks:      pipeline.ServerLeaks{Snapshots: snapshots, Chain: d.chain},
		CertFile:   o.certFile, KeyFile: o.certKey, Log: log, Now: a.now, Tracer: a.tracer(),
		Gather: clinicMetrics(snapshots, a.now),
	})
	if err != nil {
		return errors.Join(usagef("%v", err), listener.Close())
	}
	at := "http://" + listener.Addr().String()
	if o.certFile != "" {
		at = "https://" + listener.Addr().String()
	}
	a.tellf("serving   %s\naddress   %s\npolicy    %s\nGrafana   %s; stop with Ctrl-C",
		firstOf(strings.Join(clinics, ", "), "no clinic yet"), at, d.policy.path, firstOf(o.grafana, "see infra/README.md"))
	if a.json {
		if err := json.NewEncoder(a.stdout).Encode(serving{Address: at, Policy: d.policy.path, Clinics: clinics}); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	return srv.Serve(ctx, listener)
}

// clinicsEvery is how often the lake is asked how its clinics stand, for Prometheus.
const clinicsEvery = time.Minute

// clinicMetrics tells Prometheus how the served clinics stand.
func clinicMetrics(of *pipeline.Snapshots, now func() time.Time) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(pipeline.NewClinicMetrics(of.Clinics, of.Status, clinicsEvery, now))
	return registry
}

// serving is where the server listens, as --json prints it.
type serving struct {
	Address string   `json:"address"`
	Policy  string   `json:"policy"`
	Clinics []string `json:"clinics"`
}

// serverListener listens, unless the server would refuse to serve there.
func serverListener(ctx context.Context, address, certFile, certKey string) (net.Listener, error) {
	if certFile != "" {
		if _, err := tls.LoadX509KeyPair(certFile, certKey); err != nil {
			return nil, usagef("reading --tls-cert and --tls-key: %v", err)
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, usagef("listening: %v. Choose another address with --listen", err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && certFile == "" {
		return nil, errors.Join(
			usagef("--listen %s can be reached from other machines, and plain HTTP is for loopback only: listen on 127.0.0.1, or give --tls-cert and --tls-key", address),
			listener.Close())
	}
	return listener, nil
}

// servedSite says what to serve. A clinic that is named must be there and its key must open, so that a mistake shows here
// and not in Grafana.
func (a *app) servedSite(ctx context.Context) (pipeline.SiteOptions, error) {
	if firstOf(a.flags.Clinic, a.file.Clinic) != "" {
		o, err := a.siteOptions()
		if err == nil {
			_, err = pipeline.OpenExistingSite(ctx, o)
		}
		return o, err
	}
	return a.lakeOptions()
}

// servable names the clinics that can be served, and tells of those that can't. It is an error when there are some and
// none of them can.
func (a *app) servable(ctx context.Context, snapshots *pipeline.Snapshots) ([]string, error) {
	all, err := snapshots.Clinics(ctx)
	if err != nil {
		return nil, err
	}
	served := []string{}
	var failed []error
	for _, clinic := range all {
		_, err := snapshots.Head(ctx, clinic)
		switch {
		case errors.Is(err, server.ErrUnknownClinic):
			a.tellf("clinic %s holds nothing yet: import reports or run an extraction", clinic)
		case err != nil:
			failed = append(failed, fmt.Errorf("clinic %s cannot be served: %w", clinic, err))
			continue
		}
		served = append(served, clinic)
	}
	if len(served) == 0 && len(failed) > 0 {
		return nil, failed[0]
	}
	for _, err := range failed {
		a.tellf("%v", err)
	}
	return served, nil
}
