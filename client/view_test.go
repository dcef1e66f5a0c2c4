package client

import (
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

func TestInterpolate(t *testing.T) {
	entity := func(id uint64, x, y float64, hp int32) rushgate.Entity {
		return rushgate.Entity{ID: id, X: x, Y: y, HP: hp}
	}
	a := &View{ServerTime: 1000 * time.Millisecond, Self: entity(1, 10, 0, 50), Entities: []rushgate.Entity{
		entity(2, 0, 0, 9), entity(3, 4, 4, 9), entity(4, 1, 1, 9),
	}}
	b := &View{ServerTime: 1050 * time.Millisecond, Self: entity(1, 20, 10, 40), Entities: []rushgate.Entity{
		entity(3, 8, 0, 5), entity(5, 7, 7, 9), entity(2, -2, 2, 9),
	}}
	elsewhere := &View{ServerTime: 1000 * time.Millisecond, Self: rushgate.Entity{ID: 1, Zone: 2}, Entities: a.Entities}
	asInB := []rushgate.Entity{b.Self, entity(3, 8, 0, 5), entity(5, 7, 7, 9), entity(2, -2, 2, 9)}
	asInA := []rushgate.Entity{entity(1, 10, 0, 40), entity(3, 4, 4, 5), entity(5, 7, 7, 9), entity(2, 0, 0, 9)}
	for _, tt := range []struct {
		name string
		a, b *View
		at   time.Duration
		want []rushgate.Entity // the player, then the others
	}{
		{"half way", a, b, 1025 * time.Millisecond,
			[]rushgate.Entity{entity(1, 15, 5, 40), entity(3, 6, 2, 5), entity(5, 7, 7, 9), entity(2, -1, 1, 9)}},
		{"at the first", a, b, a.ServerTime, asInA},
		{"before the first", a, b, 0, asInA},
		{"at the second", a, b, b.ServerTime, asInB},
		{"after the second", a, b, time.Hour, asInB},
		{"no first", nil, b, 0, asInB},
		{"same view", b, b, 0, asInB},
		{"wrong order", b, a, 0, []rushgate.Entity{a.Self, a.Entities[0], a.Entities[1], a.Entities[2]}},
		{"another zone", elsewhere, b, 1025 * time.Millisecond, asInB},
	} {
		frame := []rushgate.Entity{entity(77, 1, 2, 3)}
		self, frame := Interpolate(frame, tt.a, tt.b, tt.at)
		if frame[0] != entity(77, 1, 2, 3) || len(frame) != len(tt.want) {
			t.Errorf("%s: %+v", tt.name, frame)
			continue
		}
		frame[0] = self
		for i := range frame {
			if frame[i] != tt.want[i] {
				t.Errorf("%s: %+v, want %+v", tt.name, frame[i], tt.want[i])
			}
		}
	}
	if b.Entities[0] != entity(3, 8, 0, 5) || a.Entities[1] != entity(3, 4, 4, 9) {
		t.Error("a view has changed")
	}
	room := make([]rushgate.Entity, 0, 8)
	if n := testing.AllocsPerRun(100, func() { Interpolate(room, a, b, 1025*time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Half an interval of three ticks after a, whatever walked is half way, and whatever was put elsewhere is there.
func TestInterpolateDoesNotSlideWhatWasPutElsewhere(t *testing.T) {
	const far = 3 * 8 // units in three ticks
	const gone = far + 1
	for _, tt := range []struct {
		name          string
		before, after rushgate.Entity
		other, self   float64 // where it is half way
	}{
		{"walks", rushgate.Entity{HP: 9}, rushgate.Entity{HP: 8, X: 4}, 2, 2},
		{"dies", rushgate.Entity{HP: 9}, rushgate.Entity{HP: -1, X: 4}, 2, 2},
		{"never lives", rushgate.Entity{}, rushgate.Entity{X: 4}, 2, 2},
		{"rises", rushgate.Entity{HP: -3}, rushgate.Entity{HP: 9, X: 4}, 4, 4},
		{"died and rose", rushgate.Entity{HP: 9}, rushgate.Entity{HP: 9, X: 4, Deaths: 1}, 2, 4},
		{"as fast as can be", rushgate.Entity{HP: 9}, rushgate.Entity{HP: 9, X: far}, far / 2, far / 2},
		{"jumps", rushgate.Entity{HP: 9}, rushgate.Entity{HP: 9, X: gone}, gone, gone},
		{"jumps aside", rushgate.Entity{HP: 9, Y: far}, rushgate.Entity{HP: 9, X: far}, far, far},
	} {
		a := &View{ServerTime: time.Second, Self: tt.before, Entities: []rushgate.Entity{tt.before}}
		b := &View{ServerTime: time.Second + 50*time.Millisecond, Self: tt.after, Entities: []rushgate.Entity{tt.after}}
		self, others := Interpolate(nil, a, b, time.Second+25*time.Millisecond)
		if self.X != tt.self || others[0].X != tt.other {
			t.Errorf("%s: self at %v, want %v; another at %v, want %v", tt.name, self.X, tt.self, others[0].X, tt.other)
		}
	}
	// The same distance in twice the time is a walk.
	a := &View{ServerTime: time.Second, Self: rushgate.Entity{HP: 9}}
	b := &View{ServerTime: time.Second + 100*time.Millisecond, Self: rushgate.Entity{HP: 9, X: gone}}
	if self, _ := Interpolate(nil, a, b, time.Second+50*time.Millisecond); self.X != gone/2. {
		t.Errorf("after a lost view: at %v, want %v", self.X, gone/2.)
	}
}

func TestAppliedSurvivesTheEndOfNumbers(t *testing.T) {
	for _, tt := range []struct {
		applied, number uint32
		want            bool
	}{
		{0, 1, false}, {1, 1, true}, {1, 2, false}, {7, 1, true}, {1, 1<<32 - 1, true}, {1<<32 - 1, 1, false},
	} {
		if got := (&View{intent: tt.applied}).Applied(tt.number); got != tt.want {
			t.Errorf("%d applied, asked for %d: %v", tt.applied, tt.number, got)
		}
	}
}

// messages returns a snapshot and a delta against it, of as many entities.
func messages(entities int) (full, delta []byte) {
	states := make([]protocol.State, entities)
	baseline := make([]*protocol.State, entities)
	var e protocol.Encoder
	e.Begin(protocol.Header{Tick: 3}, nil)
	for i := range states {
		states[i] = protocol.State{ID: uint64(i + 1), Name: "wolf", X: int32(i)}
		baseline[i] = &states[i]
		e.Add(&states[i])
	}
	full = append(full, e.Bytes()...)
	e.Begin(protocol.Header{Tick: 6, Base: 3}, baseline)
	for _, s := range baseline {
		moved := *s
		moved.X += 9
		e.Add(&moved)
	}
	return full, append(delta, e.Bytes()...)
}

func TestHookAllocatesNothingAndReplacesViews(t *testing.T) {
	full, delta := messages(40)
	calls := 0
	rt := &Realtime{views: make(chan *View, 1)}
	rt.opts.OnSnapshot = func(s *protocol.Snapshot) {
		if calls++; len(s.Entities) != 40 {
			t.Errorf("%d entities", len(s.Entities))
		}
	}
	f := &feed{}
	rt.current = f
	rt.receive(f, full, time.Now())
	if n := testing.AllocsPerRun(100, func() { f.newest = 0; rt.receive(f, delta, time.Now()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if calls < 100 || rt.Latest() != nil || len(rt.views) != 0 {
		t.Errorf("%d calls, view %v", calls, rt.Latest())
	}
}

func TestMessagesThatAreOfNoUse(t *testing.T) {
	full, delta := messages(3)
	rt := &Realtime{views: make(chan *View, 1)}
	f := &feed{}
	rt.current = f
	for _, m := range [][]byte{delta, {1}, full, delta, full, delta[:9], append([]byte{9}, full[1:]...)} {
		rt.receive(f, m, time.Now())
	}
	want := RealtimeStats{
		Snapshots: 2, Late: 1, NoBaseline: 1, Malformed: 3, Bytes: int64(3*len(full) + 2*len(delta) + 1 + 9),
	}
	if got := rt.Stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if rt.Latest().Tick != 6 || rt.intents.ack.Load() != 6 {
		t.Errorf("view of tick %d, acknowledged %d", rt.Latest().Tick, rt.intents.ack.Load())
	}
}

func BenchmarkReceive(b *testing.B) {
	full, delta := messages(40)
	for _, bb := range []struct {
		name string
		hook func(*protocol.Snapshot)
	}{{"view", nil}, {"hook", func(*protocol.Snapshot) {}}} {
		b.Run(bb.name, func(b *testing.B) {
			rt := &Realtime{views: make(chan *View, 1), opts: RealtimeOptions{OnSnapshot: bb.hook}}
			f := &feed{}
			rt.current = f
			rt.receive(f, full, time.Now())
			b.ReportAllocs()
			for b.Loop() {
				f.newest = 0
				rt.receive(f, delta, time.Now())
			}
		})
	}
}
