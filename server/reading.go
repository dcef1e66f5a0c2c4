package server

import (
	"runtime"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/auth"
)

// read collects what the dashboard shows, from what /metrics.json has. Between the parts it lets others run: the tick
// might be waiting for the core.
func (d *desk) read() admin.Reading {
	knocks := d.pool.Stats()
	_, retryAfter := d.door.Outlook()
	locked := d.door.Stats().Locked
	for _, reason := range auth.Failures {
		knocks.Counters.Fail[reason] += 0 // shown from the start, so that the first one is a change
	}
	runtime.Gosched()
	inside := d.realm.Stats()
	runtime.Gosched()
	r := admin.Reading{
		Draining: d.draining.Load(),
		Admitted: knocks.Counters.Success, Busy: knocks.Counters.RejectedBusy, RateLimited: knocks.Counters.RateLimited,
		Expired: knocks.Counters.Expired, Failed: knocks.Counters.Fail,
		Queue: knocks.Depth, QueueCapacity: knocks.Capacity, Wait: knocks.Wait, RetryAfter: retryAfter, Locked: locked,
		Players: inside.Players, MaxPlayers: d.cfg.MaxPlayers, WebSocket: inside.Connected,
		Ticks: inside.Ticks, SkippedTicks: inside.Skipped, Lateness: inside.Lateness,
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
