package protocol

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// link is a server and a client on a network that loses, repeats and reorders. Nothing of the server's is known to the
// client but what the messages say, and the other way round.
type link struct {
	world []State // what there is now
	tick  uint32
	enc   Encoder
	sent  map[uint32]sent
	acked uint32 // as the server knows
	air   []uint32

	dec    Decoder
	newest uint32 // as the client knows, and acknowledges
}

// sent is a snapshot that the server has sent.
type sent struct {
	message  []byte
	header   Header
	entities []*State
}

func drawState(t *rapid.T) State {
	e := rushgate.Entity{
		ID:    rapid.OneOf(rapid.Uint64Range(1, 20), rapid.Uint64Min(1)).Draw(t, "id"),
		Name:  rapid.OneOf(rapid.SampledFrom([]string{"rat", "anna"}), rapid.StringN(0, 80, 100)).Draw(t, "name"),
		Kind:  rapid.Uint8Range(1, 2).Draw(t, "kind"),
		Flags: rapid.Uint8().Draw(t, "flags"),
		Level: rapid.Uint16().Draw(t, "level"),
		HP:    rapid.Int32().Draw(t, "hp"),
		MaxHP: rapid.Int32().Draw(t, "max hp"),
	}
	s := Quantise(&e)
	s.X, s.Y = drawPosition(t, "x"), drawPosition(t, "y")
	return s
}

func drawPosition(t *rapid.T, label string) int32 {
	return rapid.Int32Range(-maxFixed, maxFixed).Draw(t, label)
}

// appear puts new entities into the world, at any place of the order; some take the id of one that is there, as a
// world that is not careful may.
func (l *link) appear(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "number") {
		at := rapid.IntRange(0, len(l.world)).Draw(t, "at")
		l.world = slices.Insert(l.world, at, drawState(t))
	}
}

// change moves, hurts, renames… some of the entities and removes one.
func (l *link) change(t *rapid.T) {
	if len(l.world) == 0 {
		t.Skip("nothing there")
	}
	for range rapid.IntRange(1, 8).Draw(t, "number") {
		s := &l.world[rapid.IntRange(0, len(l.world)-1).Draw(t, "which")]
		fresh := drawState(t)
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0, 1:
			s.X = clampFixed(s.X + rapid.Int32Range(-100, 100).Draw(t, "dx"))
		case 2:
			s.X, s.Y = fresh.X, fresh.Y
		case 3:
			s.HP, s.Flags = fresh.HP, fresh.Flags
		case 4:
			s.Level, s.MaxHP = fresh.Level, fresh.MaxHP
		case 5:
			s.Name, s.Kind = fresh.Name, fresh.Kind
		case 6:
			j := rapid.IntRange(0, len(l.world)-1).Draw(t, "with")
			*s, l.world[j] = l.world[j], *s
		}
	}
	if i := rapid.IntRange(0, len(l.world)*3).Draw(t, "gone"); i < len(l.world) {
		l.world = slices.Delete(l.world, i, i+1)
	}
}

// send encodes what there is, relative to what the client is known to have.
func (l *link) send(t *rapid.T) {
	l.tick += rapid.SampledFrom([]uint32{1, 3, 3, 3, 20, MaxBase, MaxBase + 1}).Draw(t, "ticks")
	if l.tick == 0 { // not a tick
		l.tick = 1
	}
	h := Header{Tick: l.tick, Base: l.acked, Intent: rapid.Uint32().Draw(t, "intent"), Own: Own{
		Zone:   rapid.Uint16().Draw(t, "zone"),
		X:      drawPosition(t, "own x"),
		Y:      drawPosition(t, "own y"),
		HP:     rapid.Int32().Draw(t, "own hp"),
		MaxHP:  rapid.Int32Min(0).Draw(t, "own max hp"),
		XP:     rapid.Int64Min(0).Draw(t, "xp"),
		Level:  rapid.Uint16().Draw(t, "own level"),
		Deaths: rapid.Uint32().Draw(t, "deaths"),
		Flags:  rapid.Uint8().Draw(t, "own flags"),
	}}
	l.enc.Begin(h, l.sent[l.acked].entities)
	s := sent{header: h}
	for i := range l.world {
		if state := l.world[i]; l.enc.Add(&state) {
			s.entities = append(s.entities, &state)
		}
	}
	s.message = slices.Clone(l.enc.Bytes())
	if len(s.message) > MaxSnapshot {
		t.Fatalf("a message of %d bytes", len(s.message))
	}
	l.sent[l.tick] = s
	l.air = append(l.air, l.tick)
}

// deliver gives the client one of the messages on their way. The newest must decode, as must whatever is not so late
// that its baseline may be gone.
func (l *link) deliver(t *rapid.T) {
	if len(l.air) == 0 {
		t.Skip("nothing on its way")
	}
	i := rapid.IntRange(0, len(l.air)-1).Draw(t, "which")
	tick := l.air[i]
	if !rapid.Bool().Draw(t, "again") {
		l.air = slices.Delete(l.air, i, i+1)
	}
	s := l.sent[tick]
	var got Snapshot
	if err := l.dec.Decode(s.message, &got); err != nil {
		relative := s.header.Base != 0 && tick-s.header.Base <= MaxBase
		if !relative || l.newest-s.header.Base <= MaxBase || Newer(tick, l.newest) {
			t.Fatalf("tick %d on %d, the newest being %d: %v", tick, s.header.Base, l.newest, err)
		}
		return
	}
	if l.newest == 0 || Newer(tick, l.newest) {
		l.newest = tick
	}
	h := s.header
	if got.Tick != h.Tick || got.Intent != h.Intent || got.Own != h.Own ||
		!slices.Equal(got.Entities, values(s.entities)) {
		t.Fatalf("tick %d on %d became\n%+v, want\n%+v, %+v", tick, h.Base, got, h, values(s.entities))
	}
}

// Whatever is lost, repeated or late, a client sees what the server saw, and the server never refers to what the client
// does not have.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32Min(1<<32-200)).Draw(t, "start")
		l := &link{sent: make(map[uint32]sent), tick: start}
		t.Repeat(map[string]func(*rapid.T){
			"appear":  l.appear,
			"change":  l.change,
			"send":    l.send,
			"send 2":  l.send,
			"deliver": l.deliver,
			"lose": func(t *rapid.T) {
				if len(l.air) == 0 {
					t.Skip("nothing on its way")
				}
				i := rapid.IntRange(0, len(l.air)-1).Draw(t, "which")
				l.air = slices.Delete(l.air, i, i+1)
			},
			"acknowledge": func(*rapid.T) {
				if l.newest != 0 && (l.acked == 0 || Newer(l.newest, l.acked)) {
					l.acked = l.newest
				}
			},
		})
	})
}
