package chain

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/pipeline/audit"
)

// mark is what a server remembers of its own chain, apart from the records: see the package's comment.
type mark struct {
	// Turn counts the writings, so that the newer of the two slots is known.
	Turn int64 `json:"turn"`
	// Tip is the newest record that may have been promised.
	Tip audit.Tip `json:"tip"`
	// Checkpoint is the record of the newest checkpoint.
	Checkpoint int64 `json:"checkpoint"`
}

// markFile has two slots of one disk sector each, written in turn: of a power cut in the middle of one the other is left.
type markFile struct {
	file   *os.File
	seal   tink.AEAD
	server string
	last   mark
}

const slot = 512

func (m *markFile) with() []byte { return []byte("falloff audit mark v1|" + m.server) }

// openMark opens the mark, made where there is none. found says that there was one that can be read.
func openMark(path string, seal tink.AEAD, server string) (m *markFile, found bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	m = &markFile{file: file, seal: seal, server: server}
	for i := range int64(2) {
		buf := make([]byte, slot)
		if _, err := file.ReadAt(buf, i*slot); err != nil && !errors.Is(err, io.EOF) {
			return nil, false, errors.Join(err, file.Close())
		}
		length := int(binary.BigEndian.Uint16(buf))
		if length == 0 || length > slot-2 {
			continue
		}
		var read mark
		plain, err := seal.Decrypt(buf[2:2+length], m.with())
		if err != nil || json.Unmarshal(plain, &read) != nil {
			continue
		}
		if !found || read.Turn > m.last.Turn {
			m.last, found = read, true
		}
	}
	return m, found, syncFolder(filepath.Dir(path))
}

// write writes the mark. It outlasts this process; a power cut it outlasts after sync.
func (m *markFile) write(tip audit.Tip, checkpoint int64) error {
	next := mark{Turn: m.last.Turn + 1, Tip: tip, Checkpoint: checkpoint}
	plain, err := json.Marshal(next)
	if err != nil {
		return err
	}
	sealed, err := m.seal.Encrypt(plain, m.with())
	if err != nil {
		return err
	}
	if len(sealed) > slot-2 {
		return fmt.Errorf("the mark has %d bytes", len(sealed))
	}
	buf := make([]byte, slot)
	binary.BigEndian.PutUint16(buf, uint16(len(sealed)))
	copy(buf[2:], sealed)
	if _, err := m.file.WriteAt(buf, next.Turn%2*slot); err != nil {
		return err
	}
	m.last = next
	return nil
}

func (m *markFile) sync() error { return m.file.Sync() }

func (m *markFile) close() error { return errors.Join(m.file.Sync(), m.file.Close()) }
