package line

import (
	"hash/maphash"
	"time"
)

const (
	promiseEntries = 1 << 13
	promiseWays    = 8
	// rememberAll is up to how many who wait what each newcomer is told is remembered: of twice as many that of every
	// third, and so on. However many come, that is some thousands.
	rememberAll = 512
	// promiseMemory is over how many of those that are remembered the recent share of promises kept is measured.
	promiseMemory = 200.0
)

// Promises say what became of the intervals that players were told first, with their places. Only players who were let
// in are counted, by the moment when there was room for them. What is told later counts for nothing.
type Promises struct {
	Kept  int64 `json:"kept"`  // let in within the interval
	Early int64 `json:"early"` // before it
	Late  int64 `json:"late"`  // after it
	// Away are those let in after it who had not come within 30 s of their turn: the line was in time for them, or may
	// have been, and they were not.
	Away int64 `json:"away"`
	// Share is the part of Kept in all but those who were away, 0 to 1, for those who were let in last: about the last 200
	// that are remembered. It is 0 as long as none has come.
	Share float64 `json:"share"`
}

// promises measure whether players come in within the interval that they were told first. A ticket does not hold that,
// and the server keeps no players: so what is told is remembered for a sample, in a table of fixed size, and each in it
// stands for all who were given places since the one before. Thus the counts tell of all who come in, also
// with turns that lie ahead, or were drawn before the opening, or belong to clients that know nothing of tickets; only
// not of players with tickets of other nodes, or of runs before this one.
type promises struct {
	seed    maphash.Seed
	entries []promise // allocated when first used
	since   int64     // places that were given since the last that is remembered
	counts  Promises  // but for the share
	// recent and all are those kept, and all of them, decayed: their quotient is the recent share.
	recent, all float64
}

// promise is between which a player was told that it would be let in, by the time that the process has been running,
// and for how many players it stands.
type promise struct {
	key       uint64
	low, high time.Duration
	players   int64
	come      bool // with its turn, be it that there was no room
	away      bool // it had not come within callsKept of its turn
}

// set returns the entries of which one may be a player's.
func (p *promises) set(key uint64) []promise {
	first := int(key>>32%(promiseEntries/promiseWays)) * promiseWays
	return p.entries[first : first+promiseWays]
}

// made notes that a player was told an interval, while so many waited. An entry whose player was not let in for a grace
// after it gives way. If there is none, the next player stands for this one.
func (p *promises) made(key uint64, o Outlook, waiting int, now, grace time.Duration) {
	if p.since++; p.since < 1+int64(waiting)/rememberAll {
		return
	}
	if p.entries == nil {
		p.entries = make([]promise, promiseEntries)
	}
	var at *promise
	set := p.set(key)
	for i := range set {
		e := &set[i]
		if e.key == key { // its place was lost, and this is another
			at = e
			break
		}
		if at == nil && (e.key == 0 || e.high+grace < now) {
			at = e
		}
	}
	if at == nil {
		return
	}
	// A client that is told to ask again after the interval is told that for its end, too.
	*at = promise{key: key, low: now + o.Low, high: now + max(o.High, o.PollAfter), players: p.since}
	p.since = 0
}

// find returns what a player was told, or nil if that is not remembered.
func (p *promises) find(key uint64) *promise {
	if p.entries == nil {
		return nil
	}
	set := p.set(key)
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

// came notes that a player has come with its turn; away says that the turn had come long before.
func (p *promises) came(key uint64, away bool) {
	if e := p.find(key); e != nil && !e.come {
		e.come, e.away = true, away
	}
}

// letIn notes that a player was let in.
func (p *promises) letIn(key uint64, now time.Duration) {
	if e := p.find(key); e != nil {
		p.judge(e, now)
		*e = promise{}
	}
}

func (p *promises) judge(e *promise, now time.Duration) {
	kept := 0.0
	switch {
	case now < e.low:
		p.counts.Early += e.players
	case now <= e.high:
		p.counts.Kept += e.players
		kept = float64(e.players)
	case e.away:
		p.counts.Away += e.players
		return
	default:
		p.counts.Late += e.players
	}
	const keep = 1 - 1/promiseMemory
	p.recent, p.all = p.recent*keep+kept, p.all*keep+float64(e.players)
}

func (p *promises) stats() Promises {
	s := p.counts
	if p.all > 0 {
		s.Share = p.recent / p.all
	}
	return s
}

// promised notes what the holder of a ticket was told, or a client that is known by a key.
func (l *Line) promised(key uint64, o Outlook) {
	l.promises.made(key, o, l.waiting(), l.clock.last, l.cfg.Grace)
}

// ticketKey is the key of a ticket that was issued by this run.
func (l *Line) ticketKey(t *Ticket) uint64 { return maphash.Comparable(l.promises.seed, t.Serial) | 1 }

// LetIn notes that there was room for the holder of a ticket that was redeemed: until then it may be given back.
func (l *Line) LetIn(t *Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	l.letIn(t)
}

func (l *Line) letIn(t *Ticket) {
	if t.Issuer == l.issuers[0] {
		l.promises.letIn(l.ticketKey(t), l.clock.last)
	}
}

// showedUp notes that a player has come that had a place.
func (l *Line) showedUp(key uint64, p place) {
	t := l.track(p)
	l.promises.came(key, t.come(p.turn*1000) && l.clock.tick()-t.passes.when(p.turn*1000) >= callsKept)
}
