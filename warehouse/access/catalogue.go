package access

// catalogue is what can be permitted. docs/permissions.md is made of it.
var catalogue = []Group{
	{"falloff", "Falloff", []Entry{
		{Permission: FalloffView, Says: "See falloff, retention and outlook as aggregates.", Read: true, Narrows: true},
	}},
	{"money", "Money", []Entry{
		{Permission: MoneyView, Says: "See expected, collected, leaked and open money as aggregates.", Read: true},
	}},
	{"payers", "Payers", []Entry{
		{Permission: PayersView, Says: "See how each insurer answers and pays, as aggregates.", Read: true},
	}},
	{"schedule", "Schedule", []Entry{
		{Permission: ScheduleView, Says: "See visits, no-shows, lead times and utilisation as aggregates.", Read: true, Narrows: true},
	}},
	{"patients", "Patients under pseudonyms", []Entry{
		{Permission: PatientsView, Says: "See rows about single patients under pseudonyms: status, episodes, work list.", Read: true, Narrows: true},
	}},
	{"leaks", "Leaks", []Entry{
		{Permission: LeaksView, Says: "See the ledger of leaks row by row, with amount and evidence.", Read: true},
		{Permission: LeaksAssign, Says: "Assign a leak to somebody."},
		{Permission: LeaksContact, Says: "Say of a leak that patient or insurer was contacted."},
		{Permission: LeaksNote, Says: "Put a note from the fixed list on a leak."},
		{Permission: LeaksWriteOff, Says: "Say of a leak that it is written off, or that it is too late for it."},
		{Permission: LeaksReopen, Says: "Open a leak again that somebody had taken for settled."},
	}},
	{"tasks", "Recovery tasks", []Entry{
		{Permission: TasksView, Says: "See recovery tasks and what came of them.", Read: true, Narrows: true},
		{Permission: TasksCreate, Says: "Make a recovery task of a leak or a patient at risk.", Narrows: true},
		{Permission: TasksAssign, Says: "Give a recovery task to somebody else."},
		{Permission: TasksWork, Says: "Take up a recovery task, and say how it ended.", Narrows: true},
	}},
	{"identities", "Identities", []Entry{
		{Permission: IdentitiesView, Says: "See the clinic's identity mode, and how many identities are kept.", Read: true, Narrows: true},
		{Permission: IdentitiesReveal, Says: "Reveal, in recovery mode, the first name and GUID of a patient; each time is an audit record.", Narrows: true},
		{Permission: IdentitiesSetMode, Says: "Switch the identity mode; leaving recovery mode erases the identities kept."},
	}},
	{"sql", "SQL", []Entry{
		{Permission: SQLView, Says: "See tables, columns and examples that SQL can be written from.", Read: true},
		{Permission: SQLRun, Says: "Run SQL of one's own over the marts whose rows one may see.", Includes: []Permission{PatientsView}},
	}},
	{"metrics", "Metrics", []Entry{
		{Permission: MetricsView, Says: "See the dictionary of metrics, the named queries and their parameters.", Read: true, Narrows: true},
	}},
	{"freshness", "Freshness", []Entry{
		{Permission: FreshnessView, Says: "See how fresh the figures are and what was synced when.", Read: true, Narrows: true},
	}},
	{"reports", "Reports", []Entry{
		{Permission: ReportsView, Says: "See reports and alerts that are set up, and whether they were delivered.", Read: true},
		{Permission: ReportsExport, Says: "Save figures that one may see as a file."},
		{Permission: ReportsSchedule, Says: "Set up, change and end reports and alerts that are sent."},
	}},
	{"audit", "Audit log", []Entry{
		{Permission: AuditView, Says: "Search the audit log by person, entity, action and date.", Read: true},
		{Permission: AuditExport, Says: "Save records of the audit log as a file."},
		{Permission: AuditVerify, Says: "Verify that no record of the audit log was changed or removed.", LakeWide: true},
	}},
	{"ledger", "Access ledger", []Entry{
		{Permission: LedgerView, Says: "See every page of the portal that was read.", Read: true},
		{Permission: LedgerReconcile, Says: "Compare the access ledger with the portal's own activity report."},
	}},
	{"settings", "Clinic settings", []Entry{
		{Permission: SettingsView, Says: "See prices, fees, limits, quiet hours and other settings of the clinic.", Read: true},
		{Permission: SettingsChange, Says: "Change settings of the clinic."},
	}},
	{"extraction", "Extraction", []Entry{
		{Permission: ExtractionView, Says: "See runs, what they read, and what stopped them.", Read: true},
		{Permission: ExtractionRun, Says: "Start a run through the portal."},
		{Permission: ExtractionImport, Says: "Import report files that a person exported."},
		{Permission: ExtractionPause, Says: "Pause extraction, at any moment."},
		{Permission: ExtractionResume, Says: "Resume extraction after a pause or an account that was locked."},
		{Permission: ExtractionPreflight, Says: "Have the portal account looked over."},
	}},
	{"credentials", "Portal credentials", []Entry{
		{Permission: CredentialsView, Says: "See that credentials are stored and since when, never what they are.", Read: true},
		{Permission: CredentialsSet, Says: "Store or replace the portal account's credentials."},
		{Permission: CredentialsForget, Says: "Destroy the stored credentials."},
		{Permission: CredentialsRotate, Says: "Seal the vault anew under another key.", LakeWide: true},
	}},
	{"agreement", "Agreement", []Entry{
		{Permission: AgreementView, Says: "See the agreement, and who accepted which version.", Read: true},
		{Permission: AgreementAccept, Says: "Accept the agreement for the clinic."},
	}},
	{"lake", "Lake", []Entry{
		{Permission: LakeView, Says: "See commits, snapshots, sizes and backups.", Read: true},
		{Permission: LakeVerify, Says: "Verify that every object is there and as it was written."},
		{Permission: LakeCompact, Says: "Compact the lake and clear away what no commit names."},
		{Permission: LakeBackup, Says: "Take backups, and rehearse restoring them."},
		{Permission: LakeRestore, Says: "Restore the clinic from a backup."},
		{Permission: LakeExport, Says: "Export all data of the clinic."},
		{Permission: LakeEncrypt, Says: "Encrypt the clinic at rest."},
		{Permission: LakeRekey, Says: "Give every patient a new pseudonym under a new key."},
		{Permission: LakeCloseMonth, Says: "Close a month, whose published figures then stay."},
		{Permission: LakeRetain, Says: "Set how long data is kept, and retire what is older."},
		{Permission: LakeErase, Says: "Erase one patient from the lake and its backups."},
		{Permission: LakeDelete, Says: "Delete the clinic: lake, backups and keys."},
	}},
	{"build", "Models", []Entry{
		{Permission: BuildView, Says: "See builds, their checks and lineage.", Read: true},
		{Permission: BuildRun, Says: "Build the models anew."},
		{Permission: BuildTest, Says: "Run the tests of the models."},
	}},
	{"tokens", "Service tokens", []Entry{
		{Permission: TokensView, Says: "See which service tokens there are, what they open, and when they expire.", Read: true},
		{Permission: TokensIssue, Says: "Issue a service token, for no more than one holds oneself."},
		{Permission: TokensReissue, Says: "Replace a lost service token by its single-use code."},
		{Permission: TokensRevoke, Says: "Revoke a service token."},
	}},
	{"access", "Access policy", []Entry{
		{Permission: AccessView, Says: "See who holds which role at the clinic.", Read: true},
		{Permission: AccessExplain, Says: "Have explained why somebody may or may not see something.", Read: true},
		{Permission: AccessChange, Says: "Change the access policy.", LakeWide: true},
	}},
	{"support", "Support access", []Entry{
		{Permission: SupportView, Says: "See who has, and had, support access, why, and how long.", Read: true},
		{Permission: SupportGrant, Says: "Grant the vendor support access, for a reason and a time."},
		{Permission: SupportRevoke, Says: "End support access at once."},
	}},
	{"server", "Query server", []Entry{
		{Permission: ServerView, Says: "See the query server's health and load.", Read: true, LakeWide: true},
		{Permission: ServerManage, Says: "Unload clinics and stop queries of others.", LakeWide: true},
	}},
}
