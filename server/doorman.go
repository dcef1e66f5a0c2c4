package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"

	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/doorman"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

// postDoorman has a doorman stand before the front listener, unless there is something that it does not know of: an
// embedder's policy, which is asked before the door, or TLS that begins after a PROXY header.
func (s *Server) postDoorman(tlsConfig *tls.Config) error {
	if s.cfg.Policy != nil || tlsConfig != nil && s.cfg.ProxyProtocol {
		s.frontListener = s.clock.Listener(s.frontGate)
		return nil
	}
	refuser := api.NewRefuser(api.RefuserConfig{
		Origins: s.cfg.Origins, PasswordMin: s.cfg.PasswordMin, Opaque: s.answersOpaque(),
		OpaqueMode: api.OpaqueMode(s.cfg.Opaque), Lines: s.lines, OverTLS: tlsConfig != nil,
	})
	d, err := doorman.New(s.knocks, doorman.Config{
		Door: s.door, Name: refuser.KnockName, Begin: refuser.BeginName, Finish: refuser.FinishName,
		Page: refuser.Page, Refuse: refuser.AppendRefusal, Line: refuser.AppendLine,
		Passes: s.proxies.Trusts, Wrap: s.clock.Conn,
		Since: s.clock.Since, Idle: s.cfg.IdleTimeout,
		MaxConns: connLimit(s.cfg.MaxConns), TLS: tlsConfig.Clone(), // net/http still changes its own
		Held: true,
		Share: &doorman.Share{
			Cores: runtime.GOMAXPROCS(0), Workers: s.cfg.Workers, Waiting: s.door.Waiting,
			Usage: func() doorman.Usage { return doorman.Usage{Process: cpuclock.Process(), Hash: pbkdf2x.CPUTime()} },
		},
	})
	if err != nil {
		return fmt.Errorf("server: doorman: %w", err)
	}
	s.doorman, s.frontListener = d, d
	return nil
}

// listenTCP listens for players, by plain TCP: Go would have the kernel offer Multipath TCP, which makes every
// connection dearer, also those of clients that do not speak it. A login is over before a second path would be of use.
func listenTCP(addr string) (*net.TCPListener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil // what "tcp" stands for
}
