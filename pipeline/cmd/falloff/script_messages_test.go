package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// receivers take the messages of one script.
type receivers struct {
	mu     sync.Mutex
	status int
	hooks  []string
	mails  []string
}

// messages has a mail server and a web server on loopback, which take what is sent to them.
func messagesCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2 && (args[0] == "answer" || args[0] == "await"), "messages start|mails|hooks|answer STATUS|await TEXT")
	s := onStage(ts)
	if args[0] == "start" {
		s.receivers = &receivers{status: http.StatusOK}
		s.receivers.start(ts)
		return
	}
	if s.receivers == nil {
		ts.Fatalf("nobody takes messages: messages start")
	}
	r := s.receivers
	if args[0] == "await" {
		r.await(ts, args[1])
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch args[0] {
	case "answer":
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		r.status = status
	case "mails":
		_, _ = fmt.Fprintln(ts.Stdout(), strings.Join(r.mails, "\n"))
	case "hooks":
		_, _ = fmt.Fprintln(ts.Stdout(), strings.Join(r.hooks, "\n"))
	default:
		ts.Fatalf("messages does not know %q", args[0])
	}
}

// await waits until a mail has come that holds a text.
func (r *receivers) await(ts *testscript.TestScript, text string) {
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		came := strings.Contains(strings.Join(r.mails, "\n"), text)
		r.mu.Unlock()
		if came {
			return
		}
	}
	ts.Fatalf("no mail holds %q", text)
}

// start sets MAILPORT and HOOK.
func (r *receivers) start(ts *testscript.TestScript) {
	web := httptest.NewServer(r)
	ts.Defer(web.Close)
	ts.Setenv("HOOK", web.URL)
	mail := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailSession{r}, nil }))
	mail.Domain = "loopback"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = mail.Serve(listener)
	}()
	ts.Defer(func() {
		_ = mail.Close()
		<-ended
	})
	ts.Setenv("MAILPORT", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}

func (r *receivers) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.hooks = append(r.hooks, fmt.Sprintf("%s signed %t: %s", request.URL.Path, request.Header.Get("webhook-signature") != "", body))
	}
	w.WriteHeader(r.status)
}

type mailSession struct{ *receivers }

func (s mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s mailSession) Reset()                               {}
func (s mailSession) Logout() error                        { return nil }
func (s mailSession) Data(from io.Reader) error {
	body, err := io.ReadAll(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, strings.ReplaceAll(string(body), "\r\n", "\n"))
	return err
}
