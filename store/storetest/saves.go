package storetest

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var saveCases = []testCase{
	{"EveryFieldIsKept", saveKeepsFields},
	{"OddPositionsAreKept", saveOddPositions},
	{"InOrderWithOneResultEach", savesInOrder},
	{"ExpiredButUnclaimedStillSaves", saveExpired},
	{"StaleFenceIsLost", saveStale},
	{"ReleaseEndsTheLease", releaseEnds},
	{"RepeatedReleaseIsHarmless", repeatedRelease},
	{"DataIsCopied", dataIsCopied},
	{"TooMuchDataWritesNothing", tooMuchData},
	{"NumbersThatAreNoneWriteNothing", noNumbers},
	{"NumbersAreCopied", numbersAreCopied},
}

// again returns the character as the next session finds it; the current one is released as it is.
func again(t *testing.T, s rushgate.Store, attempt string) rushgate.Admitted {
	t.Helper()
	return admit(t, s, nodeA2, login(1, "alice", attempt))
}

func saveKeepsFields(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	want := rushgate.Character{
		ID: 1, Name: "alice", Zone: "forest/é\x00", X: -1.5e300, Y: math.SmallestNonzeroFloat64,
		Numbers: rushgate.Numbers{
			"hp": -7, "xp": math.MaxInt64, "level": 99, "deaths": 3,
			"gold": math.MinInt64, "silver_2": 1 << 60,
		},
		Playtime: 36*time.Hour + time.Millisecond, CreatedAt: in.Character.CreatedAt,
		Data: []byte("\x00\xff any bytes \x00"),
	}
	written := want
	written.CreatedAt = epoch.Add(time.Hour) // never changes
	written.Playtime += 999 * time.Microsecond
	if err := save(t, s, rushgate.Save{Character: written, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	wantCharacter(t, again(t, s, "2").Character, want)
	if ranks := top(t, s, rushgate.BoardXP, 1); ranks[0].Name != "alice" || ranks[0].Score != math.MaxInt64 {
		t.Errorf("leaderboard is %+v", ranks)
	}
}

// A world that computes nonsense for one player must not keep the rest of the batch from being saved.
func saveOddPositions(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 0} {
		in.Character.X, in.Character.Y = x, -x
		if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
			t.Fatalf("save at %v: %v", x, err)
		}
		got := admit(t, s, nodeA, login(1, "alice", "first"))
		wantCharacter(t, got.Character, in.Character)
	}
}

func savesInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := register(t, s, 1, "alice"), register(t, s, 2, "bob")
	at := func(in rushgate.Admitted, xp int64) rushgate.Save {
		setNumber(&in.Character, "xp", xp)
		return rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
	}
	unknown := rushgate.Save{Character: rushgate.Character{ID: 99, Name: "nobody"}, Fence: 1}
	stale, misnamed := at(a, 1000), at(a, 1000)
	stale.Fence--
	misnamed.Character.Name = "bob"
	misnamed.Release = true
	errs := saveAll(t, s, at(b, 5), stale, at(a, 1), unknown, misnamed, at(a, 2))
	for i, lost := range []bool{false, true, false, true, true, false} {
		if lost != errors.Is(errs[i], rushgate.ErrLeaseLost) || !lost && errs[i] != nil {
			t.Errorf("save %d: %v", i, errs[i])
		}
	}
	want := []rushgate.Rank{{Rank: 1, Player: 2, Name: "bob", Score: 5}, {Rank: 2, Player: 1, Name: "alice", Score: 2}}
	wantRanks(t, top(t, s, rushgate.BoardXP, 10), want)
	saveAll(t, s)
}

func saveExpired(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	h.Advance(10 * rushgate.LeaseTTL)
	setNumber(&in.Character, "xp", 9)
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatalf("save after expiry: %v", err)
	}
	wantInside(t, s, 0) // saving is not refreshing
	wantCharacter(t, again(t, s, "2").Character, in.Character)
}

func saveStale(t *testing.T, h Harness) {
	s := h.open(t)
	old := register(t, s, 1, "alice")
	h.Advance(rushgate.LeaseTTL)
	now := admit(t, s, nodeB, login(1, "alice", "b"))
	wantLost := func(when string) {
		t.Helper()
		setNumber(&old.Character, "xp", old.Character.Numbers["xp"]+1)
		for _, release := range []bool{false, true} {
			err := save(t, s, rushgate.Save{Character: old.Character, Fence: old.Lease.Fence, Release: release})
			if !errors.Is(err, rushgate.ErrLeaseLost) {
				t.Errorf("save (release %v) %s: %v, want %v", release, when, err, rushgate.ErrLeaseLost)
			}
		}
	}
	wantLost("while the new lease is live")
	wantInside(t, s, 1)
	h.Advance(rushgate.LeaseTTL)
	wantLost("after the new lease has expired")
	release(t, s, now)
	wantLost("after the new lease was released")
	wantCharacter(t, again(t, s, "3").Character, now.Character)
}

func releaseEnds(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	in.Character.Zone = "inn"
	release(t, s, in)
	wantInside(t, s, 0)
	late := in.Character
	late.Zone = "road"
	for _, fence := range []uint64{in.Lease.Fence, in.Lease.Fence + 1} {
		if err := save(t, s, rushgate.Save{Character: late, Fence: fence}); !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("save with fence %d after release: %v, want %v", fence, err, rushgate.ErrLeaseLost)
		}
	}
	got := admit(t, s, nodeB, login(1, "alice", "b"))
	wantCharacter(t, got.Character, in.Character)
	if got.Resumed || got.Lease.Fence <= in.Lease.Fence {
		t.Errorf("login after release got %+v after %+v", got.Lease, in.Lease)
	}
}

// The answer to a release may be lost; the caller must be able to find out that it was done.
func repeatedRelease(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	setNumber(&in.Character, "xp", 5)
	release(t, s, in)
	repeat := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
	setNumber(&repeat.Character, "xp", 6)
	for i, err := range saveAll(t, s, repeat, repeat) {
		if err != nil {
			t.Errorf("repetition %d: %v", i, err)
		}
	}
	for _, fence := range []uint64{in.Lease.Fence - 1, in.Lease.Fence + 1} {
		wrong := repeat
		wrong.Fence = fence
		if err := save(t, s, wrong); !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("release with fence %d: %v, want %v", fence, err, rushgate.ErrLeaseLost)
		}
	}
	next := admit(t, s, nodeB, login(1, "alice", "b"))
	wantCharacter(t, next.Character, in.Character)
	if err := save(t, s, repeat); !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("release repeated after the next login: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	wantInside(t, s, 1)
}

func dataIsCopied(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	data := []byte("as saved")
	in.Character.Data = data
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	copy(data, "SCRIBBLE")
	for range 2 {
		got := admit(t, s, nodeA, login(1, "alice", "first")).Character.Data
		if !bytes.Equal(got, []byte("as saved")) {
			t.Fatalf("data is %q", got)
		}
		copy(got, "SCRIBBLE")
	}
	in.Character.Data = nil
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	wantCharacter(t, admit(t, s, nodeA, login(1, "alice", "first")).Character, in.Character)
}

func noNumbers(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := register(t, s, 1, "alice"), register(t, s, 2, "bob")
	changed := a.Character
	setNumber(&changed, "xp", 5)
	setNumber(&b.Character, "no'name", 1)
	errs, err := s.Save(t.Context(), []rushgate.Save{
		{Character: changed, Fence: a.Lease.Fence},
		{Character: b.Character, Fence: b.Lease.Fence},
	})
	if err == nil || !strings.Contains(err.Error(), "number") {
		t.Fatalf("Save = %v, %v; want an error that names the number", errs, err)
	}
	wantCharacter(t, again(t, s, "2").Character, a.Character)
	b.Character.Numbers = rushgate.Numbers{"zero": 0}
	for i := range rushgate.MaxNumbers {
		b.Character.Numbers[strings.Repeat(string(rune('a'+i)), rushgate.MaxNumberName)] = math.MinInt64
	}
	if err := save(t, s, rushgate.Save{Character: b.Character, Fence: b.Lease.Fence}); err != nil {
		t.Fatalf("save of as many numbers as there may be: %v", err)
	}
	wantCharacter(t, admit(t, s, nodeA, login(2, "bob", "first")).Character, b.Character)
	b.Character.Numbers = nil
	if err := save(t, s, rushgate.Save{Character: b.Character, Fence: b.Lease.Fence}); err != nil {
		t.Fatalf("save of no numbers: %v", err)
	}
	got := admit(t, s, nodeA, login(2, "bob", "first")).Character
	if wantCharacter(t, got, b.Character); got.Numbers == nil {
		t.Error("there is no map to write to")
	}
}

func numbersAreCopied(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	in.Character.Numbers["gold"] = 5
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	in.Character.Numbers["gold"] = 6
	loaded, err := s.LoadCharacters(t.Context(), []string{"alice", "alice"})
	if err != nil {
		t.Fatal(err)
	}
	loaded[0].Numbers["gold"]++
	if loaded[1].Numbers["gold"] != 5 {
		t.Errorf("numbers are %v, want 5 gold", loaded[1].Numbers)
	}
	wantRanks(t, top(t, s, boardGold, 1), []rushgate.Rank{{Rank: 1, Player: 1, Name: "alice", Score: 5}})
}

func tooMuchData(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := register(t, s, 1, "alice"), register(t, s, 2, "bob")
	changed := a.Character
	setNumber(&changed, "xp", 5)
	b.Character.Data = make([]byte, rushgate.MaxDataLen+1)
	errs, err := s.Save(t.Context(), []rushgate.Save{
		{Character: changed, Fence: a.Lease.Fence},
		{Character: b.Character, Fence: b.Lease.Fence},
	})
	if err == nil || !strings.Contains(err.Error(), "data") {
		t.Fatalf("Save = %v, %v; want an error that names the data", errs, err)
	}
	wantCharacter(t, again(t, s, "2").Character, a.Character)
	b.Character.Data = bytes.Repeat([]byte{0xa5}, rushgate.MaxDataLen)
	if err := save(t, s, rushgate.Save{Character: b.Character, Fence: b.Lease.Fence}); err != nil {
		t.Fatalf("save of the longest data: %v", err)
	}
	wantCharacter(t, admit(t, s, nodeA, login(2, "bob", "first")).Character, b.Character)
}
