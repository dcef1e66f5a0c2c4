//go:build !netcode_portable

package netcode

import (
	"net/netip"
	"testing"
	"time"
)

// A client on a machine with several addresses gets its answers from the one that it wrote to.
func TestWildcardSocketAnswersFromTheAddressWrittenTo(t *testing.T) {
	tests := map[string]struct{ listen, public string }{
		"IPv4":                  {"0.0.0.0:0", "127.0.0.2"},
		"IPv4 on a dual socket": {"[::]:0", "127.0.0.2"},
		"IPv6":                  {"[::]:0", "::1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			conn := listenUDP(t, tt.listen)
			ip := netip.MustParseAddr(tt.public)
			probe := listenUDP(t, netip.AddrPortFrom(ip, 0).String()) // skips if there is no such address
			public := netip.AddrPortFrom(ip, conn.LocalAddr().Port())

			sent := outgoing(3, public)
			if n, err := probe.WriteBatch(sent); n != 3 || err != nil {
				t.Fatalf("sent %d of 3, error %v", n, err)
			}
			got := receive(t, conn, 3, 64)
			for _, m := range got {
				if m.Local != ip {
					t.Errorf("arrived at %v, want %v", m.Local, ip)
				}
			}
			if n, err := conn.WriteBatch(got); n != 3 || err != nil {
				t.Fatalf("answered %d of 3, error %v", n, err)
			}
			checkReceived(t, receive(t, probe, 3, 64), sent, public)

			server, err := NewServer(ServerConfig{
				Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{public},
				MaxClients: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			server.Start(silentHandler{})
			defer server.Stop()
			token := tokenFor(t, func(s *TokenSpec) {
				s.ExpiresAt = s.CreatedAt.Add(time.Hour)
				s.Timeout = -1
				s.Addresses = []netip.AddrPort{public}
			})
			client, err := Dial(t.Context(), token, ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			client.Close()
		})
	}
}

// A message without a local address, as for one that does not answer anything, leaves the choice to the system, also
// in a vector that was used with one before.
func TestWildcardSocketWithoutLocalAddress(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		conn, to := listenUDP(t, listen), listenUDP(t, "127.0.0.1:0")
		ms := outgoing(2, to.LocalAddr())
		for _, local := range []string{"127.0.0.2", ""} {
			want := netip.MustParseAddr("127.0.0.1")
			for i := range ms {
				ms[i].Local = netip.Addr{}
				if local != "" {
					want = netip.MustParseAddr(local)
					ms[i].Local = want
				}
			}
			if n, err := conn.WriteBatch(ms); n != 2 || err != nil {
				t.Fatalf("sent %d of 2, error %v", n, err)
			}
			from := netip.AddrPortFrom(want, conn.LocalAddr().Port())
			checkReceived(t, receive(t, to, 2, 64), ms, from)
		}
	}
}

// An address that is not of this machine is refused for its datagram alone.
func TestWildcardSocketSkipsForeignLocalAddress(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		conn, to := listenUDP(t, listen), listenUDP(t, "127.0.0.1:0")
		ms := outgoing(3, to.LocalAddr())
		ms[1].Local = netip.MustParseAddr("192.0.2.1")
		if n, err := conn.WriteBatch(ms); n != 2 || err != nil {
			t.Errorf("sent %d, error %v, want 2", n, err)
		}
	}
}

func TestPktinfo(t *testing.T) {
	tests := []struct {
		addr      string
		four, six bool // a socket of that family can send from there
	}{
		{"10.1.2.3", true, true},
		{"2001:db8::1", false, true},
	}
	for _, tt := range tests {
		for ipv6, want := range map[bool]bool{false: tt.four, true: tt.six} {
			var c pktinfo
			a := netip.MustParseAddr(tt.addr)
			n := c.setLocal(a, ipv6)
			if n > 0 != want || n > controlRoom {
				t.Errorf("%v, IPv6 %t: %d bytes", a, ipv6, n)
			}
			if n > 0 && c.local(n) != a {
				t.Errorf("%v, IPv6 %t: back as %v", a, ipv6, c.local(n))
			}
			for short := range n {
				if got := c.local(short); got.IsValid() {
					t.Errorf("%v, IPv6 %t: %d of %d bytes give %v", a, ipv6, short, n, got)
				}
			}
		}
	}
	var c pktinfo
	if n := c.setLocal(netip.MustParseAddr("ff02::1"), true); c.local(n).IsValid() {
		t.Error("a multicast address is nowhere to send from")
	}
}
