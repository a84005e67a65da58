package vault

import (
	"slices"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// payload is what the vault holds, while it is open. It is never printed, and wiped after each use. Secrets are byte slices
// in it, which can be wiped, and not strings, which cannot.
type payload struct {
	Clinics map[string]*clinicSecrets `json:"clinics,omitempty"`
	// Tips are the newest audit records that were seen, by lake: what is cut off the end of a log shows by them.
	Tips map[string]Tip `json:"audit_tips,omitempty"`
	// Signing is a Tink keyset of this installation's own, which signs certificates of deletion.
	Signing []byte `json:"signing_keyset,omitempty"`
	// AuditData and AuditSigning are Tink keysets: what a server keeps of its audit chain on this machine is sealed under the one,
	// the checkpoints of that chain are signed with the other. Chains is what was seen of servers' chains, by lake and server.
	AuditData    []byte                          `json:"audit_data_keyset,omitempty"`
	AuditSigning []byte                          `json:"audit_signing_keyset,omitempty"`
	Chains       map[string]map[string]SeenChain `json:"audit_chains,omitempty"`
}

// clinicSecrets is what is kept of one clinic.
type clinicSecrets struct {
	// Keys is the chain of keys, the first one first. Live is how many of them are in use; one more may be prepared by a
	// rekey that has not ended.
	Keys [][]byte `json:"pseudonym_keys,omitempty"`
	Live int      `json:"live_keys,omitempty"`
	// Lake are the keys that the clinic's lakes are encrypted under, the oldest first.
	Lake [][]byte `json:"lake_keys,omitempty"`
	// Data is a Tink keyset.
	Data       []byte `json:"data_keyset,omitempty"`
	Identities []byte `json:"identities_key,omitempty"`
	// Backup is the Tink keyset that backups are sealed under, BackupNames the key that names their objects.
	Backup      []byte             `json:"backup_keyset,omitempty"`
	BackupNames []byte             `json:"backup_names_key,omitempty"`
	Credentials *storedCredentials `json:"credentials,omitempty"`
}

type storedCredentials struct {
	ID       string    `json:"id"`
	SetAt    time.Time `json:"set_at"`
	Address  string    `json:"address"`
	Account  []byte    `json:"account"`
	Password []byte    `json:"password"`
	TOTP     []byte    `json:"totp,omitempty"`
}

// clinic is what is kept of a clinic, made where there is nothing.
func (p *payload) clinic(id string) *clinicSecrets {
	if p.Clinics == nil {
		p.Clinics = map[string]*clinicSecrets{}
	}
	if p.Clinics[id] == nil {
		p.Clinics[id] = &clinicSecrets{}
	}
	return p.Clinics[id]
}

// format is the oldest format whose programs keep everything that the payload holds: an older one would lose what it does not
// know when it stores the rest.
func (p *payload) format() int {
	if len(p.AuditData)+len(p.AuditSigning)+len(p.Chains) > 0 {
		return 3
	}
	for _, c := range p.Clinics {
		if len(c.Lake) > 0 {
			return 2
		}
	}
	return 1
}

func (p *payload) wipe() {
	if p == nil {
		return
	}
	for _, k := range [][]byte{p.Signing, p.AuditData, p.AuditSigning} {
		secret.Wipe(k)
	}
	for _, c := range p.Clinics {
		c.wipe()
	}
}

func (c *clinicSecrets) wipe() {
	for _, k := range slices.Concat(c.Keys, c.Lake) {
		secret.Wipe(k)
	}
	for _, k := range [][]byte{c.Data, c.Identities, c.Backup, c.BackupNames} {
		secret.Wipe(k)
	}
	c.Credentials.wipe()
}

func (c *storedCredentials) wipe() {
	if c == nil {
		return
	}
	secret.Wipe(c.Account)
	secret.Wipe(c.Password)
	secret.Wipe(c.TOTP)
}
