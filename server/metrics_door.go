package server

import (
	"maps"
	"slices"
	"strconv"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
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
		{"draining", r.Draining, t.Draining}, {"mode", r.Mode, t.Mode}, {"queue", r.Queue, t.Queue}, {"line", r.Line, t.Line},
		{"stale", r.Stale, t.Stale}, {"share", r.Share, t.Share}, {"world", r.World, t.World},
		{"slow", r.Slow, t.Slow}, {"lane", r.Lane, t.Lane}, {"begin", r.Begin, t.Begin}, {"errands", r.Errands, t.Errands},
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
	out.Gauge(pace, paceHelp, stats.ResumePace, "lane", "resumes")
	out.Gauge(pace, paceHelp, stats.BeginPace, "lane", "opaque")
	out.Gauge("rushgate_door_opaque_begun", "Logins by OPAQUE that have begun, and whose clients have not come back.",
		float64(stats.Tries))
	out.Gauge("rushgate_door_opaque_requests", "Requests in the lane of those who begin by OPAQUE.",
		float64(stats.Beginnings))
	out.Gauge("rushgate_door_resumes", "Resumes and continued sessions in their lane, those in hand included.",
		float64(stats.Resumes))
	lineMetrics(out, "door", &stats.Line)
	lineMetrics(out, "world", &stats.WorldLine)
	const told, toldHelp = "rushgate_line_told_seconds", "Between which a newcomer would be told to come in; 0: at once."
	out.Gauge(told, toldHelp, stats.Newcomer.Low.Seconds(), "bound", "low")
	out.Gauge(told, toldHelp, stats.Newcomer.High.Seconds(), "bound", "high")
	opens := 0.0
	if !stats.Line.Opens.IsZero() {
		opens = float64(stats.Line.Opens.UnixMilli()) / 1000
	}
	out.Gauge("rushgate_line_opens_timestamp_seconds", "When the line begins to move; 0: it does.", opens)
}

// lineMetrics has who waits in a line, and whether the line keeps what it has told them.
func lineMetrics(out metric.Scrape, name string, s *line.Stats) {
	for tier, n := range s.Waiting {
		tier := strconv.Itoa(tier)
		out.Gauge("rushgate_line_waiting", "Places in the line whose turn has not come.", float64(n),
			"line", name, "tier", tier)
	}
	for tier, oldest := range s.Oldest {
		out.Gauge("rushgate_line_front_age_seconds", "How long ago the turn was given that comes next; 0: none waits.",
			oldest.Seconds(), "line", name, "tier", strconv.Itoa(tier))
	}
	out.Gauge("rushgate_line_called", "Places whose turn came within 30 seconds, and whose players have not come.",
		float64(s.Outstanding), "line", name)
	out.Gauge("rushgate_line_pace_players_per_second", "Rate at which turns come while players wait.", s.Pace,
		"line", name)
	out.Gauge("rushgate_line_no_show_ratio", "Share of those whose turn has come that did not come within 30 seconds.",
		s.NoShows, "line", name)

	const given, givenHelp = "rushgate_line_turns_given_total", "Places given, by how their clients are known."
	out.Counter(given, givenHelp, float64(s.Issued), "line", name, "to", "ticket")
	out.Counter(given, givenHelp, float64(s.Remembered), "line", name, "to", "name")
	out.Counter("rushgate_line_turns_called_total", "Turns that have come while players waited.", float64(s.Called),
		"line", name)
	out.Counter("rushgate_line_turns_used_total", "Turns with which players have come.", float64(s.Redeemed),
		"line", name)
	out.Counter("rushgate_line_turns_given_back_total", "Turns used for which there was no room after all.",
		float64(s.GivenBack), "line", name)
	for _, refused := range []struct {
		cause string
		n     int64
	}{
		{"not_yet", s.NotYet}, {"used", s.Used}, {"expired", s.Expired}, {"not_holder", s.NotHolder},
		{"future", s.Future}, {"wrong_line", s.WrongLine}, {"too_many", s.TooMany},
	} {
		out.Counter("rushgate_line_refusals_total", "Players who came out of turn or got no place, by cause.",
			float64(refused.n), "line", name, "cause", refused.cause)
	}
	out.Counter("rushgate_line_forgotten_total", "Words of used tickets forgotten too early.", float64(s.Forgotten),
		"line", name)
	for _, promised := range []struct {
		outcome string
		n       int64
	}{
		{"kept", s.Promises.Kept}, {"early", s.Promises.Early}, {"late", s.Promises.Late}, {"away", s.Promises.Away},
	} {
		out.Counter("rushgate_line_promises_total", "Players let in, by when that was in what they were told first.",
			float64(promised.n), "line", name, "outcome", promised.outcome)
	}
}
