package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// longestReady bounds the wait of whoever watches a server: it asks again soon.
const longestReady = 4 * time.Second

func (a *app) readyCommand() *cobra.Command {
	var server remoteFlags
	cmd := &cobra.Command{
		Use:   "ready [--server URL]",
		Short: "ask whether a query server answers and reaches its lake",
		Example: `  falloff ready
  falloff ready --server https://falloff.example:8750 --server-ca ca.pem`,
		Args: cobra.NoArgs,
		Long: `Asks a falloff serve whether it is ready, for whoever watches it, such as a container engine: code 0 where it is, 5 where it does not answer,
or does not reach its lake. It needs no token, and waits four seconds at most. Without --server it asks the one that FALLOFF_SERVER names, else
http://` + defaultListen + `.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server.server = cmp.Or(server.server, os.Getenv("FALLOFF_SERVER"), "http://"+defaultListen)
			return a.ready(cmd.Context(), server)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&server.server, "server", "", "`address` of the falloff serve to ask")
	flags.StringVar(&server.authority, "server-ca", "", "PEM `file` with the authority of the server's certificate (default the system's)")
	return cmd
}

func (a *app) ready(ctx context.Context, o remoteFlags) error {
	at, err := remoteAt(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestReady)
	defer cancel()
	_, err = at.ask(ctx, http.MethodGet, "/readyz", url.Values{}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return &unreachableError{err}
	}
	if err == nil {
		a.tellf("ready     %s", at.base)
	}
	return err
}
