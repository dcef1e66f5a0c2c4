package realm

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
)

// session is one player's stay. But for what stands first it is owned by the tick.
type session struct {
	player   rushgate.PlayerID
	name     string
	arrival  uint64 // how many came before; spreads the snapshots
	ticket   ticket
	token    string
	lastSeen atomic.Int64 // nanoseconds since epoch
	link     atomic.Pointer[link]
	gone     atomic.Bool  // no longer inside
	queries  atomic.Int32 // calls waiting
	talk     atomic.Pointer[talk]

	fence    uint64
	state    sessionState
	index    int // in Realm.inside while inside
	entered  time.Time
	admitted rushgate.Character // as the store had it on the way in
	// saved is the character as last handed to the saver, or as the store gave it.
	saved    rushgate.Character
	nextSave time.Time
	// told is what the player may know of what must never be lost: it lags behind the world until it is saved.
	told told
	// onSaved are the calls waiting for a save: the last one of this session, or, right after a login that came before
	// it was done, of the one before.
	onSaved []func(error)
	ended   time.Time
	// moved is the connection that the session had in the realm whose state this one goes on from, until the channel
	// tells of it; written before the realm starts, and then only under ticket.mu.
	moved *movedLink
}

type sessionState uint8

const (
	stateInside  sessionState = iota
	stateLeaving              // out of the world, the last save is under way
	stateEnded                // saved and released; remembered for a while
)

type told struct{ level, deaths int64 }

// toldOf is what a player may know once the store has a character.
func toldOf(c *rushgate.Character) told {
	return told{level: c.Numbers[rushgate.NumberLevel], deaths: c.Numbers[rushgate.NumberDeaths]}
}

// toldAtFirst is what a player who comes in may know: what the store has, and for a character that has no level there,
// what the world begins with.
func (r *Realm) toldAtFirst(admitted *rushgate.Character) told {
	t := toldOf(admitted)
	if t.level != 0 {
		return t
	}
	c, _ := r.world.character(admitted.ID)
	t.level = c.Numbers[rushgate.NumberLevel]
	return t
}

// epoch makes instants of the monotonic clock fit an integer that can be read and written atomically.
var epoch = time.Now()

func sinceEpoch(t time.Time) int64 { return int64(t.Sub(epoch)) }

// touch notes that the player was heard of at some time, unless that is known to be later.
func (s *session) touch(seen time.Time) {
	v := sinceEpoch(seen)
	for old := s.lastSeen.Load(); old < v && !s.lastSeen.CompareAndSwap(old, v); old = s.lastSeen.Load() {
	}
}

// lastSeenTime is when the player last called, or something came over the realtime connection.
func (s *session) lastSeenTime() time.Time {
	seen := epoch.Add(time.Duration(s.lastSeen.Load()))
	if l := s.link.Load(); l != nil {
		if received := l.conn.LastReceived(); received.After(seen) {
			return received
		}
	}
	return seen
}

// expiry returns when a session ends by the time of day, unless something is heard of the player before. What is known
// inside is an instant of the monotonic clock, whose time of day may be out of date.
func (r *Realm) expiry(s *session) time.Time {
	return time.Now().Add(r.cfg.SessionTimeout - r.cfg.Clock.Since(s.lastSeenTime()))
}

func (s *session) lease() rushgate.Lease {
	return rushgate.Lease{Player: s.player, Name: s.name, Fence: s.fence}
}

// answerSaved tells the callers that wait for a save what has become of it.
func (s *session) answerSaved(err error) {
	for _, done := range s.onSaved {
		done(err)
	}
	s.onSaved = nil
}

// complete fills in what the session knows better than the world: who the character is, and the time played.
func (s *session) complete(c rushgate.Character, now time.Time) rushgate.Character {
	c.ID, c.Name, c.CreatedAt = s.player, s.name, s.admitted.CreatedAt
	c.Playtime = s.admitted.Playtime + now.Sub(s.entered).Truncate(time.Millisecond)
	return c
}

// changed reports whether a character differs from a saved one in anything but playtime, which alone is not worth a
// write.
func changed(a, b *rushgate.Character) bool {
	return a.Zone != b.Zone || a.X != b.X || a.Y != b.Y || !a.Numbers.Equal(b.Numbers) || !bytes.Equal(a.Data, b.Data)
}

// sessionTable finds the sessions of players inside, for the goroutines that serve players.
type sessionTable[K comparable] struct {
	mu       sync.RWMutex
	sessions map[K]*session
}

func newSessionTable[K comparable]() sessionTable[K] {
	return sessionTable[K]{sessions: make(map[K]*session)}
}

func (t *sessionTable[K]) get(key K) (*session, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s, ok := t.sessions[key]
	return s, ok
}

// all returns the sessions, in no order.
func (t *sessionTable[K]) all() []*session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.sessions))
}

func (t *sessionTable[K]) add(key K, s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[key] = s
}

func (t *sessionTable[K]) remove(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, key)
}
