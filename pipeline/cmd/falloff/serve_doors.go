package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// doorOptions say who is let in, and where it is written down.
type doorOptions struct {
	policy, server string
	grafana        string
	organisation   int
	secondFactorBy []string
	oidc           []string
	noSQL          bool
}

func (o *doorOptions) register(cmd *cobra.Command) {
	policyFlag(cmd, &o.policy)
	flags := cmd.Flags()
	flags.StringVar(&o.server, "server-name", "", "`name` of this server in the audit log (default that of the machine)")
	flags.StringVar(&o.grafana, "grafana", "", "`address` of a Grafana whose forwarded ID tokens count")
	flags.IntVar(&o.organisation, "grafana-organisation", 1, "`number` of the Grafana organisation whose users count")
	flags.StringSliceVar(&o.secondFactorBy, "grafana-second-factor-by", nil, "`ways` of signing in to Grafana that enforce a second factor, such as oauth_azuread")
	flags.StringSliceVar(&o.oidc, "oidc", nil, "`ISSUER=AUDIENCE` of an OIDC issuer whose access tokens count; may be said several times")
	flags.BoolVar(&o.noSQL, "no-sql", false, "answer no SQL of analysts")
}

// doors are what stands between a request and the lake.
type doors struct {
	verifier *identity.Verifier
	policy   *policyFile
	chain    *chain.Chain
	pool     *sandbox.Pool
	sql      server.SQL
	audit    *pipeline.ServerAuditLog
	support  *pipeline.ServerSupport
	// watch ends what looks after support access, watching is done when it has.
	watch    context.CancelFunc
	watching sync.WaitGroup
}

// now is the access policy of the moment, with the support access that is granted.
func (d *doors) now() *access.Policy {
	policy := d.policy.current()
	with, err := policy.WithSupport(d.support.Active()...)
	if err != nil { // each was checked when it was granted
		return policy
	}
	return with
}

func (a *app) openDoors(ctx context.Context, site pipeline.SiteOptions, snapshots *pipeline.Snapshots, o doorOptions, log *slog.Logger) (_ *doors, err error) {
	policy, path, err := a.policy(o.policy)
	if err != nil {
		return nil, err
	}
	d := &doors{policy: &policyFile{path: path, policy: policy, now: time.Now, log: log}}
	d.policy.seen, _ = os.Stat(path) // a file that is gone by now is found missing at the next look
	if d.verifier, err = a.verifier(o); err != nil {
		return nil, err
	}
	v, err := pipeline.OpenVault(ctx, site)
	if err != nil {
		return nil, err
	}
	store, err := a.openStore(ctx, site)
	if err != nil {
		return nil, err
	}
	if d.chain, err = pipeline.OpenAuditChain(ctx, site, v, store, firstOf(o.server, pipeline.ServerName()), log); err != nil {
		return nil, err
	}
	d.audit = pipeline.NewServerAuditLog(store, d.chain)
	d.support = pipeline.NewServerSupport(snapshots, d.audit, a.now, log)
	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.watch = stop
	d.watching.Go(func() { d.support.Watch(watched) })
	if o.noSQL {
		return d, nil
	}
	program, err := os.Executable()
	if err == nil {
		d.pool, err = sandbox.NewPool(sandbox.Options{Command: []string{program, "sandbox-worker"}, Log: log})
	}
	if err != nil {
		return nil, errors.Join(err, d.close(context.WithoutCancel(ctx)))
	}
	d.sql = pipeline.SnapshotSQL{Snapshots: snapshots, Pool: d.pool}
	return d, nil
}

// identify finds out whom a request speaks for: whom a signature names, or on this machine a mock user of a policy that has some.
func (d *doors) identify(listens net.Addr) func(context.Context, *http.Request) (access.Principal, error) {
	return func(ctx context.Context, r *http.Request) (access.Principal, error) {
		who, named, err := identity.Mock(r, d.policy.current().MockUsers(), listens, audit.CheckPerson)
		if named {
			return who, err
		}
		return d.verifier.Identify(ctx, r)
	}
}

// longestSend bounds how long the audit log's last records may take into the lake when the server stops; what is left is sent at its
// next start.
const longestSend = 20 * time.Second

func (d *doors) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestSend)
	defer cancel()
	var failed []error
	if d.watch != nil {
		d.watch()
		d.watching.Wait()
	}
	if d.pool != nil {
		failed = append(failed, d.pool.Close())
	}
	if d.chain != nil {
		failed = append(failed, d.chain.Close(ctx))
	}
	return errors.Join(failed...)
}

// verifier takes the signatures that the options and the files of this machine name.
func (a *app) verifier(o doorOptions) (*identity.Verifier, error) {
	folder, err := a.configFolder()
	if err != nil {
		return nil, err
	}
	keys, err := plugintoken.ReadKeys(filepath.Join(folder, pluginKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &pipeline.KeyError{Err: err}
	}
	services, err := a.tokenStore(nil)
	if err != nil {
		return nil, err
	}
	options := identity.Options{PluginKeys: keys, Services: services, CheckPerson: audit.CheckPerson, Now: a.now}
	if o.grafana != "" {
		options.Grafana = &identity.Grafana{URL: o.grafana, Organisation: o.organisation, SecondFactorBy: o.secondFactorBy}
	}
	for _, text := range o.oidc {
		at := strings.LastIndex(text, "=")
		if at < 0 {
			return nil, usagef("--oidc %q: write ISSUER=AUDIENCE", text)
		}
		options.Issuers = append(options.Issuers, identity.Issuer{URL: text[:at], Audience: text[at+1:]})
	}
	verifier, err := identity.New(options)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return verifier, nil
}

// policyFile is the access policy of a file, read again when the file changes. A change that cannot be read leaves the policy as it was.
type policyFile struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu     sync.Mutex
	policy *access.Policy
	seen   fs.FileInfo
	looked time.Time
}

// lookAgain is how long a policy is believed before its file is looked at again.
const lookAgain = time.Second

func (p *policyFile) current() *access.Policy {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.looked) >= lookAgain {
		p.looked = now
		p.look()
	}
	return p.policy
}

func (p *policyFile) look() {
	info, err := os.Stat(p.path)
	if err == nil && p.seen != nil && os.SameFile(info, p.seen) && info.ModTime().Equal(p.seen.ModTime()) && info.Size() == p.seen.Size() {
		return
	}
	var body []byte
	if err == nil {
		p.seen = info
		body, err = os.ReadFile(p.path)
	}
	var policy *access.Policy
	if err == nil {
		policy, err = access.Parse(body, p.path)
	}
	if err != nil {
		p.log.Error("the access policy cannot be read again: the one before holds on", "error", err)
		return
	}
	p.policy = policy
	p.log.Info("the access policy was read again")
}
