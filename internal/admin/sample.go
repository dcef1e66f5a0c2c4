package admin

import (
	"math"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

// Reading is what a node measures, at one moment. Totals count from the start of the node.
type Reading struct {
	Draining      bool
	NoCertificate bool // the players' listener waits for its first one

	// Totals of logins and registrations by how they have ended.
	Admitted, Busy, RateLimited, Expired int64
	// Failed has the totals of the other answers, by reason.
	Failed map[rushgate.Reason]int64

	Queue         int             // waiting now
	QueueCapacity int             // 0: no bound
	Wait          latency.Summary // time in the queue, with Buckets
	RetryAfter    time.Duration   // what a newcomer without a place would be told now
	Locked        int             // lockouts that run

	Players, MaxPlayers int // inside
	UDP, WebSocket      int // those with a realtime connection, by its kind

	Ticks, SkippedTicks int64           // totals
	Lateness            latency.Summary // of the beginning of ticks, with Buckets

	CircuitOpen             bool          // calls of the store are refused because it does not answer
	StoreCalls, StoreErrors int64         // totals; an error is a call that has failed as a whole
	StoreTime               time.Duration // total of all calls
	StoreWarnings           []string      // a sentence for each thing by which the store may lose what it acknowledges
	Unsaved                 int           // characters that wait to be written

	Line       Line
	Doors      Doors
	Resumes    Resumes
	Identities Identities
	Door       Door

	Process Process

	// Notices are what there is to say besides figures.
	Notices []Notice

	// Moments are when the parts were read.
	Moments Moments
}

// Moments are when each part of a [Reading] was read: on a machine whose cores are all in use, seconds may pass between
// two parts, and a total is to be divided by the time in which that total has grown. A zero time stands for when the
// whole reading was made.
type Moments struct {
	Knocks  time.Time // Admitted to Failed, and the door's Knocks, ByDoorman and ByAPI
	Door    time.Time // the rest of Door but its CPU
	CPU     time.Time // Door.CPU
	World   time.Time // Ticks and SkippedTicks
	Process time.Time // Process
	Store   time.Time // StoreCalls to StoreTime
}

// Notice is a sentence for the operator.
type Notice struct {
	Text string `json:"text"`
	Bad  bool   `json:"bad"` // there is something to be done
}

// Count is a total since the start of the node, and by how much it has grown per second in the interval of a sample.
type Count struct {
	Total     int64   `json:"total"`
	PerSecond float64 `json:"per_s"`
}

// Interval has figures, in milliseconds, of durations within the interval of a sample; all are 0 if there were none.
type Interval struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Sample is a node's state at one moment, and what has happened since the sample before.
type Sample struct {
	Time int64 `json:"t"` // ms since 1970
	Judgement

	Admitted    Count                     `json:"admitted"`
	Busy        Count                     `json:"busy"`
	RateLimited Count                     `json:"rate_limited"`
	Expired     Count                     `json:"expired"`
	Failed      Count                     `json:"failed"` // the sum of Reasons
	Reasons     map[rushgate.Reason]Count `json:"reasons"`

	Queue         int      `json:"queue"`
	QueueCapacity int      `json:"queue_capacity"` // 0: no bound
	Wait          Interval `json:"wait"`
	RetryAfterMS  int64    `json:"retry_after_ms"` // about what a newcomer without a place would be told

	Locked int `json:"locked"` // lockouts that run

	Players    int `json:"players"`
	MaxPlayers int `json:"players_max"`
	UDP        int `json:"udp"`
	WebSocket  int `json:"websocket"`

	Ticks    Count    `json:"ticks"`
	Skipped  Count    `json:"ticks_skipped"`
	Lateness Interval `json:"lateness"`

	CircuitOpen bool `json:"circuit_open"`
	// its circuit is open, or calls have failed or it takes no writes, and it has taken none since
	StoreAway   bool  `json:"store_away"`
	StoreCalls  Count `json:"store_calls"`
	StoreErrors Count `json:"store_errors"`
	// mean time of a call in the interval, or in the last one of whose calls most succeeded
	StoreMS       float64  `json:"store_ms"`
	StoreWarnings []string `json:"store_warnings"` // see Reading
	Unsaved       int      `json:"unsaved"`

	Line       LineSample        `json:"line"`
	Resumes    ResumesSample     `json:"resumes"`
	Identities *IdentitiesSample `json:"identities,omitempty"` // absent where passwords alone let players in
	Door       DoorSample        `json:"door"`

	CPU        float64 `json:"cpu_cores"` // cores kept busy in the interval
	Cores      int     `json:"cores"`
	RSS        int64   `json:"rss_bytes"`
	Goroutines int     `json:"goroutines"`

	Notices []Notice `json:"notices,omitempty"`

	skipped int64 // ticks, in the interval
}

// point is what the charts show of a sample; there are many, hence the short names. Absent durations stand for none.
type point struct {
	Time        int64   `json:"t"`
	State       State   `json:"s"`
	Admitted    float64 `json:"in"`
	Busy        float64 `json:"bu"`
	RateLimited float64 `json:"rl"`
	Failed      float64 `json:"fa"` // with those that have expired
	Queue       int     `json:"q"`
	WaitP50     float64 `json:"w5,omitempty"`
	WaitP99     float64 `json:"w9,omitempty"`
	Players     int     `json:"p"`
	Connected   int     `json:"c"`
	LatenessP50 float64 `json:"l5,omitempty"`
	LatenessP99 float64 `json:"l9,omitempty"`
	LatenessMax float64 `json:"lm,omitempty"`
	Skipped     int64   `json:"sk"`
	StoreMS     float64 `json:"st"`
	Errors      float64 `json:"er"`
	Unsaved     int     `json:"un"`
	MiB         float64 `json:"mem"`
	linePoint
	resumesPoint
	doorPoint
}

func (s *Sample) point() point {
	return point{
		Time: s.Time, State: s.State,
		Admitted: s.Admitted.PerSecond, Busy: s.Busy.PerSecond, RateLimited: s.RateLimited.PerSecond,
		Failed: rounded(s.Failed.PerSecond + s.Expired.PerSecond),
		Queue:  s.Queue, WaitP50: s.Wait.P50, WaitP99: s.Wait.P99,
		Players: s.Players, Connected: s.UDP + s.WebSocket,
		LatenessP50: s.Lateness.P50, LatenessP99: s.Lateness.P99, LatenessMax: s.Lateness.Max,
		Skipped: s.skipped,
		StoreMS: s.StoreMS, Errors: s.StoreErrors.PerSecond, Unsaved: s.Unsaved,
		MiB: rounded(float64(s.RSS) / (1 << 20)), linePoint: s.Line.point(),
		resumesPoint: s.Resumes.point(), doorPoint: s.Door.point(),
	}
}

// sampled is a reading with what the next sample needs to know besides.
type sampled struct {
	reading Reading
	at      time.Time
	storeMS float64
	// all calls of the store in an interval have failed, or it takes no writes, and has taken none since
	away     bool
	doubtful bool      // calls have failed, or away
	lastBusy time.Time // when a player was last found to have been refused
	lastSkip time.Time // when steps were last found to have been skipped
	before   []moment  // oldest first, those of the last [JudgedOver]
}

// since returns the sample that lies between an earlier reading and this one.
func (s *sampled) since(earlier *sampled) Sample {
	now, before := &s.reading, &earlier.reading
	between := func(of func(*Moments) time.Time) time.Duration {
		from, to := of(&before.Moments), of(&now.Moments)
		if from.IsZero() || to.IsZero() {
			from, to = earlier.at, s.at
		}
		return max(to.Sub(from), time.Millisecond) // never 0, of which no JSON could be made
	}
	counter := func(of func(*Moments) time.Time) func(now, before int64) Count {
		elapsed := between(of)
		return func(now, before int64) Count { return Count{now, perSecond(now-before, elapsed)} }
	}
	count := counter(func(m *Moments) time.Time { return m.Knocks })
	ticks := counter(func(m *Moments) time.Time { return m.World })
	calls := counter(func(m *Moments) time.Time { return m.Store })
	out := Sample{
		Time:     s.at.UnixMilli(),
		Admitted: count(now.Admitted, before.Admitted), Busy: count(now.Busy, before.Busy),
		RateLimited: count(now.RateLimited, before.RateLimited), Expired: count(now.Expired, before.Expired),
		Reasons: make(map[rushgate.Reason]Count, len(now.Failed)),
		Queue:   now.Queue, QueueCapacity: now.QueueCapacity, Wait: interval(now.Wait, before.Wait),
		RetryAfterMS: now.RetryAfter.Milliseconds(), Locked: now.Locked,
		Players: now.Players, MaxPlayers: now.MaxPlayers, UDP: now.UDP, WebSocket: now.WebSocket,
		Ticks: ticks(now.Ticks, before.Ticks), Skipped: ticks(now.SkippedTicks, before.SkippedTicks),
		skipped:  now.SkippedTicks - before.SkippedTicks,
		Lateness: interval(now.Lateness, before.Lateness), CircuitOpen: now.CircuitOpen,
		StoreWarnings: now.StoreWarnings,
		StoreCalls:    calls(now.StoreCalls, before.StoreCalls), StoreErrors: calls(now.StoreErrors, before.StoreErrors),
		Unsaved: now.Unsaved, RSS: now.Process.RSSBytes, Cores: now.Process.Cores, Goroutines: now.Process.Goroutines,
		Notices: now.Notices, Line: now.Line.sample(),
		Resumes:    now.Resumes.since(&before.Resumes, between(func(m *Moments) time.Time { return m.Knocks })),
		Identities: now.Identities.since(&before.Identities, between(func(m *Moments) time.Time { return m.Knocks })),
		Door: now.Door.since(&before.Door, doorTimes{
			knocks: between(func(m *Moments) time.Time { return m.Knocks }),
			rest:   between(func(m *Moments) time.Time { return m.Door }),
			cpu:    between(func(m *Moments) time.Time { return m.CPU }),
		}),
		CPU: rounded((now.Process.CPUSeconds - before.Process.CPUSeconds) /
			between(func(m *Moments) time.Time { return m.Process }).Seconds()),
	}
	for reason, n := range now.Failed {
		c := count(n, before.Failed[reason])
		out.Reasons[reason] = c
		out.Failed.Total += c.Total
		out.Failed.PerSecond = rounded(out.Failed.PerSecond + c.PerSecond)
	}
	s.storeMS, s.away = earlier.storeMS, earlier.away
	made, failed := now.StoreCalls-before.StoreCalls, now.StoreErrors-before.StoreErrors
	if made > 2*failed { // how long it takes to be refused says nothing about the store
		mean := (now.StoreTime - before.StoreTime) / time.Duration(made)
		s.storeMS = float64(mean.Microseconds()) / 1000
	}
	// That not all calls fail does not end it: some were given up by their callers.
	s.away = s.away || made > 0 && failed >= made
	s.doubtful = s.away || earlier.doubtful || failed > 0
	out.StoreMS, out.StoreAway = s.storeMS, s.away || now.CircuitOpen
	s.recall(earlier)
	out.Judgement = Judge(s.condition(out.StoreAway))
	return out
}

func perSecond(n int64, elapsed time.Duration) float64 {
	return rounded(float64(n) / elapsed.Seconds())
}

// rounded keeps two decimals, which is more than anybody sees.
func rounded(f float64) float64 { return math.Round(f*100) / 100 }

// interval returns the figures of what lies between two summaries, and zeroes if they do not belong together.
func interval(now, before latency.Summary) Interval {
	s, err := now.Since(before)
	if err != nil {
		return Interval{}
	}
	return Interval{Count: s.Count, P50: s.P50, P99: s.P99, Max: s.Max}
}
