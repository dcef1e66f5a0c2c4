package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// aliveName is the name of the descriptor that ends with the old process.
const aliveName = "alive"

// Taker is the conversation as the new process has it. Its methods are called on one goroutine, in the order in which
// they are written here.
type Taker struct {
	wire   *wire
	limits Limits
	offer  Offer
	files  map[string]*os.File
	alive  *os.File
}

// Dial asks the process that listens at path to be replaced by this one. It returns [ErrNobody] if there is none, and a
// [*Refusal] if that does not want it.
func Dial(ctx context.Context, path string, hello Hello, limits Limits) (*Taker, error) {
	if !supported {
		return nil, ErrUnsupported
	}
	hello.Version = Version
	ctx, cancel := context.WithTimeoutCause(ctx, 2*limits.Answer, errLate)
	defer cancel()
	for {
		t, err := dial(ctx, path, hello, limits)
		if !errors.Is(err, errHungUp) {
			return t, err
		}
		// It has died, or was replaced by another one a moment ago.
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return nil, fmt.Errorf("handover: %w", err)
		}
	}
}

// again is after how long a path is tried once more whose process has gone, since another has taken its place.
const again = 20 * time.Millisecond

// reach connects to the process that listens at path.
func reach(ctx context.Context, path string) (*net.UnixConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) { // it may have been replaced while this one connected to it
		time.Sleep(again)
		c, err = new(net.Dialer).DialContext(ctx, "unix", path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNobody
	case err != nil:
		return nil, fmt.Errorf("handover: %w", err)
	}
	return c.(*net.UnixConn), nil
}

func dial(ctx context.Context, path string, hello Hello, limits Limits) (*Taker, error) {
	socket, err := reach(ctx, path)
	if err != nil {
		return nil, err
	}
	p, err := own(socket)
	if err != nil {
		_ = socket.Close() // nothing was said
		return nil, fmt.Errorf("handover: %w", err)
	}
	t := &Taker{wire: newWire(socket, p), limits: limits, files: make(map[string]*os.File)}
	if err := t.greet(ctx, hello); err != nil {
		t.Close()
		if refused := (*Refusal)(nil); errors.As(err, &refused) {
			return nil, refused
		}
		return nil, fmt.Errorf("handover: %w", err)
	}
	return t, nil
}

// own refuses a process of another user, where the system tells: it could give this one whatever sockets and state it
// likes, or be given passwords of players.
func own(c *net.UnixConn) (peer, error) {
	p, err := peerOf(c)
	if err == nil && peersKnown && p.uid != os.Geteuid() {
		err = fmt.Errorf("the process that runs is of the user with the id %d, and this one of %d: start it as the same user",
			p.uid, os.Geteuid())
	}
	return p, err
}

// greet says hello and takes the offer.
func (t *Taker) greet(ctx context.Context, hello Hello) error {
	if err := t.wire.say(sayHello, marshal(hello)); err != nil {
		if errors.Is(err, errHungUp) { // perhaps it has said why
			_, err = t.wire.hear(ctx, t.limits.Answer, sayOffer)
		}
		return err
	}
	h, err := t.wire.hear(ctx, t.limits.Answer, sayOffer)
	if err != nil {
		return err
	}
	if err := decode(h.body, &t.offer); err != nil || len(t.offer.Files) != len(h.files) {
		closeFiles(h.files)
		return errors.Join(err, errors.New("the descriptors are not those that were named"))
	}
	for i, name := range t.offer.Files {
		if t.files[name] != nil {
			closeFiles(h.files[i:])
			return fmt.Errorf("the descriptor %.80q is there twice", name)
		}
		t.files[name] = h.files[i]
	}
	if t.alive = t.File(aliveName); t.alive == nil {
		return errors.New("the descriptor is missing that ends with the old process")
	}
	At(NewGreeted)
	return nil
}

// Offer returns what the old process has said of itself.
func (t *Taker) Offer() Offer { return t.offer }

// File returns a descriptor by its name, which is the caller's from now on, or nil.
func (t *Taker) File(name string) *os.File {
	f := t.files[name]
	delete(t.files, name)
	return f
}

// Await says that this process could run, and returns the state of the old one, which stands still by then. With
// [ErrOldDied] this process is to start as after a crash, with what it has got; with any other error the old one goes
// on, and this one must not run.
func (t *Taker) Await(ctx context.Context) ([]Part, error) {
	At(NewAble)
	err := t.wire.say(sayAble, nil)
	var h heard
	if err == nil || errors.Is(err, errHungUp) {
		h, err = t.wire.hear(ctx, t.limits.State+t.limits.Answer, sayState)
	}
	if err != nil {
		return nil, t.explain(err)
	}
	parts, err := parseParts(h.body)
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	At(NewTold)
	return parts, nil
}

// Loaded says that the state is read, and returns when this process is to run. With [ErrOldDied] it is to run too, with
// the state; with any other error the old one goes on, and this one must not.
func (t *Taker) Loaded(ctx context.Context) error {
	At(NewLoaded)
	err := t.wire.say(sayLoaded, nil)
	if err == nil || errors.Is(err, errHungUp) {
		_, err = t.wire.hear(ctx, t.limits.Go, sayGo)
	}
	if err = t.explain(err); err == nil {
		At(NewGoing)
	}
	return err
}

// explain finds out whether a connection has ended because the old process has died.
func (t *Taker) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, errHungUp):
		if refused := (*Refusal)(nil); errors.As(err, &refused) {
			return refused
		}
		return fmt.Errorf("handover: %w", err)
	}
	for range 2 { // the time may be up because this process stood still
		_ = t.alive.SetReadDeadline(time.Now().Add(t.limits.Dead)) // a pipe takes deadlines
		if _, e := t.alive.Read(make([]byte, 1)); errors.Is(e, io.EOF) {
			return ErrOldDied
		}
	}
	return fmt.Errorf("handover: %w, and lives", err)
}

// Done says that this process runs. It does not matter whether the old one hears it.
func (t *Taker) Done() {
	At(NewRunning)
	_ = t.wire.say(sayDone, nil)
	At(NewDone)
}

// Connections hands on the connections that the old process has accepted and that have brought nothing yet. It returns
// when there are no more, which it is told by the end of the conversation. An old process that hangs it kills, where
// the system tells which it is, and returns its id: clients wait for answers over connections that the process still
// has.
func (t *Taker) Connections(ctx context.Context, take func(*os.File)) (killed int) {
	for {
		h, err := t.wire.hear(ctx, t.limits.Done, sayConns)
		if errors.Is(err, errLate) {
			return t.wire.kill()
		}
		if err != nil {
			return 0
		}
		for _, f := range h.files {
			take(f)
		}
	}
}

// Fail says that this process does not run, now or later, and why, and closes the conversation.
func (t *Taker) Fail(why error) {
	t.wire.refuse(why)
	t.Close()
}

// Close ends the conversation, and closes the descriptors that were not asked for. To the old process, if this one has
// not said that it runs, it means that this one never will. It is idempotent.
func (t *Taker) Close() {
	t.wire.close()
	for name, f := range t.files {
		_ = f.Close() // a copy
		delete(t.files, name)
	}
	if t.alive != nil {
		_ = t.alive.Close()
	}
}
