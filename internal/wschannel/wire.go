package wschannel

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/protocol"
)

// writeBuffer holds the largest frame that is sent, so that each goes out with one write.
const writeBuffer = protocol.MaxSnapshot + 16

const (
	// yieldBytes is after how much of what comes from a client its reader lets others run. The WebSocket library handles
	// empty fragments, and what it throws away at a connection's end, without returning.
	yieldBytes = 1 << 10
	// readWeight is what a call counts for besides, however little it brings.
	readWeight = 64
	// maxOnWire is how many bytes a message may take with all its frames, and those of pings in between: more than twice
	// what a greeting takes that comes in fragments of one byte.
	maxOnWire = 64 << 10
)

// errTooLong is why reading fails when a message takes more than maxOnWire.
var errTooLong = errors.New("wschannel: too many bytes for one message")

// wire is the network connection below a WebSocket: it bounds each write in time and each message in size, lets others
// run, and counts.
//
// A deadline of its own costs no allocation per message, which a context for each call of the WebSocket library would.
type wire struct {
	net.Conn
	stats     *counters
	yield     func()       // lets others run
	unyielded atomic.Int64 // bytes since, and the weight of the calls
	within    atomic.Bool  // a message has begun
	onWire    atomic.Int64 // bytes since it has
	// last is when the connection has to be done, in Unix nanoseconds; 0 while it is not ending.
	last atomic.Int64
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.stats.bytesReceived.Add(uint64(n))
	if w.unyielded.Add(int64(n)+readWeight) >= yieldBytes {
		w.unyielded.Store(0)
		w.yield()
	}
	if w.within.Load() && w.onWire.Add(int64(n)) > maxOnWire && err == nil {
		err = errTooLong
	}
	return n, err
}

// begin has what comes from now on count as one message, until done.
func (w *wire) begin() {
	w.onWire.Store(0)
	w.within.Store(true)
}

func (w *wire) done() { w.within.Store(false) }

func (w *wire) Write(p []byte) (int, error) {
	if err := w.limit(w.SetWriteDeadline, WriteTimeout); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(p)
	w.stats.bytesSent.Add(uint64(n))
	return n, err
}

// silence ends reading when nothing comes in time.
func (w *wire) silence(after time.Duration) error { return w.limit(w.SetReadDeadline, after) }

// finish bounds everything from now on.
func (w *wire) finish(within time.Duration) error {
	last := time.Now().Add(within)
	w.last.Store(last.UnixNano())
	return w.SetDeadline(last)
}

// limit sets a deadline, but none after the one that finish has set. Either finish sees the deadline and replaces it,
// or limit sees that finish was called.
func (w *wire) limit(set func(time.Time) error, within time.Duration) error {
	if err := set(time.Now().Add(within)); err != nil {
		return err
	}
	if last := w.last.Load(); last != 0 {
		return set(time.Unix(0, last))
	}
	return nil
}

// hijacker puts a wire below the connection that a request is hijacked for. A refusal it keeps from the client, for the
// caller of [Channel.Serve] to write.
type hijacker struct {
	http.ResponseWriter
	wire    *wire
	refused int // the status of a refusal, or 0
}

func (h *hijacker) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		h.refused = status
		return
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *hijacker) Write(b []byte) (int, error) {
	if h.refused != 0 {
		return len(b), nil
	}
	return h.ResponseWriter.Write(b)
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire.Conn = c
	return h.wire, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(h.wire, writeBuffer)), nil
}
