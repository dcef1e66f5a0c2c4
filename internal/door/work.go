package door

import (
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// maxSpent is how many proofs of work each half of [spentWork] holds.
const maxSpent = 1 << 17

// spentWork are the proofs of work that tickets were given for: a proof is the holder's, and not the address's, of
// which no client can be sure. Without this a swarm of addresses could share one.
//
// Each node of a fleet has its own, so that a proof is good once for each of them; and where more than maxSpent tickets
// are given within [line.WorkLife], the oldest proofs are forgotten before they are over. What an attacker gains by
// either is bounded by what it has worked for.
type spentWork struct {
	turned      time.Time
	now, before map[uint64]struct{}
}

func (s *spentWork) has(id uint64) bool {
	_, now := s.now[id]
	_, before := s.before[id]
	return now || before
}

func (s *spentWork) add(id uint64, at time.Time) {
	if s.now == nil || len(s.now) >= maxSpent || at.Sub(s.turned) >= line.WorkLife {
		s.now, s.before, s.turned = make(map[uint64]struct{}), s.now, at
	}
	s.now[id] = struct{}{}
}

// worked returns the id of the proof of work that a client has sent, or false if there is none that is good.
func (d *Door) worked(v *visit, ring *line.Keyring) (id uint64, ok bool) {
	nonce, ok := line.ParseNonce(v.Work)
	if !ok {
		return 0, false
	}
	id, ok = ring.ValidWork(v.now, v.Holder, nonce, d.cfg.Work)
	return id, ok && !d.spent.has(id)
}

// Work returns what a client has to find before it is given a ticket; the zero value is nothing.
func (d *Door) Work() rushgate.Work {
	ring := d.ring.Load()
	if d.cfg.Work == 0 || ring == nil {
		return rushgate.Work{}
	}
	return rushgate.Work{Bits: d.cfg.Work, Salt: ring.Salt(d.cfg.Now())}
}

// untilWorked is how long a client is told to wait that has to find a proof, if it finds that sooner.
const untilWorked = time.Second

// unplaced is what a client is told that is given no place for want of a proof of work: what to find, or, if it knows
// nothing of tickets, to come back as if there were no line.
func (d *Door) unplaced(v *visit, short shortage) wait {
	w := wait{short: short, work: d.Work()}
	w.out.PollAfter = d.clock.past(untilWorked)
	if v.Holder == (line.Holder{}) || w.work.Bits == 0 {
		w.work = rushgate.Work{}
		w.out.PollAfter = d.clock.spread(min(max(d.line.Newcomer().High, time.Second), MaxRetryAfter/2))
	}
	return w
}
