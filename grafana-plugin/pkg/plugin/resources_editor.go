package plugin

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// editorResources serves what the query editor chooses from: metrics, their values and their SQL, tables, and what the person may do.
// Each is asked in the name of whoever is signed in, at the clinic of the data source where it is bound to one.
func (d *Datasource) editorResources(mux *http.ServeMux) {
	for path, more := range map[string][]string{"/metrics": nil, "/metrics/values": {"metric", "dimension"}, "/tables": nil} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			var shown json.RawMessage
			d.reply(w, &shown, func() error {
				clinic, err := d.clinicNamed(r.URL.Query().Get("clinic"))
				if err != nil {
					return err
				}
				asked := url.Values{"clinic": {clinic}}
				for _, name := range more {
					asked.Set(name, r.URL.Query().Get(name))
				}
				return d.client.get(r.Context(), "/v1"+path+"?"+asked.Encode(), &shown)
			})
		})
	}
	mux.HandleFunc("GET /permissions", func(w http.ResponseWriter, r *http.Request) {
		var me struct {
			Clinics []struct {
				Clinic      string   `json:"clinic"`
				Permissions []string `json:"permissions"`
			} `json:"clinics"`
		}
		held := map[string]any{"permissions": []string{}}
		d.reply(w, held, func() error {
			clinic, err := d.clinicNamed(r.URL.Query().Get("clinic"))
			if err != nil {
				return err
			}
			if err := d.client.get(r.Context(), "/v1/me", &me); err != nil {
				return err
			}
			for _, at := range me.Clinics {
				if at.Clinic == clinic {
					held["permissions"] = at.Permissions
				}
			}
			return nil
		})
	})
	mux.HandleFunc("POST /metric/sql", func(w http.ResponseWriter, r *http.Request) {
		var shown json.RawMessage
		d.reply(w, &shown, func() error {
			var asked struct {
				Clinic string      `json:"clinic"`
				Metric metricModel `json:"metric"`
			}
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestError)).Decode(&asked); err != nil {
				return &problem{Category: categoryQuery, Message: "The query cannot be read", Hint: "Choose it again in the query editor", cause: err}
			}
			clinic, err := d.clinicNamed(asked.Clinic)
			if err != nil {
				return err
			}
			wire, err := asked.Metric.preview(clinic)
			if err != nil {
				return err
			}
			body, err := json.Marshal(wire)
			if err != nil {
				return &problem{Category: categoryQuery, Message: "The query cannot be sent", cause: err}
			}
			return d.client.json(r.Context(), http.MethodPost, "/v1/metric/sql", body, &shown)
		})
	})
}
