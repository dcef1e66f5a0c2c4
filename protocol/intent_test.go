package protocol

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func drawIntent(t *rapid.T) Intent {
	move := rapid.Map(rapid.Int16Min(-math.MaxInt16), func(v int16) float32 { return float32(v) / math.MaxInt16 })
	return Intent{
		Seq: rapid.Uint32().Draw(t, "seq"),
		Ack: rapid.Uint32().Draw(t, "ack"),
		Intent: rushgate.Intent{
			MoveX:  move.Draw(t, "move x"),
			MoveY:  move.Draw(t, "move y"),
			Action: rapid.Uint8().Draw(t, "action"),
			Target: rapid.Uint64().Draw(t, "target"),
		},
	}
}

func TestIntentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawIntent(t)
		b := AppendIntent([]byte("before"), in)
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("AppendIntent has overwritten what was there: %x", b)
		}
		got, err := ParseIntent(b[len("before"):])
		if err != nil || got != in {
			t.Fatalf("%+v became %+v, %v", in, got, err)
		}
	})
}

func TestIntentDirection(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct{ in, want float32 }{
		{0, 0}, {1, 1}, {-1, -1}, {2, 1}, {-1e30, -1}, {nan, 0}, {inf, 0}, {-inf, 0},
		{0.5, float32(16384) / 32767}, // 16383.5 to even
		{1.4 / 32767, float32(1) / 32767},
	}
	for _, tt := range tests {
		for _, in := range []rushgate.Intent{{MoveX: tt.in}, {MoveY: tt.in}} {
			got, err := ParseIntent(AppendIntent(nil, Intent{Intent: in}))
			if err != nil || got.MoveX+got.MoveY != tt.want {
				t.Errorf("%+v became %+v, %v; want %v", in, got, err, tt.want)
			}
		}
	}
	long := Intent{Intent: rushgate.Intent{MoveX: 3, MoveY: -1.5}}
	if got, err := ParseIntent(AppendIntent(nil, long)); err != nil || got.MoveX != 1 ||
		math.Abs(float64(got.MoveY)+0.5) > 1e-4 {
		t.Errorf("%+v became %+v, %v; want the same angle", long, got, err)
	}
}

func TestParseIntentRefuses(t *testing.T) {
	good := AppendIntent(nil, Intent{Seq: 1, Ack: 2, Intent: rushgate.Intent{Target: 300}})
	changed := func(i int, bytes ...byte) []byte {
		b := append([]byte(nil), good...)
		copy(b[i:], bytes)
		return b
	}
	tests := []struct {
		name    string
		b       []byte
		want    error
		problem string
	}{
		{"another version", changed(0, 2), ErrVersion, "2"},
		{"another version, short", []byte{0}, ErrVersion, "0"},
		{"a snapshot", changed(1, byte(KindSnapshot)), ErrMalformed, "kind"},
		{"move x of -32768", changed(10, 0, 0x80), ErrMalformed, "move x: out of range"},
		{"move y of -32768", changed(12, 0, 0x80), ErrMalformed, "move y: out of range"},
		{"trailing bytes", append(changed(0), 0), ErrMalformed, "trailing"},
		{"a target of 65 bits", append(changed(0)[:15], 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2),
			ErrMalformed, "target: more than 64 bits"},
		{"an endless target", append(changed(0)[:15], bytes.Repeat([]byte{0x80}, 20)...), ErrMalformed,
			"target: more than 64 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := ParseIntent(tt.b)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.problem) || in != (Intent{}) {
				t.Errorf("%+v, %v; want %v with %q", in, err, tt.want, tt.problem)
			}
		})
	}
	for n := range good {
		if _, err := ParseIntent(good[:n]); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// A number may be longer than it has to be, as many languages' libraries take it.
func TestParseIntentTakesLongNumbers(t *testing.T) {
	b := AppendIntent(nil, Intent{})
	b = append(b[:15], 0x85, 0x80, 0)
	if in, err := ParseIntent(b); err != nil || in.Target != 5 {
		t.Errorf("%+v, %v; want target 5", in, err)
	}
}
