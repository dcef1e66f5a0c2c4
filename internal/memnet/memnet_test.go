package memnet_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

type message struct {
	Buf   []byte
	N     int
	Addr  netip.AddrPort
	Local netip.Addr
}

var (
	serverAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	clientAddr = netip.MustParseAddrPort("10.0.0.2:50000")
)

// pair returns a listener at serverAddr and a socket at clientAddr connected to it.
func pair(t *testing.T, opts memnet.Options) (*memnet.Network, *memnet.Listener[message], net.Conn) {
	t.Helper()
	network := memnet.New(opts)
	listener, err := memnet.Listen[message](network, serverAddr)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := network.Dial(clientAddr, serverAddr)
	if err != nil {
		t.Fatal(err)
	}
	return network, listener, conn
}

// arrivals sends the numbers 0 to count-1 and returns them as they arrive. Damaged ones are numbers too.
func arrivals(t *testing.T, opts memnet.Options, count uint32) []uint32 {
	t.Helper()
	var got []uint32
	opts.Queue = 2 * int(count)
	synctest.Test(t, func(t *testing.T) {
		_, listener, conn := pair(t, opts)
		for i := range count {
			conn.Write(binary.BigEndian.AppendUint32(nil, i))
		}
		ms := []message{{Buf: make([]byte, 8)}}
		for {
			n, err := listener.ReadBatch(ms, time.Now().Add(time.Second))
			if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
				return
			}
			if err != nil || n != 1 || ms[0].N != 4 || ms[0].Addr != clientAddr {
				t.Fatalf("ReadBatch = %d, %v with N = %d from %v", n, err, ms[0].N, ms[0].Addr)
			}
			got = append(got, binary.BigEndian.Uint32(ms[0].Buf))
		}
	})
	return got
}

func inOrder(count uint32) []uint32 {
	all := make([]uint32, count)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

func TestPerfectNetworkDeliversAllInOrder(t *testing.T) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		if got := arrivals(t, memnet.Options{Delay: delay}, 1000); !slices.Equal(got, inOrder(1000)) {
			t.Errorf("delay %v: %d datagrams arrived, or not in order", delay, len(got))
		}
	}
}

func TestFateDependsOnSeedAlone(t *testing.T) {
	opts := memnet.Options{Loss: 0.2, Duplicate: 0.2, Reorder: 0.2, Corrupt: 0.2, Delay: time.Millisecond, Seed: 7}
	first, again := arrivals(t, opts, 1000), arrivals(t, opts, 1000)
	if !slices.Equal(first, again) {
		t.Error("the same seed led to different arrivals")
	}
	opts.Seed = 8
	if slices.Equal(first, arrivals(t, opts, 1000)) {
		t.Error("another seed led to the same arrivals")
	}
}

func TestFaults(t *testing.T) {
	const count = 10_000
	tests := []struct {
		name                string
		opts                memnet.Options
		minimum, maximum    int // arrivals
		ordered, undamaged  bool
		fewestKept, mostGot int // distinct numbers below count
	}{
		{"loss", memnet.Options{Loss: 0.3}, 6800, 7200, true, true, 6800, 7200},
		{"all lost", memnet.Options{Loss: 1}, 0, 0, true, true, 0, 0},
		{"duplicate", memnet.Options{Duplicate: 0.3}, 12_800, 13_200, true, true, count, count},
		{"reorder", memnet.Options{Reorder: 0.3}, count, count, false, true, count, count},
		{"corrupt", memnet.Options{Corrupt: 0.3}, count, count, false, false, 6800, 9500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := arrivals(t, tt.opts, count)
			if len(got) < tt.minimum || len(got) > tt.maximum {
				t.Errorf("%d datagrams arrived, want %d to %d", len(got), tt.minimum, tt.maximum)
			}
			distinct, ordered, undamaged := map[uint32]bool{}, slices.IsSorted(got), true
			for _, i := range got {
				if i < count {
					distinct[i] = true
				} else {
					undamaged = false
				}
			}
			if ordered != tt.ordered || undamaged != tt.undamaged {
				t.Errorf("ordered %v, undamaged %v, want %v, %v", ordered, undamaged, tt.ordered, tt.undamaged)
			}
			if len(distinct) < tt.fewestKept || len(distinct) > tt.mostGot {
				t.Errorf("%d distinct numbers arrived, want %d to %d", len(distinct), tt.fewestKept, tt.mostGot)
			}
		})
	}
}

func TestDelayIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, listener, conn := pair(t, memnet.Options{Delay: 30 * time.Millisecond})
		start := time.Now()
		conn.Write([]byte("ping"))
		ms := []message{{Buf: make([]byte, 8)}}
		listener.ReadBatch(ms, start.Add(time.Second))
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("there after %v, want 30ms", took)
		}
		listener.WriteBatch(ms)
		n, err := conn.Read(make([]byte, 8))
		if took := time.Since(start); n != 4 || err != nil || took != 60*time.Millisecond {
			t.Errorf("back with %d bytes and %v after %v, want 4, nil, 60ms", n, err, took)
		}
	})
}

func TestSetOptionsChangesARunningNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, listener, conn := pair(t, memnet.Options{})
		network.SetOptions(memnet.Options{Loss: 1})
		conn.Write([]byte{1})
		network.SetOptions(memnet.Options{})
		conn.Write([]byte{2})
		ms := make([]message, 4)
		for i := range ms {
			ms[i].Buf = make([]byte, 1)
		}
		if n, err := listener.ReadBatch(ms, time.Time{}); n != 1 || err != nil || ms[0].Buf[0] != 2 {
			t.Errorf("ReadBatch = %d, %v with first byte %d, want only the second datagram", n, err, ms[0].Buf[0])
		}
	})
}

func TestTruncationShows(t *testing.T) {
	_, listener, conn := pair(t, memnet.Options{})
	conn.Write(make([]byte, 9))
	conn.Write(make([]byte, 8))
	ms := []message{{Buf: make([]byte, 8)}, {Buf: make([]byte, 8)}}
	n, err := listener.ReadBatch(ms, time.Time{})
	if n != 2 || err != nil || ms[0].N != 9 || ms[1].N != 8 {
		t.Errorf("ReadBatch = %d, %v with N = %d and %d, want 2, nil, 9, 8", n, err, ms[0].N, ms[1].N)
	}
}

func TestQueueIsBounded(t *testing.T) {
	_, listener, conn := pair(t, memnet.Options{Queue: 3})
	for i := range byte(10) {
		conn.Write([]byte{i})
	}
	ms := make([]message, 10)
	for i := range ms {
		ms[i].Buf = make([]byte, 1)
	}
	if n, _ := listener.ReadBatch(ms, time.Time{}); n != 3 || ms[2].Buf[0] != 2 {
		t.Errorf("%d datagrams were kept, want the first 3", n)
	}
}

func TestConnectedSocketHearsItsPeerOnly(t *testing.T) {
	network, listener, conn := pair(t, memnet.Options{})
	stranger, err := memnet.Listen[message](network, netip.MustParseAddrPort("10.0.0.3:1"))
	if err != nil {
		t.Fatal(err)
	}
	stranger.WriteBatch([]message{{Buf: []byte{1}, N: 1, Addr: clientAddr}})
	listener.WriteBatch([]message{{Buf: []byte{2}, N: 1, Addr: clientAddr}})
	b := make([]byte, 2)
	if n, err := conn.Read(b); n != 1 || err != nil || b[0] != 2 {
		t.Errorf("Read = %d, %v with %v, want the peer's datagram", n, err, b)
	}
}

func TestAddressIsTakenUntilClose(t *testing.T) {
	network, listener, _ := pair(t, memnet.Options{})
	if _, err := network.Dial(serverAddr, clientAddr); !errors.Is(err, memnet.ErrAddressInUse) {
		t.Errorf("Dial from a taken address: %v", err)
	}
	listener.Close()
	if _, err := memnet.Listen[message](network, serverAddr); err != nil {
		t.Errorf("Listen after Close: %v", err)
	}
}
