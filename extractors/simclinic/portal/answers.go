package portal

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer that says no, with the text a person sees.
type refusal struct {
	status     int
	code       string
	message    string
	retryAfter time.Duration
	// retryAt, where set, is told in place of retryAfter, as a moment.
	retryAt time.Time
}

var (
	refusedPassword    = refusal{status: 401, code: "wrong_password", message: "The username or password is incorrect."}
	refusedLocked      = refusal{status: 423, code: "locked", message: "This account is locked after too many failed sign-ins."}
	refusedCode        = refusal{status: 422, code: "wrong_code", message: "That code is not right."}
	refusedUsedCode    = refusal{status: 422, code: "used_code", message: "That code has been used already. Wait for the next one."}
	refusedCodes       = refusal{status: 429, code: "codes_blocked", message: "Codes are blocked for a while after too many wrong ones."}
	refusedInactive    = refusal{status: 403, code: "deactivated", message: "This account has been deactivated."}
	refusedSession     = refusal{status: 401, code: "session_ended", message: "Your session has ended. Please sign in again."}
	refusedToken       = refusal{status: 403, code: "stale_page", message: "This page is out of date. Please reload it."}
	refusedLevel       = refusal{status: 403, code: "not_allowed", message: "Your access level does not allow this."}
	refusedUnknown     = refusal{status: 404, code: "not_found", message: "There is nothing at this address."}
	refusedRate        = refusal{status: 429, code: "rate_limited", message: "Too many requests. Please wait a moment and try again."}
	refusedMaintenance = refusal{status: 503, code: "maintenance", message: "The portal is closed for maintenance. Please come back shortly."}
	refusedReport      = refusal{status: 500, code: "report_failed", message: "This report could not be computed. Please try again."}
)

func refusedInput(message string) refusal {
	return refusal{status: http.StatusUnprocessableEntity, code: "invalid", message: message}
}

// expectsJSON tells calls of the app from pages that a person opens.
func expectsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasSuffix(r.URL.Path, "/status")
}

// refuse answers with a refusal: JSON to the app, a notice to a person. A page asked for without a session leads to the
// sign-in, as real applications do, also where a file was expected.
func (p *Portal) refuse(w http.ResponseWriter, r *http.Request, why refusal) {
	w.Header().Set("Cache-Control", "no-store")
	if why.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(why.retryAfter.Round(time.Second)/time.Second)))
	}
	if !why.retryAt.IsZero() {
		w.Header().Set("Retry-After", why.retryAt.UTC().Format(http.TimeFormat))
	}
	if expectsJSON(r) {
		body := map[string]any{"error": map[string]string{"code": why.code, "message": why.message}}
		if why.code == refusedSession.code || why.code == refusedInactive.code {
			// The app goes back to its sign-in screen without loading a page, so it needs a token for the next attempt.
			s, ok := p.touch(r)
			if !ok {
				s = p.openSession(w, "")
			}
			body["csrf"] = s.csrf
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(why.status)
		_ = json.NewEncoder(w).Encode(body)
		return
	}
	if why.code == refusedSession.code {
		http.Redirect(w, r, "/admin", http.StatusSeeOther)
		return
	}
	p.page(w, why.status, "notice.html", map[string]string{"Message": why.message})
}

// answer sends JSON that no cache may keep.
func (p *Portal) answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	p.encode(w, body)
}

func (p *Portal) encode(w http.ResponseWriter, body any) { _ = json.NewEncoder(w).Encode(body) }

// page sends an HTML page that no cache may keep.
func (p *Portal) page(w http.ResponseWriter, status int, name string, content any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_ = p.pages.ExecuteTemplate(w, name, content)
}

// readJSON reads a small body with known fields only; otherwise it has answered.
func (p *Portal) readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		p.refuse(w, r, refusal{status: http.StatusBadRequest, code: "bad_request", message: "The request could not be understood."})
		return false
	}
	return true
}
