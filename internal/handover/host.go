package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Node is a process that can be replaced: what it does at each step. Its functions are called one at a time.
type Node struct {
	// Offer answers a hello, or returns an error, whose words the new process is told. The node goes on meanwhile.
	Offer func(Hello) (Offer, []File, error)
	// Prepare has the node take in nothing new and work off what it has begun. An error ends the attempt.
	Prepare func(context.Context) error
	// Freeze has the node stand still, and returns its state. An error ends the attempt.
	Freeze func(context.Context) ([]Part, error)
	// Thaw has the node go on that Prepare, and perhaps Freeze, was called of, whether or not they have failed. If tried,
	// another process was told to go on with the state, and may have begun to, and has ended.
	Thaw func(tried bool)
	// Gone says that the new process runs. err, if not nil, says that it may or may not: it gave no answer, and could not
	// be ended. This one must not go on in either case. What Gone returns are connections for the new one, which are
	// closed here.
	Gone func(err error) []*os.File
}

// Host waits for processes that want to take over. One that has been told "go" and neither says that it runs nor ends
// within [Limits].Done is killed, where the system tells which it is: the old one cannot go on before it is dead, and
// the players would be lost.
type Host struct {
	node   Node
	logger *slog.Logger
	limits Limits
	path   string

	mu     sync.Mutex
	socket *net.UnixListener // another one after an attempt in which the new process has taken its place

	// A process that takes over has the reading end: it sees its end when this process has died, and not before.
	alive, living *os.File

	ctx    context.Context
	cancel context.CancelCauseFunc
	busy   sync.Mutex // held during an attempt
	ended  sync.WaitGroup
	once   sync.Once
}

// errStopping ends an attempt: the process is about to end.
var errStopping = errors.New("the node that runs is told to stop")

// Listen opens the socket at path, in place of one that is another process's or that one has left, and has a node be
// replaced by processes that come there, once it is started: they wait until then. Only those of the same user, and
// root's, are heard; on a system that does not tell whose they are, others must not be able to enter the folder.
func Listen(path string, node Node, logger *slog.Logger, limits Limits) (*Host, error) {
	if !supported {
		return nil, ErrUnsupported
	}
	socket, err := listen(path)
	if err != nil {
		return nil, err
	}
	h := &Host{node: node, logger: logger, limits: limits, path: path, socket: socket}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	if h.alive, h.living, err = os.Pipe(); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("handover: %w", err)
	}
	return h, nil
}

// Start has processes that come be heard, until Stop. It is called once.
func (h *Host) Start() { h.ended.Go(h.accept) }

// newSocketName is the name that a socket is made under, in the same folder. It is no longer than [SocketName], so that
// a path that is short enough for that is so for this.
const newSocketName = "handover.new"

// listen opens the socket at path, in place of what is there: the path leads to the one process or the other at every
// moment.
func listen(path string) (socket *net.UnixListener, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("handover: %w", err)
		}
	}()
	folder := filepath.Dir(path)
	if err := mayListenIn(folder); err != nil {
		return nil, err
	}
	made := filepath.Join(folder, newSocketName)
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed just then
		return nil, err
	}
	if socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"}); err != nil {
		return nil, err
	}
	socket.SetUnlinkOnClose(false) // the name is another's by then
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		_ = socket.Close() // nothing was accepted
		return nil, errors.Join(err, os.Remove(made))
	}
	return socket, nil
}

// mayListenIn refuses a folder in which processes of other users could come to a socket and not be told apart.
func mayListenIn(folder string) error {
	if peersKnown {
		return nil
	}
	info, err := os.Stat(folder)
	if err == nil && info.Mode()&0o077 != 0 {
		err = fmt.Errorf("other users can enter %s, and this system does not tell whose process comes: chmod 700", folder)
	}
	return err
}

// listenAnew takes back the path from a process that was told "go", and has ended: it may have put a socket of its own
// there, where nothing listens any more.
func (h *Host) listenAnew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return
	}
	socket, err := listen(h.path)
	if err != nil {
		h.logger.Error("this node cannot be replaced any more (--handover) until it is restarted", "error", err)
		return
	}
	old := h.socket
	h.socket = socket
	_ = old.Close() // accept goes on with the other
}

// listener is the socket in use.
func (h *Host) listener() *net.UnixListener {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.socket
}

// deafen closes it.
func (h *Host) deafen() { _ = h.listener().Close() } // there is another by now, or is to be none

// Stop ends an attempt that has not come to "go", and waits for one that has. The process lives on for those that ask
// until Close.
func (h *Host) Stop() {
	h.cancel(errStopping)
	h.deafen()
	h.ended.Wait()
}

// Close does what Stop does, and says that the process is as good as dead. It is idempotent.
func (h *Host) Close() {
	h.Stop()
	h.once.Do(func() {
		_ = h.living.Close()
		_ = h.alive.Close()
	})
}

func (h *Host) accept() {
	for {
		socket := h.listener()
		c, err := socket.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed) && socket != h.listener():
			continue
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // there is no descriptor left, or the process has gone again
			select {
			case <-time.After(100 * time.Millisecond):
			case <-h.ctx.Done():
				return
			}
			continue
		}
		h.ended.Go(func() { h.receive(c) })
	}
}

// peer is the process at the other end of a connection.
type peer struct {
	uid int
	pid int // 0: not known
}

// receive hears one process.
func (h *Host) receive(c *net.UnixConn) {
	p, err := peerOf(c)
	if err != nil || peersKnown && p.uid != os.Geteuid() && p.uid != 0 {
		_ = c.Close() // not even told why
		h.logger.Warn("a process of another user wanted to take over from this node, and was not heard", "uid", p.uid,
			"error", err)
		return
	}
	w := newWire(c, p)
	defer w.close()
	if !h.busy.TryLock() {
		w.refuse(errors.New("another hand-over is under way"))
		return
	}
	defer h.busy.Unlock()
	if err := context.Cause(h.ctx); err != nil {
		w.refuse(err)
		return
	}
	g := giver{Host: h, wire: w, began: time.Now()}
	g.give()
}
