package stress

import "github.com/rushgate/rushgate/internal/latency"

// Answers counts tries by what came of each.
type Answers struct {
	In          int `json:"in"`
	Busy        int `json:"busy"`         // server-busy
	RateLimited int `json:"rate_limited"` // rate-limited
	Expired     int `json:"expired"`      // request-expired: taken into the queue and dropped there as stale
	Refused     int `json:"refused"`      // for another reason, or with an answer that made no sense
	TimedOut    int `json:"timed_out"`    // silence until the try's own time was up
	Dropped     int `json:"dropped"`      // a transport error
	GaveUp      int `json:"gave_up"`      // the player hung up, or the run was interrupted
}

// Timeline is the run in intervals of equal length.
type Timeline struct {
	IntervalSeconds float64 `json:"interval_s"`
	Points          []Point `json:"points"`
}

// Point is one interval of a [Timeline]. Counts and latencies are of what happened in it, numbers of players are those at
// its end.
type Point struct {
	At      float64 `json:"t_s"`     // when it began, from the start of the load
	Started int     `json:"started"` // players
	Answers Answers `json:"answers"`

	FirstAnswer latency.Summary `json:"first_answer"`
	Success     latency.Summary `json:"success"`
	Probe       latency.Summary `json:"probe"`
	StartDelay  latency.Summary `json:"start_delay"` // of the generator

	Pending int `json:"pending"` // players without an outcome
	Inside  int `json:"inside"`
	Playing int `json:"playing"` // with a connection to the world

	GeneratorCores float64 `json:"generator_cores"` // CPU time of the generator per second
	// Server is null where the server's metrics were not read.
	Server *ServerPoint `json:"server"`
}

// ServerPoint is what the server said of itself during one interval.
type ServerPoint struct {
	Depth    int             `json:"depth"` // of the queue, at the end
	Capacity int             `json:"capacity"`
	Players  int             `json:"players"`
	Wait     latency.Summary `json:"wait"` // in the queue
	Lateness latency.Summary `json:"tick_lateness"`
	Skipped  int64           `json:"ticks_skipped"`
	Cores    float64         `json:"cpu_cores"` // CPU time per second
	RSS      int64           `json:"rss_bytes"`
}

// Phase is a part of the run with figures of its own: what happened between two moments.
type Phase struct {
	Name string  `json:"name"`
	From float64 `json:"from_s"` // from the start of the load
	To   float64 `json:"to_s"`

	Started     int             `json:"started"` // players
	Answers     Answers         `json:"answers"`
	PerSecond   float64         `json:"in_per_s"` // goodput: players let in
	FirstAnswer latency.Summary `json:"first_answer"`
	Success     latency.Summary `json:"success"`
	Probe       latency.Summary `json:"probe"`
	// Lateness and Skipped are null without server metrics of the phase.
	Lateness *latency.Summary `json:"tick_lateness"`
	Skipped  *int64           `json:"ticks_skipped"`
}

// StormReport is what became of the players of a [ReconnectStorm].
type StormReport struct {
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

// GeneratorReport is what the run cost the machine that made it.
type GeneratorReport struct {
	CPUSeconds float64         `json:"cpu_s"`
	Cores      float64         `json:"cpu_cores"` // CPU time per second, over the run
	PeakCores  float64         `json:"peak_cpu_cores"`
	Available  int             `json:"cores"` // that it may use
	PeakRSS    int64           `json:"peak_rss_bytes"`
	Lateness   latency.Summary `json:"lateness"` // of a timer that is due every 10 ms
	// Bottleneck says in a sentence why the figures of the run may be the generator's rather than the server's; empty if
	// there is no sign of that.
	Bottleneck string `json:"bottleneck"`
}

// Verdict is how a run compares with a limit.
type Verdict struct {
	Limit string  `json:"limit"` // such as "first answer p99: at most 500ms (in ms)"
	Got   float64 `json:"got"`
	OK    bool    `json:"ok"`
}
