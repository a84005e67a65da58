package lake

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// canonical digests rows into a form that says what they are and nothing of how a file holds them: it is the same whatever
// the row groups, the encodings, the compression and the library. An encrypted object's name is a keyed hash of it, since
// its bytes are never the same twice.
type canonical struct {
	schema  string
	rows    int64
	columns []canonicalColumn
}

// canonicalColumn digests a column in separate streams, so that no stream depends on where one record ends and the next
// begins: which rows have a value, how long the texts are, and the values themselves.
type canonicalColumn struct {
	valid, lengths, values hash.Hash
	scratch                []byte
}

// canonicalType names the types that rows and marts have.
func canonicalType(t arrow.DataType) (string, error) {
	switch t := t.(type) {
	case *arrow.StringType:
		return "text", nil
	case *arrow.BooleanType:
		return "bool", nil
	case *arrow.Int32Type:
		return "int32", nil
	case *arrow.Int64Type:
		return "int64", nil
	case *arrow.Float64Type:
		return "double", nil
	case *arrow.Date32Type:
		return "day", nil
	case *arrow.TimestampType:
		if t.Unit == arrow.Microsecond && t.TimeZone == "UTC" {
			return "instant", nil
		}
	}
	return "", fmt.Errorf("values of type %v cannot be stored encrypted", t)
}

// schemaText says columns, in order, with their types.
func schemaText(s *arrow.Schema) (string, error) {
	var out strings.Builder
	for _, f := range s.Fields() {
		kind, err := canonicalType(f.Type)
		if err != nil {
			return "", fmt.Errorf("column %s: %w", f.Name, err)
		}
		fmt.Fprintf(&out, "%d %s %s", len(f.Name), f.Name, kind)
		if f.Nullable {
			out.WriteString(" null")
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// schemaTextHash is schemaHash of an encrypted object.
func schemaTextHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func newCanonical(s *arrow.Schema) (*canonical, error) {
	text, err := schemaText(s)
	if err != nil {
		return nil, err
	}
	c := &canonical{schema: text, columns: make([]canonicalColumn, s.NumFields())}
	for i := range c.columns {
		c.columns[i] = canonicalColumn{valid: sha256.New(), lengths: sha256.New(), values: sha256.New()}
	}
	return c, nil
}

// add digests further rows.
func (c *canonical) add(record arrow.RecordBatch) error {
	c.rows += record.NumRows()
	for i := range c.columns {
		if err := c.columns[i].add(record.Column(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *canonicalColumn) add(values arrow.Array) error {
	n := values.Len()
	if n == 0 {
		return nil
	}
	c.scratch = c.scratch[:0]
	for i := range n {
		valid := byte(0)
		if values.IsValid(i) {
			valid = 1
		}
		c.scratch = append(c.scratch, valid)
	}
	c.valid.Write(c.scratch)
	if text, ok := values.(*array.String); ok {
		c.addTexts(text)
		return nil
	}
	switch v := values.(type) {
	case *array.Int64:
		c.addFixed(v, arrow.Int64Traits.CastToBytes(v.Int64Values()))
	case *array.Timestamp:
		c.addFixed(v, arrow.TimestampTraits.CastToBytes(v.TimestampValues()))
	case *array.Float64:
		c.addFixed(v, arrow.Float64Traits.CastToBytes(v.Float64Values()))
	case *array.Int32:
		c.addFixed(v, arrow.Int32Traits.CastToBytes(v.Int32Values()))
	case *array.Date32:
		c.addFixed(v, arrow.Date32Traits.CastToBytes(v.Date32Values()))
	case *array.Boolean:
		c.scratch = c.scratch[:0]
		for i := range n {
			switch {
			case v.IsNull(i):
			case v.Value(i):
				c.scratch = append(c.scratch, 1)
			default:
				c.scratch = append(c.scratch, 0)
			}
		}
		c.values.Write(c.scratch)
	default:
		return fmt.Errorf("a column of %v", values.DataType())
	}
	return nil
}

// addFixed digests the values that are there, as they lie: little-endian on every machine that DuckDB is built for.
func (c *canonicalColumn) addFixed(values arrow.Array, lying []byte) {
	if values.NullN() == 0 {
		c.values.Write(lying)
		return
	}
	width := len(lying) / values.Len()
	c.scratch = c.scratch[:0]
	for i := range values.Len() {
		if values.IsValid(i) {
			c.scratch = append(c.scratch, lying[i*width:(i+1)*width]...)
		}
	}
	c.values.Write(c.scratch)
}

func (c *canonicalColumn) addTexts(texts *array.String) {
	c.scratch = c.scratch[:0]
	holes := false
	for i := range texts.Len() {
		if texts.IsNull(i) {
			holes = holes || texts.ValueLen(i) > 0
			continue
		}
		c.scratch = binary.LittleEndian.AppendUint32(c.scratch, uint32(texts.ValueLen(i)))
	}
	c.lengths.Write(c.scratch)
	if !holes {
		c.values.Write(texts.ValueBytes())
		return
	}
	for i := range texts.Len() {
		if texts.IsValid(i) {
			c.values.Write([]byte(texts.Value(i)))
		}
	}
}

// form is the digest of everything that was added.
func (c *canonical) form() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d\n%s%d\n", len(c.columns), c.schema, c.rows)
	for _, column := range c.columns {
		for _, h := range []hash.Hash{column.valid, column.lengths, column.values} {
			out.Write(h.Sum(nil))
		}
	}
	return out.Bytes()
}
