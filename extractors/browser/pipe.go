package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/go-rod/rod/lib/cdp"
)

// ErrGone is what every call returns once the browser's process has ended or its pipe has closed.
var ErrGone = errors.New("the browser is gone")

// A pipe speaks the DevTools protocol with Chromium over two inherited file descriptors (`--remote-debugging-pipe`):
// JSON messages, each ended by a zero byte.
//
// rod's own launcher opens a TCP port instead. Through that port any process of the machine, of any user, could take
// over the signed-in browser and switch the guard off; the pipe has exactly two ends. It also ties the two processes
// together: when ours dies, however it dies, Chromium reads the end of the pipe and exits.
//
// A pipe is a rod.CDPClient. Events that tap claims are not passed on to rod.
type pipe struct {
	tap    func(*cdp.Event) (claimed bool)
	events chan *cdp.Event
	writes chan []byte
	gone   chan struct{}

	mu      sync.Mutex
	last    int
	pending map[int]chan<- reply
	ended   bool
}

type reply struct {
	result json.RawMessage
	err    error
}

// newPipe starts to read from and write to the browser. The pipe ends when reading does; the owner then finds gone
// closed. Closing both files is the owner's job.
func newPipe(toBrowser io.Writer, fromBrowser io.Reader, tap func(*cdp.Event) bool) *pipe {
	p := &pipe{
		tap:     tap,
		events:  make(chan *cdp.Event),
		writes:  make(chan []byte),
		gone:    make(chan struct{}),
		pending: map[int]chan<- reply{},
	}
	go p.write(toBrowser)
	go p.read(fromBrowser)
	return p
}

// Event is the channel of events that rod reads.
func (p *pipe) Event() <-chan *cdp.Event { return p.events }

// Call sends one request and waits for its answer, the end of the context, or the end of the browser.
func (p *pipe) Call(ctx context.Context, sessionID, method string, params any) ([]byte, error) {
	answer := make(chan reply, 1)
	id, err := p.expect(answer)
	if err != nil {
		return nil, err
	}
	defer p.forget(id)

	message, err := json.Marshal(&cdp.Request{ID: id, SessionID: sessionID, Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	select {
	case p.writes <- append(message, 0):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.gone:
		return nil, ErrGone
	}
	select {
	case r := <-answer:
		return r.result, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.gone:
		return nil, ErrGone
	}
}

func (p *pipe) expect(answer chan<- reply) (id int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return 0, ErrGone
	}
	p.last++
	p.pending[p.last] = answer
	return p.last, nil
}

func (p *pipe) forget(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, id)
}

// write is the one writer: a message is written whole or the pipe is broken, whatever the context of its caller does.
func (p *pipe) write(w io.Writer) {
	for {
		select {
		case message := <-p.writes:
			if _, err := w.Write(message); err != nil {
				// The reader sees the same end, and tells everyone.
				return
			}
		case <-p.gone:
			return
		}
	}
}

func (p *pipe) read(r io.Reader) {
	defer p.end()
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		message, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		p.dispatch(message[:len(message)-1])
	}
}

func (p *pipe) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	close(p.gone)
	close(p.events)
}

// dispatch hands a message to the call that waits for it, to the tap, or to rod. What is not JSON of the protocol's
// form is dropped: the call that waits for it then ends by its own timeout.
func (p *pipe) dispatch(message []byte) {
	var m struct {
		ID        int             `json:"id"`
		SessionID string          `json:"sessionId"` //nolint:tagliatelle // the protocol's own name
		Method    string          `json:"method"`
		Params    json.RawMessage `json:"params"`
		Result    json.RawMessage `json:"result"`
		Error     *cdp.Error      `json:"error"`
	}
	if json.Unmarshal(message, &m) != nil {
		return
	}
	if m.ID == 0 {
		event := &cdp.Event{SessionID: m.SessionID, Method: m.Method, Params: m.Params}
		if m.Method != "" && !p.tap(event) {
			p.events <- event
		}
		return
	}
	p.mu.Lock()
	answer := p.pending[m.ID]
	delete(p.pending, m.ID)
	p.mu.Unlock()
	if answer == nil {
		return
	}
	if m.Error != nil {
		answer <- reply{err: m.Error}
		return
	}
	answer <- reply{result: m.Result}
}
