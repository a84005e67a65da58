package lake

// sealer is where encryption at rest belongs: it stands between the plain bytes of an object, which name it, and the
// bytes that a store holds. Every object but commits passes it, both ways. Until a lake is encrypted it is plain.
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
