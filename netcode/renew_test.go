package netcode

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// Keys and addresses are replaced under a running server: the clients that are connected stay, those who come go by the
// new ones.
func TestKeysAndAddressesAreReplacedWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 16, nil)
		defer f.server.Stop()
		inside := f.connected(1)
		connects := func(when string, n int, key Key, addr netip.AddrPort, want bool) {
			t.Helper()
			inside.keepAlive()
			s := spec(uint64(n))
			s.Addresses = []netip.AddrPort{addr}
			if got := f.dial(clientAddr(n), issue(t, s, &key, f.tokens)).connect(time.Second); got != want {
				t.Errorf("%s: connected %v, want %v", when, got, want)
			}
		}
		next, elsewhere := Key{9}, netip.MustParseAddrPort("192.0.2.9:40000")
		connects("the next key, too early", 2, next, testServer, false)
		if err := f.server.SetKeys([]Key{next, testKey}); err != nil {
			t.Fatal(err)
		}
		connects("the next key", 3, next, testServer, true)
		connects("the key before", 4, testKey, testServer, true)
		if err := f.server.SetKeys([]Key{next}); err != nil {
			t.Fatal(err)
		}
		connects("the key before, withdrawn", 5, testKey, testServer, false)

		connects("the next address, too early", 6, next, elsewhere, false)
		if err := f.server.SetAddresses([]netip.AddrPort{elsewhere}); err != nil {
			t.Fatal(err)
		}
		connects("the next address", 7, next, elsewhere, true)
		connects("the address before, withdrawn", 8, next, testServer, false)

		for _, err := range []error{f.server.SetKeys(nil), f.server.SetKeys([]Key{{}}), f.server.SetAddresses(nil),
			f.server.SetAddresses([]netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1")})} {
			if err == nil {
				t.Error("what cannot be was accepted")
			}
		}
		connects("after what cannot be", 9, next, elsewhere, true)
		if f.events.peer(1) == nil {
			t.Error("a client that was connected was dropped")
		}
	})
}
