package reliable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
	"github.com/rushgate/rushgate/protocol"
)

// side is an end with what its owner has said and heard: messages count from 0.
type side struct {
	*End
	said int
	got  []int // -1 stands for a gap, -2 for another end
}

func message(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func (s *side) say() {
	if s.Say(message(s.said)) == nil {
		s.said++
	}
}

// letter is a packet on its way, over a connection that may be gone when it arrives.
type letter struct {
	to         *side
	connection int
	data       []byte
}

// pair is two ends and what is between them.
type pair struct {
	a, b       *side
	now        time.Time
	connection int
	flying     []letter
	refusals   int // so many messages are not taken
}

func newPair() *pair {
	return &pair{a: &side{End: New()}, b: &side{End: New()}, now: time.Unix(1e9, 0)}
}

func (p *pair) other(s *side) *side {
	if s == p.a {
		return p.b
	}
	return p.a
}

// post has a side send all that it has to send.
func (p *pair) post(s *side) (packets int) {
	for {
		data, ok := s.Next(nil, p.now)
		if !ok {
			return packets
		}
		if len(data) > protocol.MaxSnapshot {
			panic(fmt.Sprintf("a packet of %d bytes", len(data)))
		}
		packets++
		p.flying = append(p.flying, letter{p.other(s), p.connection, data})
	}
}

// arrive delivers packet i, which may come once more later.
func (p *pair) arrive(i int, again bool) {
	l := p.flying[i]
	if !again {
		p.flying = slices.Delete(p.flying, i, i+1)
	}
	if l.connection != p.connection {
		return
	}
	r, err := protocol.ParseReliable(l.data)
	if err != nil {
		panic(err)
	}
	l.to.Hear(&r, p.now, func(n News) {
		switch {
		case n.Anew:
			l.to.got = append(l.to.got, -2)
		case n.Lost:
			l.to.got = append(l.to.got, -1)
		}
	}, func(data []byte) bool {
		if p.refusals > 0 {
			p.refusals--
			return false
		}
		n, _ := binary.Uvarint(data)
		l.to.got = append(l.to.got, int(n))
		return true
	})
}

// settle lets time pass, over a network without fault, until both have nothing to say.
func (p *pair) settle() (rounds int) {
	p.refusals = 0
	for ; (!p.a.Idle() || !p.b.Idle() || len(p.flying) > 0) && rounds < 1000; rounds++ {
		for _, s := range []*side{p.a, p.b} {
			p.post(s)
		}
		for len(p.flying) > 0 {
			p.arrive(0, false)
		}
		p.now = p.now.Add(50 * time.Millisecond)
	}
	return rounds
}

// move has an end go on in another process.
func (s *side) move() {
	state := packed.Append(nil, s.Describe)
	s.End = new(End)
	if err := packed.Parse(state, s.Describe); err != nil {
		panic(err)
	}
}

// Whatever the network does, and however often the connection is replaced or an end moves to another process, each
// message arrives once and in order.
func TestEachMessageArrivesOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair()
		sides := []*side{p.a, p.b}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			s := sides[rapid.IntRange(0, 1).Draw(t, "side")]
			switch what := rapid.IntRange(0, 15).Draw(t, "what"); {
			case what < 4:
				for range rapid.IntRange(1, 30).Draw(t, "messages") {
					s.say()
				}
			case what < 7:
				p.post(s)
			case what < 11 && len(p.flying) > 0:
				p.arrive(rapid.IntRange(0, len(p.flying)-1).Draw(t, "which"), what == 7)
			case what == 11 && len(p.flying) > 0: // lost
				i := rapid.IntRange(0, len(p.flying)-1).Draw(t, "which")
				p.flying = slices.Delete(p.flying, i, i+1)
			case what == 12:
				p.connection++
				lossless := rapid.Bool().Draw(t, "lossless")
				p.a.Connect(lossless)
				p.b.Connect(lossless)
			case what == 13:
				s.move()
			case what == 14:
				p.refusals = rapid.IntRange(0, 5).Draw(t, "refusals")
			default:
				p.now = p.now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond)
			}
		}
		if rounds := p.settle(); rounds == 1000 {
			t.Fatalf("it never settles: %+v and %+v", p.a.End, p.b.End)
		}
		for _, s := range sides {
			if got := p.other(s).got; len(got) != s.said || !slices.IsSorted(got) || s.said > 0 && got[0] != 0 ||
				len(slices.Compact(got)) != s.said {
				t.Fatalf("of %d messages %v have arrived", s.said, got)
			}
		}
	})
}

// An end that gives up what waits says so: what arrives is in order and comes once, and where something is missing
// there is a word of it before.
func TestWhatWasGivenUpIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair()
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 3:
				for range rapid.IntRange(1, 100).Draw(t, "messages") {
					p.a.say()
				}
			case what < 5:
				p.post(p.a)
				p.post(p.b)
			case what < 8 && len(p.flying) > 0:
				p.arrive(rapid.IntRange(0, len(p.flying)-1).Draw(t, "which"), false)
			case what == 8:
				p.a.GiveUp()
			default:
				p.now = p.now.Add(300 * time.Millisecond)
			}
		}
		p.a.GiveUp()
		p.a.say()
		p.settle()
		want, last := 0, -1
		for _, n := range p.b.got {
			switch {
			case n == -1:
				want = -1
			case n <= last || want >= 0 && n != want:
				t.Fatalf("%d messages were said, %v have arrived", p.a.said, p.b.got)
			default:
				want, last = n+1, n
			}
		}
		if last != p.a.said-1 {
			t.Fatalf("the last of %d messages is not among %v", p.a.said, p.b.got)
		}
	})
}

// An end in whose place another one comes that knows nothing, as after a crash: what it had not acknowledged comes
// again, from the beginning, and nothing is missing. The other end is told.
func TestAnEndThatHasLostWhatItKnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair()
		heard := 0 // by the ends that are gone
		for range rapid.IntRange(1, 5).Draw(t, "ends") {
			for range rapid.IntRange(0, 40).Draw(t, "messages") {
				p.a.say()
				p.b.say()
			}
			if rapid.Bool().Draw(t, "settled") {
				p.settle()
			}
			p.post(p.a)
			p.post(p.b)
			for len(p.flying) > 0 && rapid.IntRange(0, 3).Draw(t, "goes on") > 0 {
				p.arrive(0, false)
			}
			for _, n := range p.b.got {
				if n > heard {
					t.Fatalf("message %d has come, and not %d", n, heard)
				}
				heard = max(heard, n+1)
			}
			p.b = &side{End: New()}
			p.connection++
			p.a.Connect(false)
		}
		p.a.got = nil
		p.a.say()
		p.b.say()
		p.settle()
		for _, n := range p.b.got {
			if n > heard {
				t.Fatalf("message %d has come, and not %d", n, heard)
			}
			heard = max(heard, n+1)
		}
		if heard != p.a.said || len(p.a.got) == 0 || p.a.got[len(p.a.got)-1] != 0 {
			t.Fatalf("%d of %d messages were heard; the other end has heard %v", heard, p.a.said, p.a.got)
		}
	})
}

func TestTimes(t *testing.T) {
	p := newPair()
	p.a.say()
	after := func(want time.Duration, what string) {
		t.Helper()
		p.flying = nil
		if got, ok := p.a.Wait(p.now); !ok || got != want {
			t.Errorf("%s: again after %v, want %v", what, got, want)
		}
		p.now = p.now.Add(want - 1)
		if p.post(p.a) != 0 {
			t.Errorf("%s: it is sent before", what)
		}
		p.now = p.now.Add(1)
		if p.post(p.a) != 1 {
			t.Errorf("%s: it is not sent then", what)
		}
	}
	p.post(p.a)
	after(250*time.Millisecond, "nothing has been measured")
	after(500*time.Millisecond, "the second time")
	after(time.Second, "the third time")
	after(time.Second, "the fourth time")
	p.arrive(0, false)
	p.post(p.b)
	p.arrive(0, false)
	if _, ok := p.a.Wait(p.now); ok || !p.a.Idle() || p.a.Resent() != 4 {
		t.Errorf("acknowledged, and still something is to be done; sent again %d times", p.a.Resent())
	}
	for range 50 { // a network that takes 400 ms there and back
		p.a.say()
		p.post(p.a)
		p.now = p.now.Add(400 * time.Millisecond)
		p.settle()
	}
	p.a.say()
	p.post(p.a)
	if got, ok := p.a.Wait(p.now); !ok || got < 600*time.Millisecond || got > 700*time.Millisecond {
		t.Errorf("after 400 ms there and back: again after %v", got)
	}
	p.flying = nil
	p.a.Connect(true)
	if got, ok := p.a.Wait(p.now); !ok || got != 0 {
		t.Errorf("over another connection: again after %v", got)
	}
	p.post(p.a)
	after(5*time.Second, "a connection that loses nothing")
	after(5*time.Second, "the second time over it")
}

// What is on its way is bounded, and so is what waits.
func TestBounds(t *testing.T) {
	e := New()
	e.peer = 1
	data := bytes.Repeat([]byte("x"), rushgate.MaxMessage)
	n := 0
	for ; e.Say(data) == nil; n++ {
	}
	if n != MaxWaitingBytes/rushgate.MaxMessage {
		t.Errorf("%d of the longest messages wait", n)
	}
	packets := 0
	for _, ok := e.Next(nil, time.Unix(1, 0)); ok; _, ok = e.Next(nil, time.Unix(1, 0)) {
		packets++
	}
	if packets != windowBytes/rushgate.MaxMessage {
		t.Errorf("%d packets of them are on their way", packets)
	}
	e = New()
	e.peer = 1
	for n = 0; e.Say([]byte("x")) == nil; n++ {
	}
	packet, _ := e.Next(nil, time.Unix(1, 0))
	if r, err := protocol.ParseReliable(packet); n != MaxWaiting || err != nil || len(packet) != 13+2*window {
		t.Errorf("%d messages wait, in a packet of %d bytes: %+v, %v", n, len(packet), r, err)
	}
	if _, ok := e.Next(nil, time.Unix(1, 0)); ok {
		t.Error("more are on their way than may be")
	}
}

// A client that has no use for messages costs one packet at a time, however much it is told.
func TestOneThatIsNotHeardOfGetsOnePacket(t *testing.T) {
	p := newPair()
	for range 3 * protocol.MaxSnapshot / rushgate.MaxMessage {
		_ = p.a.Say(bytes.Repeat([]byte("x"), rushgate.MaxMessage))
	}
	for range 10 {
		if n := p.post(p.a); n > 1 {
			t.Fatalf("%d packets at once", n)
		}
		p.now = p.now.Add(100 * time.Millisecond)
	}
	if wait, ok := p.a.Wait(p.now); !ok || wait == 0 {
		t.Errorf("the next one is to be sent after %v, %v", wait, ok)
	}
	for len(p.flying) > 1 {
		p.flying = p.flying[1:]
	}
	p.arrive(0, false)
	p.post(p.b)
	p.arrive(0, false)
	if n := p.post(p.a); n != 2 {
		t.Errorf("once it is heard of, it gets %d packets", n)
	}
}

// Acknowledgements of what was never said, and packets that are for another end, change nothing.
func TestNonsenseIsIgnored(t *testing.T) {
	p := newPair()
	p.a.say()
	p.b.say()
	p.settle()
	p.a.say()
	p.post(p.a)
	none := func([]byte) bool { t.Error("it was taken"); return true }
	for what, r := range map[string]protocol.Reliable{
		"never said":               {From: p.b.id, To: p.a.id, Ack: 9, First: 2},
		"of another, halfway":      {From: p.b.id + 1, To: p.a.id, Ack: 2, First: 2},
		"for another":              {From: p.b.id, To: p.a.id + 1, Ack: 2, First: 2},
		"acknowledged long before": {From: p.b.id, To: p.a.id, Ack: 0, First: 2},
	} {
		p.a.Hear(&r, p.now, func(News) { t.Error("there is news of it") }, none)
		if p.a.Waiting() != 1 {
			t.Errorf("%s: %d wait", what, p.a.Waiting())
		}
	}
}

// What is read of an end is bounded, and goes on talking, whatever it is.
func FuzzEndState(f *testing.F) {
	p := newPair()
	for range 5 {
		p.a.say()
	}
	p.post(p.a)
	p.arrive(0, false)
	f.Add(packed.Append(nil, p.a.Describe))
	f.Add(packed.Append(nil, p.b.Describe))
	f.Fuzz(func(t *testing.T, state []byte) {
		e := new(End)
		if packed.Parse(state, e.Describe) != nil {
			return
		}
		if again := packed.Append(nil, e.Describe); len(again) > len(state) {
			t.Fatalf("%x became %x", state, again)
		}
		q := &pair{a: &side{End: e}, b: &side{End: New()}, now: time.Unix(1e9, 0)}
		e.Connect(false)
		_ = e.Say([]byte{1})
		if rounds := q.settle(); rounds == 1000 {
			t.Fatalf("it never settles: %+v", e)
		}
	})
}

// Whatever packets come, an end neither panics nor takes a message twice, and what it sends can be read.
func FuzzHear(f *testing.F) {
	p := newPair()
	var input []byte
	for range 3 {
		p.a.say()
		p.b.say()
		p.post(p.a)
		p.post(p.b)
		for len(p.flying) > 0 {
			if l := p.flying[0]; l.to == p.a {
				input = append(append(input, byte(len(l.data))), l.data...)
			}
			p.arrive(0, false)
		}
	}
	f.Add(p.a.id, input)
	f.Fuzz(func(t *testing.T, id uint32, input []byte) {
		e, now := New(), time.Unix(1e9, 0)
		e.id = max(id, 1)
		for range 10 {
			_ = e.Say([]byte("word"))
		}
		for len(input) > 0 {
			n := min(int(input[0]), len(input)-1)
			packet := input[1 : 1+n]
			input = input[1+n:]
			now = now.Add(time.Duration(n) * 20 * time.Millisecond)
			if n == 0 {
				e.Connect(len(input)%2 == 0)
				continue
			}
			before, peer := e.heard, e.peer
			if r, err := protocol.ParseReliable(packet); err == nil {
				taken := uint64(0)
				e.Hear(&r, now, func(News) {}, func([]byte) bool { taken++; return taken < 5 })
				if e.peer == peer && e.heard < before || e.Waiting() > 10 {
					t.Fatalf("heard %d after %d, %d wait", e.heard, before, e.Waiting())
				}
			}
			for out, ok := e.Next(nil, now); ok; out, ok = e.Next(nil, now) {
				if _, err := protocol.ParseReliable(out); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
