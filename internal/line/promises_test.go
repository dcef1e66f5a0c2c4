package line

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A player that is let in counts once, by the interval that it was told with its place.
func TestPromisesAreJudgedOnce(t *testing.T) {
	none := Promises{}
	kept, early, late, away := Promises{Kept: 1, Share: 1}, Promises{Early: 1}, Promises{Late: 1}, Promises{Away: 1}
	letIn := func(s *stand, tk *Ticket) error {
		err := s.redeem(tk)
		if err == nil {
			s.LetIn(tk)
			s.LetIn(tk)
		}
		return err
	}
	// The sixth of those who wait at ten per second is told half a second, 0 to 5.7 s.
	for name, c := range map[string]struct {
		play func(s *stand, first []Ticket) error
		want Promises
	}{
		"waits": {func(*stand, []Ticket) error { return nil }, none},
		"let in in time": {func(s *stand, f []Ticket) error {
			s.pass(2*time.Second, 20)
			return letIn(s, &f[5])
		}, kept},
		"let in late": {func(s *stand, f []Ticket) error {
			s.pass(7*time.Second, 20)
			return letIn(s, &f[5])
		}, late},
		"called in time, and long away": {func(s *stand, f []Ticket) error {
			s.pass(time.Minute, 20)
			return letIn(s, &f[5])
		}, away},
		"called late": {func(s *stand, f []Ticket) error {
			s.pass(time.Minute, -20)
			s.pass(2*time.Second, 20)
			return letIn(s, &f[5])
		}, late},
		"given back, and let in late": {func(s *stand, f []Ticket) error {
			s.pass(2*time.Second, 20)
			if err := s.redeem(&f[5]); err != nil {
				return err
			}
			s.GiveBack(&f[5])
			s.pass(7*time.Second, 20)
			return letIn(s, &f[5])
		}, late},
		"given back, and let in long after its turn": {func(s *stand, f []Ticket) error {
			s.pass(2*time.Second, 20)
			if err := s.redeem(&f[5]); err != nil {
				return err
			}
			s.GiveBack(&f[5])
			s.pass(time.Minute, 20)
			return letIn(s, &f[5])
		}, late},
		"given back": {func(s *stand, f []Ticket) error {
			s.pass(2*time.Second, 20)
			if err := s.redeem(&f[5]); err != nil {
				return err
			}
			s.GiveBack(&f[5])
			return nil
		}, none},
		"used twice": {func(s *stand, f []Ticket) error {
			s.pass(2*time.Second, 20)
			if err := letIn(s, &f[5]); err != nil {
				return err
			}
			s.want("twice", s.redeem(&f[5]), ErrUsed)
			return nil
		}, kept},
		"let in before its turn": {func(s *stand, _ []Ticket) error {
			far := s.take(200, 0)[199]
			s.RedeemEarly(&far)
			return nil
		}, early},
		"without a ticket": {func(s *stand, _ []Ticket) error {
			s.pass(100*time.Millisecond, -20)
			_, err := s.Come(originOf(7), "ann", false)
			s.want("a newcomer", err, ErrNotYet)
			s.pass(3*time.Second, 20)
			if !s.Came(originOf(7), "ann") || s.Came(originOf(7), "ann") {
				t.Error("without a ticket: came twice, or not at all")
			}
			return nil
		}, kept},
		"the process stood still": {func(s *stand, f []Ticket) error {
			s.elapsed += time.Hour
			s.pass(2*time.Second, 20)
			return letIn(s, &f[5])
		}, late},
		"the clock is set": {func(s *stand, f []Ticket) error {
			s.wall = s.wall.Add(time.Hour)
			s.pass(2*time.Second, 20)
			return letIn(s, &f[5])
		}, kept},
		"told before a restart": {func(s *stand, f []Ticket) error {
			s.start(s.State())
			s.take(10, 0) // of the same serials
			s.pass(7*time.Second, 20)
			return letIn(s, &f[5])
		}, none},
	} {
		s := newStand(t, nil)
		s.want(name, c.play(s, s.take(6, 0)), nil)
		if got := s.Stats().Promises; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// However many wait, the counts tell of as many as came in, and the share of those for which the promise was kept,
// though only a sample is remembered.
func TestPromisesOfASample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &promises{}
		players := rapid.IntRange(1, 60_000).Draw(t, "players")
		every := rapid.IntRange(2, 50).Draw(t, "one of so many comes late")
		shows := rapid.Float64Range(0.2, 1).Draw(t, "so many come")
		out := Outlook{Low: time.Minute, High: 2 * time.Minute}
		key := func(i int) uint64 { return uint64(i)*0x9e3779b97f4a7c15 | 1 }
		for i := range players {
			p.made(key(i), out, i, 0, time.Minute)
		}
		came, lateOnes := 0, 0
		for i := range players {
			if math.Mod(float64(i)*math.Phi, 1) >= shows {
				continue
			}
			came++
			at := 90 * time.Second
			if math.Mod(float64(i)*math.Sqrt2, 1) < 1/float64(every) {
				at = 3 * time.Minute
				lateOnes++
			}
			p.letIn(key(i), at)
		}
		s := p.stats()
		near := func(what string, got int64, want int) {
			if e := math.Abs(float64(got) - float64(want)); e > 0.05*float64(players) {
				t.Fatalf("%d %s, want %d of %d players", got, what, want, players)
			}
		}
		near("came", s.Kept+s.Late+s.Early, came)
		near("came late", s.Late, lateOnes)
		if players <= rememberAll && (s.Kept+s.Late != int64(came) || s.Late != int64(lateOnes)) {
			t.Fatalf("%+v of %d players, of whom %d came, %d late", s, players, came, lateOnes)
		}
	})
}

// Tickets that are never used, however many an origin asks for, leave no room to the next players for no longer than
// they could be used.
func TestPromisesToThoseWhoNeverCome(t *testing.T) {
	p := &promises{}
	out := Outlook{High: time.Minute}
	for i := range uint64(1_000_000) {
		p.made(i*0x9e3779b97f4a7c15|1, out, 0, 0, time.Minute)
	}
	if len(p.entries) != promiseEntries {
		t.Fatalf("%d entries", len(p.entries))
	}
	p.since = 0
	for i := range uint64(1000) {
		key := i*0xd1b54a32d192ed03 | 1
		p.made(key, out, 0, 3*time.Minute, time.Minute)
		p.letIn(key, 3*time.Minute+time.Second)
	}
	if s := p.stats(); s.Kept != 1000 || s.Share != 1 {
		t.Errorf("%+v", s)
	}
}
