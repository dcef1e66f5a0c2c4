package api

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// deaf connects a client whose kernel takes next to nothing of what it does not read, so that what is left of answers
// is with the server.
func deaf(t *testing.T, address string) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			for option, size := range map[int]int{syscall.SO_RCVBUF: 2 << 10, syscall.SO_SNDBUF: 4 << 10} {
				if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, option, size); err != nil {
					t.Error(err)
				}
			}
		})
	}}
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// quietServer answers every request with so many bytes, and counts the answers.
func quietServer(t *testing.T, size int, change func(*http.Server)) (address string, answers *atomic.Int64) {
	t.Helper()
	answers = new(atomic.Int64)
	page := strings.Repeat("x", size)
	srv := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answers.Add(1)
		io.WriteString(w, page)
	}), ServerConfig{MaxConns: 1 << 10, Later: later, Logger: slog.New(slog.DiscardHandler)})
	if change != nil {
		change(srv)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { srv.Serve(l); close(served) }()
	t.Cleanup(func() { srv.Close(); <-served })
	return l.Addr().String(), answers
}

// A client that sends one request after the other and reads nothing gets some ten answers into the kernel, not
// thousands, and its further requests stay with it.
func TestPipelinedRequestsAreBounded(t *testing.T) {
	const size = 8 << 10
	address, answers := quietServer(t, size, nil)
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	requests := strings.Repeat(request, 1000)
	c := deaf(t, address)
	sent := 0
	for stuck := false; !stuck; { // until the server, which has begun, has taken no request for a while
		before := answers.Load()
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := io.WriteString(c, requests[sent%len(request):]) // goes on with one that was sent in part
		sent += n
		stuck = err != nil && before > 0 && answers.Load() == before
		if given := answers.Load() * size; given > 16*kernelBuffer || sent > 16*kernelBuffer {
			t.Fatalf("%d bytes of answers are with the kernel, %d of requests", given, sent)
		}
	}
	if status, err := get(t, dial(t, address), "/"); err != nil || status != http.StatusOK {
		t.Errorf("meanwhile another hears %d, %v", status, err)
	}
}

// What takes a connection over, as WebSockets do, has the same little space for a client that does not read.
func TestTakenOverConnectionsAreBounded(t *testing.T) {
	written := make(chan int, 1)
	address, _ := quietServer(t, 0, func(srv *http.Server) {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := countedHijacker{w, r}.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, _ := io.WriteString(c, strings.Repeat("x", 64*kernelBuffer)) // until nothing more fits
			written <- n
		})
	})
	if _, err := io.WriteString(deaf(t, address), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if n := <-written; n > 16*kernelBuffer {
		t.Errorf("%d bytes are with the kernel", n)
	}
}

// What all clients together leave with the kernel is bounded: those that were last heard of longest ago make room, and
// none that takes its answers does.
func TestUnreadAnswersAreBoundedInAll(t *testing.T) {
	const size, most = 16 << 10, 256 << 10
	var table *connTable
	address, answers := quietServer(t, size, func(srv *http.Server) {
		table = newConnTable(1<<10, later)
		table.maxUnread = most
		srv.ConnState = table.observe
	})
	good := dial(t, address)
	if _, err := get(t, good, "/"); err != nil {
		t.Fatal(err)
	}
	var all []net.Conn
	for i := range 4 * most / size {
		c := deaf(t, address)
		all = append(all, c)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); answers.Load() < int64(i)+2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no answer")
			}
		}
	}
	// The last one is settled a moment later.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		table.mu.Lock()
		unread, open := table.unread, len(table.conns)
		table.mu.Unlock()
		if unread <= most && unread > 0 && open < len(all) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are unread on %d connections", unread, open)
		}
	}
	if status, err := get(t, good, "/"); err != nil || status != http.StatusOK {
		t.Errorf("the one that reads was cut off: %d, %v", status, err)
	}
	all[0].SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := io.Copy(io.Discard, all[0]); err == nil || n >= size {
		t.Errorf("the first one got %d bytes, %v", n, err)
	}
}
