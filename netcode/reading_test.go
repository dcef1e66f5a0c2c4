package netcode

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// scriptedConn answers each ReadBatch with so many datagrams of garbage and notes when it was called.
type scriptedConn struct {
	nowhere
	counts []int
	err    error // returned with the last count
	reads  []time.Duration
	start  time.Time
}

func (c *scriptedConn) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	c.reads = append(c.reads, time.Since(c.start))
	if len(c.counts) == 0 {
		time.Sleep(time.Until(deadline))
		return 0, os.ErrDeadlineExceeded
	}
	n := c.counts[0]
	c.counts = c.counts[1:]
	for i := range n {
		ms[i].N, ms[i].Addr = 1, clientAddr(1)
	}
	if len(c.counts) == 0 {
		return n, c.err
	}
	return n, nil
}

func startScripted(t *testing.T, c *scriptedConn) *Server {
	t.Helper()
	s, err := NewServer(ServerConfig{
		Conn: c, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.start = time.Now()
	s.Start(silentHandler{})
	return s
}

func TestReaderPausesAfterABatchThatWasNotFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scriptedConn{counts: []int{readBatch, readBatch, 3, 1, readBatch, 1}}
		s := startScripted(t, c)
		time.Sleep(50 * time.Millisecond)
		s.Stop()
		const p = pollInterval
		want := []time.Duration{0, 0, 0, p, 2 * p, 2 * p, 3 * p}
		if !slices.Equal(c.reads, want) {
			t.Errorf("reads at %v, want %v", c.reads, want)
		}
	})
}

func TestStopInterruptsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startScripted(t, &scriptedConn{counts: []int{1}})
		synctest.Wait() // the reader has paused
		start := time.Now()
		s.Stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("Stop took %v", took)
		}
	})
}

// A read that fails must neither end the server nor make it spin.
func TestReadErrorsAreCountedAndSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scriptedConn{counts: []int{0}, err: errors.New("network is down")}
		s := startScripted(t, c)
		time.Sleep(50 * time.Millisecond)
		s.Stop()
		if got := s.Stats().ReadErrors; got != 1 || !slices.Equal(c.reads, []time.Duration{0, pollInterval}) {
			t.Errorf("%d errors counted, reads at %v", got, c.reads)
		}
	})
}

// While nothing comes, the server wakes for its passes only, and these keep their rhythm.
func TestIdleServerWakesTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scriptedConn{}
		s := startScripted(t, c)
		time.Sleep(time.Second + passInterval/2)
		s.Stop()
		if len(c.reads) != 11 || c.reads[10] != 10*passInterval {
			t.Errorf("reads at %v", c.reads)
		}
	})
}
