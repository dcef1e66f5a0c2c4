package realm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/reliable"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// chat is a world that keeps what it hears, and says what a test has it say.
type chat struct {
	*plainWorld
	mu    sync.Mutex
	heard []rushgate.Message
	say   []rushgate.Message
	echo  bool // to say to each player what that one has said
}

func (w *chat) Hear(m rushgate.Message) {
	w.call("Hear")
	w.mu.Lock()
	defer w.mu.Unlock()
	m.Data = slices.Clone(m.Data)
	w.heard = append(w.heard, m)
	if w.echo {
		w.say = append(w.say, m)
	}
}

func (w *chat) Speak(dst []rushgate.Message) []rushgate.Message {
	w.call("Speak")
	w.mu.Lock()
	defer w.mu.Unlock()
	dst = append(dst, w.say...)
	w.say = w.say[:0]
	return dst
}

func (w *chat) tell(m ...rushgate.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say = append(w.say, m...)
}

// words returns what was heard.
func (w *chat) words() (words []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.heard {
		words = append(words, string(m.Data))
	}
	return words
}

// newChat is a fixture whose world is a chat.
func newChat(t testing.TB, change func(*Config)) (*fixture, *chat) {
	w := &chat{plainWorld: &plainWorld{players: make(map[rushgate.PlayerID]*rushgate.Character)}}
	f := newFixture(t, func(c *Config) {
		c.World = w
		if change != nil {
			change(c)
		}
	})
	f.world = w.plainWorld
	return f, w
}

// talker is a client that talks.
type talker struct {
	mu    sync.Mutex
	end   *reliable.End
	conn  *netcode.Client
	words []string // reliable
	loose []string
	lost  int
	anew  int
}

func newTalker() *talker { return &talker{end: reliable.New()} }

func (k *talker) hear(packet []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m, err := protocol.ParseUnreliable(packet); err == nil {
		for data, ok := m.Next(); ok; data, ok = m.Next() {
			k.loose = append(k.loose, string(data))
		}
		return
	}
	r, err := protocol.ParseReliable(packet)
	if err != nil {
		panic(err)
	}
	k.end.Hear(&r, time.Now(), func(n reliable.News) {
		if n.Lost {
			k.lost++
		}
		if n.Anew {
			k.anew++
		}
	}, func(data []byte) bool {
		k.words = append(k.words, string(data))
		return true
	})
}

// say has the talker say something reliable, unless it is empty, and sends what there is to send.
func (k *talker) say(words string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if words != "" && k.end.Say([]byte(words)) != nil {
		panic("the talker says too much")
	}
	for packet, ok := k.end.Next(nil, time.Now()); ok; packet, ok = k.end.Next(nil, time.Now()) {
		_ = k.conn.Write(packet) // lost, perhaps
	}
}

// connect has the talker go on over another connection.
func (k *talker) connect(t *testing.T, a *arena, s rushgate.Session) {
	t.Helper()
	p, err := a.dial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = p.client
	k.end.Connect(false)
}

func (k *talker) heard() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.words)
}

func wantWords(t *testing.T, what string, got []string, n int) {
	t.Helper()
	for i, w := range got {
		if w != fmt.Sprint("word ", i) {
			t.Fatalf("%s: word %d is %q", what, i, w)
		}
	}
	if len(got) != n {
		t.Errorf("%s: %d words, want %d", what, len(got), n)
	}
}

// What is reliable arrives once and in order, both ways, while the network loses, repeats and reorders, the player
// comes from other ports, and the realm moves to another process and back.
func TestReliableMessagesOutliveConnectionsAndMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var worlds []*chat
		wrap := func(p *plainWorld) rushgate.World {
			worlds = append(worlds, &chat{plainWorld: p, echo: true})
			return worlds[len(worlds)-1]
		}
		k := newTalker()
		network := memnet.Options{Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Delay: 30 * time.Millisecond, Seed: 5}
		a := newArena(t, network, func(c *Config) {
			c.World = wrap(&plainWorld{players: make(map[rushgate.PlayerID]*rushgate.Character)})
		})
		a.hear, a.wrap = k.hear, wrap
		s := a.enterLive(t, "alice")
		k.connect(t, a, s)
		const words = 600
		for i := range words {
			k.say(fmt.Sprint("word ", i))
			switch i {
			case 100, 250, 500:
				var err error
				if s, err = a.Renew(s.Token); err != nil {
					t.Fatal(err)
				}
				k.connect(t, a, s)
			case 180, 400:
				a = a.move(t, 50*time.Millisecond)
			}
			for range 5 {
				time.Sleep(10 * time.Millisecond)
				k.say("")
			}
		}
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			k.say("")
		}
		var heard []string
		for _, w := range worlds {
			heard = append(heard, w.words()...)
		}
		wantWords(t, "the world", heard, words)
		wantWords(t, "the player", k.heard(), words)
		synctest.Wait()
		if k.lost+k.anew > 0 || len(worlds) != 3 {
			t.Errorf("%d times lost, %d times anew, in %d worlds", k.lost, k.anew, len(worlds))
		}
		if st := a.Stats(); st.Malformed != 0 || st.MessagesLost != 0 || st.MessagesHeard == 0 || st.MessagesResent == 0 {
			t.Errorf("%+v", st)
		}
	})
}

// attached is a player over a transport of the test's own.
type attached struct {
	*Attachment
	tape *tape
}

func attach(t *testing.T, f *fixture, s rushgate.Session) attached {
	t.Helper()
	c := &tape{received: time.Now()}
	at, err := f.Attach(s.Token, tapes{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return attached{at, c}
}

// loose returns a packet with messages that are not reliable.
func loose(words ...string) []byte {
	b := protocol.AppendUnreliable(nil)
	for _, w := range words {
		b, _ = protocol.AppendMessage(b, []byte(w))
	}
	return b
}

// A player who says more than 60 messages at once, or 30 in a second, is heard as far as that: of unreliable ones the
// rest is dropped, reliable ones come later.
func TestPlayersWhoSayTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newChat(t, nil)
		at := attach(t, f, f.enter(t, "alice"))
		for range 100 {
			if err := at.Receive(loose("boo")); err != nil {
				t.Fatal(err)
			}
		}
		f.Tick()
		if got := f.Stats(); len(w.words()) != 60 || got.MessagesRefused != 40 || got.MessagesHeard != 60 {
			t.Errorf("%d of 100 are heard: %+v", len(w.words()), got)
		}
		w.heard = nil
		end := reliable.New()
		end.Connect(false)
		for i := range 100 {
			_ = end.Say([]byte(fmt.Sprint("word ", i)))
		}
		begin := time.Now()
		for end.Waiting() > 0 && time.Since(begin) < 10*time.Second {
			for packet, ok := end.Next(nil, time.Now()); ok; packet, ok = end.Next(nil, time.Now()) {
				_ = at.Receive(packet)
			}
			f.Tick()
			f.deliverTalk(at.link, func(packet []byte) {
				if r, err := protocol.ParseReliable(packet); err == nil {
					end.Hear(&r, time.Now(), func(reliable.News) {}, func([]byte) bool { return true })
				}
			})
			time.Sleep(50 * time.Millisecond)
		}
		wantWords(t, "the world", w.words(), 100)
		if took := time.Since(begin); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("100 messages took %v, at 30 a second", took)
		}
	})
}

// deliverTalk sends what waits for a player.
func (f *fixture) deliverTalk(l *link, deliver func(packet []byte)) {
	talk := l.session.talk.Load()
	for packet, ok := talk.next(nil, l, time.Now()); ok; packet, ok = talk.next(nil, l, time.Now()) {
		deliver(packet)
	}
}

// What players say counts among the messages of a tick, they take turns, and intents are not held up.
func TestMessagesCountAsMessagesOfTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newChat(t, func(c *Config) { c.MessagesPerTick = 4 })
		anna, bob := attach(t, f, f.enter(t, "anna")), attach(t, f, f.enter(t, "bob"))
		for range 20 {
			_ = anna.Receive(loose("a"))
		}
		_ = bob.Receive(loose("b"))
		f.link(rushgate.Session{Player: bob.link.session.player})
		_ = bob.Receive(protocol.AppendIntent(nil, protocol.Intent{Seq: 1}))
		f.Tick()
		if got := strings.Join(w.words(), ""); got != "aba" || f.world.applied != 1 {
			t.Errorf("%q in the first tick, with %d intents", got, f.world.applied)
		}
		f.Tick()
		if got := strings.Join(w.words(), ""); got != "abaaaaa" {
			t.Errorf("%q after the second", got)
		}
		at := anna.link.session
		f.leave(at, Left, nil)
		f.Tick()
		if got := len(w.words()); got != 7 || at.talk.Load() != nil {
			t.Errorf("%d words are heard, one of them of a player who has left", got)
		}
	})
}

// For a player who takes nothing a bounded number of messages waits; then the newest one, with a word of the loss.
func TestMessagesThatAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArena(t, memnet.Options{Delay: time.Millisecond}, func(c *Config) {
			c.World = &chat{plainWorld: c.World.(*plainWorld)}
		})
		w := a.cfg.World.(*chat)
		s := a.enterLive(t, "alice")
		for i := range 300 {
			w.tell(rushgate.Message{Player: s.Player, Reliable: true, Data: []byte(fmt.Sprint("word ", i))},
				rushgate.Message{Player: s.Player, Data: []byte("boo")})
		}
		time.Sleep(time.Second)
		if st := a.Stats(); st.MessagesLost != 300+256 || st.MessagesSaid != 600 {
			t.Errorf("%+v", st)
		}
		k := newTalker()
		a.hear = k.hear
		k.connect(t, a, s)
		for range 100 {
			k.say("")
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		want := make([]string, 0, 44)
		for i := 256; i < 300; i++ {
			want = append(want, fmt.Sprint("word ", i))
		}
		if got := k.heard(); !slices.Equal(got, want) || k.lost != 1 || len(k.loose) != 0 {
			t.Errorf("heard %q, %d times lost, %q", got, k.lost, k.loose)
		}
		for i := range 100 {
			w.tell(rushgate.Message{Player: s.Player, Data: []byte(fmt.Sprint("boo ", i))})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(k.loose) != maxLoose || k.loose[0] != "boo 36" {
			t.Errorf("%d unreliable messages, the first %q", len(k.loose), k.loose[0])
		}
	})
}

// A world may talk to all, or to a player who is not there; what it must not say is dropped, and a panic costs the
// call.
func TestWhatAWorldSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newChat(t, nil)
		anna, bob := attach(t, f, f.enter(t, "anna")), attach(t, f, f.enter(t, "bob"))
		w.tell(rushgate.Message{Data: []byte("to all"), Reliable: true}, rushgate.Message{Player: 99, Data: []byte("x")},
			rushgate.Message{Player: anna.link.session.player}, rushgate.Message{Data: make([]byte, rushgate.MaxMessage+1)},
			rushgate.Message{Player: bob.link.session.player, Data: []byte("to bob")})
		f.Tick()
		for name, at := range map[string]attached{"anna": anna, "bob": bob} {
			var got []string
			f.deliverTalk(at.link, func(packet []byte) {
				m, err := protocol.ParseUnreliable(packet)
				if r, e := protocol.ParseReliable(packet); e == nil {
					m, err = r.Messages, nil
				}
				for data, ok := m.Next(); ok && err == nil; data, ok = m.Next() {
					got = append(got, string(data))
				}
			})
			want := map[string][]string{"anna": {"to all"}, "bob": {"to all", "to bob"}}[name]
			if !slices.Equal(got, want) {
				t.Errorf("%s hears %q, want %q", name, got, want)
			}
		}
		if st := f.Stats(); st.MessagesLost != 3 || st.MessagesSaid != 3 {
			t.Errorf("%+v", st)
		}
		w.onCall = func(method string) {
			if method == "Hear" || method == "Speak" {
				panic("a bug in the game")
			}
		}
		_ = anna.Receive(loose("boo"))
		before := f.Stats().Panics
		f.Tick()
		if got := f.Stats().Panics - before; got != 2 || f.Players() != 2 {
			t.Errorf("%d panics, %d inside", got, f.Players())
		}
	})
}

// A world that does not talk costs nothing for those that do: nothing is kept of what players say, and their
// programmers can be told.
func TestWorldThatDoesNotTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		at := attach(t, f, f.enter(t, "alice"))
		for range 5 {
			if err := at.Receive(loose("boo")); !errors.Is(err, errDeaf) {
				t.Errorf("%v", err)
			}
		}
		f.Tick()
		if st := f.Stats(); st.MessagesRefused != 5 || st.Malformed != 0 || at.link.session.talk.Load() != nil {
			t.Errorf("%+v", st)
		}
	})
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newChat(t, nil)
		at := attach(t, f, f.enter(t, "alice"))
		for _, b := range [][]byte{protocol.AppendUnreliable(nil), {1, 4, 0}, append(loose("boo"), 0)} {
			if err := at.Receive(b); !errors.Is(err, protocol.ErrMalformed) {
				t.Errorf("%x: %v", b, err)
			}
		}
		at.Detach()
		_ = at.Receive(loose("late"))
		f.Tick()
		if st := f.Stats(); st.Malformed != 3 || len(w.words()) != 0 {
			t.Errorf("%q are heard, %+v", w.words(), st)
		}
	})
}

// A tick in which nothing is said allocates nothing, though the world may talk and a player has.
func TestSilenceAllocatesNothing(t *testing.T) {
	f, w := newChat(t, nil)
	s := f.enter(t, "alice")
	at, err := f.Attach(s.Token, drains{}, &drain{})
	if err != nil {
		t.Fatal(err)
	}
	w.tell(rushgate.Message{Data: []byte("hello"), Reliable: true})
	_ = at.Receive(loose("boo"))
	f.Tick()
	allocs := testing.AllocsPerRun(100, func() {
		f.hearNext()
		f.speak()
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	frame := crowd(t, 20)
	if n := testing.AllocsPerRun(100, frame); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// What was said reliably and not heard yet moves with the realm, also where the world does not listen any more: then it
// is dropped. A state that an older version has written has nothing of it.
func TestWhatWasSaidMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newChat(t, func(c *Config) { c.MessagesPerTick = 1 })
		s := f.enter(t, "alice")
		at := attach(t, f, s)
		end := reliable.New()
		for i := range 10 {
			_ = end.Say([]byte(fmt.Sprint("word ", i)))
		}
		packet, _ := end.Next(nil, time.Now())
		_ = at.Receive(packet)
		_ = at.Receive(loose("boo"))
		w.tell(rushgate.Message{Player: s.Player, Reliable: true, Data: []byte("word 0")})
		f.Tick()
		state := f.freeze(t)
		next := &chat{}
		g := f.next(t, state, func(c *Config) { next.plainWorld, c.World = c.World.(*plainWorld), next })
		for range 20 {
			g.Tick()
		}
		wantWords(t, "both worlds", append(w.words(), next.words()...), 10)
		at = attach(t, g, s)
		g.deliverTalk(at.link, func(packet []byte) {
			r, err := protocol.ParseReliable(packet)
			if data, _ := r.Messages.Next(); err != nil || r.Ack != 10 || string(data) != "word 0" {
				t.Errorf("%+v, %q, %v", r, data, err)
			}
		})
		plain := f.next(t, state, nil)
		plain.Tick()
		if plain.players[s.Player].talk.Load() != nil {
			t.Error("a world without ears has kept what was said")
		}
	})
}

func TestStateOfVersion1IsRead(t *testing.T) {
	text, err := os.ReadFile("testdata/state-1.hex")
	if err != nil {
		t.Fatal(err)
	}
	state, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.State = state })
		f.Tick()
		if s := f.players[1]; f.Players() != 1 || s == nil || s.name != "alice" || f.players[2].state != stateLeaving {
			t.Errorf("%d are inside", f.Players())
		}
		if c, ok := f.character(f.players[1]); !ok || c.Zone != "meadow" {
			t.Errorf("%+v", c)
		}
	})
}

// BenchmarkWordToAll is what the tick does for a word that the world says to all, and they acknowledge.
func BenchmarkWordToAll(b *testing.B) {
	const players = 1000
	f, w := newChat(b, func(c *Config) { c.SessionTimeout = time.Hour })
	for n := range players {
		f.enter(b, fmt.Sprint("player", n))
	}
	w.tell(rushgate.Message{Reliable: true, Data: []byte("hello")})
	f.speak()
	word := []rushgate.Message{{Reliable: true, Data: make([]byte, 100)}}
	b.ReportAllocs()
	for b.Loop() {
		w.tell(word...)
		f.speak()
		b.StopTimer()
		for _, s := range f.inside {
			s.talk.Load().end = reliable.New()
		}
		b.StartTimer()
	}
}
