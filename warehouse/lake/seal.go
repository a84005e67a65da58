package lake

import (
	"errors"
	"fmt"
	"strings"
)

// A Sealer encrypts what a store holds of one dataset, under a key of its own. The name is the object's path in the
// clinic, to be bound to the bytes, so that one object cannot pass for another.
type Sealer interface {
	Seal(plain []byte, name string) (stored []byte, err error)
	Open(stored []byte, name string) (plain []byte, err error)
}

// ErrSealed is returned for an object that is sealed under a key which this reader was not given.
var ErrSealed = errors.New("sealed under a key that is not at hand")

// sealer stands between the plain bytes of an object, which name it, and the bytes that a store holds. Every object passes it,
// both ways, but commits and the rows of an encrypted clinic, which are encrypted as Parquet is.
type sealer interface {
	seal(plain []byte) (stored []byte, err error)
	open(stored []byte) (plain []byte, err error)
	// transparent says that stored bytes are plain ones, so that a part of an object can be read without the rest, and a
	// local object opened where it lies.
	transparent() bool
}

type plain struct{}

func (plain) seal(b []byte) ([]byte, error) { return b, nil }
func (plain) open(b []byte) ([]byte, error) { return b, nil }
func (plain) transparent() bool             { return true }

// bound is a dataset's own sealer, bound to one object.
type bound struct {
	Sealer
	name string
}

func (b bound) seal(plain []byte) ([]byte, error)  { return b.Seal(plain, b.name) }
func (b bound) open(stored []byte) ([]byte, error) { return b.Open(stored, b.name) }
func (b bound) transparent() bool                  { return false }

// keyless stands for the sealer of a dataset whose key is not at hand.
type keyless struct{ name string }

func (k keyless) fail() ([]byte, error)       { return nil, fmt.Errorf("object %s: %w", k.name, ErrSealed) }
func (k keyless) seal([]byte) ([]byte, error) { return k.fail() }
func (k keyless) open([]byte) ([]byte, error) { return k.fail() }
func (k keyless) transparent() bool           { return false }

// writes is the sealer of a new object at that path, and whether it is a dataset's own.
func (c *Clinic) writes(path string) (sealer, bool) {
	if rest, ok := strings.CutPrefix(path, "data/"); ok {
		dataset, _, _ := strings.Cut(rest, "/")
		if own := c.sealed[dataset]; own != nil {
			return bound{own, path}, true
		}
	}
	return c.seal, false
}

// reads is the sealer of an object as a commit names it.
func (c *Clinic) reads(o Object) sealer {
	switch {
	case o.isTable():
		return keyless{o.Path} // its rows are read, never its bytes
	case o.Key != "":
		key, err := c.dataKey(o.Key)
		if err != nil {
			return keyless{o.Path}
		}
		return whole{key, c.about(o.Path)}
	case !o.Sealed:
		return c.seal
	}
	if own, ok := c.writes(o.Path); ok {
		return own
	}
	return keyless{o.Path}
}
