package servicetoken_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
)

// desk is a store with a clock that tests move, and what its log was told.
type desk struct {
	*servicetoken.Store
	path   string
	now    time.Time
	told   []string
	logErr error
}

func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{path: filepath.Join(t.TempDir(), "keys", "service-tokens.json"), now: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}
	d.Store = servicetoken.Open(servicetoken.Options{
		Path: d.path, Now: func() time.Time { return d.now },
		Log: func(_ context.Context, e servicetoken.Event, token servicetoken.Token) error {
			d.told = append(d.told, string(e)+" "+token.Name)
			return d.logErr
		},
	})
	return d
}

func role(t *testing.T, name string) access.Role {
	t.Helper()
	at := slices.IndexFunc(access.Templates(), func(r access.Role) bool { return r.Name == name })
	return access.Templates()[at]
}

func request(t *testing.T) servicetoken.Request {
	return servicetoken.Request{
		Name: "nightly", Role: role(t, access.BatchService), Clinics: []string{"harbour-street"},
		Permissions: []access.Permission{access.BuildRun}, Life: 90 * 24 * time.Hour, By: "ada",
	}
}

func (d *desk) issue(t *testing.T) servicetoken.Issued {
	t.Helper()
	issued, err := d.Issue(t.Context(), request(t))
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func text(b secret.Bytes) string { return b.Text() }

// A token opens its scope until it expires or is revoked, and lies nowhere as it is.
func TestATokenIsGoodForATime(t *testing.T) {
	d := open(t)
	if list, err := d.List(); err != nil || len(list) > 0 {
		t.Fatalf("before the first: %v, %v", list, err)
	}
	issued := d.issue(t)
	got, err := d.Look(text(issued.Text))
	if err != nil || got.Name != "nightly" || !slices.Equal(got.Clinics, []string{"harbour-street"}) || got.Role != access.BatchService {
		t.Errorf("%+v, %v", got, err)
	}
	kept, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{text(issued.Text), text(issued.Code), text(issued.Text)[20:], text(issued.Code)[20:]} {
		if strings.Contains(string(kept), secret) {
			t.Error("the file holds a token or a code")
		}
		if strings.Contains(fmt.Sprintf("%+v %#v %v", issued, issued, got), secret) {
			t.Error("a printed token shows itself")
		}
	}
	if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	for _, wrong := range []string{
		"", "fsv1_", text(issued.Code), text(issued.Text) + "a", text(issued.Text)[:60], strings.ToUpper(text(issued.Text)),
		strings.Replace(text(issued.Text), issued.ID, "aaaaaaaaaa", 1), text(issued.Text)[:len(text(issued.Text))-1] + "7", " " + text(issued.Text),
	} {
		if wrong == text(issued.Text) {
			continue
		}
		if _, err := d.Look(wrong); !errors.Is(err, servicetoken.ErrUnknown) {
			t.Errorf("%d letters that are no token: %v", len(wrong), err)
		}
	}
	// Another process sees it, and its end, at the next look.
	other := servicetoken.Open(servicetoken.Options{Path: d.path, Now: func() time.Time { return d.now }})
	if _, err := other.Look(text(issued.Text)); err != nil {
		t.Errorf("another process: %v", err)
	}
	if _, err := other.Revoke(t.Context(), issued.ID); err == nil {
		t.Error("revoked by whoever has no log")
	}
	if _, err := d.Revoke(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Look(text(issued.Text)); !errors.Is(err, servicetoken.ErrRevoked) {
		t.Errorf("after it was revoked: %v", err)
	}
	if _, err := d.Revoke(t.Context(), issued.ID); !errors.Is(err, servicetoken.ErrRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := d.Revoke(t.Context(), "nobody"); !errors.Is(err, servicetoken.ErrUnknown) {
		t.Errorf("revoking none: %v", err)
	}
	second := d.issue(t)
	d.now = second.Expires.Add(-time.Second)
	if _, err := d.Look(text(second.Text)); err != nil {
		t.Errorf("on its last day: %v", err)
	}
	d.now = second.Expires
	if _, err := d.Look(text(second.Text)); !errors.Is(err, servicetoken.ErrExpired) {
		t.Errorf("after its last day: %v", err)
	}
	if want := []string{"issued nightly", "revoked nightly", "issued nightly"}; !slices.Equal(d.told, want) {
		t.Errorf("the log was told %v", d.told)
	}
}

// What cannot be issued is refused, and what cannot be logged is not done.
func TestWhatIsNotIssued(t *testing.T) {
	d := open(t)
	for name, change := range map[string]func(*servicetoken.Request){
		"a name of two words":        func(r *servicetoken.Request) { r.Name = "Nightly Import" },
		"for ever":                   func(r *servicetoken.Request) { r.Life = servicetoken.LongestLife + time.Second },
		"for no time":                func(r *servicetoken.Request) { r.Life = 0 },
		"no clinic":                  func(r *servicetoken.Request) { r.Clinics = nil },
		"no clinic's id":             func(r *servicetoken.Request) { r.Clinics = []string{"Harbour Street"} },
		"all and one":                func(r *servicetoken.Request) { r.Clinics = []string{"*", "harbour-street"} },
		"more than the role":         func(r *servicetoken.Request) { r.Permissions = []access.Permission{access.LakeDelete} },
		"a practitioner's":           func(r *servicetoken.Request) { r.Role, r.Permissions = role(t, access.Practitioner), nil },
		"support's":                  func(r *servicetoken.Request) { r.Role, r.Permissions = role(t, access.VendorSupport), nil },
		"no role's":                  func(r *servicetoken.Request) { r.Role, r.Permissions = access.Role{}, nil },
		"an unheard-of permission's": func(r *servicetoken.Request) { r.Permissions = []access.Permission{"sudo.run"} },
	} {
		r := request(t)
		change(&r)
		if _, err := d.Issue(t.Context(), r); err == nil {
			t.Errorf("%s was issued", name)
		}
	}
	d.logErr = errors.New("the log is full")
	if _, err := d.Issue(t.Context(), request(t)); !errors.Is(err, d.logErr) {
		t.Errorf("without a log: %v", err)
	}
	d.logErr = nil
	if list, err := d.List(); err != nil || len(list) > 0 {
		t.Errorf("there are %v, %v", list, err)
	}
	d.issue(t)
	if _, err := d.Issue(t.Context(), request(t)); err == nil {
		t.Error("two good tokens have one name")
	}
	if err := os.Chmod(d.path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := servicetoken.Open(servicetoken.Options{Path: d.path}).List(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
	if err := os.WriteFile(d.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := servicetoken.Open(servicetoken.Options{Path: d.path}).List(); err == nil || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("a damaged file: %v", err)
	}
}

// A lost token is replaced by its code, once; the lost one ends, the new one opens the same until the same day.
func TestALostTokenIsReplacedOnce(t *testing.T) {
	d := open(t)
	lost := d.issue(t)
	d.now = d.now.Add(24 * time.Hour)
	found, err := d.Reissue(t.Context(), text(lost.Code), "ben")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Look(text(lost.Text)); !errors.Is(err, servicetoken.ErrRevoked) {
		t.Errorf("the lost one: %v", err)
	}
	got, err := d.Look(text(found.Text))
	if err != nil || got.Replaces != lost.ID || !got.Expires.Equal(lost.Expires) || !slices.Equal(got.Permissions, lost.Permissions) || got.IssuedBy != "ben" {
		t.Errorf("the new one: %+v, %v", got, err)
	}
	if _, err := d.Reissue(t.Context(), text(lost.Code), "eve"); !errors.Is(err, servicetoken.ErrCode) {
		t.Errorf("the code a second time: %v", err)
	}
	if again, err := d.Reissue(t.Context(), text(found.Code), "ben"); err != nil || again.Replaces != found.ID {
		t.Errorf("the new one's code: %v", err)
	}
	if want := []string{"issued nightly", "reissued nightly", "reissue_refused nightly", "reissued nightly"}; !slices.Equal(d.told, want) {
		t.Errorf("the log was told %v", d.told)
	}
}

// Codes can be tried five times an hour, and not more whatever they are; each is on record.
func TestCodesCannotBeTriedAtWill(t *testing.T) {
	d := open(t)
	issued := d.issue(t)
	wrong := servicetoken.CodePrefix + issued.ID + "_" + strings.Repeat("a", 52)
	for i := range 5 {
		if _, err := d.Reissue(t.Context(), wrong, "eve"); !errors.Is(err, servicetoken.ErrCode) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if _, err := d.Reissue(t.Context(), text(issued.Code), "ada"); !errors.Is(err, servicetoken.ErrTooMany) {
		t.Errorf("the right code after five wrong ones: %v", err)
	}
	if len(d.told) != 7 {
		t.Errorf("the log was told %v", d.told)
	}
	d.now = d.now.Add(time.Hour)
	if _, err := d.Reissue(t.Context(), text(issued.Code), "ada"); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	var last error
	for range 21 {
		_, last = d.Reissue(t.Context(), servicetoken.CodePrefix+strings.Repeat("b", 10)+"_"+strings.Repeat("a", 52), "eve")
	}
	if !errors.Is(last, servicetoken.ErrTooMany) {
		t.Errorf("21 codes of no token: %v", last)
	}
	// The token in the place of a code, and the code of one that was revoked, replace nothing.
	d.now = d.now.Add(2 * time.Hour)
	next, err := d.Issue(t.Context(), func() servicetoken.Request { r := request(t); r.Name = "other"; return r }())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reissue(t.Context(), text(next.Text), "eve"); !errors.Is(err, servicetoken.ErrCode) {
		t.Errorf("a token as its code: %v", err)
	}
	if _, err := d.Revoke(t.Context(), next.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reissue(t.Context(), text(next.Code), "eve"); !errors.Is(err, servicetoken.ErrRevoked) {
		t.Errorf("the code of a revoked token: %v", err)
	}
}
