package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// leakVerb is a command that says something of leaks.
type leakVerb struct {
	name, state, short string
	// assigns says that it takes --to.
	assigns bool
}

var leakVerbs = []leakVerb{
	{"assign", contract.LeakAssigned, "give leaks to somebody as a task", true},
	{"contact", contract.LeakContacted, "say that the patient or insurer was contacted about leaks", false},
	{"note", "", "add a code to leaks", false},
	{"write-off", contract.LeakWrittenOff, "say that nothing will come of leaks", false},
	{"expire", contract.LeakExpired, "say that it is too late for leaks", false},
	{"reopen", contract.LeakOpen, "take leaks back to open", false},
}

func (a *app) leakVerbCommand(v leakVerb) *cobra.Command {
	var to, note, from string
	var server remoteFlags
	use := v.name + " --lake DIR --clinic NAME"
	if v.assigns {
		use += " --to NAME"
	}
	if v.state == "" {
		use += " --note CODE"
	} else {
		use += " [--note CODE]"
	}
	cmd := &cobra.Command{
		Use:     use + " LEAK_ID…",
		Short:   v.short,
		Example: "  falloff leaks " + exampleOf(v),
		Args:    cobra.MinimumNArgs(1),
		Long: upperFirst(v.short) + `: all of those named, or none. It is recorded in the audit log before it is kept.

A leak goes from open to assigned to contacted, and from each of these to written_off or expired; reopen takes it back. Money makes it
recovered, and a bounce undoes that: nobody says it. Only money that comes after a day on which somebody had the leak as a task counts as
recovered by us. The marts show it from the next build on whose day is not before.

Notes are codes: ` + strings.Join(contract.LeakNotes(), ", ") + `.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if v.assigns && to == "" {
				return usagef("whose task is it? Say it with --to: a staff member's name, or a person's login")
			}
			if v.state == "" && note == "" {
				return usagef("what is to be noted? Say it with --note: %s", strings.Join(contract.LeakNotes(), ", "))
			}
			steps := make([]pipeline.LeakStep, len(ids))
			for i, id := range ids {
				steps[i] = pipeline.LeakStep{LeakID: id, State: v.state, Expected: from, Assignee: to, Note: note}
			}
			if server.server != "" {
				return a.sayRemotely(cmd.Context(), server, steps)
			}
			return a.sayLeaks(cmd.Context(), steps)
		},
	}
	a.lakeFlags(cmd)
	server.register(cmd)
	if v.assigns {
		cmd.Flags().StringVar(&to, "to", "", "whose task it is: a staff member's `name`, or a person's login, which is kept as a pseudonym")
	}
	cmd.Flags().StringVar(&note, "note", "", "`code` that says why or what came of it")
	cmd.Flags().StringVar(&from, "from", "", "`state` that they must still have")
	return cmd
}

func exampleOf(v leakVerb) string {
	line := v.name + " --lake lake --clinic harbour-street"
	if v.assigns {
		line += " --to kim"
	}
	if v.state == "" {
		line += " --note promised_payment"
	}
	return line + " patient_balance_aged/1234-P"
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (a *app) sayLeaks(ctx context.Context, steps []pipeline.LeakStep) error {
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	said, err := site.SayLeaks(ctx, k.actor.Person, steps, func(ctx context.Context, said []pipeline.LeakSaid) error {
		for _, one := range said {
			e := site.LeakRecord(one)
			if err := k.record(ctx, e.Action, e.Entity, e.Before, e.After); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printValue(said)
	}
	return a.printSaid(said)
}

func (a *app) printSaid(said []pipeline.LeakSaid) error {
	rows := make([][]any, len(said))
	for i, s := range said {
		rows[i] = []any{s.LeakID, s.From, s.State, dash(s.Assignee), dash(s.Note)}
	}
	return printTable(a.stdout, []string{"leak", "was", "is", "task of", "note"}, rows)
}

func (a *app) leakHistoryCommand() *cobra.Command {
	var server remoteFlags
	cmd := &cobra.Command{
		Use:     "history --lake DIR --clinic NAME LEAK_ID",
		Short:   "print what became of a leak",
		Example: "  falloff leaks history --lake lake --clinic harbour-street patient_balance_aged/1234-P",
		Args:    cobra.ExactArgs(1),
		Long: `Prints what people said of a leak, one line each, and what came in for it as of the newest build. People stand there under their
pseudonyms; falloff audit search --action leak.state_changed has their names.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			history, err := a.leakHistory(cmd.Context(), server, ids[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(history)
			}
			return a.printHistory(history)
		},
	}
	a.lakeFlags(cmd)
	server.register(cmd)
	return cmd
}

func (a *app) leakHistory(ctx context.Context, server remoteFlags, leakID string) (*pipeline.LeakHistory, error) {
	if server.server != "" {
		return a.remoteHistory(ctx, server, leakID)
	}
	site, err := a.existingSite(ctx)
	if err != nil {
		return nil, err
	}
	return site.LeakHistory(ctx, leakID)
}

func (a *app) printHistory(h *pipeline.LeakHistory) error {
	where := "in the newest ledger"
	if !h.InLedger {
		where = "not in the newest ledger"
	}
	if _, err := fmt.Fprintf(a.stdout, "%s is %s, %s\n", h.LeakID, h.State, where); err != nil {
		return err
	}
	if m := h.Money; m != nil {
		if _, err := fmt.Fprintf(a.stdout, "recovered %s of %s from %s to %s, %s of it by us\n", asMoney(m.Recovered, m.Currency), asMoney(m.Leaked, m.Currency),
			m.FirstOn, m.LastOn, asMoney(m.ByUs, m.Currency)); err != nil {
			return err
		}
	}
	if len(h.Said) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(a.stdout); err != nil {
		return err
	}
	rows := make([][]any, len(h.Said))
	for i, s := range h.Said {
		rows[i] = []any{s.Sequence, s.At.Format("2006-01-02 15:04 MST"), s.State, dash(s.Assignee), dash(s.Note), s.Actor}
	}
	return printTable(a.stdout, []string{"step", "said at", "state", "task of", "note", "by"}, rows)
}
