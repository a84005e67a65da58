package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// Asker is who asks for a change, as the records of the change name them.
type Asker struct {
	Person, Address, Session string
}

func (v *visit) asker() Asker {
	return Asker{Person: v.who.Person, Address: v.event.Address, Session: v.who.Session}
}

// Refuse is an error that a client is told as it is: an HTTP status, a code for programs, a sentence, and what to do.
func Refuse(status int, code, message, hint string) error {
	return &refusal{status, code, message, hint}
}

// hasNone is the refusal of what a server was started without.
func hasNone(what string) error {
	return &refusal{http.StatusNotImplemented, codeNotFound, "this server has no " + what, "falloff serve has; GET /openapi.json says what there is"}
}

// read takes the request's body, one JSON object with no key that is not known.
func (v *visit) read(into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(v.body, v.http.Body, largestBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, end := decoder.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	if err == nil {
		return nil
	}
	told := refusalOf(badBody(err))
	if told.Code == codeBadRequest {
		told.Hint = "GET /openapi.json says which keys it has"
	}
	return told
}

// mayAll refuses, unless the caller holds all of some permissions at a clinic that is named.
func (v *visit) mayAll(clinic string, all ...access.Permission) error {
	if clinic == "" {
		return noClinic()
	}
	for _, p := range all {
		if err := v.may(clinic, p); err != nil {
			return err
		}
	}
	return nil
}

// desk gives what answers or changes something else than figures, to those who hold what it needs at a clinic. It stands beside
// ask, statement and about: no handler gets hold of one without.
func desk[T any](v *visit, of T, there bool, what, clinic string, needs ...access.Permission) (T, error) {
	var none T
	if err := v.mayAll(clinic, needs...); err != nil {
		return none, err
	}
	if !there {
		return none, hasNone(what)
	}
	return of, nil
}
