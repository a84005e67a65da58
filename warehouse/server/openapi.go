package server

import (
	_ "embed"
	"net/http"
)

// Description is what GET /openapi.json says: an OpenAPI 3.1 document of every request.
//
//go:embed openapi.json
var Description []byte

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(Description)
}
