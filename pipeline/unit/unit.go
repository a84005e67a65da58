// Package unit runs the unit of batch work: one night of one clinic, as falloff run does it. Schedulers know of it no more
// than this package says: what to run, and how it ended. Each unit is a process of its own, so that what a browser or a
// query engine does to its process is done to that clinic's night alone, and so that a scheduler can be replaced by cron.
package unit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"
)

// Order is what one unit is to do.
type Order struct {
	Clinic string
	// To is the day whose end the reports show, zero for the clinic's yesterday.
	To civil.Date
	// From is the first day to read, zero for what is due.
	From civil.Date
	// Once says that a day which has landed already is not read again: whoever orders it does not know what became of it.
	Once bool
	// Deadline bounds the unit, zero for none.
	Deadline time.Duration
}

// Verdict is what a scheduler does about a unit that has ended.
type Verdict string

// The verdicts, one for each group of exit codes in docs/running.md.
const (
	Done    Verdict = "done"           // 0
	Later   Verdict = "try_later"      // 5, 6 and 130: the same order may succeed by itself
	Person  Verdict = "needs_a_person" // 4 and 2: somebody must act first; 2 is how a program of Go crashes, too
	Refused Verdict = "data_refused"   // 3: the portal's answer is not whole; a night later it may be
	Bug     Verdict = "bug"            // 1 and every other code
)

// Outcome is how a unit ended.
type Outcome struct {
	Exit int `json:"exit_code"`
	// Cause names a failure as docs/running.md lists them, empty where there was none. Message and Hint are what a person is
	// told; they hold no identity and no credential.
	Cause   string `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Day is the day whose end the reports show, Commit what landed; 0 is for nothing.
	Day    civil.Date `json:"day,omitzero"`
	Commit int64      `json:"commit,omitempty"`
	// New says that something landed that was not there before.
	New bool `json:"new"`
	// Requests is how many requests were sent to the portal.
	Requests int           `json:"requests,omitempty"`
	Took     time.Duration `json:"took"`
}

// Verdict says what to do about it.
func (o Outcome) Verdict() Verdict {
	switch o.Exit {
	case 0:
		return Done
	case 2, 4:
		return Person
	case 3:
		return Refused
	case 5, 6, 130:
		return Later
	default:
		return Bug
	}
}

// A Runner runs units. Run returns an error only where the unit could not be begun, or where what it said of itself cannot
// be read; how a unit failed is in its outcome. When ctx ends the unit is asked to end in order, and Run waits for it.
type Runner interface {
	Run(ctx context.Context, order Order) (Outcome, error)
}

// Process runs units as processes of the falloff program.
type Process struct {
	// Binary is the program, Args the flags that every unit has: which lake, whose configuration. No secret is among them.
	Binary string
	Args   []string
	// Env is the unit's whole environment.
	Env []string
	// Log, if set, gets what the unit writes for people, as it comes.
	Log io.Writer
	// Grace is how long a unit that was asked to end may take, a minute if zero; then it is killed.
	Grace time.Duration
}

// summary is what this package reads of falloff run --json.
type summary struct {
	Day      civil.Date `json:"day"`
	Commit   int64      `json:"commit"`
	Changed  bool       `json:"changed"`
	Requests struct {
		Allowed int `json:"allowed"`
	} `json:"requests"`
	Error *struct {
		Cause   string `json:"cause"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	} `json:"error"`
}

// longestSummary bounds what is kept of a unit's summary, in bytes.
const longestSummary = 1 << 20

// Run implements Runner.
func (p *Process) Run(ctx context.Context, order Order) (Outcome, error) {
	args := append([]string{"run", "--json", "--clinic", order.Clinic}, p.Args...)
	if order.From.IsValid() {
		args = append(args, "--from", order.From.String())
	}
	if order.To.IsValid() {
		args = append(args, "--to", order.To.String())
	}
	if order.Once {
		args = append(args, "--once")
	}
	if order.Deadline > 0 {
		args = append(args, "--deadline", order.Deadline.String())
	}
	var said bytes.Buffer
	out, known, err := p.end(ctx, args, &limited{to: &said, left: longestSummary}, p.Log)
	if err != nil {
		return out, fmt.Errorf("running %s for clinic %s: %w", p.Binary, order.Clinic, err)
	}
	if known || said.Len() == 0 {
		return out, nil // it ended before it knew what to say, as at a wrong flag: the exit code says enough
	}
	var s summary
	if err := json.Unmarshal(said.Bytes(), &s); err != nil {
		return out, fmt.Errorf("the summary of the run for clinic %s cannot be read, its exit code is %d: %w", order.Clinic, out.Exit, err)
	}
	out.Day, out.Commit, out.New, out.Requests = s.Day, s.Commit, s.Changed, s.Requests.Allowed
	if s.Error != nil {
		out.Cause, out.Message, out.Hint = s.Error.Cause, s.Error.Message, s.Error.Hint
	}
	return out, nil
}

// end runs the program until it ends. known says that the outcome says all, since the program could not.
func (p *Process) end(ctx context.Context, args []string, stdout, stderr io.Writer) (out Outcome, known bool, err error) {
	cmd := exec.CommandContext(ctx, p.Binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = stdout, stderr, p.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	endInOrder(cmd)
	cmd.WaitDelay = p.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = time.Minute
	}
	begun := time.Now()
	err = cmd.Run()
	out.Took = time.Since(begun)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		out.Exit = exit.ExitCode()
	case errors.As(err, &exit) && ctx.Err() != nil:
		out.Exit, out.Cause, out.Message = 130, "interrupted", "the unit was told to end, did not in time, and was killed"
		return out, true, nil //nolint:nilerr // how it ended is its outcome
	case errors.As(err, &exit):
		// Killed from outside, by the system when memory runs out for instance: what it had read is kept.
		out.Exit, out.Cause, out.Message = 130, "killed", "the unit's process was killed: "+exit.String()
		return out, true, nil
	case err != nil && ctx.Err() != nil && cmd.ProcessState == nil:
		out.Exit, out.Cause, out.Message = 130, "interrupted", "the unit was told to end before it had begun"
		return out, true, nil
	case err != nil && ctx.Err() == nil:
		return out, false, err
	}
	return out, false, nil
}

// Command runs another command of the program, of which no more is known than its exit code and, where it fails, the line that it
// tells a person.
func (p *Process) Command(ctx context.Context, args ...string) (Outcome, error) {
	told, log := &lastLines{}, &inTurn{to: io.Discard}
	if p.Log != nil {
		log.to = p.Log
	}
	out, known, err := p.end(ctx, append(slices.Clone(args), p.Args...), log, io.MultiWriter(told, log))
	if err != nil {
		return out, fmt.Errorf("running %s %s: %w", p.Binary, args[0], err)
	}
	if out.Exit != 0 && !known {
		out.Message = told.failure()
	}
	return out, nil
}

// inTurn lets a command's two outputs be written to one place.
type inTurn struct {
	mu sync.Mutex
	to io.Writer
}

func (w *inTurn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// lastLines keeps the end of what is written.
type lastLines struct{ kept []byte }

const longestEnd = 8 << 10

func (l *lastLines) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - longestEnd; over > 0 {
		l.kept = slices.Delete(l.kept, 0, over)
	}
	return len(p), nil
}

// failure is the line in which the program said why it failed.
func (l *lastLines) failure() string {
	_, line, found := strings.Cut("\n"+string(l.kept), "\nfalloff: ")
	if !found {
		return ""
	}
	return strings.TrimSpace(line)
}

// limited passes a number of bytes on and drops the rest.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if _, err := l.to.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}
