package flood

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

const supported = true

const (
	knocksAtOnce = 64  // without a look at what has come
	eventsAtOnce = 512 // likewise
	noClient     = -1
)

// client is one that has knocked, by the descriptor of its connection. Those that wait for an answer are a list in the
// order in which they were due.
type client struct {
	due        time.Time
	number     int32
	prev, next int32
	live, sent bool
	part       []byte // of the answer, if it comes in pieces
}

// generator is the loop that makes knocks over plain HTTP.
type generator struct {
	*Flood
	epoll         int
	clients       []client
	oldest        int32 // descriptor; noClient for none
	newest        int32
	open          int
	next          int // number of the next client
	from, to      unix.SockaddrInet4
	events        [eventsAtOnce]unix.EpollEvent
	out           []byte
	in            [maxAnswer]byte
	begin, closed time.Time // closed: when no more come
}

// knock runs the loop until the flood is over or ctx has ended.
func (f *Flood) knock(ctx context.Context) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	g := &generator{
		Flood: f, epoll: epoll, clients: make([]client, f.cfg.MaxOpen+1024), oldest: noClient, newest: noClient,
		to:    unix.SockaddrInet4{Port: int(f.cfg.Target.Port()), Addr: f.cfg.Target.Addr().As4()},
		begin: f.begin, closed: f.begin.Add(f.cfg.Length),
	}
	err = g.loop(ctx)
	for g.oldest != noClient {
		g.finish(g.oldest, time.Now(), Counts{Open: 1})
	}
	return errors.Join(err, unix.Close(epoll))
}

// loop gives way to other goroutines after each turn: they may have one core together, and the honest players
// should not seem slow for that.
func (g *generator) loop(ctx context.Context) error {
	for came := 0; ctx.Err() == nil; runtime.Gosched() {
		watch := cpuclock.Start()
		now := time.Now()
		for i := range came {
			g.event(g.events[i].Fd, now)
		}
		behind := g.come(now)
		g.expire(now)
		g.spent(watch.Elapsed())
		if !now.Before(g.closed) && g.open == 0 {
			return nil
		}
		wait := 1 // ms, which is exact enough for the next knock
		if behind {
			wait = 0
		}
		var err error
		if came, err = unix.EpollWait(g.epoll, g.events[:], wait); err == unix.EINTR {
			came = 0
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) spent(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cpu += d
}

// come has the clients knock that are due, some of them, and reports whether there are more.
func (g *generator) come(now time.Time) (more bool) {
	for range knocksAtOnce {
		at := g.cfg.due(g.next)
		due := g.begin.Add(at)
		if at >= g.cfg.Length || due.After(now) {
			return false
		}
		n := g.next
		g.next++
		switch {
		case now.Sub(due) >= g.hopeless:
			g.end(now, Counts{Unmade: 1})
		case g.open >= g.cfg.MaxOpen:
			g.end(now, Counts{Unmade: 1, Full: 1})
		default:
			g.connect(n, due)
		}
	}
	return true
}

// connect has the n-th client knock.
func (g *generator) connect(n int, due time.Time) {
	now := time.Now()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		g.end(now, Counts{Unmade: 1, Full: 1})
		return
	}
	g.from.Addr = g.cfg.source(n)
	err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.Bind(fd, &g.from)
	}
	if err == nil {
		err = unix.Connect(fd, &g.to)
	}
	if err != nil && err != unix.EINPROGRESS { // the node's refusal, or want of ports here
		_ = unix.Close(fd) // it has sent nothing
		if isShortage(err) {
			g.end(now, Counts{Unmade: 1, Full: 1})
			return
		}
		g.made(due, now)
		g.end(now, Counts{Gone: 1})
		return
	}
	g.made(due, now)
	c := g.enlist(int32(fd), int32(n), due)
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
	if !g.send(c, fd) {
		event.Events |= unix.EPOLLOUT
	}
	if unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, fd, &event) != nil {
		g.finish(int32(fd), now, Counts{Gone: 1})
	}
}

// enlist puts a client at the end of the list.
func (g *generator) enlist(fd, number int32, due time.Time) *client {
	if need := int(fd) + 1 - len(g.clients); need > 0 {
		g.clients = append(g.clients, make([]client, need)...)
	}
	c := &g.clients[fd]
	*c = client{due: due, number: number, prev: g.newest, next: noClient, live: true, part: c.part[:0]}
	if g.newest == noClient {
		g.oldest = fd
	} else {
		g.clients[g.newest].next = fd
	}
	g.newest = fd
	g.open++
	return c
}

// send sends the request, and reports whether that is done: a connection over a network is not made at once. A request
// is always sent whole, being smaller than an empty buffer.
func (g *generator) send(c *client, fd int) bool {
	g.out = g.cfg.Request(g.out[:0], int(c.number))
	_, err := unix.Write(fd, g.out)
	c.sent = err == nil
	return c.sent
}

func (g *generator) event(fd int32, now time.Time) {
	c := &g.clients[fd]
	if !c.live { // it was given up a moment ago
		return
	}
	if !c.sent && g.send(c, int(fd)) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: fd}
		if unix.EpollCtl(g.epoll, unix.EPOLL_CTL_MOD, int(fd), &event) != nil {
			g.finish(fd, now, Counts{Gone: 1})
			return
		}
	}
	held := copy(g.in[:], c.part)
	n, err := unix.Read(int(fd), g.in[held:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		g.finish(fd, now, Counts{Gone: 1})
		return
	}
	b := g.in[:held+n]
	ended := n == 0 || len(b) == len(g.in)
	status, reason, done := parseAnswer(b, ended)
	switch {
	case done:
		g.answered(c.due, now, status, reason)
		g.finish(fd, now, Counts{})
	case ended:
		g.finish(fd, now, Counts{Gone: 1})
	default:
		c.part = append(c.part[:0], b...)
	}
}

// finish counts what became of a client, and lets go of it.
func (g *generator) finish(fd int32, now time.Time, c Counts) {
	g.end(now, c)
	gone := &g.clients[fd]
	gone.live = false
	if gone.prev == noClient {
		g.oldest = gone.next
	} else {
		g.clients[gone.prev].next = gone.next
	}
	if gone.next == noClient {
		g.newest = gone.prev
	} else {
		g.clients[gone.next].prev = gone.prev
	}
	g.open--
	_ = unix.Close(int(fd)) // the client has what it came for, or will never have it
}

// expire has those go who have waited for as long as they do.
func (g *generator) expire(now time.Time) {
	for g.oldest != noClient && now.Sub(g.clients[g.oldest].due) >= g.cfg.Patience {
		g.finish(g.oldest, now, Counts{Silent: 1})
	}
}

// portLater leaves it to connect to choose a port: then one that is in use to another server, or from another address,
// is free.
func portLater(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	return errors.Join(err, failed)
}

// isShortage reports whether an error is that of a machine that can make no more connections.
func isShortage(err error) bool {
	for _, no := range []syscall.Errno{unix.EMFILE, unix.ENFILE, unix.EADDRNOTAVAIL, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
