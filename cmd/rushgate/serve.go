package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/world"
)

// serveFlags are the settings of a node as the command line has them.
type serveFlags struct {
	httpAddr, adminAddr, data, cert, key, worldFile text
	adminToken, adminCert, adminKey                 text
	udpAddr                                         text
	udpPublic, origins                              words
	protocolID                                      hexID
	snapshotRate, threads                           number
	db, logFormat, logLevel, kernel                 choice
	redis                                           redisFlags
	pepper                                          text
	tls, insecure                                   toggle
	proxies                                         prefixes
	zones                                           zones
	conns, workers, depth, iterations, messages     number
	players                                         number
	seed                                            seed
	maxAge, sessionTimeout, drain                   span
}

func newServeFlags() *serveFlags {
	return &serveFlags{
		httpAddr:       server.DefaultHTTPAddr,
		adminAddr:      server.DefaultAdminAddr,
		udpAddr:        server.DefaultUDPAddr,
		protocolID:     hexID(protocol.ID),
		snapshotRate:   number{realm.DefaultSnapshotRate, 1, realm.MaxSnapshotRate},
		threads:        number{min(runtime.GOMAXPROCS(0), realm.MaxSnapshotWorkers), 1, realm.MaxSnapshotWorkers},
		data:           server.DefaultDataDir,
		db:             choice{"sqlite", []string{"sqlite", "redis", "memory"}},
		redis:          newRedisFlags(),
		logFormat:      choice{"text", []string{"text", "json"}},
		logLevel:       choice{"info", []string{"debug", "info", "warn", "error"}},
		kernel:         choice{"auto", password.Kernels()},
		conns:          number{api.DefaultMaxConns, 16, 1 << 20},
		workers:        number{auth.DefaultWorkers, 1, auth.MaxWorkers},
		depth:          number{auth.DefaultQueueDepth, 0, 1 << 30},
		iterations:     number{password.DefaultIterations, password.MinIterations, password.MaxIterations},
		messages:       number{realm.DefaultMessagesPerTick, 1, 1_000_000},
		players:        number{realm.DefaultMaxPlayers, 1, 1_000_000},
		maxAge:         span{auth.DefaultMaxAge, time.Second, time.Hour},
		sessionTimeout: span{realm.DefaultSessionTimeout, time.Second, time.Hour},
		drain:          span{server.DefaultDrainTimeout, time.Second, time.Hour},
	}
}

func (v *serveFlags) declare() *flags {
	f := newFlags(`Usage: rushgate serve [flags]

Runs a node until it is interrupted: players knock at --http and play over --udp, the operator looks at --admin. Once it
accepts, it prints one line, "ready http=ADDR admin=ADDR udp=ADDR". The first SIGINT or SIGTERM drains it: new logins are
told that the server is busy, queued ones finish, everyone is saved. A second one ends it at once.

  rushgate serve                                          on this machine only
  rushgate serve --http 0.0.0.0:443 --tls --udp 0.0.0.0:40000 --udp-public play.example.org:40000
                                                          for the network, self-signed
  rushgate serve --http :443 --tls-cert c.pem --tls-key k.pem --udp none

Each flag with a name in brackets can be set by that environment variable instead.`)
	f.add(&v.httpAddr, "http", "", "`ADDR` for players, host:port; port 0 lets the system choose")
	f.add(&v.adminAddr, "admin", "", "`ADDR` for the operator, host:port; beyond loopback it needs --admin-token-file and TLS")
	f.add(&v.adminToken, "admin-token-file", "", "`FILE` with what the operator has to show, at least 32 characters, not readable by everybody")
	f.add(&v.adminCert, "admin-tls-cert", "", "`FILE` with the certificate chain of --admin, PEM; beyond loopback, that of --tls serves if there is none")
	f.add(&v.adminKey, "admin-tls-key", "", "`FILE` with that certificate's key, PEM")
	f.add(&v.udpAddr, "udp", "", "`ADDR` for the realtime channel, host:port; port 0 lets the system choose, \"none\" leaves only the WebSocket for browsers")
	f.add(&v.udpPublic, "udp-public", "", "`ADDRS` at which players reach the realtime channel, host:port, separated by commas; default is --udp, if that is one address")
	f.add(&v.snapshotRate, "snapshot-rate", "MMORPG_SNAPSHOT_RATE", "`HZ` at which players are told of the world, 1 to 60")
	f.add(&v.threads, "worker-threads", "MMORPG_WORKER_THREADS", "`N` goroutines encode and send snapshots, 1 to 64; unless set, as many as there are cores")
	f.add(&v.protocolID, "protocol-id", "", "`HEX` number that tells games and their incompatible versions apart on the realtime channel")
	f.add(&v.data, "data", "", "`DIR` for the database, the node's id, its keys and its certificate")
	f.add(&v.db, "db", "MMORPG_DB_BACKEND", "`STORE` for players: sqlite, redis (also Valkey), which nodes can share, or memory, which forgets everything at the end")
	v.redis.declare(f)
	f.add(&v.tls, "tls", "", "serve HTTPS; without --tls-cert with a self-signed certificate, kept in the data folder")
	f.add(&v.cert, "tls-cert", "", "`FILE` with the certificate chain for HTTPS, PEM")
	f.add(&v.key, "tls-key", "", "`FILE` with the certificate's key, PEM")
	f.add(&v.insecure, "insecure-http", "", "allow plain HTTP beyond loopback: only behind a proxy that speaks TLS")
	f.add(&v.proxies, "trusted-proxies", "", "`NETS` whose X-Forwarded-For is believed, separated by commas")
	f.add(&v.origins, "origins", "", "`ORIGINS` of web pages, besides the node's own, that may open the realtime channel's WebSocket, like https://play.example.org, separated by commas")
	f.add(&v.conns, "max-conns", "", "`N` connections may be open at once; the longest idle makes room for the next")
	f.add(&v.workers, "auth-workers", "MMORPG_AUTH_WORKERS", "`N` workers take logins from the queue, 1 to 32")
	f.add(&v.depth, "auth-queue-max", "MMORPG_AUTH_QUEUE_MAX", "`N` logins may wait, all further ones are told to come back later; 0 means no bound")
	f.add(&v.maxAge, "auth-max-age", "MMORPG_AUTH_MAX_AGE", "`AGE` at which a waiting login is given up")
	f.add(&v.iterations, "password-hash-iterations", "MMORPG_PASSWORD_HASH_ITERATIONS", "`N` iterations of PBKDF2-SHA256 for new hashes, 1000 to 10000000")
	f.add(&v.pepper, "password-pepper-file", "", "`FILE` with keys that passwords are keyed with before hashing, a line ID:HEX each, the current one first")
	f.add(&v.kernel, "hash-kernel", "", "`KERNEL` that computes hashes: "+strings.Join(password.Kernels(), ", "))
	f.add(&v.messages, "max-messages-per-tick", "MMORPG_MAX_MESSAGES_PER_TICK", "`N` messages from players are handled in one tick, the rest in the next")
	f.add(&v.players, "max-players", "", "`N` players may be inside at once; further ones are told that the server is busy")
	f.add(&v.sessionTimeout, "session-timeout", "", "`TIME` without a call after which a session ends")
	f.add(&v.zones, "zones", "", "`ZONES` that other nodes on the same store serve, zone=host:port, separated by commas; players are sent there at login")
	f.add(&v.worldFile, "world", "", "`FILE` that defines the reference world, JSON; default is the one built in")
	f.add(&v.seed, "seed", "", "`N` that determines what happens by chance in the reference world")
	f.add(&v.drain, "drain-timeout", "", "`TIME` that an orderly end may take")
	f.add(&v.logFormat, "log-format", "", "`FORMAT` of the log on standard error: text or json")
	f.add(&v.logLevel, "log-level", "", "`LEVEL` from which on lines are logged: debug, info, warn, error")
	return f
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := newServeFlags()
	if err := v.declare().parse(args, stdout); err != nil {
		return err
	}
	cfg, err := v.config(stderr)
	if err != nil {
		return err
	}
	err = server.Run(ctx, cfg, func(s *server.Server) {
		udp := server.NoUDP
		if a := s.UDPAddr(); a != nil {
			udp = a.String()
		}
		fmt.Fprintf(stdout, "ready http=%s admin=%s udp=%s\n", s.HTTPAddr(), s.AdminAddr(), udp)
	})
	if errors.Is(err, server.ErrInvalidConfig) {
		return usageError{err}
	}
	return err
}

// config returns the node's configuration, with a log to stderr.
func (v *serveFlags) config(stderr io.Writer) (server.Config, error) {
	cfg := server.Config{
		HTTPAddr: string(v.httpAddr), AdminAddr: string(v.adminAddr), DataDir: string(v.data),
		AdminTokenFile: string(v.adminToken), AdminTLSCert: string(v.adminCert), AdminTLSKey: string(v.adminKey),
		UDPAddr: string(v.udpAddr), UDPPublic: v.udpPublic, ProtocolID: uint64(v.protocolID),
		SnapshotRate: v.snapshotRate.value, SnapshotWorkers: v.threads.value,
		Backend: server.Backend(v.db.value),
		TLS:     bool(v.tls), TLSCert: string(v.cert), TLSKey: string(v.key), InsecureHTTP: bool(v.insecure),
		TrustedProxies: v.proxies, Origins: v.origins, MaxConns: v.conns.value,
		Workers: v.workers.value, QueueDepth: v.depth.value, MaxAge: v.maxAge.value, HashIterations: v.iterations.value,
		HashKernel: v.kernel.value, PepperFile: string(v.pepper),
		MaxPlayers: v.players.value, MessagesPerTick: v.messages.value, SessionTimeout: v.sessionTimeout.value,
		DrainTimeout: v.drain.value, Seed: uint64(v.seed), Zones: v.zones,
	}
	if cfg.Backend == server.Redis {
		cfg.RedisURLs, cfg.RedisSentinel, cfg.RedisPrefix = v.redis.addresses(), string(v.redis.sentinel), string(v.redis.prefix)
	}
	if cfg.QueueDepth == 0 {
		cfg.QueueDepth = server.Unbounded
	}
	def, err := readDefinition(v.worldFile)
	if err != nil {
		return cfg, err
	}
	if def != nil {
		cfg.World = world.New(def, cfg.Seed)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(v.logLevel.value)); err != nil {
		return cfg, err
	}
	opts := &slog.HandlerOptions{Level: level}
	if v.logFormat.value == "json" {
		cfg.Logger = slog.New(slog.NewJSONHandler(stderr, opts))
	} else {
		cfg.Logger = slog.New(slog.NewTextHandler(stderr, opts))
	}
	return cfg, nil
}
