package portal

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLevelsAndSwitchesDecideWhatIsSeen(t *testing.T) {
	all := Toggles{Billing: true, Charts: true, ManageShifts: true}
	paths := []string{
		"/api/account", "/api/schedule", "/api/reports/appointments", "/api/reports/shift", "/api/reports/sales", "/api/reports/claims",
		"/api/reports/insurance_policies", "/api/activity", "/api/patients/1/photo", "/api/patients/1", "/admin/patients/1",
		"/api/patients", "/api/chart_entries", "/admin/chart_entries/1", "/api/documents", "/admin/documents/1",
	}
	for _, c := range []struct {
		level   Level
		toggles Toggles
		// seen has one letter for each path: y for 200, n for 403.
		seen string
	}{
		{NoAccess, all, "y" + strings.Repeat("n", 15)},
		{PractitionerLimited, Toggles{}, "yynnnnnnyyynnnnn"},
		{FrontDesk, all, "yyyynnnnyyynyyyy"},
		{AdministrativeAllBilling, Toggles{Billing: true}, "yyyyyyyyynnnnnnn"},
		{AdministrativeAllBilling, Toggles{}, "yyyynnnyynnnnnnn"},
		{AdministrativeAllBilling, all, "yyyyyyyyynnnyyyy"},
		{AccountOwner, all, strings.Repeat("y", 16)},
	} {
		p := newPortal(t, Options{})
		p.SetAccess("clerk", c.level, c.toggles)
		visitor := enter(t, p)
		var seen strings.Builder
		for _, path := range paths {
			got := visitor.ask("GET", path, nil)
			switch got.StatusCode {
			case http.StatusOK:
				seen.WriteByte('y')
			case http.StatusForbidden:
				seen.WriteByte('n')
				if bytes.Contains(got.body, []byte("Canary")) {
					t.Errorf("%s %+v: the refusal of %s names a patient", c.level, c.toggles, path)
				}
			default:
				t.Errorf("%s answers %d", path, got.StatusCode)
			}
		}
		if seen.String() != c.seen {
			t.Errorf("%s %+v sees %s of %v, want %s", c.level, c.toggles, seen.String(), paths, c.seen)
		}
	}
}

func TestForbiddenPagesAreFullOfWhatMustNotBeRead(t *testing.T) {
	p := newPortal(t, Options{})
	p.SetAccess("clerk", AccountOwner, Toggles{Billing: true, Charts: true})
	c := enter(t, p)
	for _, path := range []string{"/api/patients/1", "/admin/patients/1", "/api/patients"} {
		body := c.ask("GET", path, nil).body
		for _, canary := range []string{
			"Canary Firstname", "555-0100", "canary@example.test", "1 Canary Row", "1970-01-02", "4000 0000 0000 0002", "canary note", "canary diagnosis",
		} {
			if !bytes.Contains(body, []byte(canary)) {
				t.Errorf("%s lacks %q", path, canary)
			}
		}
	}
	c.ask("GET", "/api/chart_entries", nil).want(t, 200, "canary diagnosis")
	c.ask("GET", "/api/patients/3", nil).want(t, 404, "nothing")
	c.ask("GET", "/api/patients/0", nil).want(t, 404, "nothing")
	c.ask("GET", "/api/patients/x", nil).want(t, 404, "nothing")
}

func TestTheClerkCanWriteAndItIsCounted(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	c.ask("POST", "/api/payments", map[string]string{"invoice": "1-P01", "amount": "95.00"}).want(t, 200, "1-P01")
	if got := p.PaymentsRecorded(); got != 1 {
		t.Errorf("%d payments were recorded, want 1", got)
	}
	if got := p.Trespasses(); len(got) != 1 || got[0].Nature != Write {
		t.Errorf("trespasses are %+v, want one write", got)
	}
}

func TestDeactivationTakesEffectWithTheNextRequest(t *testing.T) {
	p := newPortal(t, Options{})
	for _, path := range []string{"/api/account", "/api/reports/sales", "/downloads/anything", "/downloads/anything/status"} {
		p.Reactivate("clerk")
		c := enter(t, p)
		p.Deactivate("clerk")
		c.ask("GET", path, nil).want(t, 403, "This account has been deactivated.")
		if got := p.LiveSessions(); got != 0 {
			t.Errorf("%s: %d sessions live on", path, got)
		}
	}
	if p.Deactivate("nobody") {
		t.Error("an account that does not exist was deactivated")
	}
}

func TestAHookMakesAFailureHappenInTheMiddle(t *testing.T) {
	var p *Portal
	p = newPortal(t, Options{BeforeRequest: func(r Request) {
		if strings.HasSuffix(r.Path, "/status") {
			p.Deactivate(r.Account)
		}
	}})
	t.Cleanup(p.Close)
	c := enter(t, p)
	id := c.export("sales", "csv")
	c.ask("GET", "/downloads/"+id+"/status", nil).want(t, 403, "This account has been deactivated.")
}

func TestAnEndedSessionSendsPagesToTheSignIn(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	p.ExpireSessions()
	got := c.ask("GET", "/downloads/harbour_sales_20260901_20260930.csv", nil)
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/admin" {
		t.Errorf("answered %d to %q, want 303 to /admin", got.StatusCode, got.Header.Get("Location"))
	}
	c.ask("GET", "/api/filters", nil).want(t, 401, "Your session has ended. Please sign in again.")
}

func TestRateLimitAndMaintenance(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	p.LimitRate(2, 7*time.Second)
	c.ask("GET", "/api/account", nil).want(t, 200, "clerk")
	got := c.ask("GET", "/api/reports/sales", nil)
	got.want(t, 429, "Too many requests. Please wait a moment and try again.")
	if got.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After is %q, want 7", got.Header.Get("Retry-After"))
	}
	page := c.ask("GET", "/downloads/x", nil)
	page.want(t, 429, `role="alert"`)
	c.ask("GET", "/api/reports/sales", nil).want(t, 200, "Sales")
	p.LimitRate(1, 0)
	if got := c.ask("GET", "/api/reports/sales", nil); got.StatusCode != 429 || got.Header.Values("Retry-After") != nil {
		t.Errorf("answered %d with Retry-After %q, want 429 without", got.StatusCode, got.Header.Values("Retry-After"))
	}

	p.SetMaintenance(true)
	for _, path := range []string{"/admin", "/api/account", "/downloads/x"} {
		c.ask("GET", path, nil).want(t, 503, "The portal is closed for maintenance.")
	}
	p.SetMaintenance(false)
	c.ask("GET", "/api/account", nil).want(t, 200, "clerk")
}

func TestADeadPortal(t *testing.T) {
	p := newPortal(t, Options{})
	url, stop, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() error {
		response, err := client.Get(url + "/admin")
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	p.Unplug()
	if err := get(); err == nil {
		t.Error("an unplugged portal answers")
	}
	p.Plug()
	if err := get(); err != nil {
		t.Errorf("plugged in again: %v", err)
	}
	stop()
	if err := get(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("after stop the address gives %v, want a refused connection", err)
	}
	stop()
}

func TestTheContextStopsThePortal(t *testing.T) {
	p := newPortal(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	url, stop, err := p.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	stop()
	if conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		conn.Close()
		t.Error("the portal still listens after its context ended")
	}
}

func TestTheCableSpeaksWebSocketAndEndsWithThePortal(t *testing.T) {
	p := newPortal(t, Options{})
	url, stop, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := enter(t, p)
	c.ask("GET", "/cable", nil).want(t, 426, "WebSocket only")

	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request, err := http.NewRequest("GET", url+"/cable", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(c.cookies["sid"])
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	stream := bufio.NewReader(conn)
	response, err := http.ReadResponse(stream, request)
	if err != nil {
		t.Fatal(err)
	}
	// The pair of key and answer is the example of RFC 6455, section 1.3.
	if response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("the handshake answers %d %v", response.StatusCode, response.Header)
	}
	head := make([]byte, 2)
	if _, err := stream.Read(head); err != nil || head[0] != 0x81 {
		t.Fatalf("the first frame begins with %x (%v), want an unbroken text frame", head, err)
	}
	stop()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.WriteTo(new(bytes.Buffer)); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection did not end with the portal: %v", err)
	}
	if got := p.Trespasses(); len(got) != 2 || got[1].Status != http.StatusSwitchingProtocols {
		t.Errorf("trespasses are %+v, want both handshakes", got)
	}
}
