package plugin

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// clinic is one clinic of the query server, as the editors list it.
type clinic struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Commit string `json:"commit"`
	AsOf   string `json:"as_of"`
}

type clinicList struct {
	Clinics []clinic `json:"clinics"`
}

// identity is who the caller is to the query server, and what they may do where.
type identity struct {
	Person  string `json:"person"`
	Clinics []struct {
		Clinic      string   `json:"clinic"`
		Permissions []string `json:"permissions"`
	} `json:"clinics"`
}

// largestChange bounds what is taken of a change that somebody sends; the query server takes no more.
const largestChange = 64 << 10

// resources serves what the editors need, the catalogue of queries and the list of clinics, and what a clinic's settings page shows and
// changes. Each is asked in the name of whoever is signed in: the query server decides.
func (d *Datasource) resources() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queries", func(w http.ResponseWriter, r *http.Request) {
		var catalogue json.RawMessage
		d.reply(w, &catalogue, func() error { return d.client.get(r.Context(), "/v1/queries", &catalogue) })
	})
	mux.HandleFunc("GET /clinics", func(w http.ResponseWriter, r *http.Request) {
		var list clinicList
		d.reply(w, &list, func() error {
			err := d.client.get(r.Context(), "/v1/clinics", &list)
			if d.settings.clinic != "" {
				list.Clinics = slices.DeleteFunc(list.Clinics, func(c clinic) bool { return c.ID != d.settings.clinic })
			}
			return err
		})
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		var me identity
		d.reply(w, &me, func() error { return d.client.get(r.Context(), "/v1/me", &me) })
	})
	for _, path := range []string{"/settings", "/support"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			var shown json.RawMessage
			d.reply(w, &shown, func() error {
				clinic, err := d.clinicNamed(r.URL.Query().Get("clinic"))
				if err != nil {
					return err
				}
				return d.client.get(r.Context(), "/v1"+path+"?clinic="+url.QueryEscape(clinic), &shown)
			})
		})
	}
	for _, path := range []string{"/settings", "/support", "/support/end"} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var changed json.RawMessage
			d.reply(w, &changed, func() error {
				body, err := d.change(w, r)
				if err != nil {
					return err
				}
				return d.client.json(r.Context(), http.MethodPost, "/v1"+path, body, &changed)
			})
		})
	}
	d.editorResources(mux)
	return mux
}

// change is what somebody wants changed, at the clinic that this data source is bound to where it is to one. The query server knows
// what can be changed, by whom, and to what.
func (d *Datasource) change(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	malformed := &problem{Category: categoryQuery, Message: "The change cannot be read", Hint: "Send one JSON object"}
	// A form of another site cannot send this type, whatever cookies go along.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, malformed
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestChange))
	var asked map[string]any
	if err := decoder.Decode(&asked); err != nil {
		return nil, malformed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || asked == nil {
		return nil, malformed
	}
	named, _ := asked["clinic"].(string)
	clinic, err := d.clinicNamed(named)
	if err != nil {
		return nil, err
	}
	asked["clinic"] = clinic
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, malformed
	}
	return body, nil
}

// clinicNamed is the clinic that a request is about. A data source that is bound to one asks for no other, whatever a request says: its
// token may open more doors than its viewers should.
func (d *Datasource) clinicNamed(named string) (string, error) {
	if d.settings.clinic != "" {
		return d.settings.clinic, nil
	}
	if named == "" {
		return "", &problem{Category: categoryClinic, Message: "No clinic is chosen", Hint: "Set it in the data source, or in the query"}
	}
	return named, nil
}

func (d *Datasource) reply(w http.ResponseWriter, body any, fill func() error) {
	err := d.broken
	if err == nil {
		err = fill()
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		p := problemOf(err)
		status := int(p.status)
		if status == 0 {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		body = map[string]string{"message": p.Error(), "category": string(p.Category)}
	}
	// Nothing can be said to a reader who has gone.
	_ = json.NewEncoder(w).Encode(body)
}
