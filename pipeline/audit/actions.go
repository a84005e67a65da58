package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Action is what was done.
type Action string

// The actions.
const (
	AgreementAccepted    Action = "agreement.accepted"
	CredentialsSet       Action = "credentials.set"
	CredentialsShown     Action = "credentials.shown"
	CredentialsForgotten Action = "credentials.forgotten"
	VaultRotated         Action = "vault.rotated"
	RekeyStarted         Action = "rekey.started"
	RekeyEnded           Action = "rekey.ended"
	ClinicConnected      Action = "clinic.connected"
	PreflightRun         Action = "preflight.run"
	RunStarted           Action = "run.started"
	RunEnded             Action = "run.ended"
	SignedIn             Action = "portal.signed_in"
	WriteRefused         Action = "portal.write_refused"
	Paused               Action = "extraction.paused"
	Resumed              Action = "extraction.resumed"
	IdentityModeChanged  Action = "identity_mode.changed"
	Reconciled           Action = "access.reconciled"
	LakeEncrypted        Action = "lake.encrypted"
	BackupStarted        Action = "backup.started"
	BackupsPruned        Action = "backup.pruned"
	BackupRehearsed      Action = "backup.rehearsed"
	ClinicRestored       Action = "clinic.restored"
	DeletionStarted      Action = "deletion.started"
	DeletionEnded        Action = "deletion.ended"
	ClinicExported       Action = "clinic.exported"
	ReportMade           Action = "report.made"
	MartsWritten         Action = "marts.written"
	MessageSent          Action = "message.sent"

	PatientErasureStarted Action = "patient_erasure.started"
	PatientErasureEnded   Action = "patient_erasure.ended"

	MonthClosed   Action = "month.closed"
	MonthsRetired Action = "months.retired"

	TokenIssued         Action = "token.issued"
	TokenRevoked        Action = "token.revoked"
	TokenReissued       Action = "token.reissued"
	TokenReissueRefused Action = "token.reissue_refused" //nolint:gosec // the name of an action
	PluginKeyMade       Action = "plugin_key.made"
	PluginKeyShown      Action = "plugin_key.shown"
)

// The actions of the server and of those who use it.
const (
	ChainBegun  Action = "audit_chain.begun"  // in the log of commands: a server has a chain from now on
	ChainOpened Action = "audit_chain.opened" // a server goes on with its chain, and says what it found of it
	ChainClosed Action = "audit_chain.closed" // it ended in order

	QueryAnswered   Action = "query.answered"
	QueryRefused    Action = "query.refused"
	QueryExported   Action = "query.exported"
	SQLAnswered     Action = "sql.answered"
	SQLRefused      Action = "sql.refused"
	RequestAnswered Action = "request.answered" // whatever has no action of its own: metadata, status, settings that were read
	RequestRefused  Action = "request.refused"

	IdentityRevealed Action = "identity.revealed"
	SettingChanged   Action = "setting.changed"
	LeakStateChanged Action = "leak.state_changed"
	TaskChanged      Action = "task.changed"

	SupportGranted Action = "support_access.granted"
	SupportUsed    Action = "support_access.used"
	SupportEnded   Action = "support_access.ended"

	PolicyChanged Action = "access_policy.changed"

	AuditSearched Action = "audit.searched"
	AuditExported Action = "audit.exported"
)

// Known says whether it is an action that may be recorded.
func (a Action) Known() bool {
	_, known := allowed[a]
	return known
}

// Fields say something about an entity: words, whole numbers and truth values, under names that the action allows.
type Fields map[string]any

// FieldsOf names the fields that a record of an action may have, in order.
func FieldsOf(a Action) []string { return slices.Sorted(maps.Keys(allowed[a])) }

// sort is what a field may hold.
type sort int

const (
	flag   sort = iota // true or false
	count              // a whole number
	word               // a name out of a list, a version, a date, an id or a hash: no space, so no sentence and no person's name
	portal             // a portal's address: scheme, host, port
)

// allowed lists, for each action, the fields that a record of it may have. Whoever adds one asks first whether a password or
// a patient could ever stand in it.
var allowed = map[Action]map[string]sort{
	AgreementAccepted:    {"version": word, "text_sha256": word, "record_sha256": word, "number": count},
	CredentialsSet:       {"id": word, "address": portal, "second_factor": flag, "account_changed": flag, "password_changed": flag},
	CredentialsShown:     {},
	CredentialsForgotten: {"id": word},
	VaultRotated:         {"sealed_by": word, "old_keys_dropped": flag},
	RekeyStarted:         {"version": count},
	RekeyEnded:           {"version": count, "commit": count, "pseudonyms": count},
	ClinicConnected:      {"address": portal},
	PreflightRun:         {"outcome": word, "checks": count, "failed": count},
	RunStarted:           {"id": word, "from": word, "to": word},
	RunEnded:             {"id": word, "outcome": word, "commit": count, "reports": count, "rows": count},
	SignedIn:             {"outcome": word, "credentials": word},
	WriteRefused:         {"id": word, "method": word, "path": word, "count": count},
	Paused:               {"reason": word},
	Resumed:              {"reason": word},
	IdentityModeChanged:  {"mode": word, "objects_erased": count},
	LakeEncrypted:        {},
	MonthClosed:          {"month": word, "as_of": word, "commit": count},
	MonthsRetired:        {"before": word, "months": count, "rows": count},
	Reconciled:           {"from": word, "to": word, "matched": count, "only_ours": count, "only_theirs": count},
	BackupStarted:        {"commit": count, "snapshot": flag, "full": flag},
	BackupsPruned:        {"backups": count, "objects": count, "retired": flag},
	BackupRehearsed:      {"outcome": word, "backup": count, "commit": count, "objects": count, "rows": count},
	ClinicRestored:       {"backup": count, "commit": count, "objects": count},
	DeletionStarted:      {"id": word, "stores": count},
	DeletionEnded:        {"id": word, "objects": count, "versions": count, "keys_destroyed": flag, "certificate_sha256": word},
	ClinicExported:       {"format": word, "commit": count, "identities": flag, "keys": flag},
	MartsWritten:         {"commit": count, "as_of": word},
	// Of whom it went to there is the channel's name, which falloff.yaml gives it: no address, no URL.
	MessageSent: {"id": word, "channel": word, "channel_kind": word, "event": word, "outcome": word, "reason": word, "tries": count},
	// Whom a report was made for is a hash of their login where it is not the lake's owner.
	ReportMade: {"month": word, "format": word, "language": word, "snapshot": count, "queries": count, "suppressed": count, "for_sha256": word, "sha256": word},

	// Of a token there is its id, of a key its own name: neither opens anything.
	TokenIssued:         {"id": word, "role": word, "clinics": count, "permissions": count, "expires": word},
	TokenRevoked:        {"id": word, "role": word},
	TokenReissued:       {"id": word, "role": word, "clinics": count, "permissions": count, "expires": word, "replaces": word},
	TokenReissueRefused: {"id": word},
	PluginKeyMade:       {"id": word},
	PluginKeyShown:      {"id": word},

	// Of the patient there is a keyed hash, which the lake has as well.
	PatientErasureStarted: {"patient": word, "stores": count},
	PatientErasureEnded:   {"patient": word, "objects": count, "rows": count, "snapshots": count, "versions": count, "searched": count},

	// A session is that of a support access, whose reason is support: a word, or the hash of more. Of what an analyst typed, of the
	// values of parameters and of a leak's id there is a hash (see Sum), and of a patient the keyed hash that the lake has as well,
	// never the pseudonym.
	ChainBegun:      {"key_sha256": word},
	ChainOpened:     {"follows": count, "lost": count, "state": word},
	ChainClosed:     {},
	QueryAnswered:   {"status": count, "caseload": flag, "support": word, "query": word, "parameters_sha256": word, "snapshot": count, "rows": count, "bytes": count, "suppressed": count, "cached": flag, "milliseconds": count, "session": word},
	QueryRefused:    {"support": word, "query": word, "parameters_sha256": word, "reason": word, "status": count, "session": word},
	QueryExported:   {"query": word, "parameters_sha256": word, "snapshot": count, "rows": count, "format": word, "session": word},
	SQLAnswered:     {"status": count, "caseload": flag, "support": word, "statement_sha256": word, "snapshot": count, "rows": count, "bytes": count, "suppressed": count, "cached": flag, "milliseconds": count, "session": word},
	SQLRefused:      {"support": word, "statement_sha256": word, "reason": word, "status": count, "session": word},
	RequestAnswered: {"support": word, "route": word, "method": word, "status": count, "rows": count, "milliseconds": count, "session": word},
	RequestRefused:  {"support": word, "route": word, "method": word, "status": count, "reason": word, "session": word},

	IdentityRevealed: {"patient": word, "identities": count, "snapshot": count, "reason": word, "session": word},
	SettingChanged:   {"on": flag, "number": count, "value": word, "value_sha256": word, "session": word},
	LeakStateChanged: {"leak": word, "state": word, "note": word, "assigned": flag, "session": word},
	TaskChanged:      {"task": word, "leak": word, "state": word, "note": word, "assigned": flag, "session": word},

	SupportGranted: {"session": word, "until": word, "minutes": count, "reason": word, "reason_sha256": word},
	SupportUsed:    {"session": word, "until": word, "route": word, "query": word, "seconds": count},
	SupportEnded:   {"session": word, "reason": word, "seconds": count, "uses": count},

	PolicyChanged: {"sha256": word, "roles": count, "rules": count, "clinics": count},

	AuditSearched: {"records": count, "from": word, "to": word, "action": word, "by_person": flag, "by_entity": flag, "session": word},
	AuditExported: {"records": count, "from": word, "to": word, "action": word, "by_person": flag, "by_entity": flag, "format": word, "session": word},
}

var (
	wordText   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,99}$`)
	portalText = regexp.MustCompile(`^https?://[a-z0-9.-]{1,100}(:[0-9]{1,5})?$`)
	entityText = regexp.MustCompile(`^[a-z0-9][a-z0-9_./-]{0,99}$`)
	whereText  = regexp.MustCompile(`^[a-z0-9.:%-]{1,64}$`)
	// pseudonymText is in whatever holds a pseudonym. The log outlives the clinic, and must not tell who was its patient.
	pseudonymText = regexp.MustCompile(`(^|[^a-z0-9])p[1-9][0-9]{0,5}_[a-z2-7]{26}`)
)

// Sum is what a record holds in the place of a text that must not be in it: a statement, the values of parameters, the id of a leak.
func Sum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// fits says whether a value is of the sort, in the form in which it is written and in the one in which it is read.
func (s sort) fits(value any) bool {
	text, isText := value.(string)
	switch s {
	case flag:
		_, ok := value.(bool)
		return ok
	case count:
		switch n := value.(type) {
		case int:
			return n >= 0
		case int64:
			return n >= 0
		case float64:
			return n >= 0 && n == float64(int64(n))
		}
		return false
	case word:
		return isText && wordText.MatchString(text) && !pseudonymText.MatchString(text)
	case portal:
		return isText && portalText.MatchString(text)
	}
	return false
}

// Check refuses what a record must not hold. Errors repeat no value.
func (e Entry) Check() error {
	fields, known := allowed[e.Action]
	if !known {
		return errors.New("it is not an action that may be recorded")
	}
	if err := CheckPerson(e.Person); err != nil {
		return err
	}
	if e.Clinic != "" {
		if _, err := lake.ParseClinicID(e.Clinic); err != nil {
			return errors.New("the clinic is not a clinic's id")
		}
	}
	if e.Entity != "" && (!entityText.MatchString(e.Entity) || pseudonymText.MatchString(e.Entity)) {
		return errors.New("the entity is not a name")
	}
	if e.Address != "" && !whereText.MatchString(e.Address) {
		return errors.New("the address is none")
	}
	for _, side := range []Fields{e.Before, e.After} {
		for _, name := range slices.Sorted(maps.Keys(side)) {
			sort, ok := fields[name]
			if !ok {
				return fmt.Errorf("a record of it has no field %q", name)
			}
			if !sort.fits(side[name]) {
				return fmt.Errorf("the field %q holds what must not be recorded", name)
			}
		}
	}
	return nil
}

// ServicePrefix begins the names of jobs that nobody watches.
const ServicePrefix = "service/"

// shared are names behind which anybody may be.
var shared = []string{
	"root", "admin", "administrator", "user", "guest", "nobody", "daemon", "system", "falloff", "service", "clinic", "staff",
	"everyone", "anonymous", "unknown", "test", "shared", "me", "info", "office", "reception", "frontdesk", "front-desk", "billing", "contact", "hello",
}

// CheckPerson says why a name cannot stand for one person in the log: it is empty, not one line of text, or one that
// several people share.
func CheckPerson(name string) error {
	bare := strings.TrimPrefix(name, ServicePrefix)
	// A login that is an e-mail address is as long as those may be, and its mailbox may be one that many read.
	most, mailbox := 100, bare
	if before, after, isAddress := strings.Cut(bare, "@"); isAddress && after != "" && !strings.ContainsAny(bare, " ") {
		most, mailbox = 254, before
	}
	switch {
	case strings.TrimSpace(bare) == "":
		return errors.New("nobody is named who does it: say who you are with --as NAME, or in FALLOFF_ACTOR")
	case name != strings.TrimSpace(name) || len(name) > most || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("the name of who does it is not a line of at most 100 letters, or an e-mail address: say it with --as NAME, or in FALLOFF_ACTOR")
	case name == bare && slices.Contains(shared, strings.ToLower(mailbox)):
		return fmt.Errorf("%q is nobody's name, and the log names people: say who you are with --as NAME, or in FALLOFF_ACTOR", name)
	}
	return nil
}
