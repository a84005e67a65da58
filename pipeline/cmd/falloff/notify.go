package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/notify"
)

// undeliveredError says that messages did not arrive.
type undeliveredError struct {
	refused bool // nothing more is tried
	text    string
}

func (e *undeliveredError) Error() string { return e.text }

func (a *app) notifyCommand() *cobra.Command {
	var dryRun, waiting bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "notify --lake DIR --clinic NAME [--dry-run] [--waiting]",
		Short: "tell people of new leaks, unusual falloff, old data, and that a person is needed",
		Example: `  falloff notify --lake lake --clinic harbour-street
  falloff notify --lake lake --clinic harbour-street --dry-run`,
		Args: cobra.NoArgs,
		Long: `Looks what there is to tell by the rules under notify in falloff.yaml, puts what was not told before into the clinic's outbox,
and sends it over each channel: e-mail, Slack, a signed webhook. It is called after each run and build. What does not arrive is
tried again, with growing pauses, within --wait and by every later call, for a day. Messages hold counts and sums, of fewer than 11
patients none, and nothing about a single one. docs/running.md, "Notifications", has an example of each.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.openMessages(cmd.Context())
			if err != nil {
				return err
			}
			if dryRun {
				return m.dryRun(cmd.Context())
			}
			return m.run(cmd.Context(), !waiting, wait)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be told, and tell nobody")
	cmd.Flags().BoolVar(&waiting, "waiting", false, "look for nothing new, send what waits")
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Minute, "how long to go on where messages do not arrive; a `time` such as 30s or 10m")
	cmd.AddCommand(a.notifyTestCommand(), a.notifyLogCommand(), a.notifySendCommand())
	return cmd
}

// messages is a clinic's outbox with what it needs.
type messages struct {
	app      *app
	site     *pipeline.Site
	settings *notify.Settings
	outbox   *notify.Outbox
}

func (a *app) openMessages(ctx context.Context) (*messages, error) {
	if len(a.file.Notify.Channels) == 0 {
		return nil, usagef("falloff.yaml names nobody to tell: write channels under notify. docs/running.md, \"Notifications\", shows how")
	}
	k, err := a.kept(ctx)
	if err != nil {
		return nil, err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return nil, err
	}
	m := &messages{app: a, site: site, settings: &a.file.Notify}
	m.outbox = site.Messages(m.settings, func(ctx context.Context, d notify.Delivery) error {
		after := audit.Fields{"id": d.ID, "channel": d.Channel, "channel_kind": d.Kind, "event": string(d.Event), "outcome": string(d.Outcome), "tries": d.Tries}
		if d.Reason != "" {
			after["reason"] = d.Reason
		}
		return k.record(ctx, audit.MessageSent, "message/"+d.ID, nil, after)
	})
	return m, nil
}

func (m *messages) senders() (map[string]notify.Sender, error) {
	out := map[string]notify.Sender{}
	for i := range m.settings.Channels {
		c := &m.settings.Channels[i]
		sender, err := c.Open(secretFile, m.app.now)
		if err != nil {
			if _, isUsage := errors.AsType[usageError](err); isUsage {
				return nil, err
			}
			return nil, usagef("channel %s: %v", c.Name, err)
		}
		out[c.Name] = sender
	}
	return out, nil
}

func (m *messages) dryRun(ctx context.Context) error {
	state, err := m.outbox.State(ctx)
	if err != nil {
		return &pipeline.StorageError{Doing: "looking what was told", Err: err}
	}
	events, _, err := m.site.Notices(ctx, m.settings.Rules, state)
	if err != nil {
		return err
	}
	unsaid := m.settings.Unsaid(state, events, m.app.now())
	if m.app.json {
		return m.app.printValue(append([]notify.Event{}, unsaid...))
	}
	for _, e := range unsaid {
		text := m.settings.Text(e)
		if _, err := fmt.Fprintf(m.app.stdout, "%s\n\n%s\n", text.Subject, text.Plain()); err != nil {
			return err
		}
	}
	m.app.tellf("%d of %d events were not told before; nobody was told.", len(unsaid), len(events))
	return nil
}

// run tells and delivers. Secrets are read first: a message that cannot be sent should not be in the outbox.
func (m *messages) run(ctx context.Context, look bool, wait time.Duration) error {
	senders, err := m.senders()
	if err != nil {
		return err
	}
	if look {
		state, err := m.outbox.State(ctx)
		if err != nil {
			return &pipeline.StorageError{Doing: "looking what was told", Err: err}
		}
		events, note, err := m.site.Notices(ctx, m.settings.Rules, state)
		if err != nil {
			return err
		}
		if _, err := m.outbox.Tell(ctx, events, note); err != nil {
			return &pipeline.StorageError{Doing: "putting messages into the outbox", Err: err}
		}
	}
	ended, err := m.outbox.Deliver(ctx, senders, wait)
	if err != nil {
		return err
	}
	if err := m.app.printDeliveries(ended); err != nil {
		return err
	}
	state, err := m.outbox.State(ctx)
	if err != nil {
		return err
	}
	return undelivered(ended, len(state.Waiting))
}

func undelivered(ended []notify.Delivery, waiting int) error {
	lost := 0
	for _, d := range ended {
		if d.Outcome != notify.Delivered {
			lost++
		}
	}
	switch {
	case lost > 0:
		return &undeliveredError{true, fmt.Sprintf("%d messages did not arrive, and are not tried again. falloff notify log says why; put the channel right, and try it with falloff notify test", lost)}
	case waiting > 0:
		return &undeliveredError{false, fmt.Sprintf("%d messages wait: they have not arrived, or the channel has had its messages of the day. falloff notify goes on, falloff notify log says why", waiting)}
	default:
		return nil
	}
}

func (a *app) printDeliveries(ended []notify.Delivery) error {
	if a.json {
		return a.printValue(append([]notify.Delivery{}, ended...))
	}
	if len(ended) == 0 {
		a.tellf("There was nothing to send.")
		return nil
	}
	var rows [][]any
	for _, d := range ended {
		rows = append(rows, []any{d.At.Format("2006-01-02 15:04 MST"), string(d.Event), d.Channel, d.Kind, string(d.Outcome), d.Tries, dash(d.Reason), d.ID})
	}
	return printTable(a.stdout, []string{"at", "event", "channel", "kind", "outcome", "tries", "reason", "message"}, rows)
}

func (a *app) notifyTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test --lake DIR --clinic NAME",
		Short: "send a test message over each channel",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			m, err := a.openMessages(ctx)
			if err != nil {
				return err
			}
			return m.sendNow(ctx, notify.TestEvent(string(m.site.Clinic.ID())), nil)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}

func (m *messages) sendNow(ctx context.Context, e notify.Event, file *notify.File) error {
	senders, err := m.senders()
	if err != nil {
		return err
	}
	ended, err := m.outbox.SendNow(ctx, senders, e, file)
	if err != nil {
		return err
	}
	if err := m.app.printDeliveries(ended); err != nil {
		return err
	}
	return undelivered(ended, 0)
}

// mostFile is what mail servers commonly take, less what base64 adds.
const mostFile = 15 << 20

func (a *app) notifySendCommand() *cobra.Command {
	var path, month string
	cmd := &cobra.Command{
		Use:     "send --lake DIR --clinic NAME --file FILE --month MONTH",
		Short:   "send a month's report by e-mail",
		Example: "  falloff notify send --lake lake --clinic harbour-street --file report.pdf --month 2026-10",
		Args:    cobra.NoArgs,
		Long: `Sends a file, at most 15 MiB, to the addresses of every channel that is e-mail, at once, three times where it does not arrive. What
is in the file is not looked at: send the reports that falloff made for these people.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if path == "" || month == "" {
				return usagef("say what to send with --file, and of which month with --month 2026-10")
			}
			if _, err := time.Parse("2006-01", month); err != nil {
				return usagef("--month: a month such as 2026-10")
			}
			st, err := os.Stat(path)
			if err != nil || !st.Mode().IsRegular() || st.Size() > mostFile {
				return usagef("--file: a file of at most 15 MiB")
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return usagef("--file: %v", err)
			}
			m, err := a.openMessages(ctx)
			if err != nil {
				return err
			}
			e := notify.Event{Kind: notify.Report, Clinic: string(m.site.Clinic.ID()), Month: month}
			return m.sendNow(ctx, e, &notify.File{Name: filepath.Base(path), Type: fileType(path), Body: body})
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&path, "file", "", "the `file` to send, such as report.pdf")
	cmd.Flags().StringVar(&month, "month", "", "the `month` that it is about, such as 2026-10")
	return cmd
}

func fileType(path string) string {
	switch filepath.Ext(path) {
	case ".pdf":
		return "application/pdf"
	case ".html":
		return "text/html"
	default:
		return "application/octet-stream"
	}
}

func (a *app) notifyLogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log --lake DIR --clinic NAME",
		Short: "list which messages went out, and which wait",
		Args:  cobra.NoArgs,
		Long: `Lists the newest messages, whether each arrived, and why not; behind them those that wait. All there ever were are in the audit log:
falloff audit search --action message.sent.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			state, err := site.Messages(&a.file.Notify, nil).State(cmd.Context())
			if err != nil {
				return &pipeline.StorageError{Doing: "looking what was sent", Err: err}
			}
			if a.json {
				return a.printValue(map[string]any{"deliveries": append([]notify.Delivery{}, state.Deliveries...), "waiting": append([]notify.Waiting{}, state.Waiting...)})
			}
			if err := a.printDeliveries(state.Deliveries); err != nil || len(state.Waiting) == 0 {
				return err
			}
			var rows [][]any
			for _, w := range state.Waiting {
				rows = append(rows, []any{w.Since.Format("2006-01-02 15:04 MST"), string(w.Event.Kind), w.Channel, w.Tries, w.Next.Format("2006-01-02 15:04 MST"), dash(w.Last), w.ID})
			}
			if _, err := fmt.Fprint(a.stdout, "\nwaiting\n\n"); err != nil {
				return err
			}
			return printTable(a.stdout, []string{"since", "event", "channel", "tries", "next try", "reason", "message"}, rows)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
