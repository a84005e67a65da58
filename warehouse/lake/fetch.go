package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// parallel is how many objects are read or written at once: enough to hide the way to S3, few enough to hold in memory.
const parallel = 8

// stored is an object as it lies, with its bytes, verified against what the commit says of them where it says so.
func (c *Clinic) stored(ctx context.Context, o Object) (Object, []byte, error) {
	if stored := c.cached(o); stored != nil {
		return o, stored, nil
	}
	o, stored, err := c.lying(ctx, o)
	if err != nil {
		return o, nil, err
	}
	if o.Key != "" && !o.erased && sumOf(stored) != o.Sum {
		return o, nil, fmt.Errorf("object %s of clinic %s is %w: its bytes are not those that the commit speaks of", o.Path, c.id, ErrDamaged)
	}
	return o, stored, nil
}

// takeUp makes of an encrypted object that was there already, written by a run that did not commit it, what a commit says of it:
// it holds the right content, and other bytes than those that were about to be written.
func (c *Clinic) takeUp(ctx context.Context, o Object) (Object, []byte, error) {
	stored, err := c.awaited(ctx, c.name(o.Path), true)
	if err != nil {
		return Object{}, nil, err
	}
	o.Sum = sumOf(stored)
	if !o.isTable() {
		_, err = c.fetch(ctx, o)
		return o, stored, err
	}
	o.Bytes = int64(len(stored))
	_, err = c.describeSealed(ctx, o)
	return o, stored, err
}

// fetchFile is an object as a file that others open: its plain bytes, or encrypted ones where its rows are encrypted. It is
// verified.
func (c *Clinic) fetchFile(ctx context.Context, o Object) ([]byte, error) {
	if !o.isTable() {
		return c.fetch(ctx, o)
	}
	o, stored, err := c.stored(ctx, o)
	if err != nil {
		return nil, err
	}
	if _, err = c.openSealed(o, bytes.NewReader(stored)); err != nil {
		return nil, err
	}
	c.keep(o, stored)
	return stored, nil
}

// fetch is an object's plain bytes, verified against its name where the naming key is known. Encrypted rows have none.
func (c *Clinic) fetch(ctx context.Context, o Object) ([]byte, error) {
	_, body, err := c.fetchLying(ctx, o)
	return body, err
}

// fetchLying is fetch, with the object as it lies.
func (c *Clinic) fetchLying(ctx context.Context, o Object) (Object, []byte, error) {
	o, stored, err := c.stored(ctx, o)
	if err != nil {
		return o, nil, err
	}
	body, err := c.reads(o).open(stored)
	if err != nil {
		return o, nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	if err := c.verify(o, body); err != nil {
		return o, body, err
	}
	c.keep(o, stored)
	return o, body, nil
}

// wholeBelow is the size up to which an object is fetched in one request rather than in parts.
const wholeBelow = 256 << 10

// tail is read first of an object fetched in parts: it mostly holds the whole footer.
const tail = 64 << 10

// openColumns opens an object of which only some columns are wanted.
func (c *Clinic) openColumns(ctx context.Context, o Object, columns []string) (*parquet.File, error) {
	whole := func() (*parquet.File, error) {
		body, err := c.fetch(ctx, o)
		if err != nil {
			return nil, err
		}
		return openParquet(bytes.NewReader(body), int64(len(body)))
	}
	if o.Bytes <= wholeBelow || !c.reads(o).transparent() {
		return whole()
	}
	p := &parts{body: map[int64][]byte{}, get: func(offset, length int64) ([]byte, error) {
		return c.store.GetRange(ctx, c.name(o.Path), offset, length)
	}}
	if err := p.load(o.Bytes-tail, tail); errors.Is(err, ErrNotFound) {
		return whole() // another may have taken its place, of another size
	} else if err != nil {
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
