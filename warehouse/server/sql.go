package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/sandbox"
)

// SQL answers analysts' statements, each in a process that holds the marts it was told of and nothing else.
type SQL interface {
	// Run answers a statement over some marts of a clinic's newest snapshot. Its errors are *sandbox.Error, ErrUnknownClinic, and those
	// of the lake.
	Run(ctx context.Context, clinic string, marts []string, statement string) (SQLAnswer, error)
}

// SQLAnswer is the answer to a statement.
type SQLAnswer struct {
	// IPC is an Arrow stream.
	IPC  []byte
	Rows int64
	// Snapshot is the commit that was asked.
	Snapshot string
}

// sqlRequest is the body of POST /v1/sql.
type sqlRequest struct {
	Clinic string `json:"clinic"`
	SQL    string `json:"sql"`
}

func (v *visit) sql() (*reply, error) {
	decoder := json.NewDecoder(http.MaxBytesReader(v.body, v.http.Body, largestBody))
	decoder.DisallowUnknownFields()
	var body sqlRequest
	if err := decoder.Decode(&body); err != nil {
		return nil, badBody(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, badBody(errors.New("something follows the object"))
	}
	if body.Clinic == "" {
		return nil, noClinic()
	}
	v.event.Sent = sum([]byte(body.SQL))
	marts, err := v.statement(body.Clinic)
	if err != nil {
		return nil, err
	}
	if v.server.options.SQL == nil {
		return nil, &refusal{http.StatusNotImplemented, codeNotFound, "this server answers no SQL", "start it without --no-sql, or use falloff sql"}
	}
	answer, err := v.server.options.SQL.Run(v.http.Context(), body.Clinic, marts, body.SQL)
	if err != nil {
		return nil, err
	}
	v.event.Snapshot, v.event.Rows = answer.Snapshot, answer.Rows
	return &reply{status: http.StatusOK, kind: arrowStream, body: answer.IPC, headers: map[string]string{
		"X-Falloff-Rows":     strconv.FormatInt(answer.Rows, 10),
		"X-Falloff-Snapshot": answer.Snapshot,
	}}, nil
}

// sqlStatus is the HTTP status of what became of a statement.
func sqlStatus(code sandbox.Code) int {
	switch code {
	case sandbox.TooLarge, sandbox.TooMuchMemory:
		return http.StatusUnprocessableEntity
	case sandbox.TooSlow, sandbox.Cancelled:
		return http.StatusGatewayTimeout
	case sandbox.Busy, sandbox.Died:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// refusedStatement is what the person who asked is told, DuckDB's own words included.
func refusedStatement(err *sandbox.Error) *refusal {
	text := strings.TrimSuffix(err.Error(), " ("+err.Hint()+")") // the hint has a place of its own
	if err.Detail != "" {
		text = err.Detail
	}
	hint := err.Hint()
	if hint == "" {
		hint = "GET /v1/me says at which clinics you may run SQL; docs/schema.md has the tables"
	}
	return &refusal{sqlStatus(err.Code()), string(err.Code()), text, hint}
}
