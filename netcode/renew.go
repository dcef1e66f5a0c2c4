package netcode

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// SetKeys replaces the private keys, as [ServerConfig] has them. Connections that exist and handshakes that have begun
// go on; requests from now on need a token that one of the new keys opens. An error leaves the keys as they were.
// SetKeys may be called at any time and from any goroutine.
func (s *Server) SetKeys(keys []Key) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	s.storeKeys(keys)
	return nil
}

// SetAddresses replaces the addresses under which clients know this server, as [ServerConfig] has them. Connections go
// on; requests from now on need a token that names one of the new addresses. To let in the clients that have a token
// for a former address, leave that in until their tokens have expired. An error leaves the addresses as they were.
// SetAddresses may be called at any time and from any goroutine.
func (s *Server) SetAddresses(addresses []netip.AddrPort) error {
	if err := checkAddresses(addresses); err != nil {
		return err
	}
	s.storeAddresses(addresses)
	return nil
}

func checkKeys(keys []Key) error {
	switch {
	case len(keys) == 0:
		return errors.New("netcode: server without a private key")
	case slices.Contains(keys, Key{}):
		return errZeroKey
	}
	return nil
}

func checkAddresses(addresses []netip.AddrPort) error {
	if len(addresses) == 0 {
		return errors.New("netcode: server without an address")
	}
	for _, a := range addresses {
		if !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified() {
			return fmt.Errorf("netcode: no client can reach server address %v", a)
		}
	}
	return nil
}

func (s *Server) storeKeys(keys []Key) {
	own := make([]*Key, 0, len(keys))
	for _, k := range keys {
		own = append(own, &k)
	}
	s.keys.Store(&own)
}

func (s *Server) storeAddresses(addresses []netip.AddrPort) {
	own := make(map[netip.AddrPort]struct{}, len(addresses))
	for _, a := range addresses {
		own[netip.AddrPortFrom(a.Addr().Unmap(), a.Port())] = struct{}{}
	}
	s.addresses.Store(&own)
}
