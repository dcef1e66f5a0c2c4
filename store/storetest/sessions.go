package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var sessionCases = []testCase{
	{"ParkedGoesOnAnywhere", parkedGoesOn},
	{"ParkedUntilItsTimeIsUp", parkedForItsTime},
	{"ParkedIsNotInside", parkedIsNotInside},
	{"OtherLoginsClaimOverParked", claimOverParked},
	{"DeletionTakesParkedAlong", deleteParked},
	{"ReleaseEndsParked", releaseEndsParked},
	{"NothingToContinueIsNotParked", parkOfNoSession},
	{"HeldHereIsResumed", continueHere},
	{"HeldElsewhereIsAskedToMove", continueElsewhere},
	{"EndPrevailsOverMove", endPrevails},
	{"RunOutGoesOnForAWhile", continueRunOut},
	{"GoneCountsAsRunOut", goneCounts},
	{"OnlyTheSessionItselfGoesOn", continueOthers},
	{"ReleasedIsOver", continueReleased},
	{"RaisedEpochOrBanEndsIt", endedByChange},
	{"EndAttemptEndsItsSessionOnly", endAttempt},
	{"AResumedLoginKeepsTheSession", resumedKeepsSession},
	{"OneOfManyGoesOn", continueConcurrently},
	{"DevicesChangeWithIt", continueWithDevices},
	{"BadSessionsAreNamed", badSessions},
	{"BadParkingIsNamed", badParking},
	{"DurableAcrossReopen", sessionsDurable},
}

// named gives an admission a session that can be continued.
func named(a rushgate.Admission, session string) rushgate.Admission {
	a.Session = hashOf(session)
	return a
}

// goOn continues a session of player 1.
func goOn(session string) rushgate.Admission {
	a := named(login(1, "alice", "of no matter"), session)
	a.Continue = true
	return a
}

// enter registers player 1, with a session.
func enter(t *testing.T, s rushgate.Store, by rushgate.Instance, session string) rushgate.Admitted {
	t.Helper()
	return admit(t, s, by, named(registration(1, "alice", "first"), session))
}

func parking(in rushgate.Admitted, resumable time.Duration) rushgate.Save {
	return rushgate.Save{
		Character: in.Character, Fence: in.Lease.Fence, Release: true, Resumable: resumable,
	}
}

func park(t *testing.T, s rushgate.Store, in rushgate.Admitted, resumable time.Duration) {
	t.Helper()
	if err := save(t, s, parking(in, resumable)); err != nil {
		t.Fatalf("park: %v", err)
	}
}

// wantOver checks that a session of player 1 cannot be continued, by any node.
func wantOver(t *testing.T, s rushgate.Store, what, session string) {
	t.Helper()
	for _, by := range []rushgate.Instance{nodeB, nodeA2, nodeA} {
		a := goOn(session)
		a.Takeover, a.Gone = true, nodeA
		if got := admitAll(t, s, by, a)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("%s: session %s continued by %v: %+v, want %v", what, session, by, got, rushgate.BadCredentials)
		}
	}
}

func parkedGoesOn(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	for i, by := range []rushgate.Instance{nodeB, nodeA, nodeA, nodeA2, nodeB} {
		setNumber(&in.Character, "xp", int64(i))
		in.Character.Zone, in.Character.Data = fmt.Sprint("zone ", i), []byte{byte(i)}
		park(t, s, in, time.Minute)
		got := admit(t, s, by, goOn("s"))
		wantCharacter(t, got.Character, in.Character)
		if got.Resumed || got.Lease.Fence <= in.Lease.Fence || got.Previous != in.Lease.Fence || got.Attempt != "first" {
			t.Errorf("continued by %v as %+v, after %+v", by, got, in.Lease)
		}
		late := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
		if err := save(t, s, late); !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("a save under the former lease: %v, want %v", err, rushgate.ErrLeaseLost)
		}
		if again := admit(t, s, by, goOn("s")); !again.Resumed || again.Lease != got.Lease || again.Attempt != "first" {
			t.Errorf("repeated it is continued as %+v, want %+v", again, got)
		}
		if p := presence(t, s, "alice")[0]; p.Node != by.Node {
			t.Errorf("alice is %+v, want at %s", p, by.Node)
		}
		if err := refresh(t, s, by, got.Lease)[0]; err != nil {
			t.Errorf("refresh: %v", err)
		}
		in = got
	}
}

func parkedForItsTime(t *testing.T, h Harness) {
	for _, d := range []time.Duration{time.Millisecond, time.Second, rushgate.MaxResumable} {
		s := h.open(t)
		in := enter(t, s, nodeA, "s")
		park(t, s, in, d)
		h.Advance(d - time.Millisecond)
		in = admit(t, s, nodeB, goOn("s"))
		park(t, s, in, d)
		h.Advance(d)
		wantOver(t, s, fmt.Sprintf("after %v", d), "s")
		if got := admit(t, s, nodeA, login(1, "alice", "b")); got.Previous != in.Lease.Fence {
			t.Errorf("admitted as %+v after %+v", got, in.Lease)
		}
	}
}

func parkedIsNotInside(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	setNumber(&in.Character, "xp", 3)
	park(t, s, in, time.Minute)
	wantInside(t, s, 0)
	if got := want(t, s, "alice")[0]; got.Inside() || !got.Until.IsZero() {
		t.Errorf("presence is %+v", got)
	}
	wantWanted(t, s, nodeA)
	if err := refresh(t, s, nodeA, in.Lease)[0]; !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("refresh: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	late := in
	setNumber(&late.Character, "xp", 4)
	lateSave := rushgate.Save{Character: late.Character, Fence: in.Lease.Fence}
	if err := save(t, s, lateSave); !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("save: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	h.Advance(30 * time.Second)
	park(t, s, late, time.Minute) // repeated: neither written nor parked for longer
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	h.Advance(30 * time.Second)
	wantOver(t, s, "a minute after it was parked", "s")
}

func claimOverParked(t *testing.T, h Harness) {
	for name, claim := range map[string]struct {
		by rushgate.Instance
		a  rushgate.Admission
	}{
		"another login here":    {nodeA, login(1, "alice", "b")},
		"another one elsewhere": {nodeB, named(login(1, "alice", "b"), "t")},
		"a takeover":            {nodeB, takeover(1, "alice", "b")},
		"the same attempt":      {nodeA, login(1, "alice", "first")},
		"the registration":      {nodeA, named(registration(1, "alice", "first"), "t")},
	} {
		s := h.open(t)
		in := enter(t, s, nodeA, "s")
		park(t, s, in, time.Minute)
		got := admit(t, s, claim.by, claim.a)
		if got.Resumed || got.Lease.Fence <= in.Lease.Fence || got.Previous != in.Lease.Fence ||
			got.Attempt != claim.a.Attempt {
			t.Errorf("%s is admitted as %+v after %+v", name, got, in.Lease)
		}
		wantOver(t, s, name, "s")
		wantWanted(t, s, nodeA)
		wantWanted(t, s, nodeB)
		// A release of the former holder that arrives now ends nothing.
		for _, d := range []time.Duration{0, time.Minute} {
			if err := save(t, s, parking(in, d)); !errors.Is(err, rushgate.ErrLeaseLost) {
				t.Errorf("%s: a late release: %v, want %v", name, err, rushgate.ErrLeaseLost)
			}
		}
		if err := refresh(t, s, claim.by, got.Lease)[0]; err != nil {
			t.Errorf("%s: refresh: %v", name, err)
		}
	}
}

func deleteParked(t *testing.T, h Harness) {
	s := h.open(t)
	park(t, s, enter(t, s, nodeA, "s"), time.Minute)
	deleteAccount(t, s, "alice")
	wantGone(t, s)
	wantOver(t, s, "after the deletion", "s")
	release(t, s, admit(t, s, nodeA, registration(1, "alice", "b"))) // an id that comes again, as in an import
	wantOver(t, s, "after another registration", "s")
}

func releaseEndsParked(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	setNumber(&in.Character, "xp", 3)
	park(t, s, in, time.Minute)
	late := in
	setNumber(&late.Character, "xp", 4)
	for range 2 {
		release(t, s, late)
		wantOver(t, s, "after a release", "s")
	}
	park(t, s, late, time.Minute) // arrives behind the release
	wantOver(t, s, "after a release, and a parking", "s")
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
}

func parkOfNoSession(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	setNumber(&in.Character, "xp", 3)
	park(t, s, in, time.Minute)
	wantInside(t, s, 0)
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	wantOver(t, s, "without a session", "s")
}

func continueHere(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	for range 2 {
		for _, a := range []rushgate.Admission{goOn("s"), takeover(1, "alice", "first")} {
			got := admit(t, s, nodeA, a)
			if !got.Resumed || got.Lease != in.Lease || got.Previous != in.Previous || got.Attempt != "first" {
				t.Errorf("continued as %+v, want %+v", got, in)
			}
		}
		h.Advance(10 * rushgate.LeaseTTL) // no other has claimed it
	}
	admit(t, s, nodeA, goOn("s"))
	wantInside(t, s, 1) // it is refreshed
	wantWanted(t, s, nodeA)
}

func continueElsewhere(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	asked := goOn("s")
	for _, asking := range []bool{false, true, true} {
		asked.Takeover = asking
		got := admitAll(t, s, nodeB, asked)[0]
		if !errors.Is(got.Err, rushgate.AlreadyLoggedIn) || got.Holder != nodeA {
			t.Fatalf("continued elsewhere: %+v, want %v, held by %v", got, rushgate.AlreadyLoggedIn, nodeA)
		}
		wantWanted(t, s, nodeB)
		if !asking {
			wantWanted(t, s, nodeA)
			continue
		}
		if got := wanted(t, s, nodeA); len(got) != 1 || got[0] != (rushgate.Wanted{Lease: in.Lease, Move: true}) {
			t.Errorf("Wanted is %+v, want %+v to move", got, in.Lease)
		}
		wantWanted(t, s, nodeA)
	}
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil { // nothing is taken away from the holder
		t.Errorf("refresh by the holder: %v", err)
	}
	park(t, s, in, time.Minute)
	if got := admit(t, s, nodeB, asked); got.Resumed || got.Attempt != "first" {
		t.Errorf("once it was parked: %+v", got)
	}
}

// The holder of a session that some want to move and others to end is told to end it, whatever came first.
func endPrevails(t *testing.T, h Harness) {
	move, end := goOn("s"), takeover(1, "alice", "b")
	move.Takeover = true
	for _, order := range [][]rushgate.Admission{{move, end}, {end, move}, {move, end, move}, {move, move, end, end}} {
		s := h.open(t)
		in := enter(t, s, nodeA, "s")
		for _, a := range order {
			got := admitAll(t, s, nodeB, a)[0]
			if !errors.Is(got.Err, rushgate.AlreadyLoggedIn) || got.Holder != nodeA {
				t.Fatalf("%+v, want %v, held by %v", got, rushgate.AlreadyLoggedIn, nodeA)
			}
		}
		wantWanted(t, s, nodeA, in.Lease)
		wantWanted(t, s, nodeA)
	}
}

// A session whose lease is not refreshed any more goes on for the time between two refreshes and the grace, counted
// from the last one. To its own node's next process, and where its node is known to be gone, it is so at once.
func continueRunOut(t *testing.T, h Harness) {
	for name, tt := range map[string]struct {
		by   rushgate.Instance
		gone rushgate.Instance
	}{
		"elsewhere": {by: nodeB}, "by the next run": {by: nodeA2}, "since it is gone": {by: nodeB, gone: nodeA},
		"since another is gone": {by: nodeB, gone: nodeA2},
	} {
		for _, grace := range []time.Duration{0, 30 * time.Second, time.Hour} {
			for _, left := range []time.Duration{time.Millisecond, 0} {
				s := h.open(t)
				in := enter(t, s, nodeA, "s")
				h.Advance(time.Second)
				refresh(t, s, nodeA, in.Lease)
				a := goOn("s")
				a.Grace, a.Gone = grace, tt.gone
				passed := rushgate.LeaseRefresh + grace - left
				h.Advance(passed)
				got := admitAll(t, s, tt.by, a)[0]
				var want error
				switch {
				case passed < rushgate.LeaseTTL && tt.by == nodeB && tt.gone != nodeA:
					want = rushgate.AlreadyLoggedIn
				case left == 0:
					want = rushgate.BadCredentials
				}
				if !errors.Is(got.Err, want) {
					t.Errorf("%s %v after the last refresh: %v, want %v", name, passed, got.Err, want)
				}
				if want == nil && (got.Resumed || got.Previous != in.Lease.Fence || got.Attempt != "first") {
					t.Errorf("%s %v after the last refresh: continued as %+v", name, passed, got)
				}
			}
		}
	}
}

func goneCounts(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	a := takeover(1, "alice", "b")
	for _, other := range []rushgate.Instance{{}, nodeA2, nodeB} {
		a.Gone = other
		if got := admitAll(t, s, nodeB, a)[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) || got.Holder != nodeA {
			t.Errorf("with %v gone: %+v, want %v, held by %v", other, got, rushgate.AlreadyLoggedIn, nodeA)
		}
	}
	wantWanted(t, s, nodeA, in.Lease)
	a.Gone = nodeA
	got := admit(t, s, nodeB, a)
	if got.Resumed || got.Previous != in.Lease.Fence || got.Holder != (rushgate.Instance{}) || got.Attempt != "b" {
		t.Errorf("admitted as %+v", got)
	}
	wantWanted(t, s, nodeA)
	for _, err := range []error{
		refresh(t, s, nodeA, in.Lease)[0],
		save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}),
	} {
		if !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("a node that was not gone after all: %v, want %v", err, rushgate.ErrLeaseLost)
		}
	}
}

func continueOthers(t *testing.T, h Harness) {
	s := h.open(t)
	bob := goOn("s")
	bob.Account = rushgate.Account{ID: 2, Username: "bob"}
	a := bob
	a.Continue, a.Attempt = false, "first"
	admit(t, s, nodeA, named(registration(2, "bob", "first"), "of bob"))
	wantOver(t, s, "of no account", "s")
	in := enter(t, s, nodeA, "s")
	wantOver(t, s, "another", "t")
	wantOver(t, s, "bob's", "of bob")
	if got := admitAll(t, s, nodeA, bob)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
		t.Errorf("alice's session for bob: %+v, want %v", got, rushgate.BadCredentials)
	}
	for _, account := range []rushgate.Account{{ID: 2, Username: "alice"}, {ID: 1, Username: "bob"}, {Epoch: 1}} {
		a := goOn("s")
		if account.Epoch == 0 {
			a.Account = account
		}
		a.Account.Epoch = account.Epoch
		if got := admitAll(t, s, nodeA, a)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("session of %+v: %+v, want %v", a.Account, got, rushgate.BadCredentials)
		}
	}
	wantWanted(t, s, nodeA)
	park(t, s, in, time.Minute)
	wantOver(t, s, "another than is parked", "t")
	admit(t, s, nodeB, goOn("s"))
}

func continueReleased(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	release(t, s, in)
	wantOver(t, s, "released", "s")
	admit(t, s, nodeB, named(login(1, "alice", "b"), "t"))
	wantOver(t, s, "once another was opened", "s")
	h.Advance(rushgate.LeaseTTL)
	admit(t, s, nodeA, login(1, "alice", "c"))
	wantOver(t, s, "once a third was opened", "t")
}

// ending is what makes a session impossible to continue, and is not under way any more when a login asks.
var ending = map[string]func(*rushgate.AccountChange){
	"a raised epoch": func(c *rushgate.AccountChange) { c.RaiseEpoch = true },
	"a ban": func(c *rushgate.AccountChange) {
		c.Disabled = &rushgate.Disabled{Until: rushgate.Forever(), Reason: "cheating"}
	},
	"the end of its attempt": func(c *rushgate.AccountChange) { c.EndAttempt = "first" },
}

func endedByChange(t *testing.T, h Harness) {
	for name, edit := range ending {
		for state, lead := range map[string]func(s rushgate.Store, in rushgate.Admitted){
			"held":    func(rushgate.Store, rushgate.Admitted) {},
			"parked":  func(s rushgate.Store, in rushgate.Admitted) { park(t, s, in, time.Hour) },
			"run out": func(rushgate.Store, rushgate.Admitted) { h.Advance(rushgate.LeaseTTL) },
		} {
			s := h.open(t)
			in := enter(t, s, nodeA, "s")
			lead(s, in)
			c := alice(0)
			edit(&c)
			wantChanged(t, s, c, nil)
			if state == "held" {
				wantWanted(t, s, nodeA, in.Lease)
			}
			account := load(t, s, "alice")[0]
			if account.Disabled != (rushgate.Disabled{}) {
				c = alice(account.Epoch)
				c.Disabled = &rushgate.Disabled{}
				wantChanged(t, s, c, nil)
			}
			a := goOn("s")
			a.Account.Epoch, a.Grace, a.Gone, a.Takeover = account.Epoch, time.Hour, nodeA, true
			for _, by := range []rushgate.Instance{nodeB, nodeA2, nodeA} {
				if got := admitAll(t, s, by, a)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
					t.Errorf("%s, after %s, by %v: %+v, want %v", state, name, by, got, rushgate.BadCredentials)
				}
			}
			if state != "held" {
				wantWanted(t, s, nodeA)
				continue
			}
			if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil { // until its node lets it go
				t.Errorf("%s, after %s: refresh: %v", state, name, err)
			}
			setNumber(&in.Character, "xp", 8)
			park(t, s, in, time.Hour) // as one that does not know yet
			wantCharacter(t, characters(t, s, "alice")[0], in.Character)
			wantInside(t, s, 0)
			if got := admitAll(t, s, nodeB, a)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
				t.Errorf("parked, after %s: %+v, want %v", name, got, rushgate.BadCredentials)
			}
		}
	}
}

func endAttempt(t *testing.T, h Harness) {
	s := h.open(t)
	end := func(attempt string) {
		t.Helper()
		c := alice(0)
		c.EndAttempt = attempt
		wantChanged(t, s, c, nil)
	}
	create(t, s, registration(1, "alice", "made").Account)
	end("first") // there is no session at all
	in := admit(t, s, nodeA, named(login(1, "alice", "first"), "s"))
	for _, other := range []string{"other", "made", "FIRST", "first "} {
		end(other)
	}
	wantWanted(t, s, nodeA)
	park(t, s, in, time.Hour)
	end("other")
	in = admit(t, s, nodeB, goOn("s")) // the attempt stays that of the login, wherever the session goes
	end("of no matter")
	wantWanted(t, s, nodeB)
	for range 2 { // repeated
		end("first")
		wantWanted(t, s, nodeB, in.Lease)
	}
	wantOver(t, s, "after its end", "s")
	// The same login once more is let in again: what has ended is what was opened before.
	release(t, s, in)
	end("first")
	in = admit(t, s, nodeB, named(login(1, "alice", "first"), "t"))
	wantWanted(t, s, nodeB)
	park(t, s, in, time.Hour)
	admit(t, s, nodeA, goOn("t"))
}

func resumedKeepsSession(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	if got := admit(t, s, nodeA, named(login(1, "alice", "first"), "t")); !got.Resumed {
		t.Errorf("the same login again is admitted as %+v", got)
	}
	wantOver(t, s, "of the second answer", "t")
	park(t, s, in, time.Minute)
	in = admit(t, s, nodeA2, goOn("s"))
	if got := admit(t, s, nodeA2, login(1, "alice", "first")); !got.Resumed || got.Lease != in.Lease {
		t.Errorf("the login that has opened the session is admitted as %+v, want %+v", got, in)
	}
	admit(t, s, nodeA2, goOn("s"))
}

func continueConcurrently(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	park(t, s, enter(t, s, nodeA, "s"), time.Minute)
	var wg sync.WaitGroup
	results := make([]rushgate.Admitted, n)
	for i := range n {
		wg.Go(func() {
			by := rushgate.Instance{Node: fmt.Sprint("node ", i), Run: "1"}
			got, err := s.Admit(t.Context(), by, []rushgate.Admission{goOn("s")})
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			results[i] = got[0]
		})
	}
	wg.Wait()
	winner := presence(t, s, "alice")[0].Node
	for i, r := range results {
		if node := fmt.Sprint("node ", i); (r.Err == nil) != (node == winner) {
			t.Errorf("%s got %+v, and the player is at %s", node, r, winner)
		} else if r.Err != nil && (!errors.Is(r.Err, rushgate.AlreadyLoggedIn) || r.Holder.Node != winner) {
			t.Errorf("%s got %+v, want %v, held by %s", node, r, rushgate.AlreadyLoggedIn, winner)
		}
	}
}

func continueWithDevices(t *testing.T, h Harness) {
	s := h.open(t)
	park(t, s, enter(t, s, nodeA, "s"), time.Minute)
	one := device("one", "a")
	if got := admitAll(t, s, nodeB, withDevices(goOn("s"), 3, one))[0]; !errors.Is(got.Err, rushgate.ErrAccountChanged) {
		t.Errorf("with another revision: %+v, want %v", got, rushgate.ErrAccountChanged)
	}
	if got := admitAll(t, s, nodeB, withDevices(goOn("t"), 3, one))[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
		t.Errorf("with another session: %+v, want %v", got, rushgate.BadCredentials)
	}
	wantDevices(t, s, 0)
	admit(t, s, nodeB, withDevices(goOn("s"), 0, one))
	wantDevices(t, s, 1, one)
	got := admitAll(t, s, nodeA, withDevices(goOn("s"), 1))[0]
	if !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Errorf("elsewhere: %+v, want %v", got, rushgate.AlreadyLoggedIn)
	}
	wantDevices(t, s, 1, one)
}

func badSessions(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	for says, edit := range map[string]func(*rushgate.Admission){
		"SHA-256":        func(a *rushgate.Admission) { a.Session = a.Session[1:] },
		"no session":     func(a *rushgate.Admission) { a.Session = "" },
		"makes no":       func(a *rushgate.Admission) { a.Create = true },
		"replaces no":    func(a *rushgate.Admission) { a.NewHash = "new" },
		"grace of -1ms":  func(a *rushgate.Admission) { a.Grace = -time.Millisecond },
		"grace of 24h":   func(a *rushgate.Admission) { a.Grace = rushgate.MaxResumable + time.Millisecond },
		"gone: instance": func(a *rushgate.Admission) { a.Gone.Run = "1" },
		"no run id":      func(a *rushgate.Admission) { a.Gone.Node = "a" },
		"attempt":        func(a *rushgate.Admission) { a.Attempt = "" },
	} {
		bad := goOn("s")
		edit(&bad)
		got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(2, "bob", "b"), bad})
		wantNamed(t, fmt.Sprintf("Admit: %+v", got), err, says)
	}
	wantAccount(t, load(t, s, "bob")[0], rushgate.Account{})
	for _, attempt := range []string{"", "b"} { // a login without a session, and what is of no matter then
		a := login(1, "alice", "first")
		a.Grace = rushgate.MaxResumable
		c := alice(0)
		c.EndAttempt = attempt
		wantChanged(t, s, c, nil)
		if got := admit(t, s, nodeA, a); got.Lease != in.Lease {
			t.Errorf("admitted as %+v", got)
		}
	}
	long := alice(0)
	for range rushgate.MaxAttemptLen + 1 {
		long.EndAttempt += "x"
	}
	_, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{long})
	wantNamed(t, "UpdateAccounts", err, "attempt to end")
}

func badParking(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	before := in.Character
	setNumber(&in.Character, "xp", 3)
	for says, edit := range map[string]func(*rushgate.Save){
		"-1ms":           func(s *rushgate.Save) { s.Resumable = -time.Millisecond },
		"24h":            func(s *rushgate.Save) { s.Resumable = rushgate.MaxResumable + time.Millisecond },
		"with a release": func(s *rushgate.Save) { s.Release = false },
	} {
		bad := parking(in, time.Minute)
		edit(&bad)
		_, err := s.Save(t.Context(), []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence}, bad})
		wantNamed(t, "Save", err, says)
	}
	wantCharacter(t, characters(t, s, "alice")[0], before)
}

func sessionsDurable(t *testing.T, h Harness) {
	s := h.open(t)
	in := enter(t, s, nodeA, "s")
	bob := admit(t, s, nodeA, named(registration(2, "bob", "b"), "of bob"))
	setNumber(&in.Character, "xp", 3)
	park(t, s, in, time.Minute)
	s = h.reopen(t, s)
	got := admit(t, s, nodeA2, goOn("s"))
	wantCharacter(t, got.Character, in.Character)
	if got.Attempt != "first" || got.Previous != in.Lease.Fence {
		t.Errorf("parked, it is continued as %+v", got)
	}
	a := goOn("of bob")
	a.Account = rushgate.Account{ID: 2, Username: "bob"}
	if got := admit(t, s, nodeA2, a); got.Attempt != "b" || got.Previous != bob.Lease.Fence {
		t.Errorf("held by the process before, it is continued as %+v", got)
	}
	wantInside(t, s, 2)
}
