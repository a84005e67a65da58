package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/pipeline/worker/pgtest"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts of testdata")

// TestMain lets more scripts run at once than there are processors, unless -parallel says otherwise: they wait for portals and
// browsers more than they compute.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"falloff": main})
}

// TestScripts runs testdata/*.txtar, a file a behaviour. Besides testscript's own commands they have:
//
//	exits CODE PROGRAM ARGS...   the program ends with that code; if falloff fails, it does so with one clean error
//	head LAKE                    prints the newest commit of every clinic of a lake, as name and digest
//	objects LAKE                 prints the names of the objects that the newest commits name
//	leaks-equal LEDGER TRUTH     the first four columns of two CSV files hold the same rows, but for the estimated falloff
//	innocent PATH...             nothing under the paths, nothing printed last, and nothing that an encrypted lake under them says
//	                             when it is opened with the keys of any vault here, holds a line of planted.txt
//	replace FILE OLD NEW [N]     puts NEW in the place of the first N (1) occurrences of OLD
//	reverse-columns FILE         turns the order of a CSV's columns round
//	reverse-rows FILE            turns the order of a CSV's rows round, below the header
//	cut FILE PERCENT             keeps the first part of a file
//	garbage FILE MB              makes a file of random bytes
//	planted FILE [SEED PATIENTS FROM]  writes the identities of the simulated clinic that the portal shows, or that is
//	                             exported with these dials, to a file
//	portal start [MUTATION]      a simulated portal, with a change of its pages; sets PORTAL, USERNAME and TODAY, makes
//	                             password.txt and clinic.yaml
//	portal stop|unplug|deactivate|maintenance|truncate|write   makes it fail
//	portal intrude               somebody else signs in with our account and opens the schedule, and a colleague with their own
//	portal downloaded            waits until somebody has got a file out of it
//	portal requests              prints what reached it
//	messages start               a mail server and a web server that take what is sent; sets MAILPORT and HOOK
//	messages mails|hooks         prints what reached it
//	messages answer STATUS       what the web server answers
//	messages await TEXT          waits until a mail holds a text
//	fetch METHOD PATH [TOKEN]    asks the server whose address is in the file serve.json; prints status and body
//	answer LAKE CONFIG SERVER PERSON...  a server records an answer to each person, and ends
//	postgres start               a PostgreSQL with nothing in it; sets FALLOFF_DATABASE_URL
//	await FILE TEXT              waits until a program in the background has written the text
func TestScripts(t *testing.T) {
	private := privateMounts(t)
	earlier, err := filepath.Abs(filepath.Join("testdata", "earlier"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			env.Setenv("PRIVATELY", private)
			env.Setenv("EARLIER", earlier)
			env.Setenv("FALLOFF_ACTOR", "Tess Tester")
			// Hundreds of programs are started, each with a small heap: half of what a start costs is collecting garbage in it.
			env.Setenv("GOGC", "400")
			if chromium := os.Getenv(browser.EnvExecutable); chromium != "" {
				env.Setenv(browser.EnvExecutable, chromium)
			}
			env.Values[stageKey] = &stage{}
			return os.Mkdir(home, 0o700)
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "mounts":
				return private != "", nil
			case "long":
				return os.Getenv("FALLOFF_LONG") != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":           exits,
			"head":            head,
			"objects":         objects,
			"leaks-equal":     leaksEqual,
			"innocent":        innocent,
			"replace":         replace,
			"reverse-columns": reverseColumns,
			"reverse-rows":    reverseRows,
			"cut":             cut,
			"garbage":         garbage,
			"planted":         planted,
			"portal":          portalCommand,
			"collector":       collect,
			"messages":        messagesCommand,
			"fetch":           fetch,
			"awaitfetch":      awaitFetch,
			"awaitsays":       awaitSays,
			"answer":          answer,
			"await":           await,
			"postgres": func(ts *testscript.TestScript, neg bool, args []string) {
				usage(ts, neg, len(args) == 1 && args[0] == "start", "postgres start")
				ts.Setenv("FALLOFF_DATABASE_URL", pgtest.Start(t).URL(""))
			},
		},
	})
}

// privateMounts gives the command under which a program may mount file systems that nobody else sees and that go when it
// ends, or nothing where this user may not.
func privateMounts(t *testing.T) string {
	t.Helper()
	for _, command := range []string{"unshare --mount", "unshare --mount --map-root-user"} {
		args := append(strings.Fields(command), "mount", "-t", "tmpfs", "-o", "size=4k", "none", t.TempDir())
		if exec.CommandContext(t.Context(), args[0], args[1:]...).Run() == nil {
			return command
		}
	}
	return ""
}

// usage stops a script whose command was called wrongly.
func usage(ts *testscript.TestScript, neg, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// exits runs a program and checks its exit code. A failing falloff says so in one error, at the end of standard error, that
// shows nothing of the program's inside.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "exits CODE PROGRAM ARGS...")
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	said := ts.ReadFile("stderr")
	for _, inside := range []string{"panic:", "goroutine ", "%!", "<nil>", "runtime error", "0xc000"} {
		if strings.Contains(said, inside) {
			ts.Fatalf("the message holds %q", inside)
		}
	}
	if args[1] == "falloff" && code != 0 && strings.Count("\n"+said, "\nfalloff: ") != 1 {
		ts.Fatalf("want one error, got %q", said)
	}
	if _, err := os.Stat(ts.MkAbs("planted.txt")); err == nil {
		innocent(ts, false, nil)
	}
}

// TestRunWithoutAProcess calls run as main does, with a context that has ended: nothing lands and the code says so.
func TestRunWithoutAProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t.Chdir(t.TempDir())
	t.Setenv("HOME", t.TempDir())
	if err := os.WriteFile("sales.csv", []byte("Item\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	code := run(ctx, []string{"import", "--lake", "lake", "--clinic", "c", "sales.csv"}, strings.NewReader(""), &stdout, &stderr)
	if code != exitInterrupted || stderr.String() != "falloff: interrupted; what had landed stays, nothing half-landed\n" || stdout.Len() > 0 {
		t.Errorf("code %d, said %q", code, stderr.String())
	}
}
