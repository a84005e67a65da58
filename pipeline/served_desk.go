package pipeline

import (
	"context"
	"errors"
	"net/http"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// noteFor appends a record of what somebody does through a server, at a clinic. It comes before what it speaks of: what cannot be
// recorded is not done.
func noteFor(ctx context.Context, chain Appender, by server.Asker, clinic string, e audit.Entry) error {
	e.Person, e.Address, e.Clinic = by.Person, by.Address, clinic
	if by.Session != "" && e.After != nil {
		e.After["session"] = by.Session
	}
	if _, err := chain.Append(ctx, e); err != nil {
		return server.Refuse(http.StatusServiceUnavailable, "audit_unavailable", "the audit log takes no records, so nothing was done",
			"ask again in a while; the query server's log says why")
	}
	return nil
}

// told turns what was refused into what a client of a server is told, in the words that the commands use. Everything else stays in
// the server's log.
func told(err error) error {
	if leak, ok := errors.AsType[*LeakError](err); ok {
		status := http.StatusConflict
		switch leak.Problem {
		case LeakUnknown:
			status = http.StatusNotFound
		case LeakMalformed:
			status = http.StatusBadRequest
		case LeakIllegal, LeakStale:
		}
		return server.Refuse(status, string(leak.Problem), leak.said(), leak.Hint)
	}
	switch {
	case errors.Is(err, ErrNotBuilt):
		return server.Refuse(http.StatusConflict, "unavailable", "the models of this clinic were not built yet", "run falloff build")
	case asType[UnfinishedErasureError](err):
		return server.Refuse(http.StatusConflict, "unavailable", "the erasure of a patient was begun and has not ended", "run the same falloff delete --patient again, which goes on where it stopped")
	}
	return err
}

func asType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
