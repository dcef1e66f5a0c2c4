package server

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/protocol"
)

// Backend names a store.
type Backend string

// The stores a node can keep its players in.
const (
	// SQLite keeps them in the data folder.
	SQLite Backend = "sqlite"
	// Redis keeps them in a Redis or Valkey that several nodes may share.
	Redis Backend = "redis"
	// Memory forgets them when the node stops.
	Memory Backend = "memory"
)

// Defaults of [Config].
const (
	DefaultHTTPAddr     = "127.0.0.1:8080"
	DefaultAdminAddr    = "127.0.0.1:9090"
	DefaultUDPAddr      = "127.0.0.1:40000"
	DefaultDataDir      = "./rushgate-data"
	DefaultDrainTimeout = 15 * time.Second
	// DatabaseName is the SQLite database's name within the data folder.
	DatabaseName = "rushgate.db"
	// KeysName is the name, within the data folder, of the file with the realtime channel's keys.
	KeysName = "netcode.key"
	// Unbounded is the QueueDepth of a queue without bound.
	Unbounded = -1
	// NoUDP is the UDPAddr of a node without a realtime channel but the one for browsers.
	NoUDP = "none"
)

// Config configures a node. The zero value works: it is a node on loopback with the reference world, its players in
// [DefaultDataDir].
type Config struct {
	// HTTPAddr is where players knock, host:port; port 0 lets the system choose. Default [DefaultHTTPAddr].
	HTTPAddr string
	// AdminAddr is where the operator looks, host:port. Beyond loopback it needs AdminTokenFile and TLS. Default
	// [DefaultAdminAddr].
	AdminAddr string
	// AdminTokenFile, if not empty, holds what the operator has to show; see [admin.LoadToken].
	AdminTokenFile string
	// AdminTLSCert and AdminTLSKey are PEM files, both or neither, with which the admin listener speaks TLS. Without them
	// it does so only beyond loopback, with the certificate of TLS.
	AdminTLSCert, AdminTLSKey string
	// UDPAddr is where the realtime channel is, host:port; port 0 lets the system choose, and [NoUDP] switches the channel
	// off but for browsers. Default [DefaultUDPAddr].
	UDPAddr string
	// UDPPublic is where players reach the realtime channel, one or more of host:port, as behind a router that forwards
	// the port. It goes into the connect tokens. A host may be a name, which is resolved once, at the start; all of its
	// addresses count, [netcode.MaxAddresses] of them in total at most. Default UDPAddr; required when that stands for all
	// addresses of the machine.
	UDPPublic []string
	// ProtocolID tells games and their incompatible versions apart: a token for another one opens nothing. Default
	// [protocol.ID].
	ProtocolID uint64
	// SnapshotRate is how often players are told of the world, in Hz, 1 to [realm.MaxSnapshotRate]. Default
	// [realm.DefaultSnapshotRate].
	SnapshotRate int
	// SnapshotWorkers is the number of goroutines that encode and send snapshots, up to [realm.MaxSnapshotWorkers].
	// Default the number of cores.
	SnapshotWorkers int
	// DataDir holds the database, the node's id, the realtime channel's keys and, with TLS, the certificate. Default
	// [DefaultDataDir].
	DataDir string
	// Backend is the store. Default [SQLite].
	Backend Backend
	// RedisURLs, RedisSentinel and RedisPrefix say where the store [Redis] is; see [redis.Options]. They are for that
	// store only.
	RedisURLs                  []string
	RedisSentinel, RedisPrefix string

	// TLS serves HTTPS, with a self-signed certificate kept in DataDir unless TLSCert and TLSKey are given.
	TLS bool
	// TLSCert and TLSKey are PEM files; both or neither. They imply TLS.
	TLSCert, TLSKey string
	// InsecureHTTP allows plain HTTP beyond loopback, for use behind a proxy that speaks TLS.
	InsecureHTTP bool
	// TrustedProxies are the peers whose X-Forwarded-For is believed. Default none.
	TrustedProxies []netip.Prefix
	// Origins are those of the web pages, besides the node's own, that may open the realtime channel's WebSocket, like
	// https://play.example.org; see [api.ParseOrigin]. Default none.
	Origins []string
	// MaxConns bounds the connections open at once, WebSockets included, 16 or more; what the process may open bounds it further.
	// Default [api.DefaultMaxConns].
	MaxConns int

	// Workers is the number of auth workers, 1 to [auth.MaxWorkers]. Default [auth.DefaultWorkers].
	Workers int
	// QueueDepth is how many requests may wait, or [Unbounded]. Default [auth.DefaultQueueDepth].
	QueueDepth int
	// MaxAge is the age at which a waiting request is given up, 1 s to 1 h. Default [auth.DefaultMaxAge].
	MaxAge time.Duration
	// HashIterations is the cost of new password hashes, [password.MinIterations] to [password.MaxIterations].
	// Default [password.DefaultIterations].
	HashIterations int

	// HashKernel is the way in which hashes are computed, one of [password.Kernels]; it holds for the whole process.
	// Default "auto".
	HashKernel string
	// PepperFile, if not empty, holds the keys that passwords are keyed with before they are hashed; see
	// [password.LoadPepper].
	PepperFile string

	// World is the game; nil means the reference world from Seed.
	World rushgate.World
	// Seed determines the reference world's chance. Default 0, a seed like any other.
	Seed uint64
	// Zones are the zones that other nodes on the same store serve, each with where players reach that node, host:port.
	// Who is in one of them is sent there at login ([rushgate.WrongZone]). Zones not listed are served here. Default
	// none.
	Zones map[string]string
	// MessagesPerTick caps the messages handled per tick, 1 to 1,000,000. Default [realm.DefaultMessagesPerTick].
	MessagesPerTick int
	// MaxPlayers is how many players may be inside at once, 1 to 1,000,000. Default [realm.DefaultMaxPlayers].
	MaxPlayers int
	// SessionTimeout ends sessions without a call for so long, 1 s to 1 h. Default [realm.DefaultSessionTimeout].
	SessionTimeout time.Duration

	// DrainTimeout bounds an orderly stop, 1 s to 1 h. Default [DefaultDrainTimeout].
	DrainTimeout time.Duration
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// ErrInvalidConfig is wrapped by the errors for settings that cannot be.
var ErrInvalidConfig = errors.New("invalid configuration")

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (c Config) withDefaults() Config {
	or(&c.HTTPAddr, DefaultHTTPAddr)
	or(&c.AdminAddr, DefaultAdminAddr)
	or(&c.UDPAddr, DefaultUDPAddr)
	or(&c.ProtocolID, protocol.ID)
	or(&c.SnapshotRate, realm.DefaultSnapshotRate)
	or(&c.SnapshotWorkers, min(runtime.GOMAXPROCS(0), realm.MaxSnapshotWorkers))
	or(&c.DataDir, DefaultDataDir)
	or(&c.Backend, SQLite)
	or(&c.MaxConns, api.DefaultMaxConns)
	or(&c.Workers, auth.DefaultWorkers)
	or(&c.QueueDepth, auth.DefaultQueueDepth)
	or(&c.MaxAge, auth.DefaultMaxAge)
	or(&c.HashKernel, "auto")
	or(&c.HashIterations, password.DefaultIterations)
	or(&c.MessagesPerTick, realm.DefaultMessagesPerTick)
	or(&c.MaxPlayers, realm.DefaultMaxPlayers)
	or(&c.SessionTimeout, realm.DefaultSessionTimeout)
	or(&c.DrainTimeout, DefaultDrainTimeout)
	or(&c.Logger, slog.Default())
	c.TLS = c.TLS || c.TLSCert != ""
	c.Zones = maps.Clone(c.Zones) // the node reads it as long as it runs
	c.Origins = slices.Clone(c.Origins)
	for i, origin := range c.Origins {
		if canonical, err := api.ParseOrigin(origin); err == nil { // the others are for validate
			c.Origins[i] = canonical
		}
	}
	return c
}

// validate checks a configuration that has its defaults.
func (c Config) validate() error {
	var errs []error
	number := func(name string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%w: %s is %d, want %d to %d", ErrInvalidConfig, name, v, low, high))
		}
	}
	duration := func(name string, v time.Duration) {
		if v < time.Second || v > time.Hour {
			errs = append(errs, fmt.Errorf("%w: %s is %v, want 1s to 1h", ErrInvalidConfig, name, v))
		}
	}
	number("number of connections", c.MaxConns, 16, 1<<20)
	number("number of auth workers", c.Workers, 1, auth.MaxWorkers)
	number("queue depth", c.QueueDepth, Unbounded, 1<<30)
	number("password hash iterations", c.HashIterations, password.MinIterations, password.MaxIterations)
	number("messages per tick", c.MessagesPerTick, 1, 1_000_000)
	number("number of players", c.MaxPlayers, 1, 1_000_000)
	number("snapshot rate", c.SnapshotRate, 1, realm.MaxSnapshotRate)
	number("number of snapshot workers", c.SnapshotWorkers, 1, realm.MaxSnapshotWorkers)
	duration("request age", c.MaxAge)
	duration("session timeout", c.SessionTimeout)
	duration("drain timeout", c.DrainTimeout)
	if c.Backend != SQLite && c.Backend != Redis && c.Backend != Memory {
		errs = append(errs, fmt.Errorf("%w: store is %q, want sqlite, redis or memory", ErrInvalidConfig, c.Backend))
	}
	if c.Backend != Redis && (len(c.RedisURLs) > 0 || c.RedisSentinel != "" || c.RedisPrefix != "") {
		errs = append(errs, fmt.Errorf("%w: an address of Redis, but the store is %s", ErrInvalidConfig, c.Backend))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, fmt.Errorf("%w: a TLS certificate needs its key and the other way round", ErrInvalidConfig))
	}
	if local, err := isLoopback(c.HTTPAddr); err != nil {
		errs = append(errs, fmt.Errorf("%w: HTTP address: %w", ErrInvalidConfig, err))
	} else if !local && !c.TLS && !c.InsecureHTTP {
		errs = append(errs, fmt.Errorf("%w: plain HTTP on %s would send passwords in the clear: use TLS, or allow insecure HTTP behind a proxy that speaks TLS", ErrInvalidConfig, c.HTTPAddr))
	}
	if err := c.validateAdmin(); err != nil {
		errs = append(errs, fmt.Errorf("%w: %w", ErrInvalidConfig, err))
	}
	for _, origin := range c.Origins {
		if _, err := api.ParseOrigin(origin); err != nil {
			errs = append(errs, fmt.Errorf("%w: origin %q: %w", ErrInvalidConfig, origin, err))
		}
	}
	for zone, addr := range c.Zones {
		if zone == "" {
			errs = append(errs, fmt.Errorf("%w: the zone served at %s has no name", ErrInvalidConfig, addr))
		}
		if err := validatePublic(addr); err != nil {
			errs = append(errs, fmt.Errorf("%w: zone %q: address %q: %w", ErrInvalidConfig, zone, addr, err))
		}
	}
	if err := c.validateUDP(); err != nil {
		errs = append(errs, fmt.Errorf("%w: %w", ErrInvalidConfig, err))
	}
	return errors.Join(errs...)
}

// validateUDP checks the addresses of the realtime channel, but for names, which the start resolves.
func (c Config) validateUDP() error {
	if c.UDPAddr == NoUDP {
		if len(c.UDPPublic) > 0 {
			return errors.New("there is a public UDP address, but the realtime channel is off")
		}
		return nil
	}
	addr, err := net.ResolveUDPAddr("udp", c.UDPAddr)
	if err != nil {
		return fmt.Errorf("UDP address: %w", err)
	}
	if local := addr.AddrPort().Addr().Unmap(); len(c.UDPPublic) == 0 && !usable(local) {
		return fmt.Errorf("no player can be sent to the UDP address %s: a public UDP address is needed", c.UDPAddr)
	}
	for _, public := range c.UDPPublic {
		if err := validatePublic(public); err != nil {
			return fmt.Errorf("public UDP address %q: %w", public, err)
		}
	}
	return nil
}

func validatePublic(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("want host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("want a port from 1 to 65535")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && !usable(ip) {
		return errors.New("want an address or a name that players can reach")
	}
	return nil
}

// usable reports whether an address can stand in a connect token, which has no room for a zone.
func usable(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == ""
}

// isLoopback reports whether a listener on addr can only be reached from this machine.
func isLoopback(addr string) (bool, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return false, err
	}
	return tcp.IP.IsLoopback(), nil
}
