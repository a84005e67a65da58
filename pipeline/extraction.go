package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// A Portal is where a clinic's reports are ordered.
type Portal interface {
	// Kinds are the reports that it offers, in the order in which they are read, and how each is asked for.
	Kinds() []extractors.ReportKind
	// Visit prepares to bring these orders home, in this order, one report for each. It contacts nobody yet.
	Visit(orders []extractors.Order, w Watch) (extractors.Source, error)
}

// Watch is how a run follows what a source does in the portal. Its functions are called by one goroutine at a time.
type Watch struct {
	// ObservedOn is the day whose end the reports show.
	ObservedOn civil.Date
	// Before is called before each report is asked for, and returns when it may be. Its error ends the run.
	Before func(ctx context.Context) error
	// Budget is told, before each report and at the end, how many requests were sent since it was told last.
	Budget func(requests int) error
	// Access is given what was done in the portal, line by line.
	Access func(extractors.Access)
}

// ExtractOptions say what to extract, from where, and as whom.
type ExtractOptions struct {
	Portal Portal
	// Credentials is the random id of what the portal is signed in to with: never anything of it.
	Credentials string
	// Account is the account's name: of the portal's activity log, its lines alone are read.
	Account secret.Bytes
	// SigningIn, if set, is called before a sign-in. Its error keeps it from being made.
	SigningIn func(ctx context.Context) error
	// Settings is the clinic's clinic.yaml; nil takes the one in the lake.
	Settings *settings.Clinic
	Plan     PlanOptions
	// Seal seals what is kept of a run until it lands.
	Seal Cipher
	// Budget is how many requests a day the portal is asked at most, DefaultBudget if zero, any number if negative.
	Budget   int
	Progress Progress
}

// Extracted says what a run brought home.
type Extracted struct {
	Ingested
	// Run names the run in the state and in the checkpoint, Day is D.
	Run string     `json:"run"`
	Day civil.Date `json:"day"`
	// Orders is how many reports the plan has; Resumed of them had been read by a run that was cut short.
	Orders  int `json:"orders"`
	Resumed int `json:"resumed"`
	// Accesses is how many lines of the access ledger the run has landed.
	Accesses int `json:"access_lines"`
	// Discarded says why an unfinished run was not resumed, empty where there was none.
	Discarded string `json:"discarded,omitempty"`
}

// extractionRecord is the run in progress, as its register keeps it.
type extractionRecord struct {
	Run     string     `json:"run,omitempty"` // empty when none is in progress
	Format  int        `json:"format,omitempty"`
	Day     civil.Date `json:"day,omitzero"`
	Started time.Time  `json:"started,omitzero"`
	// Reading is a digest of what rows are made with: the clinic's keys and its settings.
	Reading string `json:"reading,omitempty"`
	Plan    Plan   `json:"plan,omitzero"`
	// Done is how many of the plan's orders are staged.
	Done int `json:"done,omitempty"`
	// Resumed is how often the run was taken up again.
	Resumed int `json:"resumed,omitempty"`
}

// portalSource is the checkpoint of extraction in the lake's commits.
const portalSource = "portal"

// portalCheckpoint is what a commit says of the run that made it.
type portalCheckpoint struct {
	Run    string     `json:"run"`
	Day    civil.Date `json:"day"`
	Orders int        `json:"orders"`
}

// extraction is one process's part in a run.
type extraction struct {
	site        *Site
	o           ExtractOptions
	progress    Progress
	transformer *transforms.Transformer
	settings    []byte // to be stored with the commit, nil where the lake has them
	reading     string

	tenure  *tenure
	record  record[extractionRecord]
	run     extractionRecord
	version int64
	ledger  *accessLedger
	budget  *budget
	staging staging
	// parts are the reports that are read, in the plan's order.
	parts []part
	// begun says that a sign-in was begun, taken that the portal let us in.
	begun, taken bool
	out          *Extracted
}

// Extract brings a run's reports home and lands them in one commit: all, or nothing of them. A run that was cut short is
// resumed with the reports that it had read. What is returned beside an error says how far it came.
//
// Only one run at a time works on a clinic, whichever machine it is on. Credentials that the portal has refused are not
// tried again, and a paused clinic is left alone.
func (s *Site) Extract(ctx context.Context, o ExtractOptions) (*Extracted, error) {
	x := &extraction{site: s, o: o, progress: o.Progress.orSilent(), out: &Extracted{Day: o.Plan.Day}}
	if err := x.prepare(ctx); err != nil {
		return x.out, err
	}
	return x.out, x.hold(ctx, x.conduct)
}

// hold does something under the clinic's lease, until it ends, the lease is lost, or the clinic is paused.
func (x *extraction) hold(ctx context.Context, do func(ctx context.Context) error) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var err error
	if x.tenure, err = x.site.take(working, x.site.tenant(), stop); err != nil {
		return err
	}
	defer x.tenure.release(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		x.site.watchHold(working, stop)
	}()
	defer func() {
		stop(nil)
		<-watched
	}()
	err = do(working)
	if cause := context.Cause(working); err != nil && cause != nil && ctx.Err() == nil {
		err = cause // the run was stopped: its own errors are what that looked like from inside
	}
	return x.close(ctx, err)
}

// prepare does what needs neither lease nor portal.
func (x *extraction) prepare(ctx context.Context) error {
	clinic, stored, err := x.site.clinicSettings(ctx, x.o.Settings)
	if err != nil {
		return err
	}
	x.transformer, err = transforms.New(transforms.Options{
		Keys: x.site.Keys, Settings: clinic, Account: string(x.o.Account.Expose()), Identities: x.site.recovery,
	})
	if err != nil {
		return err
	}
	body, err := clinic.JSON()
	if err != nil {
		return err
	}
	zone, err := clinic.Zone()
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write([]byte(x.site.Keys.Check()))
	sum.Write(body)
	fmt.Fprintln(sum, x.site.recovery)
	x.reading, x.settings = hex.EncodeToString(sum.Sum(nil)[:16]), stored
	x.record = recordOf[extractionRecord](x.site, extractionRegister, "keeping how far the run has come")
	if x.ledger, err = newAccessLedger(x.site, zone, x.o.Plan.Day); err != nil {
		return err
	}
	x.budget = newBudget(x.site, zone, x.o.Budget)
	return nil
}

// conduct is the run, under the lease.
func (x *extraction) conduct(ctx context.Context) error {
	hold, err := x.site.Hold(ctx)
	if err != nil {
		return err
	}
	if err := hold.refusal(x.o.Credentials); err != nil {
		return err
	}
	landed, err := x.resumeOrBegin(ctx, hold)
	if err != nil {
		return err
	}
	if !landed {
		if err := x.bring(ctx); err != nil {
			return err
		}
		if err := x.land(ctx); err != nil {
			return err
		}
	}
	return storage("clearing up", x.site.Clinic.Unstage(ctx, ""))
}

// resumeOrBegin takes up the run in progress, or begins one. landed says that the run in progress has landed, and was cut
// short only in clearing up and saying so: a run that has said so is over, and asking again reads everything again.
func (x *extraction) resumeOrBegin(ctx context.Context, hold Hold) (landed bool, err error) {
	found, version, err := x.record.read(ctx)
	if err != nil {
		return false, err
	}
	x.run, x.version = found, version
	if found.Run != "" {
		if landed, err = x.hasLanded(ctx); err != nil {
			return false, err
		}
		said := hold.Last != nil && hold.Last.Run == found.Run && hold.Last.Cause == ""
		if landed && !said && found.Day == x.o.Plan.Day {
			return true, nil
		}
	}
	// Whoever stood still since it read the record must not change it: others have changed it, or hold the lease by now.
	if err := x.tenure.check(ctx); err != nil {
		return false, err
	}
	switch why := x.stale(found); {
	case found.Run == "" || landed:
	case why == "":
		if why, err = x.load(ctx); err != nil {
			return false, err
		}
		if why == "" {
			x.out.Run, x.out.Orders, x.out.Resumed = found.Run, len(found.Plan.Orders), len(x.parts)
			// A process that has lost the lease and does not know yet must not note anything more.
			next := found
			next.Done, next.Resumed = len(x.parts), found.Resumed+1
			if err := x.note(ctx, next); err != nil {
				return false, err
			}
			// What a run staged that was discarded goes too, where such a process has kept it since.
			return false, storage("clearing up", x.site.Clinic.Unstage(ctx, found.Run))
		}
		// What is missing may have landed in the meantime, by a run that has taken over from this one.
		if err := x.tenure.check(ctx); err != nil {
			return false, err
		}
		fallthrough
	default:
		x.out.Discarded = why
		x.progress(Step{Name: "resume", Ended: true, Note: "an unfinished run was discarded: " + why})
	}
	return false, x.begin(ctx)
}

// stale is why a run in progress cannot be resumed, empty if it can.
func (x *extraction) stale(found extractionRecord) string {
	switch {
	case found.Format != stagedFormat:
		return "another version of falloff began it"
	case found.Day != x.o.Plan.Day:
		return fmt.Sprintf("it was about the days up to %s", found.Day)
	case found.Reading != x.reading:
		return "the clinic's keys or settings have changed since"
	default:
		return ""
	}
}

// hasLanded finds the run in progress in the newest commits' checkpoint.
func (x *extraction) hasLanded(ctx context.Context) (bool, error) {
	head, err := x.site.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return false, nil
	}
	if err != nil {
		return false, storage("looking for what has landed", err)
	}
	if !landedRun(head.Sources[portalSource], x.run.Run) {
		return false, nil
	}
	x.out.Run, x.out.Commit, x.out.AsOf = x.run.Run, head.Number, head.AsOf
	x.out.Orders, x.out.Resumed = len(x.run.Plan.Orders), len(x.run.Plan.Orders)
	return true, nil
}

// begin plans a run and notes it.
func (x *extraction) begin(ctx context.Context) error {
	x.parts = nil
	plan, err := x.site.Plan(ctx, x.o.Portal.Kinds(), x.o.Plan)
	if err != nil {
		return err
	}
	if len(plan.Orders) == 0 {
		return refused("", errors.New("the plan holds no report: the portal's profile has none of that name"))
	}
	run, err := randomName(x.site.random)
	if err != nil {
		return err
	}
	next := extractionRecord{
		Run: run, Format: stagedFormat, Day: x.o.Plan.Day, Started: x.site.clock().UTC(), Reading: x.reading, Plan: plan,
	}
	if err := x.note(ctx, next); err != nil {
		return err
	}
	x.out.Run, x.out.Orders, x.out.Resumed = run, len(plan.Orders), 0
	return storage("clearing up", x.site.Clinic.Unstage(ctx, run))
}

// note replaces the record of the run in progress. That somebody else has changed it means that the lease was lost.
func (x *extraction) note(ctx context.Context, next extractionRecord) error {
	version, err := x.record.swap(ctx, x.version, next)
	if errors.Is(err, lake.ErrOvertaken) {
		if err := x.tenure.check(ctx); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	x.run, x.version = next, version
	return nil
}

// load reads back what is staged: reports one after the other from the first. It gives a reason if they cannot be used.
func (x *extraction) load(ctx context.Context) (why string, err error) {
	numbers, err := x.site.Clinic.Staged(ctx, x.run.Run)
	if err != nil {
		return "", storage("resuming", err)
	}
	for i, n := range numbers {
		if n != i+1 || n > len(x.run.Plan.Orders) {
			return "what it had read is not whole", nil
		}
		p, why, err := x.readPart(ctx, n)
		if err != nil || why != "" {
			return why, err
		}
		x.parts = append(x.parts, p)
		x.ledger.restore(p.lines)
	}
	if len(x.parts) < x.run.Done {
		return "what it had read is not whole", nil
	}
	return "", nil
}

// bring has the portal's reports read and staged, one after the other.
func (x *extraction) bring(ctx context.Context) (err error) {
	orders := x.run.Plan.orders()[len(x.parts):]
	if len(orders) == 0 {
		return nil
	}
	if err := x.budget.open(ctx); err != nil {
		return err
	}
	source, err := x.o.Portal.Visit(orders, Watch{
		ObservedOn: x.run.Day, Before: x.before, Access: x.ledger.note,
		Budget: func(requests int) error { return x.budget.spend(ctx, requests) },
	})
	if err != nil {
		return err
	}
	if x.o.SigningIn != nil {
		if err := x.o.SigningIn(ctx); err != nil {
			return err
		}
	}
	if err := x.site.attempting(ctx, x.o.Credentials); err != nil {
		return err
	}
	x.begun = true
	x.progress(Step{Name: "read", Total: int64(len(x.run.Plan.Orders)), Done: int64(len(x.parts))})
	err = source.Reports(ctx, func(report extractors.Report) error {
		if len(orders) == 0 {
			return errors.New("the portal gave a report that nobody ordered")
		}
		order := orders[0]
		if report.Dataset != order.Dataset || report.Range != order.Window {
			return fmt.Errorf("%s was ordered, and the portal gave %s %s", order.ID(), report.Dataset, report.Range)
		}
		if err := x.take(ctx, order, report); err != nil {
			return err
		}
		orders = orders[1:]
		return nil
	})
	if staged := x.staging.wait(); err == nil {
		err = staged
	}
	if err != nil {
		return err
	}
	if len(orders) > 0 {
		return fmt.Errorf("the portal gave no %s, which was ordered", orders[0].ID())
	}
	return nil
}

// before lets a report begin when the one before it is kept for good: so no more than one is ever read twice.
func (x *extraction) before(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := x.staging.wait(); err != nil {
		return err
	}
	return x.tenure.check(ctx)
}

// take reads a report and has it staged while the portal is at rest.
func (x *extraction) take(ctx context.Context, order extractors.Order, report extractors.Report) error {
	if !x.taken {
		// Who got a report was let in.
		if err := x.site.proven(ctx, x.o.Credentials); err != nil {
			return err
		}
		x.taken = true
	}
	batch, err := x.transformer.Read(ctx, report)
	if err != nil {
		return sourceFailed(ctx, err)
	}
	if err := x.staging.wait(); err != nil {
		return err
	}
	p := part{order: order, batch: batch, lines: x.ledger.toStage()}
	x.parts = append(x.parts, p)
	number := len(x.parts)
	x.progress(Step{Name: "read", Done: int64(number), Total: int64(len(x.run.Plan.Orders)), Note: order.ID()})
	x.staging.begin(func() error { return x.stage(ctx, p, number) })
	return nil
}

// stage keeps a part for good, and then notes it.
func (x *extraction) stage(ctx context.Context, p part, number int) error {
	body, err := p.encode()
	if err != nil {
		return err
	}
	sealed, err := x.o.Seal.Encrypt(body, associated(string(x.site.Clinic.ID()), x.run.Run, number))
	if err != nil {
		return fmt.Errorf("sealing %s: %w", p.order.ID(), err)
	}
	err = x.site.Clinic.Stage(ctx, x.run.Run, number, sealed)
	if errors.Is(err, lake.ErrExists) {
		err = x.adopt(ctx, p, number)
	}
	if err != nil {
		return storage("keeping "+p.order.ID(), err)
	}
	next := x.run
	next.Done = number
	return x.note(ctx, next)
}

// adopt takes over a part that a process staged which had lost the lease and did not know yet. It is as good as ours, and
// whoever resumes this run will find that one.
func (x *extraction) adopt(ctx context.Context, ours part, number int) error {
	if err := x.tenure.check(ctx); err != nil {
		return err
	}
	theirs, why, err := x.readPart(ctx, number)
	if err != nil {
		return err
	}
	if why != "" {
		return errors.New(why)
	}
	x.parts[number-1] = theirs
	x.ledger.restore(theirs.lines)
	x.ledger.giveBack(ours.lines)
	return nil
}

// readPart reads back what is staged of one order, or gives a reason if it cannot be used.
func (x *extraction) readPart(ctx context.Context, number int) (p part, why string, err error) {
	sealed, err := x.site.Clinic.ReadStaged(ctx, x.run.Run, number)
	if err != nil {
		return p, "", storage("resuming", err)
	}
	body, err := x.o.Seal.Decrypt(sealed, associated(string(x.site.Clinic.ID()), x.run.Run, number))
	if err != nil {
		return p, "what it had read was sealed under another key", nil //nolint:nilerr // the reason is the answer
	}
	p, err = decodePart(body)
	if err != nil || p.order.ID() != x.run.Plan.Orders[number-1].Order().ID() {
		return p, "another version of falloff read it", nil //nolint:nilerr // the reason is the answer
	}
	return p, "", nil
}

// land lands every part, the access ledger and the checkpoint in one commit.
func (x *extraction) land(ctx context.Context) error {
	rows := 0
	for _, p := range x.parts {
		rows += p.batch.Rows
	}
	x.progress(Step{Name: "read", Ended: true, Note: counted(rows, "row") + " of " + counted(len(x.parts), "report")})
	x.progress(Step{Name: "land"})
	var in *landing
	commit, err := x.site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		// Whoever lost the lease in the meantime must not land; who has landed must not do so twice.
		if err := x.tenure.check(ctx); err != nil {
			return err
		}
		if landedRun(tx.Source(portalSource), x.run.Run) {
			return lake.ErrUnchanged
		}
		in = &landing{transformer: x.transformer, names: map[string]string{}, report: &x.out.Ingested}
		x.out.Files, x.out.Merged = nil, map[string]lake.Merged{}
		for _, p := range x.parts {
			in.add(p.batch)
		}
		if err := in.land(ctx, tx, IngestOptions{Source: portalSource}, x.settings); err != nil {
			return err
		}
		x.out.Changed = changed(tx)
		if err := x.ledger.land(ctx, tx); err != nil {
			return err
		}
		if taken := x.ledger.logTaken(); !taken.IsZero() {
			if err := tx.SetSource(activitySource, activityCheckpoint{TakenAt: taken}); err != nil {
				return err
			}
		}
		return tx.SetSource(portalSource, portalCheckpoint{Run: x.run.Run, Day: x.run.Day, Orders: len(x.parts)})
	})
	if err != nil {
		var busy *BusyError
		if errors.As(err, &busy) {
			return err
		}
		return storage("landing the reports", err)
	}
	x.out.Commit, x.out.AsOf, x.out.Accesses = commit.Number, commit.AsOf, x.ledger.count()
	x.ledger.landed()
	note := fmt.Sprintf("commit %d, reports show %s", commit.Number, commit.AsOf)
	if !x.out.Changed {
		note = fmt.Sprintf("nothing new, commit %d says so", commit.Number)
	}
	x.progress(Step{Name: "land", Ended: true, Note: note})
	return nil
}

// discard forgets the run in progress and what was kept of it.
func (x *extraction) discard(ctx context.Context) error {
	if err := x.note(ctx, extractionRecord{}); err != nil {
		return err
	}
	return storage("clearing up", x.site.Clinic.Unstage(ctx, ""))
}

// closing bounds what is done after a run was stopped.
const closing = 30 * time.Second

// close notes how the run ended. What was done in the portal is noted in the access ledger, whatever came of it.
func (x *extraction) close(ctx context.Context, ended error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	_ = x.staging.wait()
	var lost *BusyError
	if errors.As(ended, &lost) {
		// The state is another's now. If that one has finished the run, what we kept of it since is nobody's.
		now, _, err := x.record.read(ctx)
		head, headErr := x.site.Clinic.Head(ctx)
		over := err == nil && now.Run != x.run.Run || headErr == nil && landedRun(head.Sources[portalSource], x.run.Run)
		if x.run.Run != "" && over {
			return joinErrors([]error{ended, x.site.Clinic.UnstageRun(ctx, x.run.Run)})
		}
		return ended
	}
	outcome := Outcome{Run: x.run.Run, Day: x.o.Plan.Day, At: x.site.clock().UTC(), Orders: len(x.parts), Of: len(x.run.Plan.Orders)}
	outcome.Cause, outcome.Doing, outcome.Hint = outcomeOf(ended)
	errs := []error{ended}
	if refusedAtOnce := !x.begun && (outcome.Cause == extractors.Paused || outcome.Cause.RejectsAccount()); !refusedAtOnce {
		// Being refused for what the state says already is no news. A run that landed has landed, whether that can be noted or not.
		if err := x.site.ended(ctx, outcome, x.o.Credentials, x.begun); ended != nil {
			errs = append(errs, err)
		}
	}
	if ended != nil && x.begun {
		if outcome.Cause == extractors.AccountDeactivated {
			// The access has ended, and so has what was read under it and has not landed.
			errs = append(errs, x.discard(ctx))
		}
		n, err := x.ledger.commit(ctx, x.tenure)
		x.out.Accesses = n
		errs = append(errs, err)
	}
	return joinErrors(errs)
}

// joinErrors gives the first error as it is, with what else went wrong behind it.
func joinErrors(errs []error) error {
	var out error
	for _, err := range errs {
		switch {
		case err == nil:
		case out == nil:
			out = err
		default:
			out = fmt.Errorf("%w (and then: %v)", out, err) //nolint:errorlint // the first error decides what is done
		}
	}
	return out
}
