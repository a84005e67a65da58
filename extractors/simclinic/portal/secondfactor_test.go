package portal

import (
	"net/http"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

const appSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

func TestASecondFactorIsAskedForJudgedAndBlocked(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 10, 0, time.UTC)
	p := newPortal(t, Options{Clock: func() time.Time { return now }, TrustBrowser: true, BlockCodesAfter: 2})
	p.SetSecondFactor("clerk", SecondFactor{Method: ByApp, Secret: appSecret})
	code := func() string {
		text, err := totp.GenerateCode(appSecret, now)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	send := func(c *caller, text string, trust bool) answered {
		return c.ask("POST", "/api/session/code", map[string]any{"code": text, "trust": trust})
	}
	c := open(t, p)
	send(c, code(), false).want(t, http.StatusUnauthorized, "session has ended")
	c.signIn("clerk", clerkPassword).want(t, http.StatusAccepted, `"method":"app"`)
	c.ask("GET", "/api/account", nil).want(t, http.StatusUnauthorized, "session has ended")
	c.signIn("clerk", clerkPassword).want(t, http.StatusAccepted, `"trust":true`)
	send(c, "000000", false).want(t, http.StatusUnprocessableEntity, "not right")
	used := code()
	send(c, used, true).want(t, http.StatusOK, "clerk")
	c.ask("GET", "/api/account", nil).want(t, http.StatusOK, "clerk")

	// The browser is trusted now, another is not, and the code was used.
	c.signIn("clerk", clerkPassword).want(t, http.StatusOK, "clerk")
	other := open(t, p)
	other.signIn("clerk", clerkPassword).want(t, http.StatusAccepted, "second_factor")
	send(other, used, false).want(t, http.StatusUnprocessableEntity, "used already")
	send(other, "000000", false).want(t, http.StatusUnprocessableEntity, "not right")
	send(other, "000001", false).want(t, http.StatusUnprocessableEntity, "not right")
	now = now.Add(time.Minute)
	blocked := send(other, code(), false)
	blocked.want(t, http.StatusTooManyRequests, "blocked")
	if got := blocked.Header.Get("Retry-After"); got != "840" {
		t.Errorf("Retry-After is %q, want the 14 minutes that are left", got)
	}
	now = now.Add(15 * time.Minute)
	send(other, code(), false).want(t, http.StatusOK, "clerk")
	if p.NewDeviceMails() != 2 || len(p.Codes()) != 7 {
		t.Errorf("%d mails about new devices, want one each; %d codes, want 7", p.NewDeviceMails(), len(p.Codes()))
	}
	// After thirty days the trusted browser is asked again, but is no new device.
	now = now.Add(31 * 24 * time.Hour)
	again := open(t, p)
	again.cookies["device"] = c.cookies["device"]
	again.signIn("clerk", clerkPassword).want(t, http.StatusAccepted, "second_factor")
	send(again, code(), false).want(t, http.StatusOK, "clerk")
	if p.NewDeviceMails() != 2 {
		t.Errorf("%d mails about new devices", p.NewDeviceMails())
	}
}

func TestRetryAfterCanBeAMoment(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	p.LimitRateUntil(1, time.Date(2026, 9, 30, 9, 5, 0, 0, time.UTC))
	got := c.ask("GET", "/api/reports/sales", nil)
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "Wed, 30 Sep 2026 09:05:00 GMT" {
		t.Errorf("answered %d with Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
}
