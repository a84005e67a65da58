package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// The registers of a clinic that the pipeline keeps (see lake.Register).
const (
	leaseRegister      = "lease"
	holdRegister       = "hold"
	extractionRegister = "extraction"
	budgetRegister     = "budget"
	erasureRegister    = "erasure"
	// backupRegister has the lease of who makes backups, beside that of runs: a backup needs minutes, a polite run hours.
	backupRegister = "backup-lease"
)

// record is a register that holds one value as JSON.
type record[T any] struct {
	register lake.Register
	doing    string // what a failure says was being done
	random   io.Reader
}

// written tells the values of two writers apart, so that each knows whether it is its own that counts.
type written[T any] struct {
	Writer string `json:"writer"`
	Value  T      `json:"value"`
}

// recordOf opens a register of the clinic.
func recordOf[T any](s *Site, name, doing string) record[T] {
	return record[T]{register: s.Clinic.Register(name), doing: doing, random: s.random}
}

// read gives the value and its version; the zero value and 0 where none was ever set.
func (r record[T]) read(ctx context.Context) (value T, version int64, err error) {
	body, version, err := r.register.Read(ctx)
	if err != nil || version == 0 {
		return value, 0, storage(r.doing, err)
	}
	var w written[T]
	if err := json.Unmarshal(body, &w); err != nil {
		return value, 0, storage(r.doing, fmt.Errorf("its state is not one that this program knows: use the version of falloff that wrote it, or a newer one: %w", err))
	}
	return w.Value, version, nil
}

// swap replaces the value of that version; lake.ErrOvertaken is in the chain if another counts by now.
func (r record[T]) swap(ctx context.Context, version int64, value T) (int64, error) {
	writer, err := randomName(r.random)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(written[T]{writer, value})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", r.doing, err)
	}
	next, err := r.register.Swap(ctx, version, body)
	return next, storage(r.doing, err)
}

// change applies a change to whatever the value is, again if somebody else changes it meanwhile. The change may say
// errAsItIs to leave it.
func (r record[T]) change(ctx context.Context, apply func(*T) error) error {
	for {
		value, version, err := r.read(ctx)
		if err != nil {
			return err
		}
		if err := apply(&value); err != nil {
			if errors.Is(err, errAsItIs) {
				return nil
			}
			return err
		}
		_, err = r.swap(ctx, version, value)
		if !errors.Is(err, lake.ErrOvertaken) {
			return err
		}
	}
}

var errAsItIs = errors.New("nothing to change")

// randomName is 128 random bits as a name.
func randomName(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("drawing a random number: %w", err)
	}
	return hex.EncodeToString(raw), nil
}
