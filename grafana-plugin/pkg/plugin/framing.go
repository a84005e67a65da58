package plugin

import (
	"encoding/binary"
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// continuation begins every message of an Arrow IPC stream; a length of zero after it ends the stream.
const continuation = 0xFFFFFFFF

var errBrokenOff = errors.New("the stream broke off before its end")

// checkFraming walks over the messages of an Arrow IPC stream by their lengths alone. The Arrow reader allocates what a
// length says before it has read a byte, so that five stray bytes can cost gigabytes, and it takes a stream without an
// end for a whole one.
//
// Known weakness: lengths inside a message's header are still believed by the Arrow library, so a query server that means
// harm can make the plugin run out of memory. It is one that an administrator has named, reached over TLS or loopback.
func checkFraming(stream []byte) error {
	for rest := stream; ; {
		if len(rest) < 8 {
			return errBrokenOff
		}
		if binary.LittleEndian.Uint32(rest) != continuation {
			return errors.New("this is no Arrow stream")
		}
		size := uint64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		if size == 0 {
			return nil
		}
		if size > uint64(len(rest)) {
			return errBrokenOff
		}
		body, err := bodyLength(rest[:size])
		if err != nil {
			return err
		}
		rest = rest[size:]
		if body > uint64(len(rest)) {
			return errBrokenOff
		}
		rest = rest[body:]
	}
}

// bodyLength reads one field out of a message's header: in Arrow's Message.fbs bodyLength is the fourth, and a field's
// place in the table follows four bytes of lengths.
func bodyLength(header []byte) (length uint64, err error) {
	const field = 4 + 2*3
	defer func() {
		// The flatbuffers library answers offsets that point nowhere with a panic.
		if told := recover(); told != nil {
			err = fmt.Errorf("a message's header is damaged: %v", told)
		}
	}()
	message := flatbuffers.Table{Bytes: header, Pos: flatbuffers.GetUOffsetT(header)}
	signed := message.GetInt64Slot(field, 0)
	if signed < 0 {
		return 0, errors.New("a message's header is damaged: its body has less than nothing")
	}
	return uint64(signed), nil
}
