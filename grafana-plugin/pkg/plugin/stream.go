package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// pollEvery is how often the query server is asked whether there is something newer, once for everyone who watches a clinic.
const pollEvery = 15 * time.Second

// channelPrefix begins the name of a channel; the clinic follows. Everyone who may see how fresh a clinic is sees the same of it, so that
// the clinic and that permission are the whole visible set: nothing is ever sent that would differ between two who may subscribe.
const channelPrefix = "freshness/"

var clinicText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// clinicOfChannel is the clinic that a channel is about, empty where this data source has no such channel.
func (d *Datasource) clinicOfChannel(path string) string {
	clinic, ok := strings.CutPrefix(path, channelPrefix)
	if !ok || !clinicText.MatchString(clinic) || d.settings.clinic != "" && d.settings.clinic != clinic {
		return ""
	}
	return clinic
}

func freshnessPath(clinic string) string { return "/v1/freshness?clinic=" + url.QueryEscape(clinic) }

// SubscribeStream lets those watch who may see how fresh the clinic is: the query server is asked in the name of each.
func (d *Datasource) SubscribeStream(ctx context.Context, request *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	answer := func(status backend.SubscribeStreamStatus) (*backend.SubscribeStreamResponse, error) {
		return &backend.SubscribeStreamResponse{Status: status}, nil
	}
	clinic := d.clinicOfChannel(request.Path)
	if d.broken != nil || clinic == "" || d.settings.service == "" {
		return answer(backend.SubscribeStreamStatusNotFound)
	}
	var seen json.RawMessage
	if err := d.client.get(ctx, freshnessPath(clinic), &seen); err != nil {
		backend.Logger.FromContext(ctx).Info("somebody may not watch how fresh a clinic is", "category", string(problemOf(err).Category))
		return answer(backend.SubscribeStreamStatusPermissionDenied)
	}
	return answer(backend.SubscribeStreamStatusOK)
}

// PublishStream refuses: nobody tells others how fresh a clinic is.
func (d *Datasource) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream tells the watchers of a clinic that there is something newer. It runs for all of them and in nobody's name, so it goes by the
// service token, and says that there is news and not what: each watcher asks again in their own name, and whose permission has ended
// meanwhile is refused then.
func (d *Datasource) RunStream(ctx context.Context, request *backend.RunStreamRequest, sender *backend.StreamSender) error {
	clinic := d.clinicOfChannel(request.Path)
	if d.broken != nil || clinic == "" || d.settings.service == "" {
		return errors.New("there is no such channel")
	}
	ctx = onErrand(ctx, forStream)
	tick := time.NewTicker(d.pollEvery)
	defer tick.Stop()
	var known string
	for {
		state, err := d.state(ctx, clinic)
		switch {
		case ctx.Err() != nil:
			return nil // nobody watches any more
		case err != nil:
			backend.Logger.FromContext(ctx).Warn("how fresh a clinic is cannot be asked", "category", string(problemOf(err).Category))
		case state != known:
			known = state
			frame := data.NewFrame("freshness", data.NewField("time", nil, []time.Time{time.Now().UTC()}), data.NewField("state", nil, []string{state}))
			if err := sender.SendFrame(frame, data.IncludeAll); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// state names how fresh a clinic is, and whether support access goes on there: another name where anything of it differs.
func (d *Datasource) state(ctx context.Context, clinic string) (string, error) {
	var told json.RawMessage
	if err := d.client.get(ctx, freshnessPath(clinic), &told); err != nil {
		return "", err
	}
	sum := sha256.Sum256(told)
	return hex.EncodeToString(sum[:8]), nil
}
