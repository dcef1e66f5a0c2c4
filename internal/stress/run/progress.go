package run

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/rushgate/rushgate/internal/stress/report"
)

const (
	plainInterval    = 5 * time.Second
	terminalInterval = 250 * time.Millisecond
	barWidth         = 30
)

// progress shows the state of a run while it goes on.
type progress struct {
	w        io.Writer
	terminal bool
	run      *run
	width    func() int // of the terminal, in columns; 0: unknown
	painted  int        // lines above the cursor that are ours to paint over

	done     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup

	mu       sync.Mutex // also held while writing
	what     string     // is being prepared; "" when the load has begun
	fraction func() float64
	begin    time.Time
}

func startProgress(r *run) *progress {
	p := &progress{w: r.cfg.Progress, terminal: r.cfg.Terminal, width: widthOf(r.cfg.Progress), run: r,
		done: make(chan struct{})}
	if p.w != nil {
		p.wg.Go(p.loop)
	}
	return p
}

// stage says what is being done before the load, and how much of it is done if that is known.
func (p *progress) stage(what string, fraction func() float64) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.fraction = what, fraction
	if !p.terminal {
		fmt.Fprintf(p.w, "[STRESS] %s\n", what)
	}
}

// began says that the load has begun.
func (p *progress) began(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.fraction, p.begin = "", nil, now
}

// stop shows the final state and returns when nothing more will be written.
func (p *progress) stop() {
	p.stopOnce.Do(func() {
		close(p.done)
		p.wg.Wait()
		if p.w != nil {
			p.show()
		}
	})
}

func (p *progress) loop() {
	ticker := time.NewTicker(either(p.terminal, terminalInterval, plainInterval))
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

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begin.IsZero() && !p.terminal {
		return // what is being prepared has been said
	}
	lines := p.lines()
	if !p.terminal {
		fmt.Fprint(p.w, strings.Join(lines, "\n")+"\n")
		return
	}
	var b strings.Builder
	b.WriteByte('\r') // the terminal has echoed what was typed
	if p.painted > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.painted) // up
	}
	for range max(0, p.painted-len(lines)) {
		b.WriteString("\x1b[M") // a line less
	}
	for _, l := range lines {
		b.WriteString(cut(l, p.width()) + "\x1b[K\n") // clears what is left of a longer line
	}
	p.painted = len(lines)
	fmt.Fprint(p.w, b.String())
}

// widthOf returns how to ask for the width of the terminal that w may be.
func widthOf(w io.Writer) func() int {
	file, ok := w.(*os.File)
	if !ok {
		return func() int { return 0 }
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}

// cut returns as much of a line as fits into a terminal without wrapping: the next paint could not tell how many lines
// there are. The last column stays empty, as terminals differ in what they do there. A width of 0 is not known.
func cut(line string, width int) string {
	if r := []rune(line); width > 0 && len(r) >= width {
		return string(r[:width-1])
	}
	return line
}

// lines are what is to be shown: two lines in words that operators know, and on a terminal a bar. Active are the
// players who are knocking or inside, Pending those who have no outcome yet, Playing those with a connection to the
// world.
func (p *progress) lines() []string {
	if p.begin.IsZero() {
		line := "[STRESS] " + p.what
		if p.fraction != nil {
			line += "\n" + bar(p.fraction())
		}
		return strings.Split(line, "\n")
	}
	t, now := &p.run.tally, time.Now()
	c := t.snapshot()
	s := t.whole.success.Summary()
	playing := ""
	if p.run.cfg.Play {
		playing = fmt.Sprintf(" | Playing: %d", p.run.play.connected.Load())
	}
	if f := p.run.flood; f != nil {
		k := f.Counts()
		playing += fmt.Sprintf(" | Knocks: %d in=%d refused=%d gone=%d silent=%d", k.Knocks, k.In, k.Refused,
			k.Gone, k.Silent)
	}
	lines := []string{
		fmt.Sprintf("[STRESS] Active: %d | Pending: %d | Auth ok=%d fail=%d timeout=%d busy=%d%s",
			c.knocking+c.inside, len(p.run.plan.arrivals)-c.outcomes()-c.interrupted, c.ok,
			c.rateLimited+c.expired+c.refused+c.dropped+c.rejected+c.wronglyIn, c.timedOut, c.busy, playing),
		fmt.Sprintf("Auth latency: min=%.1fs avg=%.1fs max=%.1fs p99=%.1fs", s.Min/1000, s.Mean/1000, s.Max/1000, s.P99/1000),
	}
	if p.terminal {
		name, since := t.phaseNow(now)
		if name == "" {
			name = "leaving"
		}
		lines = append(lines, fmt.Sprintf("%s  %v  %s for %v", bar(p.run.fraction(c, now.Sub(p.begin))),
			now.Sub(p.begin).Round(time.Second), name, since.Round(time.Second)))
	}
	return lines
}

// fraction returns how much of the run is done: the share of players with an outcome or of the time that is known to be
// needed, whichever is less, then the players' stay.
func (r *run) fraction(c counts, elapsed time.Duration) float64 {
	known := time.Duration(0)
	if n := len(r.plan.arrivals); n > 0 {
		known = r.plan.arrivals[n-1].due
	}
	stay := 0.0
	if r.cfg.Duration > 0 {
		name, since := r.tally.phaseNow(time.Now())
		switch name {
		case report.PhaseStay:
			stay = min(1, since.Seconds()/r.cfg.Duration.Seconds())
		case report.PhaseReturn, "":
			stay = 1
		}
	}
	came := 0.0
	if n := len(r.plan.arrivals); n > 0 {
		came = float64(c.outcomes()+c.interrupted) / float64(n)
	}
	if known > 0 {
		came = min(came, elapsed.Seconds()/known.Seconds())
	}
	if r.cfg.Duration == 0 {
		return came
	}
	weight := r.cfg.Duration.Seconds() / (r.cfg.Duration + max(known, time.Second)).Seconds()
	return came*(1-weight) + stay*weight
}

func bar(fraction float64) string {
	full := int(min(max(fraction, 0), 1) * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("█", full), strings.Repeat("░", barWidth-full),
		100*min(max(fraction, 0), 1))
}
