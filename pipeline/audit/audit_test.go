package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func clock() func() time.Time {
	at := time.Date(2026, 9, 1, 8, 0, 0, 123456789, time.FixedZone("", 3600))
	return func() time.Time {
		at = at.Add(time.Hour)
		return at
	}
}

func entry(person string, action audit.Action, clinic string) audit.Entry {
	return audit.Entry{Person: person, Address: "local", Action: action, Clinic: clinic, Entity: "credentials"}
}

// filled is a log of six records.
func filled(t *testing.T, store lake.Store) *audit.Log {
	t.Helper()
	log := audit.Open(store, clock())
	for i, e := range []audit.Entry{
		entry("ada", audit.CredentialsSet, "harbour"), entry("ben", audit.CredentialsForgotten, "hillside"),
		entry("ada", audit.Paused, "hillside"), entry("service/nightly", audit.RunStarted, "harbour"),
		entry("service/nightly", audit.RunEnded, "harbour"), entry("ada", audit.CredentialsSet, "hillside"),
	} {
		if e.Action == audit.CredentialsSet {
			e.Before = audit.Fields{"second_factor": false}
			e.After = audit.Fields{"second_factor": true, "address": "https://harbour-street.janeapp.com", "password_changed": true}
		}
		if e.Action == audit.RunEnded {
			e.After = audit.Fields{"outcome": "done", "commit": int64(12), "rows": 1234567890123}
		}
		r, err := log.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if r.Number != int64(i+1) || len(r.Hash) != 64 || (i > 0) != (r.Previous != "") {
			t.Errorf("record %+v", r)
		}
	}
	return log
}

func name(n int) string { return fmt.Sprintf("audit/log/%012d.json", n) }

func TestLog(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	log := filled(t, store)
	verified, err := log.Verify(ctx, audit.Tip{})
	if err != nil || verified.Records != 6 || verified.Tip.Number != 6 || verified.TipKnown {
		t.Fatalf("%+v, %v", verified, err)
	}
	if again, err := log.Verify(ctx, verified.Tip); err != nil || !again.TipKnown {
		t.Errorf("with its tip: %+v, %v", again, err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 9, 1, 7+hour, 0, 0, 0, time.UTC) }
	for want, f := range map[string]audit.Filter{
		"[1 2 3 4 5 6]": {}, "[1 3 6]": {Person: "ada"}, "[1 4 5]": {Clinic: "harbour"}, "[1 6]": {Action: audit.CredentialsSet},
		"[6]": {Action: audit.CredentialsSet, Clinic: "hillside", Person: "ada", Entity: "credentials"}, "[]": {Entity: "vault"},
		"[3 4]": {From: at(3), To: at(5)}, "[4 5 6]": {From: at(4)}, "[1 2]": {To: at(3)},
	} {
		records, err := log.Records(ctx, f)
		numbers := []int64{}
		for _, r := range records {
			numbers = append(numbers, r.Number)
		}
		if err != nil || fmt.Sprint(numbers) != want {
			t.Errorf("%+v finds %v, %v, want %s", f, numbers, err, want)
		}
	}
	records, err := log.Records(ctx, audit.Filter{Action: audit.RunEnded})
	if err != nil || records[0].After["commit"] != float64(12) || records[0].At.Location() != time.UTC {
		t.Errorf("%+v, %v", records, err)
	}
}

// Whatever is done to a stored record, or to their order, shows; what is cut off shows to whoever knows the tip.
func TestTampering(t *testing.T) {
	change := func(store *storetest.Memory, n int, edit func(r map[string]any)) {
		body, err := store.Get(t.Context(), name(n))
		if err != nil {
			t.Fatal(err)
		}
		var r map[string]any
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		edit(r)
		put(t, store, n, must(json.Marshal(r)))
	}
	for what, c := range map[string]struct {
		do   func(store *storetest.Memory)
		want []string
	}{
		"a person changed":   {func(s *storetest.Memory) { change(s, 2, func(r map[string]any) { r["person"] = "eve" }) }, []string{"record 2 was changed"}},
		"a field added":      {func(s *storetest.Memory) { change(s, 3, func(r map[string]any) { r["x"] = 1 }) }, []string{"record 3 was changed"}},
		"the newest changed": {func(s *storetest.Memory) { change(s, 6, func(r map[string]any) { r["clinic"] = "harbour" }) }, []string{"record 6 was changed"}},
		"white space":        {func(s *storetest.Memory) { put(t, s, 4, append(get(t, s, 4), ' ')) }, []string{"record 4 was changed"}},
		"not JSON":           {func(s *storetest.Memory) { put(t, s, 4, []byte("{")) }, []string{"record 4 cannot be read"}},
		"one removed":        {func(s *storetest.Memory) { drop(t, s, 3) }, []string{"record 3 is missing"}},
		"two removed":        {func(s *storetest.Memory) { drop(t, s, 3); drop(t, s, 4) }, []string{"records 3 to 4 are missing"}},
		"the first removed":  {func(s *storetest.Memory) { drop(t, s, 1) }, []string{"record 1 is missing"}},
		"two swapped":        {func(s *storetest.Memory) { a, b := get(t, s, 2), get(t, s, 3); put(t, s, 2, b); put(t, s, 3, a) }, []string{"record 2 was changed", "record 3 was changed", "record 4 does not follow record 3"}},
		"cut off":            {func(s *storetest.Memory) { drop(t, s, 6) }, []string{"it ends before record 6, which this machine has seen"}},
		"all of it cut off": {func(s *storetest.Memory) {
			drop(t, s, 1)
			drop(t, s, 2)
			drop(t, s, 3)
			drop(t, s, 4)
			drop(t, s, 5)
			drop(t, s, 6)
		}, []string{"it ends before record 6"}},
		"two things":            {func(s *storetest.Memory) { drop(t, s, 2); put(t, s, 5, []byte("x")) }, []string{"record 2 is missing", "record 5 cannot be read"}},
		"written anew":          {func(s *storetest.Memory) { anew(t, s, 6) }, []string{"record 6 is another than this machine has seen"}},
		"written anew, longer":  {func(s *storetest.Memory) { anew(t, s, 8) }, []string{"record 6 is another than this machine has seen"}},
		"one rewritten rightly": {func(s *storetest.Memory) { reseal(t, s, 3) }, []string{"record 4 does not follow record 3"}},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, store := t.Context(), &storetest.Memory{}
			log := filled(t, store)
			before, err := log.Verify(ctx, audit.Tip{})
			if err != nil {
				t.Fatal(err)
			}
			c.do(store)
			_, err = log.Verify(ctx, before.Tip)
			if !errors.Is(err, audit.ErrTampered) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if n := strings.Count(err.Error(), "\n") + 1; n != len(c.want) {
				t.Errorf("%d things are said, want %d: %v", n, len(c.want), err)
			}
		})
	}
}

func must(body []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return body
}

func get(t *testing.T, s *storetest.Memory, n int) []byte {
	t.Helper()
	body, err := s.Get(t.Context(), name(n))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func drop(t *testing.T, s *storetest.Memory, n int) {
	t.Helper()
	if err := s.Delete(t.Context(), name(n)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s *storetest.Memory, n int, body []byte) {
	t.Helper()
	drop(t, s, n)
	if err := s.Create(t.Context(), name(n), body); err != nil {
		t.Fatal(err)
	}
}

// anew replaces the log by another that is whole in itself.
func anew(t *testing.T, s *storetest.Memory, records int) {
	t.Helper()
	for n := range 6 {
		drop(t, s, n+1)
	}
	log := audit.Open(s, clock())
	for range records {
		if _, err := log.Append(t.Context(), entry("eve", audit.Resumed, "harbour")); err != nil {
			t.Fatal(err)
		}
	}
}

// reseal replaces a record by another with a right hash.
func reseal(t *testing.T, s *storetest.Memory, n int) {
	t.Helper()
	other := &storetest.Memory{}
	for i := 1; i < n; i++ {
		put(t, other, i, get(t, s, i))
	}
	if _, err := audit.Open(other, clock()).Append(t.Context(), entry("eve", audit.Resumed, "harbour")); err != nil {
		t.Fatal(err)
	}
	put(t, s, n, get(t, other, n))
}

// Records of many writers, on stores that race, are one chain and lose none.
func TestRacingWriters(t *testing.T) {
	ctx := t.Context()
	dir, err := lake.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for what, store := range map[string]lake.Store{"memory": &storetest.Memory{}, "folder": dir} {
		const writers, each = 8, 5
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				log := audit.Open(store, nil)
				for range each {
					if _, err := log.Append(ctx, entry(fmt.Sprintf("writer-%d", w), audit.Paused, "harbour")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		log := audit.Open(store, nil)
		if verified, err := log.Verify(ctx, audit.Tip{}); err != nil || verified.Records != writers*each {
			t.Errorf("%s: %+v, %v", what, verified, err)
		}
		for w := range writers {
			if records, err := log.Records(ctx, audit.Filter{Person: fmt.Sprintf("writer-%d", w)}); err != nil || len(records) != each {
				t.Errorf("%s: writer %d has %d records, %v", what, w, len(records), err)
			}
		}
	}
}

// A fault at any request leaves a log that verifies, and a record that was promised is there.
func TestEveryFault(t *testing.T) {
	ctx := t.Context()
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for fail := 1; fail <= 6; fail++ {
			store := &storetest.Memory{}
			filled(t, store)
			faulty := audit.Open(&storetest.Faulty{Store: store, Fail: fail, Fault: fault}, clock())
			written, failed := faulty.Append(ctx, entry("zoe", audit.Paused, "harbour"))
			log := audit.Open(store, clock())
			verified, err := log.Verify(ctx, audit.Tip{})
			if err != nil {
				t.Fatal(err)
			}
			records, err := log.Records(ctx, audit.Filter{Person: "zoe"})
			if err != nil || len(records) > 1 || failed == nil && (len(records) != 1 || verified.Tip.Hash != written.Hash) {
				t.Errorf("fault at request %d: %d records, %v", fail, len(records), failed)
			}
		}
	}
}

// What must not be in a log cannot get into it, and no error repeats it.
func TestRefusals(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	log := audit.Open(store, nil)
	const canary = "Wilhelmina Quux"
	for what, change := range map[string]func(e *audit.Entry){
		"a field that is not listed":   func(e *audit.Entry) { e.After = audit.Fields{"password": "hunter2hunter2"} },
		"a name in a word":             func(e *audit.Entry) { e.After = audit.Fields{"id": canary} },
		"a name in an address":         func(e *audit.Entry) { e.After = audit.Fields{"address": "https://host/" + canary} },
		"a password in an address":     func(e *audit.Entry) { e.After = audit.Fields{"address": "https://clerk:hunter2@host"} },
		"a query in an address":        func(e *audit.Entry) { e.After = audit.Fields{"address": "https://host?hunter2"} },
		"text in a flag":               func(e *audit.Entry) { e.After = audit.Fields{"second_factor": canary} },
		"a structure":                  func(e *audit.Entry) { e.Before = audit.Fields{"id": []string{canary}} },
		"an unknown action":            func(e *audit.Entry) { e.Action = audit.Action(canary) },
		"a name as entity":             func(e *audit.Entry) { e.Entity = canary },
		"a name as clinic":             func(e *audit.Entry) { e.Clinic = canary },
		"a name as address":            func(e *audit.Entry) { e.Address = canary },
		"nobody":                       func(e *audit.Entry) { e.Person = "" },
		"a service without a name":     func(e *audit.Entry) { e.Person = "service/" },
		"a shared name":                func(e *audit.Entry) { e.Person = "Root" },
		"lines":                        func(e *audit.Entry) { e.Person = "ada\nben" },
		"a person of many words":       func(e *audit.Entry) { e.Person = strings.Repeat("a", 101) },
		"a negative count of a rekey":  func(e *audit.Entry) { e.Action, e.After = audit.RekeyEnded, audit.Fields{"version": -1} },
		"half a count":                 func(e *audit.Entry) { e.Action, e.After = audit.RekeyEnded, audit.Fields{"version": 1.5} },
		"a field of another action":    func(e *audit.Entry) { e.After = audit.Fields{"pseudonyms": 1} },
		"a pseudonym in words":         func(e *audit.Entry) { e.After = audit.Fields{"id": "leak/p1_" + strings.Repeat("a", 26)} },
		"a pseudonym as entity":        func(e *audit.Entry) { e.Entity = "p12_" + strings.Repeat("b", 26) },
		"a mailbox of many":            func(e *audit.Entry) { e.Person = "Reception@clinic.example" },
		"an endless mailbox":           func(e *audit.Entry) { e.Person = strings.Repeat("a", 250) + "@b.example" },
		"words around a mailbox":       func(e *audit.Entry) { e.Person = strings.Repeat("a ", 60) + "a@b.example" },
		"a control character in words": func(e *audit.Entry) { e.After = audit.Fields{"id": "a\x00b"} },
	} {
		e := entry("ada", audit.CredentialsSet, "harbour")
		change(&e)
		_, err := log.Append(ctx, e)
		if err == nil {
			t.Errorf("%s was recorded", what)
			continue
		}
		if text := strings.ReplaceAll(err.Error(), "recording "+canary, ""); strings.Contains(text, canary) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: the error repeats it: %v", what, err)
		}
	}
	for name := range store.List(ctx, "", "") {
		t.Errorf("%s was written", name)
	}
}

// What a server records has words, counts and flags alone, whatever the action.
func TestEveryActionRefusesSentences(t *testing.T) {
	for action, fields := range audit.Allowed() {
		for _, name := range fields {
			for _, canary := range []any{"Wilhelmina Quux", "select * from clinic", "wil@quux.example", "hunter2&x", "", strings.Repeat("a", 101), 1.5, -1, nil, []any{}} {
				e := entry("ada", action, "harbour")
				e.After = audit.Fields{name: canary}
				if err := e.Check(); err == nil {
					t.Errorf("%s takes %v as %s", action, canary, name)
				} else if text, is := canary.(string); is && text != "" && strings.Contains(err.Error(), text) {
					t.Errorf("%s: the error repeats it: %v", action, err)
				}
			}
		}
	}
}

func TestPersons(t *testing.T) {
	for name, right := range map[string]bool{
		"ada": true, "ada@clinic.example": true, strings.Repeat("a", 64) + "@" + strings.Repeat("b", 60) + ".example": true, "ben@desk": true, "Åsa Ek": true,
		"service/nightly": true, "service/admin": true, "o'neil+falloff@clinic.example": true,
		"admin": false, "admin@localhost": false, "INFO@clinic.example": false, "anonymous": false, "": false, " ada": false, "ada\u202e": false,
	} {
		if err := audit.CheckPerson(name); (err == nil) != right {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNamesFitTheStore(t *testing.T) {
	store := &storetest.Memory{}
	filled(t, store)
	var names []string
	for n, err := range store.List(t.Context(), "", "") {
		if err != nil || lake.ValidName(n) != nil {
			t.Errorf("%s: %v", n, err)
		}
		names = append(names, n)
	}
	if want := []string{name(1), name(2), name(3), name(4), name(5), name(6)}; !slices.Equal(names, want) {
		t.Errorf("objects %v", names)
	}
	if clinics, err := lake.Clinics(t.Context(), store); err != nil || len(clinics) > 0 {
		t.Errorf("the log looks like the clinics %v, %v", clinics, err)
	}
}
