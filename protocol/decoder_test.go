package protocol

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The parts of a message written by hand.
const (
	tick1   = "\x01\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00"          // version, kind, tick 1, no base, intent 0
	tick2   = "\x01\x02\x02\x00\x00\x00\x01\x00\x00\x00\x00"          // tick 2 on tick 1
	nobody  = "\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"         // own: all zero
	newRat  = "\x00\x05\x02\x00\x01" + "\x02\x04\x06\x04" + "\x03rat" // id 5, kind 2, level 1, at 1, 2, HP 3 of 4
	numbers = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"              // a uvarint of 2^64-1
)

func TestDecodeByHand(t *testing.T) {
	rat := State{ID: 5, Name: "rat", X: 1, Y: 2, HP: 3, MaxHP: 4, Level: 1, Kind: 2}
	hurt, grown := rat, rat
	hurt.X, hurt.Y, hurt.HP, hurt.Flags = 0, 4, -1, 7
	grown.Level, grown.MaxHP = 300, 5
	tests := []struct {
		name string
		tail string
		want []State
	}{
		{"nothing new", "\x01\x01\x00", []State{rat}},
		{"gone", "\x00", nil},
		{"moved, hurt, flags", "\x01\x01\x07\x01\x04\x01\x07", []State{hurt}},
		{"level", "\x01\x01\x08\xac\x02\x05", []State{grown}},
		{"another before it", "\x02" + "\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00", []State{{ID: 6}, rat}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			if got := decoded(t, &d, []byte(tick1+nobody+"\x01"+newRat)); !slices.Equal(got.Entities, []State{rat}) {
				t.Fatalf("the baseline is %+v", got.Entities)
			}
			if got := decoded(t, &d, []byte(tick2+nobody+tt.tail)); !slices.Equal(got.Entities, tt.want) {
				t.Errorf("%+v, want %+v", got.Entities, tt.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("n", 65)
	tests := []struct {
		name, message string
		want          error
		problem       string
	}{
		{"another version", "\x02" + tick2[1:] + nobody + "\x00", ErrVersion, "2"},
		{"an intent", "\x01\x01" + tick2[2:] + nobody + "\x00", ErrMalformed, "kind"},
		{"tick 0", "\x01\x02\x00\x00\x00\x00" + tick2[6:] + nobody + "\x00", ErrMalformed, "tick"},
		{"too old a baseline", tick2[:6] + "\x41" + tick2[7:] + nobody + "\x00", ErrMalformed, "base"},
		{"an unknown baseline", tick2[:6] + "\x03" + tick2[7:] + nobody + "\x00", ErrNoBaseline, "4294967295"},
		{"trailing bytes", tick2 + nobody + "\x00\x00", ErrMalformed, "trailing"},
		{"own x", tick2 + "\x00\x00" + "\x80\x80\x80\x80\x10" + nobody[3:] + "\x00", ErrMalformed, "x: out of range"},
		{"own x of 2^30+1", tick2 + "\x00\x00" + "\x82\x80\x80\x80\x08" + nobody[3:] + "\x00",
			ErrMalformed, "x: out of range"},
		{"own y of -2^30-1", tick2 + nobody[:3] + "\x81\x80\x80\x80\x08" + nobody[4:] + "\x00",
			ErrMalformed, "y: out of range"},
		{"own max hp", tick2 + nobody[:5] + "\x80\x80\x80\x80\x08" + nobody[6:] + "\x00", ErrMalformed, "max hp"},
		{"own level", tick2 + nobody[:6] + "\x80\x80\x04" + nobody[7:] + "\x00", ErrMalformed, "level"},
		{"own xp", tick2 + nobody[:7] + numbers + nobody[8:] + "\x00", ErrMalformed, "xp"},
		{"own deaths", tick2 + nobody[:8] + numbers + nobody[9:] + "\x00", ErrMalformed, "deaths"},
		{"256 entities", tick2 + nobody + "\x80\x02" + strings.Repeat("\x01\x00", 256), ErrMalformed, "count"},
		{"fewer entities than said", tick2 + nobody + "\x02\x01\x00", ErrMalformed, "count"},
		{"a reference past the end", tick2 + nobody + "\x01\x02\x00", ErrMalformed, "ref: out of range"},
		{"a reference used twice", tick2 + nobody + "\x02\x01\x00\x01\x00", ErrMalformed, "ref: used twice"},
		{"an unknown bit", tick2 + nobody + "\x01\x01\x10", ErrMalformed, "mask"},
		{"a position too far", tick2 + nobody + "\x01\x01\x01\xfe\xff\xff\xff\x0f\x00", ErrMalformed, "x: out of range"},
		{"moved to 2^30+1", tick2 + nobody + "\x01\x01\x01\x80\x80\x80\x80\x08\x00", ErrMalformed, "x: out of range"},
		{"new at -2^30-1", tick2 + nobody + "\x01" + newRat[:5] + "\x00\x81\x80\x80\x80\x08" + newRat[7:], ErrMalformed,
			"y: out of range"},
		{"hp of 2^31", tick2 + nobody + "\x01\x01\x02\x80\x80\x80\x80\x10", ErrMalformed, "hp"},
		{"hp", tick2 + nobody + "\x01\x01\x02" + numbers, ErrMalformed, "hp"},
		{"id 0", tick2 + nobody + "\x01\x00\x00" + newRat[2:], ErrMalformed, "id: zero"},
		{"a long name", tick2 + nobody + "\x01" + newRat[:9] + "\x41" + long, ErrMalformed, "length of name"},
		{"a name that is not UTF-8", tick2 + nobody + "\x01" + newRat[:9] + "\x01\xff", ErrMalformed, "UTF-8"},
		{"a name cut short", tick2 + nobody + "\x01" + newRat[:9] + "\x04rat", ErrMalformed, "name: truncated"},
		{"a number of 65 bits", tick2 + nobody + "\x01\x00" + numbers[:9] + "\x02" + newRat[2:], ErrMalformed, "64 bits"},
		{"longer than a packet", tick2 + nobody + strings.Repeat("\x00", MaxSnapshot), ErrMalformed, "1200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, []byte(tt.message), tt.want, tt.problem) })
	}
	whole := tick2 + nobody + "\x02\x01\x0f\x01\x02\x03\x04\x05\x06" + newRat
	decoded(t, afterTick1(t), []byte(whole))
	for n := range whole {
		refused(t, []byte(whole[:n]), ErrMalformed, "")
	}
}

func afterTick1(t testing.TB) *Decoder {
	d := new(Decoder)
	decoded(t, d, []byte(tick1+nobody+"\x01"+newRat))
	return d
}

// refused requires that a decoder refuses a message and then is as if it had never seen it.
func refused(t *testing.T, message []byte, want error, problem string) {
	t.Helper()
	d := afterTick1(t)
	into := Snapshot{Tick: 77, Entities: []State{{ID: 78}}}
	err := d.Decode(message, &into)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), problem) {
		t.Errorf("%x: %v; want %v with %q", message, err, want, problem)
	}
	if !reflect.DeepEqual(into, Snapshot{Tick: 77, Entities: []State{{ID: 78}}}) {
		t.Errorf("%x: the snapshot has become %+v", message, into)
	}
	if got := decoded(t, d, []byte(tick2+nobody+"\x01\x01\x00")); len(got.Entities) != 1 || got.Entities[0].Name != "rat" {
		t.Errorf("%x: the baseline has become %+v", message, got.Entities)
	}
}

// What was refused must not serve as a baseline.
func TestDecodeForgetsWhatItRefused(t *testing.T) {
	d := afterTick1(t)
	if err := d.Decode([]byte(tick2+nobody+"\x02\x01\x00\x01\x00"), new(Snapshot)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a reference used twice: %v", err)
	}
	if err := d.Decode(at(3, 2), new(Snapshot)); !errors.Is(err, ErrNoBaseline) {
		t.Errorf("relative to what was refused: %v, want %v", err, ErrNoBaseline)
	}
}

// at encodes a snapshot with one entity, whose id is the tick.
func at(tick, base uint32) []byte {
	var baseline []*State
	if base != 0 {
		baseline = []*State{{ID: uint64(base)}}
	}
	return encode(new(Encoder), Header{Tick: tick, Base: base}, baseline, []*State{{ID: uint64(tick)}})
}

func TestDecodeOutOfOrder(t *testing.T) {
	var d Decoder
	for _, m := range []struct{ tick, base uint32 }{
		{100, 0}, {106, 100}, {103, 100}, {106, 100}, {109, 103}, {100, 0}, {112, 106}, {170, 106}, {30, 0},
	} {
		got := decoded(t, &d, at(m.tick, m.base))
		if got.Tick != m.tick || !slices.Equal(ids(got.Entities), []uint64{uint64(m.tick)}) {
			t.Errorf("tick %d on %d became %+v", m.tick, m.base, got)
		}
	}
	for _, m := range []struct{ tick, base uint32 }{
		{33, 30},   // which was too old when it came
		{173, 171}, // which never came
	} {
		if err := d.Decode(at(m.tick, m.base), new(Snapshot)); !errors.Is(err, ErrNoBaseline) {
			t.Errorf("tick %d on %d: %v, want %v", m.tick, m.base, err, ErrNoBaseline)
		}
	}
}

// The first of two snapshots with one tick is the one that was acknowledged.
func TestDecodeKeepsTheFirst(t *testing.T) {
	d := afterTick1(t)
	if got := decoded(t, d, []byte(tick1+nobody+"\x00")); len(got.Entities) != 0 {
		t.Fatalf("%+v", got)
	}
	if got := decoded(t, d, []byte(tick2+nobody+"\x01\x01\x00")); got.Entities[0].Name != "rat" {
		t.Errorf("the baseline has become %+v", got.Entities)
	}
}

// However ticks come, no more than MaxBase+1 snapshots are held, and at 20 Hz no more than one for each 3 ticks.
func TestDecoderIsBounded(t *testing.T) {
	var d Decoder
	tick := uint32(math.MaxUint32 - 1500)
	for range 1000 {
		tick += 3
		if tick != 0 {
			decoded(t, &d, at(tick, 0))
		}
	}
	if len(d.held) > MaxBase/3+1 {
		t.Errorf("%d snapshots are held at 20 Hz", len(d.held))
	}
	for i := range uint32(5000) {
		decoded(t, &d, at(1+i*2654435761%(1<<20), 0))
		decoded(t, &d, at(1+i%300, 0))
	}
	if len(d.held) > MaxBase+1 {
		t.Errorf("%d snapshots are held", len(d.held))
	}
}

// What a snapshot holds is the caller's: changing it changes no baseline.
func TestSnapshotIsACopy(t *testing.T) {
	var d Decoder
	var s Snapshot
	for _, message := range []string{tick1 + nobody + "\x01" + newRat, tick2 + nobody + "\x01\x01\x00", at3} {
		if err := d.Decode([]byte(message), &s); err != nil {
			t.Fatal(err)
		}
		if s.Entities[0].ID != 5 {
			t.Fatalf("%+v", s)
		}
		s.Entities[0].ID = 99
	}
}

// at3 is a message of tick 3 on tick 2 in which nothing has changed.
const at3 = "\x01\x02\x03\x00\x00\x00\x01\x00\x00\x00\x00" + nobody + "\x01\x01\x00"

// A baseline of exactly MaxBase ticks still serves when the messages that refer to it come in the wrong order.
func TestOldestBaseline(t *testing.T) {
	var d Decoder
	decoded(t, &d, at(100, 0))
	decoded(t, &d, at(100+MaxBase, 100))
	decoded(t, &d, at(100+MaxBase-1, 100))
}
