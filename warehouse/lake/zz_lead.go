package lake

import "maps"

// Marts are the marts as the commit in the making names them.
func (tx *Tx) Marts() map[string]Mart { return maps.Clone(tx.next.Marts) }

// Snapshot reads the clinic as the commit in the making has it so far.
func (tx *Tx) Snapshot() *Snapshot { return tx.clinic.Snapshot(tx.next) }

// SameAsHead says whether the commit in the making names and says the same as the head: whether there is anything to commit.
func (tx *Tx) SameAsHead() bool {
	if tx.head == nil {
		return false
	}
	a, b := *tx.head, *tx.next
	b.Number, b.Parent, b.CreatedAt, b.Writer, b.Kind = a.Number, a.Parent, a.CreatedAt, a.Writer, a.Kind
	was, err := EncodeCommit(&a)
	if err != nil {
		return false
	}
	is, err := EncodeCommit(&b)
	return err == nil && string(was) == string(is)
}
