package netcode

import (
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// endlessConn always has a full batch of garbage to read and never waits.
type endlessConn struct {
	nowhere
	reads  atomic.Int64
	closed atomic.Bool
}

func (c *endlessConn) ReadBatch(ms []Message, _ time.Time) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	c.reads.Add(1)
	for i := range ms {
		ms[i].N, ms[i].Addr = 1, clientAddr(1)
	}
	return len(ms), nil
}

// A flood must not keep the reader's processor from everybody else. On a single processor, two goroutines that yield
// after each step take turns. One that does not yield goes on until it is stopped after 10 ms, which is thousands of
// batches of garbage.
func TestReaderYieldsUnderAFlood(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c := &endlessConn{}
	s, err := NewServer(ServerConfig{
		Conn: c, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(silentHandler{})
	for c.reads.Load() == 0 {
		runtime.Gosched()
	}
	const turns = 200
	before := c.reads.Load()
	for range turns {
		runtime.Gosched()
	}
	reads := c.reads.Load() - before
	c.closed.Store(true)
	s.Stop()
	if reads > 20*turns {
		t.Errorf("the reader took %d batches in %d turns", reads, turns)
	}
}
