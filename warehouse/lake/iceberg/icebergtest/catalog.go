// Package icebergtest is for tests of Iceberg tables: a REST catalog that knows what it needs of the protocol.
package icebergtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// catalog has tables by namespace and name, as locations of metadata in one store.
type catalog struct {
	tb    testing.TB
	store lake.Store

	mu         sync.Mutex
	namespaces map[string]bool
	tables     map[string]string
}

// Catalog serves an Iceberg REST catalog on loopback, over tables in a store, and gives its address. It ends with the test.
func Catalog(tb testing.TB, store lake.Store) string {
	tb.Helper()
	c := &catalog{tb: tb, store: store, namespaces: map[string]bool{}, tables: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}})
	})
	mux.HandleFunc("POST /v1/namespaces", c.createNamespace)
	mux.HandleFunc("GET /v1/namespaces/{namespace}", c.namespace)
	mux.HandleFunc("POST /v1/namespaces/{namespace}/register", c.register)
	mux.HandleFunc("GET /v1/namespaces/{namespace}/tables/{table}", c.load)
	mux.HandleFunc("DELETE /v1/namespaces/{namespace}/tables/{table}", c.drop)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return server.URL
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // who went away does not want it
}

func refuse(w http.ResponseWriter, code int, kind, message string) {
	answer(w, code, map[string]any{"error": map[string]any{"message": message, "type": kind, "code": code}})
}

func (c *catalog) createNamespace(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Namespace []string `json:"namespace"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || len(wanted.Namespace) != 1 {
		refuse(w, http.StatusBadRequest, "BadRequestException", "one namespace is wanted")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.namespaces[wanted.Namespace[0]] {
		refuse(w, http.StatusConflict, "AlreadyExistsException", "it is there")
		return
	}
	c.namespaces[wanted.Namespace[0]] = true
	answer(w, http.StatusOK, map[string]any{"namespace": wanted.Namespace, "properties": map[string]string{}})
}

func (c *catalog) namespace(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.PathValue("namespace")
	if !c.namespaces[name] {
		refuse(w, http.StatusNotFound, "NoSuchNamespaceException", "no such namespace")
		return
	}
	answer(w, http.StatusOK, map[string]any{"namespace": []string{name}, "properties": map[string]string{}})
}

func (c *catalog) register(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Name     string `json:"name"`
		Location string `json:"metadata-location"` //nolint:tagliatelle // as the protocol spells it
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "BadRequestException", "a name and a location are wanted")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := path.Join(r.PathValue("namespace"), wanted.Name)
	switch {
	case !c.namespaces[r.PathValue("namespace")]:
		refuse(w, http.StatusNotFound, "NoSuchNamespaceException", "no such namespace")
	case c.tables[key] != "":
		refuse(w, http.StatusConflict, "AlreadyExistsException", "it is there")
	default:
		c.tables[key] = wanted.Location
		c.show(w, r, wanted.Location)
	}
}

func (c *catalog) load(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	location := c.tables[path.Join(r.PathValue("namespace"), r.PathValue("table"))]
	if location == "" {
		refuse(w, http.StatusNotFound, "NoSuchTableException", "no such table")
		return
	}
	c.show(w, r, location)
}

// show answers with a table's metadata, read from where it was registered.
func (c *catalog) show(w http.ResponseWriter, r *http.Request, location string) {
	_, name, found := strings.Cut(location, strings.TrimPrefix(c.store.String(), "s3:/")+"/")
	body, err := c.store.Get(r.Context(), name)
	if !found || err != nil {
		c.tb.Errorf("the catalog was told of %s: %v", location, err)
		refuse(w, http.StatusNotFound, "NotFoundException", "no metadata there")
		return
	}
	answer(w, http.StatusOK, map[string]any{"metadata-location": location, "metadata": json.RawMessage(body), "config": map[string]string{}})
}

func (c *catalog) drop(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := path.Join(r.PathValue("namespace"), r.PathValue("table"))
	if c.tables[key] == "" {
		refuse(w, http.StatusNotFound, "NoSuchTableException", "no such table")
		return
	}
	delete(c.tables, key)
	w.WriteHeader(http.StatusNoContent)
}
