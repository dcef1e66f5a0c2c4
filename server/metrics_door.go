package server

import (
	"maps"
	"slices"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/metric"
)

// authSection is the section auth of /metrics.json. It had the lockouts before there was a door, and tools look for
// them there.
type authSection struct {
	auth.Stats
	Limiter struct {
		Locked   int   `json:"locked"`   // lockouts that run
		Lockouts int64 `json:"lockouts"` // begun since the start, of all kinds
	} `json:"limiter"`
}

func (s *Server) authSection() authSection {
	section, stats := authSection{Stats: s.pool.Stats()}, s.door.Stats()
	section.Limiter.Locked = stats.Locked
	for _, n := range stats.Lockouts {
		section.Limiter.Lockouts += n
	}
	return section
}

// doorMetrics has what the door decides by, and how it has decided.
func (s *Server) doorMetrics(out metric.Scrape) {
	stats := s.door.Stats()
	const refusals = "rushgate_door_refusals_total"
	const refusalsHelp = "Logins and registrations refused at the door, by cause and by what has answered."
	r, t := stats.Refused, stats.TurnedAway
	for _, refused := range []struct {
		cause       string
		all, turned int64
	}{
		{"draining", r.Draining, t.Draining}, {"queue", r.Queue, t.Queue}, {"line", r.Line, t.Line},
		{"stale", r.Stale, t.Stale},
		{"share", r.Share, t.Share}, {"world", r.World, t.World}, {"slow", r.Slow, t.Slow},
		{"locked", r.Locked, t.Locked}, {"pending", r.Pending, t.Pending}, {"spent", r.Spent, t.Spent},
	} {
		out.Counter(refusals, refusalsHelp, float64(refused.turned), "cause", refused.cause, "by", "doorman")
		out.Counter(refusals, refusalsHelp, float64(refused.all-refused.turned), "cause", refused.cause, "by", "api")
	}
	for _, kind := range slices.Sorted(maps.Keys(stats.Lockouts)) {
		out.Counter("rushgate_door_lockouts_total", "Lockouts begun for failing too often, by what is kept out.",
			float64(stats.Lockouts[kind]), "kind", kind)
	}
	out.Gauge("rushgate_door_lockouts", "Lockouts that run now.", float64(stats.Locked))
	out.Gauge("rushgate_door_failing", "Pairs of address and account with failures that are remembered.",
		float64(stats.Failing))
	out.Gauge("rushgate_door_seats", "Places in the world that are taken, on the way in or back included.",
		float64(stats.Seats))
	out.Gauge("rushgate_door_seats_held", "Places kept for players who may come back.", float64(stats.Held))
	out.Gauge("rushgate_door_promised", "Clients that wait in the line, or were called and are on their way.",
		float64(stats.Promised))
	out.Gauge("rushgate_door_slow_requests", "Logins in the slow lane, for hashes of other systems.", float64(stats.Slow))
	const pace, paceHelp = "rushgate_door_pace_requests_per_second", "Estimated rate at which a lane can be worked off."
	out.Gauge(pace, paceHelp, stats.Pace, "lane", "fast")
	out.Gauge(pace, paceHelp, stats.SlowPace, "lane", "slow")
}
