package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// pseudonymKinds says of every column that holds pseudonyms whose they are. Staff stand under their name unless clinic.yaml
// says otherwise; names are left as they are.
var pseudonymKinds = map[string]identity.Kind{
	"patient":      identity.Patient,
	"payer_id":     identity.Payer,
	"policy_id":    identity.Policy,
	"claim_id":     identity.Claim,
	"staff_member": identity.Staff,
	"account":      identity.Staff, // of the portal's activity log; that of a credit is its payer's
	"actor":        identity.Staff,
	"assignee":     identity.Staff,
}

// pseudonymsInside says of the columns whose texts have pseudonyms among other things that somebody knows whose they are.
var pseudonymsInside = map[string]func(s *successor, text string) (string, error){"leak_id": (*successor).leakID}

// Rekeyed says what a rekey did.
type Rekeyed struct {
	// Commit is the commit that shows the new pseudonyms, 0 for a clinic without any. Version is theirs.
	Commit  int64 `json:"commit"`
	Version int   `json:"version"`
	// Rows and Forgotten count, by dataset, rows that were rewritten and removed rows that are not remembered any more.
	Rows      map[string]int64 `json:"rows"`
	Forgotten map[string]int64 `json:"forgotten,omitempty"`
	// Pseudonyms is how many different ones were replaced.
	Pseudonyms int `json:"pseudonyms"`
}

// Rekey gives the clinic a new pseudonym key and rewrites everything that is stored in one commit. The new key is durable in the
// vault before anything is made with it; the commit shows all of it at once, or nothing; the vault then takes the new
// version into use. Ended at any point it can be called again: before the commit it goes on with the key that was prepared, and
// after it the clinic's next opening confirms what the commit says (KeysFinished).
//
// The marts are dropped with the pseudonyms in them: build anew.
//
// BUG(pipeline): earlier commits and their objects stay in the lake, and with them the earlier pseudonyms, until commits are
// cleared away. Whoever must not see those needs to lose access to the lake's past as well.
func (s *Site) Rekey(ctx context.Context, progress Progress) (*Rekeyed, error) {
	progress = progress.orSilent()
	progress(Step{Name: "rekey"})
	id := string(s.Clinic.ID())
	if err := s.mayWrite(ctx); err != nil {
		return nil, err
	}
	keys, err := s.Vault.Prepare(ctx, id, s.Keys.Version)
	if err != nil {
		return nil, keyed(err)
	}
	if err := putCheck(ctx, s.Vault, s.Clinic, keys); err != nil {
		return nil, err
	}
	out := &Rekeyed{Version: keys.Version}
	commit, err := s.Clinic.Update(ctx, lake.Rekey, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head() == nil {
			return lake.ErrUnchanged
		}
		next := &successor{keys: keys, next: map[string]string{}, origin: map[string]string{}}
		done, err := lake.RewriteTexts(ctx, tx, lake.Tables(), next.changes())
		if err != nil {
			return err
		}
		out.Rows, out.Forgotten, out.Pseudonyms = map[string]int64{}, map[string]int64{}, len(next.next)
		for name, d := range done {
			out.Rows[name] = d.Rows
			if d.Forgotten > 0 {
				out.Forgotten[name] = d.Forgotten
			}
		}
		return nil
	})
	if err != nil {
		return nil, storage("bringing the clinic's pseudonyms to a new key", err)
	}
	if commit != nil {
		if err := s.Clinic.Snapshot(commit).Verify(ctx); err != nil {
			return nil, storage("checking what was rewritten", err)
		}
		out.Commit = commit.Number
	}
	if err := s.Vault.Confirm(ctx, id, keys.Version); err != nil {
		return nil, keyed(err)
	}
	if err := s.openClinic(ctx, s.Clinic.Store(), s.Clinic.ID(), keys); err != nil {
		return nil, err
	}
	progress(Step{Name: "rekey", Ended: true, Note: fmt.Sprintf("%d pseudonyms replaced, commit %d", out.Pseudonyms, out.Commit)})
	return out, nil
}

// successor gives each pseudonym its next version, once.
type successor struct {
	keys identity.Keys
	mu   sync.Mutex
	next map[string]string // by kind and earlier pseudonym
	// origin is the way back, by kind and new pseudonym: two must never become one.
	origin map[string]string
}

func (s *successor) changes() lake.TextChanges {
	out := lake.TextChanges{Columns: map[string]func(string) (string, error){}, Others: noPseudonym, KeyVersion: s.keys.Version}
	for column, kind := range pseudonymKinds {
		out.Columns[column] = func(text string) (string, error) { return s.after(kind, text) }
	}
	for column, change := range pseudonymsInside {
		out.Columns[column] = func(text string) (string, error) { return change(s, text) }
	}
	out.ByRow = map[string]func(any, string) (string, error){"account": s.account, "payment_id": s.paymentID}
	return out
}

// account is whose the column account is: in a credit its payer's, in the activity log that of the portal's account.
func (s *successor) account(row any, text string) (string, error) {
	credit, ok := row.(contract.Credit)
	switch {
	case !ok:
		return s.after(pseudonymKinds["account"], text)
	case credit.PayerKind == contract.Person:
		return s.after(identity.Patient, text)
	default:
		return s.after(identity.Payer, text)
	}
}

// paymentID leaves the portal's own numbers, and makes anew the one that stands for a payment without a number.
func (s *successor) paymentID(row any, text string) (string, error) {
	payment, ok := row.(contract.Payment)
	_, nth, made := strings.Cut(text, ".")
	if !ok || !made || identity.VersionOf(strings.TrimSuffix(text, "."+nth)) == 0 {
		return text, noPseudonym("payment_id", text)
	}
	for _, of := range []struct {
		column *string
		kind   identity.Kind
		into   **string
	}{{payment.PayerID, identity.Payer, &payment.PayerID}, {payment.Patient, identity.Patient, &payment.Patient}} {
		if of.column == nil {
			continue
		}
		next, err := s.after(of.kind, *of.column)
		if err != nil {
			return "", err
		}
		*of.into = &next
	}
	return transforms.UnnumberedPayment(s.keys, payment) + "." + nth, nil
}

// leakID brings a leak's name along, as the marts make it anew from rows that were brought along: the episode of a falloff has the
// patient in it, idle hours have the staff member, a balance has the insurer.
func (s *successor) leakID(text string) (string, error) {
	kind := identity.Payer
	switch categoryOf(text) {
	case "falloff":
		kind = identity.Patient
	case "idle_capacity":
		kind = identity.Staff
	}
	return identity.ReplaceInside(text, func(found string) (string, error) { return s.after(kind, found) })
}

// noPseudonym refuses a pseudonym in a column of which nobody has said whose they are: it would be left as it is.
func noPseudonym(_, text string) error {
	if text[0] == 'p' && identity.VersionOf(text) > 0 {
		return errors.New("it holds a pseudonym, and this program does not know of whom: use a newer falloff")
	}
	return nil
}

func (s *successor) after(kind identity.Kind, text string) (string, error) {
	if identity.VersionOf(text) == 0 && kind == identity.Staff {
		return text, nil // a name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := string(kind) + "|" + text
	if next, known := s.next[key]; known {
		return next, nil
	}
	if version := identity.VersionOf(text); version != s.keys.Version-1 {
		return "", fmt.Errorf("it holds a pseudonym of version %d, and the clinic is at version %d", version, s.keys.Version-1)
	}
	next, err := s.keys.Next(kind, text)
	if err != nil {
		return "", err
	}
	if _, taken := s.origin[string(kind)+"|"+next]; taken {
		return "", errors.New("two pseudonyms would become one")
	}
	s.next[key], s.origin[string(kind)+"|"+next] = next, key
	return next, nil
}
