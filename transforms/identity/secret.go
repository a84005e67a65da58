package identity

import (
	"fmt"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// KeySize is the length of every key in bytes.
const KeySize = 32

// Secret is a key of KeySize bytes that cannot be printed.
type Secret struct{ secret.Bytes }

// NewSecret copies a key of KeySize bytes.
func NewSecret(key []byte) (Secret, error) {
	if len(key) != KeySize {
		return Secret{}, fmt.Errorf("a key has %d bytes, this one %d", KeySize, len(key))
	}
	return Secret{secret.New(key)}, nil
}
