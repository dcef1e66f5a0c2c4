package report

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Limits are what a server has to keep to in a run for the verdict to be good. A zero duration or share is no limit.
type Limits struct {
	FirstAnswerP99 time.Duration // from when a player was due
	SuccessP99     time.Duration // from when a player was due to the session
	ProbeP99       time.Duration // of all probes that were due
	TickP99        time.Duration // lateness of ticks; a server whose metrics are not read fails it
	// Goodput is the least share, 0 to 1, of the capacity that has to get in during the peak of scenario [LaunchDay], or
	// during the flood of scenario [KnockFlood], players and knocks together.
	Goodput float64
	// RefusalP99 is how old the refusals of knocks may be, in scenario [KnockFlood].
	RefusalP99 time.Duration
	// Answered is the least share, 0 to 1, of the knocks that have to be answered.
	Answered float64
	// In is the least share, 0 to 1, of the players who have to get in, of those who should.
	In float64
	// Snapshots is the least share, 0 to 1, of the snapshots that have to arrive, in runs with Config.Play. With 0 it
	// is one snapshot in all.
	Snapshots float64
	// GapP99 is the longest time without a snapshot that a player may see in an [Outage], and Back how long after its
	// beginning the last one has to be back.
	GapP99, Back time.Duration
	// Line has the promises of the server's line count, see [Line.Promises]. A run in which no player had a place does
	// not keep them.
	Line bool
	// TimedOut, Dropped and Refused are how many players at most may be left without a word, meet a transport error on
	// their last try, and be refused for one of the reasons in Report.Failed. The default is none; a negative number is
	// no limit.
	TimedOut, Dropped, Refused int
}

// Kept reports whether the run has kept to all limits. One that was interrupted, or in which no player got in although
// some should have, has not.
func (r *Report) Kept() bool {
	for _, v := range r.Verdicts {
		if !v.OK {
			return false
		}
	}
	return true
}

// Judge gives the verdicts on a run in which players were to play or not, when all else is in the report.
func (r *Report) Judge(l Limits, played bool) {
	if r.Interrupted {
		r.atLeast("runs that came to their end", 1, 0)
	}
	r.judgeIn(l.In)
	r.atMost("players left without an answer", l.TimedOut, r.TimedOut)
	r.atMost("players dropped by a transport error", l.Dropped, r.Dropped)
	failed := 0
	for _, n := range r.Failed {
		failed += n
	}
	r.atMost("players refused other than as busy, rate-limited or expired", l.Refused, failed)
	if r.Scenario == Mixed {
		r.atMost("players let in who should not have been", 0, r.WronglyIn)
	}
	r.within("first answer", l.FirstAnswerP99, r.FirstAnswer.P99, r.FirstAnswer.Count)
	r.within("success", l.SuccessP99, r.Success.P99, r.Success.Count)
	r.judgeProbe(l.ProbeP99)
	if s := r.Server; s != nil {
		r.within("tick lateness", l.TickP99, s.Lateness.P99, s.Lateness.Count)
	} else {
		r.within("tick lateness", l.TickP99, 0, 0)
	}
	if l.Goodput > 0 {
		got := 0.0
		for _, p := range r.Phases {
			if p.Name == PhasePeak {
				got = ratio(p.PerSecond, r.Capacity)
			}
		}
		if r.Scenario == KnockFlood {
			if r.Flood != nil {
				got = r.Flood.Goodput
			}
			r.atLeast("share of the capacity let in during the flood", l.Goodput, got)
		} else {
			r.atLeast("share of the capacity let in during the peak", l.Goodput, got)
		}
	}
	if r.Scenario == KnockFlood {
		r.judgeFlood(l)
	}
	if r.Outage != nil {
		r.judgeOutage(l)
	} else if s := r.Storm; r.Scenario == ReconnectStorm {
		back := 0.0
		if s != nil {
			back = ratio(float64(s.Back), float64(s.Dropped))
		}
		r.atLeast("share of the dropped players who are back", 1, back)
	}
	if played {
		r.judgePlay(l.Snapshots)
	}
	if l.Line {
		r.judgeLine()
	}
}

// judgeIn judges how many got in. A run without a limit has not kept to it either if no player got in, unless all were
// rightly refused.
func (r *Report) judgeIn(least float64) {
	should := r.Clients - r.Rejected - r.WronglyIn
	switch {
	case least > 0:
		r.atLeast("share of players let in", least, ratio(float64(r.OK), float64(should)))
	case should > 0 || r.Clients == 0:
		r.atLeast("players let in", 1, float64(r.OK))
	}
}

// judgeProbe judges all probes that were due. Those without an answer count as ProbeTimeout, and keep to no limit
// however high it is.
func (r *Report) judgeProbe(limit time.Duration) {
	var unanswered latency.Histogram
	n := r.Probe.Failed + r.Probe.Skipped
	unanswered.RecordN(ProbeTimeout, n)
	all, err := r.Probe.Latency.Merge(unanswered.Detailed())
	if err != nil { // both were measured by this process
		all = unanswered.Detailed()
	}
	r.within("probe", limit, all.P99, pick(int64(n)*100 > all.Count, 0, all.Count))
}

func (r *Report) judgePlay(least float64) {
	if r.Interrupted || r.Scenario == ReconnectStorm {
		return
	}
	p := r.Play
	if p == nil {
		p = new(Play)
	}
	r.atMost("players inside who could not connect to the world", 0, p.ConnectsFailed)
	if least == 0 {
		r.atLeast("snapshots that came", 1, float64(p.Snapshots))
		return
	}
	r.atLeast("share of the snapshots that came", least, p.Share)
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (r *Report) atMost(what string, limit, got int) {
	if limit >= 0 {
		r.Verdicts = append(r.Verdicts, Verdict{fmt.Sprintf("%s: at most %d", what, limit), float64(got), got <= limit})
	}
}

func (r *Report) atLeast(what string, limit, got float64) {
	r.Verdicts = append(r.Verdicts, atLeast(what, limit, got))
}

func atLeast(what string, limit, got float64) Verdict {
	return Verdict{fmt.Sprintf("%s: at least %g", what, limit), got, got >= limit}
}

func atMost(what string, limit, got float64) Verdict {
	return Verdict{fmt.Sprintf("%s: at most %g", what, limit), got, got <= limit}
}

// within judges a p99, in milliseconds. What was not measured has not kept to its limit.
func (r *Report) within(what string, limit time.Duration, ms float64, count int64) {
	if limit > 0 {
		ok := count > 0 && ms <= float64(limit)/float64(time.Millisecond)
		r.Verdicts = append(r.Verdicts, Verdict{fmt.Sprintf("%s p99: at most %v%s", what, limit, inMillis), ms, ok})
	}
}
