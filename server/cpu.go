package server

import (
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

// cpuUsage is the CPU time that a node has used since the start, by what for.
type cpuUsage struct {
	process time.Duration // all of it
	hash    time.Duration // derivations of passwords
	door    time.Duration // accepting, refusing and handshakes; 0 without a doorman
	tick    time.Duration // steps of the realm
	rest    time.Duration // what no part names: net/http, snapshots, encryption, the store, the collector of garbage
}

// cpuMeter reads a cpuUsage. Its methods may be called from many goroutines.
type cpuMeter struct {
	mu   sync.Mutex
	rest time.Duration
}

// read returns what is used, given what the parts have used until now.
func (m *cpuMeter) read(process, hash, door, tick time.Duration) cpuUsage {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A part tells of a piece of work when that is done; until then it counts as rest, which then falls back a little.
	// Prometheus would take that for the start of another process.
	m.rest = max(m.rest, process-hash-door-tick)
	return cpuUsage{process, hash, door, tick, m.rest}
}

func (s *Server) cpuUsage() cpuUsage {
	var door time.Duration
	if s.doorman != nil {
		door = s.doorman.CPUTime()
	}
	return s.cpu.read(cpuclock.Process(), pbkdf2x.CPUTime(), door, s.realm.CPUTime())
}

// cpuMetrics has the CPU time by part, on systems that tell.
func (s *Server) cpuMetrics(out metric.Scrape) {
	u := s.cpuUsage()
	const name, help = "rushgate_cpu_seconds_total", "CPU time by what it was used for."
	out.Counter(name, help, u.tick.Seconds(), "part", "tick")
	out.Counter(name, help, u.hash.Seconds(), "part", "hash")
	out.Counter(name, help, u.door.Seconds(), "part", "door")
	out.Counter(name, help, u.rest.Seconds(), "part", "rest")
}

// cpuTimes is the section cpu of /metrics.json, in milliseconds since the start.
type cpuTimes struct {
	Process float64 `json:"process_ms"`
	Hash    float64 `json:"hash_ms"`
	Door    float64 `json:"door_ms"`
	Tick    float64 `json:"tick_ms"`
	Uptime  float64 `json:"uptime_ms"` // when they were read; as in the section process
}

func (s *Server) cpuTimes() cpuTimes {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	var u cpuUsage
	at := moment(func() { u = s.cpuUsage() })
	return cpuTimes{
		Process: ms(u.process), Hash: ms(u.hash), Door: ms(u.door), Tick: ms(u.tick), Uptime: admin.Uptime(at),
	}
}
