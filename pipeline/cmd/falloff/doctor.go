package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor --lake DIR [--clinic NAME]",
		Short: "check everything that an installation needs, and say how to mend it",
		Args:  cobra.NoArgs,
		Long: `Looks at this machine (browser, query engine, memory, clock), at the lake (there, writable, creating only what is not there), at the
vault, at backups and the schedule, and at every clinic's agreement, credentials and state; and says what to do about what is wrong.
It signs in to nothing: falloff preflight tries an account.

Code 0 where nothing fails, 4 where something does. What is only worth knowing is a warning.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.examine(cmd.Context()) },
	}
	a.lakeFlags(cmd)
	return cmd
}

// verdict is how a check came out.
type verdict string

const (
	fine    verdict = "ok"
	warning verdict = "warn"
	failing verdict = "fail"
)

// finding is what one check says.
type finding struct {
	Check  string  `json:"check"`
	Result verdict `json:"result"`
	Says   string  `json:"says"`
	// Remedy is what to do, empty where nothing is to be done.
	Remedy string `json:"remedy,omitempty"`
}

func good(check, format string, args ...any) finding {
	return finding{Check: check, Result: fine, Says: fmt.Sprintf(format, args...)}
}

func (f finding) but(result verdict, remedy string) finding {
	f.Result, f.Remedy = result, remedy
	return f
}

func failed(check string, err error, remedy string) finding {
	return finding{Check: check, Result: failing, Says: firstLine(err.Error()), Remedy: remedy}
}

func (a *app) examine(ctx context.Context) error {
	findings := a.checkMachine(ctx)
	findings = append(findings, a.checkInstallation(ctx)...)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.printChecks(findings); err != nil {
		return err
	}
	n := 0
	for _, f := range findings {
		if f.Result == failing {
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return &pipeline.KeyError{Err: fmt.Errorf("1 of %d checks failed: the line after it says how to mend it", len(findings))}
	default:
		return &pipeline.KeyError{Err: fmt.Errorf("%d of %d checks failed: the line after each says how to mend it", n, len(findings))}
	}
}

func (a *app) printChecks(findings []finding) error {
	if a.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	width, terminal := a.screen()
	coloured := terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	_, err := io.WriteString(a.stdout, checksText(findings, width, coloured))
	return err
}

// checksText is a line or more for each check.
func checksText(findings []finding, width int, coloured bool) string {
	names := 0
	for _, f := range findings {
		names = max(names, len(f.Check))
	}
	marks := map[verdict]string{fine: green, warning: yellow, failing: red}
	var out strings.Builder
	indent := strings.Repeat(" ", 4+2+names+2)
	for _, f := range findings {
		mark := fmt.Sprintf("%-4s", f.Result)
		if coloured {
			mark = marks[f.Result] + mark + plain
		}
		lines := wrapped(strings.Map(printable, f.Says), limit(width)-len(indent))
		for i, remedy := range wrapped(strings.Map(printable, f.Remedy), limit(width)-len(indent)-2) {
			if i == 0 {
				lines = append(lines, "→ "+remedy)
			} else {
				lines = append(lines, "  "+remedy)
			}
		}
		for i, line := range lines {
			if i == 0 {
				fmt.Fprintf(&out, "%s  %-*s  %s\n", mark, names, f.Check, line)
			} else {
				out.WriteString(indent + line + "\n")
			}
		}
	}
	return out.String()
}
