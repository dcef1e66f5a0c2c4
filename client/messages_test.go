package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
)

// startTalking starts a node whose world says what it hears.
func startTalking(t *testing.T, network memnet.Options) *node {
	t.Helper()
	n := startNode(t, network, 1)
	n.forget()
	return n
}

// readAll returns the messages that are there.
func readAll(rt *Realtime) (words, loose []string, lost int) {
	for {
		select {
		case m, ok := <-rt.Messages():
			switch {
			case !ok:
				return words, loose, lost
			case m.Lost:
				lost++
			case m.Reliable:
				words = append(words, string(m.Data))
			default:
				loose = append(loose, string(m.Data))
			}
		default:
			return words, loose, lost
		}
	}
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

// Reliable messages arrive once and in order, whatever the network does and however often the connection is lost.
func TestMessagesOverABadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTalking(t, memnet.Options{Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Delay: 40 * time.Millisecond, Seed: 3})
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		var words []string
		take := func() {
			got, _, lost := readAll(rt)
			words = append(words, got...)
			if lost > 0 {
				t.Errorf("%d losses are told", lost)
			}
		}
		for i := range 400 {
			if err := rt.Send([]byte(fmt.Sprint("word ", i)), true); err != nil {
				t.Fatal(err)
			}
			if i%130 == 129 {
				n.kick()
			}
			time.Sleep(50 * time.Millisecond)
			take()
		}
		time.Sleep(10 * time.Second)
		take()
		wantWords(t, "the world", n.words(), 400)
		wantWords(t, "the player", words, 400)
		if s := rt.Stats(); s.Connects < 4 || s.MessagesWaiting != 0 || s.MessagesResent == 0 || s.Messages != 400 ||
			s.Malformed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUnreliableMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTalking(t, memnet.Options{Delay: 20 * time.Millisecond})
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		for range 5 {
			if err := rt.Send([]byte("boo"), false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if _, loose, _ := readAll(rt); len(loose) != 5 || strings.Join(n.words(), "") != strings.Repeat("boo", 5) {
			t.Errorf("the world has heard %q, the player %q", n.words(), loose)
		}
		n.network.SetOptions(memnet.Options{Loss: 1})
		_ = rt.Send([]byte("boo"), false)
		n.network.SetOptions(memnet.Options{})
		time.Sleep(5 * time.Second)
		if len(n.words()) != 5 {
			t.Errorf("what was lost has come: %q", n.words())
		}
	})
}

// A node that has lost what it knew, by a crash or since it is another one, hears again what was not acknowledged, and
// the game is told.
func TestANodeThatHasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTalking(t, memnet.Options{Delay: 20 * time.Millisecond})
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		say := func(from, to int) {
			for i := from; i < to; i++ {
				if err := rt.Send([]byte(fmt.Sprint("word ", i)), true); err != nil {
					t.Fatal(err)
				}
			}
		}
		say(0, 10)
		time.Sleep(time.Second)
		wantWords(t, "the world", n.words(), 10)
		if words, _, lost := readAll(rt); lost != 0 {
			t.Errorf("%q, %d losses", words, lost)
		}
		n.network.SetOptions(memnet.Options{Loss: 1})
		say(10, 20)
		n.forget()
		n.kick()
		n.network.SetOptions(memnet.Options{Delay: 20 * time.Millisecond})
		time.Sleep(15 * time.Second)
		wantWords(t, "both worlds", n.words(), 20)
		var first Message
		select {
		case first = <-rt.Messages():
		default:
		}
		words, _, lost := readAll(rt)
		if !first.Lost || first.Data != nil || lost != 0 || len(words) != 10 || words[0] != "word 10" {
			t.Errorf("the game is told %+v, and then %q", first, words)
		}
	})
}

// A game that reads no messages sees the world all the same. When it reads again it finds all that is reliable.
func TestAGameThatDoesNotReadItsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTalking(t, memnet.Options{Delay: 20 * time.Millisecond})
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		for i := range 200 {
			if err := rt.Send([]byte(fmt.Sprint("word ", i)), true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if err := rt.Send([]byte("boo"), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		views := rt.Stats().Snapshots
		time.Sleep(10 * time.Second)
		if got := rt.Stats().Snapshots - views; got < 195 {
			t.Errorf("%d views in 10 s", got)
		}
		if s := rt.Stats(); s.Messages != unreadMessages || s.MessagesDropped != 1 {
			t.Errorf("%+v", s)
		}
		var words []string
		for range 100 {
			got, _, _ := readAll(rt)
			words = append(words, got...)
			time.Sleep(200 * time.Millisecond)
		}
		wantWords(t, "the player", words, 200)
	})
}

// A loss is told also when there is no room for it, and nothing comes after it.
func TestALossIsToldWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTalking(t, memnet.Options{Delay: 20 * time.Millisecond})
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		for i := range unreadMessages {
			_ = rt.Send([]byte(fmt.Sprint("word ", i)), true)
		}
		time.Sleep(time.Second)
		n.forget()
		n.set(func(n *node) { _ = n.end.Say([]byte("anew")) })
		n.kick()
		time.Sleep(10 * time.Second)
		n.set(func(n *node) { n.end.GiveUp() })
		words, _, lost := readAll(rt)
		wantWords(t, "the player", words, unreadMessages)
		time.Sleep(2 * time.Second)
		_, _, later := readAll(rt)
		if lost != 0 || later == 0 {
			t.Errorf("%d losses before there was room, %d after", lost, later)
		}
	})
}

func TestSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1) // which does not talk, and so acknowledges nothing
		defer n.stop()
		n.set(func(n *node) { n.deaf = true })
		rt := n.connect(RealtimeOptions{})
		for _, size := range []int{0, rushgate.MaxMessage + 1} {
			for _, reliable := range []bool{true, false} {
				if err := rt.Send(make([]byte, size), reliable); !errors.Is(err, ErrMessageLength) {
					t.Errorf("%d bytes: %v", size, err)
				}
			}
		}
		sent := 0
		for ; rt.Send([]byte("word"), true) == nil; sent++ {
		}
		if err := rt.Send([]byte("word"), true); sent != 256 || !errors.Is(err, ErrMessagesWait) {
			t.Errorf("after %d: %v", sent, err)
		}
		if s := rt.Stats(); s.MessagesWaiting != 256 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		rt.Close()
		if err := rt.Send([]byte("word"), false); !errors.Is(err, ErrRealtimeEnded) {
			t.Errorf("after the end: %v", err)
		}
		if _, ok := <-rt.Messages(); ok {
			t.Error("a message comes after the end")
		}
	})
}

// Over a WebSocket, which holds one intent, each message has a place of its own.
func TestMessagesOverAWebSocketWaitForEachOther(t *testing.T) {
	w := &webSocket{writing: true} // by a goroutine that is slow
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("packet ", i))
		w.writeMessages([]byte(want[i]))
	}
	_ = w.Write([]byte("an intent"))
	_ = w.Write([]byte("a newer one"))
	var got []string
	for w.next() {
		got = append(got, string(w.outgoing))
	}
	if !slices.Equal(got, append(want, "a newer one")) || w.size != 0 {
		t.Errorf("written: %q", got)
	}
	w.writing = true
	for range 200 {
		w.writeMessages(make([]byte, 1200))
	}
	if w.size > maxPackets {
		t.Errorf("%d bytes wait", w.size)
	}
}
