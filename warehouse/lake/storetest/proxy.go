package storetest

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Proxy stands between an S3 client and the gateway that the configuration leads to, and gives the configuration that leads
// through it. What handle does not answer by itself it passes on. The client tries again without waiting.
func Proxy(tb testing.TB, cfg aws.Config, handle func(w http.ResponseWriter, r *http.Request, pass http.Handler)) aws.Config {
	tb.Helper()
	behind, err := url.Parse(*cfg.BaseEndpoint)
	if err != nil {
		tb.Fatal(err)
	}
	// The address that the client wrote to is part of what it signed, and stays.
	pass := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = behind.Scheme, behind.Host, p.In.Host
	}, ErrorLog: log.New(io.Discard, "", 0)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, pass) }))
	tb.Cleanup(server.Close)
	out := cfg.Copy()
	out.BaseEndpoint = &server.URL
	out.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return out
}

// Refuse answers as S3 refuses a request.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<Error><Code>` + code + `</Code><Message>said so</Message></Error>`))
}

// Unconditional passes requests on without their condition, and signs them anew: a server that takes If-None-Match and ignores
// it, as some do.
func Unconditional(cfg aws.Config) func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Header.Get("If-None-Match") != "" {
			r.Header.Del("If-None-Match")
			// An empty User-Agent keeps the reverse proxy's own out of it.
			credentials, err := cfg.Credentials.Retrieve(r.Context())
			if err == nil {
				r.Header.Del("Authorization")
				r.URL.Host, r.URL.Scheme = r.Host, "http"
				err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(
					context.WithoutCancel(r.Context()), credentials, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", cfg.Region, time.Now())
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
		pass.ServeHTTP(w, r)
	}
}

// Requests counts what an S3 client asks for.
type Requests struct {
	All, Lists, Puts atomic.Int64
	// Sent is the bytes of bodies written.
	Sent atomic.Int64
}

// Handle is for Proxy.
func (n *Requests) Handle(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	n.All.Add(1)
	switch {
	case r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "list-type"):
		n.Lists.Add(1)
	case r.Method == http.MethodPut:
		n.Puts.Add(1)
		n.Sent.Add(max(0, r.ContentLength))
	}
	pass.ServeHTTP(w, r)
}

// Lose has the request carried out and its answer lost.
func Lose(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	pass.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler) // ends the connection
}

// CutShort breaks an answer off in the middle of its body.
func CutShort(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	whole := httptest.NewRecorder()
	pass.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}
