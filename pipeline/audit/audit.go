// Package audit keeps a lake's log of who did what: append-only, one immutable object a record, each bound to the one before
// it by its hash.
//
// Records are audit/log/<number>.json at the lake's root, outside every clinic's prefix: deleting a clinic must not delete
// what was done with it. They are made by create-only requests, so that of two writers one takes a number and the other the
// next, and nobody can overwrite one. Who can delete objects of the store can cut the log off at its end or replace it as a
// whole; Verify finds that out for whoever remembers its tip, as the vault of each machine that writes does. Anything changed,
// removed or reordered before the tip shows without that.
//
// A record holds no credential and nothing about a patient: what may be said of an action is listed (see Action), in words,
// numbers and hashes, and Append refuses everything else.
//
// BUG(audit): finding the newest record and verifying list or read the whole log, which takes seconds after some ten thousand
// records. Checkpoints, signed, are to shorten both.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Record is one entry of the log.
type Record struct {
	// Number counts records from 1, without gaps.
	Number int64 `json:"number"`
	// At is by the writer's clock, in UTC.
	At time.Time `json:"at"`
	// Chain is the server whose chain it belongs to, empty in the log of commands: see package chain.
	Chain string `json:"chain,omitempty"`
	Entry
	// Previous is the hash of the record before, empty for the first. Hash is that of this one without this field.
	Previous string `json:"previous,omitempty"`
	Hash     string `json:"hash"`
}

// Entry is what a record says.
type Entry struct {
	// Person is who acts: one person, or `service/<name>` for a job that nobody watches.
	Person string `json:"person"`
	// Address is where from: a network address, or `local`.
	Address string `json:"address,omitempty"`
	Action  Action `json:"action"`
	Clinic  string `json:"clinic,omitempty"`
	// Entity is what was acted on, such as `credentials` or `agreement/1`.
	Entity string `json:"entity,omitempty"`
	// Before and After say how the entity differs; their fields are those that the action allows.
	Before Fields `json:"before,omitempty"`
	After  Fields `json:"after,omitempty"`
}

// Tip names the newest record of a log.
type Tip struct {
	Number int64  `json:"number"`
	Hash   string `json:"hash"`
}

// Log is the audit log of one lake. Its methods may be called from several goroutines and processes at once.
type Log struct {
	store lake.Store
	now   func() time.Time
}

// Open opens the log of a lake; it does no request. now is nil for time.Now.
func Open(store lake.Store, now func() time.Time) *Log {
	if now == nil {
		now = time.Now
	}
	return &Log{store: store, now: now}
}

const (
	folder = "audit/log/"
	digits = 12
)

func objectName(number int64) string { return fmt.Sprintf("%s%0*d.json", folder, digits, number) }

// numberOf is the inverse of objectName, 0 for another name.
func numberOf(name string) int64 {
	text, ok := strings.CutSuffix(strings.TrimPrefix(name, folder), ".json")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 1 || objectName(n) != name {
		return 0
	}
	return n
}

// Append adds a record and returns it, when it is durable. It is called before what it speaks of is done: what cannot be
// recorded is not done. Where the request fails without an answer, the record may exist; appending again adds another.
func (l *Log) Append(ctx context.Context, e Entry) (Record, error) {
	if err := e.Check(); err != nil {
		return Record{}, fmt.Errorf("recording %s: %w", e.Action, err)
	}
	tip, err := l.tip(ctx)
	if err != nil {
		return Record{}, fmt.Errorf("recording %s: %w", e.Action, err)
	}
	for {
		// Without the part that JSON would not give back.
		r, body, err := Record{Number: tip.Number + 1, At: l.now().UTC().Round(time.Microsecond), Entry: e, Previous: tip.Hash}.Seal()
		if err != nil {
			return Record{}, fmt.Errorf("recording %s: %w", e.Action, err)
		}
		err = l.store.Create(ctx, objectName(r.Number), body)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, lake.ErrExists) {
			return Record{}, fmt.Errorf("recording %s in the audit log: %w", e.Action, err)
		}
		taken, err := l.awaited(ctx, r.Number)
		if err != nil {
			return Record{}, fmt.Errorf("recording %s in the audit log: %w", e.Action, err)
		}
		if taken.Hash == r.Hash { // our own first attempt, whose answer was lost
			return taken, nil
		}
		tip = Tip{taken.Number, taken.Hash}
	}
}

// awaited reads a record that is there, or about to be: between the moment in which a store refuses a taken name and the one
// in which the object can be read it may still be on its way.
func (l *Log) awaited(ctx context.Context, number int64) (Record, error) {
	pause := time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		r, err := l.get(ctx, number)
		if !errors.Is(err, lake.ErrNotFound) || waited > 5*time.Second {
			return r, err
		}
		pause = min(2*pause, time.Second)
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// tip is the newest record, zero in an empty log.
func (l *Log) tip(ctx context.Context) (Tip, error) {
	newest := int64(0)
	for name, err := range l.store.List(ctx, folder, "") {
		if err != nil {
			return Tip{}, err
		}
		newest = max(newest, numberOf(name))
	}
	if newest == 0 {
		return Tip{}, nil
	}
	r, err := l.awaited(ctx, newest)
	return Tip{r.Number, r.Hash}, err
}

func (l *Log) get(ctx context.Context, number int64) (Record, error) {
	body, err := l.store.Get(ctx, objectName(number))
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("audit record %d is %w: it cannot be read", number, ErrTampered)
	}
	return r, nil
}

// Seal gives the record with its hash, and its stored form: one line of JSON.
func (r Record) Seal() (Record, []byte, error) {
	r.Hash = ""
	body, err := json.Marshal(r)
	if err != nil {
		return r, nil, err
	}
	sum := sha256.Sum256(body)
	r.Hash = hex.EncodeToString(sum[:])
	body, err = json.Marshal(r)
	return r, append(body, '\n'), err
}

// Intact says whether stored bytes are exactly those that were written for this record.
func (r Record) Intact(stored []byte) bool {
	sealed, body, err := r.Seal()
	return err == nil && sealed.Hash == r.Hash && bytes.Equal(body, stored)
}
