package extractors

import (
	"fmt"
	"time"
)

// Cause names why an extraction could not go on. The names are stable: exit codes and schedules depend on them.
type Cause string

// The causes an extraction can end with.
const (
	WrongPassword        Cause = "wrong_password"
	SecondFactorRequired Cause = "second_factor_required"
	SecondFactorRejected Cause = "second_factor_rejected"
	AccountLocked        Cause = "account_locked"
	AccountDeactivated   Cause = "account_deactivated"
	PermissionMissing    Cause = "permission_missing"
	PermissionExcessive  Cause = "permission_excessive"
	SessionExpired       Cause = "session_expired"
	RateLimited          Cause = "rate_limited"
	PortalMaintenance    Cause = "portal_maintenance"
	PageChanged          Cause = "page_changed"
	ExportIncomplete     Cause = "export_incomplete"
	ExportStale          Cause = "export_stale"
	Network              Cause = "network"
	BrowserMissing       Cause = "browser_missing"
	BrowserCrashed       Cause = "browser_crashed"
	Paused               Cause = "paused"
	AgreementMissing     Cause = "agreement_missing"
	// RefusedWrite says that something in the browser tried to write to the portal. It was stopped.
	RefusedWrite Cause = "refused_write"
	// Deadline says that the run was given a time, and that it was over.
	Deadline Cause = "deadline"
)

// Causes lists every cause.
func Causes() []Cause {
	return []Cause{
		WrongPassword, SecondFactorRequired, SecondFactorRejected, AccountLocked, AccountDeactivated, PermissionMissing, PermissionExcessive,
		SessionExpired, RateLimited, PortalMaintenance, PageChanged, ExportIncomplete, ExportStale, Network, BrowserMissing, BrowserCrashed,
		Paused, AgreementMissing, RefusedWrite, Deadline,
	}
}

// Retryable reports whether trying again later, with nothing changed by a person, can help.
func (c Cause) Retryable() bool {
	switch c {
	case SessionExpired, RateLimited, PortalMaintenance, ExportIncomplete, ExportStale, Network, BrowserCrashed, Deadline:
		return true
	default:
		return false
	}
}

// RejectsAccount reports whether the portal has refused who we are. Nothing signs in with the same credentials again until a
// person has changed something: another try could lock the account, or go on after the clinic has ended the access.
func (c Cause) RejectsAccount() bool {
	switch c {
	case WrongPassword, SecondFactorRequired, SecondFactorRejected, AccountLocked, AccountDeactivated:
		return true
	default:
		return false
	}
}

// Failure is an extraction that stopped for a named cause.
type Failure struct {
	Cause Cause
	// Doing says what was being done, for example `signing in` or `exporting sales 2026-01-01..2026-03-31`.
	Doing string
	// Hint says what a person should do.
	Hint string
	// Err is the underlying error, may be nil. It holds no identity and no credential.
	Err error
	// Attempts is how often it was tried, 0 where nothing was counted.
	Attempts int
	// After is how long the portal asks to wait, 0 where it does not say.
	After time.Duration
}

// Error joins operation, cause and hint in one line.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%s: %s", f.Doing, f.Cause)
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	if f.Attempts > 1 {
		text += fmt.Sprintf(", after %d attempts", f.Attempts)
	}
	if f.Hint != "" {
		text += ". " + f.Hint
	}
	return text
}

// Unwrap gives the underlying error.
func (f *Failure) Unwrap() error { return f.Err }
