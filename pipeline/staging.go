package pipeline

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
)

// A Cipher seals bytes so that nobody without the clinic's key reads or changes them, and binds them to what they are for.
type Cipher interface {
	Encrypt(plain, associated []byte) ([]byte, error)
	Decrypt(sealed, associated []byte) ([]byte, error)
}

// stagedFormat is raised when what is staged changes its form: a program that finds another reads the reports again.
const stagedFormat = 1

// A part is one report on its way to the lake: without identities, and what was done in the portal to get it.
type part struct {
	order extractors.Order
	batch *transforms.Batch
	lines []accessLine
}

// stagedHeader is a part without its rows.
type stagedHeader struct {
	Format int
	Order  extractors.Order
	Batch  transforms.Batch
	// PayerNames may be stored here, sealed and for a night, and nowhere else: names of insurers with few patients do not land.
	PayerNames map[string]string
	Lines      []accessLine
	// Sections are the rows that follow, by kind, as the lake encodes them.
	Sections []stagedRows
}

type stagedRows struct {
	Dataset string
	Bytes   int
}

// associated binds a staged part to its place.
func associated(clinic, run string, number int) []byte {
	return fmt.Appendf(nil, "falloff staging v%d %s %s %d", stagedFormat, clinic, run, number)
}

// encode is the stored form of a part, before it is sealed.
func (p part) encode() ([]byte, error) {
	header := stagedHeader{Format: stagedFormat, Order: p.order, Batch: *p.batch, PayerNames: p.batch.PayerNames, Lines: p.lines}
	var bodies [][]byte
	for _, l := range sections {
		body, err := l.encode(p.batch)
		if err != nil {
			return nil, err
		}
		// The rows go as the lake has them, compressed, not with the header.
		l.clear(&header.Batch)
		if body != nil {
			header.Sections = append(header.Sections, stagedRows{l.name(), len(body)})
			bodies = append(bodies, body)
		}
	}
	var head bytes.Buffer
	if err := gob.NewEncoder(&head).Encode(header); err != nil {
		return nil, fmt.Errorf("staging %s: %w", p.order.ID(), err)
	}
	out := binary.AppendUvarint(nil, uint64(head.Len()))
	return append(append(out, head.Bytes()...), bytes.Join(bodies, nil)...), nil
}

// decodePart is the inverse.
func decodePart(body []byte) (part, error) {
	broken := errors.New("it is not a report as this program stages them")
	length, n := binary.Uvarint(body)
	if n <= 0 || length > uint64(len(body)-n) {
		return part{}, broken
	}
	var header stagedHeader
	if err := gob.NewDecoder(bytes.NewReader(body[n : n+int(length)])).Decode(&header); err != nil || header.Format != stagedFormat {
		return part{}, broken
	}
	rest := body[n+int(length):]
	batch := header.Batch
	batch.PayerNames = header.PayerNames
	for _, section := range header.Sections {
		if section.Bytes < 0 || section.Bytes > len(rest) {
			return part{}, broken
		}
		found := false
		for _, l := range sections {
			if l.name() == section.Dataset {
				found = true
				if err := l.decode(&batch, rest[:section.Bytes]); err != nil {
					return part{}, err
				}
			}
		}
		if !found {
			return part{}, broken
		}
		rest = rest[section.Bytes:]
	}
	return part{order: header.Order, batch: &batch, lines: header.Lines}, nil
}
