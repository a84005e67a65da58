package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// keptKeys are a clinic's keys that lie apart, in a vault of their own that a passphrase seals: what an export needs to be
// imported again.
type keptKeys struct {
	dir  string
	file string
	fd   int
}

func (k *keptKeys) register(flags *pflag.FlagSet, what string) {
	flags.StringVar(&k.dir, "keys", "", what)
	flags.StringVar(&k.file, "keys-passphrase-file", "", "`file` with the passphrase of --keys, mode 0600 (default: it is asked for)")
	flags.IntVar(&k.fd, "keys-passphrase-fd", noFD, "read the passphrase of --keys from this open file descriptor, a `number`")
}

// check refuses what does not go together.
func (k *keptKeys) check() error {
	switch {
	case k.dir == "" && (k.file != "" || k.fd != noFD):
		return usagef("--keys-passphrase-file and --keys-passphrase-fd go with --keys, the folder of the keys")
	case k.file != "" && k.fd != noFD:
		return usagef("give one of --keys-passphrase-file and --keys-passphrase-fd")
	}
	return nil
}

// open opens the vault of kept keys. For a new one the passphrase is read now, so that nothing has been done if there is none.
func (k *keptKeys) open(ctx context.Context, a *app, fresh bool) (*vault.Vault, error) {
	there := exists(filepath.Join(k.dir, "vault.json"))
	switch {
	case fresh && there:
		return nil, usagef("%s holds keys already: name a folder that is not there yet with --keys", k.dir)
	case !fresh && !there:
		return nil, &pipeline.KeyError{Err: fmt.Errorf("there are no keys in %s: --keys names the folder that falloff export --keys made", k.dir)}
	}
	phrase, err := k.passphrase(ctx, a, fresh)
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, vault.Options{ConfigDir: k.dir, Now: a.now, Unlock: vault.Unlock{
		Kind: vault.ByPassphrase, Passphrase: func(context.Context) (secret.Bytes, error) { return secret.New(phrase.Expose()), nil },
	}})
	if err != nil {
		return nil, keepUsage(err)
	}
	return v, nil
}

func (k *keptKeys) passphrase(ctx context.Context, a *app, fresh bool) (secret.Bytes, error) {
	switch {
	case k.file != "":
		return secretFile("the passphrase of --keys", k.file)
	case k.fd != noFD:
		return secretFD("--keys-passphrase-fd", k.fd)
	}
	terminal, ok := a.terminal()
	if !ok {
		return secret.Bytes{}, usagef("--keys is sealed by a passphrase: give it with --keys-passphrase-file or --keys-passphrase-fd, or at a terminal")
	}
	if fresh {
		return a.askTwice(ctx, terminal, "New passphrase of the keys: ")
	}
	return a.ask(ctx, terminal, "Passphrase of the keys: ")
}
