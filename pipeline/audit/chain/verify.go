package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Known is what somebody knows about a lake's records apart from the lake.
type Known struct {
	// Log is the newest record of the log of commands, zero for none. Chains are servers' chains by their names.
	Log    audit.Tip
	Chains map[string]Seen
	// Explained are gaps that a person has looked into, as Gap.Name names them: they are no longer errors.
	Explained []string
}

// Gap is where records are missing, or may be.
type Gap struct {
	Server string `json:"server"`
	// Record is the first one after it.
	Record int64 `json:"record"`
	// Lost is how many are missing, -1 where the server could not know.
	Lost int64 `json:"lost"`
	// Said says that the server has said so itself.
	Said      bool `json:"said"`
	Explained bool `json:"explained"`
}

// Name is how a person names a gap to explain it: the server, a slash, and the record after the gap.
func (g Gap) Name() string { return g.Server + "/" + strconv.FormatInt(g.Record, 10) }

// VerifiedChain says what Verify looked at of a server.
type VerifiedChain struct {
	Server      string `json:"server"`
	Records     int64  `json:"records"`
	Segments    int    `json:"segments"`
	Checkpoints int    `json:"checkpoints"`
	// Seen is to be remembered outside of the lake, when nothing was wrong.
	Seen
	// Compared says that the chain was compared with what somebody remembered.
	Compared bool  `json:"compared"`
	Gaps     []Gap `json:"gaps,omitempty"`
}

// Verified says what Verify looked at.
type Verified struct {
	Log    audit.Verified  `json:"log"`
	Chains []VerifiedChain `json:"chains"`
}

// Verify reads the log of commands and the chains of all servers, and finds whatever was changed, removed, moved, cut off or put in,
// and every gap that nobody has explained. All that is wrong is named; every error about it wraps audit.ErrTampered.
func Verify(ctx context.Context, store lake.Store, known Known) (Verified, error) {
	var out Verified
	var wrong findings
	var err error
	log := audit.Open(store, nil)
	if out.Log, err = log.Verify(ctx, known.Log); errors.Is(err, audit.ErrTampered) {
		wrong = append(wrong, err)
	} else if err != nil {
		return out, err
	}
	servers, strange, err := list(ctx, store)
	if err != nil {
		return out, err
	}
	for _, name := range strange {
		wrong.addf("", "%s is not of them", name)
	}
	// A server has its key before the log says so, and a record only afterwards.
	begun, err := begunIn(ctx, log)
	if err != nil && !errors.Is(err, audit.ErrTampered) { // which is named above
		return out, err
	}
	// A chain of which nothing is left has nothing that could be found wrong.
	named := slices.Concat(slices.Collect(maps.Keys(begun)), slices.Collect(maps.Keys(known.Chains)))
	slices.Sort(named)
	for _, server := range slices.Compact(named) {
		if slices.ContainsFunc(servers, func(l *listed) bool { return l.server == server }) {
			continue
		}
		if _, err := store.Get(ctx, keyObject(server)); errors.Is(err, lake.ErrNotFound) { // not begun just now
			wrong.addf(server, "nothing is left of it")
		} else if err != nil {
			return out, fmt.Errorf("reading the servers' audit chains: %w", err)
		}
	}
	for _, l := range servers {
		v := verifying{store: store, listed: l, wrong: &wrong, explained: known.Explained}
		v.out.Server = l.server
		v.known, v.out.Compared = known.Chains[l.server]
		if err := v.run(ctx, begun[l.server]); err != nil {
			return out, err
		}
		out.Chains = append(out.Chains, v.out)
	}
	return out, errors.Join(wrong...)
}

// begunIn gives the keys with which chains were begun, by server, as the log of commands has them.
func begunIn(ctx context.Context, log *audit.Log) (map[string][]string, error) {
	records, err := log.Records(ctx, audit.Filter{Action: audit.ChainBegun})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, r := range records {
		if key, ok := r.After["key_sha256"].(string); ok {
			server := strings.TrimPrefix(r.Entity, entityOf(""))
			out[server] = append(out[server], key)
		}
	}
	return out, nil
}

// findings are what is wrong.
type findings []error

func (f *findings) addf(server, format string, args ...any) {
	what := "the servers' audit chains are"
	if server != "" {
		what = "the audit chain of server " + server + " is"
	}
	*f = append(*f, fmt.Errorf(what+" %w: "+format, append([]any{audit.ErrTampered}, args...)...))
}

// verifying is one server's chain being verified.
type verifying struct {
	store     lake.Store
	listed    *listed
	known     Seen
	explained []string
	wrong     *findings
	out       VerifiedChain

	// signed are the checkpoints that hold, by number.
	signed map[int64]string
	// next is the number that has to come, previous the hash before it; empty where that is not known.
	next     int64
	previous string
	// closed says that the record before closed the chain.
	closed bool
	// absent are checkpoints that others speak of, missing the first and last numbers of records that are not there.
	absent  []int64
	missing [][2]int64
}

func (v *verifying) addf(format string, args ...any) { v.wrong.addf(v.listed.server, format, args...) }

func (v *verifying) run(ctx context.Context, begun []string) error {
	with, err := v.key(ctx, begun)
	if err != nil {
		return err
	}
	if err := v.checkpoints(ctx, with); err != nil {
		return err
	}
	v.next = 1
	name := func(first int64) string { return segmentName(v.listed.server, first) }
	if err := each(ctx, v.store, v.listed.segments, name, func(first int64, body []byte) error {
		v.segment(first, body)
		return nil
	}); err != nil {
		return err
	}
	v.ending()
	return nil
}

// key reads the key of the chain and finds out whether it is the one that it was begun with; nil where there is none to verify with.
func (v *verifying) key(ctx context.Context, begun []string) (tink.Verifier, error) {
	body, err := v.store.Get(ctx, keyObject(v.listed.server))
	if errors.Is(err, lake.ErrNotFound) {
		v.addf("its key is missing")
		return nil, nil //nolint:nilnil // nothing can be verified with no key, and that is said
	}
	if err != nil {
		return nil, fmt.Errorf("reading the servers' audit chains: %w", err)
	}
	v.previous = sumOf(body)
	var p published
	read := json.Unmarshal(body, &p) == nil
	if !read || p.Server != v.listed.server {
		v.addf("its key was changed")
		return nil, nil //nolint:nilnil // as above
	}
	v.out.Key = Fingerprint(p.Public)
	switch {
	case v.out.Compared && v.known.Key != v.out.Key:
		v.addf("its key is another than this machine has seen")
	case !slices.Contains(begun, v.out.Key) && len(v.listed.segments)+len(v.listed.checkpoints) > 0:
		v.addf("its key is not the one that it was begun with, by the log of commands")
	}
	with := verifierOf(p.Public)
	if with == nil {
		v.addf("its key was changed")
	}
	return with, nil
}

// checkpoints reads the checkpoints and keeps what they say.
func (v *verifying) checkpoints(ctx context.Context, with tink.Verifier) error {
	v.signed = map[int64]string{}
	previous := int64(0)
	name := func(number int64) string { return checkpointName(v.listed.server, number) }
	return each(ctx, v.store, v.listed.checkpoints, name, func(number int64, body []byte) error {
		v.out.Checkpoints++
		before := previous
		previous = number
		if with == nil {
			return nil
		}
		p, err := readCheckpoint(body, with)
		switch {
		case err != nil:
			v.addf("checkpoint %d does not hold: %w", number, err)
			return nil
		case p.Server != v.listed.server || p.Number != number || p.Key != v.out.Key:
			v.addf("checkpoint %d does not hold: it is about another record", number)
			return nil
		case p.Previous > before:
			v.absent = append(v.absent, p.Previous)
		case p.Previous < before:
			v.addf("checkpoint %d was put in", before)
		}
		v.signed[number] = p.Hash
		v.out.Checkpoint = number
		return nil
	})
}

// segment verifies the records of a segment.
func (v *verifying) segment(first int64, body []byte) {
	v.out.Segments++
	lines := linesOf(body)
	if len(lines) == 0 {
		v.addf("the segment from record %d on is empty", first)
		return
	}
	if first < v.next {
		v.addf("the segment from record %d on stands for records that another has as well", first)
	}
	for i, line := range lines {
		number := first + int64(i)
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			v.gap(number, nil)
			v.addf("record %d cannot be read", number)
			v.step(number, "")
			continue
		}
		v.gap(number, &r)
		switch {
		case r.Number != number || r.Chain != v.listed.server || !r.Intact(line):
			v.addf("record %d was changed", number)
		case number == v.next && v.previous != "" && r.Previous != v.previous:
			if number == 1 {
				v.addf("record 1 does not follow from the key")
			} else {
				v.addf("record %d does not follow record %d as it stands", number, number-1)
			}
		}
		if v.closed && r.Action != audit.ChainOpened {
			v.addf("record %d stands where the chain was closed", number)
		}
		v.closed = r.Action == audit.ChainClosed
		if hash, found := v.signed[number]; found && hash != r.Hash {
			v.addf("record %d is another than its checkpoint says", number)
		}
		delete(v.signed, number)
		if v.out.Compared && number == v.known.Tip.Number && r.Hash != v.known.Tip.Hash {
			v.addf("record %d is another than this machine has seen", number)
		}
		v.step(number, r.Hash)
	}
}

// step goes on behind a record.
func (v *verifying) step(number int64, hash string) {
	v.out.Records++
	if number < v.next {
		return
	}
	v.out.Tip = audit.Tip{Number: number, Hash: hash}
	v.next, v.previous = number+1, hash
}

// gap looks at what is missing before a record, which may say itself that something was lost.
func (v *verifying) gap(number int64, r *audit.Record) {
	missing := number - v.next
	state, follows, lost := said(r)
	switch {
	case missing <= 0 && state != stateUnknown:
		return
	case missing <= 0:
		if g := v.found(Gap{Server: v.listed.server, Record: number, Lost: -1, Said: true}); !g.Explained {
			v.addf("the server lost what it knew before record %d: whether records are missing there cannot be said. Find out why, then verify with --explained %s", number, g.Name())
		}
		return
	case state == stateLost && follows == v.next-1 && lost == missing:
		if g := v.found(Gap{Server: v.listed.server, Record: number, Lost: missing, Said: true}); !g.Explained {
			v.addf("%s lost on the server, as it says, before reaching the lake. Find out why, then verify with --explained %s", records(v.next, number-1, "was", "were"), g.Name())
		}
	default:
		if g := v.found(Gap{Server: v.listed.server, Record: number, Lost: missing}); !g.Explained {
			v.addf("%s missing", records(v.next, number-1, "is", "are"))
		}
	}
	v.missing = append(v.missing, [2]int64{v.next, number - 1})
	v.next, v.previous = number, "" // what the record follows is among what is missing
}

func (v *verifying) found(g Gap) Gap {
	g.Explained = slices.Contains(v.explained, g.Name())
	v.out.Gaps = append(v.out.Gaps, g)
	return g
}

// said gives what a server's first record says that it found, nothing for another record.
func said(r *audit.Record) (state string, follows, lost int64) {
	if r == nil || r.Action != audit.ChainOpened {
		return "", 0, 0
	}
	number := func(name string) int64 {
		n, ok := r.After[name].(float64)
		if !ok {
			return 0
		}
		return int64(n)
	}
	state, _ = r.After["state"].(string)
	return state, number("follows"), number("lost")
}

// records names a row of records, with the verb that fits.
func records(first, last int64, one, many string) string {
	if first == last {
		return fmt.Sprintf("record %d %s", first, one)
	}
	return fmt.Sprintf("the records %d to %d %s", first, last, many)
}

// ending looks for what was cut off.
func (v *verifying) ending() {
	end := v.next - 1
	if end == 0 && v.out.Segments == 0 && v.out.Checkpoints == 0 && v.known.Tip.Number == 0 {
		return // begun a moment ago
	}
	for _, number := range slices.Sorted(maps.Keys(v.signed)) {
		if number > end {
			v.addf("it ends before record %d, of which there is a checkpoint", number)
		} else {
			v.addf("record %d, of which there is a checkpoint, is missing", number)
		}
	}
	for _, number := range v.absent {
		// The checkpoint of a record that is missing too goes with it.
		if !slices.ContainsFunc(v.missing, func(m [2]int64) bool { return m[0] <= number && number <= m[1] }) {
			v.addf("checkpoint %d is missing", number)
		}
	}
	if v.known.Tip.Number > end {
		v.addf("it ends before record %d, which this machine has seen", v.known.Tip.Number)
	}
	if v.known.Checkpoint > v.out.Checkpoint {
		v.addf("checkpoint %d, which this machine has seen, is missing", v.known.Checkpoint)
	}
}
