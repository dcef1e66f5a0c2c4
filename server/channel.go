package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/internal/udpknock"
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
	keys       atomic.Pointer[[]netcode.Key] // the first seals connect tokens; nothing prints what is behind the pointer
	public     *publicAddresses
	knocks     *udpknock.Answerer // of clients that ask by UDP
}

// openChannel opens the socket of the realtime channel, or takes that of the node that this one is to go on in place
// of, and finds out what it needs to be served; nil if the node has none.
func openChannel(ctx context.Context, cfg Config, from *successor) (_ *channel, err error) {
	if cfg.UDPAddr == NoUDP {
		return nil, nil
	}
	keys, err := channelKeys(cfg)
	if err != nil {
		return nil, err
	}
	var conn *netcode.UDPConn
	if from != nil {
		conn, err = from.udp()
	} else {
		conn, err = netcode.ListenUDP(cfg.UDPAddr, netcode.UDPOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("server: UDP listener: %w", &SettingError{"UDPAddr", err})
	}
	c := &channel{conn: conn, protocolID: cfg.ProtocolID}
	c.keys.Store(&keys)
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
	c.public = newPublicAddresses(cfg.UDPPublic, conn.LocalAddr(), cfg.Logger)
	if err := c.public.begin(ctx); err != nil {
		return nil, err
	}
	local, err := isLoopback(cfg.HTTPAddr)
	remote := err == nil && !local || len(cfg.TrustedProxies) > 0
	if remote && !slices.ContainsFunc(c.public.all(), beyondLoopback) {
		cfg.Logger.Warn("players on other machines can log in, but the realtime channel's address is on loopback",
			"udp", c.public.all())
	}
	return c, nil
}

// assemble makes the end of the netcode protocol, whose goroutines have yet to be started, with the connections of
// another if there is a state. Clients in the line ask over the same port, and knock says what they are told.
func (c *channel) assemble(cfg Config, knock udpknock.Config, state []byte) (err error) {
	if c.knocks, err = udpknock.NewAnswerer(knock); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	c.server, err = netcode.NewServer(netcode.ServerConfig{
		Conn: c.conn, ProtocolID: cfg.ProtocolID, Keys: *c.keys.Load(), Addresses: c.public.all(),
		MaxClients: cfg.MaxPlayers, Replace: realm.MayReplace, Other: c.knocks.Answer, State: state,
	})
	if err != nil {
		return fmt.Errorf("server: realtime channel: %w", err)
	}
	c.public.changed = c.server.SetAddresses
	return nil
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
		Timeout: ConnectionTimeout, Addresses: c.public.all(), UserData: realm.TokenUserData(s),
	}, &(*c.keys.Load())[0], rand.Reader)
}

// reloadKeys reads the keys of the data folder again. What was sealed with a key that is gone opens nothing any more.
func (c *channel) reloadKeys(path string) (changed bool, err error) {
	keys, err := readKeys(path)
	if err != nil {
		return false, err
	}
	before := *c.keys.Load()
	if slices.Equal(keys, before) {
		return false, nil
	}
	// The server first: it has to know what seals a token before there is one.
	if err := c.server.SetKeys(keys); err != nil {
		return false, fmt.Errorf("server: keys: %w", err)
	}
	c.keys.Store(&keys)
	return true, nil
}

func beyondLoopback(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }
