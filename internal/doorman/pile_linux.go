package doorman

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

// Clients wait for their turn in the kernel, in the order in which they came. Once that takes longer than clients stay,
// the order serves only those that have gone or are about to: then the doorman accepts as many as it can and serves the
// newest first, who hear at once, while the others are closed after silence. Facebook calls this adaptive LIFO
// (B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
const (
	// tooLate is the wait from which on the newest are served first. Clients give a try up after 10 to 30 s.
	tooLate = 8 * time.Second
	// judgeEvery is how often the wait is looked at.
	judgeEvery = 100 * time.Millisecond
)

// judge finds out how long the client of a connection that was accepted now has waited.
func (l *loop) judge(fd int) {
	if l.now.Sub(l.judged) < judgeEvery {
		return
	}
	l.judged = l.now
	switch waited := l.waited(fd); {
	case waited >= tooLate:
		l.late = true
	case waited < tooLate/2 && l.pile.n == 0:
		l.late = false
	}
}

// sinceData returns how long ago a connection was made, or data last came over it.
func sinceData(fd int) time.Duration {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return time.Duration(info.Last_data_recv) * time.Millisecond
}

// servePile serves the newest of those that were accepted and not looked at.
func (l *loop) servePile(watch cpuclock.Stopwatch) (done int) {
	for l.pile.n > 0 && l.ahead() {
		fd := int(l.pile.pop())
		if c := &l.conns[fd]; c.ours && !c.watched {
			l.attend(fd, brought(fd))
			l.await(fd)
		}
		if done++; done%4 == 0 && watch.Elapsed() > slice {
			break
		}
	}
	return done
}

// brought returns what the epoll would tell of a connection.
func brought(fd int) (events uint32) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	if n, err := unix.Poll(p, 0); err != nil || n == 0 {
		return 0
	}
	return uint32(p[0].Revents) // whose values are those of the epoll
}

// pile holds descriptors of connections, the newest on top. From a full one the oldest is lost. A descriptor may have
// been closed since, and may be that of another connection that was accepted since.
type pile struct {
	at  [1 << 14]int32
	top int // where the next one goes
	n   int
}

func (p *pile) push(fd int32) {
	p.at[p.top] = fd
	p.top = (p.top + 1) % len(p.at)
	p.n = min(p.n+1, len(p.at))
}

func (p *pile) pop() int32 {
	p.top = (p.top + len(p.at) - 1) % len(p.at)
	p.n--
	return p.at[p.top]
}
