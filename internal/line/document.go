package line

import (
	"math"
	"time"
)

// Document is what everybody is told alike: from it and its ticket a client knows its own place, and a proxy may keep
// it for a second. Times are in milliseconds since 1970 by the line's clock.
type Document struct {
	Now     int64   `json:"now_ms"`
	Serving int64   `json:"serving_ms"` // turns before it have come
	Pace    float64 `json:"pace_per_s"` // how many are called per second, about
	Waiting int     `json:"waiting"`
	Opens   int64   `json:"opens_ms,omitempty"` // 0: it is open
	// Factor is which part of its wait a client has left when it is to ask again, see [PollAfter].
	Factor float64 `json:"poll_factor"`
	// PollMost is the longest that a client is to wait before it asks again, in milliseconds; 0: as [PollAfter] has it.
	PollMost int64 `json:"poll_most_ms,omitempty"`
	// Marks are up to [MaxMarks] turns with how many wait before them, in order; the first is the next turn, with none
	// before it, the last is behind all turns.
	Marks []Mark `json:"marks"`
}

// Mark says how many wait before a turn.
type Mark struct {
	Turn   int64 `json:"turn_ms"`
	Before int   `json:"before"`
}

// MaxMarks is how many marks a [Document] has at most.
const MaxMarks = 16

// firstMark is how many wait before the second mark.
const firstMark = 32

// Document returns what the players of a tier are told; the tier is as in [Ask].
func (l *Line) Document(tier uint8) Document {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	n := min(int(tier), len(l.tiers)-1)
	t := &l.tiers[n]
	d := Document{
		Now: l.clock.millis(), Serving: t.serving() / 1000, Pace: l.speed(n, t.waiting()/2), Waiting: t.waiting(),
		Marks: t.marks(),
	}
	waiting := float64(l.waiting())
	d.Factor = l.pollFactor(waiting/(d.Pace/l.part(n)), d.Pace/l.part(n))
	if l.cfg.PollMost > 0 {
		d.PollMost = int64(l.pollMost() * 1000)
	}
	if l.early() {
		d.Opens = l.opening()
	}
	return d
}

// serving returns up to which turn all have come: a turn that lies ahead may have come already.
func (t *tier) serving() int64 {
	switch {
	case t.plain.waiting > 0 && t.ahead.waiting > 0:
		return min(t.plain.next(), t.ahead.next())
	case t.ahead.waiting > 0:
		return t.ahead.mark
	case t.plain.waiting > 0:
		return t.plain.mark
	}
	return max(t.plain.mark, t.ahead.mark)
}

// marks returns marks each of which has about as many times as many before it as the one before, so that the place
// that is told is as true at the front as at the end.
func (t *tier) marks() []Mark {
	total := t.waiting()
	if total == 0 {
		return []Mark{}
	}
	marks := append(make([]Mark, 0, MaxMarks), Mark{t.serving() / 1000, 0})
	last := (max(t.lastOf(&t.plain), t.lastOf(&t.ahead)) + 999) / 1000
	steps := MaxMarks - 2
	for i := range steps {
		n := markAt(i, steps, total)
		turn := t.find(n) / 1000
		if m := marks[len(marks)-1]; n > m.Before && n < total && turn > m.Turn && turn < last {
			marks = append(marks, Mark{turn, t.before(turn * 1000)})
		}
	}
	return append(marks, Mark{max(last, marks[len(marks)-1].Turn+1), total})
}

// markAt returns how many wait before a mark: firstMark, and then by a factor more each time, up to total.
func markAt(i, steps, total int) int {
	if total <= firstMark {
		return total
	}
	return int(firstMark * math.Pow(float64(total)/firstMark, float64(i)/float64(steps)))
}

func (t *tier) lastOf(r *track) int64 {
	if r.waiting == 0 {
		return 0
	}
	return r.newest
}

// find returns a turn before which so many of the tier wait, about.
func (t *tier) find(n int) int64 {
	if t.ahead.waiting == 0 {
		return t.plain.find(n)
	}
	if t.plain.waiting == 0 {
		return t.ahead.find(n)
	}
	low, high := t.serving(), max(t.plain.newest, t.ahead.newest)
	for high-low > 1000 {
		if mid := (low + high) / 2; t.before(mid) <= n {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// PlaceOf is the client's side of a [Document]: how many have to be called up to and including the holder of a turn,
// about, and how long that takes at the present pace; 0 and false if the turn has come. It is a pure function.
func PlaceOf(d Document, turn time.Time) (place int, wait time.Duration, waits bool) {
	at := turn.UnixMilli()
	if at < d.Serving && d.Opens == 0 {
		return 0, 0, false
	}
	before := 0
	for i, m := range d.Marks {
		if at >= m.Turn {
			before = m.Before
			continue
		}
		if i > 0 {
			from := d.Marks[i-1]
			part := float64(at-from.Turn) / float64(m.Turn-from.Turn)
			before = from.Before + int(part*float64(m.Before-from.Before))
		}
		break
	}
	if d.Pace > 0 {
		wait = seconds((float64(before) + 0.5) / d.Pace)
	}
	return before + 1, wait + d.untilOpen(), true
}

// untilOpen returns how long it is until the line begins to move, up to what can be added to another wait.
func (d *Document) untilOpen() time.Duration {
	if d.Opens == 0 {
		return 0
	}
	return time.Duration(min(max(d.Opens-d.Now, 0), math.MaxInt64/4/int64(time.Millisecond))) * time.Millisecond
}

// PollAfter is the client's side too: when to ask for the next document, if this one and [PlaceOf] say that the turn
// comes in so long; chance is random, from 0 to less than 1. A client comes, with its ticket, once a document says that
// its turn has: the line may have become slower meanwhile, and asking for a document costs less than a knock too early.
func PollAfter(d Document, wait time.Duration, chance float64) time.Duration {
	after := seconds(pollWait(wait.Seconds(), d.Factor, chance))
	if d.PollMost > 0 && wait > seconds(final) {
		after = min(after, max(time.Duration(min(d.PollMost, 1000*pollMost))*time.Millisecond, time.Second))
	}
	return after
}

// Interval is the client's side as well: between which the holder of a turn will be let in, in nine cases of ten, if
// the turn comes in so long by [PlaceOf]. It is what the server would say.
func Interval(d Document, wait time.Duration) (low, high time.Duration) {
	until := min(d.untilOpen(), wait)
	eta := float64(wait - until) // which is at most a quarter of the longest time that there is
	low = time.Duration(max(eta*lowFactor-lowLess*float64(time.Second), 0))
	high = time.Duration(eta*highFactor + highMore*float64(time.Second))
	return low + until, high + until
}
