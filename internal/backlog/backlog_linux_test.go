package backlog

import (
	"context"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// listen returns a listener that accepts nothing, for whose queue there is room for so many.
func listen(t *testing.T, limit int) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	tcp := l.(*net.TCPListener)
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctlErr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), limit) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	return tcp
}

// until returns when something is so, for which the kernel may take a moment.
func until(so func() bool) {
	for !so() {
		runtime.Gosched()
	}
}

// Connections that nothing accepts show as the length of the queue, and those that find no room as lost.
func TestQueue(t *testing.T) {
	const limit = 5
	l := listen(t, limit)
	if q, ok := Of(l); !ok || q != (Queue{0, limit}) {
		t.Fatalf("a new listener has %+v, %v", q, ok)
	}
	for range limit {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	until(func() bool { q, ok := Of(l); return ok && q.Length == limit })
	before, ok := Lost()
	if !ok {
		t.Fatal("the kernel does not tell what was lost")
	}
	ctx, cancel := context.WithCancel(t.Context())
	tries := make(chan error)
	for range 3 { // the kernel lets one more in than the limit
		go func() {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			if err == nil {
				defer c.Close()
			}
			<-ctx.Done()
			tries <- err
		}()
	}
	until(func() bool {
		lost, ok := Lost()
		return ok && lost.Overflows > before.Overflows && lost.Drops > before.Drops
	})
	cancel()
	for range 3 {
		<-tries
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	until(func() bool { q, ok := Of(l); return ok && q.Length <= limit })
	l.Close()
	if q, ok := Of(l); ok {
		t.Errorf("a closed listener has %+v", q)
	}
}
