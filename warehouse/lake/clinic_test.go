package lake_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func TestClinicIDs(t *testing.T) {
	for _, good := range []string{"a", "harbour-street", "clinic2", "2nd", strings.Repeat("a", 63)} {
		if _, err := lake.ParseClinicID(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "A", "a b", "a/b", "..", ".", "a_b", "a=b", "ä", strings.Repeat("a", 64), "a\n"} {
		if _, err := lake.ParseClinicID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
		if _, err := lake.Open(new(storetest.Memory), lake.ClinicID(bad), lake.Options{}); err == nil {
			t.Errorf("a clinic %q was opened", bad)
		}
	}
	if _, err := lake.ParseClinicID("Harbour Street Physio!"); err == nil || !strings.Contains(err.Error(), `"harbour-street-physio"`) {
		t.Errorf("no proposal: %v", err)
	}
	if _, err := lake.Open(new(storetest.Memory), "a", lake.Options{NamingKey: []byte("short")}); err == nil {
		t.Error("a short naming key was taken")
	}
}

// The golden layout: what lies where is a promise to whoever reads a lake with other tools.
func TestLayout(t *testing.T) {
	store, _ := richCommit(t)
	clinic := openClinic(t, store)
	if err := clinic.CreateKey(t.Context(), "data-1.sealed", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`/[a-z2-7]{52}(\.|$)`)
	var got []string
	for _, name := range storetest.Names(t, store, "") {
		got = append(got, hash.ReplaceAllString(name, "/HASH$1"))
	}
	want := []string{
		"clinic=harbour-street/commits/000000000001.json",
		"clinic=harbour-street/commits/hint",
		"clinic=harbour-street/data/appointments/month=2026-01/HASH.parquet", // written, then superseded before the commit
		"clinic=harbour-street/data/appointments/month=2026-02/HASH.parquet",
		"clinic=harbour-street/data/appointments/removed/HASH.parquet",
		"clinic=harbour-street/data/invoice_lines/month=2026-01/HASH.parquet",
		"clinic=harbour-street/data/policies/month=undated/HASH.parquet",
		"clinic=harbour-street/keys/data-1.sealed",
		"clinic=harbour-street/settings/HASH",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, name := range storetest.Names(t, store, "clinic=harbour-street/data/") {
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, testKey)
		mac.Write(body)
		hash := strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(mac.Sum(nil)), "="))
		if !strings.HasSuffix(name, "/"+hash+".parquet") {
			t.Errorf("%s is not named by its bytes, %s", name, hash)
		}
		if !bytes.HasPrefix(body, []byte("PAR1")) || !bytes.HasSuffix(body, []byte("PAR1")) {
			t.Errorf("%s is no Parquet", name)
		}
	}
}

func TestClinicsAndKeysAreListed(t *testing.T) {
	storetest.Gateway(t)
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			// "a-b" sorts before "a" where the slash after it counts, and "a0" right behind.
			for _, id := range []lake.ClinicID{"a", "a-b", "a0", "zoo"} {
				clinic, err := lake.Open(store, id, lake.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{"2", "1"} {
					if err := clinic.CreateKey(t.Context(), key, []byte(id)); err != nil {
						t.Fatal(err)
					}
				}
				if err := clinic.CreateKey(t.Context(), "1", nil); !errors.Is(err, lake.ErrExists) {
					t.Errorf("a key was replaced: %v", err)
				}
				if got, err := clinic.Key(t.Context(), "1"); err != nil || string(got) != string(id) {
					t.Errorf("key 1 of %s: %q, %v", id, got, err)
				}
				if keys, err := clinic.Keys(t.Context()); err != nil || !slices.Equal(keys, []string{"1", "2"}) {
					t.Errorf("keys of %s: %v, %v", id, keys, err)
				}
			}
			for _, other := range []string{"clinic=", "clinic=Big", "clinics", "clinic=-x"} {
				_ = store.Create(t.Context(), other+"/x", nil) // some are no names at all, none is a clinic
			}
			clinics, err := lake.Clinics(t.Context(), store)
			slices.Sort(clinics)
			if want := []lake.ClinicID{"a", "a-b", "a0", "zoo"}; err != nil || !slices.Equal(clinics, want) {
				t.Errorf("%v, %v", clinics, err)
			}
		})
	}
}

func TestCommitsThatAreNotThere(t *testing.T) {
	clinic := newMemoryClinic(t)
	if _, err := clinic.Head(t.Context()); !errors.Is(err, lake.ErrNoCommit) || !strings.Contains(err.Error(), "import") {
		t.Errorf("%v", err)
	}
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	for _, number := range []int64{-1, 0, 2, 1 << 60} {
		if _, err := clinic.At(t.Context(), number); !errors.Is(err, lake.ErrNoCommit) {
			t.Errorf("commit %d: %v", number, err)
		}
	}
}
