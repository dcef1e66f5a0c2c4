package stress

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
)

// maxReasons bounds the reasons that are told apart: they are the server's to choose.
const maxReasons = 32

// tally counts what happens to the players, who all write to it.
type tally struct {
	firstAnswer latency.Histogram // from start to the first whole answer
	success     latency.Histogram // from start to the session
	busyAnswer  latency.Histogram // from a try to its refusal
	startDelay  latency.Histogram // from when a player was due to when it started

	mu          sync.Mutex
	counts      counts
	failed      map[string]int // by reason
	inOnTry     []int          // successes by number of tries, from 1
	lastSuccess time.Time
	dropExample string
}

// counts are the numbers that live progress shows, and some more.
type counts struct {
	started                                  int // players
	ok, busy, rateLimited, timedOut, dropped int
	interrupted, refused                     int
	tries                                    int
	sessionsLost, keepAlivesFailed           int
	out, stillIn                             int // logouts done and not done
}

// outcomes returns how many players' fate is known.
func (c counts) outcomes() int {
	return c.ok + c.busy + c.rateLimited + c.refused + c.timedOut + c.dropped
}

func (t *tally) snapshot() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

func (t *tally) outcomes() int { return t.snapshot().outcomes() }

func (t *tally) start(delay time.Duration) {
	t.startDelay.Record(delay)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.started++
}

// answer counts one try. first marks the player's first whole answer, which came after that long.
func (t *tally) answer(a client.Answer, first bool, after time.Duration) {
	if first {
		t.firstAnswer.Record(after)
	}
	if a.Reason == rushgate.ServerBusy {
		t.busyAnswer.Record(a.Latency)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.tries++
}

// admitted counts a player who got in on that try, after that long.
func (t *tally) admitted(try int, at time.Time, after time.Duration) {
	t.success.Record(after)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.ok++
	for len(t.inOnTry) < try {
		t.inOnTry = append(t.inOnTry, 0)
	}
	t.inOnTry[try-1]++
	if at.After(t.lastSuccess) {
		t.lastSuccess = at
	}
}

// turnedAway counts a player who did not get in.
func (t *tally) turnedAway(o outcome, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o {
	case interrupted:
		t.counts.interrupted++
	case busy:
		t.counts.busy++
	case rateLimited:
		t.counts.rateLimited++
	case timedOut:
		t.counts.timedOut++
	case dropped:
		t.counts.dropped++
		if t.dropExample == "" {
			t.dropExample = err.Error()
		}
	case refused:
		t.counts.refused++
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
}

// sessionLost counts a session that the server ended while its player kept it open.
func (t *tally) sessionLost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.sessionsLost++
}

func (t *tally) keepAliveFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.keepAlivesFailed++
}

func (t *tally) loggedOut(done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if done {
		t.counts.out++
	} else {
		t.counts.stillIn++
	}
}

// fill puts what was counted into the report.
func (t *tally) fill(rep *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	rep.OK, rep.Busy, rep.RateLimited, rep.TimedOut, rep.Dropped = c.ok, c.busy, c.rateLimited, c.timedOut, c.dropped
	maps.Copy(rep.Failed, t.failed)
	rep.Unfinished = rep.Clients - c.outcomes()
	rep.Tries, rep.InOnTry = c.tries, append(rep.InOnTry, t.inOnTry...)
	rep.FirstAnswer, rep.Success = t.firstAnswer.Summary(), t.success.Summary()
	rep.BusyAnswer, rep.StartDelay = t.busyAnswer.Summary(), t.startDelay.Summary()
	rep.SessionsLost, rep.KeepAlivesFailed = c.sessionsLost, c.keepAlivesFailed
	rep.LoggedOut, rep.LogoutsFailed = c.out, c.stillIn
	if c.ok > 0 {
		rep.WallSeconds = t.lastSuccess.Sub(rep.StartedAt).Seconds()
	}
	if t.dropExample != "" {
		rep.note("first of the dropped: " + t.dropExample)
	}
}
