package realm

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/store/memory"
)

const flagDead = 2

// plainWorld is the least of a world: players stand where they are, and a test can do to them what it likes.
type plainWorld struct {
	next    atomic.Pointer[func()] // done by the next step
	players map[rushgate.PlayerID]*rushgate.Character
	applied int
	entered int
	last    rushgate.Intent
	onApply func(rushgate.PlayerID)
	events  []rushgate.Event
	onCall  func(method string) // before each method
}

func (w *plainWorld) call(method string) {
	if w.onCall != nil {
		w.onCall(method)
	}
}

func (w *plainWorld) Enter(c rushgate.Character) error {
	w.call("Enter")
	if c.Zone == "" {
		c.Zone, c.Numbers["hp"], c.Numbers["level"] = "meadow", 100, 1
	}
	w.players[c.ID] = &c
	w.entered++
	return nil
}

func (w *plainWorld) Leave(id rushgate.PlayerID) { w.call("Leave"); delete(w.players, id) }

func (w *plainWorld) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	w.call("Apply")
	w.applied++
	w.last = in
	if w.onApply != nil {
		w.onApply(id)
	}
}

// befall changes a player in the next step, with an event.
func (w *plainWorld) befall(id rushgate.PlayerID, change func(*rushgate.Character)) {
	f := func() {
		change(w.players[id])
		w.events = append(w.events, rushgate.Event{Player: id, Kind: rushgate.EventDeath})
	}
	w.next.Store(&f)
}

func (w *plainWorld) Step(uint64) []rushgate.Event {
	w.call("Step")
	if f := w.next.Swap(nil); f != nil {
		(*f)()
	}
	events := w.events
	w.events = nil
	return events
}

func (w *plainWorld) View(dst []rushgate.Entity) []rushgate.Entity {
	w.call("View")
	for id, c := range w.players {
		e := rushgate.Entity{
			ID: uint64(id), Name: c.Name, X: c.X, Y: c.Y, HP: int32(c.Numbers["hp"]), MaxHP: 100,
			Level:  uint16(c.Numbers["level"]),
			Deaths: int32(c.Numbers["deaths"]),
		}
		if c.Zone == "cellar" {
			e.Zone = 7
		}
		if c.Numbers["hp"] <= 0 {
			e.Flags = flagDead
		}
		dst = append(dst, e)
	}
	return dst
}

func (w *plainWorld) Checkpoint(dst []byte) ([]byte, error) {
	w.call("Checkpoint")
	b, err := json.Marshal(w.players)
	return append(dst, b...), err
}

func (w *plainWorld) Restore(b []byte) error {
	w.call("Restore")
	return json.Unmarshal(b, &w.players)
}

func (w *plainWorld) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	w.call("Character")
	c, ok := w.players[id]
	if !ok {
		return rushgate.Character{}, false
	}
	return *c, true
}

// leapingStore is a store whose fences leap by more than one, as a store's may that takes them from a clock.
type leapingStore struct{ rushgate.Store }

// leap is the distance from one fence to the next.
const leap = 1000

func (s leapingStore) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	admitted, err := s.Store.Admit(ctx, by, admissions)
	for i := range admitted {
		admitted[i].Lease.Fence *= leap
		admitted[i].Previous *= leap
	}
	return admitted, err
}

func (s leapingStore) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	saves = slices.Clone(saves)
	for i := range saves {
		saves[i].Fence /= leap
	}
	return s.Store.Save(ctx, saves)
}

func (s leapingStore) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) ([]error, error) {
	leases = slices.Clone(leases)
	for i := range leases {
		leases[i].Fence /= leap
	}
	return s.Store.Refresh(ctx, by, leases)
}

func (s leapingStore) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Wanted, error) {
	leases, err := s.Store.Wanted(ctx, by)
	for i := range leases {
		leases[i].Fence *= leap
	}
	return leases, err
}

// faultyStore fails or refuses saves on demand, and remembers those that were written.
type faultyStore struct {
	rushgate.Store
	mu      sync.Mutex
	fail    error
	damaged rushgate.PlayerID // whose record cannot be written to
	saved   []rushgate.Save
}

func (s *faultyStore) setDamaged(id rushgate.PlayerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = id
}

// spare calls the store about the items that are not the damaged player's, and returns the error of each item.
func (s *faultyStore) spare(players []rushgate.PlayerID, call func(whole []int) ([]error, error)) ([]error, error) {
	errs := make([]error, len(players))
	var whole []int
	for i, id := range players {
		if id == s.damaged {
			errs[i] = fmt.Errorf("field hp: %w", rushgate.ErrDamagedRecord)
		} else {
			whole = append(whole, i)
		}
	}
	got, err := call(whole)
	if err != nil {
		return nil, err
	}
	for j, i := range whole {
		errs[i] = got[j]
	}
	return errs, nil
}

func (s *faultyStore) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) ([]error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var players []rushgate.PlayerID
	for _, l := range leases {
		players = append(players, l.Player)
	}
	return s.spare(players, func(whole []int) ([]error, error) {
		var rest []rushgate.Lease
		for _, i := range whole {
			rest = append(rest, leases[i])
		}
		return s.Store.Refresh(ctx, by, rest)
	})
}

func (s *faultyStore) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *faultyStore) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	var players []rushgate.PlayerID
	for _, v := range saves {
		players = append(players, v.Character.ID)
	}
	return s.spare(players, func(whole []int) ([]error, error) {
		var rest []rushgate.Save
		for _, i := range whole {
			rest = append(rest, saves[i])
		}
		s.saved = append(s.saved, rest...)
		return s.Store.Save(ctx, rest)
	})
}

func (s *faultyStore) saves() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.saved)
}

var (
	here      = rushgate.Instance{Node: "here", Run: "1"}
	elsewhere = rushgate.Instance{Node: "elsewhere", Run: "1"}
)

type fixture struct {
	*Realm
	world *plainWorld
	store *faultyStore
	names map[string]rushgate.Account
}

func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{
		world: &plainWorld{players: make(map[rushgate.PlayerID]*rushgate.Character)},
		store: &faultyStore{Store: leapingStore{memory.New(memory.Options{})}},
		names: make(map[string]rushgate.Account),
	}
	cfg := Config{World: f.world, Store: f.store, Instance: here, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Realm, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	f.newPulse = nil // the system's time does not stand still with that of a test
	t.Cleanup(func() { f.Stop(context.Background()) })
	return f
}

// admit has the store admit a player, whose account is made when it is new, and returns the arrival and what it is
// answered.
func (f *fixture) admit(t testing.TB, name, attempt string) (rushgate.Arrival, *reply) {
	t.Helper()
	a, known := f.names[name]
	if !known {
		id, err := f.store.ReserveIDs(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		a = rushgate.Account{ID: id, Username: name, PasswordHash: "hash of " + name, CreatedAt: time.Now()}
		f.names[name] = a
	}
	results, err := f.store.Admit(t.Context(), here, []rushgate.Admission{{Account: a, Create: !known, Attempt: attempt}})
	if err != nil || results[0].Err != nil {
		t.Fatalf("admit %s: %v, %+v", name, err, results)
	}
	r := &reply{}
	return rushgate.Arrival{Admitted: results[0], Token: "token of " + name + " for " + attempt, Reply: r.set}, r
}

// enter brings a player inside by hand-made ticks.
func (f *fixture) enter(t testing.TB, name string) rushgate.Session {
	t.Helper()
	a, r := f.admit(t, name, name+"-1")
	f.Enter(a)
	f.Tick()
	if r.err != nil || r.count != 1 {
		t.Fatalf("%s: %+v", name, r)
	}
	return r.session
}

// live starts the realm, whose loop then brings a player inside.
func (f *fixture) live(t testing.TB, name string) *reply {
	t.Helper()
	f.Start()
	a, r := f.admit(t, name, name+"-1")
	f.Enter(a)
	time.Sleep(time.Second)
	synctest.Wait()
	return r
}

type reply struct {
	count   int
	session rushgate.Session
	err     error
}

func (r *reply) set(s rushgate.Session, err error) { r.count++; r.session, r.err = s, err }

// save lets the saver do one round and the tick take note of it.
func (f *fixture) save(t testing.TB) {
	t.Helper()
	if err := f.saver.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Tick()
}

// call makes the least of an authenticated call.
func (f *fixture) call(token string) error {
	_, err := f.authenticate(token)
	return err
}

// link gives a session that is inside a connection without a network, and counts its intents.
func (f *fixture) link(s rushgate.Session) *countingLink {
	return &countingLink{f: f, link: newLink(nil, nil, f.players[s.Player], DefaultSnapshotRate)}
}

type countingLink struct {
	f *fixture
	*link
	seq uint32
}

// send delivers the next intent.
func (l *countingLink) send(in rushgate.Intent) {
	l.seq++
	l.f.deliver(l.link, protocol.Intent{Seq: l.seq, Intent: in})
}

func (f *fixture) online(t testing.TB) int {
	t.Helper()
	where, err := f.store.Presence(t.Context(), slices.Collect(maps.Keys(f.names)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range where {
		if p.Inside() {
			n++
		}
	}
	return n
}

// ask makes a call that waits for the tick, and ticks for it.
func ask[T any](f *fixture, call func() T) T {
	var out T
	done := make(chan struct{})
	go func() { out = call(); close(done) }()
	synctest.Wait()
	f.Tick()
	<-done
	return out
}

type seen struct {
	c   rushgate.Character
	err error
}

func (f *fixture) me(t *testing.T, token string) seen {
	return ask(f, func() seen {
		c, _, err := f.Character(t.Context(), token)
		return seen{c, err}
	})
}
