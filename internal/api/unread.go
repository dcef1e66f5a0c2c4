package api

import (
	"net"
	"net/http"
	"time"

	"github.com/rushgate/rushgate/internal/peer"
)

// kernelBuffer is how many bytes the kernel is asked to keep at most, each way, of what one client has not taken yet
// and the node has not read yet. By itself it would keep megabytes of answers for a client that sends requests and
// reads nothing. The longest answer takes hardly more than this, and at 200 ms to the client and back it still lets
// 160 kB through in a second.
const kernelBuffer = 32 << 10

// boundBuffers bounds what the kernel keeps for a new connection. It does not block.
func boundBuffers(c net.Conn) {
	tcp, ok := peer.Raw(c).(*net.TCPConn)
	if !ok {
		return
	}
	// Where one of these fails, what the kernel keeps is bounded by its own settings.
	_ = tcp.SetReadBuffer(kernelBuffer)
	_ = tcp.SetWriteBuffer(kernelBuffer)
	giveUpUnread(tcp, writeMargin)
}

// maxUnread is how many bytes of answers that their clients do not take may wait in the kernel, for all connections
// together.
const maxUnread = 64 << 20

// settle notes how much of its answers a client has not taken. If that is too much with all others, those connections
// make room on which there is something to take and that were last heard of longest ago.
func (t *connTable) settle(c net.Conn) {
	unread := untaken(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.conns[c]; !known {
		return
	}
	t.setUnread(c, unread)
	for e := t.idle.Front(); e != nil && t.unread > t.maxUnread; {
		c, next := e.Value.(net.Conn), e.Next()
		if t.unreadOf[c] > 0 {
			t.setUnread(c, untaken(c)) // by now it may have taken everything
		}
		if t.unreadOf[c] > 0 {
			t.remove(c)
			drop(c)
		}
		e = next
	}
}

// setUnread notes the bytes that a client has not taken, in the table, which the caller has locked.
func (t *connTable) setUnread(c net.Conn, bytes int) {
	t.unread += bytes - t.unreadOf[c]
	if bytes == 0 {
		delete(t.unreadOf, c)
	} else {
		t.unreadOf[c] = bytes
	}
}

// drop closes a connection at once, with what its client has not taken.
func drop(c net.Conn) {
	if tcp, ok := peer.Raw(c).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed in any case
	}
	_ = abort(c)
}

// taken gives a client writeMargin to take an answer, from when that begins. The server's own limit on writing begins
// with the request and has to last for as long as a login may wait.
func taken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&answering{ResponseWriter: w}, r)
	})
}

// answering is a response that has its client's time to take it begin with its first byte.
type answering struct {
	http.ResponseWriter
	begun bool
}

func (a *answering) WriteHeader(status int) {
	a.begin()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answering) Write(b []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(b)
}

func (a *answering) begin() {
	if a.begun {
		return
	}
	a.begun = true
	// What has no deadlines, a test's recorder, keeps nothing in a kernel.
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(writeMargin))
}

// Unwrap is for [http.ResponseController].
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }
