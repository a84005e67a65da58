package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// keepers are strings that nothing but the channel itself may hold.
const (
	planted  = "hunter2-planted-password"
	pathWord = "T0PLANTED0PATH"
)

func readFile(_, path string) (secret.Bytes, error) {
	text, err := os.ReadFile(path)
	return secret.Own([]byte(strings.TrimSpace(string(text)))), err
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// post office

type postOffice struct {
	mu       sync.Mutex
	server   *smtp.Server
	listener net.Listener
	messages []string
	login    string
	secured  bool
	// What it answers.
	rcpt, data error
	hangUp     bool
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{p, c}, nil }
func (s *session) AuthMechanisms() []string                         { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		if s.office.login = username + "/" + password; password != planted {
			return &smtp.SMTPError{Code: 535, Message: "no"}
		}
		return nil
	}), nil
}
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.office.rcpt }
func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if err != nil {
		return err
	}
	if s.office.data != nil {
		return s.office.data
	}
	_, s.office.secured = s.conn.TLSConnectionState()
	s.office.messages = append(s.office.messages, string(text))
	if s.office.hangUp { // it has the message, and nobody hears so
		_ = s.conn.Conn().Close()
	}
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// certificate is for 127.0.0.1, with the file of its authority.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, written(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func openPostOffice(t *testing.T) (*postOffice, Channel) {
	t.Helper()
	p := &postOffice{}
	cert, ca := certificate(t)
	p.server = smtp.NewServer(p)
	p.server.Domain = "loopback"
	p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	p.server.ErrorLog = quiet{}
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.server.Serve(p.listener)
	}()
	t.Cleanup(func() {
		_ = p.server.Close()
		<-ended
	})
	c := Channel{Name: "office", SMTP: &SMTP{
		Host: "127.0.0.1", Port: p.listener.Addr().(*net.TCPAddr).Port, From: "falloff@clinic.example", To: []string{"owner@clinic.example", "desk@clinic.example"},
		Username: "falloff", PasswordFile: written(t, planted), CAFile: ca,
	}}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	return p, c
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func letter(file *File) Message {
	s := &Settings{Language: "fr", DashboardURL: "https://grafana.clinic.example/d/falloff"}
	e := LeaksEvent("harbour", "commit/7", civilDay(25), 50000, "CAD", 40, []CategoryCount{{"copay_missed", 20, LeakCount{23, 123456}}, {"claim_rejected", 30, LeakCount{31, 700000}}})
	return Message{ID: "00112233445566778899aabbccddeeff", MadeAt: time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), Event: e, Text: s.Text(e), File: file}
}

func open(t *testing.T, c Channel) Sender {
	t.Helper()
	sender, err := c.Open(readFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func TestAnEmailArrives(t *testing.T) {
	t.Parallel()
	office, channel := openPostOffice(t)
	body := []byte("%PDF-1.7 \x00\xff a report")
	if a := open(t, channel).Send(t.Context(), letter(&File{Name: "../r\r\nX: y.pdf", Type: "application/pdf", Body: body})); a.Outcome != Delivered {
		t.Fatalf("%+v", a)
	}
	if office.login != "falloff/"+planted || !office.secured || len(office.messages) != 1 {
		t.Fatalf("signed in as %s, secured %v, %d messages", office.login, office.secured, len(office.messages))
	}
	message, err := mail.ReadMessage(strings.NewReader(office.messages[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || subject != "falloff: Nouvelles pertes à harbour" {
		t.Errorf("subject %q", subject)
	}
	for header, want := range map[string]string{
		"Message-Id": "<00112233445566778899aabbccddeeff@clinic.example>", "Auto-Submitted": "auto-generated", "From": "<falloff@clinic.example>",
		"To": "<owner@clinic.example>, <desk@clinic.example>", "X": "", "Date": "Thu, 26 Nov 2026 08:00:00 +0000",
	} {
		if got := message.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	parts := map[string]string{}
	names := parted(t, message.Header.Get("Content-Type"), message.Body, parts)
	plain, html := parts["text/plain"], parts["text/html"]
	for _, want := range []string{"54 nouvelles pertes ont été trouvées depuis le dernier message, 8\u00a0234,56\u00a0CAD", "  Réclamations refusées       31  7\u00a0000,00\u00a0CAD", "https://grafana.clinic.example/d/falloff"} {
		if !strings.Contains(plain, want) {
			t.Errorf("%q is not in the text:\n%s", want, plain)
		}
	}
	if !strings.Contains(html, "<td") || !strings.Contains(html, "Réclamations refusées") {
		t.Errorf("page:\n%s", html)
	}
	if parts["application/pdf"] != string(body) || len(names) != 1 || names[0] != "r_X_y.pdf" {
		t.Errorf("files %q with %q", names, parts["application/pdf"])
	}
	if strings.Contains(office.messages[0], planted) {
		t.Error("the password is in the message")
	}
}

// parted takes a message apart.
func parted(t *testing.T, kind string, body io.Reader, into map[string]string) (files []string) {
	t.Helper()
	media, parameters, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		into[media] = strings.ReplaceAll(string(text), "\r\n", "\n")
		return nil
	}
	for reader := multipart.NewReader(body, parameters["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		decoded := quotedReader(part)
		switch {
		case strings.HasPrefix(part.Header.Get("Content-Type"), "multipart/"):
			decoded = part
		case strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64"):
			decoded = base64Reader(part)
		}
		if name := part.FileName(); name != "" {
			files = append(files, name)
		}
		files = append(files, parted(t, part.Header.Get("Content-Type"), decoded, into)...)
	}
}

func TestWhatAMailServerAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(*postOffice, *Channel)
		want Attempt
	}{
		"nobody of that name": {func(p *postOffice, _ *Channel) {
			p.rcpt = &smtp.SMTPError{Code: 550, Message: "owner@clinic.example is unknown"}
		}, Attempt{Outcome: Refused, Reason: "smtp_550"}},
		"mailbox full":           {func(p *postOffice, _ *Channel) { p.rcpt = &smtp.SMTPError{Code: 452, Message: "later"} }, Attempt{Outcome: Later, Reason: "smtp_452"}},
		"busy":                   {func(p *postOffice, _ *Channel) { p.data = &smtp.SMTPError{Code: 451, Message: "later"} }, Attempt{Outcome: Later, Reason: "smtp_451"}},
		"spam":                   {func(p *postOffice, _ *Channel) { p.data = &smtp.SMTPError{Code: 554, Message: "spam"} }, Attempt{Outcome: Refused, Reason: "smtp_554"}},
		"wrong password":         {func(_ *postOffice, c *Channel) { c.SMTP.PasswordFile = writtenElsewhere }, Attempt{Outcome: Refused, Reason: "sign_in"}},
		"gone after the message": {func(p *postOffice, _ *Channel) { p.hangUp = true }, Attempt{Outcome: Unknown, Reason: "no_answer"}},
		"not there":              {func(p *postOffice, _ *Channel) { _ = p.listener.Close() }, Attempt{Outcome: Later, Reason: "unreachable"}},
		"no encryption":          {func(p *postOffice, _ *Channel) { p.server.TLSConfig = nil }, Attempt{Outcome: Later, Reason: "unreachable"}},
		"another's certificate":  {func(_ *postOffice, c *Channel) { c.SMTP.CAFile = "" }, Attempt{Outcome: Later, Reason: "unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			office, channel := openPostOffice(t)
			c.set(office, &channel)
			if channel.SMTP.PasswordFile == writtenElsewhere {
				channel.SMTP.PasswordFile = written(t, "another")
			}
			if got := open(t, channel).Send(t.Context(), letter(nil)); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if name == "gone after the message" && len(office.messages) != 1 {
				t.Error("the server does not have the message: the case proves nothing")
			}
		})
	}
}

const writtenElsewhere = "another password"

// webhooks

// The example of the specification's own libraries.
func TestTheSignatureIsTheSpecifications(t *testing.T) {
	t.Parallel()
	key, err := signingKey(secret.FromText("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	if err != nil {
		t.Fatal(err)
	}
	if got := signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	for _, wrong := range []string{"", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", strings.Repeat("A", 200)} {
		if _, err := signingKey(secret.FromText(wrong)); err == nil {
			t.Errorf("%q is taken for a secret", wrong)
		}
	}
}

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestAWebhookIsSigned(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	at := time.Unix(1614265330, 0)
	channel := Channel{Name: "ops", Webhook: &Webhook{URL: server.URL + "/hook", SecretFile: written(t, webhookSecret)}}
	sender, err := channel.Open(readFile, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	m := letter(nil)
	if a := sender.Send(t.Context(), m); a.Outcome != Delivered {
		t.Fatalf("%+v", a)
	}
	key, _ := signingKey(secret.FromText(webhookSecret))
	if got, want := seen.Header.Get("webhook-signature"), signature(key, "msg_"+m.ID, "1614265330", body); got != want || seen.Header.Get("webhook-id") != "msg_"+m.ID || seen.Header.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("headers %v, want the signature %s", seen.Header, want)
	}
	var got struct {
		Type string
		Data struct {
			Clinic, Title string
			Leaks         LeakCount
			Categories    []CategoryLine
		}
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Type != "falloff.leaks" || got.Data.Clinic != "harbour" || got.Data.Leaks.Count != 54 || len(got.Data.Categories) != 2 || got.Data.Title == "" {
		t.Errorf("%v: %s", err, body)
	}
	// Another attempt is signed for its own time, under the same id.
	first := seen.Header.Get("webhook-signature")
	at = at.Add(time.Hour)
	sender.Send(t.Context(), m)
	if seen.Header.Get("webhook-signature") == first || seen.Header.Get("webhook-id") != "msg_"+m.ID {
		t.Error("the second attempt has the signature of the first, or another id")
	}
}

func TestAChatGetsText(t *testing.T) {
	t.Parallel()
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	defer server.Close()
	channel := Channel{Name: "team", Slack: &Slack{URLFile: written(t, server.URL+"/services/"+pathWord)}}
	m := letter(nil)
	m.Text.Lines = append(m.Text.Lines, "<!everyone> & others")
	if a := open(t, channel).Send(t.Context(), m); a.Outcome != Delivered {
		t.Fatalf("%+v", a)
	}
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil || len(got) != 1 || !strings.HasPrefix(got["text"], "falloff: Nouvelles pertes à harbour\n") ||
		!strings.Contains(got["text"], "&lt;!everyone&gt; &amp; others") {
		t.Errorf("%v: %s", err, body)
	}
}

func TestWhatAWebServerAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   Attempt
	}{
		"no content": {status(204), Attempt{Outcome: Delivered}},
		"not found":  {status(404), Attempt{Outcome: Refused, Reason: "http_404"}},
		"gone":       {status(410), Attempt{Outcome: Refused, Reason: "http_410"}},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, Attempt{Outcome: Refused, Reason: "http_307"}},
		"broken": {status(500), Attempt{Outcome: Later, Reason: "http_500"}},
		"too many": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusTooManyRequests)
		}, Attempt{Outcome: Later, Reason: "http_429", After: 90 * time.Second}},
		"hangs up":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Attempt{Outcome: Unknown, Reason: "no_answer"}},
		"not there": {nil, Attempt{Outcome: Later, Reason: "unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			defer server.Close()
			if c.answer == nil {
				server.Close()
			}
			channel := Channel{Name: "team", Slack: &Slack{URLFile: written(t, server.URL+"/"+pathWord)}}
			if got := open(t, channel).Send(t.Context(), letter(nil)); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestEncryptionIsDemanded(t *testing.T) {
	t.Parallel()
	if config, err := tlsTo("smtp.clinic.example", ""); err != nil || config.MinVersion != tls.VersionTLS13 || config.InsecureSkipVerify {
		t.Errorf("%+v, %v", config, err)
	}
	for _, url := range []string{"http://hooks.example/" + pathWord, "https://user:pass@hooks.example", "ftp://hooks.example", "hooks.example", "https://"} {
		channel := Channel{Name: "team", Slack: &Slack{URLFile: written(t, url)}}
		if _, err := channel.Open(readFile, nil); err == nil || strings.Contains(err.Error(), pathWord) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
