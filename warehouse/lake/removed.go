package lake

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// removed is what remains of a unit that is known to be gone: enough to tell a later report of it from an older one. Without it, a
// file from before the unit moved and was deleted would bring it back, and only if it came late.
//
// BUG(lake): what is removed is remembered for as long as the lake lives, at some forty bytes a unit, and survives the erasure of a
// patient whose it was: nobody can tell any more (docs/decisions/0020).
type removed struct {
	// Unit is a digest: the pseudonyms that some units are made of do not outlive their rows here.
	Unit [16]byte `parquet:"unit"`
	// Day, Effective, Filled and Digest are those of the version that was newest when it went.
	Day       int32    `parquet:"day"`
	Effective int32    `parquet:"effective"`
	Filled    int32    `parquet:"filled"`
	Digest    [16]byte `parquet:"digest"`
}

var removedSchema = parquet.SchemaOf(removed{})

func unitDigest(unit string) (d [16]byte) {
	sum := sha256.Sum256([]byte(unit))
	copy(d[:], sum[:])
	return d
}

func (r removed) standing() standing {
	return standing{day: r.Day, effective: r.Effective, content: content{filled: r.Filled, digest: r.Digest}}
}

// graveyard is a dataset's removed units, by digest.
type graveyard struct {
	units   map[[16]byte]removed
	changed bool
}

func decodeGraveyard(body []byte) (g graveyard, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return g, err
	}
	rows, err := readParquet[removed](f)
	if err != nil {
		return g, err
	}
	g.units = make(map[[16]byte]removed, len(rows))
	for _, r := range rows {
		g.units[r.Unit] = r
	}
	return g, nil
}

func (g *graveyard) encode() ([]byte, error) {
	rows := make([]removed, 0, len(g.units))
	for _, r := range g.units {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b removed) int { return slices.Compare(a.Unit[:], b.Unit[:]) })
	body, err := writeParquet(removedSchema, rows)
	if err != nil {
		return nil, fmt.Errorf("write what is removed: %w", err)
	}
	return body, nil
}

func (g *graveyard) find(unit string) (standing, bool) {
	if len(g.units) == 0 { // as in most imports: no digest is made
		return standing{}, false
	}
	r, ok := g.units[unitDigest(unit)]
	return r.standing(), ok
}

func (g *graveyard) bury(unit string, s standing) {
	r := removed{Unit: unitDigest(unit), Day: s.day, Effective: s.effective, Filled: s.content.filled, Digest: s.content.digest}
	if was, ok := g.units[r.Unit]; ok && was == r {
		return
	}
	if g.units == nil {
		g.units = map[[16]byte]removed{}
	}
	g.units[r.Unit] = r
	g.changed = true
}

func (g *graveyard) forget(unit string) {
	if len(g.units) == 0 {
		return
	}
	d := unitDigest(unit)
	if _, ok := g.units[d]; ok {
		delete(g.units, d)
		g.changed = true
	}
}
