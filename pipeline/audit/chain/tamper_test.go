package chain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// objects are what lies in a store, as somebody sees them who can change them.
type objects map[string][]byte

func read(t testing.TB, store lake.Store) objects {
	t.Helper()
	out := objects{}
	for _, name := range storetest.Names(t, store, "") {
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = body
	}
	return out
}

func (o objects) store(t testing.TB) lake.Store {
	t.Helper()
	out := &storetest.Memory{}
	for name, body := range o {
		if err := out.Create(t.Context(), name, body); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (o objects) under(prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(o)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

func (o objects) segments(server string) []string {
	return o.under("audit/servers/" + server + "/segments/")
}

// lines are the records of a server in their order.
func (o objects) lines(server string) [][]byte {
	var out [][]byte
	for _, name := range o.segments(server) {
		lines := bytes.SplitAfter(o[name], []byte("\n"))
		out = append(out, lines[:len(lines)-1]...)
	}
	return out
}

// put writes lines into the segments that are there, as many into each as it had; the last one takes what is over. Segments that would be empty go.
func (o objects) put(server string, lines [][]byte) {
	names := o.segments(server)
	for i, name := range names {
		n := min(bytes.Count(o[name], []byte("\n")), len(lines))
		if i == len(names)-1 {
			n = len(lines)
		}
		if o[name] = bytes.Join(lines[:n], nil); n == 0 {
			delete(o, name)
		}
		lines = lines[n:]
	}
}

// reseal makes records of lines with right numbers and hashes, from the one with index from on.
func reseal(t testing.TB, lines [][]byte, from int) [][]byte {
	t.Helper()
	out := slices.Clone(lines)
	for i := from; i < len(out); i++ {
		var r audit.Record
		if err := json.Unmarshal(out[i], &r); err != nil {
			t.Fatal(err)
		}
		r.Number = int64(i + 1)
		if i > 0 {
			var before audit.Record
			if err := json.Unmarshal(out[i-1], &before); err != nil {
				t.Fatal(err)
			}
			r.Previous = before.Hash
		}
		_, line, err := r.Seal()
		if err != nil {
			t.Fatal(err)
		}
		out[i] = line
	}
	return out
}

// edited is a record with another value of a field.
func edited(t testing.TB, line []byte, field string) []byte {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	switch was := r[field].(type) {
	case float64:
		r[field] = was + 1
	case string:
		last := byte('0')
		if was[len(was)-1] == last {
			last = '1'
		}
		r[field] = was[:len(was)-1] + string(last)
		if field == "at" {
			r[field] = "2001-01-01T00:00:00Z"
		}
	default:
		r[field] = map[string]any{"rows": 99}
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	// As the record would be written, so that only the value differs.
	var again audit.Record
	if err := json.Unmarshal(out, &again); err != nil {
		t.Fatal(err)
	}
	out, err = json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

const servers = 2

// twoServers is a lake with the chains of two servers, each of four segments of three records and a checkpoint a segment, and what their vaults
// remember.
func twoServers(t testing.TB) (objects, chain.Known, machine) {
	t.Helper()
	m, other, store := newMachine(t), newMachine(t), &storetest.Memory{}
	known := chain.Known{Chains: map[string]chain.Seen{}}
	for i, server := range []string{"annex", "desk"} {
		o := []machine{other, m}[i].options(store, server)
		c := open(t, o)
		record(t, c, "ada", 1, 2)
		flush(t, c)
		for n := 1; n < 3; n++ {
			record(t, c, "ben", 3*n, 3*n+1, 3*n+2)
			flush(t, c)
		}
		record(t, c, "cleo", 10, 11)
		closed(t, c)
	}
	v := verified(t, store, chain.Known{})
	known.Log = v.Log.Tip
	for _, c := range v.Chains {
		known.Chains[c.Server] = c.Seen
		if c.Records != 12 || c.Segments != 4 || c.Checkpoints != 4 || c.Tip.Number != 12 || c.Checkpoint != 12 {
			t.Fatalf("%+v", c)
		}
	}
	if len(v.Chains) != servers {
		t.Fatalf("%d chains", len(v.Chains))
	}
	out := read(t, store)
	verified(t, out.store(t), known)
	return out, known, m
}

// tampered says whether a lake is found to be not as it was written.
func tampered(t testing.TB, o objects, known chain.Known) error {
	t.Helper()
	_, err := chain.Verify(t.Context(), o.store(t), known)
	if err != nil && !errors.Is(err, audit.ErrTampered) {
		t.Fatal(err)
	}
	return err
}

// Each record of a chain is removed, changed, doubled, moved and put in, by somebody who leaves it so and by somebody who makes every hash after
// it right again; and nobody but the lake is asked.
func TestEveryRecordTampered(t *testing.T) {
	whole, _, _ := twoServers(t)
	lines, others := whole.lines("desk"), whole.lines("annex")
	for i := range lines {
		for what, change := range map[string]func() [][]byte{
			"removed":               func() [][]byte { return slices.Delete(slices.Clone(lines), i, i+1) },
			"doubled":               func() [][]byte { return slices.Insert(slices.Clone(lines), i, lines[i]) },
			"replaced by another's": func() [][]byte { return slices.Replace(slices.Clone(lines), i, i+1, others[i]) },
			"another's put in":      func() [][]byte { return slices.Insert(slices.Clone(lines), i, others[i]) },
			"exchanged with the next": func() [][]byte {
				out := slices.Clone(lines)
				j := (i + 1) % len(out)
				out[i], out[j] = out[j], out[i]
				return out
			},
			"cut to half":      func() [][]byte { return slices.Replace(slices.Clone(lines), i, i+1, lines[i][:len(lines[i])/2]) },
			"all after it cut": func() [][]byte { return lines[:i] },
			"a space put in":   func() [][]byte { return slices.Replace(slices.Clone(lines), i, i+1, append([]byte(" "), lines[i]...)) },
		} {
			o := maps.Clone(whole)
			o.put("desk", change())
			if tampered(t, o, chain.Known{}) == nil {
				t.Errorf("record %d %s: not found", i+1, what)
			}
			if what == "cut to half" || what == "all after it cut" || what == "a space put in" {
				continue // there is nothing to seal, or sealing makes it right again
			}
			o = maps.Clone(whole)
			changed := change()
			o.put("desk", reseal(t, changed, min(i, len(changed)-1)))
			if tampered(t, o, chain.Known{}) == nil {
				t.Errorf("record %d %s, with right hashes: not found", i+1, what)
			}
		}
		var fields map[string]any
		if err := json.Unmarshal(lines[i], &fields); err != nil {
			t.Fatal(err)
		}
		for field := range fields {
			changed := slices.Clone(lines)
			changed[i] = edited(t, lines[i], field)
			if bytes.Equal(changed[i], lines[i]) {
				t.Fatalf("%s was not changed", field)
			}
			o := maps.Clone(whole)
			o.put("desk", changed)
			if tampered(t, o, chain.Known{}) == nil {
				t.Errorf("record %d, %s changed: not found", i+1, field)
			}
			if field == "number" || field == "hash" || field == "previous" {
				continue // sealing makes it right again
			}
			o = maps.Clone(whole)
			o.put("desk", reseal(t, changed, i))
			if tampered(t, o, chain.Known{}) == nil {
				t.Errorf("record %d, %s changed, with right hashes: not found", i+1, field)
			}
		}
	}
}

// Each segment and each checkpoint is removed, changed, moved, put in and taken from elsewhere.
func TestEveryObjectTampered(t *testing.T) {
	whole, known, _ := twoServers(t)
	desk := whole.under("audit/servers/desk/")
	every := 29
	if os.Getenv("FALLOFF_LONG") != "" {
		every = 1
	}
	for i, name := range desk {
		other := strings.Replace(name, "/desk/", "/annex/", 1)
		next := desk[(i+1)%len(desk)]
		for what, change := range map[string]func(o objects){
			"removed":                   func(o objects) { delete(o, name) },
			"emptied":                   func(o objects) { o[name] = nil },
			"cut":                       func(o objects) { o[name] = o[name][:len(o[name])-1] },
			"doubled":                   func(o objects) { o[name] = append(bytes.Clone(o[name]), o[name]...) },
			"replaced by another's":     func(o objects) { o[name] = o[other] },
			"exchanged with another's":  func(o objects) { o[name], o[other] = o[other], o[name] },
			"exchanged with the next":   func(o objects) { o[name], o[next] = o[next], o[name] },
			"under the next number too": func(o objects) { o[strings.Replace(name, ".json", "0.json", 1)] = o[name] },
			"under a number behind all": func(o objects) { o[name[:strings.LastIndex(name, "/")+1]+"000000000099.jsonl"] = o[name] },
			"a checkpoint behind all":   func(o objects) { o["audit/servers/desk/checkpoints/000000000099.json"] = o[name] },
		} {
			o := maps.Clone(whole)
			change(o)
			// The newest checkpoint alone leaves a chain that was not signed yet: who remembers it tells.
			ask := chain.Known{}
			if name == checkpointOf("desk", 12) {
				ask = known
			}
			if tampered(t, o, ask) == nil {
				t.Errorf("%s %s: not found", name, what)
			}
		}
		for b := range whole[name] {
			if b%every != 0 {
				continue
			}
			o := maps.Clone(whole)
			o[name] = bytes.Clone(o[name])
			o[name][b] ^= 1
			if tampered(t, o, chain.Known{}) == nil {
				t.Errorf("%s, byte %d changed: not found", name, b)
			}
		}
	}
}

func checkpointOf(server string, number int) string {
	return fmt.Sprintf("audit/servers/%s/checkpoints/%012d.json", server, number)
}

// What is done with whole chains, and with their ends: some of it is a chain that looks whole, and is found by who remembers it.
func TestEveryChainTampered(t *testing.T) {
	whole, known, m := twoServers(t)
	for what, c := range map[string]struct {
		change func(o objects)
		// alone says that it is found without anybody who remembers.
		alone bool
		want  string
	}{
		"a chain removed": {func(o objects) {
			for _, name := range o.under("audit/servers/desk/") {
				delete(o, name)
			}
		}, true, "server desk is not as it was written: nothing is left of it"},
		"a chain and the end of the log removed": {func(o objects) {
			for _, name := range slices.Concat(o.under("audit/servers/desk/"), []string{"audit/log/000000000002.json"}) {
				delete(o, name)
			}
		}, false, "it ends before record 2"},
		"two chains exchanged": {func(o objects) {
			for _, name := range o.under("audit/servers/desk/") {
				other := strings.Replace(name, "/desk/", "/annex/", 1)
				o[name], o[other] = o[other], o[name]
			}
		}, true, "server desk is not as it was written: its key was changed"},
		"a chain copied under a new name": {func(o objects) {
			for _, name := range o.under("audit/servers/desk/") {
				o[strings.Replace(name, "/desk/", "/third/", 1)] = o[name]
			}
		}, true, "server third is not as it was written"},
		"the newest segment cut off with its checkpoint": {func(o objects) {
			delete(o, o.segments("desk")[3])
			delete(o, checkpointOf("desk", 12))
		}, false, "it ends before record 12, which this machine has seen"},
		"the newest segment cut off": {func(o objects) { delete(o, o.segments("desk")[3]) }, true, "it ends before record 12, of which there is a checkpoint"},
		"all of it cut off but the key": {func(o objects) {
			for _, name := range o.under("audit/servers/desk/") {
				if !strings.HasSuffix(name, "key.json") {
					delete(o, name)
				}
			}
		}, false, "it ends before record 12, which this machine has seen"},
		"every checkpoint removed": {func(o objects) {
			for _, name := range o.under("audit/servers/desk/checkpoints/") {
				delete(o, name)
			}
		}, false, "checkpoint 12, which this machine has seen, is missing"},
		"a stranger's object": {func(o objects) { o["audit/servers/desk/segments/notes.txt"] = nil }, true, "audit/servers/desk/segments/notes.txt is not of them"},
		"a record that claims a loss": {func(o objects) {
			delete(o, o.segments("desk")[1])
			lines := bytes.SplitAfter(o[o.segments("desk")[1]], []byte("\n"))
			var r audit.Record
			if err := json.Unmarshal(lines[0], &r); err != nil {
				t.Fatal(err)
			}
			r.Action, r.After = audit.ChainOpened, audit.Fields{"state": "lost", "follows": 3, "lost": 3}
			_, lines[0], _ = r.Seal()
			o[o.segments("desk")[1]] = bytes.Join(lines, nil)
		}, true, "record 6, of which there is a checkpoint, is missing"},
	} {
		t.Run(what, func(t *testing.T) {
			o := maps.Clone(whole)
			c.change(o)
			alone := tampered(t, o, chain.Known{})
			if (alone != nil) != c.alone {
				t.Errorf("with nobody who remembers: %v", alone)
			}
			if err := tampered(t, o, known); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	// A chain that is made anew by somebody with another key is found by the log of commands, and with that made anew too by who remembers.
	forger, store := newMachine(t), &storetest.Memory{}
	c := open(t, forger.options(store, "desk"))
	record(t, c, "eve", 1)
	closed(t, c)
	forged := maps.Clone(whole)
	for _, name := range forged.under("audit/servers/desk/") {
		delete(forged, name)
	}
	maps.Copy(forged, read(t, store))
	forged["audit/log/000000000001.json"], forged["audit/log/000000000002.json"] = whole["audit/log/000000000001.json"], whole["audit/log/000000000002.json"]
	if err := tampered(t, forged, chain.Known{}); err == nil || !strings.Contains(err.Error(), "its key is not the one that it was begun with") {
		t.Errorf("a chain under another key: %v", err)
	}
	anew := read(t, store)
	if err := tampered(t, anew, chain.Known{}); err != nil {
		t.Errorf("a lake of the forger's own: %v", err)
	}
	if err := tampered(t, anew, known); err == nil || !strings.Contains(err.Error(), "its key is another than this machine has seen") {
		t.Errorf("a lake of the forger's own: %v", err)
	}
	// A server of the same installation cannot be taken for another: its checkpoints say whose they are.
	store = &storetest.Memory{}
	c = open(t, m.options(store, "third"))
	record(t, c, "ada", 1)
	closed(t, c)
	mixed := maps.Clone(whole)
	mixed[checkpointOf("desk", 3)] = read(t, store)[checkpointOf("third", 3)]
	if err := tampered(t, mixed, chain.Known{}); err == nil || !strings.Contains(err.Error(), "checkpoint 3 does not hold: it is about another record") {
		t.Errorf("a checkpoint of another server with the same key: %v", err)
	}
}

// While the server runs, what is done to the lake shows with its next record, and what is done to the lake's end at its next start.
func TestTamperedBehindTheServersBack(t *testing.T) {
	m, store := newMachine(t), &storetest.Memory{}
	o := m.options(store, "desk")
	c := open(t, o)
	record(t, c, "ada", 1, 2)
	flush(t, c)
	for _, name := range []string{"audit/servers/desk/segments/000000000001.jsonl", checkpointOf("desk", 3)} {
		if err := store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	record(t, c, "ada", 3)
	flush(t, c)
	if _, err := chain.Verify(t.Context(), store, chain.Known{}); err == nil || !strings.Contains(err.Error(), "the records 1 to 3 are missing") {
		t.Errorf("removed while it ran: %v", err)
	}
	closed(t, c)
	for _, name := range storetest.Names(t, store, "audit/servers/desk/") {
		if !strings.HasSuffix(name, "key.json") {
			if err := store.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	closed(t, open(t, o))
	if _, err := chain.Verify(t.Context(), store, chain.Known{}); err == nil || !strings.Contains(err.Error(), "the records 1 to 5 were lost") {
		t.Errorf("removed while it did not run: %v", err)
	}
	// Another server under the same name, with the same keys, is found out, and neither is believed.
	elsewhere := m
	elsewhere.dir = t.TempDir()
	c = open(t, o)
	twin := open(t, elsewhere.options(store, "desk"))
	record(t, c, "ada", 4)
	flush(t, c)
	if err := twin.Flush(t.Context()); !errors.Is(err, chain.ErrForked) {
		t.Errorf("the twin sends: %v", err)
	}
	if _, err := twin.Append(t.Context(), answered("ada", 5)); !errors.Is(err, chain.ErrStopped) {
		t.Errorf("the twin records: %v", err)
	}
	if err := twin.Close(t.Context()); err == nil {
		t.Error("the twin closes as if nothing were wrong")
	}
	if _, err := chain.Open(t.Context(), newMachine(t).options(store, "desk")); !errors.Is(err, chain.ErrTaken) {
		t.Errorf("a server with other keys: %v", err)
	}
}
