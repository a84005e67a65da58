package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Encrypting is the kind of the commit that encrypts what lay plain, or writes it anew under the newest key.
const Encrypting Kind = "encrypt"

// follows refuses to follow a commit whose encryption is not what this writer was opened for.
func (c *Clinic) follows(head *Commit, kind Kind) error {
	switch {
	case head.Encrypted() && c.keys == nil:
		return fmt.Errorf("clinic %s is encrypted: %w", c.id, ErrSealed)
	case !head.Encrypted() && c.encrypt && kind != Encrypting:
		return fmt.Errorf("clinic %s in %s: %w", c.id, c.store, ErrPlainLake)
	}
	return nil
}

// Encrypt writes everything that the newest commit names anew, under the newest key, and shows it in one commit; a clinic
// whose every object is under that key already is left as it is. Rows, totals and the order of rows stay, and what was
// written is read back. Also is asked for what else the commit is to say.
//
// BUG(lake): earlier commits and their objects stay as they lie, unencrypted or under an earlier key, until they are cleared
// away.
func (c *Clinic) Encrypt(ctx context.Context, also func(tx *Tx) error) (*Commit, error) {
	if c.keys == nil {
		return nil, fmt.Errorf("encrypt clinic %s: there is no key", c.id)
	}
	commit, err := c.Update(ctx, Encrypting, func(ctx context.Context, tx *Tx) error {
		if tx.head == nil || tx.isUnder(c.keys.newest.id) {
			return ErrUnchanged
		}
		tx.next.Encryption = ByParquet
		if err := also(tx); err != nil {
			return err
		}
		return tx.encrypt(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("encrypt clinic %s: %w", c.id, err)
	}
	return commit, nil
}

// isUnder says whether every object of the head is encrypted under a key.
func (tx *Tx) isUnder(key string) bool {
	if !tx.head.Encrypted() {
		return false
	}
	for o := range tx.head.objects {
		if !o.Sealed && o.Key != key {
			return false
		}
	}
	return true
}

func (tx *Tx) encrypt(ctx context.Context) error {
	c := tx.clinic
	known := map[string]AnyTable{}
	for _, t := range Tables() {
		known[t.Name()] = t
	}
	for name, was := range tx.head.Datasets {
		table := known[name]
		if table == nil {
			return fmt.Errorf("there is a dataset %s that this program cannot rewrite: use the version of falloff that wrote it, or a newer one", name)
		}
		next := was
		var err error
		if next.Objects, err = table.encrypt(ctx, tx, was.Objects); err != nil {
			return fmt.Errorf("dataset %s: %w", name, err)
		}
		if was.Removed != nil && !was.Removed.Sealed {
			o, err := tx.encryptWhole(ctx, *was.Removed, "data/"+name+"/removed/", parquetEnding)
			if err != nil {
				return fmt.Errorf("dataset %s: %w", name, err)
			}
			next.Removed = &o
		}
		put(&tx.next.Datasets, name, next)
	}
	for name, was := range tx.head.Marts {
		file, err := c.encryptMart(ctx, was.Object, "marts/"+name+"/")
		var o Object
		if err == nil {
			o, err = tx.uploadRows(ctx, file)
		}
		if err == nil && o.Rows != was.Rows {
			err = fmt.Errorf("it had %d rows, and would have %d", was.Rows, o.Rows)
		}
		if err != nil {
			return fmt.Errorf("mart %s: %w", name, err)
		}
		put(&tx.next.Marts, name, Mart{Object: o, Origin: was.Origin})
	}
	for month, was := range tx.head.Closed {
		next := was
		var err error
		if next.Object, err = tx.encryptWhole(ctx, was.Object, closingFolder(month), closingEnding); err != nil {
			return fmt.Errorf("closed month %s: %w", month, err)
		}
		if was.Restated != nil {
			o, err := tx.encryptWhole(ctx, *was.Restated, closingFolder(month), closingEnding)
			if err != nil {
				return fmt.Errorf("closed month %s: %w", month, err)
			}
			next.Restated = &o
		}
		put(&tx.next.Closed, month, next)
	}
	if was := tx.head.Settings; was != nil {
		o, err := tx.encryptWhole(ctx, *was, "settings/", "")
		if err != nil {
			return fmt.Errorf("settings: %w", err)
		}
		tx.next.Settings = &o
	}
	if was := tx.head.Released; was != nil {
		o, err := tx.encryptWhole(ctx, *was, "released/", "")
		if err != nil {
			return fmt.Errorf("released tables: %w", err)
		}
		tx.next.Released = &o
	}
	return nil
}

// encryptWhole seals an object that is no table anew.
func (tx *Tx) encryptWhole(ctx context.Context, was Object, folder, ending string) (Object, error) {
	body, err := tx.clinic.fetch(ctx, was)
	if err != nil {
		return Object{}, err
	}
	o, err := tx.upload(ctx, folder, ending, body)
	o.Rows, o.Schema = was.Rows, was.Schema
	return o, err
}

// encryptMart encrypts what the models made, plain or under an earlier key.
func (c *Clinic) encryptMart(ctx context.Context, was Object, folder string) (encryptedFile, error) {
	if !was.isTable() {
		body, err := c.fetch(ctx, was)
		if err != nil {
			return encryptedFile{}, err
		}
		return c.encryptParquet(ctx, folder, body)
	}
	f, err := c.openStored(ctx, was)
	if err != nil {
		return encryptedFile{}, err
	}
	if err := c.eachRecord(ctx, f, nothing); err != nil {
		return encryptedFile{}, err
	}
	return c.encryptFile(ctx, folder, f)
}

// encrypt writes the objects of a dataset anew.
func (t Table[T]) encrypt(ctx context.Context, tx *Tx, objects []Object) ([]Object, error) {
	out := slices.Clone(objects)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, was := range objects {
		if was.Sealed {
			continue // it has a key of its own
		}
		group.Go(func() error {
			rows, err := t.load(ctx, tx.clinic, was)
			if err == nil {
				out[i], err = t.put(ctx, tx, was.Month, rows)
			}
			if err != nil {
				return err
			}
			for column, sum := range was.Totals {
				if out[i].Totals[column] != sum {
					return fmt.Errorf("object %s has a total of %d in %s, and would have %d", was.Path, sum, column, out[i].Totals[column])
				}
			}
			again, err := t.load(ctx, tx.clinic, out[i])
			if err == nil && len(again) != len(rows) {
				err = errors.New("it does not hold what was written")
			}
			return err
		})
	}
	return out, group.Wait()
}
