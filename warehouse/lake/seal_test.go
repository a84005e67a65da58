package lake_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// ownKey seals with AES-GCM, bound to the object's name.
type ownKey struct{ key []byte }

func (k ownKey) Seal(plain []byte, name string) ([]byte, error) {
	aead, err := subtle.NewAESGCM(k.key)
	if err != nil {
		return nil, err
	}
	return aead.Encrypt(plain, []byte(name))
}

func (k ownKey) Open(stored []byte, name string) ([]byte, error) {
	aead, err := subtle.NewAESGCM(k.key)
	if err != nil {
		return nil, err
	}
	return aead.Decrypt(stored, []byte(name))
}

func TestADatasetUnderItsOwnKeyIsReadWithItAlone(t *testing.T) {
	ctx := t.Context()
	store := openDir(t)
	open := func(seals map[string]lake.Sealer) *lake.Clinic {
		clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon, Sealed: seals})
		if err != nil {
			t.Fatal(err)
		}
		return clinic
	}
	own := map[string]lake.Sealer{contract.Insurers: ownKey{bytes.Repeat([]byte{1}, 32)}}
	written := open(own)
	row := contract.Insurer{PayerID: "p1_a", Name: "Canary Mutual of Somewhere", ObservedOn: 20000}
	upsertInto(t, written, lake.Insurers, lake.Batch[contract.Insurer]{Rows: []contract.Insurer{row}})

	for _, name := range storetest.Names(t, store, "") {
		body, err := store.Get(ctx, name)
		if err != nil || bytes.Contains(body, []byte("Canary")) {
			t.Errorf("%s holds the name in plain text (%v)", name, err)
		}
	}
	if got := rowsOf(t, written, lake.Insurers); len(got) != 1 || got[0] != row {
		t.Errorf("with the key: %+v", got)
	}
	for what, seals := range map[string]map[string]lake.Sealer{"without the key": nil, "with another key": {contract.Insurers: ownKey{bytes.Repeat([]byte{2}, 32)}}} {
		clinic := open(seals)
		var failed error
		for _, err := range lake.Rows(ctx, clinic.Snapshot(head(t, clinic)), lake.Insurers) {
			failed = err
		}
		if failed == nil || (seals == nil) != errors.Is(failed, lake.ErrSealed) {
			t.Errorf("%s: %v", what, failed)
		}
		local, err := clinic.Snapshot(head(t, clinic)).Materialise(ctx, lake.Want{})
		if err != nil || len(local.Datasets[contract.Insurers]) != 0 {
			t.Errorf("%s it is handed out as files: %v, %v", what, local, err)
		}
		if _, err := clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Insurers, lake.Batch[contract.Insurer]{Rows: []contract.Insurer{{PayerID: "p1_a", Name: "B", ObservedOn: 20001}}})
			return err
		}); err == nil {
			t.Errorf("%s rows were merged into what could not be read", what)
		}
	}
	if err := open(nil).Snapshot(head(t, written)).Verify(ctx); err != nil {
		t.Errorf("verifying all but what is sealed: %v", err)
	}
}
