package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// BenchmarkNightly is the night of an average clinic: some 60,000 appointments over five years are in the lake, and what is due is
// read through a real browser, landed and built. What goes beyond the time in which the portal was at work, computing a report
// or answering a page, is falloff's. A bare HTTP client beside it fetches the same files, one after the other, shows no page and
// does nothing with them: the floor.
func BenchmarkNightly(b *testing.B) {
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From = 7000, civil.Date{Year: 2021, Month: time.January, Day: 1}
	clinic, err := simclinic.New(dials)
	if err != nil {
		b.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		b.Fatal(err)
	}
	// Every report is computed when it is asked for, for both.
	const computing = 300 * time.Millisecond
	clock := &portalClock{}
	staff, err := portal.New(clinic, portal.Options{
		ExportDelay: portal.DelayRange{Min: computing, Max: computing + time.Millisecond}, CacheFor: -1, Wrap: clock.watch,
	})
	if err != nil {
		b.Fatal(err)
	}
	url, stop, err := staff.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	scratch, err := os.MkdirTemp("", "fo")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	dir := b.TempDir()
	site, err := pipeline.OpenSite(b.Context(), pipeline.SiteOptions{Lake: filepath.Join(dir, "lake"), Clinic: "bench", ConfigDir: filepath.Join(dir, "config")})
	if err != nil {
		b.Fatal(err)
	}
	history, err := site.Ingest(b.Context(), exported(b, clinic, "csv"), pipeline.IngestOptions{Source: "bench", Settings: &typed})
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range history.Files {
		if f.Dataset == "appointments" {
			b.Logf("%d appointments", f.Rows)
		}
	}
	seal, err := site.Vault.AEAD(b.Context(), "bench", "staging")
	if err != nil {
		b.Fatal(err)
	}
	noting := &notingPortal{realPortal: realPortal{url: url, scratch: scratch}}
	night := func() {
		out, err := site.Extract(b.Context(), pipeline.ExtractOptions{
			Portal: noting, Credentials: "bench", Account: secret.FromText(portal.DefaultClerk().Username), Settings: &typed, Seal: seal, Budget: -1,
			Plan:     pipeline.PlanOptions{Day: clinic.ReportDate()},
			Progress: func(s pipeline.Step) { _, _ = fmt.Fprintf(os.Stderr, "%s %+v\n", time.Now().Format(time.TimeOnly), s) },
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := site.Build(b.Context(), pipeline.BuildOptions{}); err != nil {
			b.Fatal(err)
		}
		b.Logf("%d exports, commit %d", out.Orders, out.Commit)
	}
	b.ResetTimer()
	var falloff, bare, portals time.Duration
	for range b.N {
		began := time.Now()
		night()
		falloff += time.Since(began)
		portals += clock.busy(began, time.Now())
		began = time.Now()
		fetchBarely(b, url, noting.ordered)
		bare += time.Since(began)
	}
	n := float64(b.N)
	b.ReportMetric(float64(len(noting.ordered)), "exports")
	b.ReportMetric(falloff.Seconds()/n, "s/night")
	b.ReportMetric(bare.Seconds()/n, "s/bare-client")
	b.ReportMetric(portals.Seconds()/n, "s/portal-at-work")
	b.ReportMetric((falloff-portals).Seconds()/n, "s-beyond-that")
}

// portalClock notes when the portal was at work: answering a request that is not held open, or computing an export, up to the
// moment in which its waiting page moves on.
type portalClock struct {
	mu      sync.Mutex
	ordered time.Time
	spans   [][2]time.Time
}

func (c *portalClock) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		next.ServeHTTP(w, r)
		ended := time.Now()
		if r.Header.Get("Upgrade") != "" {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/api/exports":
			c.ordered = began
		case strings.HasSuffix(r.URL.Path, "/preview"):
			began = c.ordered
		}
		c.spans = append(c.spans, [2]time.Time{began, ended})
	})
}

// busy is how much of the time from one moment to another the portal was at work, on however many things at once.
func (c *portalClock) busy(from, to time.Time) (total time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.spans, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	for _, span := range c.spans {
		if began := slices.MaxFunc([]time.Time{span[0], from}, time.Time.Compare); began.Before(span[1]) && began.Before(to) {
			ended := slices.MinFunc([]time.Time{span[1], to}, time.Time.Compare)
			total += ended.Sub(began)
			from = ended
		}
	}
	return total
}

// notingPortal notes what was ordered.
type notingPortal struct {
	realPortal

	ordered []extractors.Order
}

func (p *notingPortal) Visit(orders []extractors.Order, w pipeline.Watch) (extractors.Source, error) {
	p.ordered = orders
	return p.realPortal.Visit(orders, w)
}

var bootToken = regexp.MustCompile(`"csrf":"([^"]+)"`)

// bareClient asks the portal as a program without a browser would.
type bareClient struct {
	tb    testing.TB
	url   string
	http  http.Client
	token string
}

func (c *bareClient) ask(method, path string, body any) []byte {
	c.tb.Helper()
	var sent io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.tb.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, c.url+path, sent)
	if err != nil {
		c.tb.Fatal(err)
	}
	request.Header.Set("X-Csrf-Token", c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		c.tb.Fatalf("%s %s: %d %v", method, path, response.StatusCode, err)
	}
	if found := bootToken.FindSubmatch(got); found != nil && (path == "/admin" || path == "/api/session") {
		c.token = string(found[1])
	}
	return got
}

// fetchBarely fetches the files of these orders.
func fetchBarely(tb testing.TB, url string, orders []extractors.Order) {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := &bareClient{tb: tb, url: url, http: http.Client{Jar: jar}}
	clerk := portal.DefaultClerk()
	c.ask(http.MethodGet, "/admin", nil)
	c.ask(http.MethodPost, "/api/session", map[string]string{"username": clerk.Username, "password": clerk.Password})
	for _, o := range orders {
		c.ask(http.MethodPut, "/api/filters", map[string]string{"from": o.Window.From.String(), "to": o.Window.To.String()})
		var export struct{ ID, State, File string }
		started := c.ask(http.MethodPost, "/api/exports", map[string]string{"report": o.Report, "format": "csv"})
		for err := json.Unmarshal(started, &export); export.State != "ready"; err = json.Unmarshal(c.ask(http.MethodGet, "/downloads/"+export.ID+"/status", nil), &export) {
			if err != nil {
				tb.Fatal(err)
			}
			<-time.After(50 * time.Millisecond)
		}
		if body := c.ask(http.MethodGet, "/downloads/"+export.File, nil); len(body) == 0 {
			tb.Fatal(fmt.Errorf("%s is empty", o.ID()))
		}
	}
}
