package udpknock

import (
	"bytes"
	"math"
	"testing"
	"time"
)

// What begins a message of this protocol begins no netcode packet: the type in the low half of the first byte would be
// 15, and there are 7.
func TestMagicIsNoPacket(t *testing.T) {
	if first := Magic[0]; first&15 < 7 {
		t.Errorf("first byte %#x", first)
	}
}

func TestTimesOnTheWay(t *testing.T) {
	const longest = math.MaxUint32 * time.Millisecond
	for in, want := range map[time.Duration]struct{ low, high time.Duration }{
		-time.Hour:             {0, 0},
		0:                      {0, 0},
		1:                      {0, time.Millisecond},
		time.Millisecond:       {time.Millisecond, time.Millisecond},
		time.Millisecond + 1:   {time.Millisecond, 2 * time.Millisecond},
		longest:                {longest, longest},
		longest + 1:            {longest, longest},
		math.MaxInt64:          {longest, longest},
		math.MinInt64:          {0, 0},
		longest - 1:            {longest - time.Millisecond, longest},
		10*time.Minute + 1_000: {10 * time.Minute, 10*time.Minute + time.Millisecond},
	} {
		r := Reply{Verdict: Wait, ETALow: in, ETAHigh: in, After: in}
		_, _, got, ok := ParseAnswer(AppendAnswer(nil, Nonce{}, Cookie{1}, &r))
		if !ok || got.ETALow != want.low || got.ETAHigh != want.high || got.After != want.high {
			t.Errorf("%v: at least %v, at most %v, again after %v, %t", in, got.ETALow, got.ETAHigh, got.After, ok)
		}
	}
	r := Reply{Verdict: Wait, ETALow: time.Minute, ETAHigh: time.Second}
	_, _, got, ok := ParseAnswer(AppendAnswer(nil, Nonce{}, Cookie{1}, &r))
	if !ok || got.ETALow != time.Minute || got.ETAHigh != time.Minute {
		t.Errorf("at least a minute and at most a second arrive as %v to %v, %t", got.ETALow, got.ETAHigh, ok)
	}
}

func TestTicketsOfAllLengths(t *testing.T) {
	for n := range MaxTicket + 1 {
		k, ok := ParseKnock(AppendKnock(nil, &Knock{Ticket: testTicket(n)}))
		if !ok || !bytes.Equal(k.Ticket, testTicket(n)) || cap(k.Ticket) != n {
			t.Errorf("a ticket of %d bytes arrives as %x", n, k.Ticket)
		}
		r := Reply{Verdict: ComeIn, Ticket: testTicket(n)}
		_, _, got, ok := ParseAnswer(AppendAnswer(nil, Nonce{}, Cookie{1}, &r))
		if !ok || !bytes.Equal(got.Ticket, r.Ticket) || cap(got.Ticket) != n {
			t.Errorf("a ticket of %d bytes arrives as %x", n, got.Ticket)
		}
	}
	if b := AppendKnock([]byte{1}, &Knock{Ticket: testTicket(MaxTicket + 1)}); len(b) != 1 {
		t.Errorf("a ticket that is too long is sent as %x", b)
	}
}

func fuzzSeeds(f *testing.F) {
	for _, g := range goldenTalk(f) {
		f.Add(g.message)
	}
	f.Add([]byte(Magic))
}

// What is taken is a message in every byte, and of one kind only.
func FuzzMessages(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if parses(b) != same(b) {
			t.Errorf("%x is read as another message", b)
		}
		if !bytes.Equal(b, before) {
			t.Errorf("%x has become %x", before, b)
		}
	})
}

// Whatever comes, an Answerer sends less than that, and only messages of its own.
func FuzzAnswer(f *testing.F) {
	fuzzSeeds(f)
	h := newHouse(f, func(cfg *Config) { cfg.AnswersPerSecond = 1e9 })
	f.Fuzz(func(t *testing.T, b []byte) {
		h.clock.add(time.Microsecond)
		got := h.Answer(nil, alice, b)
		_, isKnock := ParseKnock(b)
		if _, knock := ParseKnock(got); isKnock != (len(got) > 0) || isKnock && (len(got) >= len(b) || knock || !same(got)) {
			t.Errorf("%x is answered with %x", b, got)
		}
	})
}
