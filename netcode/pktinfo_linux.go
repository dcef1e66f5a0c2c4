//go:build !netcode_portable

package netcode

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pktinfo is the room for one control message that says to which address of this machine a datagram came, or from which
// it is to leave: struct in_pktinfo of ip(7) or, being larger, struct in6_pktinfo of ipv6(7) after a struct cmsghdr. It
// is an array of words for their alignment.
type pktinfo [5]uint64

// Sizes of the two control messages; what follows the header begins on a word.
const (
	wordSize      = int(unsafe.Sizeof(uintptr(0)))
	controlHeader = (unix.SizeofCmsghdr + wordSize - 1) &^ (wordSize - 1)
	controlIPv4   = controlHeader + unix.SizeofInet4Pktinfo
	controlIPv6   = controlHeader + unix.SizeofInet6Pktinfo
	controlRoom   = int(unsafe.Sizeof(pktinfo{}))
)

func (c *pktinfo) header() *unix.Cmsghdr    { return (*unix.Cmsghdr)(unsafe.Pointer(c)) }
func (c *pktinfo) ipv4() *unix.Inet4Pktinfo { return (*unix.Inet4Pktinfo)(c.data()) }
func (c *pktinfo) ipv6() *unix.Inet6Pktinfo { return (*unix.Inet6Pktinfo)(c.data()) }
func (c *pktinfo) data() unsafe.Pointer     { return unsafe.Add(unsafe.Pointer(c), controlHeader) }

// local returns the address in the n bytes of control messages that came with a datagram, or the zero value. The system
// appends no other message, since no other was asked for.
func (c *pktinfo) local(n int) netip.Addr {
	h := c.header()
	var a netip.Addr
	switch {
	case n >= controlIPv4 && h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO:
		a = netip.AddrFrom4(c.ipv4().Spec_dst)
	case n >= controlIPv6 && h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO:
		a = netip.AddrFrom16(c.ipv6().Addr).Unmap()
	}
	if a.IsMulticast() { // nothing can be sent from there
		return netip.Addr{}
	}
	return a
}

// setLocal makes c the message for a datagram that is to leave from a, on a socket of either family, and returns its
// size; 0 if the socket cannot send from there. The interface is left to the system.
func (c *pktinfo) setLocal(a netip.Addr, ipv6 bool) int {
	*c = pktinfo{}
	h := c.header()
	switch {
	case ipv6:
		h.Level, h.Type = unix.SOL_IPV6, unix.IPV6_PKTINFO
		h.SetLen(controlIPv6)
		c.ipv6().Addr = a.As16()
		return controlIPv6
	case a.Is4():
		h.Level, h.Type = unix.SOL_IP, unix.IP_PKTINFO
		h.SetLen(controlIPv4)
		c.ipv4().Spec_dst = a.As4()
		return controlIPv4
	default:
		return 0
	}
}
