package portal

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSignInTellsWhatIsWrongOnlyToWhoKnowsThePassword(t *testing.T) {
	retired := Account{Username: "retired", Password: "once", Level: AdministrativeAllBilling, Inactive: true}
	p := newPortal(t, Options{Accounts: []Account{DefaultClerk(), retired}})
	for _, c := range []struct {
		username, password string
		status             int
		message            string
	}{
		{"clerk", "guess", 401, "The username or password is incorrect."},
		{"nobody", "guess", 401, "The username or password is incorrect."},
		{"", "", 401, "The username or password is incorrect."},
		{"retired", "guess", 401, "The username or password is incorrect."},
		{"retired", "once", 403, "This account has been deactivated."},
		{"clerk", clerkPassword, 200, "clerk"},
	} {
		open(t, p).signIn(c.username, c.password).want(t, c.status, c.message)
	}
	if got := len(p.SignIns()); got != 6 {
		t.Errorf("%d attempts are recorded, want all 6", got)
	}
}

func TestWrongPasswordsInARowLockTheAccount(t *testing.T) {
	p := newPortal(t, Options{LockAfter: 3})
	c := open(t, p)
	c.signIn("clerk", "one").want(t, 401, "incorrect")
	c.signIn("clerk", "two").want(t, 401, "incorrect")
	c.signIn("clerk", "three").want(t, 423, "This account is locked after too many failed sign-ins.")
	c.signIn("clerk", clerkPassword).want(t, 423, "locked")
	p.SetPassword("clerk", "a new one")
	c.signIn("clerk", clerkPassword).want(t, 401, "incorrect")
	c.signIn("clerk", "a new one").want(t, 200, "clerk")
}

func TestTheSessionCookieIsKeptFromScriptsAndChangesAtSignIn(t *testing.T) {
	p := newPortal(t, Options{})
	c := open(t, p)
	before := c.cookies["sid"]
	got := c.signIn("clerk", clerkPassword)
	after := c.cookies["sid"]
	if before.Value == after.Value {
		t.Error("a cookie from before the sign-in is still good after it")
	}
	if !after.HttpOnly || after.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %v: want HttpOnly and SameSite=Lax", after)
	}
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer to a sign-in may be cached: %v", got.Header)
	}
	c.cookies["sid"] = before
	c.ask("GET", "/api/account", nil).want(t, 401, "Your session has ended.")
}

func TestNothingChangesWithoutTheToken(t *testing.T) {
	p := newPortal(t, Options{})
	for name, ask := range map[string]func(*caller) answered{
		"sign-in":  func(c *caller) answered { return c.signIn("clerk", clerkPassword) },
		"sign-out": func(c *caller) answered { return c.ask("DELETE", "/api/session", nil) },
		"filters":  func(c *caller) answered { return c.setFilters("", "", "", "") },
		"export": func(c *caller) answered {
			return c.ask("POST", "/api/exports", map[string]string{"report": "sales", "format": "csv"})
		},
		"payment": func(c *caller) answered {
			return c.ask("POST", "/api/payments", map[string]string{"invoice": "1-P01", "amount": "10"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := enter(t, p)
			remembered := p.filtersOf("clerk")
			for _, token := range []string{"", strings.Repeat("A", 26)} {
				c.csrf = token
				ask(c).want(t, 403, "out of date")
			}
			if p.PaymentsRecorded() != 0 || p.filtersOf("clerk") != remembered {
				t.Error("the refused call changed something")
			}
			c.ask("GET", "/api/account", nil).want(t, 200, "Administrative / All Billing")
		})
	}
}

func TestSessionsEndWhenNobodyUsesThem(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC)
	p := newPortal(t, Options{IdleTimeout: 10 * time.Minute, Clock: func() time.Time { return now }})
	c := enter(t, p)
	now = now.Add(9 * time.Minute)
	c.ask("GET", "/api/account", nil).want(t, 200, "clerk")
	now = now.Add(9 * time.Minute)
	c.ask("GET", "/api/account", nil).want(t, 200, "clerk")
	now = now.Add(11 * time.Minute)
	c.ask("GET", "/api/account", nil).want(t, 401, "Your session has ended. Please sign in again.")
	// The refusal brought a new token, so the app can sign in without loading a page.
	c.signIn("clerk", clerkPassword).want(t, 200, "clerk")
}

func TestSigningOutEndsTheSession(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	old := *c
	old.cookies = map[string]*http.Cookie{"sid": c.cookies["sid"]}
	c.ask("DELETE", "/api/session", nil).want(t, 200, "csrf")
	old.ask("GET", "/api/account", nil).want(t, 401, "ended")
	if got := p.LiveSessions(); got != 0 {
		t.Errorf("%d sessions are left", got)
	}
	c.signIn("clerk", clerkPassword).want(t, 200, "clerk")
}

func TestAnAccountThatMakesNoSenseIsRefused(t *testing.T) {
	clerk := DefaultClerk()
	for name, accounts := range map[string][]Account{
		"no password":   {{Username: "a", Level: FullAccess}},
		"no name":       {{Password: "a", Level: FullAccess}},
		"unknown level": {{Username: "a", Password: "a", Level: "Boss"}},
		"twice":         {clerk, clerk},
	} {
		if _, err := New(newFakeClinic(), Options{Accounts: accounts}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
