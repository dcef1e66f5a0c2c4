package netcode

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reading runs Read until it fails.
type reading struct {
	payloads []string
	err      error
	ended    time.Time
	done     chan struct{}
}

func readAll(c *Client) *reading {
	r := &reading{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		buf := make([]byte, MaxPayload)
		for {
			n, err := c.Read(buf)
			if err != nil {
				r.err, r.ended = err, time.Now()
				return
			}
			r.payloads = append(r.payloads, string(buf[:n]))
		}
	}()
	return r
}

// wait returns the error that Read ended with.
func (r *reading) wait() error {
	<-r.done
	return r.err
}

func TestClientReadsAndWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		big := string(bytes.Repeat([]byte{'x'}, MaxPayload))
		r := readAll(c)
		for _, text := range []string{"a", big, "b"} {
			s.payload(text)
			if err := c.Write([]byte(text)); err != nil {
				t.Error(err)
			}
			if p := s.expect(packetPayload); string(p.data) != text {
				t.Errorf("the server got %d bytes, want %d", len(p.data), len(text))
			}
		}
		synctest.Wait()
		c.Close()
		r.wait()
		if !slices.Equal(r.payloads, []string{"a", big, "b"}) {
			t.Errorf("read %q", r.payloads)
		}
	})
}

func TestWriteChecksTheSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		for _, size := range []int{0, MaxPayload + 1} {
			if err := c.Write(make([]byte, size)); !errors.Is(err, ErrPayloadSize) {
				t.Errorf("Write of %d bytes: %v", size, err)
			}
		}
		if got := s.collect(sendInterval / 2); len(got) > 0 {
			t.Errorf("%d packets were sent", len(got))
		}
		c.Close()
	})
}

func TestReadIntoShortBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		s.payload("hello")
		s.payload("world")
		buf := make([]byte, 4)
		if n, err := c.Read(buf); n != 4 || !errors.Is(err, io.ErrShortBuffer) || string(buf) != "hell" {
			t.Errorf("Read = %d, %v with %q", n, err, buf)
		}
		if n, err := c.Read(make([]byte, 5)); n != 5 || err != nil {
			t.Errorf("the next Read = %d, %v", n, err)
		}
		c.Close()
	})
}

func TestWritersShareSequenceNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, each = 8, 50
		c, s, _ := connect(t, nil)
		r := readAll(c)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if err := c.Write([]byte("hello")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		seen := map[uint64]bool{}
		for _, p := range s.collect(time.Second) {
			if seen[p.seq] {
				t.Fatalf("two packets are sealed under sequence %d", p.seq)
			}
			seen[p.seq] = true
		}
		if len(seen) < writers*each {
			t.Errorf("%d packets, want %d at least", len(seen), writers*each)
		}
		c.Close()
		r.wait()
	})
}

func TestClientKeepsAliveWhenItHasNothingToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		start := time.Now()
		r := readAll(c)
		for i := range 5 {
			s.expect(packetKeepAlive)
			if got, want := time.Since(start), time.Duration(i+1)*100*time.Millisecond; got != want {
				t.Errorf("keep-alive after %v, want %v", got, want)
			}
		}
		// Payloads every 90 ms leave nothing for keep-alives to do.
		for range 20 {
			time.Sleep(90 * time.Millisecond)
			c.Write([]byte("x"))
			s.keepAlive() // else the client thinks that there is no server
		}
		last := time.Now()
		for _, p := range s.collect(0) {
			if p.t != packetPayload {
				t.Errorf("packet of type %d beside a steady stream of payloads", p.t)
			}
		}
		s.expect(packetKeepAlive)
		if got := time.Since(last); got != 100*time.Millisecond {
			t.Errorf("keep-alive %v after the last payload, want 100ms", got)
		}
		c.Close()
		r.wait()
	})
}

// A server that has fallen silent is not told ten times a second that there is a client, nor ten times that it leaves,
// until it is heard again.
func TestSilentServerIsToldLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		r := readAll(c)
		for range 2 {
			for range 10 {
				time.Sleep(100 * time.Millisecond)
				s.keepAlive()
			}
			if got := len(s.collect(0)); got < 6 || got > 11 {
				t.Errorf("%d keep-alives in a second to a server that is heard", got)
			}
			time.Sleep(quietAfter)
			s.collect(0)
			if got := len(s.collect(2 * time.Second)); got < 3 || got > 5 {
				t.Errorf("%d keep-alives in two seconds to a silent server", got)
			}
		}
		c.Close()
		r.wait()
		if got := len(s.collect(time.Second)); got != 1 {
			t.Errorf("%d goodbyes to a silent server", got)
		}
	})
}

func TestConnectionTimesOut(t *testing.T) {
	for name, last := range map[string]func(*script){
		"after keep-alive": (*script).keepAlive,
		"after payload":    func(s *script) { s.payload("x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, a := connect(t, nil)
				r := readAll(c)
				time.Sleep(4970 * time.Millisecond)
				last(s)
				heard := time.Now()
				s.collect(0)
				if err := r.wait(); !errors.Is(err, StateError{StateTimedOut}) {
					t.Errorf("Read failed with %v", err)
				}
				if got := r.ended.Sub(heard); got != 5*time.Second {
					t.Errorf("timed out %v after the last packet, want 5s", got)
				}
				a.passed(StateSendingRequest, StateSendingResponse, StateConnected, StateTimedOut)
				if err := c.Write([]byte("x")); !errors.Is(err, StateError{StateTimedOut}) {
					t.Errorf("Write failed with %v", err)
				}
				if _, err := c.Read(nil); !errors.Is(err, StateError{StateTimedOut}) {
					t.Errorf("another Read failed with %v", err)
				}
				c.Close()
				for _, p := range s.collect(time.Second) {
					if p.t == packetDisconnect {
						t.Error("goodbye after the end")
					}
				}
			})
		})
	}
}

func TestConnectionWithoutTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, func(s *TokenSpec) { s.Timeout = -1 })
		r := readAll(c)
		time.Sleep(time.Hour)
		s.payload("still there")
		synctest.Wait()
		c.Close()
		if err := r.wait(); !errors.Is(err, net.ErrClosed) || len(r.payloads) != 1 {
			t.Errorf("after an hour: %d payloads, %v", len(r.payloads), err)
		}
	})
}

// What arrived while the application did not read must not be taken for silence.
func TestSlowReaderIsNotTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		s.payload("early")
		time.Sleep(time.Minute)
		buf := make([]byte, MaxPayload)
		if n, err := c.Read(buf); string(buf[:n]) != "early" || err != nil {
			t.Fatalf("Read = %q, %v", buf[:n], err)
		}
		time.Sleep(time.Minute)
		start := time.Now()
		_, err := c.Read(buf)
		if got := time.Since(start); !errors.Is(err, StateError{StateTimedOut}) || got != drainTime {
			t.Errorf("after a minute of silence Read fails with %v after %v", err, got)
		}
	})
}

func TestServerDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, a := connect(t, nil)
		r := readAll(c)
		for range disconnectPackets {
			s.disconnect()
		}
		if err := r.wait(); !errors.Is(err, StateError{StateDisconnected}) {
			t.Errorf("Read failed with %v", err)
		}
		if err := c.Write([]byte("x")); !errors.Is(err, StateError{StateDisconnected}) {
			t.Errorf("Write failed with %v", err)
		}
		c.Close()
		a.passed(StateSendingRequest, StateSendingResponse, StateConnected, StateDisconnected)
		if got := s.collect(time.Second); len(got) > 0 {
			t.Errorf("%d packets after the end", len(got))
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, a := connect(t, nil)
		r := readAll(c)
		synctest.Wait()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := r.wait(); !errors.Is(err, net.ErrClosed) || r.ended != start {
			t.Errorf("Read ended with %v, %v after Close", err, r.ended.Sub(start))
		}
		if err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write failed with %v", err)
		}
		a.passed(StateSendingRequest, StateSendingResponse, StateConnected, StateDisconnected)
		got := s.collect(time.Second)
		for _, p := range got {
			if p.t != packetDisconnect {
				t.Errorf("packet of type %d in the goodbye", p.t)
			}
		}
		if len(got) != disconnectPackets || c.State() != StateDisconnected {
			t.Errorf("%d goodbyes, state %v", len(got), c.State())
		}
	})
}

// A callback may do what the application does on that occasion.
func TestCloseInsideOnState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		c.opts.OnState = func(State) { c.Close() }
		s.disconnect()
		if _, err := c.Read(nil); !errors.Is(err, StateError{StateDisconnected}) {
			t.Errorf("Read failed with %v", err)
		}
	})
}
