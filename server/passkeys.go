package server

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"

	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/web"
)

// newPasskeys returns what passkeys are made for, or nil if there are none here.
func (s *Server) newPasskeys() (*passkey.Party, error) {
	origins := s.cfg.PasskeyOrigins
	if len(origins) == 0 {
		origins = s.cfg.localPages(s.httpAddr)
	}
	if len(origins) == 0 {
		return nil, nil
	}
	party, err := passkey.New(cmp.Or(s.cfg.PageTitle, "Rushgate"), origins)
	if err != nil {
		return nil, fmt.Errorf("server: %w", &SettingError{"PasskeyOrigins", err})
	}
	return party, nil
}

// localPages are the origins of the node's own pages on this machine, by a name: browsers have no passkeys for
// addresses. A node that others may reach has none that could be told.
func (c *Config) localPages(addr net.Addr) []string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsLoopback() || len(c.TrustedProxies) > 0 {
		return nil
	}
	scheme, usual := "http", uint16(80)
	if c.TLS {
		scheme, usual = "https", 443
	}
	if at.Port() == usual {
		return []string{scheme + "://localhost"}
	}
	return []string{fmt.Sprintf("%s://localhost:%d", scheme, at.Port())}
}

// setKeyring has all that the node seals for the fleet be sealed with the keys of the line.
func (s *Server) setKeyring(ring *line.Keyring) {
	s.door.SetKeyring(ring)
	if s.passkeys != nil {
		s.passkeys.SetKeyring(ring)
	}
	if s.vouchers != nil {
		s.vouchers.SetKeyring(ring)
	}
}

// look is what of the page is this node's own.
func (s *Server) look() web.Look {
	look := s.cfg.look()
	if s.passkeys != nil {
		look.PasskeyOrigins = s.passkeys.Origins()
	}
	look.Guests, look.Providers = s.cfg.GuestKeep > 0, s.vouchers != nil
	if s.cfg.Opaque != OpaqueOff {
		look.Opaque, look.PasswordMin = string(s.cfg.Opaque), s.cfg.PasswordMin
	}
	return look
}
