package plugin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

const (
	arrowStream = "application/vnd.apache.arrow.stream"
	// largestAnswer and largestError bound what is read of one answer.
	largestAnswer = 256 << 20
	largestError  = 64 << 10
)

// client asks one query server. It follows no redirect, so that a token goes nowhere else.
type client struct {
	http     *http.Client
	base     string
	settings settings
}

func newClient(s settings) (*client, error) {
	timeouts := httpclient.DefaultTimeoutOptions
	timeouts.Timeout = 60 * time.Second
	options := httpclient.Options{
		Timeouts: &timeouts,
		ConfigureTLSConfig: func(_ httpclient.Options, config *tls.Config) {
			config.MinVersion = tls.VersionTLS13
			config.InsecureSkipVerify = false
		},
	}
	if s.caCertificate != "" || s.serverName != "" {
		options.TLS = &httpclient.TLSOptions{CACertificate: s.caCertificate, ServerName: s.serverName}
	}
	h, err := httpclient.New(options)
	if err != nil {
		return nil, &problem{
			Category: categoryTLS, Message: "The certificate authority cannot be read",
			Hint: "Paste its certificate in PEM form", cause: err,
		}
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{http: h, base: s.base, settings: s}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// wireQuery is the body of POST /v1/query.
type wireQuery struct {
	Clinic string         `json:"clinic"`
	Query  string         `json:"query"`
	Params map[string]any `json:"params,omitempty"`
	From   string         `json:"from,omitempty"`
	To     string         `json:"to,omitempty"`
}

// stream asks a named query. The caller closes the stream.
func (c *client) stream(ctx context.Context, q wireQuery) (io.ReadCloser, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, &problem{Category: categoryQuery, Message: "The query's parameters cannot be sent", cause: err}
	}
	response, err := c.do(ctx, http.MethodPost, "/v1/query", body)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != arrowStream {
		_ = response.Body.Close()
		return nil, refused(response.StatusCode, told{})
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, largestAnswer), response.Body}, nil
}

// get asks for JSON.
func (c *client) get(ctx context.Context, path string, into any) error {
	return c.json(ctx, http.MethodGet, path, nil, into)
}

// json sends a body, nil for none, and reads JSON.
func (c *client) json(ctx context.Context, method, path string, body []byte, into any) error {
	response, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(response.Body, largestAnswer)).Decode(into); err != nil {
		if ctx.Err() != nil {
			return unreached(ctx.Err())
		}
		p := refused(response.StatusCode, told{})
		p.cause = err
		return p
	}
	return nil
}

func (c *client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking the query server: %w", err)
	}
	token, err := c.settings.token(ctx)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, unreached(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	var answer told
	// An answer that is not ours has no code, and refused says so.
	_ = json.NewDecoder(io.LimitReader(response.Body, largestError)).Decode(&answer)
	return nil, refused(response.StatusCode, answer)
}
