package netcode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// MaxAddresses is the largest number of server addresses in a connect token.
const MaxAddresses = 32

// Address types on the wire.
const (
	addressIPv4 = 1
	addressIPv6 = 2
)

// appendAddresses appends the count and the addresses. The caller has checked that there are at most MaxAddresses.
// The eight groups of an IPv6 address are little-endian 16-bit words, unlike in an IPv6 header.
func appendAddresses(dst []byte, addresses []netip.AddrPort) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(addresses)))
	for _, a := range addresses {
		if ip := a.Addr(); ip.Is4() {
			b := ip.As4()
			dst = append(append(dst, addressIPv4), b[:]...)
		} else {
			b := ip.As16()
			dst = append(dst, addressIPv6)
			for i := 0; i < len(b); i += 2 {
				dst = append(dst, b[i+1], b[i])
			}
		}
		dst = binary.LittleEndian.AppendUint16(dst, a.Port())
	}
	return dst
}

// parseAddresses appends the addresses at the start of b to dst and returns the bytes after them.
func parseAddresses(dst []netip.AddrPort, b []byte) (addresses []netip.AddrPort, rest []byte, err error) {
	if len(b) < 4 {
		return dst, nil, fmt.Errorf("%w: ends before the server addresses", ErrInvalidToken)
	}
	n := binary.LittleEndian.Uint32(b)
	if n < 1 || n > MaxAddresses {
		return dst, nil, fmt.Errorf("%w: %d server addresses, want 1 to %d", ErrInvalidToken, n, MaxAddresses)
	}
	b = b[4:]
	for range n {
		var a netip.AddrPort
		if a, b, err = parseAddress(b); err != nil {
			return dst, nil, err
		}
		dst = append(dst, a)
	}
	return dst, b, nil
}

// parseAddress reads one address and returns the bytes after it.
func parseAddress(b []byte) (netip.AddrPort, []byte, error) {
	var ip netip.Addr
	switch {
	case len(b) >= 1+4+2 && b[0] == addressIPv4:
		ip = netip.AddrFrom4([4]byte(b[1:]))
		b = b[1+4:]
	case len(b) >= 1+16+2 && b[0] == addressIPv6:
		var a [16]byte
		for i := 0; i < len(a); i += 2 {
			a[i], a[i+1] = b[1+i+1], b[1+i]
		}
		ip = netip.AddrFrom16(a)
		b = b[1+16:]
	case len(b) == 0 || b[0] == addressIPv4 || b[0] == addressIPv6:
		return netip.AddrPort{}, nil, fmt.Errorf("%w: ends inside the server addresses", ErrInvalidToken)
	default:
		return netip.AddrPort{}, nil, fmt.Errorf("%w: server address type %d, want 1 or 2", ErrInvalidToken, b[0])
	}
	return netip.AddrPortFrom(ip, binary.LittleEndian.Uint16(b)), b[2:], nil
}
