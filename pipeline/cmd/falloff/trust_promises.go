package main

import "strings"

// A promise is one that the product makes, and what anybody can run to see it kept.
type promise struct {
	id, text string
	// commands and tests show it; both empty where this version does not keep it yet.
	commands, tests []string
	note            string
}

// promises are those that a clinic, its patients and whoever answers for them can hold the product to. A test looks that every test and command named here exists.
var promises = []promise{
	{
		"C1", "One dedicated staff account with the billing level: connected by one command, which proves that it works and may do no more.",
		[]string{"falloff connect", "falloff preflight"},
		[]string{"TestPreflight", "TestAccess", "TestScripts/connect", "TestScripts/preflight"}, "",
	},
	{
		"C2", "Read-only: only listed requests leave, by two walls that judge apart; everything else is stopped before and counted, and a write that was tried ends the run with an alarm.",
		[]string{"falloff run", "falloff trust"},
		[]string{"TestHostilePages", "TestTricksWork", "TestNothingIsSmuggled", "TestProxyAlone", "TestHTTPSPortal", "TestRefusedWritesEndTheSession", "TestScripts/refused_write"}, "hostile pages are tried against both walls, and against each alone",
	},
	{
		"C3", "Credentials lie in an AES-256 vault; no secret in a settings file, a process list, a log or an error; a changed password is one command.",
		[]string{"falloff credentials set", "falloff credentials rotate", "falloff credentials forget"},
		[]string{"TestCredentials", "TestVaultCannotBePrinted", "TestCredentialsPrintAsRedacted", "TestSecretsCannotBePrinted", "TestScripts/credentials", "TestScripts/unlock"}, "AWS KMS was tried against a server of ours that speaks its protocol",
	},
	{
		"C4", "When the clinic switches the account off the run stops within one request, nothing half-lands, and nothing tries again.",
		[]string{"falloff run", "falloff status"},
		[]string{"TestRejectedCredentialsAreNotTriedAgain", "TestScripts/run", "TestScripts/run_portal_fails"}, "",
	},
	{
		"C5", "Every screen opened and report run is a line of the access ledger, and is held against the portal's own log.",
		[]string{"falloff reconcile"},
		[]string{"TestAccessLedger", "TestScripts/reconcile"}, "what the portal's real log looks like is not known",
	},
	{
		"C6", "No API key, webhook or application is needed from the clinic.",
		[]string{"falloff connect"},
		[]string{"TestScripts/run"}, "",
	},
	{
		"C7", "What is read is what this page lists.",
		[]string{"falloff trust"},
		[]string{"TestTrustStatementIsFresh", "TestTrustStatementLeavesNothingOut", "TestReadSimulatedExports"}, "",
	},
	{
		"C8", "Notes, contact data, diagnoses, card data, photos and documents are never kept, stored or sent.",
		[]string{"falloff trust"},
		[]string{"TestScripts/run", "TestNobodyIsLeftOnADisk", "TestBrowsingLeavesNoTrace", "TestSnapshotsHoldNobody", "TestReadSimulatedExports"}, "planted names, numbers and notes are searched for in every byte that is written",
	},
	{
		"C11", "Only pseudonyms, unless the clinic chooses recovery mode; leaving that mode erases the names.",
		[]string{"falloff identity-mode"},
		[]string{"TestIdentitiesKeyIsDestroyed", "TestNamesAndActivityLandOnlyWhenAskedFor", "TestScripts/identity_mode"}, "",
	},
	{
		"C13", "Every dashboard says first how fresh it is; what was synced is listed per dataset.",
		[]string{"falloff status", "falloff serve"},
		[]string{"TestEveryDashboardSaysHowFreshItIsAndWhatIsWithheld"}, "",
	},
	{
		"C14", "Pause and resume at any moment, from any machine.",
		[]string{"falloff pause", "falloff resume"},
		[]string{"TestScripts/pause_resume"}, "",
	},
	{
		"C18", "This page is generated from the program's own lists.",
		[]string{"falloff trust"},
		[]string{"TestTrustStatementIsFresh"}, "",
	},
	{
		"J1", "A wrong address gets an error that says what to type.",
		[]string{"falloff connect"},
		[]string{"TestParseAddress", "TestScripts/run_refusals"}, "",
	},
	{
		"J4", "An account that can open charts, manage shifts, see patients or holds full access is refused, with the switches to turn off.",
		[]string{"falloff preflight"},
		[]string{"TestPreflight", "TestScripts/preflight"}, "",
	},
	{
		"J6", "The portal's activity report is read, of our account alone; our own log has the same filters.",
		[]string{"falloff reconcile", "falloff audit search"},
		[]string{"TestScripts/reconcile", "TestLog"}, "",
	},
	{
		"J9", "Our own log names persons; names that people share are refused.",
		[]string{"falloff audit search"},
		[]string{"TestLog", "TestRefusals"}, "",
	},
	{
		"K1", "Who asks is found out and what they may see is decided before any row is loaded; a forged request gets 403 and opens no file.",
		[]string{"falloff serve", "falloff access explain"},
		[]string{"TestEveryRoleIsAnsweredWhatItsRoleIsFor", "TestNoHandlerReachesDataPastTheDoor", "TestScripts/serve"}, "",
	},
	{
		"K2", "A catalogue of permissions in groups, with ten role templates.",
		[]string{"falloff access permissions", "falloff access roles"},
		[]string{"TestTheCatalogueIsWhole", "TestTheTemplatesHoldWhatIsPromised", "TestEveryMartIsMapped"}, "",
	},
	{
		"K3", "A practitioner sees their own caseload, and no money.",
		[]string{"falloff access explain", "falloff serve"},
		[]string{"TestAPractitionerSeesTheirCaseloadAndNoMoney", "TestAPractitionerSeesTheirOwnCaseload"}, "",
	},
	{
		"K4", "One function says what of which clinic is visible; analysts' SQL runs in a process that holds nothing else.",
		[]string{"falloff serve"},
		[]string{"TestWhatHoldsOfEveryPolicy", "TestNothingHostileGetsOut", "TestOnlyWhatIsVisibleIsInTheWorker"}, "on Linux the process is shut in by the kernel as well, elsewhere by DuckDB's own locks",
	},
	{
		"K5", "Whoever may do something may see it, never the other way round.",
		[]string{"falloff access roles"},
		[]string{"TestTheCatalogueIsWhole", "TestWhatHoldsOfEveryPolicy"}, "",
	},
	{
		"K6", "Practitioners have a dashboard of their own caseload, without money; figures of few patients are told to nobody who may not see the rows.",
		[]string{"falloff serve"},
		[]string{"TestWhoIsAnswered", "TestFiguresAreFromReleasedTablesForWhoeverSeesNoRows", "TestABuildDecidesWhatIsToldInAggregates"}, "",
	},
	{
		"K7", "People come in with a signed identity and, unless the policy says otherwise, a second factor; nobody comes in without a name. The portal's second factor is answered from the vault.",
		[]string{"falloff serve", "falloff token plugin-key", "falloff credentials set"},
		[]string{"TestWhoIsIdentified", "TestHostileTokensAreRefused", "TestWithoutASecondFactorNothingIsSeen", "TestSecondFactor", "TestACodeIsUsedOnce", "TestScripts/preflight"},
		"Grafana's and OIDC tokens were tested as they are documented, not with those of a running one",
	},
	{
		"K8", "Every request, answered or refused, is in a log that shows what was done to it, before the answer leaves.",
		[]string{"falloff audit search", "falloff audit export", "falloff audit verify"},
		[]string{"TestEveryRequestIsInTheAuditLogBeforeItIsAnswered", "TestEveryRecordTampered", "TestLostTail", "TestScripts/audit_servers"}, "it is searched at the command line and over HTTP; Grafana has no page for it yet",
	},
	{
		"K9", "What people do about a leak is kept with name and time.",
		[]string{"falloff leaks assign", "falloff leaks history"},
		[]string{"TestSayLeaks", "TestScripts/leak_states", "TestScripts/serve_tasks"}, "",
	},
	{
		"K10", "Support access is for a time and a reason; while it lasts every answer says so, and session and duration are recorded.",
		[]string{"falloff support open", "falloff support list"},
		[]string{"TestScripts/serve_support"}, "",
	},
	{
		"K16", "A lost service token is replaced by a code that works once; wrong codes shut the way for an hour.",
		[]string{"falloff token reissue"},
		[]string{"TestALostTokenIsReplacedOnce", "TestCodesCannotBeTriedAtWill", "TestScripts/token"}, "",
	},
	{
		"K11", "A sign-in starts only after the current agreement was accepted; who did, and to what text, is kept unchangeable.",
		[]string{"falloff agreement show", "falloff connect"},
		[]string{"TestAcceptance", "TestNothingOverwritesAnAcceptance", "TestScripts/run_refusals", "TestScripts/agreement"}, "",
	},
	{
		"K14", "Logs and errors carry no identity and no credential.",
		[]string{"falloff run"},
		[]string{"TestScripts/run", "TestScripts/credentials", "TestCredentialsPrintAsRedacted"}, "",
	},
	{
		"C17", "What it does about PIPEDA and PHIPA, what happens after a breach, and by when: written down, with the commands that give evidence. (docs/privacy-law.md, docs/breach.md)",
		[]string{"falloff agreement show", "falloff audit export", "falloff reconcile"},
		[]string{"TestTheDeploymentsCommandsAreThePrograms", "TestScripts/agreement"}, "no lawyer has read it",
	},
	{
		"K17", "A page says what is not claimed and was never verified; falloff is independent, and sends no marketing. (docs/not-claimed.md)",
		[]string{"falloff agreement show"},
		[]string{"TestTheDeploymentNamesWhatTheProgramReads", "TestScripts/help"}, "",
	},
	{
		"C15", "A clinic is deleted for good: lake with every version, backups, files of this machine, keys last; a signed certificate says what and how it was verified.",
		[]string{"falloff delete", "falloff delete verify"},
		[]string{"TestDeleteKilledAnywhere", "TestDeleteLeavesNobody", "TestDeleteVersions", "TestScripts/delete"}, "copies of the vault from before the deletion still open copies of the data from before",
	},
	{
		"J2", "A clinic's lake and backups lie in its region, or are refused.",
		[]string{"falloff import", "falloff backup"},
		[]string{"TestResidence", "TestResidency", "TestNothingLandsElsewhere"}, "a folder cannot be asked: falloff.yaml says where the machine is; it was tried against an S3 server of the tests, not against Amazon's",
	},
	{
		"J5", "Backups are encrypted whatever the lake does, compared as they are written, and restored as they were, byte by byte.",
		[]string{"falloff backup", "falloff restore"},
		[]string{"TestEverythingComesBack", "TestKilledAnywhere", "TestKilledRestore", "TestDestroyedPrimary", "TestBackup", "TestScripts/backup", "TestScripts/schedule"}, "falloff schedule makes one every night, and restores one on trial every month",
	},
	{
		"C9", "TLS 1.3 to the portal, the store, the query server, mail servers, webhooks and collectors; older ones are refused, except on loopback.",
		[]string{"falloff connect", "falloff serve", "falloff notify test"},
		[]string{"TestTLSIsNoOlderThan13", "TestS3DemandsTLS13", "TestHTTPSPortal", "TestLoopbackMayBePlain", "TestNothingIsToldUnencryptedThroughANetwork", "TestAnEmailArrives"}, "",
	},
	{
		"C10", "Everything at rest is under AES-256: lakes in folders, vault, caches and backups by us; a bucket by the store, which is asked whether it does.",
		[]string{"falloff lake encrypt", "falloff backup"},
		[]string{"TestAnEncryptedFolderSaysNothing", "TestEncryptionIsDemanded", "TestS3Encryption", "TestWhatWaitsIsSealed", "TestBackup"}, "a folder that is declared unencrypted is not",
	},
	{
		"C12", "In privacy mode counts of patients and sums; in recovery mode whom to call, which invoices to collect, and whether the money came.",
		[]string{"falloff leaks", "falloff report", "falloff identity-mode"},
		[]string{"TestTasksOfWinningPatientsBack", "TestRecoveriesAreWithinTheirLeaks", "TestScripts/serve_tasks", "TestScripts/identity_mode", "TestScripts/report"}, "",
	},
	{
		"C16", "A clinic's data leaves whole, as CSV or JSON, and can be imported again.",
		[]string{"falloff export"},
		[]string{"TestAnExportMakesTheSameLakeAgain", "TestScripts/export_import", "TestScripts/leave_and_return"}, "",
	},
	{
		"C19", "The leaks, cohorts and falloff that are shown are what their definitions say, to the cent.",
		[]string{"falloff leaks", "falloff analyze", "falloff test"},
		[]string{"TestLedgerEqualsTheSimulatedTruth", "TestUnlikeClinicsEqualTheirTruth", "TestStatusesAtTenDates", "TestAgainstIndependentPrograms"}, "on simulated clinics",
	},
	{
		"D8", "Nights run unattended: idempotent, resumable, with exit codes that a scheduler understands, on one machine or many.",
		[]string{"falloff run", "falloff schedule", "falloff worker"},
		[]string{"TestHundredNights", "TestSimulation", "TestManyMachines", "TestExitCodesAreInTheManual", "TestScripts/schedule", "TestScripts/nightly"}, "",
	},
	{
		"J7", "The clinic owns its data, and whoever runs falloff acts as its agent: the agreement says so.",
		[]string{"falloff agreement show"},
		[]string{"TestAcceptance", "TestScripts/agreement"}, "",
	},
	{
		"J8", "Ending a subscription deletes nothing by itself; export comes first, deletion is asked for, a retention period can be set.",
		[]string{"falloff export", "falloff retain", "falloff delete"},
		[]string{"TestRetention", "TestScripts/nothing_goes_by_itself", "TestScripts/retain"}, "",
	},
	{
		"K12", "Published figures of a closed month do not change; a correction is a restatement that is seen.",
		[]string{"falloff close"},
		[]string{"TestClosedMonthsAreShownAsTheyWerePublished", "TestRestatementsAreAHistory", "TestScripts/close"}, "",
	},
	{
		"K13", "Every message that leaves, a report among them, is on record with what became of it, and none holds an identity.",
		[]string{"falloff notify log", "falloff audit search"},
		[]string{"TestAMessageIsTriedUntilItArrives", "TestARefusedMessageIsNotTriedAgain", "TestAnEventHoldsNoText", "TestScripts/notify", "TestScripts/nightly"}, "",
	},
	{
		"K15", "What lies on a machine for a while is encrypted with a key of that machine or of the clinic.",
		[]string{"falloff status"},
		[]string{"TestCachedReaderProcess", "TestWhatHasItsOwnKeyIsNotCached", "TestWhatWaitsIsSealed", "TestScripts/cache"}, "",
	},
}

func (s *statement) promises() {
	s.paragraphf("## What is promised, and what shows it")
	s.paragraphf("`go test ./... -run <name>` runs a test. `falloff simclinic serve` is a portal to try the commands on.")
	s.head("promise", "in words", "see it with", "tested by")
	for _, p := range promises {
		text := p.text
		if p.note != "" {
			text += " (" + p.note + ")"
		}
		commands, tests := strings.ReplaceAll(list(p.commands), ", ", "<br>"), strings.ReplaceAll(list(p.tests), ", ", "<br>")
		if len(p.commands)+len(p.tests) == 0 {
			commands, tests = "not in this version yet", "–"
		}
		s.row(p.id, text, commands, tests)
	}
	s.WriteString("\n")
}
