package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrOtherChain says that a server's audit chain in a lake is another than this vault has seen there: it has another key.
var ErrOtherChain = errors.New("the server's audit chain is another than this vault has seen")

// AuditKeys are what a server keeps its audit chain with.
type AuditKeys struct {
	// Seal encrypts what lies on this machine until it is in the lake.
	Seal tink.AEAD
	// Sign signs checkpoints (Ed25519); Public is its public half, a Tink keyset in JSON that Verifier takes. It is another key
	// than that of certificates, since a server that runs all day has it in memory.
	Sign   tink.Signer
	Public []byte
}

// AuditKeys gives this installation's keys of audit chains. They are made where there are none; the signing key stays.
func (v *Vault) AuditKeys(ctx context.Context) (AuditKeys, error) {
	var keys AuditKeys
	var data []byte
	err := v.change(ctx, func(p *payload) error {
		made := len(p.AuditData) == 0
		if made {
			var err error
			if p.AuditData, err = rotated(nil); err != nil {
				return err
			}
		}
		data = append(data[:0], p.AuditData...)
		if !made {
			return errUnchanged
		}
		return nil
	})
	defer clear(data)
	if err == nil {
		keys.Sign, keys.Public, err = v.signer(ctx, func(p *payload) *[]byte { return &p.AuditSigning })
	}
	if err != nil {
		return keys, fmt.Errorf("opening the keys of the audit chain: %w", err)
	}
	handle, err := readKeyset(data)
	if err != nil {
		return keys, fmt.Errorf("opening the keys of the audit chain: %w", err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return keys, fmt.Errorf("opening the keys of the audit chain: %w", err)
	}
	keys.Seal = bound{primitive, bind("falloff audit chain v1")}
	return keys, nil
}

// SeenChain is what was seen of a server's audit chain in a lake.
type SeenChain struct {
	// Key is the SHA-256 of the public key of its checkpoints.
	Key string `json:"key"`
	// Tip is the newest record, Checkpoint the record that the newest checkpoint is about.
	Tip        Tip   `json:"tip"`
	Checkpoint int64 `json:"checkpoint,omitempty"`
}

// AuditChains gives what was seen of the audit chains in a lake, by server.
func (v *Vault) AuditChains(ctx context.Context, lake string) (map[string]SeenChain, error) {
	var seen map[string]SeenChain
	err := v.readAll(ctx, func(p *payload) error {
		seen = maps.Clone(p.Chains[lake])
		return nil
	})
	return seen, err
}

// SeeAuditChain remembers how far a server's audit chain has come; what is older than is known changes nothing. It gives
// ErrOtherChain where the key is another one.
func (v *Vault) SeeAuditChain(ctx context.Context, lake, server string, seen SeenChain) error {
	return v.change(ctx, func(p *payload) error {
		known, found := p.Chains[lake][server]
		if found && known.Key != seen.Key {
			return fmt.Errorf("%w: %s", ErrOtherChain, server)
		}
		next := known
		next.Key = seen.Key
		if seen.Tip.Number > known.Tip.Number {
			next.Tip = seen.Tip
		}
		next.Checkpoint = max(known.Checkpoint, seen.Checkpoint)
		if found && next == known {
			return errUnchanged
		}
		if p.Chains == nil {
			p.Chains = map[string]map[string]SeenChain{}
		}
		if p.Chains[lake] == nil {
			p.Chains[lake] = map[string]SeenChain{}
		}
		p.Chains[lake][server] = next
		return nil
	})
}

// ReplaceAuditChains remembers these chains of a lake in the place of all that were known: the lake was restored, with chains that
// end earlier than the lost ones did.
func (v *Vault) ReplaceAuditChains(ctx context.Context, lake string, seen map[string]SeenChain) error {
	return v.change(ctx, func(p *payload) error {
		if p.Chains == nil {
			p.Chains = map[string]map[string]SeenChain{}
		}
		p.Chains[lake] = maps.Clone(seen)
		return nil
	})
}
