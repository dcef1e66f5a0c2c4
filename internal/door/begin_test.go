package door

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

const tryLife = time.Minute

func tryID(n int) (id TryID) {
	binary.LittleEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

// begin begins a login and has its client answered; the reason is that of a refusal, or empty.
func (f *fixture) begin(t *testing.T, addr, name string, id int) rushgate.Reason {
	t.Helper()
	seat, err := f.Begin(Knock{Addr: netip.MustParseAddr(addr), Name: name})
	if err != nil {
		return rushgate.ReasonOf(err)
	}
	seat.Take()
	f.Served(Beginnings, 1)
	seat.Keep(tryID(id), true, f.now.Add(tryLife))
	return ""
}

// finish ends a login, whatever it comes to.
func (f *fixture) finish(t *testing.T, addr, name string, id int, o Outcome) rushgate.Reason {
	t.Helper()
	seat, err := f.Finish(Knock{Addr: netip.MustParseAddr(addr), Name: name}, tryID(id))
	if err != nil {
		return rushgate.ReasonOf(err)
	}
	if o == Inside {
		if err := seat.Sit(Proven{Player: 1, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	seat.Close(o)
	if o == Inside {
		f.Left(name, Left)
	}
	return ""
}

func wantTold(t *testing.T, what string, got, want rushgate.Reason) {
	t.Helper()
	if got != want {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// A client that has its answer knows whether its guess was right: it counts as one that failed until it has shown that
// it was, and has failed if it does not come back.
func TestATryCountsUntilItIsFinished(t *testing.T) {
	f := newFixture(t, nil)
	for i := range FailureLimit {
		wantTold(t, "a try", f.begin(t, "192.0.2.1", "alice", i), "")
		f.now = f.now.Add(time.Second)
	}
	wantTold(t, "one try too many", f.begin(t, "192.0.2.1", "alice", 9), rushgate.RateLimited)
	wantTold(t, "a password", f.login("192.0.2.1", "alice", Wrong), rushgate.RateLimited)
	wantTold(t, "another account", f.begin(t, "192.0.2.1", "bob", 10), "")
	wantTold(t, "another origin", f.begin(t, "198.51.100.1", "alice", 11), "")
	if s := f.Stats(); s.Tries != FailureLimit+2 || s.Beginnings != 0 || s.Locked != 0 {
		t.Errorf("%+v", s)
	}
	wantTold(t, "what was let in at the beginning", f.finish(t, "192.0.2.1", "alice", 0, Inside), "")
	f.now = f.now.Add(tryLife)
	if began := f.Lapsed(); len(began) != 0 {
		t.Errorf("four failures, and the right password, have begun %v", began)
	}
	for i := range FailureLimit {
		wantTold(t, "a try once more", f.begin(t, "203.0.113.1", "alice", i), "")
	}
	f.now = f.now.Add(tryLife)
	began := f.Lapsed()
	if len(began) != 1 || began[0].Kind != PairLocked || began[0].Name != "alice" {
		t.Fatalf("tries whose clients did not come back have begun %v", began)
	}
	if began := f.Lapsed(); len(began) != 0 {
		t.Errorf("told once more: %v", began)
	}
	wantTold(t, "a password while that runs", f.login("203.0.113.1", "alice", Wrong), rushgate.RateLimited)
	f.now = f.now.Add(LockoutTime)
	wantTold(t, "after it", f.begin(t, "203.0.113.1", "alice", 20), "")
}

// A try is spent by an answer alone: whoever gives up meanwhile has still guessed.
func TestATryThatIsNotJudgedGoesOn(t *testing.T) {
	f := newFixture(t, nil)
	for i := range FailureLimit {
		wantTold(t, "a try", f.begin(t, "192.0.2.1", "alice", i), "")
		wantTold(t, "its end", f.finish(t, "192.0.2.1", "alice", i, NotJudged), "")
	}
	wantTold(t, "one try too many", f.begin(t, "192.0.2.1", "alice", 9), rushgate.RateLimited)
	wantTold(t, "its end, once more", f.finish(t, "192.0.2.1", "alice", 0, Wrong), "")
	if s := f.Stats(); s.Tries != FailureLimit-1 || s.Locked != 0 {
		t.Errorf("%+v", s)
	}
	f.now = f.now.Add(tryLife)
	f.Lapsed()
	if s := f.Stats(); s.Tries != 0 || s.Locked != 1 {
		t.Errorf("after the end of all: %+v", s)
	}
	for i := range 3 { // nothing stays charged
		f.now = f.now.Add(LockoutTime + SlowWindow)
		wantTold(t, "later", f.begin(t, "192.0.2.1", "alice", 100+i), "")
		wantTold(t, "later", f.finish(t, "192.0.2.1", "alice", 100+i, Right), "")
	}
}

// What was begun at another node, by somebody else, or too long ago is judged as any guess.
func TestATryOfAnotherDoorIsJudged(t *testing.T) {
	f := newFixture(t, nil)
	for i := range FailureLimit {
		wantTold(t, "a guess", f.finish(t, "192.0.2.1", "alice", i, Wrong), "")
	}
	wantTold(t, "one guess too many", f.finish(t, "192.0.2.1", "alice", 9, Wrong), rushgate.RateLimited)

	wantTold(t, "a try", f.begin(t, "198.51.100.1", "bob", 1), "")
	wantTold(t, "at another account", f.finish(t, "198.51.100.1", "alice", 1, Wrong), "")
	if s := f.Stats(); s.Tries != 1 {
		t.Errorf("%d tries are under way, want that at bob", s.Tries)
	}
	f.now = f.now.Add(tryLife)
	wantTold(t, "too late", f.finish(t, "198.51.100.1", "bob", 1, Wrong), "")
}

// Tries are bounded: of too many, those that began first have failed.
func TestTriesAreBounded(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.remember, c.OriginFailures = 100, -1 })
	for i := range 1000 {
		from, name := player(i)
		wantTold(t, "a try", f.begin(t, from, name, i), "")
	}
	if s := f.Stats(); s.Tries != 100 {
		t.Errorf("%d tries are under way, want 100", s.Tries)
	}
	from, name := player(999)
	wantTold(t, "the last", f.finish(t, from, name, 999, Inside), "")
	f.now = f.now.Add(tryLife)
	f.Lapsed()
	if s := f.Stats(); s.Tries != 0 {
		t.Errorf("%d tries are under way after their time", s.Tries)
	}
}

// One origin that fails at many accounts by beginning is locked out of all as one that types passwords is.
func TestTriesOfOneOriginAreCounted(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.OriginFailures = 10 })
	for i := range 10 {
		_, name := player(i)
		wantTold(t, "a try", f.begin(t, "192.0.2.1", name, i), "")
	}
	wantTold(t, "more than may fail at once", f.begin(t, "192.0.2.1", "alice", 50), rushgate.ServerBusy)
	f.now = f.now.Add(tryLife)
	if began := f.Lapsed(); len(began) != 1 || began[0].Kind != OriginLocked {
		t.Errorf("begun %v", began)
	}
	wantTold(t, "locked out", f.begin(t, "192.0.2.1", "alice", 51), rushgate.RateLimited)
	wantTold(t, "another origin", f.begin(t, "198.51.100.1", "alice", 52), "")
}

// The lane holds what it can work off in a second, and says when there is room. It is beside the queue.
func TestAFullLaneOfBeginnings(t *testing.T) {
	w := newBusyWorld(t, 10_000, func(c *Config) { c.Queue = 1 })
	if _, err := w.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}); err != nil {
		t.Fatal(err) // the queue is full
	}
	in, told := 0, time.Duration(0)
	for i := range 2 * defaultBeginPace {
		from, name := player(i)
		seat, err := w.Begin(Knock{Addr: netip.MustParseAddr(from), Name: name})
		if err == nil {
			in++
			defer seat.Close(NotJudged)
			continue
		}
		r, _ := errors.AsType[*rushgate.Refusal](err)
		if r == nil || r.Reason != rushgate.ServerBusy || r.RetryAfter < told {
			t.Fatalf("told %v, the one before %v", err, told)
		}
		told = r.RetryAfter
	}
	if in != defaultBeginPace || w.Stats().Refused.Begin != int64(defaultBeginPace) || w.Empty() {
		t.Errorf("%d in the lane, %d refused", in, w.Stats().Refused.Begin)
	}
	w.Close()
	bob := Knock{Addr: netip.MustParseAddr("192.0.2.9"), Name: "bob"}
	_, err := w.Begin(bob)
	wantTold(t, "a closed door, to begin", rushgate.ReasonOf(err), rushgate.ServerBusy)
	_, err = w.Finish(bob, tryID(1))
	wantTold(t, "a closed door, to finish", rushgate.ReasonOf(err), rushgate.ServerBusy)
}

// Those who were let begin find room to end what they did, however many others come with tokens or with what they have
// begun elsewhere. Nothing new is begun while not even they would find any.
func TestAnEndIsPreferredToABeginning(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.OriginFailures, c.ResumePace = -1, leastLane })
	come := func(i int) Knock {
		from, name := player(i)
		return Knock{Addr: netip.MustParseAddr(from), Name: name}
	}
	const begun = leastLane
	for i := range begun {
		from, name := player(i)
		wantTold(t, "a beginning", f.begin(t, from, name, i), "")
	}
	for i := range 2 * leastLane {
		others := come(1000 + i)
		seat, err := f.Resume(Knock{Addr: others.Addr, Name: others.Name, Want: Resume})
		if (err == nil) != (i < leastLane) {
			t.Fatalf("token %d was told %v", i, err)
		}
		if err == nil {
			defer seat.Close(NotJudged)
		}
	}
	stranger := come(5000)
	if r, refused := f.TurnAwayFinish(stranger, tryID(5000)); !refused || r.RetryAfter <= 0 {
		t.Errorf("what was begun elsewhere finds room in a full lane: %+v", r)
	}
	for i := range leastLane / partForEnds {
		if r, refused := f.TurnAwayBegin(come(6000)); refused {
			t.Fatalf("nothing is begun though %d ends have been let in: %+v", i, r)
		}
		if r, refused := f.TurnAwayFinish(come(i), tryID(i)); refused {
			t.Fatalf("an end is turned away: %+v", r)
		}
		seat, err := f.Finish(come(i), tryID(i))
		if err != nil {
			t.Fatalf("end %d was told %v", i, err)
		}
		defer seat.Close(NotJudged)
	}
	r, refused := f.TurnAwayBegin(come(6000))
	if !refused || r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
		t.Errorf("something is begun for whose end there is no room: %+v", r)
	}
	if r, refused := f.TurnAwayFinish(come(begun-1), tryID(begun-1)); !refused || r.RetryAfter <= 0 {
		t.Errorf("the room for ends has no bound: %+v", r)
	}
	if s := f.Stats(); s.Tries != begun-leastLane/partForEnds || s.TurnedAway.Begin != 1 || s.TurnedAway.Lane != 2 {
		t.Errorf("%+v", s)
	}
}

// TurnAwayBegin and TurnAwayFinish take nothing, and agree with what they look ahead to.
func TestTurningAwayProofsTakesNothing(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.OriginFailures, c.BeginPace = -1, leastLane })
	alice := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}
	for range 10 * leastLane {
		if r, refused := f.TurnAwayBegin(alice); refused {
			t.Fatalf("turned away from an empty lane: %+v", r)
		}
		if r, refused := f.TurnAwayFinish(alice, tryID(1)); refused {
			t.Fatalf("turned away from an empty lane: %+v", r)
		}
	}
	if s := f.Stats(); s.Tries+s.Beginnings != 0 || s.Refused.Begin+s.TurnedAway.Begin != 0 {
		t.Errorf("%+v", s)
	}
	for i := range leastLane {
		from, name := player(i)
		seat, err := f.Begin(Knock{Addr: netip.MustParseAddr(from), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		defer seat.Close(NotJudged)
	}
	_, err := f.Begin(alice)
	r, refused := f.TurnAwayBegin(alice)
	if !refused || rushgate.ReasonOf(err) != r.Reason || r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
		t.Errorf("turned away with %+v, refused with %v", r, err)
	}
	if s := f.Stats(); s.Refused.Begin != 2 || s.TurnedAway.Begin != 1 {
		t.Errorf("counted %d and %d", s.Refused.Begin, s.TurnedAway.Begin)
	}
}
