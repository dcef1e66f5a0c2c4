package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/netcode"
)

// ErrNotHandedOver is wrapped by the error of [Start] for a node that was to go on in place of another, which goes on
// itself; see [Config].Handover.
var ErrNotHandedOver = errors.New("not handed over, the node that runs goes on")

// successor is how a node goes on in place of another process. The methods of one that is nil are those of a node that
// does not.
type successor struct {
	*handover.Taker
	state map[string][]byte // nil: the other has died without telling it
	alone bool              // the other has died
}

// explain says of an error of the start that the other node goes on.
func (n *successor) explain(err error) error {
	if n == nil || n.alone || errors.Is(err, ErrNotHandedOver) {
		return err
	}
	return fmt.Errorf("server: %w: %w", ErrNotHandedOver, err)
}

// succeed asks the node that runs on the data folder, if there is one, to be replaced by this one.
func (s *Server) succeed(ctx context.Context) (*successor, error) {
	if !s.cfg.Handover {
		return nil, nil
	}
	path := filepath.Join(s.cfg.DataDir, handover.SocketName)
	hello := handover.Hello{Program: programVersion(), Terms: s.cfg.terms()}
	t, err := handover.Dial(ctx, path, hello, handover.DefaultLimits())
	switch {
	case errors.Is(err, handover.ErrNobody):
		s.cfg.Logger.Info("no node runs that could be replaced: an ordinary start", "data", s.cfg.DataDir)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("server: %w: %w", ErrNotHandedOver, err)
	}
	s.cfg.Logger.Info("going on in place of a node that runs", "program", t.Offer().Program)
	return &successor{Taker: t}, nil
}

// instance returns that of the other process, under which its players' leases are held.
func (n *successor) instance() rushgate.Instance {
	facts := n.Offer().Facts
	return rushgate.Instance{Node: facts[nodeFact], Run: facts[runFact]}
}

// listener returns a listener of the other process.
func (n *successor) listener(name string) (*net.TCPListener, error) {
	f := n.File(name)
	if f == nil {
		return nil, fmt.Errorf("the node that runs has not given its listener %q", name)
	}
	defer func() { _ = f.Close() }() // what follows has a copy
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the listener %q of the node that runs is not one of TCP", name), l.Close())
	}
	return tcp, nil
}

// udp returns the socket of the other process's realtime channel.
func (n *successor) udp() (*netcode.UDPConn, error) {
	f := n.File(udpFile)
	if f == nil {
		return nil, errors.New("the node that runs has not given its UDP socket")
	}
	defer func() { _ = f.Close() }() // what follows has a copy
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(errors.New("the socket of the node that runs is not one of UDP"), c.Close())
	}
	return netcode.NewUDPConn(udp, netcode.UDPOptions{})
}

// await says that this node could run, and waits for the state of the other, which stands still then.
func (n *successor) await(ctx context.Context, s *Server) error {
	if n == nil {
		return nil
	}
	parts, err := n.Await(ctx)
	if errors.Is(err, handover.ErrOldDied) {
		n.alone = true
		s.cfg.Logger.Warn("the node that was to be replaced has died: going on as after a crash, with its sockets")
		return nil
	}
	if err != nil {
		return fmt.Errorf("server: %w: %w", ErrNotHandedOver, err)
	}
	n.state = make(map[string][]byte)
	for _, p := range parts {
		n.state[p.Name] = p.Data
	}
	known := []string{realmPart, doorPart}
	if s.channel != nil {
		known = append(known, channelPart)
	}
	for _, name := range known {
		if n.state[name] == nil {
			return fmt.Errorf("server: %w: its state has no part %q", ErrNotHandedOver, name)
		}
	}
	if len(n.state) != len(known) {
		return fmt.Errorf("server: %w: its state has parts that are not known here", ErrNotHandedOver)
	}
	return nil
}

// part returns a part of the state, nil for a node that begins anew.
func (n *successor) part(name string) []byte {
	if n == nil {
		return nil
	}
	return n.state[name]
}

// goAhead says that the state is loaded, and returns when this node is to run.
func (n *successor) goAhead(ctx context.Context, s *Server) error {
	if n == nil {
		return nil
	}
	if n.state != nil {
		switch err := n.Loaded(ctx); {
		case errors.Is(err, handover.ErrOldDied):
			n.alone = true
			s.cfg.Logger.Warn("the node that was to be replaced has died: going on with what it has told")
		case err != nil:
			return fmt.Errorf("server: %w: %w", ErrNotHandedOver, err)
		}
	}
	n.state = nil // it holds the keys of players
	return nil
}

// takeOver opens for good what only one process can have, and for a node that goes on in place of another, has that
// hear that it does.
func (s *Server) takeOver(ctx context.Context) error {
	if err := s.successor.goAhead(ctx, s); err != nil {
		return err
	}
	// From here on the other node does not go on unless this one gives up.
	ctx = context.WithoutCancel(ctx)
	if err := s.beginStore(ctx); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err := s.desk.announce(); err != nil {
		return err
	}
	s.predecessor.open()
	if s.successor == nil {
		return nil
	}
	// Until it has heard that this one runs, the other goes on with what it has told, should this one die. So before that
	// this one does nothing that the other would have to know of: no step of the world, no save, no request, no datagram.
	// And nothing that can fail comes after.
	s.cfg.inCharge()
	s.successor.done(s)
	return nil
}

// done says that this node runs, from which moment on the other does not go on, and takes the connections that are
// left: they wait until this one serves.
func (n *successor) done(s *Server) {
	n.Done()
	s.serving.Go(func() {
		defer n.Close()
		killed := n.Connections(s.ending, func(f *os.File) {
			c, err := net.FileConn(f)
			_ = f.Close() // a copy
			switch {
			case err != nil: // out of descriptors: its client comes again
			case s.doorman == nil:
				_ = c.Close()
			default:
				s.doorman.Adopt(c)
			}
		})
		if killed != 0 {
			s.cfg.Logger.Warn("the process that was replaced does not end, and is killed", "pid", killed)
		}
	})
}

// control is the Control of a socket.
func control(c syscall.Conn) func(func(uintptr)) error {
	return func(use func(fd uintptr)) error {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(use)
	}
}
