package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// ConnectWindow is how long a connect token lasts: within it a player has to connect, or to ask for another one. It
	// is short because a token works once, so that one that was stolen is only of use before its owner's.
	ConnectWindow = realm.ConnectWindow
	// ConnectionTimeout is how long the silence of one end of a realtime connection lasts before the other takes it for
	// gone. It goes into the connect token, so that both ends agree on it.
	ConnectionTimeout = 10 * time.Second
)

// channel is the realtime channel's socket, its end of the netcode protocol, and what connect tokens are made of.
type channel struct {
	conn       *netcode.UDPConn
	server     *netcode.Server
	protocolID uint64
	key        func() *netcode.Key // seals connect tokens; a function, because nothing prints what it returns
	public     []netip.AddrPort
}

// openChannel opens the socket of the realtime channel, whose goroutines have yet to be started; nil if the node has
// none.
func openChannel(ctx context.Context, cfg Config) (_ *channel, err error) {
	if cfg.UDPAddr == NoUDP {
		return nil, nil
	}
	keys, err := channelKeys(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := netcode.ListenUDP(cfg.UDPAddr, netcode.UDPOptions{})
	if err != nil {
		return nil, fmt.Errorf("server: UDP listener: %w", err)
	}
	c := &channel{conn: conn, protocolID: cfg.ProtocolID, key: func() *netcode.Key { return &keys[0] }}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if n := conn.ReadBuffer(); n > 0 && n < netcode.DefaultSocketBuffer {
		cfg.Logger.Warn("the system grants the realtime channel a small buffer, "+
			"and a burst of packets may overflow it: raise net.core.rmem_max",
			"bytes", n, "wanted", netcode.DefaultSocketBuffer)
	}
	if c.public, err = publicAddresses(ctx, cfg.UDPPublic, conn.LocalAddr()); err != nil {
		return nil, err
	}
	local, err := isLoopback(cfg.HTTPAddr)
	remote := err == nil && !local || len(cfg.TrustedProxies) > 0
	if remote && !slices.ContainsFunc(c.public, beyondLoopback) {
		cfg.Logger.Warn("players on other machines can log in, but the realtime channel's address is on loopback",
			"udp", c.public)
	}
	c.server, err = netcode.NewServer(netcode.ServerConfig{
		Conn: conn, ProtocolID: cfg.ProtocolID, Keys: keys, Addresses: c.public, MaxClients: cfg.MaxPlayers,
	})
	if err != nil {
		return nil, fmt.Errorf("server: realtime channel: %w", err)
	}
	return c, nil
}

// channelKeys returns the keys of connect tokens: those of the data folder, or one for this run of a node that keeps
// nothing.
func channelKeys(cfg Config) ([]netcode.Key, error) {
	if cfg.Backend != Memory {
		keys, err := loadKeys(cfg.DataDir)
		path := filepath.Join(cfg.DataDir, KeysName)
		if info, e := os.Stat(path); e == nil && info.Mode()&0o077 != 0 && runtime.GOOS != "windows" {
			cfg.Logger.Warn("others than its owner may use the key file, and whoever has a key can be any player",
				"file", path, "mode", info.Mode())
		}
		return keys, err
	}
	key, err := netcode.NewKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("server: key: %w", err)
	}
	return []netcode.Key{key}, nil
}

// close gives up the socket of a channel that was not started; a running one is the realm's to stop.
func (c *channel) close() { _ = c.conn.Close() } // nothing was sent

// connectToken returns what lets the player of a session into the realtime channel, once, within [ConnectWindow].
func (c *channel) connectToken(s rushgate.Session) ([]byte, error) {
	now := c.server.Now()
	return netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: c.protocolID, ClientID: uint64(s.Player), CreatedAt: now, ExpiresAt: now.Add(ConnectWindow),
		Timeout: ConnectionTimeout, Addresses: c.public, UserData: realm.TokenUserData(s),
	}, c.key(), rand.Reader)
}

// publicAddresses returns what stands in connect tokens: the addresses of public, in their order, or, if there are
// none, the socket's own.
func publicAddresses(ctx context.Context, public []string, local netip.AddrPort) ([]netip.AddrPort, error) {
	if len(public) == 0 {
		return []netip.AddrPort{local}, nil
	}
	var all []netip.AddrPort
	for _, s := range public {
		found, err := resolve(ctx, s, family(local.Addr()))
		if err != nil {
			return nil, fmt.Errorf("server: public UDP address %q: %w", s, err)
		}
		for _, a := range found {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	if len(all) > netcode.MaxAddresses {
		return nil, fmt.Errorf("%w: %d public UDP addresses, want at most %d",
			ErrInvalidConfig, len(all), netcode.MaxAddresses)
	}
	return all, nil
}

func beyondLoopback(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }

// family returns the network in which the names of a socket's public addresses are looked up: a player who is sent to
// an address of a family that the socket does not speak would wait there in vain.
func family(local netip.Addr) string {
	switch local = local.Unmap(); {
	case local.Is4():
		return "ip4"
	case local.IsUnspecified():
		return "ip" // :: stands for the addresses of both
	default:
		return "ip6"
	}
}

// resolve returns the addresses of a valid host:port.
func resolve(ctx context.Context, hostPort, network string) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(hostPort); err == nil {
		return []netip.AddrPort{unmapped(a)}, nil
	}
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, ip := range ips {
		if ip = ip.Unmap(); usable(ip) {
			found = append(found, netip.AddrPortFrom(ip, uint16(n)))
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the name has no address that players can reach")
	}
	return found, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
