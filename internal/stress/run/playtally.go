package run

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// defaultSnapshotRate is what a server sends per second that does not say.
const defaultSnapshotRate = 20

// playTally counts what the players of a run see of the world during the play, see [report.Play]; its clock counts from
// the epoch.
type playTally struct {
	stay         time.Duration // of each player at most; 0: until the end
	epoch        time.Time
	rate         float64      // snapshots per second that the server says it sends
	from, to     atomic.Int64 // the play, on the clock; both are far in the future at first
	connected    atomic.Int64 // players, now
	interArrival latency.Histogram
	roundTrip    latency.Histogram

	mu      sync.Mutex
	players int // who have been connected
	failed  int // who could not connect
	sum     playCounts
	seen    seen
	example string // of a failure
}

// playCounts are a player's, or the sum of all players'.
type playCounts struct {
	playing                            time.Duration // connected during the play
	connects, timedOut, disconnected   int64
	denied                             int64
	bytes, late, noBaseline, malformed int64
}

func (t *playTally) init(rate float64) {
	if !(rate > 0 && rate <= rushgate.TickRate) {
		rate = defaultSnapshotRate
	}
	t.epoch, t.rate = time.Now(), rate
	t.from.Store(math.MaxInt64)
	t.to.Store(math.MaxInt64)
	t.interArrival.Init()
	t.roundTrip.Init()
}

// open begins the play.
func (t *playTally) open() { t.from.Store(int64(t.at(time.Now()))) }

// shut ends it.
func (t *playTally) shut() { t.to.Store(int64(t.at(time.Now()))) }

func (t *playTally) at(now time.Time) time.Duration { return now.Sub(t.epoch) }

func (t *playTally) isOpen(now time.Duration) bool {
	return int64(now) >= t.from.Load() && int64(now) < t.to.Load()
}

// within returns how much of the time between two moments, neither in the future, belongs to the play.
func (t *playTally) within(from, to time.Duration) time.Duration {
	return max(0, min(to, time.Duration(t.to.Load()))-max(from, time.Duration(t.from.Load())))
}

// snapshotsIn returns how many snapshots there are at least in so many ticks, the last of which has one. The server
// sends one in each tick in which floor(tick*rate/TickRate) grows; where in that pattern the ticks lie is not known. No
// ticks, or less, have none.
func (t *playTally) snapshotsIn(ticks uint32) int64 {
	if ticks == 0 || ticks > math.MaxInt32 {
		return 0
	}
	return int64(math.Floor(float64(ticks-1)*t.rate/rushgate.TickRate)) + 1
}

func (t *playTally) connectFailed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
	if denied(err) {
		t.sum.denied++
	}
	if t.example == "" {
		t.example = err.Error()
	}
}

// add counts a player who has left.
func (t *playTally) add(c *playCounts, v *seen) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.players++
	s := &t.sum
	s.playing += c.playing
	s.connects += c.connects
	s.timedOut += c.timedOut
	s.disconnected += c.disconnected
	s.denied += c.denied
	s.bytes += c.bytes
	s.late += c.late
	s.noBaseline += c.noBaseline
	s.malformed += c.malformed
	t.seen.snapshots += v.snapshots
	t.seen.missing += v.missing
	t.seen.gaps += v.gaps
	t.seen.implausible += v.implausible
}

// fill puts what was counted into the report, when all players have left.
func (t *playTally) fill(rep *report.Report) {
	r := rep.Play
	if r == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c, v := &t.sum, &t.seen
	r.Players, r.ConnectsFailed = t.players, t.failed
	r.Seconds = time.Duration(t.to.Load() - t.from.Load()).Seconds()
	r.SnapshotRate = t.rate
	missed := r.Seconds // by each of those who could not connect
	if t.stay > 0 {
		missed = min(missed, t.stay.Seconds())
	}
	r.Snapshots, r.Expected = v.snapshots, (c.playing.Seconds()+float64(t.failed)*missed)*t.rate
	if r.Expected > 0 {
		r.Share = float64(r.Snapshots) / r.Expected
	}
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Snapshots) / r.Seconds
	}
	r.Missing, r.Gaps, r.InterArrival = v.missing, v.gaps, t.interArrival.Summary()
	r.RoundTrip = t.roundTrip.Summary()
	r.Malformed, r.Implausible, r.Late, r.NoBaseline = c.malformed, v.implausible, c.late, c.noBaseline
	r.Connects, r.Reconnects = c.connects, c.connects-int64(t.players)
	r.TimedOut, r.Disconnected, r.Denied, r.Bytes = c.timedOut, c.disconnected, c.denied, c.bytes
	if t.example != "" {
		rep.Note("first of those who could not connect to the world: " + t.example)
	}
}
