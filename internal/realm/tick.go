package realm

import (
	"log/slog"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// scanInterval is how often sessions are looked through for ends and saves that are due.
	scanInterval = time.Second
	// remembered is how long an ended session is remembered, so that a late repeat of the login that opened it is
	// not taken for a new one.
	remembered = time.Minute
)

// Tick advances the realm by one step. The loop that [Realm.Start] starts calls it; a test may call it instead on a
// realm that is not started.
func (r *Realm) Tick() {
	start := time.Now()
	r.tick++
	r.handleMessages()
	r.arriving = r.arrivals.take(r.arriving)
	r.integrate(r.arriving, start)
	r.letGo()
	for _, e := range r.world.step(r.tick) {
		if s := r.players[e.Player]; s != nil && s.state == stateInside {
			r.save(s, start, true)
		}
	}
	r.speak()
	r.publish()
	if !start.Before(r.nextScan) {
		r.nextScan = start.Add(scanInterval)
		r.scan(start)
	}
	if !start.Before(r.nextRefresh) {
		r.nextRefresh = start.Add(rushgate.LeaseRefresh)
		r.refreshLeases()
	}
	r.stats.recordTick(time.Since(start), r.log)
}

// publish hands a view of the world to the snapshotter, for those players whose turn it is: each once in
// TickRate/SnapshotRate ticks, spread over the ticks by the order of arrival.
func (r *Realm) publish() {
	if uint32(r.tick) == 0 { // after two years and three months: no snapshot has tick 0
		return
	}
	v := r.snapshots.take()
	if v == nil {
		r.snapshots.skipped.Add(1)
		return
	}
	v.tick = uint32(r.tick)
	rate := uint64(r.cfg.SnapshotRate)
	for _, s := range r.inside {
		l := s.link.Load()
		if turn := r.tick + s.arrival; l != nil && snapshotsUntil(turn, rate) != snapshotsUntil(turn-1, rate) {
			v.recipients = append(v.recipients, recipient{link: l, told: s.told, ack: l.ack, intent: l.applied})
		}
	}
	if len(v.recipients) > 0 {
		v.entities = r.world.view(v.entities)
	}
	r.snapshots.put(v)
}

// integrate takes note of what the saver has done, and takes in those that the store has admitted.
//
// What was saved comes first: a player who comes back right after a logout finds it done. What was refused comes last:
// a lease may be lost to an arrival that goes on with its session, see reclaim.
func (r *Realm) integrate(arrivals []rushgate.Arrival, now time.Time) {
	r.outcomes = r.saver.outcomes.take(r.outcomes)
	for _, o := range r.outcomes {
		if o.err == nil {
			r.settle(o)
		}
	}
	for _, a := range arrivals {
		r.arrive(a, now)
	}
	for _, o := range r.outcomes {
		if o.err != nil {
			r.settle(o)
		}
	}
}

// arrive opens a session, or finds the one that the same lease already has: the fence tells which came first.
func (r *Realm) arrive(a rushgate.Arrival, now time.Time) {
	s := r.players[a.Lease.Player]
	switch {
	case r.orphans[a.Lease].released: // the lease was given up meanwhile; the next try claims another
		a.Reply(rushgate.Session{}, rushgate.ServerBusy)
	case s == nil || s.state == stateEnded && s.fence < a.Lease.Fence:
		r.open(a, now)
	case s.fence == a.Previous:
		r.reclaim(s, a, now)
	case s.fence < a.Lease.Fence: // another node has had the player meanwhile: what s knows is no longer the truth
		r.lose(s)
		r.open(a, now)
	case s.fence == a.Lease.Fence && s.state == stateInside:
		s.touch(now)
		a.Reply(r.describe(s), nil)
	default:
		// A repeat of a login whose session has ended meanwhile; its character is out of date. The next try claims
		// the lease, and reads the character, anew.
		a.Reply(rushgate.Session{}, rushgate.ServerBusy)
	}
}

func (r *Realm) open(a rushgate.Arrival, now time.Time) {
	if len(r.inside) >= r.cfg.MaxPlayers {
		r.saver.release(a.Character, a.Lease, r.cfg.SessionTimeout)
		a.Reply(rushgate.Session{}, rushgate.ServerBusy)
		return
	}
	if err := r.world.enter(a.Character); err != nil {
		r.world.leave(a.Lease.Player) // a world that panicked may have taken half of the player in
		r.log.log(slog.LevelError, "character cannot enter the world", "player", a.Lease.Player, "error", err)
		r.saver.release(a.Character, a.Lease, 0)
		a.Reply(rushgate.Session{}, rushgate.InternalError)
		return
	}
	r.arrived++
	s := &session{
		player: a.Lease.Player, name: a.Lease.Name, token: a.Token, fence: a.Lease.Fence, index: len(r.inside),
		arrival: r.arrived, ticket: ticket{number: r.tickets.Add(1)},
		entered: now, admitted: a.Character, saved: a.Character, nextSave: now.Add(r.cfg.SaveInterval),
		told: r.toldAtFirst(&a.Character),
	}
	s.lastSeen.Store(sinceEpoch(now))
	r.players[s.player] = s
	r.inside = append(r.inside, s)
	r.insideCount.Store(int64(len(r.inside)))
	r.tokens.add(s.token, s)
	r.byPlayer.add(s.player, s)
	r.stats.opened.Add(1)
	a.Reply(r.describe(s), nil)
}

// reclaim deals with an arrival whose lease follows directly on that of a session here: it had run out, or was released
// a moment ago, and no other node has had the player in between. So what this session knows is newer than what the
// store gave out with the lease, and is what counts.
func (r *Realm) reclaim(s *session, a rushgate.Arrival, now time.Time) {
	r.saver.drop(s.lease())
	s.fence = a.Lease.Fence
	if s.state == stateInside {
		r.save(s, now, true)
		a.Reply(rushgate.Session{}, rushgate.AlreadyLoggedIn)
		return
	}
	a.Character = s.saved
	waiting := s.onSaved
	r.open(a, now)
	if opened := r.players[a.Lease.Player]; opened != s {
		opened.onSaved = waiting // for the save that now stands in for the one that was dropped
		r.save(opened, now, true)
	}
}

func (r *Realm) describe(s *session) rushgate.Session {
	return rushgate.Session{
		Player: s.player, Ticket: s.ticket.current(), Token: s.token, ExpiresAt: r.expiry(s),
	}
}

// save hands a copy of a player's character to the saver if it has changed, or in any case when forced.
func (r *Realm) save(s *session, now time.Time, force bool) {
	s.nextSave = now.Add(r.cfg.SaveInterval)
	c, ok := r.character(s)
	if !ok || !force && !changed(&c, &s.saved) {
		return
	}
	s.saved = s.complete(c, now)
	r.saver.save(rushgate.Save{Character: s.saved, Fence: s.fence})
}

// character returns a copy of a player's character that can be saved.
func (r *Realm) character(s *session) (rushgate.Character, bool) {
	c, ok := r.world.character(s.player)
	if !ok {
		return rushgate.Character{}, false
	}
	// What a store would refuse is kept back, or everyone in the same batch would be refused with it.
	if len(c.Data) > rushgate.MaxDataLen {
		r.log.log(slog.LevelError, "character has grown too large to be saved", "player", s.player, "bytes", len(c.Data))
		return rushgate.Character{}, false
	}
	var dropped []string
	if c.Numbers, dropped = storable(c.Numbers); len(dropped) > 0 {
		r.leaveOut(s.player, dropped)
	}
	return c, true
}

// leave ends a session: the player is out of the world at once, and saved and released by the saver. done, if not
// nil, is called when that has happened or failed for good.
func (r *Realm) leave(s *session, how Departure, done func(error)) {
	now := time.Now()
	// Without a fresh copy (a world that panics, say) the last good one has to do.
	c := s.saved
	if fresh, ok := r.character(s); ok {
		c = fresh
	}
	s.saved = s.complete(c, now)
	s.state = stateLeaving
	if done != nil {
		s.onSaved = append(s.onSaved, done)
	}
	r.remove(s, how)
	last := rushgate.Save{Character: s.saved, Fence: s.fence, Release: true}
	if how.goesOn() {
		last.Resumable = r.cfg.SessionTimeout
	}
	r.saver.save(last)
}

// lose ends a session whose lease is another's by now: nothing is saved.
func (r *Realm) lose(s *session) {
	r.log.log(slog.LevelWarn, "session lease lost, character not saved", "player", s.player)
	r.stats.evicted.Add(1)
	r.saver.drop(s.lease())
	if s.state == stateInside {
		r.remove(s, Left)
	}
	r.end(s, rushgate.ErrLeaseLost)
}

// remove takes a player out of the world and invalidates the token.
func (r *Realm) remove(s *session, how Departure) {
	r.tokens.remove(s.token)
	r.byPlayer.remove(s.player)
	s.gone.Store(true)
	if l := s.link.Swap(nil); l != nil {
		l.conn.Disconnect(r.endCause(how))
	}
	s.talk.Store(nil)
	r.world.leave(s.player)
	last := len(r.inside) - 1
	r.inside[s.index] = r.inside[last]
	r.inside[s.index].index = s.index
	r.inside[last] = nil
	r.inside = r.inside[:last]
	r.insideCount.Store(int64(last))
	r.stats.closed.Add(1)
	r.cfg.Left(s.name, how)
}

// endCause is why a session that ends in a way, at this time, ends for its client.
func (r *Realm) endCause(how Departure) Cause {
	if how == MovedAway {
		return Replaced
	}
	select {
	case <-r.quit:
		return Stopping
	default:
		return SessionEnded
	}
}

// end marks a session as ended and tells who waits for that.
func (r *Realm) end(s *session, err error) {
	s.state, s.ended = stateEnded, time.Now()
	s.answerSaved(err)
	s.saved, s.admitted = rushgate.Character{}, rushgate.Character{}
}

// settle takes note of one thing that the saver has done.
func (r *Realm) settle(o outcome) {
	s := r.players[o.lease.Player]
	if s == nil || s.fence != o.lease.Fence {
		return
	}
	switch {
	case s.state != stateEnded && o.err != nil:
		r.lose(s)
	case s.state == stateLeaving && o.released:
		r.end(s, nil)
	case s.state == stateInside && o.saved:
		s.told = o.told
		s.answerSaved(nil)
	}
}

// scan ends silent sessions, saves characters whose time has come, and forgets sessions long ended.
func (r *Realm) scan(now time.Time) {
	for i := len(r.inside) - 1; i >= 0; i-- { // backwards: leaving moves the last one into the gap
		s := r.inside[i]
		switch {
		case r.cfg.Clock.Since(s.lastSeenTime()) >= r.cfg.SessionTimeout:
			r.stats.timedOut.Add(1)
			r.leave(s, Silent, nil)
		case !now.Before(s.nextSave):
			r.save(s, now, false)
		}
	}
	for id, s := range r.players {
		if s.state == stateEnded && now.Sub(s.ended) >= remembered {
			delete(r.players, id)
		}
	}
	r.orphans.forget(now)
}

func (r *Realm) refreshLeases() {
	leases := make([]rushgate.Lease, 0, len(r.players))
	for _, s := range r.players {
		if s.state != stateEnded { // also who is leaving: until the last save is done no login may come in
			leases = append(leases, s.lease())
		}
	}
	r.saver.refresh(leases)
}
