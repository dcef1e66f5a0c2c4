package admin

import (
	"slices"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Condition is what a node is judged by.
type Condition struct {
	At            time.Time
	Draining      bool
	NoCertificate bool // the players' listener waits for its first one

	Players, MaxPlayers  int
	Queue, QueueCapacity int
	RetryAfter           time.Duration // what a newcomer is told while the world is full
	LastBusy             time.Time     // when a player was last refused for lack of room; zero: never
	Line                 Line
	Doors                Doors
	AcceptQueue          *AcceptQueue // nil: the system does not tell

	Tick  TickFigures
	Store StoreFigures

	CPU   float64 // cores kept busy
	Cores int
}

// TickFigures are those of the last [JudgedOver], or of less right after the start.
type TickFigures struct {
	Over     time.Duration
	Begun    bool  // there has been a step
	Made     int64 // steps
	Skipped  int64
	P99      float64   // of lateness, in ms
	LastSkip time.Time // zero: never
	Cores    float64   // of CPU time that the steps took
}

// StoreFigures are those of the last [JudgedOver], but for Away and Unsaved.
type StoreFigures struct {
	Away          bool
	Calls, Failed int64
	MeanMS        float64 // of a call
	Unsaved       int     // characters that wait to be written
}

// moment is what is kept of a reading to judge later ones by.
type moment struct {
	at             time.Time
	when           Moments
	ticks, skipped int64
	lateness       latency.Summary
	tickCPU        time.Duration
	calls, failed  int64
	callTime       time.Duration
	cpu            float64
}

func (s *sampled) moment() moment {
	r := &s.reading
	return moment{
		at: s.at, when: r.Moments, ticks: r.Ticks, skipped: r.SkippedTicks, lateness: r.Lateness, tickCPU: r.Door.CPU.Tick,
		calls: r.StoreCalls, failed: r.StoreErrors, callTime: r.StoreTime, cpu: r.Process.CPUSeconds,
	}
}

// recall takes over from an earlier reading what this one is judged by.
func (s *sampled) recall(earlier *sampled) {
	s.before = append(slices.Clone(earlier.before), earlier.moment())
	for len(s.before) > 1 && s.at.Sub(s.before[1].at) >= JudgedOver {
		s.before = s.before[1:]
	}
	s.lastBusy, s.lastSkip = earlier.lastBusy, earlier.lastSkip
	if s.reading.Busy > earlier.reading.Busy {
		s.lastBusy = s.at
	}
	if s.reading.SkippedTicks > earlier.reading.SkippedTicks {
		s.lastSkip = s.at
	}
}

// forgive has the store judged by what comes from now on: it was away, and is back.
func (s *sampled) forgive() {
	now := s.moment()
	for i := range s.before {
		m := &s.before[i]
		m.calls, m.failed, m.callTime = now.calls, now.failed, now.callTime
	}
}

// condition returns what the node is judged by.
func (s *sampled) condition(storeAway bool) *Condition {
	r, before := &s.reading, &s.before[0]
	// Each part of a reading is of a moment of its own, see Moments; one that says of none is of the whole one's.
	over := func(of func(*Moments) time.Time) time.Duration {
		from, to := of(&before.when), of(&r.Moments)
		if from.IsZero() || to.IsZero() {
			from, to = before.at, s.at
		}
		return max(to.Sub(from), time.Millisecond)
	}
	world := over(func(m *Moments) time.Time { return m.World })
	c := &Condition{
		At: s.at, Draining: r.Draining, NoCertificate: r.NoCertificate, Players: r.Players, MaxPlayers: r.MaxPlayers,
		Queue: r.Queue, QueueCapacity: r.QueueCapacity, RetryAfter: r.RetryAfter, LastBusy: s.lastBusy, Line: r.Line,
		Doors: r.Doors, AcceptQueue: r.Door.AcceptQueue,
		Tick: TickFigures{
			Over: world, Begun: r.Ticks > 0, Made: r.Ticks - before.ticks, Skipped: r.SkippedTicks - before.skipped,
			P99: interval(r.Lateness, before.lateness).P99, LastSkip: s.lastSkip,
			Cores: (r.Door.CPU.Tick - before.tickCPU).Seconds() /
				over(func(m *Moments) time.Time { return m.CPU }).Seconds(),
		},
		Store: StoreFigures{
			Away: storeAway, Calls: r.StoreCalls - before.calls, Failed: r.StoreErrors - before.failed, Unsaved: r.Unsaved,
		},
		CPU: (r.Process.CPUSeconds - before.cpu) /
			over(func(m *Moments) time.Time { return m.Process }).Seconds(),
		Cores: r.Process.Cores,
	}
	if n := c.Store.Calls; n > 0 {
		c.Store.MeanMS = float64((r.StoreTime - before.callTime).Microseconds()) / 1000 / float64(n)
	}
	return c
}
