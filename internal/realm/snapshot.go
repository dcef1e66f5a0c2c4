package realm

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/protocol"
)

const (
	// viewsAtOnce is how many views there are for the tick to fill: one that is being sent and one that waits. When both
	// are taken the tick goes on without, and those whose turn it was get their next snapshot a turn later.
	viewsAtOnce = 2
	// chunk is how many snapshots a worker makes before it lets others run: about 100 µs worth.
	chunk = 16
	// packetsAtOnce is how many packets of messages leave with a snapshot at most: with chunk, what a worker does before
	// it lets others run.
	packetsAtOnce = 4
	// lookInterval is how many ticks pass between two searches for what a player sees: 200 ms.
	lookInterval = rushgate.TickRate / 5
)

// view is what the tick hands over: a copy of all that is to be seen, and who is to see it now. Until it comes back
// it is the snapshotter's.
type view struct {
	tick       uint32
	entities   []rushgate.Entity
	recipients []recipient
}

// recipient is a player whose turn it is, with what the tick knows of them.
type recipient struct {
	link   *link
	told   told
	ack    uint32 // tick of the newest snapshot that the player has
	intent uint32 // sequence number of the newest intent applied
	self   int32  // the player's own entity in the view, or none; found by the snapshotter
}

const none = -1

// frame is a view as it goes over the wire, kept as long as snapshots can be deltas against it.
type frame struct {
	tick   uint32
	states []protocol.State
}

// snapshotter turns views into snapshots and sends them, on goroutines of its own. One frame is worked on at a time.
type snapshotter struct {
	idle    chan *view
	views   chan *view
	workers []*snapshotWorker

	frames [protocol.MaxBase + 1]frame // by tick
	zones  []uint16                    // of the present frame's entities
	near   interest
	found  map[uint64]int32 // player to entity, for those not found where they were last

	// The work under way, for the workers.
	view  *view
	frame *frame
	next  atomic.Int64 // first recipient that no worker has taken

	sent, bytes, skipped atomic.Int64
	duration             latency.Histogram // of a frame, from the tick's handing it over until all is on its way
}

// snapshotWorker is what one goroutine needs to make snapshots.
type snapshotWorker struct {
	work     chan *sync.WaitGroup
	senders  []transportSender // those it has had use for
	encoder  protocol.Encoder
	search   search
	baseline []*protocol.State
	packet   []byte // of messages of the game
}

// transportSender is a worker's own sender for one transport.
type transportSender struct {
	transport Transport
	sender    Sender
}

// sender returns the worker's sender for a transport. A node has one or two, so the search is short.
func (w *snapshotWorker) sender(t Transport) Sender {
	for i := range w.senders {
		if w.senders[i].transport == t {
			return w.senders[i].sender
		}
	}
	s := t.NewSender()
	w.senders = append(w.senders, transportSender{t, s})
	return s
}

// newSnapshotter returns one that has yet to be run.
func newSnapshotter(workers int, radius float64) *snapshotter {
	s := &snapshotter{
		near:  newInterest(protocol.Fixed(radius)),
		idle:  make(chan *view, viewsAtOnce),
		views: make(chan *view, viewsAtOnce),
		found: make(map[uint64]int32),
	}
	for range viewsAtOnce {
		s.idle <- &view{}
	}
	for range workers {
		s.workers = append(s.workers, &snapshotWorker{work: make(chan *sync.WaitGroup)})
	}
	s.duration.Init()
	return s
}

// take returns a view to fill, or nil when the snapshotter is behind.
func (s *snapshotter) take() *view {
	select {
	case v := <-s.idle:
		v.entities, v.recipients = v.entities[:0], v.recipients[:0]
		return v
	default:
		return nil
	}
}

// put gives a view back unused, or hands it over when it has recipients. It never blocks.
func (s *snapshotter) put(v *view) {
	if len(v.recipients) == 0 {
		s.idle <- v
		return
	}
	s.views <- v
}

// close ends run; no more views may come.
func (s *snapshotter) close() { close(s.views) }

// run sends views until the snapshotter is closed and returns when its workers have ended.
func (s *snapshotter) run() {
	var workers, frame sync.WaitGroup
	for _, w := range s.workers {
		workers.Go(func() {
			for done := range w.work {
				s.sendShare(w)
				done.Done()
			}
		})
	}
	for v := range s.views {
		start := time.Now()
		s.prepare(v)
		frame.Add(len(s.workers))
		for _, w := range s.workers {
			w.work <- &frame
		}
		frame.Wait()
		s.duration.Record(time.Since(start))
		clear(v.recipients) // links of players who leave are not to be kept
		s.idle <- v
	}
	for _, w := range s.workers {
		close(w.work)
	}
	workers.Wait()
}

// prepare makes a view the present frame and finds the recipients in it.
func (s *snapshotter) prepare(v *view) {
	f := &s.frames[v.tick%uint32(len(s.frames))]
	f.tick = v.tick
	f.states, s.zones = f.states[:0], s.zones[:0]
	v.entities = slices.DeleteFunc(v.entities, func(e rushgate.Entity) bool { return e.ID == 0 }) // the world's mistake
	for i := range v.entities {
		f.states = append(f.states, protocol.Quantise(&v.entities[i]))
		s.zones = append(s.zones, v.entities[i].Zone)
	}
	s.near.build(f.states, s.zones)
	s.locate(v)
	s.view, s.frame = v, f
	s.next.Store(0)
}

// locate finds the recipients' own entities: where they were last time, or else by looking through all.
func (s *snapshotter) locate(v *view) {
	missing := false
	for i := range v.recipients {
		r := &v.recipients[i]
		r.self = r.link.self
		if int(r.self) >= len(v.entities) || r.self < 0 || v.entities[r.self].ID != uint64(r.link.session.player) {
			r.self, missing = none, true
		}
	}
	if !missing {
		return
	}
	clear(s.found)
	for i := range v.entities {
		s.found[v.entities[i].ID] = int32(i)
	}
	for i := range v.recipients {
		r := &v.recipients[i]
		if r.self == none {
			if at, ok := s.found[uint64(r.link.session.player)]; ok {
				r.self, r.link.self = at, at
			}
		}
	}
}

// sendShare sends snapshots until the present frame's recipients are all taken. It yields after each chunk, so that a
// tick that is due waits for one chunk at most.
func (s *snapshotter) sendShare(w *snapshotWorker) {
	for {
		from := int(s.next.Add(chunk)) - chunk
		if from >= len(s.view.recipients) {
			return
		}
		to := min(from+chunk, len(s.view.recipients))
		for i := from; i < to; i++ {
			s.send(w, &s.view.recipients[i])
		}
		for i := range w.senders {
			w.senders[i].sender.Flush()
		}
		runtime.Gosched()
	}
}

// send sends one player a snapshot and what the world has to say.
func (s *snapshotter) send(w *snapshotWorker, r *recipient) {
	if r.self != none { // else the world does not show the player: there is nothing to see
		s.sendSnapshot(w, r)
	}
	if t := r.link.session.talk.Load(); t != nil && t.busy.Load() {
		s.sendMessages(w, r.link, t)
	}
}

// sendMessages sends what waits for a player, or as much of it as is to be sent at once.
func (s *snapshotter) sendMessages(w *snapshotWorker, l *link, t *talk) {
	now := time.Now()
	for range packetsAtOnce {
		var ok bool
		if w.packet, ok = t.next(w.packet, l, now); !ok {
			return
		}
		_ = w.sender(l.transport).SendMessages(l.conn, w.packet) // what is lost is sent again, or was not to be relied on
	}
}

// sendSnapshot makes one player's snapshot and hands it to the player's connection.
func (s *snapshotter) sendSnapshot(w *snapshotWorker, r *recipient) {
	header := protocol.Header{Tick: s.frame.tick, Intent: r.intent,
		Own: r.own(&s.view.entities[r.self], &s.frame.states[r.self])}
	w.baseline = w.baseline[:0]
	if base := r.link.sentAt(r.ack, s.frame.tick); base != nil {
		header.Base = base.tick
		for _, i := range base.entities {
			w.baseline = append(w.baseline, &base.frame.states[i])
		}
	}
	w.encoder.Begin(header, w.baseline)
	sent := r.link.begin(s.frame)
	for _, k := range s.seen(w, r) {
		if !w.encoder.Add(&s.frame.states[k.at]) {
			break
		}
		sent.entities = append(sent.entities, k.at)
	}
	if w.sender(r.link.transport).Send(r.link.conn, w.encoder.Bytes()) == nil {
		s.sent.Add(1)
		s.bytes.Add(int64(len(w.encoder.Bytes())))
	}
}

// seen returns the entities that a player sees, nearest first. The search is the dearest part of a snapshot, so it is
// made only every lookInterval, when one of them is no longer where it was in the view, or when the player has jumped;
// in between none comes or goes, but all of them move.
func (s *snapshotter) seen(w *snapshotWorker, r *recipient) []known {
	l, me := r.link, &s.frame.states[r.self]
	jump := s.near.radius / 4
	here := abs(me.X-l.x) <= jump && abs(me.Y-l.y) <= jump
	if here && l.looked != 0 && s.frame.tick-l.looked < lookInterval && s.present(l.neighbours, s.zones[r.self]) {
		return l.neighbours
	}
	l.looked, l.neighbours, l.x, l.y = s.frame.tick, l.neighbours[:0], me.X, me.Y
	for _, v := range w.search.nearest(&s.near, s.frame.states, s.zones[r.self], r.self) {
		l.neighbours = append(l.neighbours, known{s.frame.states[v.index()].ID, v.index()})
	}
	return l.neighbours
}

func abs(v int32) int32 { return max(v, -v) }

// present reports whether all of them are where they were in the view, and in a zone.
func (s *snapshotter) present(neighbours []known, zone uint16) bool {
	for _, k := range neighbours {
		if int(k.at) >= len(s.zones) || s.zones[k.at] != zone || s.frame.states[k.at].ID != k.id {
			return false
		}
	}
	return true
}

// own is what a player is told of their own entity. Level and deaths are those that the store has; as long as it does
// not have a death, hit points and flags stay what they were, as far as that is known, or the death would show.
func (r *recipient) own(e *rushgate.Entity, s *protocol.State) protocol.Own {
	own := protocol.Own{
		Zone: e.Zone, X: s.X, Y: s.Y, HP: s.HP, MaxHP: s.MaxHP, XP: e.XP, Flags: s.Flags,
		Level:  uint16(min(max(r.told.level, 0), math.MaxUint16)),
		Deaths: uint32(min(max(r.told.deaths, 0), math.MaxUint32)),
	}
	if int64(e.Deaths) <= r.told.deaths {
		r.link.alive = own
	} else {
		own.HP, own.Flags = max(r.link.alive.HP, 1), r.link.alive.Flags
	}
	return own
}
