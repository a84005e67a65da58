package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// errNoMachineKey says that there is no machine key where one is needed.
var errNoMachineKey = errors.New("there is no machine key")

// machineKey reads the machine key.
func machineKey(path string) (identity.Secret, error) {
	text, err := os.ReadFile(path)
	defer secret.Wipe(text)
	if errors.Is(err, fs.ErrNotExist) {
		return identity.Secret{}, fmt.Errorf("%w at %s. Name it with --config-dir or --key-file, or restore it from your copy", errNoMachineKey, path)
	}
	if err != nil {
		return identity.Secret{}, fmt.Errorf("reading the machine key: %w", err)
	}
	digits := bytes.TrimSpace(text)
	raw := make([]byte, hex.DecodedLen(len(digits)))
	defer secret.Wipe(raw)
	if _, err := hex.Decode(raw, digits); err != nil || len(raw) != KeySize {
		return identity.Secret{}, fmt.Errorf("reading the machine key %s: it must hold %d bytes as %d hexadecimal digits; restore it from your copy, or name another with --key-file", path, KeySize, 2*KeySize)
	}
	key, err := identity.NewSecret(raw)
	if err != nil {
		return identity.Secret{}, err
	}
	return key, checkMode("the machine key", path)
}

// makeMachineKey reads the machine key, or makes one where there is none yet.
func makeMachineKey(path string, random io.Reader) (identity.Secret, error) {
	key, err := machineKey(path)
	if !errors.Is(err, errNoMachineKey) {
		return key, err
	}
	raw := make([]byte, KeySize)
	defer secret.Wipe(raw)
	if _, err := io.ReadFull(random, raw); err != nil {
		return key, fmt.Errorf("making a machine key: %w", err)
	}
	text := append(hex.AppendEncode(nil, raw), '\n')
	defer secret.Wipe(text)
	if err := createFile(path, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return key, fmt.Errorf("keeping the machine key: %w. Choose another place with --config-dir or --key-file", err)
	}
	return machineKey(path) // ours, or that of another process that made it first
}
