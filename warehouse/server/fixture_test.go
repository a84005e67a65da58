package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// token is who asks where a test does not care: the owner of every clinic.
const token = "everywhere"

// lake is a Snapshots over fixture marts, whose head a test moves.
type lake struct {
	marts    map[string][]string
	released *disclosure.Released

	mu      sync.Mutex
	heads   map[string]string
	headErr error
	openErr error
	opened  int
	alive   int
	// inside, where set, is called by every query before it runs, and so is during, whose error is the query's.
	inside func()
	during func(ctx context.Context) error
	// opening, where set, is called before a snapshot is opened.
	opening func()
	broken  bool
}

func (l *lake) Clinics(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id := range l.heads {
		ids = append(ids, id)
	}
	return ids, nil
}

func (l *lake) Head(_ context.Context, clinic string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head, ok := l.heads[clinic]
	if !ok {
		return "", fmt.Errorf("clinic %s: %w", clinic, server.ErrUnknownClinic)
	}
	return head, l.headErr
}

func (l *lake) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	l.mu.Lock()
	head, err, opening := l.heads[clinic], l.openErr, l.opening
	l.mu.Unlock()
	if opening != nil {
		opening()
	}
	if err != nil {
		return nil, err
	}
	engine, err := servertest.Open(ctx, l.marts, l.released, clinic, head, view)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened++
	l.alive++
	return &countedEngine{Engine: engine, lake: l}, nil
}

func (l *lake) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *lake) count() (opened, alive int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened, l.alive
}

type countedEngine struct {
	*query.Engine
	lake *lake
}

func (e *countedEngine) Run(ctx context.Context, request query.Request) (*query.Answer, error) {
	e.lake.mu.Lock()
	inside, during := e.lake.inside, e.lake.during
	e.lake.mu.Unlock()
	if inside != nil {
		inside()
	}
	if during != nil {
		if err := during(ctx); err != nil {
			return nil, err
		}
	}
	return e.Engine.Run(ctx, request)
}

// Broken says so once.
func (e *countedEngine) Broken() bool {
	e.lake.mu.Lock()
	defer e.lake.mu.Unlock()
	broken := e.lake.broken
	e.lake.broken = false
	return broken
}

func (e *countedEngine) Close() error {
	e.lake.set(func() { e.lake.alive-- })
	return e.Engine.Close()
}

func newLake(t *testing.T) *lake {
	return &lake{marts: martstest.Small(t), released: martstest.Released(t), heads: map[string]string{"harbour-street": "1"}}
}

// serve starts a server on a free loopback port and stops it with the test.
func serve(t *testing.T, options server.Options) (address string, stop func() error) {
	t.Helper()
	url, stop := servertest.Serve(t, options)
	return strings.TrimPrefix(url, "http://"), stop
}

func options(t *testing.T, l *lake) server.Options {
	o := servertest.Options(t, l)
	o.HeadEvery = -1
	return o
}

// ask sends a request with the token and gives status and body.
func ask(t *testing.T, method, url, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, content
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "falloff test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return certFile, keyFile, pool
}

// statements notes what it is asked, and answers one row; it refuses what is no SELECT. The real one is tried by the command.
type statements struct {
	mu    sync.Mutex
	marts map[string][]string
}

func (s *statements) Run(_ context.Context, clinic string, marts []string, statement string) (server.SQLAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marts == nil {
		s.marts = map[string][]string{}
	}
	s.marts[clinic] = marts
	if !strings.HasPrefix(statement, "select") {
		return server.SQLAnswer{}, &sandbox.Error{}
	}
	return server.SQLAnswer{IPC: []byte("arrow"), Rows: 1, Snapshot: "1"}, nil
}
