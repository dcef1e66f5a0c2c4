package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/lossy"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/world"
)

// README's table of flags is written from what [serveFlags.declare] says of them.
//go:generate go test -run ^TestReadmeListsTheFlags$ . -update

const serveSynopsis = `Usage: rushgate serve [flags]

Runs a node until it is interrupted: players knock at --http and play over --udp, the operator looks at --admin. Once it
accepts, it prints one line, "ready http=ADDR admin=ADDR udp=ADDR". The first SIGINT or SIGTERM drains it: new logins are
told that the server is busy, queued ones finish, everyone is saved. A second one ends it at once. SIGHUP, which a closed
terminal sends too, has certificates, pepper, keys and the operator's token read again, and ends nothing.

  rushgate serve                                          on this machine only
  rushgate serve --http 0.0.0.0:443 --tls --udp 0.0.0.0:40000 --udp-public play.example.org:40000
                                                          for the network, self-signed
  rushgate serve --http :443 --tls-cert c.pem --tls-key k.pem --udp none
  rushgate serve --handover                               in place of the node that runs, with its players inside
  rushgate serve --config /etc/rushgate.yaml              with the flags that stand in a file`

// serveFlags are the settings of a node as the command line has them: the node's configuration, to whose fields the
// flags are bound, and what it is made of besides.
type serveFlags struct {
	cfg       server.Config
	redis     redisFlags // used with --db redis only
	worldFile text
	detach    bool
	logFormat string
	logLevel  string
}

func newServeFlags() *serveFlags {
	v := &serveFlags{cfg: server.DefaultConfig(), redis: newRedisFlags(), logFormat: "text", logLevel: "info"}
	v.cfg.Backend = server.SQLite
	return v
}

// declare is the one place where a flag of serve is declared. Defaults and ranges are those of package server; help and
// README get them from here.
func (v *serveFlags) declare() *flags {
	f := newFlags(serveSynopsis)
	f.addConfig()
	v.declareAddresses(f)
	v.declareStore(f)
	v.declareDoor(f)
	v.declareProviders(f)
	v.declareMail(f)
	v.declareWorld(f)
	v.declareHandover(f)
	f.add(v.duration(&v.cfg.DrainTimeout), "drain-timeout", "", "`TIME` that an orderly end may take")
	f.add(&choiceAt[string]{&v.logFormat, []string{"text", "json"}}, "log-format", "", "`FORMAT` of the log on standard error")
	f.add(&choiceAt[string]{&v.logLevel, []string{"debug", "info", "warn", "error"}}, "log-level", "",
		"`LEVEL` from which on lines are logged")
	return f
}

func (v *serveFlags) declareHandover(f *flags) {
	f.add((*toggle)(&v.cfg.Handover), "handover", "", "go on in place of the node that runs on --data, with its players "+
		"inside, once everything has been tried out; if anything fails, that one goes on; without one, start as ever")
	f.add((*toggle)(&v.detach), "detach", "", "with --handover: start the node as a process of its own, and return once it "+
		"has taken over, or the other goes on")
}

// number binds a flag to a number of the configuration, with its range.
func (v *serveFlags) number(field *int) *numberAt {
	low, high := v.cfg.IntRange(field)
	return &numberAt{field, low, high}
}

// duration binds a flag to a duration of the configuration, with its range.
func (v *serveFlags) duration(field *time.Duration) *spanAt {
	low, high := v.cfg.DurationRange(field)
	return &spanAt{field, low, high}
}

func (v *serveFlags) declareAddresses(f *flags) {
	c := &v.cfg
	f.add((*text)(&c.HTTPAddr), "http", "", "`ADDR` for players, host:port; port 0 lets the system choose")
	f.add((*text)(&c.AdminAddr), "admin", "", "`ADDR` for the operator, host:port: dashboard, metrics, health, profiles; beyond "+
		"loopback it needs --admin-token-file and TLS")
	f.add((*text)(&c.AdminTokenFile), "admin-token-file", "", "`FILE` with what the operator root has to show, at least "+
		"32 characters, not readable by everybody")
	f.add(v.duration(&c.AuditKeep), "audit-keep", "", "`TIME` for which the audit log keeps what operators have done")
	f.add((*text)(&c.AdminTLSCert), "admin-tls-cert", "", "`FILE` with the certificate chain of --admin, PEM").
		def = "beyond loopback that of --tls"
	f.add((*text)(&c.AdminTLSKey), "admin-tls-key", "", "`FILE` with that certificate's key, PEM")
	f.add((*text)(&c.UDPAddr), "udp", "", "`ADDR` for the realtime channel, host:port; port 0 lets the system choose, \"none\" "+
		"leaves only the WebSocket for browsers")
	f.add((*words)(&c.UDPPublic), "udp-public", "", "`ADDRS` at which players reach the realtime channel, host:port, separated "+
		"by commas, names looked up every 30s; needed when --udp stands for all addresses").def = "--udp"
	f.add((*hexID)(&c.ProtocolID), "protocol-id", "", "`HEX` number that tells games and their incompatible versions apart on "+
		"the realtime channel")
	f.add((*toggle)(&c.TLS), "tls", "", "serve HTTPS; without --tls-cert with a self-signed certificate, kept in the data folder")
	f.add((*text)(&c.TLSCert), "tls-cert", "", "`FILE` with the certificate chain for HTTPS, PEM; read "+
		"again when it changes")
	f.add((*text)(&c.TLSKey), "tls-key", "", "`FILE` with the certificate's key, PEM")
	f.add((*words)(&c.TLSNames), "tls-names", "", "`NAMES` and IP addresses by which players reach the node, separated by "+
		"commas, for the self-signed certificate; with them it is --tls")
	f.add((*repeated)(&c.ACMEDomains), "acme-domain", "", "`DOMAINS`, separated by commas or one in each of several flags, "+
		"for which to get certificates by ACME, which agrees to the terms of the authority; it has to reach --http at port "+
		"443 of each")
	f.add((*text)(&c.ACMEEmail), "acme-email", "", "`ADDRESS` to which the authority of --acme-domain writes")
	f.add((*text)(&c.ACMEDirectory), "acme-directory", "", "`URL` of the authority of --acme-domain").def = "Let's Encrypt"
	f.add((*toggle)(&c.InsecureHTTP), "insecure-http", "", "allow plain HTTP beyond loopback: only behind a proxy that speaks TLS")
	f.add((*prefixes)(&c.TrustedProxies), "trusted-proxies", "", "`PROXIES` whose X-Forwarded-For is "+
		"believed, separated by commas: the address of each, since every machine in a network here can pretend to be any other")
	f.add((*toggle)(&c.ProxyProtocol), "proxy-protocol", "", "connections of --trusted-proxies begin with a PROXY header, "+
		"version 1 or 2; whom it names counts as the peer")
	f.add((*words)(&c.Origins), "origins", "", "`ORIGINS` of pages and apps, besides the pages of the node's own host, that may "+
		"log in and play, like https://play.example.org or capacitor://localhost, separated by commas; file:// for pages from "+
		"files, and with them those that any site puts into a sandbox")
	f.add((*repeated)(&c.PasskeyOrigins), "passkey-origin", "", "`ORIGINS` of pages, separated by commas or one in each of "+
		"several flags, on which players may come in with a passkey, like https://play.example.com; passkeys are for the "+
		"host of the first, for ever").def = "http://localhost on loopback"
}

func (v *serveFlags) declareStore(f *flags) {
	c := &v.cfg
	f.add((*text)(&c.DataDir), "data", "", "`DIR` for the database, the node's id, its keys and its certificate")
	f.add(&choiceAt[server.Backend]{&c.Backend, []server.Backend{server.SQLite, server.Redis, server.Memory}}, "db",
		"MMORPG_DB_BACKEND", "`STORE` for players; redis (also Valkey) is one that nodes can share, memory forgets everything at "+
			"the end")
	v.redis.declare(f)
}

func (v *serveFlags) declareDoor(f *flags) {
	c := &v.cfg
	f.add(v.number(&c.MaxConns), "max-conns", "", "`N` connections may be open at once; the longest idle makes room for the next")
	f.add(v.duration(&c.IdleTimeout), "idle-timeout", "", "`TIME` without a request after which a connection is closed; a load "+
		"balancer has to close its own before that, as most do after 60s")
	f.add(v.number(&c.Workers), "auth-workers", "MMORPG_AUTH_WORKERS", "`N` workers take logins from the queue")
	f.add(v.bound(&c.QueueDepth), "auth-queue-max", "MMORPG_AUTH_QUEUE_MAX",
		"`N` logins may wait, all further ones are told to come back later; 0 means no bound")
	f.add(v.duration(&c.MaxAge), "auth-max-age", "MMORPG_AUTH_MAX_AGE", "`AGE` at which a waiting login is given "+
		"up; its answer may take 4s more, for which proxies and clients have to wait")
	f.add(v.bound(&c.OriginFailures), "origin-failures", "", "`N` accounts at which one address may fail within ten minutes "+
		"before it is locked out of all but those known there; 0 means no bound")
	f.add(v.bound(&c.OriginRegistrations), "origin-registrations", "", "`N` accounts that one address may make within an "+
		"hour; 0 means no bound")
	f.add(v.bound(&c.OriginGuests), "origin-guests", "", "`N` guests that one address may make within an hour; 0 means no "+
		"bound")
	f.add(v.number(&c.OriginShare), "origin-share", "", "`PERCENT` of the places in the world that one address may hold, and "+
		"16 places in any case; 100 means no bound")
	f.add(v.duration(&c.LineGrace), "line-grace", "", "`TIME` for which a turn in the line is good once it has come")
	f.add(v.number(&c.LineWork), "line-work", "", "`BITS` of work that a new place in the line costs a client, for while the "+
		"line is being filled on purpose: 20 are a tenth of a second to a few seconds, each more doubles it")
	f.add((*moment)(&c.OpensAt), "opens-at", "", "`TIME` at which the line begins to move, such as 2026-12-01T18:00:00Z; those "+
		"who come in the twelve hours before it are let in by lot then, and nobody before it").def = "open"
	f.add((*text)(&c.AppealURL), "appeal-url", "", "`URL`, https://, at which players who are banned can say that this is wrong; "+
		"they are told of it with the ban")
	f.add(v.duration(&c.SeatHold), "seat-hold", "", "`TIME` for which the place in the world of a player is kept who has "+
		"dropped out")
	f.add(v.number(&c.PasswordMin), "password-min", "", "`N` characters that a new password needs; the commonest are refused "+
		"in any case, and those of accounts that there are go on working")
	f.add(v.number(&c.HashIterations), "password-hash-iterations", "MMORPG_PASSWORD_HASH_ITERATIONS",
		"`N` iterations of PBKDF2-SHA256 for new hashes")
	f.add(&choiceAt[string]{&c.HashKernel, password.Kernels()}, "hash-kernel", "",
		"`KERNEL` that computes hashes; auto takes the fastest for each batch")
	f.add((*text)(&c.PepperFile), "password-pepper-file", "", "`FILE` with keys that passwords are keyed with before hashing, a "+
		"line ID:HEX each, the current one first")
	f.add(&choiceAt[server.OpaqueMode]{&c.Opaque, server.OpaqueModes()}, "opaque", "", "`MODE` of OPAQUE, by which no password "+
		"reaches the node: prefer has players register by it and move over from a password, only refuses passwords")
	f.add((*text)(&c.OpaqueKeyFile), "opaque-key-file", "", "`FILE` with the keys of OPAQUE, the same for all nodes on a store; "+
		"read again when it changes").def = "opaque.key in --data, made when it is missing"
}

func (v *serveFlags) declareProviders(f *flags) {
	c := &v.cfg
	f.add((*text)(&c.OIDCFile), "oidc", "", "`FILE` with OpenID providers, and Discord, at which players may prove who they are "+
		"in place of a password, JSON; docs/identities.md says what is in it. Read again when it changes, or a file that it names")
	f.add(v.number(&c.SteamAppID), "steam-app-id", "", "`N`, the game's id at Steam: players may come in with a ticket of their "+
		"Steam client's").def = "none: no tickets are taken"
	f.add((*text)(&c.SteamKeyFile), "steam-key-file", "", "`FILE` with the publisher's Web API key for that, not readable by "+
		"everybody; read again when it changes")
	f.add((*text)(&c.SteamIdentity), "steam-identity", "", "`NAME` that the game gives to GetAuthTicketForWebApi; tickets for "+
		"others are refused")
	f.add((*text)(&c.SteamReturn), "steam-return", "", "`URL` at which players reach /play/back/steam of this node, https://: "+
		"Steam's page sends browsers back there").def = "none: browsers do not go to Steam"
	f.add((*prefixes)(&c.ProviderNetworks), "provider-networks", "", "`NETWORKS` of yours in which providers of --oidc may be "+
		"called, separated by commas; without them no private address is, wherever a name leads")
}

func (v *serveFlags) declareMail(f *flags) {
	c := &v.cfg
	f.add((*text)(&c.SMTPURL), "smtp-url", "", "`URL` of the mail server for mail to players, as in smtps://user@host:465 (TLS) or "+
		"smtp://user@host:587 (STARTTLS); smtp+plain://127.0.0.1:25 for one on this machine").def = "none: no mail is sent"
	f.add((*text)(&c.SMTPPasswordFile), "smtp-password-file", "", "`FILE` with that user's password, not readable by "+
		"everybody; read again when it changes")
	f.add((*text)(&c.SMTPCA), "smtp-ca", "", "`FILE` with the authorities whose certificates the mail server may show, "+
		"PEM").def = "the system's"
	f.add((*text)(&c.MailFrom), "mail-from", "", "`ADDR` that mail is from, as in \"The Game <noreply@example.org>\"")
	f.add((*text)(&c.MailTemplates), "mail-templates", "", "`DIR` with texts of mail in place of the node's own")
}

func (v *serveFlags) declareWorld(f *flags) {
	c := &v.cfg
	f.add(v.number(&c.SnapshotRate), "snapshot-rate", "MMORPG_SNAPSHOT_RATE", "`HZ` at which players are told of the world")
	f.add(v.number(&c.SnapshotWorkers), "worker-threads", "MMORPG_WORKER_THREADS",
		"`N` goroutines encode and send snapshots").def = "the number of cores"
	f.add(v.number(&c.MessagesPerTick), "max-messages-per-tick", "MMORPG_MAX_MESSAGES_PER_TICK",
		"`N` messages from players are handled in one tick, the rest in the next")
	f.add(v.number(&c.MaxPlayers), "max-players", "", "`N` players may be inside at once; further ones are told that the server "+
		"is busy")
	f.add(v.duration(&c.SessionTimeout), "session-timeout", "", "`TIME` without a call after which a session ends")
	f.add(&neverAt{*v.duration(&c.RememberFor)}, "remember-for", "", "`TIME` for which a device is remembered that is not used; "+
		"until then its player comes in without a password, if the client asks for that; 0 means not at all")
	f.add(v.duration(&c.GuestKeep), "guest-keep", "", "`TIME` for which the account of a guest is kept that is not used: "+
		"players come in by a device alone; 0 means that there are no guests, else 1h or more")
	f.add(&neverAt{*v.duration(&c.DeleteAfter)}, "delete-after", "", "`TIME` until an account is deleted whose player has "+
		"asked for that and can still take it back; 0 means at once")
	f.add(&neverAt{*v.duration(&c.RenameAfter)}, "rename-after", "", "`TIME` after which a player who has renamed the account "+
		"may do it again; 0 means at once")
	f.add(&neverAt{*v.duration(&c.RenameHold)}, "rename-hold", "", "`TIME` for which nobody else can take the name that was "+
		"given up; 0 means not at all")
	f.add((*text)(&c.PublicAddress), "public-address", "", "`HOST:PORT` where players reach this very node, if nodes on the same "+
		"store have addresses of their own: those who are inside here and ask another node are sent here").def = "none"
	f.add((*zones)(&c.Zones), "zones", "", "`ZONES` that other nodes on the same store serve, zone=host:port, separated by "+
		"commas; players are sent there at login")
	f.add((*text)(&c.PageTitle), "page-title", "", "`NAME` of the game on the page at /play/, at most 40 characters").def = "Rushgate"
	f.add((*text)(&c.PageAccent), "page-accent", "", "`COLOUR` of what stands out on that page, as in #0f766e; it is made "+
		"darker or lighter where it could not be read").def = "a green"
	f.add(&v.worldFile, "world", "", "`FILE` that defines the reference world, JSON").def = "the one built in"
	f.add((*seed)(&c.Seed), "seed", "", "`N` that determines what happens by chance in the reference world")
}

// bound binds a flag to a number that may be [server.Unbounded], which the command line writes as 0.
func (v *serveFlags) bound(field *int) *boundAt {
	return &boundAt{numberAt{field, 0, v.number(field).high}}
}

// boundAt is a number of which 0 means that there is no bound.
type boundAt struct{ numberAt }

func (d *boundAt) String() string { return strconv.Itoa(max(*d.at, 0)) }

func (d *boundAt) Set(s string) error {
	if err := d.numberAt.Set(s); err != nil {
		return err
	}
	if *d.at == 0 {
		*d.at = server.Unbounded
	}
	return nil
}

// neverAt is a duration that may be [server.Never] or [server.AtOnce], which the command line writes as 0.
type neverAt struct{ spanAt }

func (d *neverAt) String() string { return max(*d.at, 0).String() }
func (d *neverAt) limits() string { return fmt.Sprintf("%v to %v", time.Duration(0), d.high) }

func (d *neverAt) Set(s string) error {
	at := d.spanAt
	at.low = 0
	if err := at.Set(s); err != nil {
		return err
	}
	if *d.at == 0 {
		*d.at = server.Never
	}
	return nil
}

// lastLines is how long the end of a node waits for standard output and error to take what is left to say.
const lastLines = time.Second

func newServe() *cobra.Command {
	v := newServeFlags()
	f := v.declare()
	return newCommand(serveName, "run a node", f, func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		if err := f.none(args); err != nil {
			return err
		}
		return v.serve(ctx, stdout, stderr)
	})
}

func (v *serveFlags) serve(ctx context.Context, stdout, stderr io.Writer) error {
	report := detached()
	switch {
	case v.detach && !v.cfg.Handover:
		return usagef("--detach is for --handover; a service manager starts a node, or the shell's &")
	case v.detach && report == nil:
		return detach(ctx)
	}
	lines, out := lossy.New(stderr, v.noteLost), lossy.New(stdout, nil)
	defer lines.Close(lastLines)
	defer out.Close(lastLines)
	cfg, err := v.config(ctx, lines)
	if err != nil {
		return err
	}
	cfg.LogLinesLost = lines.Lost
	collectSeldom()
	defer catchLog(cfg.Logger)()
	// From now on, so that a signal during the start is kept, and until the end, so that none cuts a drain short.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	r := running{hangups: hangups, ended: make(chan struct{}), manager: newNotifier(cfg.Logger)}
	cfg.InCharge = r.manager.ready
	err = server.Run(ctx, cfg, func(s *server.Server) {
		r.tasks.Go(func() { r.watch(ctx, s) })
		udp := server.NoUDP
		if a := s.UDPAddr(); a != nil {
			udp = a.String()
		}
		fmt.Fprintf(out, "ready http=%s admin=%s udp=%s\n", s.HTTPAddr(), s.AdminAddr(), udp)
		if report != nil {
			_, _ = fmt.Fprintln(report, serves) // the process that waits may have been ended
			_ = report.Close()
		}
	})
	close(r.ended)
	r.tasks.Wait()
	if errors.Is(err, server.ErrInvalidConfig) {
		return usageError{explainStart(err)}
	}
	return explainStart(err)
}

// running is what goes on beside a node.
type running struct {
	hangups <-chan os.Signal
	ended   chan struct{} // closed at the end of the node
	manager notifier
	tasks   sync.WaitGroup
}

// watch has the node read its files again with every hangup, and tells the service manager of it, and of the node's end.
func (r *running) watch(ctx context.Context, s *server.Server) {
	for {
		select {
		case <-r.hangups:
			r.manager.reloading()
			_ = s.Reload() // which has told the log
			r.manager.ready()
			continue
		case <-ctx.Done():
		case <-s.DrainRequested():
		case <-s.HandedOver(): // the service does not end
			return
		case <-r.ended:
			return
		}
		r.manager.stopping()
		r.reload(s)
		return
	}
}

// reload has a node that ends read its files again with every hangup.
func (r *running) reload(s *server.Server) {
	for {
		select {
		case <-r.hangups:
			_ = s.Reload() // which has told the log
		case <-r.ended:
			return
		}
	}
}

// config returns the node's configuration, with a log to stderr.
func (v *serveFlags) config(ctx context.Context, stderr io.Writer) (server.Config, error) {
	cfg := v.cfg
	if cfg.Backend == server.Redis {
		cfg.RedisURLs, cfg.RedisSentinel, cfg.RedisPrefix = v.redis.addresses(), string(v.redis.sentinel), string(v.redis.prefix)
	}
	def, err := readDefinition(ctx, v.worldFile)
	if err != nil {
		return cfg, err
	}
	if def != nil {
		cfg.World = world.New(def, cfg.Seed)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(v.logLevel)); err != nil {
		return cfg, err
	}
	cfg.Logger = v.logger(stderr, level)
	return cfg, nil
}

// logger returns one that writes to w what is of a level or above, a line at a time.
func (v *serveFlags) logger(w io.Writer, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if v.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// noteLost returns the line of the log that tells how many lines are missing before it.
func (v *serveFlags) noteLost(lost uint64) []byte {
	var line bytes.Buffer
	v.logger(&line, slog.LevelWarn).Warn("lines of the log are missing here, because standard error did not take them",
		"lines", lost)
	return line.Bytes()
}

// catchLog lets what libraries write with package log, which is to standard error, go to a logger until restore is
// called.
func catchLog(to *slog.Logger) (restore func()) {
	out, flags := log.Writer(), log.Flags()
	log.SetOutput(slog.NewLogLogger(to.Handler(), slog.LevelWarn).Writer())
	log.SetFlags(0)
	return func() {
		log.SetOutput(out)
		log.SetFlags(flags)
	}
}

// collectSeldom has the garbage collector run a quarter as often as it would by itself, for memory, unless the operator
// says otherwise by GOGC: on a node with one core, marking what tens of thousands of knocks have left behind takes
// milliseconds from every tick that falls into it.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
