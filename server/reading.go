package server

import (
	"runtime"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/backlog"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/door"
)

// read collects what the dashboard shows, from what /metrics.json has. Between the parts it lets others run: the tick
// might be waiting for the core.
func (d *desk) read() admin.Reading {
	knocks := d.pool.Stats()
	_, retryAfter := d.door.Outlook()
	atDoor := d.door.Stats()
	for _, reason := range auth.Failures {
		knocks.Counters.Fail[reason] += 0 // shown from the start, so that the first one is a change
	}
	runtime.Gosched()
	front := d.readDoor(atDoor, knocks.Counters.Queued)
	runtime.Gosched()
	inside := d.realm.Stats()
	runtime.Gosched()
	r := admin.Reading{
		Draining: d.draining.Load(), NoCertificate: d.acme != nil && !d.acme.Ready(),
		Admitted: knocks.Counters.Success, Busy: knocks.Counters.RejectedBusy, RateLimited: knocks.Counters.RateLimited,
		Expired: knocks.Counters.Expired, Failed: knocks.Counters.Fail,
		Queue: knocks.Depth, QueueCapacity: knocks.Capacity, Wait: knocks.Wait, RetryAfter: retryAfter, Locked: atDoor.Locked,
		Players: inside.Players, MaxPlayers: d.cfg.MaxPlayers, WebSocket: inside.Connected,
		Ticks: inside.Ticks, SkippedTicks: inside.Skipped, Lateness: inside.Lateness,
		Line: readLine(&atDoor), Resumes: readResumes(&knocks.Resumes, &atDoor), Door: front,
		Unsaved: inside.Unsaved, Process: admin.ReadProcess(), Notices: d.upkeep.notices(time.Now()),
	}
	if d.channel != nil {
		r.UDP = d.channel.server.Stats().Clients
		r.WebSocket = max(inside.Connected-r.UDP, 0) // counted a moment apart
	}
	if d.health != nil {
		health := d.health()
		r.CircuitOpen, r.StoreWarnings = health.Open, health.Warnings
	}
	runtime.Gosched()
	for _, op := range d.measured.Operations(nil) {
		r.StoreCalls += int64(op.Calls.Count)
		r.StoreErrors += int64(op.Errors)
		r.StoreTime += op.Calls.Sum
	}
	return r
}

// readLine collects what the dashboard shows of the line before the door, all tiers together.
func readLine(stats *door.Stats) admin.Line {
	l, p := &stats.Line, &stats.Line.Promises
	out := admin.Line{
		Called: l.Outstanding, Pace: l.Pace, NoShows: l.NoShows, Opens: l.Opens,
		Refused: stats.Newcomer.Refused, Low: stats.Newcomer.Low, High: stats.Newcomer.High,
		Kept: p.Kept, Judged: p.Kept + p.Early + p.Late, KeptShare: p.Share,
	}
	for tier, n := range l.Waiting {
		out.Waiting += n
		out.Front = max(out.Front, l.Oldest[tier])
	}
	return out
}

// readResumes collects what the dashboard shows of the lane of requests with tokens.
func readResumes(lane *auth.ResumeStats, stats *door.Stats) admin.Resumes {
	out := admin.Resumes{
		InLane: stats.Resumes, Pace: stats.ResumePace, Admitted: lane.Success, Busy: lane.RejectedBusy,
		Failed: lane.Expired + lane.RateLimited + lane.Refused, Reused: lane.Reuses, Wait: lane.Wait,
	}
	for _, n := range lane.Fail {
		out.Failed += n
	}
	return out
}

// readDoor collects what the dashboard shows of the door, which has let so many into the queue.
func (d *desk) readDoor(stats door.Stats, queued int64) admin.Door {
	turned := stats.TurnedAway.Busy() + stats.TurnedAway.Limited()
	out := admin.Door{ByDoorman: turned, ByAPI: stats.Refused.Busy() + stats.Refused.Limited() - turned}
	out.Knocks = queued + out.ByDoorman + out.ByAPI
	if cpuclock.Known {
		u := d.cpuUsage()
		out.CPU = admin.CPU{Tick: u.tick, Hash: u.hash, Door: u.door, Rest: u.rest}
	}
	if q, ok := backlog.Of(d.knocks); ok {
		lost, _ := backlog.Lost() // nothing if the system does not tell
		out.AcceptQueue = &admin.AcceptQueue{
			Length: q.Length, Limit: q.Limit, Overflows: int64(lost.Overflows - d.lost.Overflows),
		}
	}
	if d.doorman == nil {
		return out
	}
	s := d.doorman.Stats()
	out.Accepted, out.HandedOver = s.Accepted, s.Handed
	out.AllowedCores, out.Bounded = d.doorman.Allowance()
	if d.doorman.Shakes() {
		out.Handshakes = &admin.Handshakes{Waiting: int(s.Greeting), Done: s.Handed, Failed: s.Unshaken}
	}
	return out
}
