package protocol

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rushgate/rushgate"
)

// crowd returns n entities around the origin.
func crowd(rng *rand.Rand, n int) []*State {
	states := make([]*State, n)
	for i := range states {
		states[i] = &State{
			ID: uint64(i + 1), Name: fmt.Sprintf("p%d", i), Kind: 1, Level: uint16(rng.IntN(50)),
			X: rng.Int32N(4000) - 2000, Y: rng.Int32N(4000) - 2000, HP: rng.Int32N(100), MaxHP: 100,
		}
	}
	return states
}

// later returns what becomes of states in 3 ticks: most walk, some are hurt, some begin to fight, and now and then two
// change places in the order of distance.
func later(rng *rand.Rand, states []*State) []*State {
	next := make([]*State, len(states))
	for i, s := range states {
		n := *s
		if rng.IntN(10) > 0 {
			n.X += rng.Int32N(51) - 25
			n.Y += rng.Int32N(51) - 25
		}
		if rng.IntN(5) == 0 {
			n.HP--
		}
		if rng.IntN(20) == 0 {
			n.Flags ^= 1
		}
		next[i] = &n
	}
	for range len(next) / 8 {
		i := rng.IntN(len(next) - 1)
		next[i], next[i+1] = next[i+1], next[i]
	}
	return next
}

var benchOwn = Own{X: 12345, Y: 54321, HP: 90, MaxHP: 100, XP: 1234, Level: 9, Deaths: 3}

func encode(e *Encoder, h Header, baseline, states []*State) []byte {
	e.Begin(h, baseline)
	for _, s := range states {
		if !e.Add(s) {
			panic("no room")
		}
	}
	return e.Bytes()
}

// A player in a crowd of 64: nearly everybody has moved since the snapshot acknowledged last.
func BenchmarkEncode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	baseline := crowd(rng, 64)
	states := later(rng, baseline)
	var e Encoder
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = len(encode(&e, Header{Tick: 103, Base: 100, Own: benchOwn}, baseline, states))
	}
	b.ReportMetric(float64(n), "bytes")
}

// The same crowd as seen for the first time.
func BenchmarkEncodeNew(b *testing.B) {
	states := crowd(rand.New(rand.NewPCG(1, 2)), 64)
	var e Encoder
	b.ReportAllocs()
	for b.Loop() {
		encode(&e, Header{Tick: 103, Own: benchOwn}, nil, states)
	}
}

func BenchmarkDecode(b *testing.B) {
	d, into, message := decoderBehind(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(message, into); err != nil {
			b.Fatal(err)
		}
	}
}

// decoderBehind returns a decoder that holds a snapshot of 64 entities and a message of what has become of them.
func decoderBehind(t testing.TB) (*Decoder, *Snapshot, []byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	states := crowd(rng, 64)
	var e Encoder
	d, into := new(Decoder), new(Snapshot)
	if err := d.Decode(encode(&e, Header{Tick: 100, Own: benchOwn}, nil, states), into); err != nil {
		t.Fatal(err)
	}
	message := encode(&e, Header{Tick: 103, Base: 100, Own: benchOwn}, states, later(rng, states))
	return d, into, message
}

func BenchmarkIntent(b *testing.B) {
	in := Intent{Seq: 1000, Ack: 5000, Intent: rushgate.Intent{MoveX: 0.6, MoveY: -0.8, Action: 1, Target: 1<<63 | 77}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendIntent(buf[:0], in)
		if _, err := ParseIntent(buf); err != nil {
			b.Fatal(err)
		}
	}
}
