package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Folder is where servers' chains lie in a lake.
const Folder = "audit/servers/"

const (
	segments    = "segments/"
	checkpoints = "checkpoints/"
	keyName     = "key.json"
	digits      = 12
)

var serverText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,59}$`)

// CheckServer says why a text cannot be a server's name.
func CheckServer(name string) error {
	if !serverText.MatchString(name) {
		return fmt.Errorf("%q cannot be a server's name: use up to 60 lower-case letters, digits and hyphens, such as front-desk-1", name)
	}
	return nil
}

func folderOf(server string) string { return Folder + server + "/" }

func keyObject(server string) string { return folderOf(server) + keyName }

func segmentName(server string, first int64) string {
	return fmt.Sprintf("%s%s%0*d.jsonl", folderOf(server), segments, digits, first)
}

func checkpointName(server string, number int64) string {
	return fmt.Sprintf("%s%s%0*d.json", folderOf(server), checkpoints, digits, number)
}

// object is what the name of an object says.
type object struct {
	server string
	// kind is segments, checkpoints or keyName; empty for a name that is none of ours.
	kind   string
	number int64
}

func parseName(name string) object {
	server, rest, _ := strings.Cut(strings.TrimPrefix(name, Folder), "/")
	o := object{server: server}
	if CheckServer(server) != nil {
		return o
	}
	if rest == keyName {
		o.kind = keyName
		return o
	}
	for kind, ending := range map[string]string{segments: ".jsonl", checkpoints: ".json"} {
		text, found := strings.CutPrefix(rest, kind)
		text, ends := strings.CutSuffix(text, ending)
		n, err := strconv.ParseInt(text, 10, 64)
		if found && ends && err == nil && n > 0 && fmt.Sprintf("%0*d", digits, n) == text {
			o.kind, o.number = kind, n
		}
	}
	return o
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
