package realm

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// Of the state, in bytes: what a session, a lease, and a character to be saved take at least, and how long texts are at
// most.
const (
	leastSession, leastLease, leastSave, leastNumber = 60, 3, 20, 2
	maxText                                          = 1 << 10
)

// stateVersion is that of the layout in which a state is written. One of version 1 has four numbers of each character,
// which all worlds then counted, and nothing of what is said.
const stateVersion = 2

// state is what is kept of a realm. Times are kept by how far they are from the moment when the state is taken, so that
// what passes on the way counts against no player.
type state struct {
	instance rushgate.Instance
	world    []byte
	tick     uint64
	arrived  uint64
	tickets  uint64
	sessions []savedSession // those inside first, in their order
	orphans  []savedOrphan
	orphaned []rushgate.Wanted
	unsaved  []rushgate.Save
}

type savedOrphan struct {
	lease rushgate.Lease
	orphanage
}

// savedSession is what is kept of a session. What calls wait for is not: they are answered where they came in.
type savedSession struct {
	player      rushgate.PlayerID
	name, token string
	arrival     uint64
	ticket      uint64
	renewals    [maxRenewals]time.Time // the oldest first
	silent      time.Duration          // since the player was last heard of
	fence       uint64
	state       sessionState
	entered     time.Time
	createdAt   time.Time     // of the character
	playtime    time.Duration // before it came in
	saved       rushgate.Character
	nextSave    time.Time
	told        told
	ended       time.Time
	linked      bool
	link        movedLink
	talks       bool
	talk        savedTalk
}

// movedLink is what is kept of a connection over the channel; others end with their process.
type movedLink struct {
	index        int64 // of the peer, see [netcode.Peer.Index]
	ack, applied uint32
	any          bool   // an intent has come
	seq          uint32 // of the newest
	hp           int32  // as in link.alive, and the flags
	flags        uint8
}

// appendState appends the state to dst. It is called on the tick, which stands still.
func (r *Realm) appendState(dst []byte) ([]byte, error) {
	world, err := r.world.checkpoint()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s := r.saveState(now)
	s.world = world
	return packed.Append(dst, func(c *packed.Codec) { s.describe(c, now) }), nil
}

func (r *Realm) saveState(now time.Time) *state {
	s := &state{
		instance: r.cfg.Instance, tick: r.tick, arrived: r.arrived, tickets: r.tickets.Add(ticketJump) - ticketJump,
	}
	for _, in := range r.inside {
		s.sessions = append(s.sessions, r.saveSession(in))
	}
	for _, out := range r.players {
		if out.state != stateInside {
			s.sessions = append(s.sessions, r.saveSession(out))
		}
	}
	for l, o := range r.orphans {
		s.orphans = append(s.orphans, savedOrphan{l, o})
	}
	s.unsaved, s.orphaned = r.saver.unsaved()
	return s
}

func (r *Realm) saveSession(s *session) savedSession {
	v := savedSession{
		player: s.player, name: s.name, token: s.token, arrival: s.arrival, silent: r.cfg.Clock.Since(s.lastSeenTime()),
		fence: s.fence, state: s.state, entered: s.entered, createdAt: s.admitted.CreatedAt, playtime: s.admitted.Playtime,
		saved: s.saved, nextSave: s.nextSave, told: s.told, ended: s.ended,
	}
	s.ticket.mu.Lock()
	v.ticket = s.ticket.number
	for i := range v.renewals {
		v.renewals[i] = s.ticket.renewals[(s.ticket.oldest+i)%maxRenewals]
	}
	if s.moved != nil { // the channel has not told of it yet
		v.link, v.linked = *s.moved, true
	}
	s.ticket.mu.Unlock()
	if l := s.link.Load(); l != nil {
		v.link, v.linked = l.save()
	}
	if t := s.talk.Load(); t != nil && s.state == stateInside {
		v.talk, v.talks = t.save(), true
	}
	return v
}

// save returns what is kept of a connection, if anything is. It is called while the tick, the channel and the
// snapshotter stand still.
func (l *link) save() (movedLink, bool) {
	p, ok := l.conn.(peerConnection)
	if !ok {
		return movedLink{}, false
	}
	l.intents.mu.Lock()
	defer l.intents.mu.Unlock()
	return movedLink{
		index: int64(p.Index()), ack: l.ack, applied: l.applied, any: l.intents.any, seq: l.intents.newest.Seq,
		hp: l.alive.HP, flags: l.alive.Flags,
	}, true
}

func (s *state) describe(c *packed.Codec, now time.Time) {
	version := c.Header("realm", 1, stateVersion)
	c.String(&s.instance.Node, maxText)
	c.String(&s.instance.Run, maxText)
	c.Bytes(&s.world, rushgate.MaxCheckpoint)
	c.Uint64(&s.tick)
	c.Uint64(&s.arrived)
	c.Uint64(&s.tickets)
	packed.Slice(c, &s.sessions, math.MaxInt32, leastSession, func(v *savedSession) { v.describe(c, now, version) })
	packed.Slice(c, &s.orphans, rushgate.MaxWanted, leastLease, func(o *savedOrphan) {
		describeLease(c, &o.lease)
		c.Instant(&o.since, now)
		c.Bool(&o.released)
	})
	packed.Slice(c, &s.orphaned, math.MaxInt32, leastLease, func(w *rushgate.Wanted) {
		describeLease(c, &w.Lease)
		c.Bool(&w.Move)
	})
	packed.Slice(c, &s.unsaved, math.MaxInt32, leastSave, func(v *rushgate.Save) {
		describeCharacter(c, &v.Character, version)
		c.Uint64(&v.Fence)
		c.Bool(&v.Release)
		packed.Int(c, &v.Resumable)
	})
}

func (v *savedSession) describe(c *packed.Codec, now time.Time, version uint64) {
	packed.Uint(c, &v.player)
	c.String(&v.name, maxText)
	c.String(&v.token, maxText)
	c.Uint64(&v.arrival)
	c.Uint64(&v.ticket)
	for i := range v.renewals {
		c.Instant(&v.renewals[i], now)
	}
	packed.Int(c, &v.silent)
	c.Uint64(&v.fence)
	packed.Uint(c, &v.state)
	c.Instant(&v.entered, now)
	c.Time(&v.createdAt)
	packed.Int(c, &v.playtime)
	describeCharacter(c, &v.saved, version)
	c.Instant(&v.nextSave, now)
	packed.Int(c, &v.told.level)
	packed.Int(c, &v.told.deaths)
	c.Instant(&v.ended, now)
	if c.Bool(&v.linked); v.linked {
		v.link.describe(c)
	}
	if version < 2 {
		return
	}
	if c.Bool(&v.talks); v.talks {
		v.talk.describe(c)
	}
}

func (l *movedLink) describe(c *packed.Codec) {
	c.Int64(&l.index)
	packed.Uint(c, &l.ack)
	packed.Uint(c, &l.applied)
	c.Bool(&l.any)
	packed.Uint(c, &l.seq)
	packed.Int(c, &l.hp)
	packed.Uint(c, &l.flags)
}

func describeLease(c *packed.Codec, l *rushgate.Lease) {
	packed.Uint(c, &l.Player)
	c.String(&l.Name, maxText)
	c.Uint64(&l.Fence)
}

func describeCharacter(c *packed.Codec, v *rushgate.Character, version uint64) {
	packed.Uint(c, &v.ID)
	c.String(&v.Name, maxText)
	c.String(&v.Zone, math.MaxInt32)
	c.Float64(&v.X)
	c.Float64(&v.Y)
	describeNumbers(c, &v.Numbers, version)
	packed.Int(c, &v.Playtime)
	c.Time(&v.CreatedAt)
	c.Bytes(&v.Data, rushgate.MaxDataLen)
}

// named is one of a character's numbers.
type named struct {
	name  string
	value int64
}

func describeNumbers(c *packed.Codec, v *rushgate.Numbers, version uint64) {
	var numbers []named
	if c.Reading() {
		*v = make(rushgate.Numbers)
	}
	for _, name := range slices.Sorted(maps.Keys(*v)) {
		if value := (*v)[name]; value != 0 {
			numbers = append(numbers, named{name, value})
		}
	}
	if version == 1 {
		numbers = []named{
			{name: rushgate.NumberHP}, {name: rushgate.NumberXP}, {name: rushgate.NumberLevel}, {name: rushgate.NumberDeaths},
		}
		for i := range numbers {
			packed.Int(c, &numbers[i].value)
		}
	} else {
		packed.Slice(c, &numbers, rushgate.MaxNumbers, leastNumber, func(n *named) {
			c.String(&n.name, rushgate.MaxNumberName)
			packed.Int(c, &n.value)
		})
	}
	if !c.Reading() {
		return
	}
	for _, n := range numbers {
		(*v)[n.name] = n.value
	}
	c.Fail(v.Check())
}

// restore has a realm that is new go on from a state.
func (r *Realm) restore(b []byte) error {
	now := time.Now()
	var s state
	if err := packed.Parse(b, func(c *packed.Codec) { s.describe(c, now) }); err != nil {
		return err
	}
	if s.instance != r.cfg.Instance {
		return fmt.Errorf("it is that of %q, run %q", s.instance.Node, s.instance.Run)
	}
	if err := r.world.restore(s.world); err != nil {
		return err
	}
	r.tick, r.arrived = s.tick, s.arrived
	r.tickets.Store(s.tickets)
	for i := range s.sessions {
		if err := r.restoreSession(&s.sessions[i], now); err != nil {
			return err
		}
	}
	r.insideCount.Store(int64(len(r.inside)))
	for _, o := range s.orphans {
		r.orphans[o.lease] = o.orphanage
	}
	r.saver.restore(s.unsaved, s.orphaned)
	return nil
}

func (r *Realm) restoreSession(v *savedSession, now time.Time) error {
	s := &session{
		player: v.player, name: v.name, token: v.token, arrival: v.arrival, fence: v.fence, state: v.state,
		entered: v.entered, admitted: rushgate.Character{CreatedAt: v.createdAt, Playtime: v.playtime}, saved: v.saved,
		nextSave: v.nextSave, told: v.told, ended: v.ended, ticket: ticket{number: v.ticket, renewals: v.renewals},
	}
	if v.player == 0 || r.players[v.player] != nil || v.silent < 0 || v.state > stateEnded ||
		v.state != stateEnded && (v.saved.ID != v.player || v.saved.Name != v.name) {
		return fmt.Errorf("it has a session of player %d that cannot be", v.player)
	}
	s.lastSeen.Store(sinceEpoch(now.Add(-v.silent)))
	r.players[s.player] = s
	if s.state != stateInside {
		s.gone.Store(true)
		return nil
	}
	if _, known := r.tokens.get(s.token); known || s.token == "" {
		return fmt.Errorf("it has a session of player %d with another's token", v.player)
	}
	if _, ok := r.world.character(s.player); !ok {
		return fmt.Errorf("player %d is not inside the world", v.player)
	}
	if v.linked {
		moved := v.link
		s.moved = &moved
	}
	if v.talks && r.world.messenger != nil {
		if err := r.restoreTalk(s, &v.talk); err != nil {
			return err
		}
	}
	s.index = len(r.inside)
	r.inside = append(r.inside, s)
	r.tokens.add(s.token, s)
	r.byPlayer.add(s.player, s)
	return nil
}

// Moved takes a connection of the realm whose state this one goes on from. It implements [netcode.Mover].
func (h *channelHandler) Moved(p *netcode.Peer) {
	s, _ := h.byPlayer.get(rushgate.PlayerID(p.ClientID()))
	if s == nil || !h.takeMoved(s, p) {
		p.Disconnect()
	}
}

// takeMoved makes a peer the connection of its session, unless the session had another one, or has by now.
func (h *channelHandler) takeMoved(s *session, p *netcode.Peer) bool {
	s.ticket.mu.Lock()
	defer s.ticket.mu.Unlock()
	m := s.moved
	if m == nil || m.index != int64(p.Index()) {
		return false
	}
	s.moved = nil
	l := newLink(h.datagrams, peerConnection{p}, s, h.cfg.SnapshotRate)
	l.ack, l.applied = m.ack, m.applied
	l.intents.any, l.intents.newest = m.any, protocol.Intent{Seq: m.seq}
	l.alive = protocol.Own{HP: m.hp, Flags: m.flags}
	if !s.link.CompareAndSwap(nil, l) {
		return false
	}
	p.Data = l
	if s.gone.Load() { // it ended meanwhile, and did not see this connection
		p.Disconnect()
	}
	return true
}

// unsaved returns what the store has yet to be told. The saver rests.
func (s *saver) unsaved() (saves []rushgate.Save, orphaned []rushgate.Wanted) {
	s.mu.Lock()
	for _, v := range s.pending {
		saves = append(saves, v)
	}
	s.mu.Unlock()
	return saves, s.orphaned.peek()
}

// restore has the saver tell the store, once it runs, what another one has not.
func (s *saver) restore(saves []rushgate.Save, orphaned []rushgate.Wanted) {
	for _, v := range saves {
		s.save(v)
	}
	for _, l := range orphaned {
		s.orphaned.put(l)
	}
}

// checkpoint returns the state of a world that can be moved.
func (g *guardedWorld) checkpoint() (b []byte, err error) {
	defer g.caught("Checkpoint", &err)
	w, ok := g.world.(rushgate.Checkpointer)
	if !ok {
		return nil, ErrFixedWorld
	}
	if b, err = w.Checkpoint(nil); err != nil {
		return nil, fmt.Errorf("realm: the world's checkpoint: %w", err)
	}
	if len(b) > rushgate.MaxCheckpoint {
		return nil, fmt.Errorf("realm: a checkpoint of %d bytes, at most %d can be moved", len(b), rushgate.MaxCheckpoint)
	}
	return b, nil
}

// restore puts a new world into the state of a checkpoint.
func (g *guardedWorld) restore(b []byte) (err error) {
	defer g.caught("Restore", &err)
	w, ok := g.world.(rushgate.Checkpointer)
	if !ok {
		return ErrFixedWorld
	}
	return w.Restore(b)
}
