package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
)

var outage = memnet.Options{Loss: 1}

// The connection goes on after an outage that it outlasts, whatever was tried meanwhile.
func TestShortOutagesCostNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		before := <-rt.Views()
		n.network.SetOptions(outage)
		n.set(func(n *node) { n.noAnswer = true })
		time.Sleep(nodeTimeout - 2*time.Second)
		n.network.SetOptions(memnet.Options{})
		n.set(func(n *node) { n.noAnswer = false })
		<-rt.Views()
		v := <-rt.Views()
		n.check(v)
		if since := v.ServerTime - before.ServerTime; since < 8*time.Second || since > 9*time.Second {
			t.Errorf("the next view is %v later", since)
		}
		time.Sleep(time.Second)
		kinds := map[EventKind]int{}
		for len(rt.Events()) > 0 {
			kinds[(<-rt.Events()).Kind]++
		}
		if kinds[EventConnected] != 1 || kinds[EventSilent] != 1 || kinds[EventRecovered] != 1 || n.renewals != 0 {
			t.Errorf("events %v, %d renewals", kinds, n.renewals)
		}
	})
}

// An outage that outlasts the connection, whether the connect token of the first connection would still be good or not.
func TestReconnectsAfterAnOutage(t *testing.T) {
	for _, lasts := range []time.Duration{12 * time.Second, 45 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{}, 1)
			defer n.stop()
			rt := n.connect(RealtimeOptions{})
			defer rt.Close()
			<-rt.Views()
			wantEvents(t, rt, EventConnected)
			rt.SendIntent(rushgate.Intent{Action: 1})
			time.Sleep(time.Second)
			n.network.SetOptions(outage)
			n.set(func(n *node) { n.noAnswer = true })
			time.Sleep(lasts)
			number := rt.SendIntent(rushgate.Intent{Action: 2}) // waits for the connection
			n.network.SetOptions(memnet.Options{})
			n.set(func(n *node) { n.noAnswer = false; n.got = nil })
			time.Sleep(maxReconnectPause + time.Second)
			v := rt.Latest()
			n.check(v)
			if !v.Applied(number) || time.Since(v.ReceivedAt) > 50*time.Millisecond {
				t.Errorf("after %v: newest view is %v old", lasts, time.Since(v.ReceivedAt))
			}
			if got := n.intents(); len(got) == 0 || got[0].Action != 2 || got[0].Ack != 0 {
				t.Errorf("first message of the new connection: %+v", got[0].Intent)
			}
			kinds := map[EventKind]int{}
			var last Event
			for len(rt.Events()) > 0 {
				last = <-rt.Events()
				kinds[last.Kind]++
			}
			if last.Kind != EventConnected || kinds[EventTimedOut] == 0 || kinds[EventReconnecting] == 0 {
				t.Errorf("after %v: events %v, last %+v", lasts, kinds, last)
			}
			if s := rt.Stats(); s.Connects != 2 || n.renewals != 1 {
				t.Errorf("after %v: %+v, %d renewals", lasts, s, n.renewals)
			}
		})
	}
}

// The ticks of a server that was restarted begin again.
func TestReconnectsWhenTheServerEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		synctest.Wait()
		wantEvents(t, rt, EventConnected)
		for range 3 {
			time.Sleep(time.Minute)
			n.set(func(n *node) { n.rewind = true })
			n.kick()
			time.Sleep(3 * time.Second)
			n.check(rt.Latest())
			if tick := rt.Latest().Tick; tick > 3*rushgate.TickRate {
				t.Errorf("newest view of tick %d, from before the world began again", tick)
			}
			wantEvents(t, rt, EventDisconnected, EventReconnecting, EventConnected)
		}
	})
}

func TestSessionThatIsOverEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		<-rt.Views()
		n.set(func(n *node) { n.over = true })
		n.kick()
		for range rt.Views() { // until the end
		}
		last := wantEvents(t, rt, EventConnected, EventDisconnected, EventReconnecting, EventEnded)
		if !errors.Is(last.Err, rushgate.BadCredentials) {
			t.Errorf("ended with %v", last.Err)
		}
		if !errors.Is(rt.Err(), rushgate.BadCredentials) {
			t.Errorf("Err() is %v", rt.Err())
		}
		rt.Close()
	})
}

// A change of networks leaves the connections dead that were kept for HTTP, and may swallow a request besides. Both
// must be over while the session lasts.
func TestReconnectsAfterRequestsThatHang(t *testing.T) {
	for _, tt := range []struct {
		name string
		hang int
	}{{"a connection that was kept", 0}, {"the first request too", 1}, {"the first two", 2}} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{}, 1)
			defer n.stop()
			rt := n.connect(RealtimeOptions{})
			defer rt.Close()
			<-rt.Views()
			time.Sleep(time.Minute)
			n.set(func(n *node) { n.mortal, n.hang, n.dead = true, tt.hang, true })
			n.network.SetOptions(outage)
			time.Sleep(nodeTimeout + 100*time.Millisecond)
			n.network.SetOptions(memnet.Options{})
			time.Sleep(sessionLife - nodeTimeout)
			if s := rt.Stats(); s.Connects != 2 || rt.Err() != nil {
				t.Errorf("%s: %+v, %v", tt.name, s, rt.Err())
			}
			n.check(rt.Latest())
			if n.hung != tt.hang {
				t.Errorf("%s: %d requests hung, want %d", tt.name, n.hung, tt.hang)
			}
		})
	}
}

func TestAskingForATokenHasLittleTime(t *testing.T) {
	for _, tt := range []struct{ limit, want time.Duration }{{0, renewTimeout}, {time.Minute, renewTimeout},
		{time.Second, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{}, 1)
			defer n.stop()
			c, err := New("http://node.test", Options{Transport: n, TryTimeout: tt.limit})
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Login(t.Context(), "alice", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			n.set(func(n *node) { n.hang = 1 })
			begin := time.Now()
			_, err = c.renew(t.Context(), *s)
			if took := time.Since(begin); took != tt.want || !errors.Is(err, ErrTryTimeout) {
				t.Errorf("with a TryTimeout of %v: %v after %v, want %v", tt.limit, err, took, tt.want)
			}
			if _, err := c.renew(t.Context(), *s); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// reconnecting returns the pause that the next attempt to connect again is preceded by, leaving out other events.
func reconnecting(rt *Realtime) time.Duration {
	for e := range rt.Events() {
		if e.Kind == EventReconnecting {
			return e.Delay
		}
	}
	return -1
}

func TestRefusalsArePauses(t *testing.T) {
	for _, tt := range []struct {
		refusal rushgate.Refusal
		from    time.Duration // the pause it makes
		to      time.Duration
	}{
		{rushgate.Refusal{Reason: rushgate.ServerBusy}, 0, time.Second},
		{rushgate.Refusal{Reason: rushgate.InternalError}, 0, time.Second},
		{rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: 7 * time.Second}, 7 * time.Second, 7 * time.Second},
		{rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: 6 * time.Second}, 6 * time.Second, 6 * time.Second},
		// What would outlast the session is cut short.
		{rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: time.Hour}, 12 * time.Second, 25 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{}, 1)
			defer n.stop()
			rt := n.connect(RealtimeOptions{})
			defer rt.Close()
			<-rt.Views()
			n.set(func(n *node) { n.mortal, n.refuse = true, &tt.refusal })
			n.kick()
			reconnecting(rt)
			time.Sleep(500 * time.Millisecond) // the first pause
			synctest.Wait()
			n.set(func(n *node) { n.refuse = nil })
			if e := <-rt.Events(); e.Kind != EventRefused || !errors.Is(e.Err, tt.refusal.Reason) {
				t.Errorf("%v: %v, %v", &tt.refusal, e.Kind, e.Err)
			}
			if got := reconnecting(rt); got < tt.from || got > tt.to {
				t.Errorf("%v: a pause of %v", &tt.refusal, got)
			}
			if e := <-rt.Events(); e.Kind != EventConnected {
				t.Errorf("%v: then %v, %v", &tt.refusal, e.Kind, e.Err)
			}
		})
	}
}

// A server that answers is there, and the session may be too.
func TestRefusalsDoNotEndIt(t *testing.T) {
	for _, retryAfter := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memnet.Options{}, 1)
			defer n.stop()
			rt := n.connect(RealtimeOptions{})
			defer rt.Close()
			<-rt.Views()
			n.set(func(n *node) { n.refuse = &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: retryAfter} })
			n.kick()
			time.Sleep(5 * lostAfter)
			n.set(func(n *node) { n.refuse = nil })
			time.Sleep(sessionLife + time.Second)
			if rt.Err() != nil || rt.Stats().Connects != 2 {
				t.Errorf("told to wait %v: %v, %+v", retryAfter, rt.Err(), rt.Stats())
			}
		})
	}
}

func TestServerThatIsGoneEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		n.network.SetOptions(outage)
		n.set(func(n *node) { n.noAnswer = true })
		begin := time.Now()
		for range rt.Views() { // until the end
		}
		took := time.Since(begin)
		if !errors.Is(rt.Err(), ErrNoAnswer) || took < nodeTimeout+sessionLife+lostAfter ||
			took > nodeTimeout+sessionLife+lostAfter+maxReconnectPause {
			t.Errorf("it took %v to end with %v", took, rt.Err())
		}
	})
}

// A token connects once, within its time.
func TestConnectTokensAreRenewedWhenTheyHaveTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		for _, tt := range []struct {
			after    time.Duration
			connects int
			renewals int
		}{
			{0, 1, 0},
			{0, 3, 2},
			{nodeToken - tokenReserve, 1, 0},
			{nodeToken - tokenReserve + time.Second, 1, 1},
			{time.Hour, 2, 2},
		} {
			n.set(func(n *node) { n.renewals = 0 })
			s := n.login()
			time.Sleep(tt.after)
			for range tt.connects {
				rt, err := s.Connect(t.Context(), RealtimeOptions{Dial: n.dial})
				if err != nil {
					t.Fatal(err)
				}
				<-rt.Views()
				rt.Close()
				time.Sleep(time.Second)
			}
			if n.renewals != tt.renewals {
				t.Errorf("%d connections %v after the login took %d renewals, want %d", tt.connects, tt.after, n.renewals,
					tt.renewals)
			}
		}
	})
}

func TestEventKinds(t *testing.T) {
	for err, want := range map[error]EventKind{
		netcode.StateError{State: netcode.StateDenied}:          EventDenied,
		netcode.StateError{State: netcode.StateTimedOut}:        EventTimedOut,
		netcode.StateError{State: netcode.StateRequestTimedOut}: EventTimedOut,
		netcode.StateError{State: netcode.StateDisconnected}:    EventDisconnected,
		ErrNoAnswer:  EventTimedOut,
		ErrBadAnswer: EventTimedOut,
		&rushgate.Refusal{Reason: rushgate.InternalError}: EventRefused,
	} {
		if got := kindOf(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
