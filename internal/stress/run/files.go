package run

import (
	"errors"
	"fmt"
)

// reservedFiles are the files a run needs besides its players' connections.
const reservedFiles = 64

// ErrTooManyFiles is wrapped by the error of a run whose players would need more open files than the process may have.
var ErrTooManyFiles = errors.New("too many open files needed")

// checkFiles compares what the run needs with what the process may open, which raise tells after having tried to raise
// it: a run that is short of files would report the generator's troubles as the server's. Where a rate decides, it is
// not known how many players will have a connection at once.
func (cfg *Config) checkFiles(raise func(need uint64) (limit uint64, known bool)) error {
	if cfg.dial != nil {
		return nil
	}
	need := uint64(cfg.Clients) + uint64(cfg.Crowd) + reservedFiles
	if takesCapacity(cfg.Scenario) && cfg.Capacity == 0 {
		need += calibratedMost
	}
	if cfg.Play && !cfg.WebSocket {
		need += uint64(cfg.Clients) // who has just connected by UDP still has the connection of the login
	}
	limit, known := raise(need)
	if !known || need <= limit {
		return nil
	}
	if cfg.Clients == 0 {
		return fmt.Errorf("stress: %w: %d at least, and this process may open %d; raise the hard limit (ulimit -Hn)",
			ErrTooManyFiles, need, limit)
	}
	return fmt.Errorf("stress: %w: up to %d for %d clients, and this process may open %d;"+
		" raise the hard limit (ulimit -Hn) or take fewer clients", ErrTooManyFiles, need, cfg.Clients, limit)
}
