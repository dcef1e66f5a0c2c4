package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/importer"
)

const (
	plainProgress    = 5 * time.Second
	terminalProgress = 250 * time.Millisecond
	barWidth         = 40
)

// inTurn is an output that several goroutines write to.
type inTurn struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *inTurn) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(b)
}

// importProgress shows how far an import has come: a bar on a terminal, otherwise a line now and then.
type importProgress struct {
	w        io.Writer
	terminal bool
	done     chan struct{}
	wg       sync.WaitGroup

	mu      sync.Mutex
	now     importer.Progress
	started time.Time // of the pass
	painted bool      // a bar stands in the line of the cursor
}

func startImportProgress(w io.Writer) *importProgress {
	p := &importProgress{w: w, terminal: isTerminal(w), done: make(chan struct{}), started: time.Now()}
	p.wg.Go(p.loop)
	return p
}

// set takes up how far the import has come.
func (p *importProgress) set(now importer.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Writing != p.now.Writing {
		p.started = time.Now()
	}
	p.now = now
}

// stop takes the bar away, and returns when nothing more will be written.
func (p *importProgress) stop() {
	close(p.done)
	p.wg.Wait()
	if p.painted {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *importProgress) loop() {
	interval := plainProgress
	if p.terminal {
		interval = terminalProgress
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.show(time.Now())
		case <-p.done:
			return
		}
	}
}

func (p *importProgress) show(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := progressLine(p.now, at.Sub(p.started), p.terminal)
	if p.terminal {
		p.painted = true
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
		return
	}
	fmt.Fprintf(p.w, "[IMPORT] %s\n", line)
}

// progressLine describes a pass that has been going on for some time.
func progressLine(now importer.Progress, elapsed time.Duration, bar bool) string {
	pass := "reading"
	if now.Writing {
		pass = "writing"
	}
	var b strings.Builder
	b.WriteString(pass)
	if now.Total > 0 {
		share := float64(now.Done) / float64(now.Total)
		if bar {
			full := min(int(share*barWidth), barWidth)
			fmt.Fprintf(&b, " [%s%s]", strings.Repeat("#", full), strings.Repeat(".", barWidth-full))
		}
		fmt.Fprintf(&b, " %3.0f%%", 100*share)
	}
	if now.Writing {
		fmt.Fprintf(&b, " %d of %d accounts", now.Done, now.Total)
		if s := elapsed.Seconds(); s > 0 {
			fmt.Fprintf(&b, ", %.0f/s", float64(now.Done)/s)
		}
	}
	fmt.Fprintf(&b, ", %d refused", now.Refused)
	return b.String()
}
