package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

type slackSender struct {
	url    secret.Bytes
	client *http.Client
}

// Send posts {"text": …}. Of its id the other side learns nothing, so that one whose answer is lost may be there twice.
func (s *slackSender) Send(ctx context.Context, m Message) Attempt {
	// The three characters that the chat's own markup gives a meaning.
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.Text.Short())
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return Attempt{Outcome: Refused, Reason: "not_writable"}
	}
	return post(ctx, s.client, s.url.Text(), body, nil)
}

// webhookSender signs as Standard Webhooks 1.0 says: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
// What is signed holds the id and the time of the attempt, so that a receiver refuses what is old and what it has had.
type webhookSender struct {
	url    string
	key    secret.Bytes
	client *http.Client
	now    func() time.Time
}

func (s *webhookSender) Send(ctx context.Context, m Message) Attempt {
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{"falloff." + string(m.Event.Kind), m.MadeAt.UTC(), struct {
		Event
		Title string `json:"title"`
		Text  string `json:"text"`
	}{m.Event, m.Text.Subject, strings.Join(m.Text.Lines, "\n")}})
	if err != nil {
		return Attempt{Outcome: Refused, Reason: "not_writable"}
	}
	id, at := "msg_"+m.ID, strconv.FormatInt(s.now().Unix(), 10)
	return post(ctx, s.client, s.url, body, map[string]string{"webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature(s.key, id, at, body)})
}

func signature(key secret.Bytes, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key.Expose())
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signingKey reads a secret as the specification writes it.
func signingKey(text secret.Bytes) (secret.Bytes, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text.Text(), "whsec_"))
	if err != nil || len(raw) < 24 || len(raw) > 64 {
		return secret.Bytes{}, errors.New("it must be whsec_ and 24 to 64 bytes in base64, as printf 'whsec_%s' \"$(openssl rand -base64 32)\" makes one")
	}
	return secret.Own(raw), nil
}

// post says of its errors no more than a word: they hold the address.
func post(ctx context.Context, client *http.Client, url string, body []byte, headers map[string]string) Attempt {
	sent := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent = true }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Attempt{Outcome: Refused, Reason: "address"}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "falloff")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	switch {
	case err != nil && sent:
		return Attempt{Outcome: Unknown, Reason: "no_answer"}
	case err != nil:
		return Attempt{Outcome: Later, Reason: "unreachable"}
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	reason := fmt.Sprintf("http_%d", response.StatusCode)
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return Attempt{Outcome: Delivered}
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		after, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return Attempt{Outcome: Later, Reason: reason, After: time.Duration(min(max(after, 0), 86400)) * time.Second}
	default:
		return Attempt{Outcome: Refused, Reason: reason}
	}
}
