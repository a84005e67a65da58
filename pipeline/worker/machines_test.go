package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/pipeline/worker/pgtest"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// process is a worker that was started.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer
	// gone is closed once it has ended.
	gone chan struct{}
}

// machines are the workers of a test, and who kills them.
type machines struct {
	t       *testing.T
	world   world
	url     string
	pool    *pgxpool.Pool
	workers []*process
	chance  *rand.Rand

	// every is how many nights are completed between two kills, at most.
	every                    int
	kills, suicides, repairs int
	said                     []string
}

const machineCount = 3

func (m *machines) start() *process {
	p := &process{cmd: exec.Command(os.Args[0]), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "FALLOFF_TEST_WORKER="+string(m.world), "FALLOFF_TEST_DATABASE="+m.url)
	p.cmd.Stderr = &p.said
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		_ = p.cmd.Wait()
	}()
	return p
}

// end kills a worker and waits for its end.
func (m *machines) end(p *process) {
	_ = p.cmd.Process.Kill()
	<-p.gone
	if text := strings.TrimSpace(p.said.String()); text != "" {
		m.said = append(m.said, fmt.Sprintf("worker %d said:\n%s", p.cmd.Process.Pid, text))
	}
}

// replace puts a new worker in the place of each that has ended by itself, as a supervisor does.
func (m *machines) replace() {
	for i, p := range m.workers {
		select {
		case <-p.gone:
			switch {
			case !p.cmd.ProcessState.Exited():
				m.suicides++
			case p.cmd.ProcessState.ExitCode() != exitAway:
				m.t.Errorf("a worker ended by itself: %s\n%s", p.cmd.ProcessState, &p.said)
			}
			m.end(p)
			m.workers[i] = m.start()
		default:
		}
	}
}

// done counts the nights of a day that are completed; while the database is away, it is not known.
func (m *machines) done(day civil.Date) (n int, known bool) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 5*time.Second)
	defer cancel()
	err := m.pool.QueryRow(ctx, "select count(*) from river_job where kind = 'night' and state = 'completed' and args->>'day' = $1", day.String()).Scan(&n)
	return n, err == nil
}

// mend does what a person does of whom a clinic needs one: a worker was killed while it signed in, so that nobody knows whether the
// password was taken; the person looks, gives it again, and has the night begun.
func (m *machines) mend() {
	jobs, err := worker.List(m.t.Context(), m.pool, []string{"cancelled", "discarded"}, 1000)
	if err != nil {
		return // the database is away
	}
	byID := map[string]worker.Clinic{}
	for _, c := range m.world.clinics() {
		byID[c.ID] = c
	}
	for _, j := range jobs {
		if j.Last == nil || j.Last.Cause != "wrong_password" || !strings.Contains(j.Last.Message, "without a trace") {
			m.t.Fatalf("a night was given up: %+v, %+v", j, j.Last)
		}
		m.repairs++
		if err := m.world.set(filepath.Join("credentials", j.Clinic), fmt.Sprintf("given again %d", m.repairs)); err != nil {
			m.t.Fatal(err)
		}
		if _, err := worker.Ask(m.t.Context(), m.pool, byID[j.Clinic], civil.Date{}, m.world.now()); err != nil {
			m.t.Log(err)
		}
	}
}

// TestManyMachines reads a fleet of tiny clinics for two days, with workers that are killed at random moments and right after commits, and
// a database that is killed in the middle of each day. Every clinic must have exactly one commit of data for each day.
func TestManyMachines(t *testing.T) {
	t.Parallel()
	clinics, every := 48, 20
	if os.Getenv("FALLOFF_LONG") != "" {
		clinics, every = 2000, 100
	}
	server := pgtest.Start(t)
	m := &machines{t: t, world: world(t.TempDir()), url: server.URL(""), every: every, chance: rand.New(rand.NewPCG(1, 2))}
	for _, folder := range []string{"diaries", "credentials", "keys"} {
		if err := os.Mkdir(filepath.Join(string(m.world), folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for n := range clinics {
		names = append(names, fmt.Sprintf("clinic-%04d", n))
		if err := m.world.set(filepath.Join("credentials", names[n]), "given"); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.world.set("clinics", strings.Join(names, "\n")); err != nil {
		t.Fatal(err)
	}
	if err := m.world.set("today", firstDay.AddDays(1).String()); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.pool, err = worker.Open(t.Context(), m.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.pool.Close)
	if _, err := worker.Migrate(t.Context(), m.pool); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range m.workers {
			m.end(p)
		}
		if t.Failed() {
			t.Log(strings.Join(m.said, "\n"))
		}
	})
	for range machineCount {
		m.workers = append(m.workers, m.start())
	}
	begun := time.Now()
	for night := range 2 {
		day := firstDay.AddDays(night)
		if err := m.world.set("today", day.AddDays(1).String()); err != nil {
			t.Fatal(err)
		}
		m.night(server, day, clinics)
		t.Logf("night %d: %d clinics after %s, %d workers killed so far, %d right after a commit, %d passwords given again", night+1, clinics, time.Since(begun).Round(time.Second), m.kills, m.suicides, m.repairs)
	}
	m.check(names)
}

// night waits until all clinics of a night are done, and kills meanwhile.
func (m *machines) night(server *pgtest.Server, day civil.Date, clinics int) {
	restarted := false
	nextKill := 1 + m.chance.IntN(m.every)
	for last := time.Now(); ; {
		m.replace()
		m.mend()
		n, known := m.done(day)
		switch {
		case known && n == clinics:
			return
		case time.Since(last) > 3*time.Minute:
			m.t.Fatalf("%s: nothing happens any more; %d of %d nights are completed\n%s", day, n, clinics, m.everything())
		case known && n >= nextKill:
			victim := m.chance.IntN(len(m.workers))
			m.end(m.workers[victim])
			m.workers[victim] = m.start()
			m.kills++
			nextKill, last = n+1+m.chance.IntN(m.every), time.Now()
		case known && n >= clinics/2 && !restarted:
			server.Restart()
			restarted, last = true, time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// everything prints the jobs that are not completed.
func (m *machines) everything() string {
	jobs, err := worker.List(m.t.Context(), m.pool, nil, 50)
	text, _ := json.MarshalIndent(jobs, "", " ")
	return fmt.Sprintf("%s %v", text, err)
}

// check holds the lake and the queue against what must be.
func (m *machines) check(names []string) {
	ctx := m.t.Context()
	twice, found, busy := 0, 0, 0
	for _, name := range names {
		site, err := m.world.site(ctx, name)
		if err != nil {
			m.t.Fatal(err)
		}
		head, err := site.Clinic.Head(ctx)
		if err != nil {
			m.t.Fatal(err)
		}
		landed := map[string]int{}
		for n := int64(1); n <= head.Number; n++ {
			commit, err := site.Clinic.At(ctx, n)
			if err != nil {
				m.t.Fatal(err)
			}
			if commit.Kind != lake.Ingest {
				continue
			}
			var of struct {
				Day string `json:"day"`
			}
			if err := json.Unmarshal(commit.Sources["portal"], &of); err != nil {
				m.t.Fatal(err)
			}
			landed[of.Day]++
		}
		rows := map[int64]int{}
		for row, err := range lake.Rows(ctx, site.Clinic.Snapshot(head), lake.Appointments) {
			if err != nil {
				m.t.Fatal(err)
			}
			rows[row.AppointmentID]++
		}
		if len(landed) != 2 || landed[firstDay.String()] != 1 || landed[firstDay.AddDays(1).String()] != 1 || len(rows) != 2*visitsADay {
			m.t.Errorf("clinic %s: commits of data by day %v, appointments %v", name, landed, rows)
		}
		for night := range 2 {
			diary, err := os.ReadFile(m.world.diary(name, firstDay.AddDays(night)))
			if err != nil {
				m.t.Fatal(err)
			}
			if strings.Count(string(diary), "begun by") > 1 {
				twice++
			}
			if strings.Contains(string(diary), "ended with 0, commit") && strings.Contains(string(diary), "new false") {
				found++
			}
			busy += strings.Count(string(diary), "ended with 5")
		}
	}
	counts, err := worker.Count(ctx, m.pool)
	if err != nil || counts["completed"] != 2*len(names) || len(counts) != 1 {
		m.t.Errorf("jobs by state: %v, %v; want %d completed and no others", counts, err, 2*len(names))
	}
	m.t.Logf("%d of %d nights were begun more than once, of which %d found their day landed and %d the clinic's lease taken", twice, 2*len(names), found, busy)
	if m.kills < 4 || m.suicides == 0 || twice == 0 || found == 0 {
		m.t.Errorf("the faults did not happen: %d kills, %d deaths after a commit, %d nights begun again, %d found done", m.kills, m.suicides, twice, found)
	}
}
