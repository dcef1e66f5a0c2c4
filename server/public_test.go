package server

import (
	"net/netip"
	"testing"
)

// Names are looked up in the families that the socket speaks.
func TestFamily(t *testing.T) {
	for local, want := range map[string]string{
		"127.0.0.1": "ip4", "192.0.2.1": "ip4", "::ffff:192.0.2.1": "ip4", "0.0.0.0": "ip4",
		"::1": "ip6", "2001:db8::1": "ip6", "::": "ip",
	} {
		if got := family(netip.MustParseAddr(local)); got != want {
			t.Errorf("%s: %s, want %s", local, got, want)
		}
	}
}

func TestNameWithoutAddress(t *testing.T) {
	local := netip.MustParseAddrPort("127.0.0.1:1")
	if got, err := publicAddresses(t.Context(), []string{"no..name:1"}, local); err == nil {
		t.Errorf("what is no name leads to %v", got)
	}
}
