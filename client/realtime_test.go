package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

func TestViewsArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{Delay: 20 * time.Millisecond}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		before := <-rt.Views()
		for range 100 {
			v := <-rt.Views()
			n.check(v)
			if v.Tick != before.Tick+nodeStep || v.ServerTime-before.ServerTime != 50*time.Millisecond {
				t.Fatalf("tick %d (%v) after tick %d (%v)", v.Tick, v.ServerTime, before.Tick, before.ServerTime)
			}
			if !v.ReceivedAt.Equal(time.Now()) || rt.Latest() != v {
				t.Errorf("received at %v, now is %v; latest %p, want %p", v.ReceivedAt, time.Now(), rt.Latest(), v)
			}
			before = v
		}
		wantEvents(t, rt, EventConnected)
	})
}

// A few hundred bytes of what has changed, and not a thousand of everything.
func TestAcknowledgedSnapshotsMakeDeltas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{Delay: 20 * time.Millisecond}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		time.Sleep(time.Second)
		full := n.snapshots()[0]
		time.Sleep(10 * time.Second)
		for _, s := range n.snapshots() {
			if age := s.tick - s.base; s.base == 0 || age > 20 || s.size*3 > full.size {
				t.Errorf("tick %d: %d bytes relative to tick %d; %d bytes in full", s.tick, s.size, s.base, full.size)
			}
		}
	})
}

func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{Loss: 0.3, Duplicate: 0.1, Reorder: 0.1, Delay: 40 * time.Millisecond, Seed: 3}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		number := rt.SendIntent(rushgate.Intent{MoveX: 1})
		views, last, applied := 0, uint32(0), false
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); views++ {
			v := <-rt.Views()
			n.check(v)
			if v.Tick <= last {
				t.Fatalf("tick %d after tick %d", v.Tick, last)
			}
			last, applied = v.Tick, applied || v.Applied(number)
		}
		if views < 600*6/10 || views > 600 || !applied {
			t.Errorf("%d views of 600; intent applied: %v", views, applied)
		}
		if s := rt.Stats(); s.Malformed != 0 || s.Late == 0 || s.Connects != 1 || s.Snapshots < int64(views) {
			t.Errorf("%+v", s)
		}
		wantEvents(t, rt, EventConnected)
	})
}

func TestSlowConsumerGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		first := <-rt.Views()
		for range 20 {
			time.Sleep(time.Second + 10*time.Millisecond)
			synctest.Wait()
			v := <-rt.Views()
			if age := time.Since(v.ReceivedAt); age > 50*time.Millisecond {
				t.Errorf("a view of %v ago", age)
			}
		}
		if rt.Latest().Tick < first.Tick+20*60 {
			t.Errorf("the world stood still at tick %d", rt.Latest().Tick)
		}
		rt.Close()
		for range rt.Views() { // at most one is left
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		<-rt.Views()
		var closing sync.WaitGroup
		for range 3 {
			closing.Go(func() {
				rt.SendIntent(rushgate.Intent{MoveX: 1})
				rt.Close()
			})
		}
		closing.Wait()
		time.Sleep(50 * time.Millisecond)
		n.intents()
		if left := n.server.Stats().Clients; left != 0 {
			t.Errorf("%d clients are left on the server", left)
		}
		if rt.SendIntent(rushgate.Intent{}); rt.Err() != nil {
			t.Errorf("after Close: %v", rt.Err())
		}
		if last := wantEvents(t, rt, EventConnected, EventEnded); last.Err != nil {
			t.Errorf("ended with %v", last.Err)
		}
		time.Sleep(time.Minute)
		if got := n.intents(); len(got) != 0 {
			t.Errorf("%d intents came after Close", len(got))
		}
	})
}

// The bubble ends only when every goroutine has ended, so this test proves that a Close during each phase of a
// reconnection leaves none.
func TestCloseWhileReconnecting(t *testing.T) {
	for _, ms := range []int{0, 100, 500, 700, 2000} {
		after := time.Duration(ms) * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{Delay: 50 * time.Millisecond}, 1)
			defer n.stop()
			rt := n.connect(RealtimeOptions{})
			<-rt.Views()
			n.kick()
			time.Sleep(after)
			begin := time.Now()
			rt.Close()
			if took := time.Since(begin); took != 0 || rt.Err() != nil {
				t.Errorf("closed %v after the loss: it took %v, %v", after, took, rt.Err())
			}
		})
	}
}

func TestRealtimeMovesTheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		s := n.login()
		time.Sleep(10 * time.Second)
		if left := time.Until(s.ExpiresAt()); left != sessionLife-10*time.Second {
			t.Errorf("without a connection %v are left", left)
		}
		rt, err := s.Connect(t.Context(), RealtimeOptions{Dial: n.dial})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if left := time.Until(s.ExpiresAt()); left < sessionLife-50*time.Millisecond || left > sessionLife {
			t.Errorf("while snapshots come %v are left", left)
		}
		n.network.SetOptions(outage)
		n.set(func(n *node) { n.noAnswer = true })
		before := s.ExpiresAt()
		time.Sleep(nodeTimeout / 2)
		if !s.ExpiresAt().Equal(before) {
			t.Errorf("while none come it moves from %v to %v", before, s.ExpiresAt())
		}
		rt.Close()
		n.set(func(n *node) { n.noAnswer = false })
		if _, err := s.client.renew(t.Context(), *s); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(s.ExpiresAt()); left != sessionLife {
			t.Errorf("after a call %v are left", left)
		}
	})
}

func TestConnectErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		s := n.login()
		opts := RealtimeOptions{Dial: n.dial}
		rt, err := s.Connect(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Connect(t.Context(), opts); !errors.Is(err, ErrConnected) {
			t.Errorf("second connection of a session: %v", err)
		}
		rt.Close()
		for _, rate := range []int{-1, 61} {
			if _, err := s.Connect(t.Context(), RealtimeOptions{IntentRate: rate}); err == nil {
				t.Errorf("an intent rate of %d is accepted", rate)
			}
		}
		n.network.SetOptions(memnet.Options{Loss: 1})
		if _, err := s.Connect(t.Context(), opts); !errors.Is(err, netcode.StateError{State: netcode.StateRequestTimedOut}) {
			t.Errorf("no answer: %v", err)
		}
		n.set(func(n *node) { n.over = true })
		if _, err := s.Connect(t.Context(), opts); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("session over: %v", err)
		}
	})
}

func TestConnectToAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		token, err := netcode.NewConnectToken(netcode.TokenSpec{
			ProtocolID: protocol.ID, ClientID: 99, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(nodeToken),
			Timeout: nodeTimeout, Addresses: []netip.AddrPort{nodeAddr},
		}, &n.key, nil)
		if err != nil {
			t.Fatal(err)
		}
		other, err := netcode.Dial(t.Context(), token, netcode.ClientOptions{Dial: n.dial})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		_, err = n.login().Connect(t.Context(), RealtimeOptions{Dial: n.dial})
		if !errors.Is(err, netcode.StateError{State: netcode.StateDenied}) {
			t.Errorf("error %v", err)
		}
	})
}

func TestIntents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{IntentRate: 10})
		defer rt.Close()
		time.Sleep(time.Minute)
		beats := n.intents()
		if len(beats) < 299 || len(beats) > 302 {
			t.Errorf("%d messages in a minute without a word of the player", len(beats))
		}
		for i, b := range beats[1:] {
			if b.Seq <= beats[i].Seq || i > 0 && b.Ack <= beats[i].Ack {
				t.Fatalf("message %d: %+v after %+v", i, b.Intent, beats[i].Intent)
			}
		}
		var number uint32
		for i := range 60 { // a second of a game that runs at 60 Hz
			number = rt.SendIntent(rushgate.Intent{Action: uint8(i)})
			time.Sleep(time.Second / 60)
		}
		time.Sleep(100 * time.Millisecond)
		got := n.intents()
		if len(got) < 9 || len(got) > 12 {
			t.Fatalf("%d messages, want 10 or so", len(got))
		}
		if last := got[len(got)-1]; last.Action != 59 || last.Seq < number {
			t.Errorf("the last intent was %+v, want action 59, number %d", last.Intent, number)
		}
		for i := range 20 { // now and then a word: at once, or as soon as the last message is a tenth of a second ago
			time.Sleep(333 * time.Millisecond)
			n.intents()
			said := time.Now()
			rt.SendIntent(rushgate.Intent{Action: uint8(100 + i)})
			time.Sleep(110 * time.Millisecond)
			if got := n.intents(); len(got) == 0 || got[len(got)-1].Action != uint8(100+i) {
				t.Errorf("said at %v, not there %v later: %+v", said, time.Since(said), got)
			}
		}
		<-rt.Views()
		if v := <-rt.Views(); !v.Applied(number) || v.Applied(number+1000) {
			t.Errorf("view of tick %d: intent %d applied: %v", v.Tick, number, v.Applied(number))
		}
	})
}

func TestRealtimeShowsNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		rt.Close()
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			fmt.Fprintf(&out, verb+"\n", rt)
			fmt.Fprintf(&out, verb+"\n", struct{ Realtime *Realtime }{rt})
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("lost", "connection", rt)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("lost", "connection", rt)
		if b, err := json.Marshal(struct{ Realtime *Realtime }{rt}); err == nil {
			out.Write(b)
		}
		secret := rt.session.connectToken()[100:140]
		decimal := strings.Trim(fmt.Sprintf("%d", secret), "[]")
		for _, form := range []string{"token-secret-1", string(secret), fmt.Sprintf("%x", secret), decimal} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%q is in\n%s", form, out.String())
			}
		}
		if !strings.Contains(out.String(), "realtime connection of player 12") {
			t.Errorf("it does not say whose it is:\n%s", out.String())
		}
	})
}
