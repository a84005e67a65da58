package agreement_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

var (
	signer = agreement.Signer{Name: "Ada Vale", Title: "Owner", Address: "12 Harbour Street, Halifax"}
	by     = audit.Entry{Person: "ada", Address: "local"}
	now    = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
)

func accept(t *testing.T, store lake.Store, clinic lake.ClinicID) agreement.Acceptance {
	t.Helper()
	a, err := agreement.Accept(t.Context(), store, audit.Open(store, nil), clinic, signer, agreement.Version, agreement.TextHash(), by, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func objects(t *testing.T, store lake.Store, prefix string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, err := range store.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = body
	}
	return out
}

func TestAcceptance(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	status, err := agreement.Current(ctx, store, "harbour")
	if err != nil || status.Accepted || status.Latest != nil || status.Version != agreement.Version {
		t.Fatalf("before: %+v, %v", status, err)
	}
	accept(t, store, "harbour")
	status, err = agreement.Current(ctx, store, "harbour")
	if err != nil || !status.Accepted || status.Latest.Signer != signer || status.Latest.RecordedBy != "ada" || !status.Latest.AcceptedAt.Equal(now) {
		t.Fatalf("after: %+v, %v", status, err)
	}
	// The exact text is kept with it, and in it is what was shown.
	stored := objects(t, store, "agreements/")[fmt.Sprintf("agreements/harbour/%d-1.json", agreement.Version)]
	var kept struct {
		Text   string `json:"text"`
		SHA256 string `json:"text_sha256"`
	}
	if err := json.Unmarshal(stored, &kept); err != nil || kept.Text != agreement.Text() {
		t.Errorf("the text that is kept is another: %v", err)
	}
	if sum := sha256.Sum256([]byte(kept.Text)); hex.EncodeToString(sum[:]) != kept.SHA256 || kept.SHA256 != agreement.TextHash() {
		t.Error("the hash is not that of the text")
	}
	// It is no other clinic's.
	if status, err := agreement.Current(ctx, store, "hillside"); err != nil || status.Accepted {
		t.Errorf("another clinic: %+v, %v", status, err)
	}
	records, err := audit.Open(store, nil).Records(ctx, audit.Filter{Action: audit.AgreementAccepted, Clinic: "harbour"})
	sum := sha256.Sum256(stored)
	if err != nil || len(records) != 1 || records[0].Person != "ada" || records[0].After["record_sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("the audit log has %+v, %v", records, err)
	}
}

// An acceptance stays as it is, whatever is accepted after it, by how many at once.
func TestNothingOverwritesAnAcceptance(t *testing.T) {
	store := &storetest.Memory{}
	accept(t, store, "harbour")
	before := objects(t, store, "agreements/")
	const more = 6
	var wait sync.WaitGroup
	for range more {
		wait.Go(func() { accept(t, store, "harbour") })
	}
	wait.Wait()
	after := objects(t, store, "agreements/")
	if len(after) != 1+more {
		t.Errorf("%d acceptances, want %d", len(after), 1+more)
	}
	for name, body := range before {
		if !bytes.Equal(after[name], body) {
			t.Errorf("%s was changed", name)
		}
	}
	status, err := agreement.Current(t.Context(), store, "harbour")
	if err != nil || !status.Accepted || status.Latest.Number != 1+more {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestRefusals(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	log := audit.Open(store, nil)
	for what, try := range map[string]func() error{
		"another version": func() error {
			_, err := agreement.Accept(ctx, store, log, "harbour", signer, agreement.Version+1, agreement.TextHash(), by, now)
			return err
		},
		"another text": func() error {
			_, err := agreement.Accept(ctx, store, log, "harbour", signer, agreement.Version, strings.Repeat("0", 64), by, now)
			return err
		},
		"no name": func() error {
			_, err := agreement.Accept(ctx, store, log, "harbour", agreement.Signer{Title: "Owner", Address: "x y"}, agreement.Version, agreement.TextHash(), by, now)
			return err
		},
		"two lines": func() error {
			_, err := agreement.Accept(ctx, store, log, "harbour", agreement.Signer{Name: "Ada", Title: "Owner\nx", Address: "x y"}, agreement.Version, agreement.TextHash(), by, now)
			return err
		},
		"no clinic": func() error {
			_, err := agreement.Accept(ctx, store, log, "../x", signer, agreement.Version, agreement.TextHash(), by, now)
			return err
		},
		"nobody at the keyboard": func() error {
			_, err := agreement.Accept(ctx, store, log, "harbour", signer, agreement.Version, agreement.TextHash(), audit.Entry{}, now)
			return err
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if left := objects(t, store, ""); len(left) > 0 {
		t.Errorf("%d objects were written", len(left))
	}
}

// An earlier version's acceptance does not do for the current one, and an altered one for none.
func TestOnlyTheCurrentTextCounts(t *testing.T) {
	ctx := t.Context()
	put := func(store lake.Store, version int, edit func(a *agreement.Acceptance)) {
		a := agreement.Acceptance{Clinic: "harbour", Version: version, Number: 1, Signer: signer, Text: "an earlier text"}
		sum := sha256.Sum256([]byte(a.Text))
		a.TextSHA256 = hex.EncodeToString(sum[:])
		if edit != nil {
			edit(&a)
		}
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Create(ctx, fmt.Sprintf("agreements/harbour/%d-1.json", version), body); err != nil {
			t.Fatal(err)
		}
	}
	for what, edit := range map[string]func(a *agreement.Acceptance){
		"text":   func(a *agreement.Acceptance) { a.Text += "." },
		"clinic": func(a *agreement.Acceptance) { a.Clinic = "hillside" },
		"number": func(a *agreement.Acceptance) { a.Number = 2 },
	} {
		store := &storetest.Memory{}
		put(store, agreement.Version, edit)
		if status, err := agreement.Current(ctx, store, "harbour"); !errors.Is(err, agreement.ErrAltered) || status.Accepted {
			t.Errorf("altered %s: %+v, %v", what, status, err)
		}
	}
	store := &storetest.Memory{}
	put(store, agreement.Version, nil) // the right version with another text
	if status, err := agreement.Current(ctx, store, "harbour"); err != nil || status.Accepted {
		t.Errorf("another text of this version: %+v, %v", status, err)
	}
}

func TestEveryFault(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for fail := 1; fail <= 6; fail++ {
			store := &storetest.Memory{}
			faulty := &storetest.Faulty{Store: store, Fail: fail, Fault: fault}
			_, failed := agreement.Accept(t.Context(), faulty, audit.Open(faulty, nil), "harbour", signer, agreement.Version, agreement.TextHash(), by, now)
			status, err := agreement.Current(t.Context(), store, "harbour")
			if err != nil || failed == nil && !status.Accepted {
				t.Errorf("fault at request %d: %+v, %v", fail, status, err)
			}
			if records, err := audit.Open(store, nil).Records(t.Context(), audit.Filter{}); err != nil || status.Accepted && len(records) == 0 {
				t.Errorf("fault at request %d: accepted without a record, %v", fail, err)
			}
		}
	}
}

// The text says what a reader must find in it.
func TestText(t *testing.T) {
	for _, part := range []string{"custodian", "agent", "never read", "only reads", "deactivating the account", "pseudonym", "deletes nothing by itself",
		"provider's terms", "not affiliated with", "not legal advice", "Version 1"} {
		if !strings.Contains(strings.Join(strings.Fields(agreement.Text()), " "), part) {
			t.Errorf("the text does not say %q", part)
		}
	}
}
