package pipeline

import (
	"context"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerLeaks keeps what people say of leaks through a query server: in the lake, and before that in the server's audit chain.
type ServerLeaks struct {
	Snapshots *Snapshots
	Chain     Appender
}

// Said gives how every leak stands of which anybody said anything. The version is the newest commit's number.
func (l ServerLeaks) Said(ctx context.Context, clinic string) (version int64, said []query.LeakSaid, err error) {
	head, site, err := l.Snapshots.head(ctx, clinic)
	if err != nil {
		return 0, nil, err
	}
	if _, landed := head.Datasets[contract.LeakStates]; !landed {
		return head.Number, nil, nil
	}
	steps, err := leakSteps(ctx, site.Clinic.Snapshot(head), nil)
	if err != nil {
		return 0, nil, err
	}
	for id, of := range steps {
		said = append(said, standing(id, of))
	}
	return head.Number, said, nil
}

// standing is how a leak stands after steps that are in order.
func standing(id string, steps []contract.LeakStep) query.LeakSaid {
	last := steps[len(steps)-1]
	since := last.SaidOn
	for i := len(steps) - 1; i >= 0 && steps[i].State == last.State; i-- { // a note leaves the state as it was
		since = steps[i].SaidOn
	}
	return query.LeakSaid{LeakID: id, State: last.State, Assignee: textOf(last.Assignee), Note: textOf(last.Note), Since: contract.DateOf(since)}
}

// History says what became of a leak.
func (l ServerLeaks) History(ctx context.Context, clinic, leakID string) (*server.LeakHistory, error) {
	site, err := l.Snapshots.site(ctx, clinic)
	if err != nil {
		return nil, err
	}
	history, err := site.LeakHistory(ctx, leakID)
	if err != nil {
		return nil, told(err)
	}
	out := &server.LeakHistory{LeakID: history.LeakID, State: history.State, InLedger: history.InLedger, Said: toldSteps(history.Said)}
	if m := history.Money; m != nil {
		out.Money = &server.LeakMoney{
			Leaked: m.Leaked, Recovered: m.Recovered, ByUs: m.ByUs, Currency: m.Currency, FirstOn: m.FirstOn.String(), LastOn: m.LastOn.String(),
			AllRecovered: m.AllRecovered,
		}
	}
	return out, nil
}

// Say keeps what somebody says of leaks.
func (l ServerLeaks) Say(ctx context.Context, by server.Asker, clinic string, asked []server.LeakStep) ([]server.LeakStepSaid, error) {
	site, err := l.Snapshots.site(ctx, clinic)
	if err != nil {
		return nil, err
	}
	steps := make([]LeakStep, len(asked))
	for i, s := range asked {
		steps[i] = LeakStep{LeakID: s.LeakID, State: s.State, Expected: s.Expected, Assignee: s.Assignee, Note: s.Note}
	}
	said, err := site.SayLeaks(ctx, by.Person, steps, func(ctx context.Context, said []LeakSaid) error {
		for _, one := range said {
			if err := noteFor(ctx, l.Chain, by, clinic, site.LeakRecord(one)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, told(err)
	}
	return toldSteps(said), nil
}

// LeakRecord is what the audit log says of a step.
func (s *Site) LeakRecord(one LeakSaid) audit.Entry {
	after := audit.Fields{"leak": s.LeakWord(one.LeakID), "state": one.State, "assigned": one.Assignee != ""}
	if one.Note != "" {
		after["note"] = one.Note
	}
	return audit.Entry{Action: audit.LeakStateChanged, Entity: "leaks", Before: audit.Fields{"state": one.From}, After: after}
}

func toldSteps(said []LeakSaid) []server.LeakStepSaid {
	out := make([]server.LeakStepSaid, len(said))
	for i, s := range said {
		out[i] = server.LeakStepSaid(s)
	}
	return out
}
