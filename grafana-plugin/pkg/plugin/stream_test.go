package plugin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// packets takes what a stream sends.
type packets chan []byte

func (p packets) Send(packet *backend.StreamPacket) error {
	p <- packet.Data
	return nil
}

// One question serves everybody who watches, there is a message where the answer is another one, and none where it is not, nor where the
// server does not answer.
func TestAStreamSpeaksWhereSomethingChanged(t *testing.T) {
	var asked atomic.Int64
	answers := []string{`{"commit":"1"}`, `{"commit":"1"}`, "", `{"commit":"1"}`, `{"commit":"2"}`, `{"commit":"2","support":[{}]}`}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer fsv1_x" || r.URL.RequestURI() != "/v1/freshness?clinic=harbour-street" {
			t.Errorf("it asked %s", r.URL)
		}
		answer := answers[min(int(asked.Add(1)), len(answers))-1]
		if answer == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	s := settings{base: server.URL, service: "fsv1_x"}
	c, err := newClient(s)
	if err != nil {
		t.Fatal(err)
	}
	d := &Datasource{settings: s, client: c, pollEvery: time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	sent, ended := make(packets), make(chan error, 1)
	go func() {
		ended <- d.RunStream(ctx, &backend.RunStreamRequest{Path: "freshness/harbour-street"}, backend.NewStreamSender(sent))
	}()
	for _, after := range []int64{1, 5, 6} {
		<-sent
		if n := asked.Load(); n < after {
			t.Errorf("a message came after %d answers, and the news is in number %d", n, after)
		}
	}
	for until := asked.Load() + 5; asked.Load() < until; {
		select {
		case <-sent:
			t.Fatal("a message came without news")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("nobody watches any more, and it says %v", err)
	}
}

func TestAStreamWithoutAServiceTokenIsNone(t *testing.T) {
	d := &Datasource{}
	if err := d.RunStream(t.Context(), &backend.RunStreamRequest{Path: "freshness/harbour-street"}, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("it runs: %v", err)
	}
}
