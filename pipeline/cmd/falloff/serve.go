package main

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
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
			lakeAt, err := need("lake", "./lake", a.flags.Lake, a.file.Lake)
			if err != nil {
				return err
			}
			site := pipeline.SiteOptions{
				Lake: lakeAt, Clinic: firstOf(a.flags.Clinic, a.file.Clinic),
				ConfigDir: firstOf(a.flags.ConfigDir, a.file.ConfigDir), KeyFile: firstOf(a.flags.KeyFile, a.file.KeyFile), Now: a.now,
			}
			if tokenFile == "" {
				places, err := vault.DefaultPaths(site.ConfigDir, "")
				if err != nil {
					return err
				}
				tokenFile = filepath.Join(filepath.Dir(places.KeyFile), "server.token")
			}
			token, err := serverToken(tokenFile)
			if err != nil {
				return err
			}
			snapshots, err := pipeline.NewSnapshots(ctx, site, query.Limits{})
			if err != nil {
				return err
			}
			clinics, err := snapshots.Clinics(ctx)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(a.stderr, nil))
			if a.quiet {
				log = slog.New(slog.DiscardHandler)
			}
			srv, err := server.New(server.Options{Snapshots: snapshots, Token: token, CertFile: certFile, KeyFile: certKey, Log: log, Now: a.now})
			if err != nil {
				return usagef("%v", err)
			}
			var config net.ListenConfig
			listener, err := config.Listen(ctx, "tcp", firstOf(a.flags.Listen, a.file.Listen, defaultListen))
			if err != nil {
				return usagef("listening: %v. Choose another address with --listen", err)
			}
			scheme := "http"
			if certFile != "" {
				scheme = "https"
			}
			a.tell("serving %s on %s://%s\ntoken     in %s\nGrafana   see infra/README.md; stop with Ctrl-C",
				strings.Join(clinics, ", "), scheme, listener.Addr(), tokenFile)
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
