package jane

import (
	"encoding/json"
	"time"
)

// kept is what one visit leaves for the next. It is a credential, because of what the browser keeps.
type kept struct {
	Version int `json:"version"`
	// Browser are the cookies by which the portal knows the browser again.
	Browser []byte `json:"browser,omitempty"`
	// UsedStep is the time step of the last one-time code that was sent, whatever became of it: no code is sent twice.
	UsedStep int64 `json:"used_step,omitempty"`
	// CodesAfter is when the portal takes codes again, after it had blocked them.
	CodesAfter time.Time `json:"codes_after,omitzero"`
	// Files is how the names of this clinic's files begin.
	Files string `json:"files,omitempty"`
}

const keptVersion = 1

// readKept reads a kept state. One that can't be read is as good as none: the portal then sees a new device.
func readKept(text []byte) kept {
	var k kept
	if json.Unmarshal(text, &k) != nil || k.Version != keptVersion {
		return kept{Version: keptVersion}
	}
	return k
}

// keep changes what is kept and hands it over.
func (p *Portal) keep(change func(*kept)) {
	p.mu.Lock()
	change(&p.kept)
	text, err := json.Marshal(p.kept)
	p.mu.Unlock()
	if err == nil {
		p.cfg.KeepState(text)
	}
}

func (p *Portal) remembered() kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}
