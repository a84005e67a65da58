package diskcache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Part is what a cache has of one clinic. Its names are hashes of content, of letters, digits and '-', chosen by the caller: under
// one name there is only ever one content.
type Part struct {
	cache  *Cache
	folder string
	seal   Sealer
}

// about binds an entry to its name: one in another's place does not open.
func about(name string) []byte { return []byte("falloff cached object v1|" + name) }

// Get is the content under a name, nil where it is not there. One that does not open is removed: it is damaged, or sealed under a key
// that was dropped.
func (p *Part) Get(name string) []byte {
	path := filepath.Join(p.folder, name)
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	body, err := p.seal.Decrypt(sealed, about(name))
	if err != nil {
		p.Drop(name)
		return nil
	}
	now := p.cache.now()
	if st, err := os.Stat(path); err == nil && now.Sub(st.ModTime()) > unread {
		_ = os.Chtimes(path, now, now) // one that looks unread goes sooner, and is fetched again
	}
	return body
}

// Put keeps content under a name, durably. That it cannot be kept is nobody's concern: it is fetched again.
func (p *Part) Put(name string, body []byte) {
	if _, err := os.Stat(filepath.Join(p.folder, name)); err == nil || int64(len(body)) > p.cache.limit {
		return
	}
	_ = p.put(name, body)
}

func (p *Part) put(name string, body []byte) error {
	sealed, err := p.seal.Encrypt(body, about(name))
	if err != nil {
		return err
	}
	size := int64(len(sealed))
	if size > p.cache.limit {
		return nil
	}
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.folder, newPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(sealed)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	now := p.cache.now()
	if err == nil {
		err = os.Chtimes(f.Name(), now, now)
	}
	if err == nil {
		err = p.cache.admit(f.Name(), filepath.Join(p.folder, name), size)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Drop removes what is under a name.
func (p *Part) Drop(name string) { _ = os.Remove(filepath.Join(p.folder, name)) }

// Retain removes what is not live, and says what it was; with dry it removes nothing.
func (p *Part) Retain(live func(name string) bool, dry bool) (entries int, bytes int64, err error) {
	found, err := list(p.folder)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range found {
		if e.unfinished || live(filepath.Base(e.path)) {
			continue
		}
		if !dry {
			if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return entries, bytes, err
			}
		}
		entries++
		bytes += e.bytes
	}
	return entries, bytes, nil
}
