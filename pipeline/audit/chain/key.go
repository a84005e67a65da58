package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// published is key.json: the key with which a server signs its checkpoints.
type published struct {
	Server string    `json:"server"`
	At     time.Time `json:"at"`
	// Public is a Tink keyset in JSON.
	Public json.RawMessage `json:"public"`
}

// Fingerprint is how a public key is named: its SHA-256.
func Fingerprint(public []byte) string { return sumOf(compact(public)) }

// compact is JSON without the spaces that differ from writer to writer.
func compact(body []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, body) != nil {
		return body
	}
	return out.Bytes()
}

// claim takes the server's name for its key, or finds that it has it already. It gives the stored object.
func (c *Chain) claim(ctx context.Context) ([]byte, error) {
	name := keyObject(c.o.Server)
	mine, err := json.Marshal(published{Server: c.o.Server, At: c.stamp(), Public: compact(c.o.Public)})
	if err != nil {
		return nil, err
	}
	mine = append(mine, '\n')
	err = c.o.Store.Create(ctx, name, mine)
	if err == nil {
		return mine, nil
	}
	if !errors.Is(err, lake.ErrExists) {
		return nil, err
	}
	body, err := c.o.Store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	var there published
	if json.Unmarshal(body, &there) != nil || there.Server != c.o.Server || Fingerprint(there.Public) != c.key {
		return nil, fmt.Errorf("%w: the server name %s belongs to a chain with another key. Choose another name, or use the vault with which it was begun", ErrTaken, c.o.Server)
	}
	return body, nil
}

// begin records in the log of commands that the chain was begun; before says that this was done already. It is called as long as the
// chain has no record.
func (c *Chain) begin(ctx context.Context) (before bool, err error) {
	log := audit.Open(c.o.Store, c.o.Now)
	entity := entityOf(c.o.Server)
	known, err := log.Records(ctx, audit.Filter{Action: audit.ChainBegun, Entity: entity})
	if err != nil {
		return false, err
	}
	for _, r := range known {
		if r.After["key_sha256"] == c.key {
			return true, nil
		}
	}
	_, err = log.Append(ctx, audit.Entry{
		Person: c.person(), Address: here, Action: audit.ChainBegun, Entity: entity, After: audit.Fields{"key_sha256": c.key},
	})
	return false, err
}

// here is the address of what the server does by itself.
const here = "local"

func entityOf(server string) string { return "server/" + server }

func (c *Chain) person() string { return audit.ServicePrefix + "server-" + c.o.Server }

// checkpoint says, signed, which record has a number.
type checkpoint struct {
	Server string    `json:"server"`
	Number int64     `json:"number"`
	Hash   string    `json:"hash"`
	At     time.Time `json:"at"`
	// Previous is the number of the checkpoint before, 0 for the first.
	Previous int64 `json:"previous"`
	// Key names the key that signed it.
	Key       string `json:"key"`
	Signature []byte `json:"signature,omitempty"`
}

const signed = "falloff audit checkpoint v1\n"

// sign gives the stored form.
func (p checkpoint) sign(with tink.Signer) ([]byte, error) {
	p.Signature = nil
	body, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if p.Signature, err = with.Sign(append([]byte(signed), body...)); err != nil {
		return nil, err
	}
	body, err = json.Marshal(p)
	return append(body, '\n'), err
}

// readCheckpoint parses a stored checkpoint and checks its signature; nothing of one that is not exactly as it was signed is given.
func readCheckpoint(body []byte, with tink.Verifier) (checkpoint, error) {
	var p checkpoint
	if err := json.Unmarshal(body, &p); err != nil {
		return checkpoint{}, errors.New("it cannot be read")
	}
	signature := p.Signature
	whole, err := json.Marshal(p)
	p.Signature = nil
	bare, bareErr := json.Marshal(p)
	if err != nil || bareErr != nil || !bytes.Equal(append(whole, '\n'), body) {
		return checkpoint{}, errors.New("it was changed")
	}
	if with.Verify(signature, append([]byte(signed), bare...)) != nil {
		return checkpoint{}, errors.New("its signature is not that of the server's key")
	}
	return p, nil
}

// verifierOf opens the key of a chain; nil where it is none.
func verifierOf(public []byte) tink.Verifier {
	with, err := vault.Verifier(public)
	if err != nil {
		return nil
	}
	return with
}
