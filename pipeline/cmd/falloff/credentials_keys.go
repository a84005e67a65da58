package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// newSeal is what a vault is to be sealed by from now on.
type newSeal struct {
	to             string
	passphraseFD   int
	passphraseFile string
	kmsKey         string
}

func (n *newSeal) register(flags *pflag.FlagSet) {
	flags.StringVar(&n.to, "to", "", "seal the vault by `what`: passphrase, kms or key-file (default: as it is)")
	flags.IntVar(&n.passphraseFD, "new-passphrase-fd", noFD, "read the new passphrase from this open file descriptor, a `number`")
	flags.StringVar(&n.passphraseFile, "new-passphrase-file", "", "`file` with the new passphrase, mode 0600")
	flags.StringVar(&n.kmsKey, "new-kms-key", "", "`ARN` of the AWS KMS key to seal it by")
}

// unlock says what the vault is to be sealed by, and unlocked with from then on.
func (a *app) newUnlock(n newSeal, now vault.Unlock, kind vault.Kind) (vault.Unlock, error) {
	byPassphrase := n.passphraseFD != noFD || n.passphraseFile != ""
	switch n.to {
	case "":
		switch {
		case byPassphrase:
			n.to = "passphrase"
		case n.kmsKey != "":
			n.to = "kms"
		default:
			now.Kind = kind
			return now, nil
		}
	case "passphrase", "kms", "key-file":
	default:
		return vault.Unlock{}, usagef("--to %q is not known: use passphrase, kms or key-file", n.to)
	}
	switch {
	case byPassphrase && n.to != "passphrase" || n.kmsKey != "" && n.to != "kms" || n.passphraseFD != noFD && n.passphraseFile != "":
		return vault.Unlock{}, usagef("one thing seals a vault: give one of --new-passphrase-fd, --new-passphrase-file and --new-kms-key, and the --to that fits")
	case n.to == "kms" && n.kmsKey == "" && now.KMSKey == "":
		return vault.Unlock{}, usagef("--to kms needs a key: name its ARN with --new-kms-key")
	case n.to == "kms":
		return vault.Unlock{Kind: vault.ByKMS, KMSKey: firstOf(n.kmsKey, now.KMSKey)}, nil
	case n.to == "key-file":
		return vault.Unlock{Kind: vault.ByKeyFile}, nil
	case n.passphraseFD != noFD:
		return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: func(context.Context) (secret.Bytes, error) {
			return secretFD("--new-passphrase-fd", n.passphraseFD)
		}}, nil
	case n.passphraseFile != "":
		return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: func(context.Context) (secret.Bytes, error) {
			return secretFile("the new passphrase", n.passphraseFile)
		}}, nil
	}
	terminal, ok := a.terminal()
	if !ok {
		return vault.Unlock{}, usagef("--to passphrase needs one: give it with --new-passphrase-file or --new-passphrase-fd, or at a terminal")
	}
	return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: func(ctx context.Context) (secret.Bytes, error) {
		return a.askTwice(ctx, terminal, "New passphrase of the vault: ")
	}}, nil
}

// askTwice asks for a new passphrase: one that was mistyped would lock everybody out.
func (a *app) askTwice(ctx context.Context, terminal int, question string) (secret.Bytes, error) {
	first, err := a.ask(ctx, terminal, question)
	if err != nil {
		return first, err
	}
	second, err := a.ask(ctx, terminal, "Once more: ")
	if err != nil {
		return second, err
	}
	defer second.Wipe()
	if !first.Equal(second) {
		return first, usagef("the two are not the same: nothing was changed")
	}
	return first, nil
}

func (a *app) credentialsRotateCommand() *cobra.Command {
	var to newSeal
	var dropOld bool
	cmd := &cobra.Command{
		Use:   "rotate --lake DIR --clinic NAME [--to passphrase|kms|key-file]",
		Short: "give the vault new keys, and a new seal if wished",
		Example: `  falloff credentials rotate --lake lake --clinic harbour-street --to passphrase
  falloff credentials rotate --lake lake --clinic harbour-street --passphrase-file old --new-passphrase-file new`,
		Args: cobra.NoArgs,
		Long: `Seals the vault under a new master key: by what it is sealed by now, or by what --to says. Every clinic in it gets a new
key for what is stored on this machine between runs. What is stored under the older ones can still be read, until --drop-old
takes them away: then the browser's profile and staged rows are made anew. Pseudonyms stay (see rekey).

A vault that opened with an old passphrase or key still does in the copies that were made of it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			before, err := k.vault.Kind()
			if err != nil {
				return &pipeline.KeyError{Err: err}
			}
			next, err := a.newUnlock(to, k.options.Unlock, before)
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.VaultRotated, "vault", audit.Fields{"sealed_by": string(before)},
				audit.Fields{"sealed_by": string(next.Kind), "old_keys_dropped": dropOld}); err != nil {
				return err
			}
			if err := k.vault.Rotate(ctx, next, dropOld); err != nil {
				return keepUsage(err)
			}
			paths := k.vault.Paths()
			a.tellf("The vault %s has new keys, and is sealed by %s.", paths.Vault, next.Kind.String())
			if before == vault.ByKeyFile && next.Kind != vault.ByKeyFile && exists(paths.KeyFile) {
				a.tellf("%s opens nothing of it any more, but what is left of its copies: delete it when no other vault needs it.", paths.KeyFile)
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	to.register(cmd.Flags())
	cmd.Flags().BoolVar(&dropOld, "drop-old", false, "destroy the older keys of what is stored on this machine")
	return cmd
}

func (a *app) credentialsRekeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rekey --lake DIR --clinic NAME",
		Short: "give a clinic a new pseudonym key, and rewrite its lake",
		Args:  cobra.NoArgs,
		Long: `Gives the clinic a new key for its pseudonyms, rewrites every stored row in one commit, checks it, and builds the models
anew. Pseudonyms that somebody noted before then lead nowhere. Reports that come in later get the new ones.

Ended at any point it can be run again, and finishes. Other writers of this clinic are refused until they start anew. Earlier
commits stay in the lake, with the earlier pseudonyms in them. Of rows that were deleted and whose key holds a pseudonym (claims,
policies, and shifts), it is forgotten that they were: an old file that is imported later may bring one back.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			if site.Origin == pipeline.KeysFinished {
				if err := k.record(ctx, audit.RekeyEnded, "keys", nil, audit.Fields{"version": site.Keys.Version}); err != nil {
					return err
				}
				a.tellOrigin(site)
				return a.buildAfterRekey(ctx, site, nil)
			}
			was := audit.Fields{"version": site.Keys.Version}
			if err := k.record(ctx, audit.RekeyStarted, "keys", was, audit.Fields{"version": site.Keys.Version + 1}); err != nil {
				return err
			}
			progress, stop := a.progress()
			done, err := site.Rekey(ctx, progress)
			stop()
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.RekeyEnded, "keys", was,
				audit.Fields{"version": done.Version, "commit": done.Commit, "pseudonyms": done.Pseudonyms}); err != nil {
				return err
			}
			for dataset, n := range done.Forgotten {
				a.tellf("%s: %d removed rows are not remembered any more; an old file may bring them back", dataset, n)
			}
			return a.buildAfterRekey(ctx, site, done)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}

// buildAfterRekey makes the marts, which a rekey drops.
func (a *app) buildAfterRekey(ctx context.Context, site *pipeline.Site, done *pipeline.Rekeyed) error {
	if done == nil || done.Commit > 0 {
		progress, stop := a.progress()
		_, err := site.Build(ctx, pipeline.BuildOptions{Progress: progress})
		stop()
		if err != nil {
			return fmt.Errorf("the rekey is done, but building the models is not: run falloff build. %w", err)
		}
		a.follow(ctx, site)
	}
	if a.json && done != nil {
		return json.NewEncoder(a.stdout).Encode(done)
	}
	return nil
}

// keepUsage makes a KeyError of what the vault says, unless a person typed something wrong.
func keepUsage(err error) error {
	if code := exitCode(err); code == exitUsage || code == exitInterrupted {
		return err
	}
	return &pipeline.KeyError{Err: err}
}
