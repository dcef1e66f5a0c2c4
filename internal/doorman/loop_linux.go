package doorman

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

const (
	// pause is how long the loop waits for knocks to come together, and rushPause while logins wait: hashing has emptied
	// the core's caches by then, so that the first knock costs twice what the next ones do. For patience after the last
	// knock the loop looks by itself: the scheduler of the runtime looks at timers whenever a goroutine yields, but at the
	// network only every 10 ms while all cores are busy.
	pause     = 500 * time.Microsecond
	rushPause = 2 * time.Millisecond
	patience  = 20 * time.Millisecond
	// frozenPause is how long it takes until another order is heeded while there is nothing to do.
	frozenPause = time.Millisecond
	// acceptMax is how many connections are accepted before others are served.
	acceptMax = 64
)

// loop is the doorman's one goroutine. It speaks to the kernel by raw calls that do not block, of which the scheduler
// of the runtime is not told: each takes a few microseconds, and telling would take as long again.
type loop struct {
	*Doorman
	fd     int      // of the listener
	wake   int      // an eventfd, written to by Close
	epoll  *os.File // of fd, wake and the connections
	poll   syscall.RawConn
	ready  func(fd uintptr) bool
	events [256]unix.EpollEvent
	n      int // of events
	// drained: all that there was to do was done, and it is worth waiting for more to come together
	drained bool

	conns   []conn // by file descriptor
	number  int32  // of the connection that came last
	silent  row    // of those that have brought nothing yet
	kept    row    // of those that have had an answer and may bring another request
	now     time.Time
	in      [maxRequest]byte
	answer  []byte
	request request

	late   bool      // clients wait in the kernel for longer than they stay
	judged time.Time // when that was found
	waited func(fd int) time.Duration
	pile   pile

	orders  orders
	accepts bool // the epoll watches the listener
}

// conn is a connection that the doorman has. The zero one is none.
type conn struct {
	addr       netip.Addr
	since      time.Time // when it was accepted, or had its last answer
	watched    bool      // by the epoll
	ours       bool      // in a row
	kept       bool      // in that of those
	answers    uint8     // over it, modulo 256
	number     int32     // which tells it from others that have had its descriptor
	prev, next int32     // in the row; 0 is the end, for that is never the descriptor of a connection
}

// begin starts the loop.
func (d *Doorman) begin() error {
	l := &loop{Doorman: d, fd: -1, wake: -1, waited: sinceData}
	l.orders = orders{held: d.cfg.Held, release: l.release}
	if d.waited != nil {
		l.waited = d.waited
	}
	if err := l.open(); err != nil {
		l.free()
		return err
	}
	// Fails for a counter that is full only.
	d.wakeUp = func() { _, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }
	d.ended.Go(l.run)
	return nil
}

// open makes what the loop polls with. The listener's descriptor is a copy, so that the loop can use it by number.
func (l *loop) open() error {
	raw, err := l.l.SyscallConn()
	if err != nil {
		return err
	}
	var dupErr error
	if err := raw.Control(func(fd uintptr) { l.fd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
		return err
	}
	if dupErr != nil {
		return os.NewSyscallError("fcntl", dupErr)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	err = unix.SetNonblock(fd, true) // which has the runtime poll it
	l.epoll = os.NewFile(uintptr(fd), "epoll")
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if l.poll, err = l.epoll.SyscallConn(); err != nil {
		return err
	}
	l.ready = func(fd uintptr) bool { l.n = l.look(fd); return l.n > 0 }
	if l.orders.held {
		return l.watch(l.wake, 0)
	}
	l.accepts = true
	return errors.Join(l.watch(l.fd, 0), l.watch(l.wake, 0))
}

func (l *loop) watch(fd int, number int32) error {
	var addErr error
	err := l.poll.Control(func(epoll uintptr) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd), Pad: number}
		addErr = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event)
	})
	return errors.Join(err, os.NewSyscallError("epoll_ctl", addErr))
}

// forget has the epoll watch a connection no longer.
func (l *loop) forget(fd int) {
	_ = l.poll.Control(func(epoll uintptr) { _ = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_DEL, fd, nil) }) // it is there
}

func (l *loop) free() {
	l.mu.Lock() // no wakeUp writes to what is another file by then
	defer l.mu.Unlock()
	for _, fd := range []int{l.fd, l.wake} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing has been written to it that could be lost
		}
	}
	if l.epoll != nil {
		_ = l.epoll.Close()
	}
}

// look returns how many events there are, without waiting.
func (l *loop) look(epoll uintptr) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&l.events[0])),
		uintptr(len(l.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// run serves until the doorman is closed.
func (l *loop) run() {
	defer close(l.gone)
	defer l.free()
	defer l.closeAll()
	var lastKnock time.Time
	for l.wait(lastKnock) {
		if l.ordered.Swap(false) {
			l.obey()
		}
		if l.orders.frozen {
			time.Sleep(frozenPause)
			continue
		}
		watch := cpuclock.Start()
		l.now = watch.Wall()
		if !l.cfg.Share.refill(l.now) {
			time.Sleep(l.cfg.Share.rest())
			continue
		}
		done := l.serveEvents(watch)
		l.expire()
		used := watch.Elapsed()
		l.cfg.Share.spend(used)
		l.counts.cpu.Add(int64(used))
		if done > 0 {
			lastKnock = l.now
		}
		switch {
		case !l.drained:
			runtime.Gosched()
		case l.cfg.Share.Waiting():
			time.Sleep(rushPause)
		default:
			time.Sleep(pause)
		}
	}
}

// obey does what was ordered.
func (l *loop) obey() {
	_, _ = unix.Read(l.wake, make([]byte, 8)) // fails if that was done before
	l.heed(&l.orders)
	switch {
	case l.orders.held && l.accepts:
		l.forget(l.fd)
		l.accepts = false
	case !l.orders.held && !l.accepts:
		l.accepts = l.watch(l.fd, 0) == nil
		l.ordered.Store(!l.accepts) // and try again
	}
}

// release gives up the connections that the doorman has.
func (l *loop) release() (conns []*os.File) {
	for _, r := range []*row{&l.silent, &l.kept} {
		for r.first != 0 {
			fd := int(r.first)
			l.remove(fd)
			if l.conns[fd].watched {
				l.forget(fd)
			}
			l.conns[fd] = conn{}
			conns = append(conns, os.NewFile(uintptr(fd), "connection"))
		}
	}
	return conns
}

// wait looks for events, and waits for them if there has been no knock for a while. It returns false when the doorman
// is closed.
func (l *loop) wait(lastKnock time.Time) bool {
	select {
	case <-l.closed:
		return false
	default:
	}
	if time.Since(lastKnock) < patience || l.pile.n > 0 {
		_ = l.poll.Control(func(epoll uintptr) { l.n = l.look(epoll) }) // fails when closed only
		return true
	}
	_ = l.epoll.SetReadDeadline(l.nextEnd())
	err := l.poll.Read(l.ready)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return true
}

// serveEvents serves what there is to serve, for a slice of CPU time at most, and returns how many connections it has
// looked at. What is left shows up again.
func (l *loop) serveEvents(watch cpuclock.Stopwatch) (done int) {
	l.drained = l.n < len(l.events)
	for i := range l.n {
		switch fd := int(l.events[i].Fd); fd {
		case l.fd:
			if l.accepts {
				done += l.accept(watch)
			}
		case l.wake: // heeded before
		default:
			if l.conns[fd].number == l.events[i].Pad { // and not one that was accepted a moment ago
				l.attend(fd, l.events[i].Events)
			}
			done++
		}
		if done%4 == 3 && watch.Elapsed() > slice {
			l.drained = false
			break
		}
	}
	l.n = 0
	return done + l.servePile(watch)
}

// attend deals with a connection that the epoll has told of.
func (l *loop) attend(fd int, events uint32) {
	if l.cfg.TLS != nil {
		l.receive(fd, events)
	} else {
		l.serve(fd)
	}
}

// accept takes newcomers in, and serves those that have brought something already.
func (l *loop) accept(watch cpuclock.Stopwatch) (n int) {
	for n < acceptMax && (l.late || l.ahead()) {
		fd, addr, ok := l.acceptOne()
		if !ok {
			break
		}
		if n == 0 {
			l.judge(fd)
		}
		l.counts.accepted.Add(1)
		l.meet(fd, addr)
		switch {
		case !l.conns[fd].ours: // handed over
		case l.late:
			l.pile.push(int32(fd))
		case l.cfg.TLS != nil: // the epoll tells more than a read would: also whether the client has gone again
			l.await(fd)
		default:
			l.serve(fd)
			l.await(fd)
		}
		if n++; n%4 == 0 && watch.Elapsed() > slice {
			l.drained = false
			return n
		}
	}
	if n == acceptMax {
		l.drained = false
	}
	return n
}

// await has the epoll watch a connection, if it is still there.
func (l *loop) await(fd int) {
	if c := &l.conns[fd]; c.ours && !c.watched {
		if c.watched = l.watch(fd, c.number) == nil; !c.watched {
			l.drop(fd)
		}
	}
}
