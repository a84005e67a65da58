package vault

import "context"

// Tip is the newest record of a lake's audit log that this machine has seen.
type Tip struct {
	Number int64  `json:"number"`
	Hash   string `json:"hash"`
}

// AuditTip gives the newest audit record that was seen of a lake; the zero Tip where none was.
func (v *Vault) AuditTip(ctx context.Context, lake string) (Tip, error) {
	var tip Tip
	err := v.readAll(ctx, func(p *payload) error {
		tip = p.Tips[lake]
		return nil
	})
	return tip, err
}

// SeeAuditTip remembers the newest audit record of a lake; an older one than is known changes nothing.
func (v *Vault) SeeAuditTip(ctx context.Context, lake string, tip Tip) error {
	return v.change(ctx, func(p *payload) error {
		if tip.Number <= p.Tips[lake].Number {
			return errUnchanged
		}
		if p.Tips == nil {
			p.Tips = map[string]Tip{}
		}
		p.Tips[lake] = tip
		return nil
	})
}

// ReplaceAuditTip remembers a record as the newest of a lake whatever was known before: the lake was restored, with a log that ends
// earlier than the lost one did.
func (v *Vault) ReplaceAuditTip(ctx context.Context, lake string, tip Tip) error {
	return v.change(ctx, func(p *payload) error {
		if p.Tips == nil {
			p.Tips = map[string]Tip{}
		}
		p.Tips[lake] = tip
		return nil
	})
}
