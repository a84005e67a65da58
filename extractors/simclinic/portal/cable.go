package portal

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 demands it of the handshake
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// cables are the open WebSockets, which the server no longer owns once they are upgraded.
type cables struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	held   sync.WaitGroup
}

// hold keeps a connection until the browser leaves, or gives it up at once when the portal is closed.
func (c *cables) hold(conn net.Conn) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		_ = conn.Close()
		return
	}
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	c.open[conn] = true
	c.held.Add(1)
	c.mu.Unlock()
	defer c.held.Done()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

func (c *cables) closeAll() {
	c.mu.Lock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.held.Wait()
}

// showCable upgrades to a WebSocket and pushes one message with a patient's name: what a guard that watches only HTTP
// requests lets through.
func (p *Portal) showCable(w http.ResponseWriter, r *http.Request) {
	if _, ok := p.allowed(w, r, seeSchedule); !ok {
		return
	}
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		p.refuse(w, r, refusal{status: http.StatusUpgradeRequired, code: "upgrade", message: "This address speaks WebSocket only."})
		return
	}
	text := "Somebody was checked in."
	if people := p.results.current().patients(); len(people) > 0 {
		text = nameOf(people[0]) + " was checked in."
	}
	message, err := json.Marshal(map[string]string{"type": "presence", "text": text})
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
	}
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
	}
	if watched, ok := w.(*statusWatcher); ok {
		watched.status = http.StatusSwitchingProtocols
	}
	// RFC 6455, section 1.3: the accept key is the SHA-1 of the key and a fixed GUID.
	digest := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(digest[:]) + "\r\n\r\n")
	_, _ = stream.Write(textFrame(message))
	_ = stream.Flush()
	p.cables.hold(conn)
}

// textFrame is one unmasked WebSocket text frame (RFC 6455, section 5.2) of up to 65,535 bytes.
func textFrame(message []byte) []byte {
	head := []byte{0x81, byte(len(message))}
	if len(message) > 125 {
		head = []byte{0x81, 126, byte(len(message) >> 8), byte(len(message))}
	}
	return append(head, message...)
}
