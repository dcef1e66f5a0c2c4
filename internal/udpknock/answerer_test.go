package udpknock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	alice  = netip.MustParseAddrPort("192.0.2.7:50000")
	secret = []byte("correct horse battery staple")
)

// testTicket returns n bytes that no other n gives, none of them zero.
func testTicket(n int) []byte { return bytes.Repeat([]byte{byte(n%255 + 1)}, n) }

// manual is a clock that a test moves.
type manual struct{ now time.Time }

func (m *manual) tell() time.Time     { return m.now }
func (m *manual) add(d time.Duration) { m.now = m.now.Add(d) }

// house is an Answerer, whose line tells all who ask to wait, with the ticket that they bring or a new one.
type house struct {
	*Answerer
	clock *manual
	asked []netip.Addr
}

func newHouse(t testing.TB, change func(*Config)) *house {
	t.Helper()
	h := &house{clock: &manual{time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}}
	cfg := Config{
		Knock: func(dst []byte, from netip.Addr, _ Holder, ticket []byte) Reply {
			h.asked = append(h.asked[:0], from)
			if len(ticket) == 0 {
				ticket = append(dst, "a new ticket"...)
			}
			return Reply{Verdict: Wait, Ticket: ticket, Place: 7, ETAHigh: time.Minute, After: 5 * time.Second}
		},
		Now: h.clock.tell, Rand: rand.NewChaCha8([32]byte{1}),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if h.Answerer, err = NewAnswerer(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// ask has one knock answered; nil is no answer.
func (h *house) ask(from netip.AddrPort, k Knock) []byte {
	if b := h.Answer(nil, from, AppendKnock(nil, &k)); len(b) > 0 {
		return b
	}
	return nil
}

// cookie returns the cookie for a client.
func (h *house) cookie(t testing.TB, from netip.AddrPort, holder Holder) Cookie {
	t.Helper()
	nonce := Nonce{byte(from.Port()), 7}
	got, c, ok := ParseCookie(h.ask(from, Knock{Nonce: nonce, Holder: holder}))
	if !ok || got != nonce {
		t.Fatalf("no cookie for %v, %x", from, holder)
	}
	return c
}

// in reports whether a knock is answered as that of a client whose address is proved.
func (h *house) in(from netip.AddrPort, k Knock) bool {
	_, _, _, ok := ParseAnswer(h.ask(from, k))
	return ok
}

func TestACookieProvesTheAddressItWasSentTo(t *testing.T) {
	h := newHouse(t, nil)
	holder := Holder{1, 2, 3}
	c := h.cookie(t, alice, holder)
	if len(h.asked) != 0 {
		t.Fatal("the line was asked about an address that is not proved")
	}
	type shown struct {
		from netip.AddrPort
		Holder
		Cookie
	}
	refused := map[string]shown{
		"no cookie":       {alice, holder, Cookie{}},
		"another port":    {netip.AddrPortFrom(alice.Addr(), alice.Port()+1), holder, c},
		"another address": {netip.AddrPortFrom(alice.Addr().Next(), alice.Port()), holder, c},
		"another family":  {netip.MustParseAddrPort("[::c000:207]:50000"), holder, c},
		"another holder":  {alice, Holder{1, 2, 4}, c},
		"another house's": {alice, holder, newHouse(t, func(cfg *Config) { cfg.Rand = nil }).cookie(t, alice, holder)},
	}
	for bit := range 8 * len(c) {
		altered := c
		altered[bit/8] ^= 1 << (bit % 8)
		refused[fmt.Sprint("bit ", bit)] = shown{alice, holder, altered}
	}
	for name, s := range refused {
		h.clock.add(time.Millisecond)
		if h.in(s.from, Knock{Holder: s.Holder, Cookie: s.Cookie}) || len(h.asked) != 0 {
			t.Errorf("%s: taken for proof", name)
		}
	}
	mapped := netip.AddrPortFrom(netip.AddrFrom16(alice.Addr().As16()), alice.Port())
	for i, from := range []netip.AddrPort{alice, alice, mapped} {
		h.asked = nil
		in := h.in(from, Knock{Nonce: Nonce{byte(i)}, Holder: holder, Cookie: c})
		if !in || len(h.asked) != 1 || h.asked[0] != alice.Addr() {
			t.Errorf("%v, question %d: the cookie proves nothing; the line was asked about %v", from, i, h.asked)
		}
	}
}

// A cookie lasts one slot at least and two at most, however seldom anything comes.
func TestCookiesEnd(t *testing.T) {
	holder := Holder{1}
	for made := time.Duration(0); made < slot; made += slot / 5 {
		for _, busy := range []bool{false, true} {
			for age := time.Duration(0); age < 4*slot; age += slot / 5 {
				h := newHouse(t, nil)
				h.clock.add(made)
				c := h.cookie(t, alice, holder)
				for range age / (slot / 5) {
					h.clock.add(slot / 5)
					if busy {
						h.cookie(t, alice, Holder{2})
					}
				}
				in := h.in(alice, Knock{Holder: holder, Cookie: c})
				if want := made+age < 2*slot; in != want {
					t.Errorf("made at %v, shown %v later, busy %t: %t", made, age, busy, in)
				}
			}
		}
	}
}

// A clock that steps costs a client one more round trip at most, and never opens anything.
func TestAClockThatStepsHarmsNoOne(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		h := newHouse(t, nil)
		old := h.cookie(t, alice, Holder{1})
		h.clock.add(step)
		fresh := h.cookie(t, alice, Holder{2})
		if !h.in(alice, Knock{Holder: Holder{2}, Cookie: fresh}) {
			t.Errorf("after a step of %v a fresh cookie is worth nothing", step)
		}
		if in := h.in(alice, Knock{Holder: Holder{1}, Cookie: old}); in != (step < 0) {
			t.Errorf("after a step of %v the old cookie proves: %t", step, in)
		}
		h.clock.add(2 * slot)
		if h.in(alice, Knock{Holder: Holder{1}, Cookie: old}) || h.in(alice, Knock{Holder: Holder{2}, Cookie: fresh}) {
			t.Errorf("%v after a step of %v a cookie still proves", 2*slot, step)
		}
	}
}

// A client that goes on asking has a cookie that is good, and asks for none again.
func TestAnswersRenewTheCookie(t *testing.T) {
	h := newHouse(t, nil)
	k := Knock{Holder: Holder{1}, Cookie: h.cookie(t, alice, Holder{1})}
	changed := 0
	for i := range 40 {
		h.clock.add(slot / 4)
		k.Nonce = Nonce{byte(i)}
		nonce, c, _, ok := ParseAnswer(h.ask(alice, k))
		if !ok || nonce != k.Nonce {
			t.Fatalf("question %d has no answer", i)
		}
		if c != k.Cookie {
			changed++
		}
		k.Cookie = c
	}
	if st := h.Stats(); st.Cookies != 1 || changed != 10 {
		t.Errorf("over 10 slots the cookie changed %d times; %+v", changed, st)
	}
}

// Each slot has a key of its own, also after a pause: no cookie comes again.
func TestKeysAreNotUsedAgain(t *testing.T) {
	h := newHouse(t, nil)
	seen := make(map[Cookie]time.Duration)
	at := time.Duration(0)
	pauses := []time.Duration{0, slot, slot, 2 * slot, 3 * slot, 4 * slot, 7 * slot, slot, slot / 2, slot / 2}
	for _, pause := range pauses {
		h.clock.add(pause)
		at += pause
		c := h.cookie(t, alice, Holder{1})
		if before, ok := seen[c]; ok && before/slot != at/slot {
			t.Errorf("the cookie of %v is that of %v", at, before)
		}
		seen[c] = at
	}
	if len(seen) != 9 {
		t.Errorf("%d cookies in 9 slots", len(seen))
	}
}

// brittle is randomness that runs out after n bytes.
type brittle struct{ n int }

func (b *brittle) Read(p []byte) (int, error) {
	if len(p) > b.n {
		return 0, errors.New("no randomness")
	}
	b.n -= len(p)
	for i := range p {
		p[i] = byte(b.n + i)
	}
	return len(p), nil
}

func TestWithoutRandomness(t *testing.T) {
	knock := func([]byte, netip.Addr, Holder, []byte) Reply { return Reply{} }
	_, err := NewAnswerer(Config{Knock: knock, Rand: &brittle{63}})
	if err == nil || !strings.Contains(err.Error(), "no randomness") {
		t.Errorf("an Answerer without keys: %v", err)
	}
	h := newHouse(t, func(cfg *Config) { cfg.Rand = &brittle{64} })
	h.clock.add(3 * slot)
	c := h.cookie(t, alice, Holder{1})
	if !h.in(alice, Knock{Holder: Holder{1}, Cookie: c}) {
		t.Error("without more randomness a cookie proves nothing")
	}
}

func TestConfig(t *testing.T) {
	knock := func([]byte, netip.Addr, Holder, []byte) Reply { return Reply{} }
	for want, cfg := range map[string]Config{
		"Config.Knock": {}, "-1 answers": {Knock: knock, AnswersPerSecond: -1},
	} {
		if _, err := NewAnswerer(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := NewAnswerer(Config{Knock: knock}); err != nil {
		t.Error(err)
	}
}

// The line hears what the client said, and the client what the line says.
func TestAnswerIsTheLines(t *testing.T) {
	for name, want := range map[string]Reply{
		"come in":          {Verdict: ComeIn, Ticket: testTicket(MaxTicket)},
		"come in, without": {Verdict: ComeIn},
		"wait": {
			Verdict: Wait, Ticket: testTicket(66), Place: 1, ETALow: time.Second, ETAHigh: time.Minute, After: time.Second,
		},
		"refused": {Verdict: Refused, After: time.Hour},
	} {
		for _, brought := range [][]byte{nil, testTicket(1), testTicket(66), testTicket(MaxTicket)} {
			h := newHouse(t, func(cfg *Config) {
				cfg.Knock = func(dst []byte, from netip.Addr, holder Holder, ticket []byte) Reply {
					if from != alice.Addr() || holder != HolderOf(secret) || !bytes.Equal(ticket, brought) {
						t.Errorf("%s: the line hears of %v, %x, %x", name, from, holder, ticket)
					}
					r := want
					r.Ticket = append(dst, want.Ticket...)
					return r
				}
			})
			c := h.cookie(t, alice, HolderOf(secret))
			b := h.ask(alice, Knock{Nonce: Nonce{9}, Holder: HolderOf(secret), Cookie: c, Ticket: brought})
			nonce, _, got, ok := ParseAnswer(b)
			if !ok || nonce != (Nonce{9}) {
				t.Fatalf("%s: no answer", name)
			}
			checkReply(t, name, got, want)
		}
	}
}

func checkReply(t *testing.T, name string, got, want Reply) {
	t.Helper()
	same := bytes.Equal(got.Ticket, want.Ticket)
	got.Ticket, want.Ticket = nil, nil
	if !same || got.Verdict != want.Verdict || got.Place != want.Place || got.ETALow != want.ETALow ||
		got.ETAHigh != want.ETAHigh || got.After != want.After {
		t.Errorf("%s: %+v, want %+v; the same ticket: %t", name, got, want, same)
	}
}

// The client's own ticket may be the reply's; what the line says of a client is not kept for the next.
func TestRepliesDoNotMix(t *testing.T) {
	h := newHouse(t, nil)
	for i := range 20 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 4000)
		k := Knock{Holder: Holder{byte(i)}, Cookie: h.cookie(t, from, Holder{byte(i)})}
		want := []byte("a new ticket")
		if i%2 == 1 {
			k.Ticket, want = testTicket(i), testTicket(i)
		}
		_, _, r, ok := ParseAnswer(h.ask(from, k))
		if !ok || !bytes.Equal(r.Ticket, want) {
			t.Errorf("client %d: %q, want %q", i, r.Ticket, want)
		}
	}
}

// A line that replies what no message can carry costs its own client the answer, and is counted.
func TestUnsendableReplies(t *testing.T) {
	for name, r := range map[string]Reply{
		"a long ticket":      {Verdict: Wait, Ticket: testTicket(MaxTicket + 1)},
		"an unknown verdict": {Verdict: 4}, "a place beyond the line": {Verdict: ComeIn, Place: 1},
	} {
		h := newHouse(t, func(cfg *Config) {
			cfg.Knock = func([]byte, netip.Addr, Holder, []byte) Reply { return r }
		})
		c := h.cookie(t, alice, Holder{1})
		if b := h.ask(alice, Knock{Holder: Holder{1}, Cookie: c}); b != nil {
			t.Errorf("%s: answered %x", name, b)
		}
		if st := h.Stats(); st.Unsendable != 1 || st.Answers != 0 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

// A line may say nothing to an origin that asks too much, which then takes no answer from others.
func TestSilence(t *testing.T) {
	bob := netip.MustParseAddrPort("192.0.2.8:50000")
	h := newHouse(t, func(cfg *Config) {
		cfg.AnswersPerSecond = 1000
		cfg.Knock = func(_ []byte, from netip.Addr, _ Holder, _ []byte) Reply {
			if from == bob.Addr() {
				return Reply{}
			}
			return Reply{Verdict: ComeIn}
		}
	})
	a, b := h.cookie(t, alice, Holder{1}), h.cookie(t, bob, Holder{1})
	for range 100 {
		if got := h.ask(bob, Knock{Holder: Holder{1}, Cookie: b}); got != nil {
			t.Fatalf("answered %x", got)
		}
	}
	if !h.in(alice, Knock{Holder: Holder{1}, Cookie: a}) {
		t.Error("another client has no answer")
	}
	if st := h.Stats(); st.Silent != 100 || st.Unsendable != 0 || st.Answers != 1 {
		t.Errorf("%+v", st)
	}
}

// An answer is smaller than the knock, and what is no knock has none.
func TestAnswersAreSmallerThanKnocks(t *testing.T) {
	h := newHouse(t, nil)
	c := h.cookie(t, alice, Holder{1})
	for _, k := range []Knock{{Holder: Holder{1}}, {Holder: Holder{1}, Cookie: c, Ticket: testTicket(MaxTicket)}} {
		datagram := AppendKnock(nil, &k)
		if b := h.Answer([]byte("before"), alice, datagram); len(b) == 6 || len(b)-6 >= len(datagram) ||
			!bytes.HasPrefix(b, []byte("before")) {
			t.Errorf("%d bytes are answered with %d", len(datagram), len(b)-6)
		}
		for n := range datagram {
			if b := h.Answer(nil, alice, datagram[:n]); len(b) > 0 {
				t.Fatalf("%d bytes of a knock are answered with %d", n, len(b))
			}
		}
	}
	if st := h.Stats(); st.Ignored != 2*KnockSize {
		t.Errorf("%+v", st)
	}
}

// flood sends n knocks without a cookie in the course of d, all from different addresses, and returns how many were
// answered.
func (h *house) flood(n int, d time.Duration, c Cookie) (answered int) {
	for i := range n {
		if d > 0 {
			h.clock.add(d / time.Duration(n))
		}
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], 10<<24+uint32(i))
		if h.ask(netip.AddrPortFrom(netip.AddrFrom4(ip), 4000), Knock{Cookie: c}) != nil {
			answered++
		}
	}
	return answered
}

// Of a flood a bounded number is answered; with or without cookies that prove nothing, it takes no answer from clients
// whose address is proved.
func TestBudget(t *testing.T) {
	const perSecond = 10_000
	for name, c := range map[string]Cookie{"no cookie": {}, "wrong cookies": {1, 2, 3}} {
		h := newHouse(t, func(cfg *Config) { cfg.AnswersPerSecond = perSecond })
		proof := h.cookie(t, alice, Holder{1})
		h.flood(perSecond, 0, c) // which takes all that was saved
		if got := h.flood(5*perSecond, time.Second, c); got < perSecond/4-1 || got > perSecond/4+1 {
			t.Errorf("%s: %d answers in a second, want %d", name, got, perSecond/4)
		}
		in := 0
		for range 10 * perSecond / 1000 { // a hundred milliseconds
			h.flood(3, 100*time.Microsecond, c)
			if h.in(alice, Knock{Holder: Holder{1}, Cookie: proof}) {
				in++
			}
		}
		if in != perSecond/100 {
			t.Errorf("%s: of the flooded, %d were answered in the midst of it, want %d", name, in, perSecond/100)
		}
		st := h.Stats()
		if st.OverBudget == 0 || st.Knocks != st.Cookies+st.Answers+st.OverBudget {
			t.Errorf("%s: %+v", name, st)
		}
		h.clock.add(time.Hour)
		if got := h.flood(perSecond, 0, c); got > int(perSecond/4*burst.Seconds())+1 {
			t.Errorf("%s: %d answers at once after an hour", name, got)
		}
	}
	h := newHouse(t, func(cfg *Config) { cfg.AnswersPerSecond = perSecond })
	proof, in := h.cookie(t, alice, Holder{1}), 0
	h.flood(1, time.Second, Cookie{})
	for range perSecond {
		if h.in(alice, Knock{Holder: Holder{1}, Cookie: proof}) {
			in++
		}
	}
	if in > int(perSecond*3/4*burst.Seconds()) {
		t.Errorf("%d answers at once to clients whose address is proved", in)
	}
	if h.flood(1, 0, Cookie{}) != 1 {
		t.Error("those took the cookies from others")
	}
}

// A clock that jumps back does not stop the answers.
func TestBudgetAndAClockThatStepsBack(t *testing.T) {
	h := newHouse(t, func(cfg *Config) { cfg.AnswersPerSecond = 100 })
	h.flood(100, 0, Cookie{})
	h.clock.add(-time.Hour)
	if got := h.flood(1, 0, Cookie{}); got != 0 {
		t.Error("the step brought answers")
	}
	if got := h.flood(100, time.Second, Cookie{}); got < 24 || got > 26 {
		t.Errorf("%d answers in the second after the step, want 25", got)
	}
}

func TestAllocations(t *testing.T) {
	h := newHouse(t, func(cfg *Config) {
		cfg.AnswersPerSecond = 1e9
		cfg.Knock = func(dst []byte, _ netip.Addr, holder Holder, _ []byte) Reply {
			return Reply{Verdict: Wait, Ticket: append(dst, holder[:]...), Place: 1}
		}
	})
	k := Knock{Holder: Holder{1}, Ticket: testTicket(66)}
	first := AppendKnock(nil, &k)
	k.Cookie = h.cookie(t, alice, k.Holder)
	second := AppendKnock(nil, &k)
	k.Cookie[0] ^= 2
	wrong := AppendKnock(nil, &k)
	dst := make([]byte, 0, KnockSize)
	for name, datagram := range map[string][]byte{
		"no cookie": first, "a cookie": second, "a wrong cookie": wrong, "no knock": first[1:],
	} {
		n := testing.AllocsPerRun(1000, func() { h.Answer(dst, alice, datagram) })
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	h := newHouse(b, func(cfg *Config) { cfg.Now, cfg.AnswersPerSecond = nil, 1e9 })
	k := Knock{Holder: Holder{1}, Ticket: testTicket(66)}
	first := AppendKnock(nil, &k)
	k.Cookie = h.cookie(b, alice, k.Holder)
	second := AppendKnock(nil, &k)
	dst := make([]byte, 0, KnockSize)
	for name, datagram := range map[string][]byte{"cookie": first, "proved": second} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Answer(dst, alice, datagram)
			}
		})
	}
}
