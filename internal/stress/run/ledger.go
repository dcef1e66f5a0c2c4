package run

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// checkMeasurable refuses limits that could not be told from shorter times, and players who try for longer.
func (cfg *Config) checkMeasurable() error {
	l := &cfg.Limits
	for _, t := range []struct {
		name  string
		value time.Duration
	}{
		{"Timeout", cfg.Timeout}, {"Limits.FirstAnswerP99", l.FirstAnswerP99}, {"Limits.SuccessP99", l.SuccessP99},
		{"Limits.ProbeP99", l.ProbeP99}, {"Limits.TickP99", l.TickP99},
	} {
		if t.value > latency.Longest {
			return invalid(t.name,
				fmt.Errorf("%v is more than %v, the longest time that can be measured", t.value, latency.Longest))
		}
	}
	return nil
}

// ledger is what happened in some part of a run.
type ledger struct {
	started     int
	answers     report.Answers
	firstAnswer latency.Histogram // from when a player was due to the first whole answer
	success     latency.Histogram // from when a player was due to the session
	probe       latency.Histogram
	startDelay  latency.Histogram // from when a player was due to when the generator got round to it
}

// reset empties the ledger and keeps its memory.
func (l *ledger) reset() {
	l.started, l.answers = 0, report.Answers{}
	l.firstAnswer.Reset()
	l.success.Reset()
	l.probe.Reset()
	l.startDelay.Reset()
}

// begin begins the load with its first phase.
func (t *tally) begin(now time.Time, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = now
	t.interval.reset() // the probe has been at work
	t.phase = &phase{ledger: new(ledger), name: name, from: now}
}

// close ends the load.
func (t *tally) close(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endPhase(now)
}

// beginPhase ends the phase under way, if there is one, and begins another.
func (t *tally) beginPhase(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endPhase(now)
	t.phase = &phase{ledger: new(ledger), name: name, from: now}
}

// phase is the part of the run under way.
type phase struct {
	*ledger
	name string
	from time.Time
}

// endPhase files the phase under way. t.mu is held. A phase of no length with nothing in it is none.
func (t *tally) endPhase(now time.Time) {
	p := t.phase
	if p == nil {
		return
	}
	t.phase = nil
	length := now.Sub(p.from)
	if length <= 0 && p.started == 0 && p.answers == (report.Answers{}) {
		return
	}
	out := report.Phase{
		Name: p.name, From: p.from.Sub(t.began).Seconds(), To: now.Sub(t.began).Seconds(),
		Started: p.started, Answers: p.answers,
		FirstAnswer: p.firstAnswer.Summary(), Success: p.success.Summary(), Probe: p.probe.Summary(),
	}
	if length > 0 {
		out.PerSecond = float64(p.answers.In) / length.Seconds()
	}
	t.phases = append(t.phases, out)
}

// phaseNow returns the name of the phase under way, and how long it has been.
func (t *tally) phaseNow(now time.Time) (string, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase == nil {
		return "", 0
	}
	return t.phase.name, now.Sub(t.phase.from)
}

// into has something written into the books: of the whole run, of the phase and of the interval. t.mu is held.
func (t *tally) into(write func(*ledger)) {
	write(&t.whole)
	if t.phase != nil {
		write(t.phase.ledger)
	}
	write(&t.interval)
}
