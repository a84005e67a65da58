package plugin

import (
	"context"
	"encoding/json"
	"fmt"
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
	mux.HandleFunc("GET /choices", func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{}
		d.reply(w, answer, func() error {
			clinic, err := d.clinicNamed(r.URL.Query().Get("clinic"))
			if err != nil {
				return err
			}
			answer["choices"], err = d.choices(r.Context(), clinic, r.URL.Query().Get("list"))
			return err
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

// choice is one value of a list, and what people call it.
type choice struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// choices asks for the values of a list, as the named queries for dashboards' variables give them.
func (d *Datasource) choices(ctx context.Context, clinic, list string) ([]choice, error) {
	wire := wireQuery{Clinic: clinic, Query: "choices", Params: map[string]any{"list": list}}
	if list == "discipline" {
		wire.Query, wire.Params = "disciplines", nil
	}
	stream, err := d.client.stream(ctx, question{path: "/v1/query", body: wire})
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	frame, _, err := decode(stream)
	if err != nil {
		return nil, err
	}
	text, _ := frame.FieldByName("text")
	value, _ := frame.FieldByName("value")
	all := []choice{}
	for i := 0; text != nil && value != nil && i < frame.Rows(); i++ {
		said, _ := text.ConcreteAt(i)
		meant, _ := value.ConcreteAt(i)
		all = append(all, choice{fmt.Sprint(said), fmt.Sprint(meant)})
	}
	return all, nil
}
