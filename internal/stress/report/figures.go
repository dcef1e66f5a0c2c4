package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate/internal/latency"
)

// Answers counts tries by what came of each.
type Answers struct {
	In          int `json:"in"`           // a session
	Busy        int `json:"busy"`         // server-busy
	RateLimited int `json:"rate_limited"` // rate-limited
	Expired     int `json:"expired"`      // request-expired: taken into the queue and dropped there as stale
	Refused     int `json:"refused"`      // for another reason, or with an answer that made no sense
	TimedOut    int `json:"timed_out"`    // silence until the try's own time was up
	Dropped     int `json:"dropped"`      // a transport error
	GaveUp      int `json:"gave_up"`      // the player hung up, or the run was interrupted
	// Untimed is how many of Busy and RateLimited did not say when to come back.
	Untimed int `json:"untimed,omitempty"`
}

// Add counts those of b too.
func (a *Answers) Add(b Answers) {
	a.In += b.In
	a.Busy += b.Busy
	a.RateLimited += b.RateLimited
	a.Expired += b.Expired
	a.Refused += b.Refused
	a.TimedOut += b.TimedOut
	a.Dropped += b.Dropped
	a.GaveUp += b.GaveUp
	a.Untimed += b.Untimed
}

// Timeline is the run in intervals of about equal length.
type Timeline struct {
	// IntervalSeconds is how long each interval was to be; how long it was, its point says.
	IntervalSeconds float64 `json:"interval_s"`
	Points          []Point `json:"points"` // in their order, without gaps
}

// LengthOf returns how long an interval was, in seconds, as it was measured; as it was to be in older reports.
func (t *Timeline) LengthOf(p *Point) float64 {
	if p.Length > 0 {
		return p.Length
	}
	return t.IntervalSeconds
}

// Point is one interval of a [Timeline]. Counts and latencies are of what happened in it, numbers of players are those
// at its end.
type Point struct {
	At      float64 `json:"t_s"`      // when it began, from the start of the load
	Length  float64 `json:"length_s"` // as measured, which rates are of; 0 in older reports
	Started int     `json:"started"`  // players
	Answers Answers `json:"answers"`  // of the tries that ended in it

	FirstAnswer latency.Summary `json:"first_answer"` // from when a player was due to the first answer of any kind
	Success     latency.Summary `json:"success"`      // from when a player was due to the session
	Probe       latency.Summary `json:"probe"`        // of the probes that were answered
	StartDelay  latency.Summary `json:"start_delay"`  // of the generator

	Pending int `json:"pending"` // players without an outcome
	Inside  int `json:"inside"`  // players with a session
	Playing int `json:"playing"` // with a connection to the world

	GeneratorCores float64 `json:"generator_cores"` // CPU time of the generator per second
	// Server is null where the server's metrics were not read.
	Server *ServerPoint `json:"server"`
	// Knocks are those of a flood; null without one.
	Knocks *Knocks `json:"knocks,omitempty"`
}

// ServerPoint is what the server said of itself during one interval.
type ServerPoint struct {
	// Length is how long an interval that was at the server, in seconds, which Cores and CPU are of; 0 in older reports.
	Length   float64         `json:"length_s"`
	Depth    int             `json:"depth"`         // of the queue, at the end
	Capacity int             `json:"capacity"`      // of the queue
	Players  int             `json:"players"`       // inside, at the end
	Wait     latency.Summary `json:"wait"`          // in the queue
	Lateness latency.Summary `json:"tick_lateness"` // of the ticks
	Skipped  int64           `json:"ticks_skipped"` // ticks
	Cores    float64         `json:"cpu_cores"`     // CPU time per second
	RSS      int64           `json:"rss_bytes"`     // resident memory at the end
	// CPU is what Cores went into, in CPU time per second; null of a server that does not tell.
	CPU *CPU `json:"cpu"`
}

// The names of phases.
const (
	PhaseArrivals = "arrivals"
	PhaseRampUp   = "ramp-up"
	PhasePeak     = "peak"
	PhaseDecay    = "decay"
	PhaseRest     = "rest"
	PhaseStay     = "stay"
	PhaseReturn   = "return"
	PhaseBefore   = "before" // a flood
	PhaseOnset    = "onset"  // of a flood, which does not count
	PhaseFlood    = "flood"
)

// Phase is a part of the run with figures of its own: what happened between two moments.
type Phase struct {
	Name string  `json:"name"`   // one of the names above
	From float64 `json:"from_s"` // from the start of the load
	To   float64 `json:"to_s"`   // from the start of the load

	Started     int             `json:"started"`      // players
	Answers     Answers         `json:"answers"`      // of the tries that ended in it
	PerSecond   float64         `json:"in_per_s"`     // goodput: players let in
	FirstAnswer latency.Summary `json:"first_answer"` // from when a player was due to the first answer of any kind
	Success     latency.Summary `json:"success"`      // from when a player was due to the session
	Probe       latency.Summary `json:"probe"`        // of the probes that were answered
	// Lateness and Skipped are null without server metrics of the phase.
	Lateness *latency.Summary `json:"tick_lateness"`
	Skipped  *int64           `json:"ticks_skipped"`
	// CPU is the server's, in CPU time per second; null where it was not told.
	CPU *CPU `json:"cpu"`
}

// Storm is what became of the players of a [ReconnectStorm].
type Storm struct {
	Dropped int     `json:"dropped"`   // players who were inside and lost their connection
	Back    int     `json:"back"`      // of those, who got in again
	NotBack int     `json:"not_back"`  // whose time ran out
	DropAt  float64 `json:"drop_at_s"` // when it began, from the start of the load
	// DownSeconds is how long the server answered nothing, as the probe saw it; zero if it was never away.
	DownSeconds float64 `json:"down_s"`
	// LastBack and LastBackSinceUp are the time from the drop, and from the server's first sign of life after it, until
	// the last one was back.
	LastBack        float64         `json:"last_back_s"`
	LastBackSinceUp float64         `json:"last_back_since_up_s"`
	Return          latency.Summary `json:"return"` // from the drop to the new session, by player
}

// Generator is what the run cost the machine that made it.
type Generator struct {
	CPUSeconds float64         `json:"cpu_s"`          // CPU time over the run
	Cores      float64         `json:"cpu_cores"`      // CPU time per second, over the run
	PeakCores  float64         `json:"peak_cpu_cores"` // CPU time per second, in the busiest interval
	Available  int             `json:"cores"`          // that it may use
	PeakRSS    int64           `json:"peak_rss_bytes"` // most resident memory
	Lateness   latency.Summary `json:"lateness"`       // of a timer that is due every 10 ms
	// Bottleneck says in a sentence why the figures of the run may be the generator's rather than the server's; empty if
	// there is no sign of that.
	Bottleneck string `json:"bottleneck"`
}

// Verdict is how a run compares with a limit.
type Verdict struct {
	Limit string  `json:"limit"` // such as "first answer p99: at most 500ms (in ms)"
	Got   float64 `json:"got"`   // the figure that the limit is on, in the unit that Limit names
	OK    bool    `json:"ok"`    // the limit was kept
}

// Endings of limits that name the unit of a figure.
const inMillis, inSeconds = " (in ms)", " (in s)"

// Plain returns the limit, and the figure with its unit in plain numbers, as people read them: "17,070", "17.1 s",
// "99.2 %". The figure is empty if the run has not measured it.
func (v *Verdict) Plain() (limit, got string) {
	if limit, ok := strings.CutSuffix(v.Limit, inMillis); ok {
		return limit, v.time(UnitMillis)
	}
	if limit, ok := strings.CutSuffix(v.Limit, inSeconds); ok {
		return limit, v.time(UnitSeconds)
	}
	if !strings.HasPrefix(v.Limit, "share of ") {
		return v.Limit, pick(v.Got == math.Trunc(v.Got), formatCount(v.Got), digits(v.Got))
	}
	limit = v.Limit
	if i := strings.LastIndexByte(limit, ' ') + 1; i > 0 {
		if least, err := strconv.ParseFloat(limit[i:], 64); err == nil {
			limit = limit[:i] + UnitShare.Format(least)
		}
	}
	return limit, UnitShare.Format(v.Got)
}

// time returns the figure as a time. There is none of what took none and has yet not kept to the limit.
func (v *Verdict) time(unit Unit) string {
	if v.Got == 0 && !v.OK {
		return ""
	}
	return unit.Format(v.Got)
}
