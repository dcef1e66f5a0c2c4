package wschannel

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A slot never gives out anything but the newest snapshot, and each at most once.
func TestSlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, buf := newSlot(), []byte(nil)
		last, waiting := 0, false
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				last = last%255 + 1
				if s.put(snapshot(last)) != waiting {
					t.Fatalf("a snapshot was replaced: %v", !waiting)
				}
				waiting = true
			},
			"take": func(t *rapid.T) {
				var ok bool
				buf, ok = s.take(buf)
				if ok != waiting || ok && !bytes.Equal(buf, snapshot(last)) {
					t.Fatalf("took %v %v", ok, buf)
				}
				waiting = false
			},
			"": func(t *rapid.T) {
				if waiting && len(s.ready) == 0 {
					t.Fatal("nobody is told of the snapshot")
				}
			},
		})
	})
}

// void is a connection on which nothing comes and everything goes.
type void struct{ closed chan struct{} }

func (v void) Read([]byte) (int, error)         { <-v.closed; return 0, io.EOF }
func (v void) Write(p []byte) (int, error)      { return len(p), nil }
func (v void) Close() error                     { close(v.closed); return nil }
func (v void) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (v void) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (v void) SetDeadline(time.Time) error      { return nil }
func (v void) SetReadDeadline(time.Time) error  { return nil }
func (v void) SetWriteDeadline(time.Time) error { return nil }

type voidWriter struct {
	http.ResponseWriter
	conn void
}

func (w voidWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// writing returns a connection whose snapshots are sent to nowhere.
func writing(t testing.TB) *conn {
	t.Helper()
	c := New(nil, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": Subprotocol,
	} {
		r.Header.Set(name, value)
	}
	w := voidWriter{httptest.NewRecorder(), void{make(chan struct{})}}
	if err := c.Serve(w, r, Guest{}); err != nil || len(c.conns) != 1 {
		t.Fatalf("%v, %d connections", err, len(c.conns))
	}
	t.Cleanup(c.Stop)
	for n := range c.conns {
		t.Cleanup(func() { n.end(left) })
		n.tasks.Go(n.write)
		return n
	}
	return nil
}

// sendOne sends a snapshot and waits until it is on its way.
func (c *conn) sendOne(b []byte) {
	before := c.channel.stats.snapshotsSent.Load()
	c.send(b)
	for c.channel.stats.snapshotsSent.Load() == before {
		runtime.Gosched()
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	c, b := writing(t), make([]byte, 1200)
	c.sendOne(b)
	c.sendOne(b) // both buffers have grown
	if n := testing.AllocsPerRun(1000, func() { c.sendOne(b) }); n != 0 {
		t.Errorf("%v allocations per snapshot", n)
	}
	if n := testing.AllocsPerRun(1000, c.onFrame); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkSend is a snapshot's way into the slot: all that those who make snapshots pay.
func BenchmarkSend(b *testing.B) {
	c, snapshot := newConn(New(nil, nil), Guest{}), make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		c.send(snapshot)
	}
}

// BenchmarkSendAndWrite is its whole way, but for the system call.
func BenchmarkSendAndWrite(b *testing.B) {
	c, snapshot := writing(b), make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		c.sendOne(snapshot)
	}
}
