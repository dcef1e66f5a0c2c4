package server

import (
	"runtime"
	"time"

	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/backlog"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/doorman"
	"github.com/rushgate/rushgate/internal/measured"
	"github.com/rushgate/rushgate/internal/realm"
)

// read collects what the dashboard shows, from what /metrics.json has. Between the parts it lets others run: the tick
// might be waiting for the core.
func (d *desk) read() admin.Reading {
	var when admin.Moments
	var knocks auth.Stats
	var atDoor door.Stats
	when.Knocks = moment(func() { knocks, atDoor = d.pool.Stats(), d.door.Stats() })
	_, retryAfter := d.door.Outlook()
	for _, reason := range auth.Failures {
		knocks.Counters.Fail[reason] += 0 // shown from the start, so that the first one is a change
	}
	addOpaque(&knocks.Counters, &knocks.Opaque)
	runtime.Gosched()
	front := d.readDoor(atDoor, knocks.Counters.Queued, &when)
	runtime.Gosched()
	var inside realm.Stats
	when.World = moment(func() { inside = d.realm.Stats() })
	runtime.Gosched()
	r := admin.Reading{
		Draining: d.draining.Load(), NoCertificate: d.acme != nil && !d.acme.Ready(),
		Admitted: knocks.Counters.Success, Busy: knocks.Counters.RejectedBusy, RateLimited: knocks.Counters.RateLimited,
		Expired: knocks.Counters.Expired, Failed: knocks.Counters.Fail,
		Queue: knocks.Depth, QueueCapacity: knocks.Capacity, Wait: knocks.Wait, RetryAfter: retryAfter, Locked: atDoor.Locked,
		Players: inside.Players, MaxPlayers: d.cfg.MaxPlayers, WebSocket: inside.Connected,
		Ticks: inside.Ticks, SkippedTicks: inside.Skipped, Lateness: inside.Lateness,
		Line: readLine(&atDoor), Doors: d.doors(), Resumes: readResumes(&knocks.Resumes, &atDoor), Door: front,
		Identities: d.readIdentities(),
		Unsaved:    inside.Unsaved, Process: admin.ReadProcess(),
		Notices: append(d.upkeep.notices(time.Now()), accessNotices(d.access)...),
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
	var calls []measured.Operation
	when.Store = moment(func() { calls = d.measured.Operations(nil) })
	for _, op := range calls {
		r.StoreCalls += int64(op.Calls.Count)
		r.StoreErrors += int64(op.Errors)
		r.StoreTime += op.Calls.Sum
	}
	when.Process = r.Process.At
	r.Moments = when
	return r
}

const (
	// promptly is how long it may take to read a total, if it is to be said when it was read.
	promptly = 20 * time.Millisecond
	// readings bounds how often a total is read to that end.
	readings = 3
)

// moment reads some totals and returns when that was. If it took so long that this says little, because others had the
// core or the lock, it reads them again.
func moment(read func()) (at time.Time) {
	for range readings {
		at = time.Now()
		read()
		took := time.Since(at)
		at = at.Add(took / 2)
		if took <= promptly {
			break
		}
	}
	return at
}

// doors returns whom the fleet lets in.
func (d *desk) doors() admin.Doors {
	rules := d.access.Rules()
	return admin.Doors{Mode: rules.Mode, OpensAt: rules.OpensAt}
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

// addOpaque counts logins and registrations by OPAQUE with all others: what a client begins is one, and what it then
// comes to.
func addOpaque(all *auth.Counters, o *auth.OpaqueStats) {
	all.Queued += o.Begin.Queued
	all.Success += o.Finish.Success
	for _, t := range []*auth.OpaqueTally{&o.Begin, &o.Finish} {
		all.RejectedBusy += t.RejectedBusy
		all.RateLimited += t.RateLimited
		all.Expired += t.Expired
		for reason, n := range t.Fail {
			all.Fail[reason] += n
		}
	}
}

// readIdentities collects what the dashboard shows of guests, and of those who vouch for players.
func (d *desk) readIdentities() (out admin.Identities) {
	in, made := d.pool.Identities()
	out = admin.Identities{
		Guests: d.cfg.GuestKeep > 0, GuestsIn: in.Guests, GuestsMade: made.Guests,
		FederatedIn: in.Federated, FederatedMade: made.Federated,
	}
	if d.vouchers == nil {
		return out
	}
	for _, f := range d.vouchers.Figures() {
		out.Providers = append(out.Providers, admin.Provider{
			Name: f.Name, Kind: string(f.Kind), Proven: f.Proven, Refused: f.Refused, Away: f.Away,
			Misconfigured: f.Misconfigured, CircuitOpen: f.Left, FailedAt: f.FailedAt,
		})
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

// readDoor collects what the dashboard shows of the door, which has let so many into the queue, and notes when.
func (d *desk) readDoor(stats door.Stats, queued int64, when *admin.Moments) admin.Door {
	turned := stats.TurnedAway.Busy() + stats.TurnedAway.Limited()
	out := admin.Door{ByDoorman: turned, ByAPI: stats.Refused.Busy() + stats.Refused.Limited() - turned}
	out.Knocks = queued + out.ByDoorman + out.ByAPI
	if cpuclock.Known {
		var u cpuUsage
		when.CPU = moment(func() { u = d.cpuUsage() })
		out.CPU = admin.CPU{Tick: u.tick, Hash: u.hash, Door: u.door, Rest: u.rest, Process: u.process}
	}
	when.Door = time.Now()
	if q, ok := backlog.Of(d.knocks); ok {
		lost, _ := backlog.Lost() // nothing if the system does not tell
		out.AcceptQueue = &admin.AcceptQueue{
			Length: q.Length, Limit: q.Limit, Overflows: int64(lost.Overflows - d.lost.Overflows),
		}
	}
	if d.doorman == nil {
		return out
	}
	var s doorman.Stats
	when.Door = moment(func() { s = d.doorman.Stats() })
	out.Accepted, out.HandedOver = s.Accepted, s.Handed
	out.AllowedCores, out.Bounded = d.doorman.Allowance()
	if d.doorman.Shakes() {
		out.Handshakes = &admin.Handshakes{Waiting: int(s.Greeting), Done: s.Handed, Failed: s.Unshaken}
	}
	return out
}

// accessNotices says that a node goes by an earlier mode and earlier bans.
func accessNotices(k *access.Keeper) []admin.Notice {
	if k.Current() {
		return nil
	}
	return []admin.Notice{{
		Text: "The mode of the doors and the bans cannot be read from the store; those that were read last stay in force. " +
			"The log says why.", Bad: true,
	}}
}
