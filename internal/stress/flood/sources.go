package flood

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// Loopback are the source addresses that suit a target on IPv4 loopback: none of them is that of a player, and they are
// more than knocks of a minute need.
var Loopback = netip.MustParsePrefix("127.64.0.0/10")

// holdsPort is for how many seconds a connection that is over holds its port: TCP's TIME-WAIT on Linux.
const holdsPort = 60

// hosts returns how many source addresses there are. The first and the last of a prefix are none where there are more
// than two: they stand for the network and for all in it.
func (c *Config) hosts() uint32 {
	n := uint32(1) << (32 - c.Sources.Bits())
	if n > 2 {
		n -= 2
	}
	return n
}

// source returns the address that the n-th client comes from.
func (c *Config) source(n int) [4]byte {
	first := c.Sources.Masked().Addr().As4()
	at := binary.BigEndian.Uint32(first[:]) + uint32(n)%c.hosts()
	if c.Sources.Bits() < 31 {
		at++
	}
	var addr [4]byte
	binary.BigEndian.PutUint32(addr[:], at)
	return addr
}

// checkSources makes sure that connections can come from the sources, and enough of them.
func checkSources(cfg *Config) error {
	p := cfg.Sources
	switch {
	case !p.IsValid() || !p.Addr().Is4() || p.Bits() < 8:
		return fmt.Errorf("%v is not a prefix of IPv4 addresses of 8 bits or more", p)
	case p.Addr().IsLoopback() != cfg.Target.Addr().IsLoopback():
		return fmt.Errorf("from %v a node at %v cannot be reached, or the other way round", p, cfg.Target.Addr())
	}
	for _, n := range []int{0, int(cfg.hosts()) - 1} {
		addr := cfg.source(n)
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: addr[:]})
		if err != nil {
			return fmt.Errorf("%v is not an address of this machine (\"ip route add local %v dev lo\" makes it one, and"+
				" the way back has to be routed here): %w", netip.AddrFrom4(addr), p.Masked(), err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	ports, err := localPorts()
	if err != nil {
		return err
	}
	needed := min(cfg.PerSecond*holdsPort, cfg.PerSecond*cfg.Length.Seconds())
	if have := float64(cfg.hosts()) * float64(ports); have < needed {
		return fmt.Errorf("%v has %.0f ports for connections, each of which is held for %d s: %.0f are needed for %.0f"+
			" knocks a second; give a larger prefix", p, have, holdsPort, needed, cfg.PerSecond)
	}
	return nil
}

// localPorts returns how many ports the system has for the connections of one address to one server.
func localPorts() (int, error) {
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil || last < first {
		return 0, fmt.Errorf("%s says %q", file, text)
	}
	return last - first + 1, nil
}
