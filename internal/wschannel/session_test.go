package wschannel

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestNewerConnectionReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.enter(t, "alice")
		old, _ := n.attach(t, token)
		for range 5 { // with the first, six in half a minute
			fresh, _ := n.attach(t, token)
			if got := ended(t, old); got.code != CodeReplaced {
				t.Fatalf("the older one was closed with %v", got)
			}
			old = fresh
			time.Sleep(time.Second)
		}
		refused, _ := n.attach(t, token)
		if got := ended(t, refused); got.code != CodeRateLimited || got.reason != "retry in 25000 ms" {
			t.Errorf("the seventh was closed with %v", got)
		}
		synctest.Wait()
		if st := n.Stats(); st.Open != 1 || st.Closed.Replaced != 5 || st.Closed.RateLimited != 1 ||
			n.realm.Stats().Connected != 1 {
			t.Errorf("stats %+v, %d connected", st, n.realm.Stats().Connected)
		}
		time.Sleep(5 * time.Second) // silent as it is, the last one lives that long
		if _, err := n.realm.Renew(token); err == nil {
			t.Error("connections over both transports are limited apart")
		}
	})
}

// A connect token for UDP that is asked for leaves the WebSocket alone: only the connection made with it ends that.
func TestRenewalAloneEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.enter(t, "alice")
		n.attach(t, token)
		if _, err := n.realm.Renew(token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if st := n.Stats(); st.Open != 1 || st.Closed != (ClosedStats{}) {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestLogoutEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.enter(t, "alice")
		ws, _ := n.attach(t, token)
		loggedOut := make(chan error, 1)
		go func() { loggedOut <- n.realm.Logout(t.Context(), token) }()
		synctest.Wait()
		n.realm.Tick()
		if got := ended(t, ws); got.code != CodeSessionEnded {
			t.Errorf("closed with %v", got)
		}
		late, _ := n.attach(t, token)
		if got := ended(t, late); got.code != CodeNoSession {
			t.Errorf("after the logout: closed with %v", got)
		}
		n.realm.Stop(t.Context())
		<-loggedOut
	})
}

// Whatever its clients do, a channel that stops tells them why, and is done in seconds.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		var clients []*websocket.Conn
		for i := range 3 {
			ws, _ := n.attach(t, n.enter(t, fmt.Sprintf("player-%d", i)))
			clients = append(clients, ws)
		}
		clients = append(clients, n.open(t)) // has said nothing yet
		_, stuck := n.attach(t, n.enter(t, "stuck"))
		stuck.send(snapshot(1))
		synctest.Wait()
		closings := make(chan closing, len(clients))
		for _, ws := range clients {
			go func() { closings <- ended(t, ws) }()
		}
		start := time.Now()
		n.Stop()
		if took := time.Since(start); took > closeTimeout {
			t.Errorf("it took %v", took)
		}
		for range clients {
			if got := <-closings; got.code != CodeStopping || got.reason != "retry in 5500 ms" {
				t.Errorf("closed with %v", got)
			}
		}
		if st := n.Stats(); st.Open != 0 || st.Closed.Stopping != 5 || n.realm.Stats().Connected != 0 {
			t.Errorf("stats %+v", st)
		}
		if _, got, err := n.dial(t, nil); err == nil || got.status != http.StatusServiceUnavailable {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
		n.Stop()
	})
}

// The realm's stop reaches the connections that the channel's has not.
func TestRealmStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, _ := n.attach(t, n.enter(t, "alice"))
		go n.realm.Stop(t.Context())
		if got := ended(t, ws); got.code != CodeStopping || got.reason != "retry in 5500 ms" {
			t.Errorf("closed with %v", got)
		}
	})
}
