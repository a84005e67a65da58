package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/warehouse/analysis"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// Exit codes, documented in docs/running.md. A scheduler may depend on them.
const (
	exitOK          = 0   // done, also when there was nothing new
	exitBug         = 1   // something unexpected: a bug, or a machine that is broken
	exitUsage       = 2   // flags or settings are wrong
	exitRefused     = 3   // the data was refused: a broken or incomplete report, a failed check
	exitPerson      = 4   // a person must act: password, permission, key, changed page
	exitLater       = 5   // try again later: network, rate limit, portal down
	exitStorage     = 6   // the lake cannot be read or written
	exitTests       = 7   // tests of the models ran, and some failed
	exitInterrupted = 130 // stopped by a signal
)

// usageError is a mistake in how the command was called.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func exitCode(err error) int {
	var usage usageError
	var failure *extractors.Failure
	var storage *pipeline.StorageError
	var refused *pipeline.RefusedError
	var key *pipeline.KeyError
	var busy *pipeline.BusyError
	var alarm *pipeline.AlarmError
	var barred *pipeline.BarredError
	var elsewhere *pipeline.ResidencyError
	var input *analysis.InputError
	var broken *models.Broken
	var tests failedTests
	var remote *remoteRefusal
	var unreachable *unreachableError
	var database *worker.DatabaseError
	var unsent *undeliveredError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &tests):
		return exitTests
	case errors.As(err, &usage), errors.Is(err, lake.ErrPlainLake), errors.Is(err, worker.ErrAddress), errors.Is(err, worker.ErrState):
		return exitUsage
	case errors.As(err, &failure):
		switch {
		case failure.Cause == extractors.ExportIncomplete:
			return exitRefused
		case failure.Cause.Retryable():
			return exitLater
		default:
			return exitPerson
		}
	case errors.As(err, &remote):
		return remote.exit()
	case errors.As(err, &unreachable):
		return exitLater
	case errors.As(err, &database):
		return databaseExit(database)
	case errors.As(err, &unsent):
		if unsent.refused {
			return exitPerson
		}
		return exitLater
	case errors.As(err, &busy), errors.Is(err, servicetoken.ErrTooMany):
		return exitLater
	case errors.As(err, &alarm), errors.As(err, &barred), errors.As(err, &elsewhere):
		return exitPerson
	case errors.As(err, &refused), errors.As(err, &input), errors.As(err, &broken):
		return exitRefused
	case errors.Is(err, lake.ErrOtherKeys): // the clinic was rekeyed meanwhile
		return exitLater
	case errors.As(err, &storage):
		return exitStorage
	case errors.As(err, &key):
		return exitPerson
	default:
		return exitBug
	}
}

func databaseExit(e *worker.DatabaseError) int {
	switch {
	case e.Later:
		return exitLater
	case e.Person:
		return exitPerson
	default:
		return exitBug
	}
}

// namedError is an error for a program: what it is, and what to do.
type namedError struct {
	// Cause is the failure's name, as docs/running.md lists them; for errors that have none, what the exit code stands for.
	Cause string `json:"cause"`
	Doing string `json:"doing,omitempty"`
	// Message is the line that a person gets.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Attempts is how often it was tried, 0 where nothing was.
	Attempts int `json:"attempts"`
	Exit     int `json:"exit_code"`
}

// kinds name the exit codes.
var kinds = map[int]string{
	exitBug: "unexpected", exitUsage: "usage", exitRefused: "data_refused", exitPerson: "needs_a_person", exitLater: "busy", exitStorage: "storage", exitTests: "tests_failed", exitInterrupted: "interrupted",
}

// nameError gives nil for nil.
func nameError(err error) *namedError {
	if err == nil {
		return nil
	}
	code := exitCode(err)
	out := &namedError{Cause: kinds[code], Message: err.Error(), Exit: code}
	if failure, ok := errors.AsType[*extractors.Failure](err); ok {
		out.Cause, out.Doing, out.Hint, out.Attempts = string(failure.Cause), failure.Doing, failure.Hint, failure.Attempts
	}
	return out
}
