package server

import (
	"context"
	"net/http"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// SupportDesk grants the vendor's people access for a time, and ends it.
type SupportDesk interface {
	// List gives the grants of a clinic, the newest first, those that have ended among them.
	List(ctx context.Context, clinic string) ([]SupportGrant, error)
	// Grant and End are recorded before they hold.
	Grant(ctx context.Context, by Asker, clinic string, g SupportRequest) (*SupportGrant, error)
	End(ctx context.Context, by Asker, clinic, session string) (*SupportGrant, error)
}

// SupportRequest asks for support access.
type SupportRequest struct {
	// Login is who gets it; Issuer vouches for them, Grafana where it is empty.
	Login, Issuer string
	Reason        string
	For           time.Duration
}

// SupportGrant is support access at one clinic.
type SupportGrant struct {
	Session   string    `json:"session"`
	Login     string    `json:"login"`
	Issuer    string    `json:"issuer"`
	Reason    string    `json:"reason"`
	GrantedBy string    `json:"granted_by"`
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Active    bool      `json:"active"`
	// Ended is when it did, nil while it has not; EndedBy is empty where its time was over. Uses counts what was asked in it.
	Ended   *time.Time `json:"ended,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"`
	Uses    int        `json:"uses"`
}

func (v *visit) supportDesk(clinic string, needs ...access.Permission) (SupportDesk, error) {
	return desk(v, v.server.options.Support, v.server.options.Support != nil, "support access", clinic, needs...)
}

func (v *visit) listSupport() (*reply, error) {
	clinic := v.http.URL.Query().Get("clinic")
	support, err := v.supportDesk(clinic, access.SupportView)
	if err != nil {
		return nil, err
	}
	grants, err := support.List(v.http.Context(), clinic)
	if err != nil {
		return nil, err
	}
	v.event.Rows = int64(len(grants))
	return asJSON(map[string]any{"grants": grants})
}

// grantSupport is POST /v1/support.
func (v *visit) grantSupport() (*reply, error) {
	var body struct {
		Clinic  string `json:"clinic"`
		Login   string `json:"login"`
		Issuer  string `json:"issuer"`
		Reason  string `json:"reason"`
		Minutes int    `json:"minutes"`
	}
	if err := v.read(&body); err != nil {
		return nil, err
	}
	support, err := v.supportDesk(body.Clinic, access.SupportGrant)
	if err != nil {
		return nil, err
	}
	if body.Minutes < 1 || body.Minutes > int(access.LongestSupport.Minutes()) {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "support access is for a time", "send minutes, up to three days of them"}
	}
	grant, err := support.Grant(v.http.Context(), v.asker(), body.Clinic, SupportRequest{
		Login: body.Login, Issuer: body.Issuer, Reason: body.Reason, For: time.Duration(body.Minutes) * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	return asJSON(grant)
}

// endSupport is POST /v1/support/end.
func (v *visit) endSupport() (*reply, error) {
	var body struct {
		Clinic  string `json:"clinic"`
		Session string `json:"session"`
	}
	if err := v.read(&body); err != nil {
		return nil, err
	}
	support, err := v.supportDesk(body.Clinic, access.SupportRevoke)
	if err != nil {
		return nil, err
	}
	grant, err := support.End(v.http.Context(), v.asker(), body.Clinic, body.Session)
	if err != nil {
		return nil, err
	}
	return asJSON(grant)
}

// banner is support access that goes on at a clinic, for everybody there to see.
type banner struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// banners are those of a clinic at this moment.
func (v *visit) banners(clinic string) []banner {
	out := []banner{}
	for _, s := range v.server.options.Policy().SupportAt(clinic, v.server.options.Now()) {
		out = append(out, banner{s.Reason, s.Until.UTC()})
	}
	return out
}

// supportHeader tells of support access that goes on at the clinic of an answer. Kept answers get it anew.
const supportHeader = "X-Falloff-Support"

// raise puts the banner on an answer about a clinic.
func (v *visit) raise(out *reply) {
	if v.event.Clinic == "" {
		return
	}
	for _, b := range v.banners(v.event.Clinic) {
		text := b.Reason + "; until=" + b.Until.Format(time.RFC3339)
		if out.headers == nil {
			out.headers = map[string]string{}
		}
		if before := out.headers[supportHeader]; before != "" {
			text = before + ", " + text
		}
		out.headers[supportHeader] = text
	}
}
