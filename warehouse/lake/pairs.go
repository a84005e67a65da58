package lake

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Pairs gives the pairs of texts that stand in two columns of a table's rows, each once a partition; a null is the empty
// text. Those two columns alone are read, so that who has which payer can be asked of a whole lake after every import. An error
// ends the sequence.
func Pairs[T contract.Row](ctx context.Context, s *Snapshot, table Table[T], first, second string) iter.Seq2[[2]string, error] {
	return func(yield func([2]string, error) bool) {
		for _, o := range s.commit.Datasets[table.name].Objects {
			pairs, err := table.pairsOf(ctx, s.clinic, o, first, second)
			if err != nil {
				yield([2]string{}, err)
				return
			}
			for _, pair := range pairs {
				if !yield(pair, nil) {
					return
				}
			}
		}
	}
}

// pairsOf is the distinct pairs of one object, in order.
func (t Table[T]) pairsOf(ctx context.Context, c *Clinic, o Object, first, second string) (pairs [][2]string, err error) {
	defer recovered(&err)
	if o.isTable() {
		return t.sealedPairsOf(ctx, c, o, first, second)
	}
	f, err := c.openColumns(ctx, o, []string{first, second})
	if err != nil {
		return nil, err
	}
	if err := t.compatible(f.Schema()); err != nil {
		return nil, err
	}
	seen := map[[2]int32]struct{}{}
	var texts [2]numbered
	for _, group := range f.RowGroups() {
		var codes [2][]int32
		for i, name := range []string{first, second} {
			leaf, found := f.Schema().Lookup(name)
			if !found {
				return nil, fmt.Errorf("object %s of clinic %s: %w: it has no column %s", o.Path, c.id, ErrDamaged, name)
			}
			codes[i] = make([]int32, 0, group.NumRows())
			if err := eachValue(group.ColumnChunks()[leaf.ColumnIndex], func(v parquet.Value) {
				codes[i] = append(codes[i], texts[i].number(v))
			}); err != nil {
				return nil, fmt.Errorf("object %s of clinic %s: %w: column %s: %w", o.Path, c.id, ErrDamaged, name, err)
			}
		}
		if len(codes[0]) != len(codes[1]) {
			return nil, fmt.Errorf("object %s of clinic %s: %w: columns %s and %s have %d and %d values",
				o.Path, c.id, ErrDamaged, first, second, len(codes[0]), len(codes[1]))
		}
		for i := range codes[0] {
			seen[[2]int32{codes[0][i], codes[1][i]}] = struct{}{}
		}
	}
	for _, pair := range slices.SortedFunc(maps.Keys(seen), func(a, b [2]int32) int { return slices.Compare(a[:], b[:]) }) {
		pairs = append(pairs, [2]string{texts[0].texts[pair[0]], texts[1].texts[pair[1]]})
	}
	return pairs, nil
}

// sealedPairsOf is pairsOf of an encrypted object.
func (t Table[T]) sealedPairsOf(ctx context.Context, c *Clinic, o Object, first, second string) ([][2]string, error) {
	f, err := c.openStored(ctx, o)
	if err != nil {
		return nil, err
	}
	seen := map[[2]string]struct{}{}
	for record, err := range f.records(ctx, []string{first, second}) {
		if err != nil {
			return nil, fmt.Errorf("clinic %s: %w", c.id, err)
		}
		var texts [2]*array.String
		for i, name := range []string{first, second} {
			var ok bool
			if texts[i], ok = record.Column(record.Schema().FieldIndices(name)[0]).(*array.String); !ok {
				return nil, fmt.Errorf("object %s of clinic %s: column %s holds no text", o.Path, c.id, name)
			}
		}
		for r := range int(record.NumRows()) {
			var pair [2]string
			for i, text := range texts {
				if text.IsValid(r) {
					pair[i] = text.Value(r)
				}
			}
			if _, known := seen[pair]; !known {
				seen[[2]string{strings.Clone(pair[0]), strings.Clone(pair[1])}] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }), nil
}

// numbered gives each text of a column a number, so that a text is made a string once.
type numbered struct {
	numbers map[string]int32
	texts   []string
}

func (n *numbered) number(v parquet.Value) int32 {
	var text []byte
	if !v.IsNull() {
		text = v.ByteArray()
	}
	if number, ok := n.numbers[string(text)]; ok {
		return number
	}
	number := int32(len(n.texts))
	n.texts = append(n.texts, string(text))
	put(&n.numbers, n.texts[number], number)
	return number
}
