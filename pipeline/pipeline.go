// Package pipeline conducts a run: it takes reports from a source, has them read into rows without identities, lands the
// rows in the lake in one commit, and has the models built over them. It contains no parsing, SQL or HTML.
package pipeline

import (
	"fmt"
)

// Step tells how far one step of a run has come. A step is shown from its first call until Ended.
type Step struct {
	Name        string
	Done, Total int64
	// Note says in a few words what came of it, without identities.
	Note  string
	Ended bool
}

// Progress is told of every step; it must be quick and safe for concurrent use.
type Progress func(Step)

// StorageError says that the lake could not be read or written.
type StorageError struct {
	Doing string
	Err   error
}

func (e *StorageError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap gives the store's error.
func (e *StorageError) Unwrap() error { return e.Err }

// RefusedError says that the data was not taken, why, and what to do. Nothing of it has landed.
type RefusedError struct {
	Doing string
	Err   error
}

func (e *RefusedError) Error() string {
	if e.Doing == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s: %v", e.Doing, e.Err)
}

// Unwrap gives the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// KeyError says that the vault cannot be opened, or that its keys cannot be used with the lake. A person must put that right.
type KeyError struct{ Err error }

func (e *KeyError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *KeyError) Unwrap() error { return e.Err }

func refused(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &RefusedError{Doing: doing, Err: err}
}

func storage(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &StorageError{Doing: doing, Err: err}
}

// orSilent makes a nil Progress callable.
func (p Progress) orSilent() Progress {
	if p == nil {
		return func(Step) {}
	}
	return p
}
