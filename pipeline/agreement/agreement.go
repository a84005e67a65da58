// Package agreement keeps what a clinic accepted before anybody signs in to its portal: who, when, and the exact words.
//
// The text is a file of this package; a changed text is a new file under the next version. An acceptance is an object
// agreements/<clinic>/<version>-<n>.json at the lake's root that carries the whole text. It is made by a create-only request and
// nothing here replaces or removes one: accepting again adds another. It lies outside the clinic's prefix, because it is kept when
// the clinic's data is deleted.
package agreement

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the text
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

//go:embed text/1.md
var current string

// Version is the version of the text that must be accepted.
const Version = 1

// Text is the agreement that must be accepted, as Markdown.
func Text() string { return current }

// TextHash is the SHA-256 of Text in hexadecimal: what a person who accepts has seen.
func TextHash() string { return hashOf(current) }

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Errors that a caller decides on.
var (
	// ErrNotCurrent says that another text was accepted than the one that is asked for now.
	ErrNotCurrent = errors.New("it is not the current text of the agreement")
	// ErrAltered says that a stored acceptance is not as it was written.
	ErrAltered = errors.New("it is not as it was written")
)

// Signer is who accepts, for the clinic.
type Signer struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Address is the signer's postal or electronic address.
	Address string `json:"address"`
}

func (s Signer) check() error {
	for what, text := range map[string]string{"name": s.Name, "title": s.Title, "address": s.Address} {
		if text != strings.TrimSpace(text) || len([]rune(text)) < 2 || len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("the signer's %s is missing or no line of text", what)
		}
	}
	return nil
}

// Acceptance is one acceptance, as it is stored.
type Acceptance struct {
	Clinic  string `json:"clinic"`
	Version int    `json:"version"`
	// Number counts the acceptances of this version by this clinic from 1.
	Number int `json:"number"`
	// ID is random: it tells an acceptance whose request failed without an answer from another of the same words.
	ID         string    `json:"id"`
	AcceptedAt time.Time `json:"accepted_at"`
	Signer     Signer    `json:"signer"`
	// RecordedBy is who was at the keyboard, as in the audit log.
	RecordedBy string `json:"recorded_by"`
	TextSHA256 string `json:"text_sha256"`
	Text       string `json:"text"`
}

func folder(clinic string) string { return "agreements/" + clinic + "/" }

func objectName(clinic string, version, number int) string {
	return fmt.Sprintf("%s%d-%d.json", folder(clinic), version, number)
}

// placeOf is the inverse of objectName; zero for another name.
func placeOf(clinic, name string) (version, number int) {
	text, _ := strings.CutSuffix(strings.TrimPrefix(name, folder(clinic)), ".json")
	v, n, _ := strings.Cut(text, "-")
	version, _ = strconv.Atoi(v)
	number, _ = strconv.Atoi(n)
	if version < 1 || number < 1 || objectName(clinic, version, number) != name {
		return 0, 0
	}
	return version, number
}

// Accept records that a clinic accepted the text, in the lake and in its audit log; by says who records it and from where.
// Version and hash are those of the text that the signer saw: any but the current one is refused. The audit record comes
// first, so an acceptance without one does not exist.
func Accept(ctx context.Context, store lake.Store, log *audit.Log, clinic lake.ClinicID, signer Signer, version int, textHash string,
	by audit.Entry, at time.Time,
) (Acceptance, error) {
	fail := func(err error) (Acceptance, error) {
		return Acceptance{}, fmt.Errorf("recording the agreement of clinic %s: %w", clinic, err)
	}
	if _, err := lake.ParseClinicID(string(clinic)); err != nil {
		return fail(err)
	}
	if version != Version || textHash != TextHash() {
		return fail(fmt.Errorf("%w: show it again, and accept that", ErrNotCurrent))
	}
	if err := signer.check(); err != nil {
		return fail(err)
	}
	earlier, err := all(ctx, store, clinic)
	if err != nil {
		return fail(err)
	}
	a := Acceptance{Clinic: string(clinic), Version: version, Number: 1, ID: rand.Text(), AcceptedAt: at.UTC().Round(time.Second), Signer: signer,
		RecordedBy: by.Person, TextSHA256: textHash, Text: current}
	for _, e := range earlier {
		if e.Version == version {
			a.Number = max(a.Number, e.Number+1)
		}
	}
	for {
		body, err := a.encode()
		if err != nil {
			return fail(err)
		}
		by.Action, by.Clinic, by.Entity = audit.AgreementAccepted, string(clinic), "agreement/"+strconv.Itoa(version)
		by.After = audit.Fields{"version": strconv.Itoa(version), "text_sha256": textHash, "record_sha256": hashOf(string(body)), "number": a.Number}
		if _, err := log.Append(ctx, by); err != nil {
			return fail(err)
		}
		err = store.Create(ctx, objectName(a.Clinic, a.Version, a.Number), body)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, lake.ErrExists) {
			return fail(err)
		}
		if stored, err := store.Get(ctx, objectName(a.Clinic, a.Version, a.Number)); err == nil && bytes.Equal(stored, body) {
			return a, nil // our own first attempt, whose answer was lost
		}
		a.Number++ // somebody else's
	}
}

func (a Acceptance) encode() ([]byte, error) {
	body, err := json.MarshalIndent(a, "", "  ")
	return append(body, '\n'), err
}

// Status says whether a clinic has accepted the current text.
type Status struct {
	Accepted bool `json:"accepted"`
	// Version is the current one.
	Version int `json:"version"`
	// Latest is the newest acceptance of the newest version that the clinic accepted; nil where there is none.
	Latest *Acceptance `json:"latest,omitempty"`
}

// Current says whether a clinic has accepted the current text. An acceptance that is not as it was written gives ErrAltered,
// and counts for nothing.
func Current(ctx context.Context, store lake.Store, clinic lake.ClinicID) (Status, error) {
	status := Status{Version: Version}
	accepted, err := all(ctx, store, clinic)
	if err != nil {
		return status, fmt.Errorf("looking for the agreement of clinic %s: %w", clinic, err)
	}
	for i, a := range accepted {
		if status.Latest == nil || a.Version > status.Latest.Version || a.Version == status.Latest.Version && a.Number > status.Latest.Number {
			status.Latest = &accepted[i]
		}
		status.Accepted = status.Accepted || a.Version == Version && a.TextSHA256 == TextHash()
	}
	return status, nil
}

// all reads a clinic's acceptances, in the order of their names.
func all(ctx context.Context, store lake.Store, clinic lake.ClinicID) ([]Acceptance, error) {
	var out []Acceptance
	for name, err := range store.List(ctx, folder(string(clinic)), "") {
		if err != nil {
			return nil, err
		}
		version, number := placeOf(string(clinic), name)
		if version == 0 {
			continue
		}
		body, err := store.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		var a Acceptance
		if err := json.Unmarshal(body, &a); err != nil || a.Clinic != string(clinic) || a.Version != version || a.Number != number || hashOf(a.Text) != a.TextSHA256 {
			return nil, fmt.Errorf("the object %s: %w: restore it from a backup", name, ErrAltered)
		}
		out = append(out, a)
	}
	return out, nil
}
