package browser

import (
	"bytes"
	"errors"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
)

// identities are on the page in every way in which a page can hold a text.
var identities = []string{"MarySmithCanary", "Zoë-Müller-Canary", "marysmith@canary.example", "555-0100-4711", "ΜαρίαΚανάρι", "Мария-Канарейка"}

const snapshotPage = `
<style>.big::before { content: "MarySmithCanary"; } .b { background: url("data:text/plain,MarySmithCanary"); display: grid; grid-template-columns: [MarySmithCanary] 50px 50px }</style>
<title>MarySmithCanary</title>
<h1 class="title MarySmithCanary" id="MarySmithCanary" title="MarySmithCanary" aria-label="MarySmithCanary" data-role="heading" data-patient="MarySmithCanary">MarySmithCanary, Zoë-Müller-Canary &lt;b&gt;</h1>
<p class=big style="color: rgb(1, 2, 3); font-family: MarySmithCanary">marysmith@canary.example 555-0100-4711 ΜαρίαΚανάρι Мария-Канарейка</p>
<a href="/patients?name=MarySmithCanary#555-0100-4711" data-action=export-csv>Export</a>
<input name=from value="MarySmithCanary"><input placeholder="marysmith@canary.example"><textarea>MarySmithCanary</textarea>
<select><option value="MarySmithCanary">Zoë-Müller-Canary</option></select>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>" alt="MarySmithCanary" width=80 height=80>
<svg width=90 height=20><text y=15>MarySmithCanary</text></svg><canvas width=50 height=20></canvas>
<iframe srcdoc="MarySmithCanary" width=60 height=30></iframe>
<x-marysmithcanary>MarySmithCanary</x-marysmithcanary>
<form id=f data-role=filters><input name=attributes value=MarySmithCanary><input name=childNodes value=MarySmithCanary></form>
<div id=host class=b></div>
<!-- MarySmithCanary -->
<script>
	document.getElementById('host').attachShadow({mode: 'open'}).innerHTML = '<b role=status>MarySmithCanary</b><slot></slot>';
	document.querySelector('input').value = 'MarySmithCanary';
	// A page that gets in the way.
	String.prototype.replace = function () { return String(this); };
	RegExp.prototype.test = () => true;
	Object.getOwnPropertyDescriptor = () => ({get() { return 'MarySmithCanary'; }});
	Element.prototype.getAttribute = () => 'MarySmithCanary';
	document.title = 'ready';
</script>`

func TestSnapshotsHoldNobody(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { htmlf(w, "%s", snapshotPage) }), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules, Words: []string{"title"}, Selectors: []string{"[data-role=filters]", "[data-action=export-csv]", "#log_in"}})
	page := open(t, s, address+"/page")
	eventually(t, "the page is there", func() bool { return eval(t, page, `() => document.title`) == "ready" })
	search, err := canary.New(identities)
	if err != nil {
		t.Fatal(err)
	}
	shapes, err := s.shapes(t.Context(), page)
	if err != nil {
		t.Fatal(err)
	}
	if hits := search.Bytes([]byte(shapes.HTML)); len(hits) > 0 {
		t.Errorf("the picture is drawn from %v", hits)
	}
	if strings.Contains(shapes.HTML, "url(") || strings.Contains(shapes.HTML, "[") {
		t.Error("a style took a word of the page along")
	}
	snapshot, err := s.Snapshot(t.Context(), page)
	if err != nil {
		t.Fatal(err)
	}
	if hits := search.Bytes(append(bytes.Clone(snapshot.PNG), snapshot.Skeleton...)); len(hits) > 0 {
		t.Errorf("the snapshot holds %v", hits)
	}
	picture, err := png.Decode(bytes.NewReader(snapshot.PNG))
	if err != nil || picture.Bounds().Dx() < 1000 {
		t.Errorf("the picture is %v, %v", picture.Bounds(), err)
	}
	for _, line := range []string{
		`h1 .title .XxxxXxxxxXxxxxx #XxxxXxxxxXxxxxx aria [data-role=xxxxxxx] [data=XxxxXxxxxXxxxxx]`,
		`"XxxxXxxxxXxxxxx, Xxx-Xxxxxx-Xxxxxx <x>"`,
		`"xxxxxxxxx@xxxxxx.xxxxxxx 999-9999-9999 X`,
		`a href=/xxxxxxxx?xxxx=XxxxXxxxxXxxxxx#999-9999- [data-action=export-csv]`,
		`form #x [data-role=filters]`,
		`custom x-xxxxxxxxxxxxxxx`,
		`b role=status`,
		`value "XxxxXxxxxXxxxxx"`,
	} {
		if !strings.Contains(string(snapshot.Skeleton), line) {
			t.Errorf("the skeleton lacks %s:\n%s", line, snapshot.Skeleton)
		}
	}
	if got := eval(t, page, `() => document.querySelector('h1').textContent`); !strings.Contains(got, identities[0]) {
		t.Error("the page itself was changed")
	}
	if s.Ledger().Refused() != 0 {
		t.Errorf("the picture asked for something: %+v", s.Ledger().Entries())
	}
}

// TestSnapshotsAreLookedOver breaks the script's promise: nothing that is not a shape may pass.
func TestSnapshotsAreLookedOver(t *testing.T) {
	s := &Session{referee: &referee{policy: &policy{words: map[string]bool{"title": true}}}}
	known := s.vocabulary()
	if err := known.check(&shaped{HTML: `<div style="color:rgb(1, 2, 3);">Xxx 99<br></div>`, Skeleton: "div .title #xxx-9 role=status\n  \"Xx, 9\"\n"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []shaped{
		{HTML: `<div>Mary</div>`}, {HTML: `<div>xxж</div>`}, {HTML: `<div>&#77;</div>`}, {HTML: `<p>x</p>`}, {HTML: `<div title="Mary">x</div>`},
		{HTML: `<div style="background:url(/x)">x</div>`}, {HTML: `<div style="color:Mary">x</div>`}, {HTML: `<!-- Mary -->`},
		{HTML: `<script>x</script>`}, {Skeleton: "div .mary"}, {Skeleton: `"Mary"`}, {Skeleton: "div #xxж"}, {Skeleton: "div [data=1978]"},
	} {
		if err := known.check(&bad); !errors.Is(err, ErrUnscrubbed) {
			t.Errorf("%+v passes: %v", bad, err)
		}
	}
}
