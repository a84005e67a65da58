package identity

import "errors"

// Code says why an identity was refused, for programs.
type Code string

// The codes.
const (
	Anonymous      Code = "anonymous"
	Malformed      Code = "malformed"
	Expired        Code = "expired"
	NotYetValid    Code = "not_yet_valid"
	WrongAudience  Code = "wrong_audience"
	WrongIssuer    Code = "wrong_issuer"
	UnknownKey     Code = "unknown_key"
	BadSignature   Code = "bad_signature"
	KeysMissing    Code = "keys_unavailable"
	NoSecondFactor Code = "second_factor_missing"
	UnknownToken   Code = "unknown_service_token"
	Revoked        Code = "revoked"
	MockRefused    Code = "mock_refused"
	Replayed       Code = "replayed"
	WrongRequest   Code = "wrong_request"
)

// Refusal is why a request's identity does not count. It holds nothing of the token.
type Refusal struct {
	Code Code
	// Message says what is wrong, Hint what to do; both may be shown to whoever asked.
	Message, Hint string
	// cause is for the log alone.
	cause error
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Unwrap gives the cause, where there is one.
func (r *Refusal) Unwrap() error { return r.cause }

// CodeOf finds the code in an error; empty where it is no refusal.
func CodeOf(err error) Code {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Code
	}
	return ""
}

// refusals say of each code what is wrong and what to do.
var refusals = map[Code][2]string{
	Anonymous:      {"the request says nobody who asks", "sign in to Grafana, or send a token as Authorization: Bearer …"},
	Malformed:      {"the token is not one that can be read", "send exactly one token, whole, as Authorization: Bearer …"},
	Expired:        {"the token has expired", "sign in again; if it comes from the Grafana plugin, compare the clocks of Grafana and this server"},
	NotYetValid:    {"the token is not valid yet", "compare the clocks of whoever signed it and of this server"},
	WrongAudience:  {"the token is for another server", "ask for a token with this server's audience"},
	WrongIssuer:    {"the token is of an issuer that this server does not know", "have the operator add the issuer, or come through Grafana"},
	UnknownKey:     {"the token is signed by a key that is not known", "if the issuer has new keys, try again in a minute; if the plugin has, enter the one that falloff token plugin-key prints"},
	BadSignature:   {"the token's signature does not hold", "get a new token; if that one fails too, the keys of its issuer and of this server differ"},
	KeysMissing:    {"the issuer's signing keys cannot be fetched", "try again; the server's log says what stands in the way"},
	NoSecondFactor: {"the sign-in used no second factor, and this server demands one", "sign in again with a second factor, or have the operator say that the sign-in enforces one"},
	UnknownToken:   {"there is no such service token", "falloff token list shows which there are; falloff token reissue replaces a lost one"},
	Revoked:        {"the service token was revoked, or replaced", "use the newer one, or have another issued: falloff token issue"},
	Replayed:       {"the token was used before, and it is good for one request", "ask again: the plugin signs each request anew. Where nobody asked twice, somebody may have read the token"},
	WrongRequest:   {"the token is for another request", "ask again: the plugin signs each request for itself; a proxy between must leave its path as it is"},
	MockRefused:    {"mock users are not let in here", "they are for trying a policy out: mock_users: true in it, and a server on 127.0.0.1 that is asked from there, by no proxy"},
}

func refuse(code Code, cause error) *Refusal {
	said := refusals[code]
	return &Refusal{Code: code, Message: said[0], Hint: said[1], cause: cause}
}
