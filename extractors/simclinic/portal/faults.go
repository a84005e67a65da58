package portal

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// ExportFault is a way in which an export goes wrong.
type ExportFault int

// The ways an export can go wrong.
const (
	exportSound ExportFault = iota
	// ExportFails ends on the wait page, which says that the export could not be finished.
	ExportFails
	// ExportEmpty gives a file with headers and no rows, whatever the screen counted.
	ExportEmpty
	// ExportTruncated gives the first half of the file's bytes.
	ExportTruncated
	// ExportOtherRange gives the file, and the file name, of a range 31 days earlier.
	ExportOtherRange
	// ExportOtherClinic gives the file a name that begins as another clinic's do, on the preview too.
	ExportOtherClinic
	// ExportOtherPreview shows another file's name on the preview than the file then has.
	ExportOtherPreview
)

// faults are the failures switched on. Counters fall to zero by being used up.
type faults struct {
	mu          sync.Mutex
	unplugged   bool
	maintenance bool
	limited     int
	retryAfter  time.Duration
	retryAt     time.Time
	miscounts   int
	miscountBy  int
	stale       bool
	hangs       int
	writes      int
	exports     []ExportFault
	pages       int
}

func (f *faults) nextExport() ExportFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.exports) == 0 {
		return exportSound
	}
	next := f.exports[0]
	f.exports = f.exports[1:]
	return next
}

func (f *faults) nextDownloadIsPage() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pages == 0 {
		return false
	}
	f.pages--
	return true
}

// Unplug drops every connection without an answer until Plug: a dead portal at a live address. For an address that
// refuses connections, call the stop that Start gave.
func (p *Portal) Unplug() { p.setUnplugged(true) }

// Plug ends Unplug.
func (p *Portal) Plug() { p.setUnplugged(false) }

func (p *Portal) setUnplugged(unplugged bool) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.unplugged = unplugged
}

// SetMaintenance answers everything with the maintenance notice, or stops doing so.
func (p *Portal) SetMaintenance(on bool) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.maintenance = on
}

// LimitRate answers the next n requests for reports, exports or downloads with the rate-limit notice. With retryAfter
// zero the answer carries no Retry-After.
func (p *Portal) LimitRate(n int, retryAfter time.Duration) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.limited, p.faults.retryAfter, p.faults.retryAt = n, retryAfter, time.Time{}
}

// LimitRateUntil is LimitRate with a Retry-After that names a moment.
func (p *Portal) LimitRateUntil(n int, until time.Time) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.limited, p.faults.retryAfter, p.faults.retryAt = n, 0, until
}

// MiscountReports lets the next n pages of reports say that there are so many rows more than there are.
func (p *Portal) MiscountReports(n, by int) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.miscounts, p.faults.miscountBy = n, by
}

// KeepStale lets a fresh copy show the old result again, as computed at its old time, or ends that.
func (p *Portal) KeepStale(on bool) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.stale = on
}

// HangPages lets the page that gets one of the next n reports run a script that never ends.
func (p *Portal) HangPages(n int) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.hangs = n
}

// TryWrites lets the page that gets one of the next n reports record a payment by itself, which nobody asked for.
func (p *Portal) TryWrites(n int) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.writes = n
}

// spoil puts the faults of a report's page into it.
func (f *faults) spoil(page *reportPage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	take := func(n *int) bool {
		if *n == 0 {
			return false
		}
		*n--
		return true
	}
	if take(&f.miscounts) {
		page.Total += f.miscountBy
	}
	page.Hang, page.Write = take(&f.hangs), take(&f.writes)
}

func (f *faults) keepsStale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stale
}

// FaultExports spoils the next exports, one fault each, in order.
func (p *Portal) FaultExports(faults ...ExportFault) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.exports = append(p.faults.exports, faults...)
}

// PagesInsteadOfFiles answers the next n downloads with the HTML preview, status 200.
func (p *Portal) PagesInsteadOfFiles(n int) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.pages = n
}

// Deactivate switches an account off. It cannot sign in, and the next request of a running session is refused.
func (p *Portal) Deactivate(username string) bool { return p.setInactive(username, true) }

// Reactivate switches an account on again.
func (p *Portal) Reactivate(username string) bool { return p.setInactive(username, false) }

func (p *Portal) setInactive(username string, inactive bool) bool {
	return p.directory.change(username, func(a *standing) { a.Inactive = inactive })
}

// SetPassword changes an account's password and unlocks it. Running sessions go on.
func (p *Portal) SetPassword(username, password string) bool {
	return p.directory.change(username, func(a *standing) { a.Password, a.locked, a.wrongInARow = password, false, 0 })
}

// Lock locks an account, as too many wrong passwords do. Running sessions go on.
func (p *Portal) Lock(username string) bool {
	return p.directory.change(username, func(a *standing) { a.locked = true })
}

// SetAccess changes an account's level and switches, from its next request on.
func (p *Portal) SetAccess(username string, level Level, toggles Toggles) bool {
	return p.directory.change(username, func(a *standing) { a.Level, a.Toggles = level, toggles })
}

// SetRemembered changes the filters that an account used last.
func (p *Portal) SetRemembered(username string, filters Filters) bool {
	return p.directory.change(username, func(a *standing) { a.filters = filters })
}

// ExpireSessions ends every session: whoever is signed in is not any more.
func (p *Portal) ExpireSessions() { p.sessions.endAll() }

// ReplaceClinic shows another state of the clinic from now on, as if time had passed there. Results that were computed
// before are shown until their time is over or somebody asks for a fresh copy: stale reports.
func (p *Portal) ReplaceClinic(clinic Clinic) { p.results.replace(openOffice(clinic)) }

func (p *Portal) drawDelay() time.Duration {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	return p.options.ExportDelay.draw(p.options.Rand)
}

// faultAnswers lets a switched fault answer a request, and reports whether one did.
func (p *Portal) faultAnswers(w http.ResponseWriter, r *http.Request) bool {
	f := &p.faults
	f.mu.Lock()
	unplugged, maintenance := f.unplugged, f.maintenance
	limited, wait, until := false, f.retryAfter, f.retryAt
	if f.limited > 0 && !unplugged && !maintenance && isLimited(r.URL.Path) {
		f.limited--
		limited = true
	}
	f.mu.Unlock()
	switch {
	case unplugged:
		// The documented way to drop a connection; the server does not log it.
		panic(http.ErrAbortHandler)
	case maintenance:
		p.refuse(w, r, refusedMaintenance)
	case limited:
		notice := refusedRate
		notice.retryAfter, notice.retryAt = wait, until
		p.refuse(w, r, notice)
	default:
		return false
	}
	return true
}

func isLimited(path string) bool {
	for _, prefix := range []string{"/api/reports/", "/api/exports", "/api/activity", "/downloads/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
