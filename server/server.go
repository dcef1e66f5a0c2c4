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
	"github.com/rushgate/rushgate/internal/acme"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/backlog"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/doorman"
	"github.com/rushgate/rushgate/internal/measured"
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
	lock     *os.File     // keeps other nodes off the data folder; nil where the store does
	clock    *awake.Clock // of the time that the process ran
	door     *door.Door
	doorman  *doorman.Doorman // nil: none
	lines    *api.LineDocuments
	pool     *auth.Pool
	realm    *realm.Realm
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
	places   []*lineState // of those who wait in line; nil: they end with the node
	fleet    *fleet

	knocks                       *net.TCPListener // of players, below all that stands before it
	frontListener, adminListener net.Listener
	httpAddr, adminAddr          net.Addr

	serving  sync.WaitGroup
	failed   chan error // a listener that broke down
	stopOnce sync.Once
	stopErr  error
}

// Run runs a node until ctx ends or the operator asks for it on the dashboard, then drains it: new logins hear
// server-busy, queued ones finish, every player is saved, leases are released. ready, if not nil, is called once the
// node accepts. Run returns nil after an orderly drain.
func Run(ctx context.Context, cfg Config, ready func(*Server)) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	select {
	case <-ctx.Done():
		return s.Stop()
	case <-s.DrainRequested():
		return s.Stop()
	case err := <-s.failed:
		return errors.Join(err, s.Stop())
	}
}

// Start starts a node and returns once it accepts. ctx bounds the start only. The caller has to call [Server.Stop].
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, failed: make(chan error, 2), upkeep: newUpkeep(cfg.Logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.undo())
		}
	}()
	before := lookAtSecrets(cfg)
	token, err := cfg.adminToken()
	if err != nil {
		return nil, err
	}
	sayWhatIsAbsent(cfg.Logger)
	instance, err := s.openStore(ctx)
	if err != nil {
		return nil, err
	}
	s.clock = awake.New(nil, cfg.Logger)
	s.measured = measured.New(s.store)
	s.store = s.measured
	s.ready = ready.New(s.draining.Load, s.store.Ping)
	s.proxies = peer.NewProxies(cfg.TrustedProxies, cfg.Logger)
	if s.channel, err = openChannel(ctx, cfg, udpknock.Config{Knock: s.answerKnock}); err != nil {
		return nil, err
	}
	if err := s.assemble(instance); err != nil {
		return nil, err
	}
	tlsConfig, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if s.desk, err = s.newDesk(instance, token, tlsConfig); err != nil {
		return nil, err
	}
	s.keepTickets(tlsConfig)
	s.watchSecrets(before, token)
	if err := s.listen(tlsConfig); err != nil {
		return nil, err
	}
	if s.metrics, err = s.newMetrics(); err != nil {
		return nil, err
	}
	s.upkeep.line = newLineKeys(s.store, cfg.Logger, s.door.SetKeyring)
	s.upkeep.line.begin(ctx)
	s.fleet.begin(ctx)
	s.clock.Start()
	s.realm.Start()
	s.pool.Start()
	s.serve(tlsConfig)
	s.upkeep.move = s.door.Move
	s.upkeep.start()
	s.fleet.start()
	for _, p := range s.places {
		p.start()
	}
	if s.acme != nil {
		s.acme.Start()
	}
	if s.channel != nil {
		s.channel.public.start()
	}
	return s, nil
}

// listen opens the HTTP listeners.
func (s *Server) listen(tlsConfig *tls.Config) (err error) {
	if s.frontListener, err = listenTCP(s.cfg.HTTPAddr); err != nil {
		return fmt.Errorf("server: HTTP listener: %w", err)
	}
	s.knocks, s.httpAddr = s.frontListener.(*net.TCPListener), s.frontListener.Addr()
	if q, ok := backlog.Of(s.knocks); ok {
		sayIfFewMayWait(s.cfg.Logger, q)
		s.lost, _ = backlog.Lost() // nothing if the system does not tell
	}
	if s.acme != nil {
		if err := s.acme.Listen(s.httpAddr); err != nil {
			return fmt.Errorf("server: %w", err)
		}
	}
	if err := s.postDoorman(tlsConfig); err != nil {
		return err
	}
	if s.cfg.ProxyProtocol {
		s.frontListener = s.proxies.Listener(s.frontListener)
	}
	if s.adminListener, err = net.Listen("tcp", s.cfg.AdminAddr); err != nil {
		return fmt.Errorf("server: admin listener: %w", err)
	}
	s.adminAddr = s.adminListener.Addr()
	return s.desk.announce()
}

// undo gives back what a start that has failed had got hold of, last first.
func (s *Server) undo() error {
	for _, l := range []net.Listener{s.adminListener, s.frontListener} {
		if l != nil {
			l.Close()
		}
	}
	if s.acme != nil {
		s.acme.Stop()
	}
	if s.channel != nil {
		s.channel.close()
	}
	return s.closeStore()
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

// assemble makes the parts and connects them.
func (s *Server) assemble(instance rushgate.Instance) error {
	cfg := s.cfg
	var err error
	if s.hasher, err = s.newHasher(); err != nil {
		return err
	}
	hasher := s.hasher
	if cfg.World == nil {
		cfg.World = world.New(world.Default(), cfg.Seed)
	}
	s.fleet = newFleet(s.store, rushgate.NodeBeat{Instance: instance, Address: cfg.PublicAddress}, cfg.Logger)
	hashTime := max(hasher.Measure(auth.BatchMax), 1)
	if err = s.openDoor(hashTime); err != nil {
		return err
	}
	s.lines = &api.LineDocuments{Door: s.door}
	if s.channel != nil {
		s.lines.KnockAddrs = s.channel.knockAddrs
	}
	inside := realm.Config{
		World: cfg.World, Store: s.store, Instance: instance, Logger: cfg.Logger,
		MaxPlayers: cfg.MaxPlayers, MessagesPerTick: cfg.MessagesPerTick, SessionTimeout: cfg.SessionTimeout,
		SnapshotRate: cfg.SnapshotRate, SnapshotWorkers: cfg.SnapshotWorkers,
		Left:       func(name string, how realm.Departure) { s.door.Left(name, departures[how]) },
		RetryAfter: s.door.After, Clock: s.clock,
	}
	if s.channel != nil {
		inside.Channel = s.channel.server
	}
	s.realm, err = realm.New(inside)
	if err != nil {
		return err
	}
	s.browsers = wschannel.New(s.realm)
	s.pool, err = auth.NewPool(auth.Config{
		Workers: cfg.Workers, MaxAge: cfg.MaxAge, Store: s.store, Hasher: hasher, HashTime: hashTime,
		Door: s.door, Instance: instance, Enter: s.realm.Enter, Logger: cfg.Logger, Clock: s.clock,
		Policy:   cfg.policy(),
		Zones:    func(zone string) (string, bool) { address, elsewhere := cfg.Zones[zone]; return address, elsewhere },
		Remember: max(cfg.RememberFor, 0), Grace: cfg.SessionTimeout, Holder: s.fleet.holder,
	})
	return err
}

func (s *Server) newHasher() (*password.Hasher, error) {
	c := password.Config{Iterations: s.cfg.HashIterations, Kernel: s.cfg.HashKernel}
	if s.cfg.PepperFile != "" {
		var err error
		if c.Pepper, err = password.LoadPepper(s.cfg.PepperFile); err != nil {
			return nil, err
		}
	}
	hasher, err := password.NewHasher(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidConfig, err)
	}
	return hasher, nil
}

// serve starts the two HTTP servers on their listeners.
func (s *Server) serve(tlsConfig *tls.Config) {
	knocks := api.Config{
		Pool: s.pool, Door: s.door, Lines: s.lines, Realm: s.realm, Store: s.store, Proxies: s.proxies,
		Channel: s.browsers, Play: web.Play(), Origins: s.cfg.Origins, PasswordMin: s.cfg.PasswordMin,
		MaxAge: s.cfg.MaxAge, Remember: max(s.cfg.RememberFor, 0),
		Ready: s.ready, Logger: s.cfg.Logger, Clock: s.clock,
	}
	sections := admin.Sections{
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
	s.front = api.NewServer(api.New(knocks), api.ServerConfig{
		MaxConns: conns, Outside: outside, Later: s.crowded, Origins: s.cfg.Origins, MaxAge: s.cfg.MaxAge,
		IdleTimeout: s.cfg.IdleTimeout, TLS: tlsConfig, Logger: s.cfg.Logger,
	})
	s.operator = s.desk.newServer(sections)
	s.serving.Go(func() {
		if tlsConfig != nil && s.doorman == nil {
			s.report("HTTPS", s.front.ServeTLS(s.frontListener, "", ""))
		} else {
			s.report("HTTP", s.front.Serve(s.frontListener))
		}
	})
	s.desk.history.Start()
	s.serving.Go(func() { s.report("admin", s.desk.serve(s.operator, s.adminListener)) })
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
	s.upkeep.stop()
	if s.acme != nil {
		s.acme.Stop()
	}
	if s.channel != nil {
		s.channel.public.stop()
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
	// Answers under way still go out; connections that are idle do not count.
	answers, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, srv := range []*http.Server{s.front, s.operator} {
		if srv.Shutdown(answers) != nil {
			srv.Close()
		}
	}
	s.serving.Wait()
	s.browsers.Stop()
	for _, p := range s.places { // of a door that is closed
		p.stop()
	}
	s.fleet.stop()
	s.clock.Stop()
	err = errors.Join(err, s.cfg.withdraw(), s.closeStore())
	s.cfg.Logger.Info("stopped", "took", time.Since(start).Round(time.Millisecond))
	return err
}
