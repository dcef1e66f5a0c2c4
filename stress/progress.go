package stress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	plainInterval    = 5 * time.Second
	terminalInterval = 250 * time.Millisecond
)

// progress shows the state of a run while it goes on.
type progress struct {
	w        io.Writer
	terminal bool
	clients  int
	tally    *tally
	play     *playTally // nil: nobody is to play
	painted  bool       // the two lines above the cursor are ours to paint over

	done chan struct{}
	wg   sync.WaitGroup
}

func startProgress(r *run) *progress {
	cfg := &r.cfg
	p := &progress{
		w: cfg.Progress, terminal: cfg.Terminal, clients: cfg.Clients, tally: &r.tally, done: make(chan struct{}),
	}
	if cfg.Play {
		p.play = &r.play
	}
	if p.w != nil {
		p.wg.Go(p.loop)
	}
	return p
}

// stop shows the final state and returns when nothing more will be written.
func (p *progress) stop() {
	close(p.done)
	p.wg.Wait()
	if p.w != nil {
		p.show()
	}
}

func (p *progress) loop() {
	ticker := time.NewTicker(pick(p.terminal, terminalInterval, plainInterval))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.show()
		case <-p.done:
			return
		}
	}
}

// show writes two lines: Active are the players who have started and are knocking or inside, Pending those who have no
// outcome yet, Playing those with a connection to the world.
func (p *progress) show() {
	c := p.tally.snapshot()
	s := p.tally.success.Summary()
	away := c.busy + c.rateLimited + c.refused + c.timedOut + c.dropped + c.interrupted
	active := c.started - away - c.out - c.stillIn - c.sessionsLost
	playing := ""
	if p.play != nil {
		playing = fmt.Sprintf(" | Playing: %d", p.play.connected.Load())
	}
	const first = "[STRESS] Active: %d | Pending: %d | Auth ok=%d fail=%d timeout=%d busy=%d%s"
	const second = "Auth latency: min=%.1fs avg=%.1fs max=%.1fs p99=%.1fs"
	begin, end := "", "\n"
	if p.terminal {
		end = "\x1b[K\n" // clears what is left of a longer line
		if p.painted {
			begin = "\x1b[2A" // two lines up
		}
		p.painted = true
	}
	fmt.Fprintf(p.w, begin+first+end+second+end,
		active, p.clients-c.outcomes(), c.ok, c.rateLimited+c.refused+c.dropped, c.timedOut, c.busy, playing,
		s.Min/1000, s.Mean/1000, s.Max/1000, s.P99/1000)
}
