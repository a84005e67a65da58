package portal

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Method is how an account proves itself after its password.
type Method string

// The methods; the zero one asks for nothing.
const (
	// ByApp asks for the code of an authenticator app: RFC 6238, six digits, thirty seconds, SHA-1.
	ByApp Method = "app"
	// BySMS and ByRecoveryCode ask for what no program can know.
	BySMS          Method = "sms"
	ByRecoveryCode Method = "recovery"
)

// SecondFactor is what an account is asked for after its password.
type SecondFactor struct {
	Method Method
	// Secret is what the authenticator app was given, in base32.
	Secret string
}

// CodeOutcome is how the portal judged a one-time code.
type CodeOutcome string

// The outcomes of a code.
const (
	CodeAccepted CodeOutcome = "accepted"
	CodeWrong    CodeOutcome = "wrong code"
	CodeUsed     CodeOutcome = "used code"
	CodeBlocked  CodeOutcome = "codes blocked"
)

// CodeAttempt is one one-time code that was sent.
type CodeAttempt struct {
	At       time.Time
	Username string
	Outcome  CodeOutcome
}

// step is the length of a time step of RFC 6238.
const step = 30 * time.Second

const (
	deviceCookie = "device"
	trustedFor   = 30 * 24 * time.Hour
	deviceFor    = 365 * 24 * time.Hour
)

// proof is what has happened to an account's second factor.
type proof struct {
	usedStep     int64
	wrongInARow  int
	blockedUntil time.Time
	// devices are the browsers it was signed in with, by cookie; trusted until then, without a code.
	devices map[string]time.Time
}

// proofs holds the history of codes and of the mails about new devices.
type proofs struct {
	mu    sync.Mutex
	codes []CodeAttempt
	mails int
}

// Codes lists every one-time code that was sent, in order.
func (p *Portal) Codes() []CodeAttempt {
	p.proofs.mu.Lock()
	defer p.proofs.mu.Unlock()
	return append([]CodeAttempt(nil), p.proofs.codes...)
}

// NewDeviceMails counts the mails to people whose account was signed in to from a browser without its cookie.
func (p *Portal) NewDeviceMails() int {
	p.proofs.mu.Lock()
	defer p.proofs.mu.Unlock()
	return p.proofs.mails
}

func deviceOf(r *http.Request) string {
	cookie, err := r.Cookie(deviceCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// trusts reports whether a sign-in from the request's browser needs no code.
func (p *Portal) trusts(username string, r *http.Request) (trusted bool) {
	now := p.now()
	p.directory.change(username, func(a *standing) {
		trusted = p.options.TrustBrowser && a.proof.devices[deviceOf(r)].After(now)
	})
	return trusted
}

// askForCode answers a right password of an account with a second factor. Nobody is signed in yet.
func (p *Portal) askForCode(w http.ResponseWriter, account Account) {
	opened := p.openSession(w, "")
	p.sessions.promise(opened.id, account.Username)
	p.record(account.Username, Entry{Action: ActionAsked, Subject: "a code"})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
	p.encode(w, map[string]any{
		"csrf": opened.csrf, "second_factor": map[string]any{"method": account.SecondFactor.Method, "trust": p.options.TrustBrowser},
	})
}

// admitted signs in: a new session, a cookie for the device, a mail if the device is new.
func (p *Portal) admitted(w http.ResponseWriter, r *http.Request, account Account, trust bool) {
	opened := p.openSession(w, account.Username)
	device, now, known := deviceOf(r), p.now(), false
	p.directory.change(account.Username, func(a *standing) {
		if _, known = a.proof.devices[device]; !known {
			device = rand.Text()
		}
		if a.proof.devices == nil {
			a.proof.devices = map[string]time.Time{}
		}
		if trust && p.options.TrustBrowser {
			a.proof.devices[device] = now.Add(trustedFor)
		} else if !known {
			a.proof.devices[device] = time.Time{}
		}
	})
	if !known {
		p.proofs.mu.Lock()
		p.proofs.mails++
		p.proofs.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no TLS for Secure to demand
		Name: deviceCookie, Value: device, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(deviceFor / time.Second),
	})
	p.record(account.Username, Entry{Action: ActionSignedIn})
	p.answer(w, p.bootFor(opened, account))
}

// takeCode answers the second screen of a sign-in.
func (p *Portal) takeCode(w http.ResponseWriter, r *http.Request) {
	before, _ := p.touch(r)
	account, ok := p.directory.account(before.promised)
	if !ok {
		p.refuse(w, r, refusedSession)
		return
	}
	var form struct {
		Code  string `json:"code"`
		Trust bool   `json:"trust"`
	}
	if !p.readJSON(w, r, &form) {
		return
	}
	outcome, reason := CodeWrong, refusedCode
	p.directory.change(account.Username, func(a *standing) { outcome, reason = p.judge(a, strings.TrimSpace(form.Code)) })
	p.proofs.mu.Lock()
	p.proofs.codes = append(p.proofs.codes, CodeAttempt{At: p.now(), Username: account.Username, Outcome: outcome})
	p.proofs.mu.Unlock()
	switch {
	case outcome != CodeAccepted:
		p.record(account.Username, Entry{Action: ActionRefused, Subject: "sign-in, " + string(outcome)})
		p.refuse(w, r, reason)
	case account.Inactive:
		p.record(account.Username, Entry{Action: ActionRefused, Subject: "sign-in, " + string(SignInInactive)})
		p.refuse(w, r, refusedInactive)
	default:
		p.sessions.end(before.id)
		p.admitted(w, r, account, form.Trust)
	}
}

// judge compares a code. A code counts once, and after several wrong ones none is compared for a while.
func (p *Portal) judge(a *standing, code string) (CodeOutcome, refusal) {
	now := p.now()
	if now.Before(a.proof.blockedUntil) {
		blocked := refusedCodes
		blocked.retryAfter = a.proof.blockedUntil.Sub(now)
		return CodeBlocked, blocked
	}
	for d := -int64(p.options.CodeTolerance); d <= int64(p.options.CodeTolerance); d++ {
		at := now.Unix()/int64(step/time.Second) + d
		expected, err := hotp.GenerateCodeCustom(a.SecondFactor.Secret, uint64(max(at, 0)), hotp.ValidateOpts{Digits: otp.DigitsSix})
		if err != nil || a.SecondFactor.Method != ByApp || expected != code {
			continue
		}
		if at <= a.proof.usedStep {
			return CodeUsed, refusedUsedCode
		}
		a.proof.usedStep, a.proof.wrongInARow = at, 0
		return CodeAccepted, refusal{}
	}
	a.proof.wrongInARow++
	if a.proof.wrongInARow >= p.options.BlockCodesAfter {
		a.proof.wrongInARow = 0
		a.proof.blockedUntil = now.Add(p.options.BlockCodesFor)
	}
	return CodeWrong, refusedCode
}

// SetSecondFactor changes what an account is asked for after its password, and forgets its codes and trusted browsers.
func (p *Portal) SetSecondFactor(username string, factor SecondFactor) bool {
	return p.directory.change(username, func(a *standing) { a.SecondFactor, a.proof = factor, proof{} })
}

func (f SecondFactor) check() error {
	switch f.Method {
	case "", BySMS, ByRecoveryCode:
		return nil
	case ByApp:
		if _, err := hotp.GenerateCode(f.Secret, 1); err != nil || f.Secret == "" {
			return fmt.Errorf("the second factor's secret is not base32")
		}
		return nil
	default:
		return fmt.Errorf("the second factor %q is not known", f.Method)
	}
}
