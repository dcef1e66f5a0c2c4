package door

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// resume has a client show a token, and returns its seat, or the refusal.
func (w *busyWorld) resume(from, name string, want Want) (*Seat, rushgate.Refusal) {
	seat, err := w.Resume(Knock{Addr: netip.MustParseAddr(from), Name: name, Want: want})
	r, _ := errors.AsType[*rushgate.Refusal](err)
	if r == nil {
		r = &rushgate.Refusal{}
	}
	return seat, *r
}

func player(i int) (from, name string) {
	return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), fmt.Sprint("player-", i)
}

// The lane holds what it can work off in a second. Those for whom it has no room are told to come back one after the
// other, as fast as it works, and find room then if it has worked as it does.
func TestAFullLaneSaysWhenThereIsRoom(t *testing.T) {
	const pace, crowd = 500, 1500
	w := newBusyWorld(t, 10_000, func(c *Config) { c.ResumePace = pace })
	var inLane []*Seat
	var waits []time.Duration
	for i := range crowd {
		from, name := player(i)
		seat, r := w.resume(from, name, Resume)
		if seat != nil {
			inLane = append(inLane, seat)
			continue
		}
		if r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
			t.Fatalf("player %d is told %+v", i, r)
		}
		waits = append(waits, r.RetryAfter)
	}
	if len(inLane) != pace {
		t.Errorf("%d are in the lane, want what it works off in a second, %d", len(inLane), pace)
	}
	if !slices.IsSorted(waits) {
		t.Error("a later client is told to come back before an earlier one")
	}
	for k, wait := range waits {
		// The first when what is in the lane has been worked off, each further one by as much later as one takes.
		if want := time.Second + time.Duration(k)*time.Second/pace; wait < want-time.Millisecond || wait > want+want/10 {
			t.Fatalf("refusal %d: come back after %v, want about %v", k, wait, want)
		}
	}
	for i, at := 0, time.Duration(0); i < len(waits); i++ {
		for ; at < waits[i]; at += time.Second / pace { // the lane works
			if w.now = w.now.Add(time.Second / pace); len(inLane) > 0 {
				inLane[0].Close(NotJudged)
				inLane = inLane[1:]
			}
		}
		from, name := player(crowd + i)
		seat, r := w.resume(from, name, Resume)
		if seat == nil {
			t.Fatalf("client %d came when it was told to, and is told %+v", i, r)
		}
		inLane = append(inLane, seat)
	}
	if n := w.Stats().Refused.Lane; n != int64(len(waits)) {
		t.Errorf("%d refusals are counted, want %d", n, len(waits))
	}
}

// One address can neither fill the lane, nor put off the moments of others by being refused.
func TestOneOriginLeavesRoomInTheLane(t *testing.T) {
	w := newBusyWorld(t, 10_000, func(c *Config) { c.ResumePace = 300 })
	in := 0
	for i := range 1000 {
		_, name := player(i)
		if seat, r := w.resume("192.0.2.1", name, Resume); seat != nil {
			in++
		} else if r.RetryAfter < time.Second/3 || r.RetryAfter > 2*time.Second {
			t.Fatalf("told %+v", r)
		}
	}
	if in < 150 || in > 250 {
		t.Errorf("one address has %d of 300 places", in)
	}
	if seat, r := w.resume("192.0.2.2", "other", Resume); seat == nil {
		t.Errorf("another address is told %+v", r)
	}
}

// Many who come back from one address are no attack.
func TestASharedAddressComesBack(t *testing.T) {
	w := newBusyWorld(t, 10_000, func(c *Config) { c.OriginFailures, c.OriginShare = 5, 100 })
	for _, want := range []Want{Resume, Continue} {
		for i := range 1000 {
			_, name := player(i)
			seat, r := w.resume("192.0.2.1", name, want)
			if seat == nil {
				t.Fatalf("player %d: %+v", i, r)
			}
			if err := seat.Sit(Proven{Name: name}); err != nil {
				t.Fatal(err)
			}
			seat.Close(Inside)
			w.Left(name, Left)
		}
	}
}

// What bad tokens are held against, and what not.
func TestBadTokens(t *testing.T) {
	bad := func(w *busyWorld, want Want, n int) (last rushgate.Reason) {
		for i := range n {
			seat, r := w.resume("192.0.2.1", fmt.Sprint("name-", i), want)
			if seat == nil {
				return r.Reason
			}
			seat.Close(Unknown)
		}
		return ""
	}
	few := func(c *Config) { c.OriginFailures = 10 }
	tests := []struct {
		name string
		want Want
		n    int
		told rushgate.Reason // the one who shows them
		then Want            // what is wanted from that address afterwards
		free bool
	}{
		{"resume tokens lock the origin out", Resume, 11, rushgate.RateLimited, Resume, false},
		{"of passwords too", Resume, 11, rushgate.RateLimited, Login, false},
		{"but not of sessions that go on", Resume, 11, rushgate.RateLimited, Continue, true},
		{"sessions that are over do not lock out", Continue, 10, "", Login, true},
		{"nor resumes", Continue, 10, "", Resume, true},
		{"ten times as many are enough", Continue, 101, rushgate.RateLimited, Continue, false},
		{"without a lockout", Continue, 101, rushgate.RateLimited, Login, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newBusyWorld(t, 1000, few)
			if told := bad(w, tt.want, tt.n); told != tt.told {
				t.Errorf("told %q, want %q", told, tt.told)
			}
			var seat *Seat
			if tt.then == Login {
				seat, _ = w.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"})
			} else {
				seat, _ = w.resume("192.0.2.1", "alice", tt.then)
			}
			if (seat != nil) != tt.free {
				t.Errorf("afterwards a client of that address has a seat: %v, want %v", seat != nil, tt.free)
			}
			if other, r := w.resume("192.0.2.2", "name-1", Resume); other == nil {
				t.Errorf("another address, at an account that was tried: %+v", r)
			}
			w.now = w.now.Add(OriginWindow + LockoutTime)
			if seat, r := w.resume("192.0.2.1", "bob", tt.want); seat == nil {
				t.Errorf("after a while: %+v", r)
			}
		})
	}
}

// Strangers who show bad tokens for an account keep its player out of nothing.
func TestBadTokensDoNotLockAnAccount(t *testing.T) {
	w := newBusyWorld(t, 1000, nil)
	for i := range 10 * SlowLimit {
		from, _ := player(i)
		for range FailureLimit {
			if seat, _ := w.resume(from, "alice", Resume); seat != nil {
				seat.Close(Unknown)
			}
		}
	}
	if seat, r := w.resume("192.0.2.1", "alice", Resume); seat == nil {
		t.Errorf("resume: %+v", r)
	}
	if _, err := w.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}); err != nil {
		t.Errorf("login: %v", err)
	}
}

// A seat of the lane takes a place in the world only when its token has proved to be good.
func TestTokensAndTheWorld(t *testing.T) {
	w := newBusyWorld(t, 1, nil)
	first, _ := w.resume("192.0.2.1", "alice", Resume)
	second, _ := w.resume("192.0.2.2", "bob", Resume)
	if first == nil || second == nil {
		t.Fatal("a token takes a place before it is judged")
	}
	if err := first.Sit(Proven{Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	var r *rushgate.Refusal
	if err := second.Sit(Proven{Name: "bob"}); !errors.As(err, &r) || r.Reason != rushgate.ServerBusy ||
		r.Place.Number != 0 {
		t.Errorf("in a full world: %v", err)
	}
	second.Close(Right)
	first.Close(Inside)
	for _, want := range []Want{Resume, Continue} { // or strangers could ask for whom there is a place
		if seat, r := w.resume("192.0.2.2", "bob", want); seat == nil {
			t.Errorf("a full world refuses what nothing is known of yet: %+v", r)
		}
	}
	if seat, _ := w.resume("192.0.2.2", "bob", Forget); seat == nil {
		t.Error("to forget a device takes a place in the world")
	}
	if seat, _ := w.resume("192.0.2.1", "alice", Continue); seat == nil {
		t.Error("a player has no claim to the place that is the player's own")
	}
	// With wait it is given a place in the line, which it comes in by as after a login.
	bob := newHopeful(7)
	k := Knock{Addr: bob.addr, Name: bob.name, Want: Resume, Wait: true, Holder: line.HolderOf([]byte(bob.secret))}
	seat, err := w.Resume(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := bob.told(seat.Sit(Proven{Player: 7, Name: bob.name})); !ok || bob.proof == "" {
		t.Fatal("no place in the line of the world")
	}
	seat.Close(Right)
	w.Left("alice", Left)
	for range 100 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.Move()
	}
	if err := w.enter(bob); err != nil {
		t.Errorf("at its turn: %v", err)
	}
}

// Who is sent away by a node that goes down comes back no faster than the next one can let in.
func TestDrainingSpreadsReturns(t *testing.T) {
	const players = 20_000
	least, most := time.Hour, time.Duration(0)
	jitter := 0
	w := newBusyWorld(t, players, func(c *Config) {
		c.ResumePace, c.OriginShare = 1000, 100
		c.Jitter = func(n time.Duration) time.Duration { jitter++; return n * time.Duration(jitter%10) / 10 }
	})
	for i := range players {
		from, name := player(i)
		seat, _ := w.resume(from, name, Resume)
		seat.Sit(Proven{Name: name})
		seat.Close(Inside)
	}
	w.Close()
	for i := range 1000 {
		from, name := player(i)
		_, r := w.resume(from, name, Continue)
		least, most = min(least, r.RetryAfter), max(most, r.RetryAfter)
	}
	if least < 5*time.Second || least > 6*time.Second || most < 20*time.Second || most > 25*time.Second {
		t.Errorf("20,000 players are told to come back within %v to %v, want 20 s for 1,000 a second", least, most)
	}
}
