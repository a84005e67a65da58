package browser

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An identity is a key and a certificate for the portal's name that exist in this session's memory only. The browser
// accepts the key by its digest; nobody else has a reason to.
type identity struct {
	config *tls.Config
	// pin is the digest in the form that Chromium's flag takes.
	pin string
}

func newIdentity(host string, now time.Time) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    now.Add(-24 * time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	digest := sha256.Sum256(public)
	return &identity{
		pin: base64.StdEncoding.EncodeToString(digest[:]),
		config: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			NextProtos:   []string{"http/1.1"},
			Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}},
		},
	}, nil
}

// A handover is a listener that accepts connections which another server has taken over.
type handover struct {
	at    net.Addr
	ready chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newHandover(at net.Addr) *handover {
	return &handover{at: at, ready: make(chan net.Conn), over: make(chan struct{})}
}

// Accept waits for a connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.ready:
		return c, nil
	case <-h.over:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.over) })
	return nil
}

// Addr is the address of the outer listener.
func (h *handover) Addr() net.Addr { return h.at }

func (h *handover) give(c net.Conn) bool {
	select {
	case h.ready <- c:
		return true
	case <-h.over:
		return false
	}
}

// tunnel lets the browser believe that it speaks to an HTTPS portal: TLS ends here, and what comes through it is judged
// request by request. Tunnels to anywhere else are refused, and so are those that Chromium asks for on behalf of
// WebSockets where the portal is plain HTTP.
func (x *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	if x.inner == nil || !strings.EqualFold(r.Host, x.referee.policy.origin.Address()) {
		x.refuse(w, r.Method, "https://"+r.Host, tunnel)
		return
	}
	browser, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(browser, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		browser.Close()
		return
	}
	secured := tls.Server(&prefixed{Conn: browser, in: buffered.Reader}, x.identity.config)
	shaking, cancel := context.WithTimeout(x.ctx, slowest)
	defer cancel()
	if err := secured.HandshakeContext(shaking); err != nil || !x.handover.give(secured) {
		browser.Close()
	}
}

// prefixed reads first what a server had read ahead of a connection that was taken over from it.
type prefixed struct {
	net.Conn

	in *bufio.Reader
}

// Read reads what was buffered, then the connection.
func (p *prefixed) Read(b []byte) (int, error) { return p.in.Read(b) }
