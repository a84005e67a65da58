package plugin

import (
	"encoding/json"
	"net/http"
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

// resources serves what the editors need: the catalogue of queries and the list of clinics.
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
	d.editorResources(mux)
	return mux
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
