package plugintoken

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostKeys is how many keys count at once: the newest, and the one that it replaces.
const mostKeys = 2

// ReadKeys reads the keys of a file, the newest first; none where there is no file. A file that others can read is refused.
func ReadKeys(path string) ([]Key, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the plugin key: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the plugin key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the plugin key in %s is open to others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	body, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return nil, fmt.Errorf("reading the plugin key: %w", err)
	}
	var keys []Key
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("a line of %s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys[:min(len(keys), mostKeys)], nil
}

// AddKey makes a key the newest of a file, and keeps the one before.
func AddKey(path string, key Key) error {
	keys, err := ReadKeys(path)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, k := range append([]Key{key}, keys[:min(len(keys), mostKeys-1)]...) {
		text.WriteString(k.Text() + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the plugin key: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping the plugin key: %w", err)
	}
	_, err = next.WriteString(text.String())
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keeping the plugin key: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}
