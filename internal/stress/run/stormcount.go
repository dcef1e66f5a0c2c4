package run

import (
	"fmt"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// stormCounts are kept by the tally, under its lock.
type stormCounts struct {
	raging   bool          // players who lose their session come back
	dropped  time.Time     // when their connections broke off; zero: it is the server who ends the sessions
	inside   int           // when it began
	expected int           // players who are to be lost
	losses   []loss        // in their order
	settled  int           // of those, who are back or have no time left
	begins   chan struct{} // closed when a player is lost
	over     chan struct{} // closed when all who are to be lost are settled
	isOver   bool
	way      sync.WaitGroup // of those who are not settled
}

// loss is that of a session.
type loss struct {
	at, back time.Time // back is zero for those who are not
}

// lost counts a session that the server ended although its player kept it open, or whose connection broke off, and
// reports whether the player comes back: not outside of a storm, nor again. since is from when that counts.
func (t *tally) lost(again bool) (number int, since time.Time, comesBack bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	t.counts.inside--
	if !s.raging || again {
		t.counts.sessionsLost++
		return 0, time.Time{}, false
	}
	since = time.Now()
	if !s.dropped.IsZero() {
		since = s.dropped
	}
	if len(s.losses) == 0 {
		close(s.begins)
	}
	s.losses = append(s.losses, loss{at: since})
	s.way.Add(1)
	t.counts.knocking++
	return len(s.losses) - 1, since, true
}

// returned counts a player who is back, or will not be.
func (t *tally) returned(number int, back bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	t.counts.knocking--
	if l := &s.losses[number]; back {
		l.back = time.Now()
		t.counts.inside++
		if t.phase != nil {
			t.phase.success.Record(l.back.Sub(l.at))
		}
		t.interval.success.Record(l.back.Sub(l.at))
	}
	s.settled++
	s.check()
	s.way.Done()
}

func (s *stormCounts) check() {
	if !s.isOver && s.settled >= s.expected {
		s.isOver = true
		close(s.over)
	}
}

// rage begins a storm in which all who are inside are to be lost: now, because their connections break off at that
// time, or when the server ends their sessions if dropped is zero.
func (t *tally) rage(dropped time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	s.raging, s.dropped, s.inside, s.expected = true, dropped, t.counts.inside, t.counts.inside
	s.check() // all may have been lost before
}

// noMoreLosses says that who has not been lost by now will not be.
func (t *tally) noMoreLosses() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.storm.expected = len(t.storm.losses)
	t.storm.check()
}

// cameBack returns how long after they were lost players were back who had to log in again.
func (t *tally) cameBack() (after []time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.storm.losses {
		if !l.back.IsZero() {
			after = append(after, l.back.Sub(l.at))
		}
	}
	return after
}

// A session may be lost by itself. If the share of those who are is below that, it is not a storm.
const leastStorm = 0.05

// stormReport returns what became of those who were dropped, when the storm has calmed; nil if there was none.
func (t *tally) stormReport(probe *probe) *report.Storm {
	down, up := probe.outage()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	if float64(len(s.losses)) < leastStorm*float64(s.inside) || len(s.losses) == 0 {
		for _, l := range s.losses {
			t.counts.sessionsLost += either(l.back.IsZero(), 1, 0)
		}
		return nil
	}
	dropped := s.begun(down, up)
	rep := &report.Storm{Dropped: len(s.losses), DropAt: dropped.Sub(t.began).Seconds()}
	var returns latency.Histogram
	last := dropped
	for _, l := range s.losses {
		if l.back.IsZero() {
			rep.NotBack++
			continue
		}
		rep.Back++
		returns.Record(l.back.Sub(earlier(dropped, l.at)))
		if l.back.After(last) {
			last = l.back
		}
	}
	rep.Return, rep.LastBack = returns.Detailed(), last.Sub(dropped).Seconds()
	if up.After(dropped) {
		rep.DownSeconds = up.Sub(down).Seconds()
		rep.LastBackSinceUp = max(0, last.Sub(up).Seconds())
	}
	return rep
}

// begun returns when the players were dropped. If it was the server who did it, players take a while to notice; when it
// was lost to the probe is more precise, if that was what half of them have noticed. up is zero if it is away still.
func (s *stormCounts) begun(down, up time.Time) time.Time {
	const notice = 5*keepAlive/4 + keepAliveTimeout // the longest time between two calls, and one of them
	half := s.losses[len(s.losses)/2].at
	if s.dropped.IsZero() && !down.IsZero() && down.Before(half) && (up.IsZero() || up.Add(notice).After(half)) {
		return down
	}
	return s.losses[0].at
}

func earlier(a, b time.Time) time.Time { return either(b.Before(a), b, a) }

// stormNote says if the server did not do what it was to do.
func (t *tally) stormNote(rep *report.Storm) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.storm
	switch n := len(s.losses); {
	case n == 0:
		return "the server dropped nobody while the run waited for it"
	case rep == nil:
		return fmt.Sprintf("%d of %d players lost their sessions while the run waited for the server to drop them: "+
			"that is no storm", n, s.inside)
	case n < s.inside:
		return fmt.Sprintf("only %d of %d players were dropped", n, s.inside)
	}
	return ""
}
