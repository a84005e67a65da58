package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

const defaultListen = "127.0.0.1:8750"

func (a *app) serveCommand() *cobra.Command {
	var certFile, certKey, tokenFile string
	cmd := &cobra.Command{
		Use:   "serve --lake DIR [--clinic NAME] [--listen ADDRESS]",
		Short: "answer Grafana's queries over the marts",
		Example: `  falloff serve --lake lake
  falloff serve --lake s3://bucket/prefix --listen 0.0.0.0:8750 --tls-cert cert.pem --tls-key key.pem`,
		Args: cobra.NoArgs,
		Long: `Serves named queries over the marts of the newest commit, and takes up newer commits by itself. Every request needs
the bearer token in --token-file, which is made where there is none. Plain HTTP is served on loopback only; other
addresses need a certificate and get TLS 1.3. Without --clinic every clinic of the lake is served.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			site, err := a.servedSite(ctx)
			if err != nil {
				return err
			}
			snapshots, err := pipeline.NewSnapshots(ctx, site, query.Limits{})
			if err != nil {
				return err
			}
			clinics, err := a.servable(ctx, snapshots)
			if err != nil {
				return err
			}
			if tokenFile == "" {
				places, err := vault.DefaultPaths(site.ConfigDir, "")
				if err != nil {
					return err
				}
				tokenFile = filepath.Join(filepath.Dir(places.Vault), "server.token")
			}
			token, err := serverToken(tokenFile)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(a.stderr, nil))
			if a.quiet {
				log = slog.New(slog.DiscardHandler)
			}
			policy, err := tokenPolicy()
			if err != nil {
				return err
			}
			srv, err := server.New(server.Options{
				Snapshots: snapshots, Identify: byToken(token), Policy: func() *access.Policy { return policy }, Audit: logged{log},
				CertFile: certFile, KeyFile: certKey, Log: log, Now: a.now,
			})
			if err != nil {
				return usagef("%v", err)
			}
			listener, err := serverListener(ctx, firstOf(a.flags.Listen, a.file.Listen, defaultListen), certFile, certKey)
			if err != nil {
				return err
			}
			at := "http://" + listener.Addr().String()
			if certFile != "" {
				at = "https://" + listener.Addr().String()
			}
			a.tellf("serving   %s\naddress   %s\ntoken     in %s\nGrafana   see infra/README.md; stop with Ctrl-C",
				firstOf(strings.Join(clinics, ", "), "no clinic yet"), at, tokenFile)
			if a.json {
				if err := json.NewEncoder(a.stdout).Encode(serving{Address: at, TokenFile: tokenFile, Clinics: clinics}); err != nil {
					return err
				}
			}
			return srv.Serve(ctx, listener)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.Listen, "listen", "", "`address` to listen on (default "+defaultListen+")")
	flags.StringVar(&tokenFile, "token-file", "", "`file` with the bearer token, made where there is none (default server.token in --config-dir)")
	flags.StringVar(&certFile, "tls-cert", "", "PEM certificate chain `file`")
	flags.StringVar(&certKey, "tls-key", "", "PEM key `file`")
	return cmd
}

// serving is where the server listens, as --json prints it.
type serving struct {
	Address   string   `json:"address"`
	TokenFile string   `json:"token_file"`
	Clinics   []string `json:"clinics"`
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

// serverToken reads the token that requests must carry, or makes one that only this user can read.
func serverToken(path string) (string, error) {
	body, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(body))
		if len(token) < 16 {
			return "", usagef("the token in %s is shorter than 16 characters: delete the file to have one made", path)
		}
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", usagef("reading the token: %v", err)
	}
	raw := make([]byte, 20)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	token := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", usagef("keeping the token: %v. Name another place with --token-file", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", usagef("keeping the token: %v. Name another place with --token-file", err)
	}
	return token, nil
}

// refusedToken is what a request without the server's token is told.
type refusedToken struct{}

func (refusedToken) Error() string { return "the token is missing or wrong" }
func (refusedToken) Code() string  { return "unauthorized" }
func (refusedToken) Hint() string {
	return "send the token that falloff serve printed or was given, as Authorization: Bearer …"
}

// byToken takes whoever has the server's token for the owner of the lake. Digests are compared, so that time tells neither content
// nor length.
func byToken(token string) func(context.Context, *http.Request) (access.Principal, error) {
	want := sha256.Sum256([]byte(token))
	return func(_ context.Context, r *http.Request) (access.Principal, error) {
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(sent))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return access.Principal{}, refusedToken{}
		}
		return access.Principal{Person: "owner", Issuer: access.Grafana, Subject: "owner", SecondFactor: true}, nil
	}
}

// tokenPolicy gives whoever has the server's token all clinics.
func tokenPolicy() (*access.Policy, error) {
	return access.Parse([]byte("version: 1\npeople:\n  - login: owner\n    roles: [{role: clinic_owner, clinics: ['*']}]\n"), "the token's policy")
}

// logged writes what was asked to the server's log.
type logged struct{ log *slog.Logger }

// Record notes who asked what.
func (l logged) Record(_ context.Context, e server.Event) error {
	l.log.Info("asked", "person", e.Person, "route", e.Route, "query", e.Query, "clinic", e.Clinic, "refused", e.Refused, "rows", e.Rows)
	return nil
}
