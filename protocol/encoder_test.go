package protocol

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// decoded requires d to read a message, and returns what it says.
func decoded(t testing.TB, d *Decoder, b []byte) Snapshot {
	t.Helper()
	var s Snapshot
	if err := d.Decode(b, &s); err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	return s
}

func values(states []*State) []State {
	list := make([]State, len(states))
	for i, s := range states {
		list[i] = *s
	}
	return list
}

func ids(states []State) (list []uint64) {
	for _, s := range states {
		list = append(list, s.ID)
	}
	return list
}

// Every number at both ends of its range comes through, as a new entity and as a change.
func TestExtremes(t *testing.T) {
	const lo, hi = math.MinInt32, math.MaxInt32
	name := strings.Repeat("x", rushgate.MaxEntityName)
	low := &State{ID: math.MaxUint64, Name: name, X: -maxFixed, Y: maxFixed, HP: lo, MaxHP: hi, Level: math.MaxUint16}
	high := &State{ID: math.MaxUint64, Name: name, X: maxFixed, Y: -maxFixed, HP: hi, Flags: 255}
	own := Own{
		Zone: math.MaxUint16, X: maxFixed, Y: -maxFixed, HP: lo, MaxHP: hi, XP: math.MaxInt64, Level: math.MaxUint16,
		Deaths: math.MaxUint32, Flags: 255,
	}
	header := Header{Tick: math.MaxUint32 - 1, Intent: math.MaxUint32, Own: own}
	var e Encoder
	var d Decoder
	first := encode(&e, header, nil, []*State{low})
	if want := maxHeader + 1 + maxEntity; len(first) != want {
		t.Errorf("%d bytes, want %d: the longest there can be", len(first), want)
	}
	got := decoded(t, &d, first)
	if got.Tick != header.Tick || got.Intent != header.Intent || got.Own != own ||
		!slices.Equal(got.Entities, []State{*low}) {
		t.Errorf("%+v, %+v became %+v", header, low, got)
	}
	header.Tick, header.Base = math.MaxUint32, math.MaxUint32-1
	got = decoded(t, &d, encode(&e, header, []*State{low}, []*State{high}))
	if !slices.Equal(got.Entities, []State{*high}) {
		t.Errorf("%+v became %+v", high, got.Entities)
	}
	header.Tick, header.Base = 5, math.MaxUint32 // after 2^32 ticks it goes on
	got = decoded(t, &d, encode(&e, header, []*State{high}, []*State{low}))
	if !slices.Equal(got.Entities, []State{*low}) {
		t.Errorf("%+v became %+v", low, got.Entities)
	}
}

// A baseline that the client may no longer have is not used.
func TestBaselineAge(t *testing.T) {
	tests := []struct {
		base, tick uint32
		used       bool
	}{
		{0, 1000, false},
		{1000, 1000, false},
		{1001, 1000, false},
		{999, 1000, true},
		{1000 - MaxBase, 1000, true},
		{1000 - MaxBase - 1, 1000, false},
		{1000 - 256, 1000, false},
		{math.MaxUint32, MaxBase - 1, true},
		{math.MaxUint32, MaxBase, false},
	}
	states := []*State{{ID: 1, Name: "a name that takes room"}}
	for _, tt := range tests {
		var e Encoder
		e.Begin(Header{Tick: tt.tick, Base: tt.base}, states)
		e.Add(states[0])
		if used := len(e.Bytes()) < 30; used != tt.used {
			t.Errorf("tick %d on %d: baseline used %v", tt.tick, tt.base, used)
		}
		var d Decoder
		if tt.base != 0 && tt.base != tt.tick {
			decoded(t, &d, encode(new(Encoder), Header{Tick: tt.base}, nil, states))
		}
		if got := decoded(t, &d, e.Bytes()); !slices.Equal(got.Entities, values(states)) {
			t.Errorf("tick %d on %d: %+v", tt.tick, tt.base, got.Entities)
		}
	}
}

// An entity that has become something else is written whole, and one that is added twice does not spoil the message.
func TestNewDespiteBaseline(t *testing.T) {
	base := State{ID: 1, Name: "rat", Kind: 2, X: 64}
	renamed, changed, moved := base, base, base
	renamed.Name, changed.Kind, moved.X = "bat", 3, 65
	tests := map[string][]*State{
		"renamed":      {&renamed},
		"another kind": {&changed},
		"twice":        {&moved, &base},
		"renamed, too": {&renamed, &moved},
	}
	for name, states := range tests {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			var d Decoder
			decoded(t, &d, encode(&e, Header{Tick: 1}, nil, []*State{&base}))
			got := decoded(t, &d, encode(&e, Header{Tick: 2, Base: 1}, []*State{&base}, states))
			if !slices.Equal(got.Entities, values(states)) {
				t.Errorf("%+v became %+v", values(states), got.Entities)
			}
		})
	}
}

func TestRoom(t *testing.T) {
	var e Encoder
	e.Begin(Header{Tick: 1, Own: benchOwn}, nil)
	name := strings.Repeat("n", rushgate.MaxEntityName)
	var want []uint64
	id := uint64(1)
	for ; e.Add(&State{ID: id, Name: name}); id++ {
		want = append(want, id)
	}
	if left := MaxSnapshot - len(e.Bytes()); left < 0 || left > maxEntity {
		t.Errorf("%d bytes were left when an entity did not fit", left)
	}
	for ; e.Add(&State{ID: id}); id++ { // a smaller one may still fit
		want = append(want, id)
	}
	if left := MaxSnapshot - len(e.Bytes()); left < 0 || left > 12 {
		t.Errorf("%d bytes were left when an entity of 12 did not fit", left)
	}
	if got := decoded(t, new(Decoder), e.Bytes()); !slices.Equal(ids(got.Entities), want) {
		t.Errorf("the snapshot holds %v, want %v", ids(got.Entities), want)
	}
}

// A message may be exactly as long as allowed, wherever its numbers end.
func TestRoomToTheByte(t *testing.T) {
	longest := 0
	for n := range 64 {
		var e Encoder
		e.Begin(Header{Tick: 1}, nil)
		e.Add(&State{ID: 1, Name: strings.Repeat("n", n)})
		for id := uint64(2); e.Add(&State{ID: id}); id++ {
		}
		longest = max(longest, len(e.Bytes()))
		decoded(t, new(Decoder), e.Bytes())
	}
	if longest != MaxSnapshot {
		t.Errorf("the longest of 64 messages has %d bytes, want %d", longest, MaxSnapshot)
	}
}

func TestMaxEntities(t *testing.T) {
	var e Encoder
	var d Decoder
	var all []*State
	for tick := uint32(1); len(all) < MaxEntities; tick++ { // more than one message's worth of new ones
		e.Begin(Header{Tick: tick, Base: tick - 1}, all)
		for _, s := range all {
			e.Add(s)
		}
		for {
			s := &State{ID: uint64(len(all) + 1)}
			if !e.Add(s) {
				break
			}
			all = append(all, s)
		}
		if got := decoded(t, &d, e.Bytes()); !slices.Equal(got.Entities, values(all)) {
			t.Fatalf("%d entities became %d", len(all), len(got.Entities))
		}
		if tick > 10 {
			t.Fatalf("%d entities after %d messages", len(all), tick)
		}
	}
	if len(all) != MaxEntities {
		t.Errorf("the snapshot took %d entities", len(all))
	}
	if e.Add(all[0]) {
		t.Error("Add took one more")
	}
}

// What no decoder would take is left out, and spoils nothing.
func TestAddRefusesWhatIsNotAState(t *testing.T) {
	good := State{ID: 1, Name: "rat", X: 64}
	tests := map[string]func(*State){
		"id 0":         func(s *State) { s.ID = 0 },
		"x too great":  func(s *State) { s.X = maxFixed + 1 },
		"x too small":  func(s *State) { s.X = -maxFixed - 1 },
		"y too great":  func(s *State) { s.Y = maxFixed + 1 },
		"y too small":  func(s *State) { s.Y = math.MinInt32 },
		"a long name":  func(s *State) { s.Name = strings.Repeat("n", rushgate.MaxEntityName+1) },
		"a huge name":  func(s *State) { s.Name = strings.Repeat("n", 2*encodeBuf) },
		"not UTF-8":    func(s *State) { s.Name = "\xff" },
		"renamed, too": func(s *State) { s.ID, s.Name = 2, "\xff" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			bad, other := good, State{ID: 3}
			spoil(&bad)
			var e Encoder
			var d Decoder
			decoded(t, &d, encode(&e, Header{Tick: 1}, nil, []*State{&good}))
			e.Begin(Header{Tick: 2, Base: 1}, []*State{&good})
			if e.Add(&bad) {
				t.Errorf("Add took %+v", bad)
			}
			if !e.Add(&good) || !e.Add(&other) {
				t.Error("Add refused what is good")
			}
			if got := decoded(t, &d, e.Bytes()); !slices.Equal(got.Entities, []State{good, other}) {
				t.Errorf("the snapshot holds %+v", got.Entities)
			}
		})
	}
}

// Numbers of the player's own that are out of range are written as the nearest that are not, and others' positions are
// relative to what is written.
func TestOwnOutOfRange(t *testing.T) {
	own := Own{X: math.MaxInt32, Y: math.MinInt32, MaxHP: -1, XP: -1}
	other := State{ID: 1, X: maxFixed, Y: 5}
	got := decoded(t, new(Decoder), encode(new(Encoder), Header{Tick: 1, Own: own}, nil, []*State{&other}))
	if want := (Own{X: maxFixed, Y: -maxFixed}); got.Own != want || !slices.Equal(got.Entities, []State{other}) {
		t.Errorf("%+v became %+v, %+v", own, got.Own, got.Entities)
	}
}

// Bytes may be asked for between two calls of Add, and more than once.
func TestBytesAgain(t *testing.T) {
	var e Encoder
	e.Begin(Header{Tick: 1, Own: benchOwn}, nil)
	for n := range 140 { // past the count of 127, which takes one byte
		for range 2 {
			if got := decoded(t, new(Decoder), e.Bytes()); len(got.Entities) != n || got.Own != benchOwn {
				t.Fatalf("%d entities, %+v after %d", len(got.Entities), got.Own, n)
			}
		}
		if !e.Add(&State{ID: uint64(n + 1)}) {
			if n < 80 {
				t.Fatal(fmt.Sprint("no room after ", n))
			}
			return
		}
	}
}

// Each field on its own is a change, and nothing else is written.
func TestEachChange(t *testing.T) {
	base := State{ID: 1, Name: "rat", X: 10, Y: 20, HP: 30, MaxHP: 40, Level: 5, Kind: 6, Flags: 7}
	tests := map[string]struct {
		change func(*State)
		bytes  int // besides the reference and the byte that says what has changed
	}{
		"nothing": {func(*State) {}, 0},
		"x":       {func(s *State) { s.X++ }, 2},
		"y":       {func(s *State) { s.Y-- }, 2},
		"hp":      {func(s *State) { s.HP-- }, 1},
		"flags":   {func(s *State) { s.Flags++ }, 1},
		"level":   {func(s *State) { s.Level++ }, 2},
		"max hp":  {func(s *State) { s.MaxHP++ }, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			var d Decoder
			changed := base
			tt.change(&changed)
			decoded(t, &d, encode(&e, Header{Tick: 1}, nil, []*State{&base}))
			message := encode(&e, Header{Tick: 2, Base: 1}, []*State{&base}, []*State{&changed})
			if want := len(tick2+nobody) + 1 + 2 + tt.bytes; len(message) != want {
				t.Errorf("%d bytes, want %d", len(message), want)
			}
			if got := decoded(t, &d, message); !slices.Equal(got.Entities, []State{changed}) {
				t.Errorf("%+v became %+v", changed, got.Entities)
			}
		})
	}
}

// The 128th entity makes the count take a second byte, for which there must be room, too.
func TestRoomForTheCount(t *testing.T) {
	baseline := make([]*State, 115)
	for i := range baseline {
		baseline[i] = &State{ID: uint64(i + 1)}
	}
	longest := 0
	for n := range rushgate.MaxEntityName {
		var e Encoder
		encode(&e, Header{Tick: 2, Base: 1}, baseline, baseline)
		for i := range 12 {
			e.Add(&State{ID: uint64(200 + i), Name: strings.Repeat("n", rushgate.MaxEntityName)})
		}
		if e.count != 127 {
			t.Fatalf("%d entities", e.count)
		}
		e.Add(&State{ID: 300, Name: strings.Repeat("n", n)})
		longest = max(longest, len(e.Bytes()))
	}
	if longest != MaxSnapshot {
		t.Errorf("the longest message has %d bytes, want %d", longest, MaxSnapshot)
	}
}
