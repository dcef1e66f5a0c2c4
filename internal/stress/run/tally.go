package run

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// maxReasons bounds the reasons that are told apart: they are the server's to choose.
const maxReasons = 32

// tally counts what happens to the players, who all write to it.
type tally struct {
	busyAnswer latency.Histogram // from a try to its refusal

	mu          sync.Mutex
	began       time.Time // the load
	whole       ledger
	interval    ledger // since the timeline's last point
	phase       *phase // nil: none
	phases      []report.Phase
	counts      counts
	failed      map[string]int // by reason
	inOnTry     []int          // successes by number of tries, from 1
	lastSuccess time.Time
	dropExample string
	storm       stormCounts
}

// counts are the numbers that live progress shows, and some more.
type counts struct {
	started                                           int // players
	ok, busy, rateLimited, expired, timedOut, dropped int
	rejected, wronglyIn                               int // of those who should not get in
	interrupted, refused                              int
	knocking                                          int // players at the door now, returning ones included
	inside                                            int // now
	tries                                             int // of those who came for the first time
	hungUp                                            int // times that a player gave up waiting
	sessionsLost, keepAlivesFailed                    int
	out, stillIn                                      int // logouts done and not done
	unmade                                            int // connections, for the generator's lack of files or ports
}

// outcomes returns how many players' fate is known.
func (c counts) outcomes() int {
	return c.ok + c.busy + c.rateLimited + c.expired + c.refused + c.timedOut + c.dropped + c.rejected + c.wronglyIn
}

func (t *tally) snapshot() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

func (t *tally) outcomes() int { return t.snapshot().outcomes() }

func (t *tally) start(delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.started++
	t.counts.knocking++
	t.into(func(l *ledger) {
		l.started++
		l.startDelay.Record(delay)
	})
}

// answer counts one try of a player who came, or came back, a while ago. first marks the first whole answer.
func (t *tally) answer(a client.Answer, one report.Answers, first, returning bool, after time.Duration) {
	t.failedToConnect(a.Err)
	if a.Reason == rushgate.ServerBusy {
		t.busyAnswer.Record(a.Latency)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !returning {
		t.counts.tries++
	}
	t.into(func(l *ledger) {
		l.answers.Add(one)
		if first && (!returning || l != &t.whole) { // the whole run's latencies are those of first visits
			l.firstAnswer.Record(after)
		}
	})
}

// heard counts the first word to a player which was no answer to a try.
func (t *tally) heard(returning bool, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.into(func(l *ledger) {
		if !returning || l != &t.whole {
			l.firstAnswer.Record(after)
		}
	})
}

// failedToConnect looks whether an error is the generator's own.
func (t *tally) failedToConnect(err error) {
	if !isShortage(err) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.unmade++
}

// admitted counts a player who got in on that try, after that long.
func (t *tally) admitted(try int, at time.Time, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.into(func(l *ledger) { l.success.Record(after) })
	t.counts.ok++
	t.counts.knocking--
	t.counts.inside++
	for len(t.inOnTry) < try {
		t.inOnTry = append(t.inOnTry, 0)
	}
	t.inOnTry[try-1]++
	if at.After(t.lastSuccess) {
		t.lastSuccess = at
	}
}

// gaveUp counts a player who hung up and will be back.
func (t *tally) gaveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.hungUp++
}

// turnedAway counts a player who did not get in.
func (t *tally) turnedAway(o outcome, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.knocking--
	switch o {
	case interrupted:
		t.counts.interrupted++
	case busy:
		t.counts.busy++
	case rateLimited:
		t.counts.rateLimited++
	case expired:
		t.counts.expired++
	case timedOut:
		t.counts.timedOut++
	case rejected:
		t.counts.rejected++
	case wronglyIn:
		t.counts.wronglyIn++
	case dropped:
		t.counts.dropped++
		if t.dropExample == "" {
			t.dropExample = err.Error()
		}
	case refused:
		t.counts.refused++
		t.countReason(err)
	}
}

// countReason counts a refusal by its reason. t.mu is held.
func (t *tally) countReason(err error) {
	reason := "bad-answer"
	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok {
		reason = string(refusal.Reason)
	}
	if t.failed == nil {
		t.failed = make(map[string]int)
	}
	if _, known := t.failed[reason]; !known && len(t.failed) >= maxReasons {
		reason = "other"
	}
	t.failed[reason]++
}

func (t *tally) keepAliveFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.keepAlivesFailed++
}

func (t *tally) loggedOut(done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.inside--
	if done {
		t.counts.out++
	} else {
		t.counts.stillIn++
	}
}

// fill puts what was counted into the report.
func (t *tally) fill(rep *report.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	rep.OK, rep.Busy, rep.RateLimited, rep.Expired = c.ok, c.busy, c.rateLimited, c.expired
	rep.TimedOut, rep.Dropped, rep.Rejected, rep.WronglyIn = c.timedOut, c.dropped, c.rejected, c.wronglyIn
	maps.Copy(rep.Failed, t.failed)
	if rep.Interrupted {
		rep.NotCome, rep.Clients = rep.Clients-c.started, c.started
		rep.Sources = min(rep.Sources, rep.Clients)
	}
	rep.Unfinished = rep.Clients - c.outcomes()
	rep.Tries, rep.InOnTry, rep.HungUp = c.tries, append(rep.InOnTry, t.inOnTry...), c.hungUp
	rep.Answers = t.whole.answers
	rep.FirstAnswer, rep.Success = t.whole.firstAnswer.Detailed(), t.whole.success.Detailed()
	rep.BusyAnswer, rep.StartDelay = t.busyAnswer.Summary(), t.whole.startDelay.Summary()
	rep.SessionsLost, rep.KeepAlivesFailed = c.sessionsLost, c.keepAlivesFailed
	rep.LoggedOut, rep.LogoutsFailed = c.out, c.stillIn
	if c.ok > 0 {
		rep.WallSeconds = t.lastSuccess.Sub(t.began).Seconds()
	}
	rep.Phases = append(rep.Phases, t.phases...)
	if t.dropExample != "" {
		rep.Note("first of the dropped: " + t.dropExample)
	}
	if n := t.failed[string(rushgate.UsernameTaken)]; n > 0 && rep.Mode == report.Register {
		rep.Note("some accounts were there already: log in to them, " +
			"delete them with 'rushgate stress clean', or take another prefix")
	}
}

// untimed returns 1 for a refusal that does not say when to come back, and else 0.
func untimed(a client.Answer) int {
	if a.RetryAfter > 0 {
		return 0
	}
	return 1
}

// answersOf returns the count of one try that ended so. patience says that if it was cut short it is the player who
// gave up: because their patience was at its end, or because their time was after they had heard something before.
func answersOf(a client.Answer, patience bool) report.Answers {
	switch {
	case a.Err == nil && a.Reason == "":
		return report.Answers{In: 1}
	case a.Reason == rushgate.ServerBusy:
		return report.Answers{Busy: 1, Untimed: untimed(a)}
	case a.Reason == rushgate.RateLimited:
		return report.Answers{RateLimited: 1, Untimed: untimed(a)}
	case a.Reason == rushgate.RequestExpired:
		return report.Answers{Expired: 1}
	case a.Reason != "", errors.Is(a.Err, client.ErrBadAnswer):
		return report.Answers{Refused: 1}
	case errors.Is(a.Err, client.ErrTryTimeout), errors.Is(a.Err, context.DeadlineExceeded) && !patience:
		return report.Answers{TimedOut: 1}
	case errors.Is(a.Err, context.Canceled), errors.Is(a.Err, context.DeadlineExceeded):
		return report.Answers{GaveUp: 1}
	}
	return report.Answers{Dropped: 1}
}
