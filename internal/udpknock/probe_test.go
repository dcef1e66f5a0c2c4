package udpknock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// Message is what memnet reads and writes.
type probeMessage struct {
	Buf   []byte
	N     int
	Addr  netip.AddrPort
	Local netip.Addr
}

func TestProbe(t *testing.T) {
	for name, tt := range map[string]struct {
		deaf   int32 // so many datagrams are lost
		forge  bool  // the answer has another nonce
		cancel time.Duration
		want   error
		took   time.Duration
		sent   int32
	}{
		"answered":            {0, false, 0, nil, 40 * time.Millisecond, 1},
		"the second answered": {1, false, 0, nil, 190 * time.Millisecond, 2},
		"nothing there":       {9, false, 0, ErrNoAnswer, time.Second, 3},
		"an answer to others": {0, true, 0, ErrNoAnswer, time.Second, 3},
		"given up":            {9, false, 300 * time.Millisecond, context.Canceled, 300 * time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{Delay: 20 * time.Millisecond})
				at := netip.MustParseAddrPort("10.0.0.1:40000")
				node, err := memnet.Listen[probeMessage](network, at)
				if err != nil {
					t.Fatal(err)
				}
				a, err := NewAnswerer(Config{Knock: func([]byte, netip.Addr, Holder, []byte) Reply {
					t.Error("a probe asks for a place in the line")
					return Reply{}
				}})
				if err != nil {
					t.Fatal(err)
				}
				var got atomic.Int32
				done := make(chan struct{})
				go func() {
					defer close(done)
					ms := []probeMessage{{Buf: make([]byte, 512)}}
					for {
						if _, err := node.ReadBatch(ms, time.Time{}); err != nil {
							return
						}
						if got.Add(1) <= tt.deaf {
							continue
						}
						b := a.Answer(nil, ms[0].Addr, ms[0].Buf[:ms[0].N])
						if tt.forge {
							b[atNonce] ^= 1
						}
						_, _ = node.WriteBatch([]probeMessage{{Buf: b, N: len(b), Addr: ms[0].Addr}})
					}
				}()
				conn, err := network.Dial(netip.MustParseAddrPort("10.0.0.2:5000"), at)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, cancel)
				}
				begin := time.Now()
				if err := Probe(ctx, conn); !errors.Is(err, tt.want) || time.Since(begin) != tt.took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(begin), tt.want, tt.took)
				}
				time.Sleep(time.Second)
				conn.Close()
				node.Close()
				<-done
				if n := got.Load(); n != tt.sent {
					t.Errorf("%d datagrams, want %d", n, tt.sent)
				}
			})
		})
	}
}

// refusing is a socket of a machine that listens at no such port.
type refusing struct{ net.Conn }

func (refusing) Write(b []byte) (int, error) { return len(b), nil }
func (refusing) Read([]byte) (int, error) {
	return 0, os.NewSyscallError("read", errors.New("refused"))
}
func (refusing) SetReadDeadline(time.Time) error { return nil }

func TestProbeOfAClosedPort(t *testing.T) {
	if err := Probe(t.Context(), refusing{}); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}
