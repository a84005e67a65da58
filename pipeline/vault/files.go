package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Paths says where this machine keeps its secrets.
type Paths struct {
	// Vault is the vault's file.
	Vault string
	// KeyFile holds the machine key in hexadecimal, mode 0600.
	KeyFile string
	// Copies is the folder in which earlier versions kept copies of clinic keys, each sealed by the machine key.
	Copies string
}

// DefaultPaths puts everything under configDir, or under the user's configuration folder when that is empty. A keyFile
// replaces the machine key's place.
func DefaultPaths(configDir, keyFile string) (Paths, error) {
	if configDir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return Paths{}, fmt.Errorf("finding the configuration folder: %w. Name one with --config-dir", err)
		}
		configDir = filepath.Join(base, "falloff")
	}
	p := Paths{Vault: filepath.Join(configDir, "vault.json"), KeyFile: keyFile, Copies: filepath.Join(configDir, "clinic-keys")}
	if p.KeyFile == "" {
		p.KeyFile = filepath.Join(configDir, "machine.key")
	}
	return p, nil
}

// checkMode refuses a file that others can read.
func checkMode(what, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", what, err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s %s can be read by others (mode %04o): run chmod 600 on it", what, path, st.Mode().Perm())
	}
	return nil
}

// scratch writes a file beside path, durably, that the caller moves into place.
func scratch(path string, body []byte) (name string, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(body)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		_ = os.Remove(tmp.Name())
		return "", err
	}
	return tmp.Name(), nil
}

// createFile writes a file that must not exist yet, whole or not at all.
func createFile(path string, body []byte) error {
	tmp, err := scratch(path, body)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// replaceFile writes a file whole, in the place of the one that is there: whoever reads meanwhile sees the one or the other.
func replaceFile(path string, body []byte) error {
	tmp, err := scratch(path, body)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name survive a power cut.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
