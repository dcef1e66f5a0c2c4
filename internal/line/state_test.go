package line

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"
)

// goldenLine returns a line with something of everything that is saved.
func goldenLine(t testing.TB) *stand {
	s := newStand(t, func(c *Config) { c.Weights = []int{1, 3} })
	s.take(40, 0)
	s.take(3, 1)
	for range 30 {
		_, _, _ = s.Take(Ask{Origin: originOf(9999)})
	}
	s.pass(2*time.Second, 10)
	s.take(20, 0)
	return s
}

func TestGoldenState(t *testing.T) {
	golden := checkGolden(t, "state", goldenLine(t).State())
	want := goldenLine(t)
	got := newStand(t, func(c *Config) { c.Weights = []int{1, 3} })
	got.start(golden)
	for i := range want.tiers {
		w, g := &want.tiers[i], &got.tiers[i]
		more := g.waiting() - w.waiting()
		if w.plain.mark != g.plain.mark || w.ahead.mark != g.ahead.mark || more < 0 || more > 20 {
			t.Errorf("tier %d: %d wait from %d on, want %d from %d on", i, g.waiting(), g.plain.mark, w.waiting(), w.plain.mark)
		}
	}
}

func TestStatesThatAreRefused(t *testing.T) {
	good := goldenLine(t).State()
	for name, b := range map[string][]byte{
		"nothing": {}, "one byte": {stateVersion}, "short": good[:len(good)-1], "long": append(bytes.Clone(good), 0),
		"of another version": append([]byte{2}, good[1:]...),
		"altered":            append(append(bytes.Clone(good[:9]), good[9]^1), good[10:]...),
		"cut off":            summed(good[:20]), "with more": summed(append(bytes.Clone(good[:len(good)-stateSum]), 0)),
	} {
		if _, err := New(Config{State: b}); !errors.Is(err, ErrBadState) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := CheckState(b); !errors.Is(err, ErrBadState) {
			t.Errorf("%s is checked as good: %v", name, err)
		}
	}
}

// What waits in a state is what waits in the line that it is of.
func TestCheckState(t *testing.T) {
	full, empty := goldenLine(t), newStand(t, nil)
	want := 0
	for _, n := range full.Stats().Waiting {
		want += n
	}
	if n, err := CheckState(full.State()); err != nil || n != int64(want) || n == 0 {
		t.Errorf("%d wait, %v; want %d", n, err, want)
	}
	if n, err := CheckState(empty.State()); err != nil || n != 0 {
		t.Errorf("%d wait in an empty line, %v", n, err)
	}
}

func summed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:stateSum]...)
}

// A watermark that nobody waits behind and a newest turn a thousand years on, which no line has written, are read. What
// looks for turns between the two must not go through all of that time.
func TestStateWithANewestTurnOutOfReach(t *testing.T) {
	now, far := noon.UnixMicro(), noon.AddDate(1000, 0, 0).UnixMicro()
	empty := savedTrack{mark: now, newest: far, passes: []pass{{now, 0}}}
	waits := savedTrack{mark: now, newest: now + sliceLength, passes: []pass{{now, 0}}}
	waits.counts[0] = []savedCount{{now / sliceLength, 3}}
	for name, tracks := range map[string][]savedTrack{
		"of a tier": {empty, waits}, "of a tier that is no more": {waits, empty, empty, empty},
	} {
		s := newStand(t, nil)
		s.start((&state{turn: now, tracks: tracks}).marshal())
		for i := range s.tiers {
			for _, track := range []*track{&s.tiers[i].plain, &s.tiers[i].ahead} {
				if track.newest-track.mark > reach {
					t.Fatalf("%s: the newest turn is %d s from the watermark", name,
						(track.newest-track.mark)/1e6)
				}
			}
		}
		if s.take(2, 0); s.waiting() != 5 {
			t.Errorf("%s: %d wait, want 5", name, s.waiting())
		}
	}
}

// FuzzState looks for states that crash the parser, or a line that begins with them.
func FuzzState(f *testing.F) {
	good := goldenLine(f).State()
	f.Add(good)
	f.Add(good[:len(good)-stateSum])
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, summed(b)} {
			saved, err := parseState(b)
			if err != nil {
				if !errors.Is(err, ErrBadState) {
					t.Error(err)
				}
				continue
			}
			if again := saved.marshal(); !bytes.Equal(again, b) {
				t.Errorf("%x is read, and written as %x", b, again)
			}
			s := newStand(t, func(c *Config) { c.State = nil })
			s.start(b)
			s.take(2, 0)
			s.pass(time.Second, 10)
			s.Document(0)
			s.Stats()
			if _, err := parseState(s.State()); err != nil {
				t.Errorf("a line that began with %x has a state of its own that is not read: %v", b, err)
			}
		}
	})
}

// Turns that were drawn for an opening are saved coarsely. After a restart without the opening they are called before
// their time, each of them, and the document says so.
func TestTurnsFarAheadAreCalledAfterARestart(t *testing.T) {
	s := newStand(t, func(c *Config) { c.Opens, c.Window = noon.Add(time.Hour), 10*time.Minute })
	tickets := s.take(20, 0)
	saved := s.State()
	s.cfg.Opens = time.Time{}
	s.start(saved)
	s.pass(10*time.Second, 1000)
	d := s.Document(0)
	for i, ticket := range tickets {
		if _, _, waits := PlaceOf(d, ticket.Turn); waits {
			t.Errorf("the document tells the holder of ticket %d to wait: %+v", i, d)
		}
		if err := s.redeem(&ticket); err != nil {
			t.Errorf("ticket %d, %v ahead: %v", i, ticket.Turn.Sub(s.Now()), err)
		}
	}
}
