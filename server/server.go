package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/acme"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/backlog"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/doorman"
	"github.com/rushgate/rushgate/internal/measured"
	"github.com/rushgate/rushgate/internal/outbox"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/peer"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/internal/udpknock"
	"github.com/rushgate/rushgate/internal/web"
	"github.com/rushgate/rushgate/internal/wschannel"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/world"
)

// Server is a running node.
type Server struct {
	cfg      Config
	store    rushgate.Store
	inner    rushgate.Store // what it measures
	lock     *os.File       // keeps other nodes off the data folder; nil where the store does
	clock    *awake.Clock   // of the time that the process ran
	access   *access.Keeper
	sweeper  *sweeper // of players inside who may be so no longer
	door     *door.Door
	doorman  *doorman.Doorman // nil: none
	lines    *api.LineDocuments
	pool     *auth.Pool
	realm    *realm.Realm
	ledger   *account.Ledger
	passkeys *passkey.Party // nil: there are none
	deleter  *account.Deleter
	diary    *account.Diary
	channel  *channel // nil: none
	browsers *wschannel.Channel
	front    *http.Server
	operator *http.Server
	draining atomic.Bool
	ready    *ready.Probe
	proxies  *peer.Proxies
	health   func() rushgate.Health // of the way to the store, or nil
	measured *measured.Store
	metrics  *prometheus.Registry
	desk     *desk // of the operator
	upkeep   *upkeep
	cpu      cpuMeter
	lost     backlog.Losses // before this node listened
	acme     *acme.Manager  // nil: certificates come from elsewhere
	hasher   *password.Hasher
	opaque   *opaqueState   // nil: it is off
	vouchers *vouchers      // nil: there are none
	post     *post          // nil: no mail is sent
	outbox   *outbox.Outbox // nil too, then
	places   []*lineState   // of those who wait in line; nil: they end with the node
	fleet    *fleet
	staff    *staff
	world    rushgate.World
	parking  *parking    // of their connections
	closing  atomic.Bool // those that cannot are closed with the next answer

	successor   *successor   // nil: the node goes on in place of no other
	predecessor *predecessor // by which another goes on in its place
	ending      context.Context
	end         context.CancelFunc

	knocks               *net.TCPListener // of players, below all that stands before it
	frontGate, adminGate *gate
	frontListener        net.Listener
	httpAddr, adminAddr  net.Addr

	serving  sync.WaitGroup
	failed   chan error // a listener that broke down
	stopOnce sync.Once
	stopErr  error
}

// Run runs a node until ctx ends or the operator asks for it on the dashboard, then drains it: new logins hear
// server-busy, queued ones finish, every player is saved, leases are released. ready, if not nil, is called once the
// node accepts. Run returns nil after an orderly drain, and once another process has gone on in the node's place.
func Run(ctx context.Context, cfg Config, ready func(*Server)) error {
	if ready == nil {
		ready = func(*Server) {}
	}
	s, err := start(ctx, cfg, ready)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return s.Stop()
	case <-s.DrainRequested():
		return s.Stop()
	case <-s.HandedOver():
		return s.Stop()
	case err := <-s.failed:
		return errors.Join(err, s.Stop())
	}
}

// Start starts a node and returns once it accepts. ctx bounds the start only. The caller has to call [Server.Stop].
func Start(ctx context.Context, cfg Config) (*Server, error) {
	return start(ctx, cfg, func(*Server) {})
}

// start is Start. It calls accepts when the node does.
func start(ctx context.Context, cfg Config, accepts func(*Server)) (_ *Server, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, failed: make(chan error, 2), upkeep: newUpkeep(cfg.Logger)}
	s.ending, s.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = s.successor.explain(err)
			err = errors.Join(err, s.undo(err))
		}
	}()
	before := lookAtSecrets(cfg)
	token, err := cfg.adminToken()
	if err != nil {
		return nil, err
	}
	sayWhatIsAbsent(cfg.Logger)
	if s.hasher, err = s.newHasher(); err != nil {
		return nil, err
	}
	opaqueKeys, err := cfg.givenOpaqueKeys()
	if err != nil {
		return nil, err
	}
	if s.post, err = cfg.openPost(); err != nil {
		return nil, err
	}
	if err := s.openProviders(); err != nil {
		return nil, err
	}
	if err := cfg.tryOut(ctx); err != nil {
		return nil, err
	}
	if s.successor, err = s.succeed(ctx); err != nil {
		return nil, err
	}
	instance, err := s.openStore(ctx)
	if err != nil {
		return nil, err
	}
	s.predecessor = &predecessor{Server: s, instance: instance, over: make(chan struct{})}
	s.clock = awake.New(nil, cfg.Logger)
	s.measured = measured.New(s.store)
	s.store = s.measured
	s.ready = ready.New(s.draining.Load, s.store.Ping)
	s.proxies = peer.NewProxies(cfg.TrustedProxies, cfg.Logger)
	if err := s.openOpaque(ctx, opaqueKeys); err != nil {
		return nil, err
	}
	hashTime := max(s.hasher.Measure(auth.BatchMax), 1)
	tlsConfig, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if s.channel, err = openChannel(ctx, cfg, s.successor); err != nil {
		return nil, err
	}
	if s.desk, err = s.newDesk(instance, token, tlsConfig); err != nil {
		return nil, err
	}
	s.keepTickets(tlsConfig)
	s.watchSecrets(before, token)
	if err := s.listen(); err != nil {
		return nil, err
	}
	// From here on the node that is to be replaced, if there is one, stands still until this one goes on.
	if err := s.successor.await(ctx, s); err != nil {
		return nil, err
	}
	if err := s.assemble(instance, hashTime, tlsConfig); err != nil {
		return nil, err
	}
	if err := s.takeOver(ctx); err != nil {
		return nil, err
	}
	s.begin(context.WithoutCancel(ctx), tlsConfig)
	if s.successor == nil {
		s.cfg.inCharge()
	}
	accepts(s)
	return s, nil
}

// begin starts what was assembled.
func (s *Server) begin(ctx context.Context, tlsConfig *tls.Config) {
	s.clock.Start()
	s.realm.Start()
	s.upkeep.line = newLineKeys(s.store, s.cfg.Logger, s.setKeyring)
	s.upkeep.line.begin(ctx)
	s.fleet.begin(ctx)
	s.access.Begin(ctx)
	s.staff.begin(ctx)
	s.noteOpaqueMode(ctx)
	s.pool.Start()
	if s.outbox != nil {
		s.outbox.Start()
	}
	s.serve(tlsConfig)
	s.resume()
	s.upkeep.move = s.door.Move
	s.upkeep.start()
	s.fleet.start()
	s.sweeper.start()
	s.access.Start()
	s.staff.start()
	s.deleter.Start()
	s.diary.Start()
	for _, p := range s.places {
		p.start()
	}
	if s.acme != nil {
		s.acme.Start()
	}
	if s.channel != nil {
		s.channel.public.start()
	}
	s.predecessor.begin()
}

// listen opens the HTTP listeners, or takes those of the node that this one is to go on in place of. The doorman, and
// what listens without one, begin to accept when they are told to.
func (s *Server) listen() (err error) {
	if s.knocks, err = s.listener(playersFile, s.cfg.HTTPAddr); err != nil {
		return fmt.Errorf("server: HTTP listener: %w", &SettingError{"HTTPAddr", err})
	}
	s.frontGate, s.httpAddr = &gate{TCPListener: s.knocks}, s.knocks.Addr()
	if q, ok := backlog.Of(s.knocks); ok {
		sayIfFewMayWait(s.cfg.Logger, q)
		s.lost, _ = backlog.Lost() // nothing if the system does not tell
	}
	if s.acme != nil {
		if err := s.acme.Listen(s.httpAddr); err != nil {
			return fmt.Errorf("server: %w", err)
		}
	}
	admin, err := s.listener(adminFile, s.cfg.AdminAddr)
	if err != nil {
		return fmt.Errorf("server: admin listener: %w", &SettingError{"AdminAddr", err})
	}
	s.adminGate, s.adminAddr = &gate{TCPListener: admin}, admin.Addr()
	return nil
}

// listener opens a listener, or takes it by its name from the node that this one is to go on in place of.
func (s *Server) listener(name, addr string) (*net.TCPListener, error) {
	if s.successor != nil {
		return s.successor.listener(name)
	}
	return listenTCP(addr)
}

// undo gives back what a start that has failed had got hold of, last first.
func (s *Server) undo(why error) error {
	s.end()
	for _, l := range []*gate{s.adminGate, s.frontGate} {
		if l != nil {
			_ = l.Close() // nothing was accepted
		}
	}
	if s.doorman != nil {
		_ = s.doorman.Close() // nor here
	}
	if s.acme != nil {
		s.acme.Stop()
	}
	if s.channel != nil {
		s.channel.close()
	}
	err := s.closeStore()
	if s.successor != nil {
		s.successor.Fail(why) // now that nothing is left that could run
	}
	return err
}

// HTTPAddr returns where players knock.
func (s *Server) HTTPAddr() net.Addr { return s.httpAddr }

// AdminAddr returns where the operator looks.
func (s *Server) AdminAddr() net.Addr { return s.adminAddr }

// UDPAddr returns the address of the realtime channel's socket, or nil if there is no channel.
func (s *Server) UDPAddr() net.Addr {
	if s.channel == nil {
		return nil
	}
	return net.UDPAddrFromAddrPort(s.channel.conn.LocalAddr())
}

// assemble makes the parts, for workers whose hashes take so long in a full batch, and connects them. They go on from
// where those of another node stood, if this one goes on in its place.
func (s *Server) assemble(instance rushgate.Instance, hashTime time.Duration, tlsConfig *tls.Config) (err error) {
	cfg := s.cfg
	if s.world = cfg.World; s.world == nil {
		s.world = world.New(world.Default(), cfg.Seed)
	}
	s.diary = account.NewDiary(s.store, func() bool { return s.door.Rush() }, cfg.Logger)
	s.ledger = account.New(s.store).Noting(s.diary)
	s.deleter = account.NewDeleter(s.ledger, s.clock.Steady, cfg.Logger)
	s.deleter.KeepGuests(cfg.GuestKeep)
	s.fleet = newFleet(s.store, rushgate.NodeBeat{Instance: instance, Address: cfg.PublicAddress}, cfg.Logger)
	s.sweeper = newSweeper(s)
	s.access = access.New(access.Config{
		Store: s.store, Changed: s.sweeper.wake, Steady: s.clock.Steady, Logger: cfg.Logger,
	})
	s.staff = newStaff(s.store, cfg.AuditKeep, s.clock.Steady, cfg.Logger)
	if err := s.openDoor(hashTime); err != nil {
		return err
	}
	s.lines = &api.LineDocuments{Door: s.door}
	if s.channel != nil {
		s.lines.KnockAddrs = s.channel.knockAddrs
		knock := udpknock.Config{Knock: s.answerKnock}
		if err := s.channel.assemble(cfg, knock, s.successor.part(channelPart)); err != nil {
			return err
		}
	}
	inside := realm.Config{
		World: s.world, Store: s.store, Instance: instance, Logger: cfg.Logger,
		MaxPlayers: cfg.MaxPlayers, MessagesPerTick: cfg.MessagesPerTick, SessionTimeout: cfg.SessionTimeout,
		SnapshotRate: cfg.SnapshotRate, SnapshotWorkers: cfg.SnapshotWorkers,
		Left:       func(name string, how realm.Departure) { s.door.Left(name, departures[how]) },
		RetryAfter: s.door.After, Clock: s.clock, State: s.successor.part(realmPart),
	}
	if s.channel != nil {
		inside.Channel = s.channel.server
	}
	s.realm, err = realm.New(inside)
	if err != nil {
		return err
	}
	s.browsers = wschannel.New(s.realm, func() time.Duration { return s.door.Later(door.Draining) })
	if s.passkeys, err = s.newPasskeys(); err != nil {
		return err
	}
	s.pool, err = auth.NewPool(auth.Config{
		Workers: cfg.Workers, MaxAge: cfg.MaxAge, Store: s.store, Hasher: s.hasher, HashTime: hashTime,
		Door: s.door, Instance: instance, Enter: s.realm.Enter, Logger: cfg.Logger, Clock: s.clock,
		Policy:   cfg.policy(),
		Zones:    func(zone string) (string, bool) { address, elsewhere := cfg.Zones[zone]; return address, elsewhere },
		Remember: max(cfg.RememberFor, 0), Grace: cfg.SessionTimeout, Holder: s.fleet.holder,
		Errands: s.doErrands, Leave: s.realm.End, SignedIn: s.signedIn,
		Access: s.access, Passkeys: s.passkeys, Opaque: s.answersOpaque(), GuestMark: account.MarkGuests(cfg.GuestKeep),
	})
	if err != nil {
		return err
	}
	if err := s.postDoorman(tlsConfig); err != nil {
		return err
	}
	s.outbox = s.newOutbox()
	s.parking = newParking()
	switch {
	case s.cfg.ProxyProtocol:
		s.frontListener = s.proxies.Listener(s.frontListener)
	case tlsConfig == nil && s.doorman != nil:
		s.frontListener = s.parking.listener(s.frontListener)
	}
	s.metrics, err = s.newMetrics()
	return err
}

func (s *Server) newHasher() (*password.Hasher, error) {
	c := password.Config{Iterations: s.cfg.HashIterations, Kernel: s.cfg.HashKernel}
	if s.cfg.PepperFile != "" {
		var err error
		if c.Pepper, err = password.LoadPepper(s.cfg.PepperFile); err != nil {
			return nil, &SettingError{"PepperFile", err}
		}
	}
	hasher, err := password.NewHasher(c)
	if err != nil {
		return nil, wrong("HashKernel", "%w", err)
	}
	return hasher, nil
}

// serve starts the two HTTP servers on their listeners.
func (s *Server) serve(tlsConfig *tls.Config) {
	knocks := api.Config{
		Pool: s.pool, Door: s.door, Lines: s.lines, Realm: s.realm, Store: s.store, Proxies: s.proxies,
		Accounts: s.ledger, DeleteAfter: max(s.cfg.DeleteAfter, 0), DeleteNow: s.deleter.Nudge,
		Outbox: s.outbox, Passkeys: s.passkeys, Providers: s.providersThatVouch(), Guests: s.cfg.GuestKeep > 0,
		Names:   s.cfg.names(),
		Channel: s.browsers, Play: web.Play(s.look()), Origins: s.cfg.Origins, PasswordMin: s.cfg.PasswordMin,
		MaxAge: s.cfg.MaxAge, Remember: max(s.cfg.RememberFor, 0), Boards: s.cfg.Boards, Game: s.cfg.Handler,
		Ready: s.ready, Logger: s.cfg.Logger, Clock: s.clock, Run: s.desk.run,
		Rules: s.access.Rules, AppealURL: s.cfg.AppealURL,
		OpaqueMode: api.OpaqueMode(s.cfg.Opaque), Opaque: s.answersOpaque(),
	}
	sections := admin.Sections{
		"node": func() any { return s.desk.describe() },
		"auth": func() any { return s.authSection() },
		"door": func() any { return s.door.Stats() },
		"doorman": func() any {
			if s.doorman == nil {
				return nil
			}
			return s.doorman.Stats()
		},
		"tick":      func() any { return s.realm.Stats() },
		"cpu":       func() any { return s.cpuTimes() },
		"process":   func() any { return admin.ReadProcess() },
		"websocket": func() any { return s.browsers.Stats() },
	}
	if s.channel != nil {
		knocks.ConnectToken = s.channel.connectToken
		sections["channel"] = func() any { return s.channel.server.Stats() }
	}
	if s.health != nil {
		sections["store"] = func() any { return s.health() }
	}
	if slices.Contains(s.cfg.Origins, "null") {
		s.cfg.Logger.Warn("pages without an origin may use this node (--origins file:// or null): that is those from " +
			"files, and those that any site puts into a sandbox")
	}
	conns := connLimit(s.cfg.MaxConns)
	if conns < s.cfg.MaxConns {
		s.cfg.Logger.Warn("the limit on open files allows fewer connections than configured",
			"configured", s.cfg.MaxConns, "allowed", conns)
	}
	if s.cfg.MaxAge > auth.DefaultMaxAge {
		s.cfg.Logger.Warn("logins may wait for longer than the page at /play/ and the Go client do by themselves, "+
			"which is 30s",
			"age", s.cfg.MaxAge)
	}
	var outside func() int
	if s.doorman != nil {
		outside = s.doorman.Outside
	}
	s.front = api.NewServer(s.closable(api.New(knocks)), api.ServerConfig{
		MaxConns: conns, Outside: outside, Later: s.crowded, Origins: s.cfg.Origins, MaxAge: s.cfg.MaxAge,
		IdleTimeout: s.cfg.IdleTimeout, TLS: tlsConfig, Logger: s.cfg.Logger,
	})
	observe := s.front.ConnState
	s.front.ConnState = func(c net.Conn, state http.ConnState) {
		s.parking.observe(c, state)
		observe(c, state)
	}
	s.operator = s.desk.newServer(sections)
	s.serving.Go(func() {
		if tlsConfig != nil && s.doorman == nil {
			s.report("HTTPS", s.front.ServeTLS(s.frontListener, "", ""))
		} else {
			s.report("HTTP", s.front.Serve(s.frontListener))
		}
	})
	s.desk.history.Start()
	s.serving.Go(func() { s.report("admin", s.desk.serve(s.operator, s.adminGate)) })
}

// closable has connections closed with the next answer when it is time.
func (s *Server) closable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.closing.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) report(which string, err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("server: %s listener: %w", which, err)
	}
}

// Stop drains the node as described at [Run] and returns when nothing of it is left, at the latest a little after the
// drain timeout. The error tells what could not be saved. It is idempotent.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() { s.stopErr = s.stop() })
	return s.stopErr
}

func (s *Server) stop() error {
	s.draining.Store(true)
	s.end()
	s.predecessor.stop()
	s.upkeep.stop()
	s.access.Stop()
	s.sweeper.stop()
	s.deleter.Stop()
	if s.outbox != nil {
		s.outbox.Stop()
	}
	if s.acme != nil {
		s.acme.Stop()
	}
	if s.channel != nil {
		s.channel.public.stop()
	}
	if s.predecessor.given.Load() {
		return s.leave()
	}
	start := time.Now()
	s.cfg.Logger.Info("draining", "players", s.realm.Players(), "timeout", s.cfg.DrainTimeout)
	deadline := start.Add(s.cfg.DrainTimeout)
	// Saving the players comes before answering those who wait, so the queue may only take half of the time.
	queue, cancel := context.WithDeadline(context.Background(), start.Add(s.cfg.DrainTimeout/2))
	defer cancel()
	if err := s.pool.Drain(queue); err != nil {
		s.cfg.Logger.Warn("queue not empty in time, the rest was answered server-busy", "error", err)
	}
	// Whatever the queue has taken, saving gets its share.
	saving, cancel := context.WithTimeout(context.Background(), max(time.Until(deadline), s.cfg.DrainTimeout/4))
	defer cancel()
	err := s.realm.Stop(saving)
	s.desk.history.Stop() // and with it the streams to those who look on, which the shutdown would wait for
	s.shutDown()
	s.browsers.Stop()
	for _, p := range s.places { // of a door that is closed
		p.stop()
	}
	s.fleet.stop()
	s.staff.stop()
	s.diary.Stop()
	s.clock.Stop()
	s.closeProviders()
	err = errors.Join(err, s.cfg.withdraw(), s.closeStore())
	s.predecessor.close()
	s.cfg.Logger.Info("stopped", "took", time.Since(start).Round(time.Millisecond))
	return err
}
