package protocol

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func TestFixed(t *testing.T) {
	tests := []struct {
		v    float64
		want int32
	}{
		{0, 0},
		{1, 64},
		{-1, -64},
		{0.01, 1}, // 0.64 steps
		{1.0 / 128, 0},
		{3.0 / 128, 2},
		{-100.505, -6432},
		{1 << 24, 1 << 30},
		{-1 << 24, -1 << 30},
		{1<<24 + 1, 1 << 30},
		{-math.MaxFloat64, -1 << 30},
		{math.Inf(1), 1 << 30},
		{math.Inf(-1), -1 << 30},
		{math.NaN(), 0},
	}
	for _, tt := range tests {
		if got := Fixed(tt.v); got != tt.want {
			t.Errorf("Fixed(%v) = %d, want %d", tt.v, got, tt.want)
		}
	}
}

func TestFixedIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1<<24, 1<<24).Draw(t, "v")
		if d := math.Abs(float64(Fixed(v))/Scale - v); d > 0.5/Scale {
			t.Fatalf("Fixed(%v) = %d is %v units off", v, Fixed(v), d)
		}
	})
}

func TestQuantise(t *testing.T) {
	e := rushgate.Entity{
		ID: 9, Name: "zoe", Zone: 3, Kind: 4, Flags: 5, Level: 6, X: 1.5, Y: math.NaN(), HP: -7, MaxHP: -8, XP: 1, Deaths: 2,
	}
	want := State{ID: 9, Name: "zoe", X: 96, HP: -7, Level: 6, Kind: 4, Flags: 5}
	if got := Quantise(&e); got != want {
		t.Errorf("Quantise(%+v) = %+v, want %+v", e, got, want)
	}
}

func TestQuantiseName(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"as long as allowed", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"too long", strings.Repeat("a", 65), strings.Repeat("a", 64)},
		{"a rune across the end", strings.Repeat("a", 63) + "é", strings.Repeat("a", 63)},
		{"a long rune across the end", strings.Repeat("a", 61) + "😀", strings.Repeat("a", 61)},
		{"a rune just before the end", strings.Repeat("a", 62) + "éa", strings.Repeat("a", 62) + "é"},
		{"not UTF-8", "a\xffb\xc3", "ab"},
		{"nothing but continuation bytes", strings.Repeat("\x80", 100), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Quantise(&rushgate.Entity{ID: 1, Name: tt.in}).Name; got != tt.want {
				t.Errorf("%q became %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "name"))
		got := Quantise(&rushgate.Entity{ID: 1, Name: in}).Name
		if len(got) > rushgate.MaxEntityName || !utf8.ValidString(got) ||
			!strings.HasPrefix(strings.ToValidUTF8(in, ""), got) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}

func TestNewer(t *testing.T) {
	tests := []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true},
		{0, 1, false},
		{5, 5, false},
		{0, math.MaxUint32, true},
		{math.MaxUint32, 0, false},
		{1<<31 - 1, 0, true},
		{0, 1<<31 - 1, false},
		{1 << 31, 0, false}, // undefined by the RFC
		{0, 1 << 31, false},
		{100, math.MaxUint32 - 100, true},
	}
	for _, tt := range tests {
		if got := Newer(tt.a, tt.b); got != tt.want {
			t.Errorf("Newer(%d, %d) = %v", tt.a, tt.b, got)
		}
	}
}

func TestID(t *testing.T) {
	const want = "RUSHGATE"
	id := ID
	for i := len(want) - 1; i >= 0; i-- {
		if byte(id) != want[i] {
			t.Errorf("byte %d of ID is %q, want %q", i, byte(id), want[i])
		}
		id >>= 8
	}
}

// What a node does many times per tick must not leave work for the garbage collector.
func TestNothingAllocates(t *testing.T) {
	d, into, message := decoderBehind(t)
	rng := rand.New(rand.NewPCG(1, 2))
	baseline := crowd(rng, 64)
	states := later(rng, baseline)
	var e Encoder
	intent := Intent{Seq: 1, Intent: rushgate.Intent{MoveX: 1, Action: 1, Target: math.MaxUint64}}
	buf := AppendIntent(nil, intent)
	entity := rushgate.Entity{ID: 1, Name: strings.Repeat("é", 40), X: 5}
	tests := map[string]func(){
		"encode":        func() { encode(&e, Header{Tick: 103, Base: 100, Own: benchOwn}, baseline, states) },
		"encode new":    func() { encode(&e, Header{Tick: 103, Own: benchOwn}, nil, states) },
		"append intent": func() { buf = AppendIntent(buf[:0], intent) },
		"parse intent": func() {
			if _, err := ParseIntent(buf); err != nil {
				t.Fatal(err)
			}
		},
		"decode": func() {
			if err := d.Decode(message, into); err != nil {
				t.Fatal(err)
			}
		},
		"quantise": func() { _ = Quantise(&entity) },
	}
	for name, f := range tests {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
