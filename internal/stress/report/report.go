// Package report is what came of a run of the load generator: its types, the verdicts on them, and the ways to write,
// read and compare them. It knows nothing of how the load is made, so that what shows a report needs no generator.
package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Report is the outcome of a run. Its JSON field names are stable. Latencies are in milliseconds, accurate to two
// significant figures.
type Report struct {
	Scenario Scenario `json:"scenario"`              // how the players came
	Mode     Mode     `json:"mode"`                  // what they asked for
	Target   string   `json:"target"`                // base URL of the server
	Kind     string   `json:"server_kind,omitempty"` // "" for Rushgate
	// Subject says what was measured, as far as it is known; Nodes are those of Rushgate's of which there are figures.
	Subject Subject `json:"subject"`
	Nodes   []Node  `json:"nodes,omitempty"`

	Rate      float64   `json:"rate_per_s,omitempty"` // mean number of players who started per second
	StartedAt time.Time `json:"started_at"`           // when the load began
	// TryTimeout is how long one try might take, in seconds; 0 in older reports, in which it was 30.
	TryTimeout float64 `json:"try_timeout_s,omitempty"`
	// Sources is how many addresses the players came from; zero in reports from before that was told.
	Sources int `json:"sources,omitempty"`
	// Interrupted says that the run was cancelled before every player had an outcome, or before they had stayed as
	// long as they were to.
	Interrupted bool `json:"interrupted"`

	// Clients is how many players came. Each of them is counted in exactly one of the following; those who were to come
	// when the run was interrupted, in NotCome, are none of them.
	Clients     int            `json:"clients"`
	NotCome     int            `json:"not_come,omitempty"`
	OK          int            `json:"ok"`           // let in
	Busy        int            `json:"busy"`         // told to come back later until their tries or time ran out
	RateLimited int            `json:"rate_limited"` // refused for their address
	Expired     int            `json:"expired"`      // taken into the queue and dropped there as stale, the last time too
	Rejected    int            `json:"rejected"`     // wrong passwords and malformed requests, refused as such
	WronglyIn   int            `json:"wrongly_in"`   // the same, let in
	Failed      map[string]int `json:"failed"`       // refused for another reason, by reason
	TimedOut    int            `json:"timed_out"`    // their time passed without a session or a refusal
	Dropped     int            `json:"dropped"`      // the last try met a transport error
	Unfinished  int            `json:"unfinished"`   // at the door when the run was interrupted

	// Tries counts all tries of all players. TriesPerSuccess is Tries / OK: what one success cost, including the
	// tries of those who did not get in; zero if none did, and in scenario Mixed, in which some are not to.
	Tries           int     `json:"tries"`
	HungUp          int     `json:"hung_up"` // how many times a player lost patience, and came back
	TriesPerSuccess float64 `json:"tries_per_success"`
	// InOnTry is how many players got in on their first, second, … try; InOnTryShare is the same as a share of
	// Clients.
	InOnTry      []int     `json:"in_on_try"`
	InOnTryShare []float64 `json:"in_on_try_share"`

	FirstAnswer latency.Summary `json:"first_answer"` // from a player's start to its first answer of any kind
	Success     latency.Summary `json:"success"`      // from a player's start to its session, pauses included
	BusyAnswer  latency.Summary `json:"busy_answer"`  // from a try to its server-busy
	StartDelay  latency.Summary `json:"start_delay"`  // from when a player was due to when the generator started it
	Probe       Probe           `json:"probe"`        // what others waited for the server meanwhile
	KeepAlive   bool            `json:"keep_alive"`   // one connection per player rather than per try

	// WallSeconds is the time from the first start to the last success, LoginsPerSecond is OK / WallSeconds.
	WallSeconds     float64 `json:"wall_s"`
	LoginsPerSecond float64 `json:"logins_per_s"`
	// HashBoundSeconds is the time that the hashes of those who got in take in full batches on all cores that may hash:
	// OK * hash_ms / min(cores, workers). HashBoundRatio is WallSeconds / HashBoundSeconds. Zero without server
	// metrics, outside of scenario Burst, and in modes Opaque and Guest.
	HashBoundSeconds float64 `json:"hash_bound_s"`
	HashBoundRatio   float64 `json:"hash_bound_ratio"`

	// PlayersBefore and PlayersAtEnd are how many players the server said were inside before the run, and after it
	// but before the logouts; null if it did not say. ExpectedAtEnd is what the latter should be.
	PlayersBefore *int `json:"players_before"`
	PlayersAtEnd  *int `json:"players_at_end"`
	ExpectedAtEnd *int `json:"players_expected_at_end"`
	// SessionsLost counts sessions that the server ended although their player kept calling, other than in a storm, which
	// has figures of its own; KeepAlivesFailed counts calls without effect that did not end one.
	SessionsLost     int `json:"sessions_lost"`
	KeepAlivesFailed int `json:"keep_alives_failed"`
	LoggedOut        int `json:"logged_out"`     // players who logged out
	LeftBefore       int `json:"left_before"`    // of those, when the players at the end were counted
	LogoutsFailed    int `json:"logouts_failed"` // players whose logout failed or came too late

	// Settled is null of Rushgate.
	Settled *Settled `json:"settled,omitempty"`

	// Answers is what came of all tries; Phases the parts of the run in their order, with figures of their own; Timeline
	// the whole of it.
	Answers  Answers  `json:"answers"`
	Phases   []Phase  `json:"phases"`
	Timeline Timeline `json:"timeline"`
	// Capacity is how many players per second the server was measured, or was said, to let in; zero
	// outside of [LaunchDay] and [KnockFlood].
	Capacity float64 `json:"capacity_per_s,omitempty"`
	// Storm is null outside of [ReconnectStorm], and if no player was dropped.
	Storm *Storm `json:"storm"`
	// Outage is null outside of [ReconnectStorm], and where the server was not killed or replaced by a command of the run.
	Outage *Outage `json:"outage,omitempty"`
	// Flood is null outside of [KnockFlood], and if it did not begin.
	Flood *KnockReport `json:"flood"`
	// Opaque is null outside of mode [Opaque].
	Opaque *OpaqueCost `json:"opaque,omitempty"`
	// Line is null if no player was given a place in the line of the server.
	Line      *Line     `json:"line"`
	Generator Generator `json:"generator"` // what the run cost this machine
	Verdicts  []Verdict `json:"verdicts"`  // on the limits given

	// Play is null unless the players were to play, all had an outcome, and some were in.
	Play *Play `json:"play"`
	// Server is null without server metrics.
	Server *Server `json:"server"`

	// Notes are sentences about what is missing from the report and why.
	Notes []string `json:"notes"`
}

// Subject says what was measured: what a server is, what it runs on, and what its figures depend on most. What is not
// known is empty, or 0.
type Subject struct {
	Version string `json:"version,omitempty"`
	System  string `json:"system,omitempty"` // such as linux/amd64
	CPUs    int    `json:"cpus,omitempty"`   // of its machine
	Cores   int    `json:"cores,omitempty"`  // that it may use
	Store   string `json:"store,omitempty"`
	Hash    string `json:"hash,omitempty"` // of passwords
}

// Or returns what is known of a subject, and where nothing is known, what is known otherwise.
func (s Subject) Or(other Subject) Subject {
	return Subject{
		Version: cmp.Or(s.Version, other.Version), System: cmp.Or(s.System, other.System), CPUs: cmp.Or(s.CPUs, other.CPUs),
		Cores: cmp.Or(s.Cores, other.Cores), Store: cmp.Or(s.Store, other.Store), Hash: cmp.Or(s.Hash, other.Hash),
	}
}

// String says in some words what is known, and names what is not.
func (s Subject) String() string {
	named := func(what, known string) string { return what + " " + cmp.Or(known, "not told") }
	number := func(n int) string { return pick(n == 0, "", strconv.Itoa(n)) }
	return strings.Join([]string{
		named("version", s.Version), named("on", s.System), named("CPUs", number(s.CPUs)),
		named("cores to use", number(s.Cores)), named("store", s.Store), named("hash", s.Hash),
	}, "; ")
}

// Node is one of Rushgate's that was found both at the target and at an admin listener.
type Node struct {
	Run     string `json:"run"`     // random, of this start of the node
	Admin   string `json:"admin"`   // base URL of the listener that its figures are from
	Address string `json:"address"` // where it listens for players
	Subject
}

// Settled says whether another server than Rushgate was idle before and after the load, and what it did meanwhile for
// players who had left, by its own count.
type Settled struct {
	Login      float64 `json:"login_ms"`    // a lone login while the server was idle
	Before     float64 `json:"before_s"`    // for which it was waited for before the load
	IdleBefore bool    `json:"idle_before"` // and then it was idle
	After      float64 `json:"after_s"`     // likewise after the last player had left
	IdleAfter  bool    `json:"idle_after"`

	// Accounts is how many of the players have an account that they did not have before the run, and Late how many of
	// these came to be after the last player had left. ForThoseGone is of how many of them the
	// players had left without an answer, at the least: as many as there are more accounts than players who were let in or
	// refused. They are null if the server was not asked, and the last one also where players do not register.
	Accounts     *int `json:"accounts"`
	Late         *int `json:"accounts_late"`
	ForThoseGone *int `json:"accounts_of_players_gone"`
}

// Gone says in a sentence that the server went on working for players who had left; it is empty if there is no sign of
// that.
func (s *Settled) Gone() string {
	switch {
	case s == nil || s.ForThoseGone == nil || *s.ForThoseGone <= 0:
		return ""
	case s.Late != nil && *s.Late > 0:
		return fmt.Sprintf("The server went on working for %s players who had left: they have accounts, and had no answer;"+
			" %s accounts were made after the last player had left.", formatCount(float64(*s.ForThoseGone)),
			formatCount(float64(*s.Late)))
	}
	return fmt.Sprintf("The server went on working for %s players who had left: they have accounts, and had no answer.",
		formatCount(float64(*s.ForThoseGone)))
}

// AdminURL returns the base URL of an admin listener of the server; empty if none is known to be its own.
func (r *Report) AdminURL() string {
	if len(r.Nodes) == 0 {
		return ""
	}
	return r.Nodes[0].Admin
}

// ProbeTimeout is how long a probe waits for its answer.
const ProbeTimeout = 5 * time.Second

// Probe is what polling the target's /healthz every 50 ms showed until the players left.
type Probe struct {
	Answered int             `json:"answered"` // with 200
	Failed   int             `json:"failed"`   // no answer within 5 s, a broken connection, or not 200
	Skipped  int             `json:"skipped"`  // not sent, because 100 were without an answer
	Latency  latency.Summary `json:"latency"`  // of the answered ones, from when they were due
}

// Server is what the server's own metrics say of the run. Summaries of a server that does not tell those of an
// interval are since its start.
type Server struct {
	Auth       AuthCounters    `json:"auth"`        // what the door counted
	BatchSizes Counts          `json:"batch_sizes"` // number of batches by size
	Wait       latency.Summary `json:"wait"`        // in the queue, per request
	Load       latency.Summary `json:"load"`        // per batch, as are the next two
	Derive     latency.Summary `json:"derive"`
	Commit     latency.Summary `json:"commit"`
	// a hash in a full batch on one core, measured when the server started
	HashMS     float64         `json:"hash_ms"`
	Workers    int             `json:"workers"`          // of the queue
	Cores      int             `json:"cores"`            // that the server may use
	Tick       TickCounters    `json:"tick"`             // what the world counted
	Lateness   latency.Summary `json:"tick_lateness"`    // of the ticks
	Duration   latency.Summary `json:"tick_duration"`    // of the ticks
	RSSBefore  int64           `json:"rss_bytes_before"` // resident memory before the run
	RSSAtEnd   int64           `json:"rss_bytes_at_end"` // resident memory while the players were still inside
	CPUSeconds float64         `json:"cpu_s"`            // CPU time of the server over the run
	// CPU is what that went into, in seconds; missing of a server that does not tell.
	CPU *CPU `json:"cpu,omitempty"`
}

// Note adds a sentence, unless it is empty.
func (r *Report) Note(s string) {
	if s != "" {
		r.Notes = append(r.Notes, s)
	}
}

// Derive fills in the figures that follow from others, in a run during which the server was restarted or not.
func (r *Report) Derive(restarted bool) {
	if r.OK > 0 && r.Scenario != Mixed {
		r.TriesPerSuccess = float64(r.Tries) / float64(r.OK)
	}
	r.InOnTryShare = make([]float64, len(r.InOnTry))
	for i, n := range r.InOnTry {
		r.InOnTryShare[i] = float64(n) / float64(r.Clients)
	}
	if r.WallSeconds > 0 {
		r.LoginsPerSecond = float64(r.OK) / r.WallSeconds
	}
	crowded := r.Scenario == KnockFlood || r.Line != nil && r.Line.Crowd != nil // who else is let in stays for a while
	if r.PlayersBefore != nil && !restarted && !crowded {
		n := *r.PlayersBefore + r.OK - r.SessionsLost - r.LeftBefore
		if r.Storm != nil {
			n -= r.Storm.NotBack
		}
		if r.Outage != nil {
			n -= r.Outage.NotBack
		}
		r.ExpectedAtEnd = &n
	}
	if s := r.Server; r.Scenario == Burst && r.Mode != Opaque && r.Mode != Guest && s != nil && min(s.Cores, s.Workers) > 0 {
		r.HashBoundSeconds = float64(r.OK) * s.HashMS / 1000 / float64(min(s.Cores, s.Workers))
		if r.HashBoundSeconds > 0 {
			r.HashBoundRatio = r.WallSeconds / r.HashBoundSeconds
		}
	}
}
