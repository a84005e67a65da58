package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ServerName is the name that this machine's server has in the audit log where nobody names it: that of the machine.
func ServerName() string {
	host, err := os.Hostname()
	if err != nil {
		return "server"
	}
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(host), "-"), "-")
	if len(name) > 60 {
		name = strings.Trim(name[:60], "-")
	}
	if chain.CheckServer(name) != nil {
		return "server"
	}
	return name
}

// OpenAuditChain takes up the audit chain of a server of this machine, or begins it, with the keys of the vault. What is not in the
// lake yet waits beside the vault, in audit-waiting; the mark, which tells when some of that is lost, lies in audit-marks. Both may
// be links to folders of other disks. The vault remembers every checkpoint. Close it.
func OpenAuditChain(ctx context.Context, o SiteOptions, v *vault.Vault, store lake.Store, server string, log *slog.Logger) (*chain.Chain, error) {
	keys, err := v.AuditKeys(ctx)
	if err != nil {
		return nil, keyed(err)
	}
	beside := filepath.Dir(v.Paths().Vault)
	at := audit.Sum(store.String())[:16] // servers of two lakes may have one name
	c, err := chain.Open(ctx, chain.Options{
		Store: store, Server: server, Dir: filepath.Join(beside, "audit-waiting", at), Mark: filepath.Join(beside, "audit-marks", at, server),
		Seal: keys.Seal, Sign: keys.Sign, Public: keys.Public, Now: o.Now, Log: log,
		Remember: func(ctx context.Context, server string, seen chain.Seen) error {
			return SeeAuditChain(ctx, v, store, server, seen)
		},
	})
	if _, unreachable := errors.AsType[*lake.StoreError](err); unreachable {
		return nil, storage("opening the audit chain", err)
	}
	return c, keyed(err)
}

// SeeAuditChain has a vault remember how far a server's chain has come.
func SeeAuditChain(ctx context.Context, v *vault.Vault, store lake.Store, server string, seen chain.Seen) error {
	return keyed(v.SeeAuditChain(ctx, store.String(), server, vault.SeenChain{Key: seen.Key, Tip: vault.Tip(seen.Tip), Checkpoint: seen.Checkpoint}))
}

// KnownAudit is what a vault remembers of what was recorded in a lake.
func KnownAudit(ctx context.Context, v *vault.Vault, store lake.Store) (chain.Known, error) {
	tip, err := v.AuditTip(ctx, store.String())
	if err != nil {
		return chain.Known{}, keyed(err)
	}
	seen, err := v.AuditChains(ctx, store.String())
	if err != nil {
		return chain.Known{}, keyed(err)
	}
	known := chain.Known{Log: audit.Tip(tip), Chains: map[string]chain.Seen{}}
	for server, s := range seen {
		known.Chains[server] = chain.Seen{Key: s.Key, Tip: audit.Tip(s.Tip), Checkpoint: s.Checkpoint}
	}
	return known, nil
}

// ReplaceKnownAudit has a vault forget what it remembers of a lake, and remember what is there now: the lake was restored.
func ReplaceKnownAudit(ctx context.Context, v *vault.Vault, store lake.Store, tip audit.Tip) error {
	if err := v.ReplaceAuditTip(ctx, store.String(), vault.Tip(tip)); err != nil {
		return keyed(err)
	}
	there, err := chain.Verify(ctx, store, chain.Known{})
	if err != nil && !errors.Is(err, audit.ErrTampered) { // which falloff audit verify says
		return storage("reading the audit chains", err)
	}
	seen := map[string]vault.SeenChain{}
	for _, c := range there.Chains {
		seen[c.Server] = vault.SeenChain{Key: c.Key, Tip: vault.Tip(c.Tip), Checkpoint: c.Checkpoint}
	}
	return keyed(v.ReplaceAuditChains(ctx, store.String(), seen))
}
