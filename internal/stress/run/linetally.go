package run

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// visit is one player's way to the door, as the line saw it.
type visit struct {
	crowd bool // it is of the crowd, which counts as overtaking others and nothing else

	due    time.Time
	turn   int64 // by which the line serves, in ms since 1970 by its clock; 0: not known
	placed bool  // there was no room, and the player was given a place
	// told is when the player was first told that it would be let in between so long after that; zero if it never was.
	told      time.Time
	low, high time.Duration

	away    bool // the player hung up while it had a place
	unheard bool // a question of the player's was not answered while it had a place
	lost    bool // the place was not honoured

	in  bool
	end time.Time // let in, or gone
}

// tell takes note of a place, and of the time within which the player is to be let in.
func (v *visit) tell(now time.Time, low, high time.Duration) {
	v.placed = true
	if v.told.IsZero() && high > 0 {
		v.told, v.low, v.high = now, low, high
	}
}

// onTime reports whether the player could do as it was told from the beginning to the end.
func (v *visit) onTime() bool {
	return v.placed && v.turn != 0 && !v.away && !v.unheard && !v.lost && !v.crowd
}

// lineTally counts what the line of the server did with the players, who all write to it.
type lineTally struct {
	mu     sync.Mutex
	visits []visit
	counts report.LineCounts
	lost   map[string]int // places, by cause
}

func (t *lineTally) count(add func(*report.LineCounts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.counts)
}

// knock counts a login or registration that was sent, with a ticket or without.
func (t *lineTally) knock(ticket bool) {
	t.count(func(c *report.LineCounts) {
		c.Knocks++
		if ticket {
			c.TicketKnocks++
		}
	})
}

func (t *lineTally) poll()    { t.count(func(c *report.LineCounts) { c.Polls++ }) }
func (t *lineTally) ask()     { t.count(func(c *report.LineCounts) { c.UDP++ }) }
func (t *lineTally) silence() { t.count(func(c *report.LineCounts) { c.UDPUnanswered++ }) }

// lose counts a place that was not honoured, for the cause that the server gave.
func (t *lineTally) lose(cause string) {
	switch cause {
	case report.LostExpired, report.LostUsed, report.LostUnknown:
	default:
		cause = report.LostUnsaid
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost == nil {
		t.lost = make(map[string]int)
	}
	t.lost[cause]++
}

// add takes note of a visit that has ended.
func (t *lineTally) add(v visit) {
	if !v.in && !v.placed {
		return // the line has nothing to do with it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.visits = append(t.visits, v)
}

// report returns what the line did; nil if no player had a place.
func (t *lineTally) report() *report.Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &report.Line{LineCounts: t.counts, Batch: report.Batch, PlacesLost: map[string]int{}}
	for cause, n := range t.lost {
		l.PlacesLost[cause] = n
	}
	var wait, width latency.Histogram
	for i := range t.visits {
		v := &t.visits[i]
		if v.crowd || !v.placed {
			l.Direct += either(v.crowd, 0, 1)
			continue
		}
		l.Placed++
		if !v.onTime() {
			l.NotOnTime++
		}
		if !v.told.IsZero() {
			width.Record(v.high - v.low)
		}
		if !v.in {
			continue
		}
		l.In++
		wait.Record(v.end.Sub(v.due))
		if v.told.IsZero() || !v.onTime() {
			continue
		}
		l.Told++
		switch took := v.end.Sub(v.told); {
		case took < v.low:
			l.Early++
		case took > v.high:
			l.Late++
		}
	}
	if l.Placed == 0 {
		return nil
	}
	l.Wait, l.Width = wait.Summary(), width.Summary()
	l.Order(overtakings(t.visits))
	return l
}

// overtakings returns for each player with a place who was on time how many with later turns were let in before it was,
// or before it left.
func overtakings(visits []visit) []int {
	order := make([]*visit, 0, len(visits))
	turns := make([]int64, 0, len(visits))
	for i := range visits {
		if visits[i].turn != 0 {
			order, turns = append(order, &visits[i]), append(turns, visits[i].turn)
		}
	}
	slices.Sort(turns)
	turns = slices.Compact(turns)
	slices.SortStableFunc(order, func(a, b *visit) int {
		return cmp.Or(a.end.Compare(b.end), cmp.Compare(a.turn, b.turn))
	})
	in := newCounts(len(turns)) // by turn, those who are in so far
	var list []int
	for _, v := range order {
		rank, _ := slices.BinarySearch(turns, v.turn)
		if v.onTime() {
			list = append(list, in.total-in.upTo(rank))
		}
		if v.in {
			in.add(rank)
		}
	}
	return list
}

// rankCounts counts by rank: a binary indexed tree (Fenwick 1994).
type rankCounts struct {
	tree  []int
	total int
}

func newCounts(ranks int) *rankCounts { return &rankCounts{tree: make([]int, ranks+1)} }

func (c *rankCounts) add(rank int) {
	c.total++
	for i := rank + 1; i < len(c.tree); i += i & -i {
		c.tree[i]++
	}
}

// upTo returns how many have that rank or a lower one.
func (c *rankCounts) upTo(rank int) (n int) {
	for i := rank + 1; i > 0; i &= i - 1 {
		n += c.tree[i]
	}
	return n
}
