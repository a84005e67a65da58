package lake

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// parallel is how many objects are read or written at once: enough to hide the way to S3, few enough to hold in memory.
const parallel = 8

// fetch is an object's plain bytes, verified against its name where the naming key is known.
func (c *Clinic) fetch(ctx context.Context, o Object) ([]byte, error) {
	stored, err := c.store.Get(ctx, c.name(o.Path))
	if err != nil {
		return nil, err
	}
	body, err := c.reads(o).open(stored)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	return body, c.verify(o, body)
}

// wholeBelow is the size up to which an object is fetched in one request rather than in parts.
const wholeBelow = 256 << 10

// tail is read first of an object fetched in parts: it mostly holds the whole footer.
const tail = 64 << 10

// openColumns opens an object of which only some columns are wanted.
func (c *Clinic) openColumns(ctx context.Context, o Object, columns []string) (*parquet.File, error) {
	if o.Bytes <= wholeBelow || !c.reads(o).transparent() {
		body, err := c.fetch(ctx, o)
		if err != nil {
			return nil, err
		}
		return openParquet(bytes.NewReader(body), int64(len(body)))
	}
	p := &parts{body: map[int64][]byte{}, get: func(offset, length int64) ([]byte, error) {
		return c.store.GetRange(ctx, c.name(o.Path), offset, length)
	}}
	if err := p.load(o.Bytes-tail, tail); err != nil {
		return nil, err
	}
	f, err := openParquet(p, o.Bytes)
	if err != nil {
		return nil, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
	}
	if err := p.loadColumns(f, o.Bytes, columns); err != nil {
		return nil, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
	}
	return f, nil
}

// parts is an io.ReaderAt over those parts of an object that were loaded, by offset; others it gets when asked.
type parts struct {
	body map[int64][]byte
	get  func(offset, length int64) ([]byte, error)
}

func (p *parts) load(offset, length int64) error {
	b, err := p.get(offset, length)
	if err != nil {
		return err
	}
	p.body[offset] = b
	return nil
}

// loadColumns gets the chunks of some columns, those that touch in one request.
func (p *parts) loadColumns(f *parquet.File, size int64, columns []string) error {
	type stretch struct{ from, to int64 }
	var wanted []stretch
	for _, group := range f.Metadata().RowGroups {
		for _, name := range columns {
			leaf, found := f.Schema().Lookup(name)
			if !found || leaf.ColumnIndex >= len(group.Columns) {
				return fmt.Errorf("%w: it has no column %s", ErrDamaged, name)
			}
			m := group.Columns[leaf.ColumnIndex].MetaData
			from := m.DataPageOffset
			if m.DictionaryPageOffset > 0 {
				from = min(from, m.DictionaryPageOffset)
			}
			to := from + m.TotalCompressedSize
			if from < 0 || to < from || to > size {
				return fmt.Errorf("%w: column %s is said to lie from %d to %d of %d bytes", ErrDamaged, name, from, to, size)
			}
			wanted = append(wanted, stretch{from, to})
		}
	}
	slices.SortFunc(wanted, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for i := 0; i < len(wanted); {
		s := wanted[i]
		for i++; i < len(wanted) && wanted[i].from <= s.to; i++ {
			s.to = max(s.to, wanted[i].to)
		}
		if err := p.load(s.from, s.to-s.from); err != nil {
			return err
		}
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (p *parts) ReadAt(b []byte, offset int64) (int, error) {
	for from, body := range p.body {
		if offset >= from && offset+int64(len(b)) <= from+int64(len(body)) {
			return copy(b, body[offset-from:]), nil
		}
	}
	got, err := p.get(offset, int64(len(b)))
	return copy(b, got), err
}
