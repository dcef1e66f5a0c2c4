package doorman

import (
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/metric"
)

// Metrics writes the doorman's figures. How many knocks it has refused, and why, is among those of the door.
func (d *Doorman) Metrics(out metric.Scrape) {
	stats := d.Stats()
	out.Counter("rushgate_doorman_connections_accepted_total", "Connections accepted.", float64(stats.Accepted))
	out.Counter("rushgate_doorman_connections_handed_over_total", "Connections handed to the HTTP server.",
		float64(stats.Handed))
	out.Counter("rushgate_doorman_line_answers_total", "Clients told how far the line has come, before HTTP was spoken.",
		float64(stats.Told))
	const ended, endedHelp = "rushgate_doorman_connections_closed_total", "Connections closed unasked, by cause."
	out.Counter(ended, endedHelp, float64(stats.Silent), "cause", "silent")
	out.Counter(ended, endedHelp, float64(stats.Idle), "cause", "idle")
	out.Counter(ended, endedHelp, float64(stats.Evicted), "cause", "evicted")
	out.Gauge("rushgate_doorman_connections", "Connections that the doorman has.", float64(stats.Open))
	if d.Shakes() {
		const shaken, shakenHelp = "rushgate_doorman_handshakes_total", "TLS handshakes, by outcome."
		out.Counter(shaken, shakenHelp, float64(stats.Handed), "outcome", "done")
		out.Counter(shaken, shakenHelp, float64(stats.Unshaken), "outcome", "failed")
		out.Gauge("rushgate_doorman_handshakes_waiting", "Clients who wait for their TLS handshake.",
			float64(stats.Greeting))
	}
	cores, bounded := d.Allowance()
	out.Gauge("rushgate_doorman_allowed_cores", "Cores that the door may use at most.", cores)
	out.Flag("rushgate_doorman_bounded", "Whether the door may use less than all cores, because logins wait.", bounded)
}

// Shakes reports whether the doorman does TLS handshakes.
func (d *Doorman) Shakes() bool { return d.cfg.TLS != nil }

// CPUTime returns the CPU time that accepting, refusing and handshakes have taken since the start.
func (d *Doorman) CPUTime() time.Duration { return time.Duration(d.counts.cpu.Load()) }

// Allowance returns how many cores the door may use at most, by what others have used in the last second or so, and
// whether that is a bound: because logins wait, hashing goes before the door.
func (d *Doorman) Allowance() (cores float64, bounded bool) {
	s := d.cfg.Share
	if !s.Waiting() {
		return float64(s.Cores), false
	}
	return d.shares.measure(s, time.Now(), d.CPUTime()), true
}

// judgedFor is the least time over which the operator's figure of the door's share is measured: over the moments by
// which the share itself goes, it would be another with every look.
const judgedFor = time.Second

// shareMeter measures the door's share for the operator, who may look at it in several places at once.
type shareMeter struct {
	mu    sync.Mutex
	at    time.Time
	usage Usage
	own   time.Duration
	cores float64
}

// measure returns the door's share, given the CPU time that the door has used until now.
func (m *shareMeter) measure(s *Share, now time.Time, own time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := now.Sub(m.at)
	if !m.at.IsZero() && passed < judgedFor {
		return m.cores
	}
	usage := s.Usage()
	others := (usage.Process - m.usage.Process) - (usage.Hash - m.usage.Hash) - (own - m.own)
	if m.at.IsZero() {
		others, passed = 0, judgedFor
	}
	m.at, m.usage, m.own = now, usage, own
	m.cores = s.leaves(max(others.Seconds(), 0) / passed.Seconds())
	return m.cores
}
