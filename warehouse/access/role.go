package access

import "slices"

// Role is a set of permissions under a name.
type Role struct {
	Name string
	// Says is a sentence: who holds it, and what for.
	Says string
	// Narrowed says that it shows the caseload of its holder alone, and no figure of the whole clinic: view_assigned_only.
	Narrowed bool
	// BySupport says that it gives nothing but while support access is granted.
	BySupport bool

	holds set
}

// Permissions are those that the role gives, with all that they imply, in the catalogue's order.
func (r Role) Permissions() []Permission { return r.holds.list() }

// Gives says whether the role gives a permission.
func (r Role) Gives(p Permission) bool { return r.holds.has(p) }

// Names of the role templates.
const (
	ClinicOwner         = "clinic_owner"
	Manager             = "manager"
	Biller              = "biller"
	FrontDesk           = "front_desk"
	Practitioner        = "practitioner"
	Analyst             = "analyst"
	RecoveryCoordinator = "recovery_coordinator"
	PrivacyOfficer      = "privacy_officer"
	VendorSupport       = "vendor_support"
	BatchService        = "batch_service"
)

// Templates are the roles that every policy has. The answer is the caller's own.
func Templates() []Role {
	figures := closed(FalloffView, MoneyView, PayersView, ScheduleView, MetricsView, FreshnessView)
	return slices.Clone([]Role{
		{Name: ClinicOwner, Says: "Owns the clinic and its data: everything.", holds: all},
		{Name: Manager, Says: "Runs the clinic: all figures, the work on leaks, settings, runs; no SQL, nothing that destroys or hands out data.",
			holds: figures.with(closed(
				PatientsView, LeaksAssign, LeaksContact, LeaksNote, LeaksWriteOff, LeaksReopen, TasksCreate, TasksAssign, TasksWork,
				IdentitiesReveal, ReportsExport, ReportsSchedule, AuditView, LedgerReconcile, SettingsChange,
				ExtractionRun, ExtractionImport, ExtractionPause, ExtractionResume, ExtractionPreflight, CredentialsSet, AgreementView,
				LakeView, LakeCloseMonth, BuildView, TokensView, AccessView, AccessExplain, SupportGrant, SupportRevoke))},
		{Name: Biller, Says: "Bills and follows up: money, payers, and the ledger of leaks.",
			holds: closed(MoneyView, PayersView, PatientsView, LeaksAssign, LeaksContact, LeaksNote, TasksCreate, TasksWork,
				ReportsExport, MetricsView, FreshnessView, ExtractionImport)},
		{Name: FrontDesk, Says: "Books and greets: the schedule, and the leaks that a word at the desk settles; no clinic-wide money.",
			holds: closed(ScheduleView, PatientsView, LeaksContact, LeaksNote, TasksWork, MetricsView, FreshnessView)},
		{Name: Practitioner, Says: "Treats patients: their own caseload, and no money.", Narrowed: true,
			holds: closed(FalloffView, ScheduleView, PatientsView, MetricsView, FreshnessView)},
		{Name: Analyst, Says: "Asks questions nobody foresaw: all figures, rows under pseudonyms, SQL.",
			holds: figures.with(closed(PatientsView, LeaksView, TasksView, SQLRun, ReportsExport, SettingsView, BuildView))},
		{Name: RecoveryCoordinator, Says: "Wins patients and money back: the work list, tasks, and in recovery mode whom to call.",
			holds: closed(FalloffView, ScheduleView, PatientsView, LeaksAssign, LeaksContact, LeaksNote, TasksCreate, TasksAssign, TasksWork,
				IdentitiesReveal, MetricsView, FreshnessView)},
		{Name: PrivacyOfficer, Says: "Answers for privacy: who looked at what, identity mode, erasure, support access; no money and no rows.",
			holds: closed(AuditView, AuditExport, AuditVerify, LedgerReconcile, IdentitiesSetMode, AgreementView, AccessView, AccessExplain,
				SupportRevoke, TokensRevoke, ExtractionPause, CredentialsView, SettingsView, LakeVerify, LakeErase, LakeRetain, ReportsView,
				MetricsView, FreshnessView)},
		{Name: VendorSupport, Says: "Helps when something is broken: aggregates and technical state, while support access is granted and not otherwise.",
			BySupport: true,
			holds: figures.with(closed(ExtractionView, BuildView, SettingsView, LedgerView, LakeView, LakeVerify, CredentialsView, ReportsView,
				IdentitiesView, SupportView))},
		{Name: BatchService, Says: "A scheduled job: runs, builds, backups, checks.",
			holds: closed(ExtractionRun, ExtractionImport, BuildRun, BuildTest, LakeVerify, LakeCompact, LakeBackup, LedgerReconcile, ReportsView,
				SettingsView, MetricsView, FreshnessView)},
	})
}
