package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/identity"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// remoteFlags say which query server to ask instead of a lake, and with what.
type remoteFlags struct{ server, tokenFile, authority string }

func (o *remoteFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.server, "server", "", "`address` of a falloff serve to ask, such as https://falloff.example:8750")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` with the token to ask with (default $FALLOFF_TOKEN)")
	flags.StringVar(&o.authority, "server-ca", "", "PEM `file` with the authority of the server's certificate (default the system's)")
}

// tokenVariable holds a service token, or an access token of an OIDC issuer.
const tokenVariable = "FALLOFF_TOKEN"

// remote is a query server, asked as one person or service.
type remote struct {
	base          *url.URL
	authorization string
	client        *http.Client
}

// longestAnswer bounds the wait for a server, which itself gives a query half a minute.
const longestAnswer = 2 * time.Minute

// remoteAt is the server that the flags name, asked as nobody.
func remoteAt(o remoteFlags) (*remote, error) {
	base, err := url.Parse(strings.TrimRight(o.server, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, usagef("--server %q is no address: write http://127.0.0.1:8750, or https:// and a name", o.server)
	}
	if ip := net.ParseIP(base.Hostname()); base.Scheme == "http" && base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--server %s: a token goes to another machine over https only", o.server)
	}
	r := &remote{base: base, client: &http.Client{Timeout: longestAnswer, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if o.authority != "" {
		body, err := os.ReadFile(o.authority)
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(body) {
			return nil, usagef("--server-ca %s holds no certificate", o.authority)
		}
		r.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	}
	return r, nil
}

// remote is the server that the flags name. With --as it is asked as a mock user.
func (a *app) remote(o remoteFlags) (*remote, error) {
	r, err := remoteAt(o)
	if err != nil {
		return nil, err
	}
	if a.actor != "" {
		r.authorization = identity.MockScheme + " " + a.actor
		return r, nil
	}
	token := os.Getenv(tokenVariable)
	if o.tokenFile != "" {
		body, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return nil, usagef("--token-file: %v", err)
		}
		token = string(body)
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, usagef("who asks? Put a token into %s, or name its file with --token-file: falloff token issue makes one", tokenVariable)
	}
	r.authorization = "Bearer " + token
	return r, nil
}

// remoteRefusal is what a server said in the place of an answer.
type remoteRefusal struct {
	status              int
	Message, Hint, Code string
}

func (e *remoteRefusal) Error() string {
	text := "the server refuses: " + e.Message
	if e.Hint != "" {
		text += ". " + strings.ToUpper(e.Hint[:1]) + e.Hint[1:]
	}
	return text
}

// unreachable says that a server did not answer.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string {
	return fmt.Sprintf("the query server does not answer: %v. Is falloff serve running there?", e.err)
}
func (e *unreachableError) Unwrap() error { return e.err }

// ask sends a request and gives the body of the answer. A body that is not nil is sent as JSON.
func (r *remote) ask(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error) {
	at := *r.base
	at.Path += path
	at.RawQuery = parameters.Encode()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), sent)
	if err != nil {
		return nil, fmt.Errorf("preparing the request: %w", err)
	}
	if r.authorization != "" {
		request.Header.Set("Authorization", r.authorization)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return nil, &unreachableError{err}
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, &unreachableError{err}
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	refusal := &remoteRefusal{status: answer.StatusCode}
	var said struct{ Error, Hint, Code string }
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("it answers %d, which a falloff serve does not", answer.StatusCode)
	}
	refusal.Message, refusal.Hint, refusal.Code = said.Error, said.Hint, said.Code
	return nil, refusal
}

// RefusalCode is the server's word for a refusal.
func (e *remoteRefusal) RefusalCode() string { return e.Code }

// exit is the exit code of a refusal.
func (e *remoteRefusal) exit() int {
	switch {
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return exitPerson
	case e.status >= http.StatusInternalServerError:
		return exitLater
	default:
		return exitRefused
	}
}

// query asks a named query and gives columns and rows as they are printed.
func (r *remote) query(ctx context.Context, asked map[string]any) (columns []string, rows [][]any, err error) {
	body, err := r.ask(ctx, http.MethodPost, "/v1/query", nil, asked)
	if err != nil {
		return nil, nil, err
	}
	schema, rows, err := query.Rows(body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	for _, f := range schema.Fields() {
		columns = append(columns, f.Name)
	}
	for _, row := range rows {
		for i, v := range row {
			switch v := v.(type) {
			case civil.Date:
				row[i] = v.String()
			case time.Time:
				row[i] = v.Format(time.RFC3339)
			}
		}
	}
	return columns, rows, nil
}
