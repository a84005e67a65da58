package portal

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"
)

const sessionCookie = "sid"

// SignInOutcome is how a sign-in ended.
type SignInOutcome string

// The outcomes of a sign-in.
const (
	SignInAccepted SignInOutcome = "accepted"
	SignInWrong    SignInOutcome = "wrong password"
	SignInInactive SignInOutcome = "deactivated"
	SignInLocked   SignInOutcome = "locked"
)

// SignIn is one attempt to sign in.
type SignIn struct {
	At       time.Time
	Username string
	Outcome  SignInOutcome
}

// session is one browser's, signed in or not yet. Values are copied out of the store, never shared.
type session struct {
	id, csrf, username string
	// promised is who has given the right password and not yet a code.
	promised string
	seen     time.Time
}

// sessions holds the live sessions by cookie value, and the history of sign-ins.
type sessions struct {
	mu      sync.Mutex
	live    map[string]*session
	signIns []SignIn
}

// open starts a session and drops the ones that nobody used since the given moment.
func (s *sessions) open(username string, now, idleSince time.Time) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live = map[string]*session{}
	}
	for id, old := range s.live {
		if old.seen.Before(idleSince) {
			delete(s.live, id)
		}
	}
	opened := &session{id: rand.Text(), csrf: rand.Text(), username: username, seen: now}
	s.live[opened.id] = opened
	return *opened
}

// touch finds the request's session and marks it as used.
func (s *sessions) touch(r *http.Request, now, idleSince time.Time) (session, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return session{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.live[cookie.Value]
	if !ok {
		return session{}, false
	}
	if found.seen.Before(idleSince) {
		delete(s.live, found.id)
		return session{}, false
	}
	found.seen = now
	return *found, true
}

func (s *sessions) accountOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.live[cookie.Value]; ok {
		return found.username
	}
	return ""
}

// promise notes whose password was right.
func (s *sessions) promise(id, username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.live[id]; ok {
		found.promised = username
	}
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
}

func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.live)
}

func (s *sessions) note(signIn SignIn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIns = append(s.signIns, signIn)
}

// SignIns lists every attempt to sign in, in order: the proof that a rejected password was not tried again.
func (p *Portal) SignIns() []SignIn {
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	return append([]SignIn(nil), p.sessions.signIns...)
}

// LiveSessions counts the sessions somebody is signed in with: zero after every sign-out.
func (p *Portal) LiveSessions() int {
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	signedIn := 0
	for _, s := range p.sessions.live {
		if s.username != "" {
			signedIn++
		}
	}
	return signedIn
}

func (p *Portal) touch(r *http.Request) (session, bool) {
	now := p.now()
	return p.sessions.touch(r, now, now.Add(-p.options.IdleTimeout))
}

func (p *Portal) openSession(w http.ResponseWriter, username string) session {
	now := p.now()
	opened := p.sessions.open(username, now, now.Add(-p.options.IdleTimeout))
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no TLS for Secure to demand
		Name: sessionCookie, Value: opened.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return opened
}

// signedIn finds who sends the request. Where it is nobody, or somebody who was deactivated meanwhile, it has answered.
func (p *Portal) signedIn(w http.ResponseWriter, r *http.Request) (session, Account, bool) {
	s, ok := p.touch(r)
	if !ok || s.username == "" {
		p.refuse(w, r, refusedSession)
		return session{}, Account{}, false
	}
	account, ok := p.directory.account(s.username)
	if !ok || account.Inactive {
		p.sessions.end(s.id)
		p.refuse(w, r, refusedInactive)
		return session{}, Account{}, false
	}
	return s, account, true
}

// allowed is signedIn for those whose level has the capability.
func (p *Portal) allowed(w http.ResponseWriter, r *http.Request, c capability) (session, bool) {
	s, account, ok := p.signedIn(w, r)
	if ok && !account.may(c) {
		p.refuse(w, r, refusedLevel)
		return s, false
	}
	return s, ok
}

// tokenFits checks the request-forgery token of a call that changes something.
func tokenFits(r *http.Request, s session) bool {
	return subtle.ConstantTimeCompare([]byte(r.Header.Get("X-CSRF-Token")), []byte(s.csrf)) == 1
}

// changing guards a call that changes something: the request-forgery token must be the session's, signed in or not.
func (p *Portal) changing(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := p.touch(r)
		if !ok {
			p.refuse(w, r, refusedSession)
			return
		}
		if !tokenFits(r, s) {
			p.refuse(w, r, refusedToken)
			return
		}
		handler(w, r)
	}
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) {
	before, _ := p.touch(r)
	var form struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if !p.readJSON(w, r, &form) {
		return
	}
	outcome, reason := p.directory.admit(form.Username, form.Password, p.options.LockAfter)
	p.sessions.note(SignIn{At: p.now(), Username: form.Username, Outcome: outcome})
	if outcome != SignInAccepted {
		p.record(form.Username, Entry{Action: ActionRefused, Subject: "sign-in, " + string(outcome)})
		p.refuse(w, r, reason)
		return
	}
	// A new identifier after sign-in, so that a cookie planted before it is worth nothing.
	p.sessions.end(before.id)
	account, _ := p.directory.account(form.Username)
	if account.SecondFactor.Method != "" && !p.trusts(form.Username, r) {
		p.askForCode(w, account)
		return
	}
	p.admitted(w, r, account, false)
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request) {
	s, _ := p.touch(r)
	p.sessions.end(s.id)
	if s.username != "" {
		p.record(s.username, Entry{Action: ActionSignedOut})
	}
	opened := p.openSession(w, "")
	p.answer(w, p.bootFor(opened, Account{}))
}

// showAccount answers the account screen: the level and the switches, as the words the screen shows.
func (p *Portal) showAccount(w http.ResponseWriter, r *http.Request) {
	s, account, ok := p.signedIn(w, r)
	if !ok {
		return
	}
	word := func(on bool) string {
		if on {
			return "On"
		}
		return "Off"
	}
	p.record(s.username, Entry{Action: ActionOpened, Subject: "account settings"})
	p.answer(w, map[string]string{
		"username":       account.Username,
		"access-level":   string(account.Level),
		"active":         word(!account.Inactive),
		"access-billing": word(account.Toggles.Billing),
		"access-charts":  word(account.Toggles.Charts),
		"manage-shifts":  word(account.Toggles.ManageShifts),
	})
}
