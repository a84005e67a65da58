package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// KeyOrigin says where a clinic's keys were found when its lake was opened.
type KeyOrigin int

// Origins.
const (
	// KeysKnown: the vault had them, and the lake was made with them.
	KeysKnown KeyOrigin = iota
	// KeysMade: lake and vault had none.
	KeysMade
	// KeysMoved: the lake was made by an earlier version, and its key was moved into the vault.
	KeysMoved
	// KeysFinished: a rekey had been interrupted after its commit, and has ended now.
	KeysFinished
)

// The lake keeps of the keys only what tells one from another: keys/check-<version>.json, made once each.

// earlierKey is the object in which earlier versions kept the sealed key itself.
const earlierKey = "clinic-key.json"

func checkName(version int) string { return fmt.Sprintf("check-%d.json", version) }

// KeyCheckName is the name under keys/ of what tells the keys of a version from others.
func KeyCheckName(version int) string { return checkName(version) }

// checkVersion is the inverse of checkName; 0 for another name.
func checkVersion(name string) int {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, "check-"), ".json")
	version, err := strconv.Atoi(digits)
	if !ok || err != nil || version < 1 || checkName(version) != name {
		return 0
	}
	return version
}

// keyCheck is the content of a check object.
type keyCheck struct {
	Version int `json:"version"`
	// Check is a fingerprint of the keys, from which nothing about them follows.
	Check string `json:"check"`
}

// keyed makes a KeyError of what the vault says. Interruptions stay what they are.
func keyed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &KeyError{Err: err}
}

// openKeys gives the keys that the clinic's lake was made with, in the version that its newest commit has. For a lake that is
// new they are made; for one that holds anything they never are: two keys in one lake could never be told apart again.
func openKeys(ctx context.Context, v *vault.Vault, clinic *lake.Clinic) (identity.Keys, KeyOrigin, error) {
	none := identity.Keys{}
	names, err := clinic.Keys(ctx)
	if err != nil {
		return none, 0, storage("looking for what the lake says of its keys", err)
	}
	head, err := clinic.Head(ctx)
	version := 0
	for _, name := range names {
		version = max(version, checkVersion(name))
	}
	if errors.Is(err, lake.ErrSealed) {
		// Where the vault lacks the clinic, or has another of that name, that is what there is to say.
		if version == 0 {
			return none, 0, nothingSaysKeys(clinic)
		}
		if _, _, failed := knownKeys(ctx, v, clinic, version); failed != nil {
			return none, 0, failed
		}
		return none, 0, &KeyError{Err: err}
	}
	if err != nil && !errors.Is(err, lake.ErrNoCommit) {
		return none, 0, storage("opening the lake", err)
	}
	checked := version > 0
	if head != nil {
		version = head.PseudonymVersion()
	}
	switch {
	case slices.Contains(names, earlierKey):
		keys, err := moveEarlierKey(ctx, v, clinic)
		return keys, KeysMoved, err
	case checked:
		return knownKeys(ctx, v, clinic, version)
	case head != nil:
		return none, 0, nothingSaysKeys(clinic)
	}
	return newKeys(ctx, v, clinic)
}

func nothingSaysKeys(clinic *lake.Clinic) error {
	return &KeyError{Err: fmt.Errorf(
		"clinic %s has data, and nothing that says with which keys it was made: the objects under keys/ are missing. Restore them from a backup of the lake", clinic.ID())}
}

// knownKeys gives the keys of a version, if they are those that the lake was made with.
func knownKeys(ctx context.Context, v *vault.Vault, clinic *lake.Clinic, version int) (identity.Keys, KeyOrigin, error) {
	none := identity.Keys{}
	id := string(clinic.ID())
	chain, err := v.Chain(ctx, id)
	if errors.Is(err, vault.ErrNoKeys) {
		return none, 0, &KeyError{Err: fmt.Errorf("the keys of clinic %s are not in the vault %s. Name the configuration folder that has them with --config-dir, or restore the vault from your copy",
			id, v.Paths().Vault)}
	}
	if err != nil {
		return none, 0, keyed(err)
	}
	keys, err := chain.Keys.At(version)
	if err != nil {
		return none, 0, &KeyError{Err: fmt.Errorf("clinic %s was rekeyed since this vault, %s, was written: %w. Restore the newest copy of the vault", id, v.Paths().Vault, err)}
	}
	if err := compareCheck(ctx, v, clinic, keys); err != nil {
		return none, 0, err
	}
	if version > chain.Live {
		return keys, KeysFinished, keyed(v.Confirm(ctx, id, version))
	}
	return keys, KeysKnown, nil
}

// compareCheck compares keys with what the lake says of them.
func compareCheck(ctx context.Context, v *vault.Vault, clinic *lake.Clinic, keys identity.Keys) error {
	body, err := clinic.Key(ctx, checkName(keys.Version))
	if errors.Is(err, lake.ErrNotFound) {
		return &KeyError{Err: fmt.Errorf("clinic %s lacks the object keys/%s, which says with which keys it was made. Restore it from a backup of the lake", clinic.ID(), checkName(keys.Version))}
	}
	if err != nil {
		return storage("looking for what the lake says of its keys", err)
	}
	var said keyCheck
	if err := json.Unmarshal(body, &said); err != nil || said.Version != keys.Version {
		return storage("opening the lake", fmt.Errorf("the object keys/%s of clinic %s is damaged. Restore it from a backup", checkName(keys.Version), clinic.ID()))
	}
	if said.Check != keys.Check() {
		return &KeyError{Err: fmt.Errorf("the vault %s has other keys of clinic %s than those that this lake was made with. Name the configuration folder that has them with --config-dir, or restore the vault from your copy",
			v.Paths().Vault, clinic.ID())}
	}
	return nil
}

// putCheck says in the lake with which keys it is made, and compares where that is said already.
func putCheck(ctx context.Context, v *vault.Vault, clinic *lake.Clinic, keys identity.Keys) error {
	body, err := json.Marshal(keyCheck{Version: keys.Version, Check: keys.Check()})
	if err != nil {
		return err
	}
	err = clinic.CreateKey(ctx, checkName(keys.Version), append(body, '\n'))
	if errors.Is(err, lake.ErrExists) {
		return compareCheck(ctx, v, clinic, keys)
	}
	return storage("saying in the lake with which keys it is made", err)
}

// newKeys gives the keys for a lake that holds nothing of the clinic yet: those that this machine has of it from another lake,
// or new ones.
func newKeys(ctx context.Context, v *vault.Vault, clinic *lake.Clinic) (identity.Keys, KeyOrigin, error) {
	id := string(clinic.ID())
	if _, err := v.Chain(ctx, id); errors.Is(err, vault.ErrNoKeys) {
		copied, found, err := v.EarlierCopy(id)
		if err == nil && found {
			err = v.Adopt(ctx, id, copied)
		}
		if err != nil {
			return identity.Keys{}, 0, keyed(err)
		}
	}
	keys, _, err := v.Keys(ctx, id)
	if err != nil {
		return keys, 0, keyed(err)
	}
	if err := putCheck(ctx, v, clinic, keys); err != nil {
		return keys, 0, err
	}
	return keys, KeysMade, keyed(v.RemoveEarlierCopy(id))
}

// moveEarlierKey moves the key of a lake of an earlier version into the vault. Each step can be repeated: the lake's sealed
// key goes last, when the vault has it for certain.
func moveEarlierKey(ctx context.Context, v *vault.Vault, clinic *lake.Clinic) (identity.Keys, error) {
	id := string(clinic.ID())
	body, err := clinic.Key(ctx, earlierKey)
	if errors.Is(err, lake.ErrNotFound) { // another process has just moved it
		keys, _, err := knownKeys(ctx, v, clinic, 1)
		return keys, err
	}
	if err != nil {
		return identity.Keys{}, storage("looking for the clinic's key", err)
	}
	key, err := v.OpenEarlier(id, body)
	if err != nil {
		return identity.Keys{}, keyed(err)
	}
	defer key.Wipe()
	if err := v.Adopt(ctx, id, key); err != nil {
		return identity.Keys{}, keyed(err)
	}
	chain, err := v.Chain(ctx, id)
	if err != nil {
		return identity.Keys{}, keyed(err)
	}
	keys, err := chain.Keys.At(1)
	if err != nil {
		return identity.Keys{}, err
	}
	if err := putCheck(ctx, v, clinic, keys); err != nil {
		return identity.Keys{}, err
	}
	if err := v.RemoveEarlierCopy(id); err != nil {
		return identity.Keys{}, keyed(err)
	}
	return keys, storage("removing the clinic's key from the lake, now that the vault has it", clinic.DeleteKey(ctx, earlierKey))
}
