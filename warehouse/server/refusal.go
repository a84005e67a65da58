package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
)

// refusal is an answer that is not the one asked for: an HTTP status, a code for programs, a sentence and a hint for
// people.
type refusal struct {
	status  int
	Code    string
	Message string
	Hint    string
}

func (r *refusal) Error() string { return r.Message }

// Codes of errors, as clients see them.
const (
	codeForbidden     = "forbidden"
	codeSecondFactor  = "second_factor_required"
	codeUnrecorded    = "audit_unavailable"
	codeNotFound      = "not_found"
	codeBadRequest    = "bad_request"
	codeUnknownClinic = "unknown_clinic"
	codeUnknownQuery  = "unknown_query"
	codeBadParameter  = "bad_parameter"
	codeUnavailable   = "unavailable"
	codeTooLarge      = "too_large"
	codeTimeout       = "timeout"
	codeBusy          = "busy"
	codeLoading       = "loading"
	codeMemory        = "too_much_memory"
	codeCancelled     = "cancelled"
	codeInternal      = "internal"
)

func badBody(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{http.StatusRequestEntityTooLarge, codeTooLarge, "the request is too long", "send at most 64 KiB"}
	}
	return &refusal{http.StatusBadRequest, codeBadRequest, "the request is not the JSON object that is expected", `send {"clinic", "query", "params", "from", "to"}`}
}

func isUnknownClinic(err error) bool { return errors.Is(err, ErrUnknownClinic) }

// statusCancelled is what a request is counted and recorded under whose client has gone: nobody reads it. Proxies call it so.
const statusCancelled = 499

// retryAfter is how many seconds a client that is refused for want of room should wait.
const retryAfter = "2"

// refusalOf finds what a client is told of an error. What is unexpected is told in the log alone.
func refusalOf(err error) *refusal {
	var (
		plain       *refusal
		unknown     *query.UnknownQueryError
		noMetric    *query.UnknownMetricError
		parameter   *query.ParameterError
		unavailable *query.UnavailableError
		tooLarge    *query.TooLargeError
		tooMuch     *query.TooMuchMemoryError
		statement   *sandbox.Error
	)
	switch {
	case errors.As(err, &plain):
		return plain
	case isUnknownClinic(err):
		return &refusal{http.StatusNotFound, codeUnknownClinic, "there is no such clinic in the lake", "GET /v1/clinics lists those there are"}
	case errors.As(err, &statement):
		return refusedStatement(statement)
	case errors.As(err, &unknown):
		return &refusal{http.StatusNotFound, codeUnknownQuery, unknown.Error(), unknown.Hint()}
	case errors.As(err, &noMetric):
		return &refusal{http.StatusNotFound, codeUnknownQuery, noMetric.Error(), noMetric.Hint()}
	case errors.As(err, &parameter):
		return &refusal{http.StatusBadRequest, codeBadParameter, parameter.Error(), parameter.Hint()}
	case errors.As(err, &unavailable):
		return &refusal{http.StatusConflict, codeUnavailable, unavailable.Error(), unavailable.Hint()}
	case errors.As(err, &tooLarge):
		return &refusal{http.StatusUnprocessableEntity, codeTooLarge, tooLarge.Error(), tooLarge.Hint()}
	case errors.As(err, &tooMuch):
		return &refusal{http.StatusUnprocessableEntity, codeMemory, tooMuch.Error(), tooMuch.Hint()}
	case errors.Is(err, context.Canceled):
		return &refusal{statusCancelled, codeCancelled, "the request was given up", "ask again"}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusGatewayTimeout, codeTimeout, "the query took too long", "narrow the time range or the parameters, or ask again when the server is less busy"}
	default:
		return &refusal{http.StatusInternalServerError, codeInternal, "the query server could not answer", "its log says why"}
	}
}

// reply is the refusal as an answer.
func (r *refusal) reply() *reply {
	body, err := json.Marshal(map[string]string{"error": r.Message, "hint": r.Hint, "code": r.Code})
	if err != nil {
		body = []byte(`{"code":"internal"}`) // texts always encode
	}
	out := &reply{status: r.status, kind: "application/json", body: append(body, '\n')}
	switch r.status {
	case http.StatusUnauthorized:
		out.headers = map[string]string{"WWW-Authenticate": "Bearer"}
	case http.StatusServiceUnavailable:
		out.headers = map[string]string{"Retry-After": retryAfter}
	}
	return out
}
