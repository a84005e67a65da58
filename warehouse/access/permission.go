package access

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Permission is what somebody may see or do, as "group.action".
type Permission string

// The permissions. What each of them allows is said in the catalogue, see Groups.
const (
	FalloffView  Permission = "falloff.view"
	MoneyView    Permission = "money.view"
	PayersView   Permission = "payers.view"
	ScheduleView Permission = "schedule.view"

	PatientsView Permission = "patients.view"

	LeaksView     Permission = "leaks.view"
	LeaksAssign   Permission = "leaks.assign"
	LeaksContact  Permission = "leaks.contact"
	LeaksNote     Permission = "leaks.note"
	LeaksWriteOff Permission = "leaks.write_off"
	LeaksReopen   Permission = "leaks.reopen"

	TasksView   Permission = "tasks.view"
	TasksCreate Permission = "tasks.create"
	TasksAssign Permission = "tasks.assign"
	TasksWork   Permission = "tasks.work"

	IdentitiesView    Permission = "identities.view"
	IdentitiesReveal  Permission = "identities.reveal"
	IdentitiesSetMode Permission = "identities.set_mode"

	SQLView Permission = "sql.view"
	SQLRun  Permission = "sql.run"

	MetricsView   Permission = "metrics.view"
	FreshnessView Permission = "freshness.view"

	ReportsView     Permission = "reports.view"
	ReportsExport   Permission = "reports.export"
	ReportsSchedule Permission = "reports.schedule"

	AuditView   Permission = "audit.view"
	AuditExport Permission = "audit.export"
	AuditVerify Permission = "audit.verify"

	LedgerView      Permission = "ledger.view"
	LedgerReconcile Permission = "ledger.reconcile"

	SettingsView   Permission = "settings.view"
	SettingsChange Permission = "settings.change"

	ExtractionView      Permission = "extraction.view"
	ExtractionRun       Permission = "extraction.run"
	ExtractionImport    Permission = "extraction.import"
	ExtractionPause     Permission = "extraction.pause"
	ExtractionResume    Permission = "extraction.resume"
	ExtractionPreflight Permission = "extraction.preflight"

	CredentialsView   Permission = "credentials.view"
	CredentialsSet    Permission = "credentials.set"
	CredentialsForget Permission = "credentials.forget"
	CredentialsRotate Permission = "credentials.rotate"

	AgreementView   Permission = "agreement.view"
	AgreementAccept Permission = "agreement.accept"

	LakeView       Permission = "lake.view"
	LakeVerify     Permission = "lake.verify"
	LakeCompact    Permission = "lake.compact"
	LakeBackup     Permission = "lake.backup"
	LakeRestore    Permission = "lake.restore"
	LakeExport     Permission = "lake.export"
	LakeEncrypt    Permission = "lake.encrypt"
	LakeRekey      Permission = "lake.rekey"
	LakeCloseMonth Permission = "lake.close_month"
	LakeRetain     Permission = "lake.retain"
	LakeErase      Permission = "lake.erase"
	LakeDelete     Permission = "lake.delete"

	BuildView Permission = "build.view"
	BuildRun  Permission = "build.run"
	BuildTest Permission = "build.test"

	TokensView    Permission = "tokens.view"
	TokensIssue   Permission = "tokens.issue"
	TokensReissue Permission = "tokens.reissue"
	TokensRevoke  Permission = "tokens.revoke"

	AccessView    Permission = "access.view"
	AccessExplain Permission = "access.explain"
	AccessChange  Permission = "access.change"

	SupportView   Permission = "support.view"
	SupportGrant  Permission = "support.grant"
	SupportRevoke Permission = "support.revoke"

	ServerView   Permission = "server.view"
	ServerManage Permission = "server.manage"
)

// Group is what the permissions of one name have in common.
type Group struct {
	Name, Title string
	Entries     []Entry
}

// Entry explains one permission.
type Entry struct {
	Permission Permission
	// Says is a sentence: what somebody may who holds it.
	Says string
	// Read says that it shows something and changes nothing. The other permissions of the group imply it.
	Read bool
	// Narrows says that a role may hold it for the caseload of its holder alone.
	Narrows bool
	// LakeWide says that it reaches beyond a clinic: it is held by those alone who hold a role at all clinics.
	LakeWide bool
	// Includes are permissions of other groups that cannot be kept from whoever holds this one.
	Includes []Permission
}

// Groups is the catalogue of permissions, in the order in which a person would look for them. The answer is the caller's own.
func Groups() []Group { return slices.Clone(catalogue) }

// Permissions lists all permissions, in the catalogue's order.
func Permissions() []Permission { return slices.Clone(order) }

// Implied lists what a permission implies, itself left out.
func (p Permission) Implied() []Permission {
	s, ok := closures[p]
	if !ok {
		return nil
	}
	return s.without(only(p)).list()
}

// Group is the part of its name before the point.
func (p Permission) Group() string {
	group, _, _ := strings.Cut(string(p), ".")
	return group
}

// Known says that the catalogue has it.
func (p Permission) Known() bool { _, ok := numbers[p]; return ok }

// set is a set of permissions, a bit each by its number in the catalogue.
type set [2]uint64

// The catalogue, read once.
var (
	order    []Permission
	entries  = map[Permission]Entry{}
	numbers  = map[Permission]int{}
	closures = map[Permission]set{}
	lakeWide set
	narrows  set
	all      set
)

func init() { //nolint:gochecknoinits // tables of constants, derived from the catalogue
	for _, g := range catalogue {
		for _, e := range g.Entries {
			if _, twice := numbers[e.Permission]; twice || e.Permission.Group() != g.Name || len(order) == 128 {
				panic(fmt.Sprintf("the catalogue's permission %s is there twice, in the wrong group, or one too many", e.Permission))
			}
			numbers[e.Permission], entries[e.Permission] = len(order), e
			order = append(order, e.Permission)
			all = all.with(only(e.Permission))
			if e.LakeWide {
				lakeWide = lakeWide.with(only(e.Permission))
			}
			if e.Narrows {
				narrows = narrows.with(only(e.Permission))
			}
		}
	}
	for _, p := range order {
		closures[p] = closure(p, set{})
	}
}

// closure is a permission with all that it implies, added to what is implied already.
func closure(p Permission, so set) set {
	if so.has(p) {
		return so
	}
	so = so.with(only(p))
	e := entries[p]
	for _, g := range catalogue {
		for _, other := range g.Entries {
			if g.Name == p.Group() && other.Read && !e.Read {
				so = closure(other.Permission, so)
			}
		}
	}
	for _, included := range e.Includes {
		so = closure(included, so)
	}
	return so
}

func only(p Permission) set {
	var s set
	if n, ok := numbers[p]; ok {
		s[n/64] |= 1 << (n % 64)
	}
	return s
}

// closed is the set of some permissions and all that they imply.
func closed(permissions ...Permission) set {
	var s set
	for _, p := range permissions {
		s = s.with(closures[p])
	}
	return s
}

func (s set) has(p Permission) bool {
	n, ok := numbers[p]
	return ok && s[n/64]&(1<<(n%64)) != 0
}

func (s set) with(o set) set    { return set{s[0] | o[0], s[1] | o[1]} }
func (s set) without(o set) set { return set{s[0] &^ o[0], s[1] &^ o[1]} }
func (s set) and(o set) set     { return set{s[0] & o[0], s[1] & o[1]} }
func (s set) holds(o set) bool  { return o.without(s) == set{} }
func (s set) empty() bool       { return s == set{} }
func (s set) size() int         { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

func (s set) list() []Permission {
	var out []Permission
	for _, p := range order {
		if s.has(p) {
			out = append(out, p)
		}
	}
	return out
}
