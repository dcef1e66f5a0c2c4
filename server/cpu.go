package server

import (
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

// cpuTimes are what the node has used of its processors since the start, in milliseconds of CPU time. What no part
// names is everything else: net/http, snapshots, encryption, the store, the collector of garbage.
type cpuTimes struct {
	Process float64 `json:"process_ms"` // all of it
	Hash    float64 `json:"hash_ms"`    // derivations of passwords
	Door    float64 `json:"door_ms"`    // accepting, refusing and handshakes; 0 without a doorman
	Tick    float64 `json:"tick_ms"`    // steps of the realm
}

func (s *Server) cpuTimes() cpuTimes {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	t := cpuTimes{Process: ms(cpuclock.Process()), Hash: ms(pbkdf2x.CPUTime()), Tick: ms(s.realm.CPUTime())}
	if s.doorman != nil {
		t.Door = float64(s.doorman.Stats().CPUMS)
	}
	return t
}
