package netcode

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestTenThousandClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of cryptography")
	}
	synctest.Test(t, func(t *testing.T) {
		const clients, wave = 10_000, 1000
		f := serve(t, memnet.Options{}, clients, nil)
		defer f.server.Stop()
		all := make([]*wireClient, 0, clients)
		for len(all) < clients {
			from := len(all)
			for n := from; n < from+wave; n++ {
				s := spec(uint64(n))
				s.Timeout = time.Minute
				c := f.dial(clientAddr(n), f.token(s))
				c.request()
				all = append(all, c)
			}
			for _, c := range all[from:] {
				if !c.await(packetChallenge, time.Second) {
					t.Fatal("no challenge")
				}
				c.respond()
			}
			for _, c := range all[from:] {
				if !c.await(packetKeepAlive, time.Second) {
					t.Fatal("no slot")
				}
				c.payload("here")
			}
		}
		eventually(t, "all payloads have arrived", func() bool {
			return f.server.Stats().PacketsReceived == 3*clients
		})
		slots := map[uint32]bool{}
		for n, c := range all {
			slots[c.slot.index] = true
			if f.events.got(uint64(n), "here") != 1 {
				t.Fatalf("client %d: its payload did not arrive", n)
			}
		}
		if got := f.server.Stats(); len(slots) != clients || got.Clients != clients || got.Ignored != (IgnoredStats{}) {
			t.Errorf("%d slots, %d clients, ignored %+v", len(slots), got.Clients, got.Ignored)
		}
	})
}
