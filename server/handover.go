package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/store/sqlite"
)

// Names of what one process gives another: descriptors, facts and parts of the state.
const (
	lockFile    = "lock"
	playersFile = "http"
	adminFile   = "admin"
	udpFile     = "udp"

	nodeFact = "node"
	runFact  = "run"
	markFact = "mark" // see the type mark

	realmPart   = "realm"
	channelPart = "channel"
	doorPart    = "door"
)

const (
	// workOff is how long a node may take to answer what it has begun, before another goes on in its place. Newcomers wait
	// in the kernel meanwhile.
	workOff = 5 * time.Second
	// quiet is how much of it a request may take that is under way: a client that sends one a byte at a time holds up
	// nothing for longer.
	quiet = 2 * time.Second
	// standStill is how long it may take to come to rest after that.
	standStill = 5 * time.Second
	// grace is for how long connections that another process cannot go on with are still open, each to be closed with the
	// next answer: a client that has just had one may be about to ask again.
	grace = 250 * time.Millisecond
	// settle is how often a node looks whether it has answered all.
	settle = time.Millisecond
)

// errDraining refuses a hand-over.
var errDraining = errors.New("the node that runs is draining: wait until it has ended, and start anew")

// predecessor is how a node is replaced by another process, once it runs.
type predecessor struct {
	*Server
	host     *handover.Host // nil: it cannot be
	instance rushgate.Instance
	given    atomic.Bool
	over     chan struct{} // closed when it was
}

// terms are what two processes have to agree on, so that the one can go on with the other's sockets and players.
func (c Config) terms() map[string]string {
	return map[string]string{
		"http": c.HTTPAddr, "admin": c.AdminAddr, "udp": c.UDPAddr, "protocol-id": fmt.Sprintf("%x", c.ProtocolID),
		"db": c.storeName(), "redis-prefix": c.RedisPrefix,
	}
}

// open makes the socket at which processes come that want to go on in the node's place. They wait until begin.
func (p *predecessor) open() {
	if p.cfg.Backend == Memory {
		return
	}
	path := filepath.Join(p.cfg.DataDir, handover.SocketName)
	var err error
	p.host, err = handover.Listen(path, handover.Node{
		Offer: p.offer, Prepare: p.prepare, Freeze: p.freeze, Thaw: p.thaw, Gone: p.gone,
	}, p.cfg.Logger, handover.DefaultLimits())
	if err != nil && !errors.Is(err, handover.ErrUnsupported) {
		p.cfg.Logger.Warn("this node cannot be replaced with its players inside (--handover)", "error", err)
	}
}

// begin has them be heard.
func (p *predecessor) begin() {
	if p.host != nil {
		p.host.Start()
	}
}

// offer answers another process that wants to go on in this one's place.
func (p *predecessor) offer(h handover.Hello) (handover.Offer, []handover.File, error) {
	o := handover.Offer{
		Program: programVersion(), Facts: map[string]string{nodeFact: p.instance.Node, runFact: p.instance.Run},
	}
	switch _, movable := p.world.(rushgate.Checkpointer); {
	case p.draining.Load():
		return o, nil, errDraining
	case !movable:
		return o, nil, errors.New("the world of the node that runs cannot be moved into another process: it is no " +
			"rushgate.Checkpointer")
	}
	if err := p.agree(h.Terms); err != nil {
		return o, nil, err
	}
	if err := p.leaveMark(&o); err != nil {
		return o, nil, err
	}
	files := []handover.File{
		{Name: playersFile, Control: control(p.knocks)}, {Name: adminFile, Control: control(p.adminGate.TCPListener)},
	}
	if p.channel != nil {
		files = append(files, handover.File{Name: udpFile, Control: control(p.channel.conn)})
	}
	lock := p.lock
	if inner, ok := p.inner.(*sqlite.Store); ok && lock == nil {
		lock = inner.Lock()
	}
	return o, append(files, handover.FileOf(lockFile, lock)), nil
}

// agree compares the terms of another process with those of this one.
func (p *predecessor) agree(theirs map[string]string) error {
	bound := map[string]string{"http": p.httpAddr.String(), "admin": p.adminAddr.String()}
	if p.channel != nil {
		bound["udp"] = p.channel.conn.LocalAddr().String()
	}
	var errs []error
	for name, own := range p.cfg.terms() {
		if their := theirs[name]; their != own && (bound[name] == "" || their != bound[name]) {
			errs = append(errs, fmt.Errorf("--%s is %q here and %q in the node that runs: that cannot change without a restart",
				name, their, own))
		}
	}
	return errors.Join(errs...)
}

// prepare has the node take in nothing new, and answer all that it has begun to.
func (p *predecessor) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, workOff, errors.New("the logins that wait took longer than that"))
	defer cancel()
	p.hold()
	if p.parking.used {
		p.parking.close()
	} else if err := p.closeConns(ctx); err != nil {
		return err
	}
	p.quieten(ctx)
	if p.doorman != nil { // what comes from now on over the connections that it has is for the other process
		p.doorman.Freeze()
		p.quieten(ctx)
	}
	if err := p.pool.Freeze(ctx); err != nil {
		return fmt.Errorf("the logins that wait were not answered in %v: %w", workOff, err)
	}
	p.diary.Stop()
	return nil
}

// quieten waits until all requests are answered, but not for those that come a byte at a time.
func (p *predecessor) quieten(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	again := time.NewTicker(settle)
	defer again.Stop()
	for p.underWay() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			p.cfg.Logger.Warn("requests that are still coming are not waited for", "requests", p.underWay())
			return
		}
	}
}

// closeConns has connections closed with the next answer over each, and those that are idle after a while.
func (p *predecessor) closeConns(ctx context.Context) error {
	p.closing.Store(true)
	select {
	case <-time.After(grace):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.front.SetKeepAlivesEnabled(false) // which closes those that are idle
	return nil
}

// underWay returns how many requests are being answered, or are about to be.
func (p *predecessor) underWay() int {
	n := p.parking.underWay()
	if p.doorman != nil {
		n += p.doorman.Busy()
	}
	return n
}

// freeze has the node stand still, and returns what another process needs to go on.
func (p *predecessor) freeze(ctx context.Context) ([]handover.Part, error) {
	ctx, cancel := context.WithTimeout(ctx, standStill)
	defer cancel()
	if err := p.realm.Freeze(ctx); err != nil {
		return nil, err
	}
	for _, place := range p.places {
		place.pause()
	}
	p.deleter.Stop()
	inside, err := p.realm.State()
	if err != nil {
		return nil, err
	}
	parts := []handover.Part{{Name: realmPart, Data: inside}, {Name: doorPart, Data: p.door.State()}}
	if p.channel != nil {
		state, err := p.channel.server.State()
		if err != nil {
			return nil, err
		}
		parts = append(parts, handover.Part{Name: channelPart, Data: state})
	}
	return parts, nil
}

// thaw has the node go on where it stood. If another process has been tried, that may have told the service manager,
// and written down where the operator finds it.
func (p *predecessor) thaw(tried bool) {
	if tried { // first: the manager may be hearing just now that the other has ended
		p.cfg.inCharge()
	}
	for _, place := range p.places {
		place.start()
	}
	p.deleter.Start()
	p.diary.Start()
	p.realm.Thaw()
	p.pool.Thaw()
	p.parking.open()
	p.closing.Store(false)
	p.front.SetKeepAlivesEnabled(true)
	p.resume()
	if tried {
		if err := p.desk.announce(); err != nil {
			p.cfg.Logger.Warn("the command line does not find this node by itself any more", "error", err)
		}
	}
}

// inCharge says that this process is the node.
func (c *Config) inCharge() {
	if c.InCharge != nil {
		c.InCharge()
	}
}

// hold has the node accept no connections, and resume has it go on.
func (s *Server) hold() {
	if s.doorman != nil {
		s.doorman.Hold()
	}
	s.frontGate.hold()
	s.adminGate.hold()
}

func (s *Server) resume() {
	s.frontGate.resume()
	s.adminGate.resume()
	if s.doorman != nil {
		s.doorman.Resume()
	}
}

// gone notes that another process goes on in place of this one.
func (p *predecessor) gone(error) (left []*os.File) {
	if p.doorman != nil {
		left = p.doorman.Release()
	}
	left = append(left, p.parking.give()...)
	p.given.Store(true)
	close(p.over)
	return left
}

// HandedOver returns a channel that is closed when another process has gone on in place of this node, with its players:
// see [Config].Handover. [Run] then ends; a caller of [Start] has to call [Server.Stop], which saves and releases
// nothing then, for it is no longer this node's.
func (s *Server) HandedOver() <-chan struct{} { return s.predecessor.over }

// leave ends a node that another process has gone on in place of.
func (s *Server) leave() error {
	s.fleet.stop()
	s.staff.stop()
	s.pool.Stop()
	s.realm.Leave()
	s.desk.history.HandOver()
	s.shutDown()
	s.browsers.Stop()
	s.clock.Stop()
	s.closeProviders()
	err := s.closeStore()
	s.predecessor.close()
	return err
}

// shutDown ends the HTTP servers. Answers under way still go out; connections that are idle do not count.
func (s *Server) shutDown() {
	answers, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, srv := range []*http.Server{s.front, s.operator} {
		if srv.Shutdown(answers) != nil {
			_ = srv.Close() // what is left has had its time
		}
	}
	s.serving.Wait()
}

// stop has no other process go on in place of this one any more, and returns when it is known whether one has.
func (p *predecessor) stop() {
	if p.host != nil {
		p.host.Stop()
	}
}

// close says that this node has ended.
func (p *predecessor) close() {
	if p.host == nil {
		return
	}
	p.host.Close()
	if !p.given.Load() { // or else it is the other's
		_ = os.Remove(filepath.Join(p.cfg.DataDir, handover.SocketName)) // nobody listens there
	}
}

// programVersion is what a process calls itself in the log of another.
func programVersion() string {
	build := admin.ReadBuild()
	return build.Version + " " + build.Revision
}
