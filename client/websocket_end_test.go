package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

func TestReconnectsAfterALostWebSocket(t *testing.T) {
	for _, code := range []websocket.StatusCode{0, 1001, 1011, 4408} {
		synctest.Test(t, func(t *testing.T) {
			n := startChannelNode(t)
			ends := n.endings()
			rt := n.connect()
			defer rt.Close()
			rt.SendIntent(rushgate.Intent{Action: 7})
			time.Sleep(time.Minute)
			wantEvents(t, rt, EventConnected)
			for nth := 1; nth <= 3; nth++ {
				ends <- closing(code, "")
				time.Sleep(3 * time.Second)
				wantEvents(t, rt, EventDisconnected, EventReconnecting, EventConnected)
				if got := n.intents(nth); len(got) == 0 || got[0].Action != 7 || got[0].Ack != 0 {
					t.Errorf("code %d: over the new connection came %+v", code, got)
				}
				if tick := rt.Latest().Tick; tick > 3*rushgate.TickRate {
					t.Errorf("code %d: newest view of tick %d, from before", code, tick)
				}
			}
		})
	}
}

func TestCloseCodesThatAreFinal(t *testing.T) {
	for code, want := range map[websocket.StatusCode]error{
		4401: rushgate.BadCredentials, 4410: rushgate.BadCredentials, 4409: ErrReplaced,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := startChannelNode(t)
			ends := n.endings()
			rt := n.connect()
			<-rt.Views()
			ends <- closing(code, "token-secret-1")
			for range rt.Views() { // until the end
			}
			last := wantEvents(t, rt, EventConnected, EventDisconnected, EventEnded)
			if !errors.Is(last.Err, want) || !errors.Is(rt.Err(), want) || strings.Contains(rt.Err().Error(), "secret") {
				t.Errorf("code %d: ended with %v, Err() is %v", code, last.Err, rt.Err())
			}
			if !errors.Is(rt.Err(), netcode.StateError{State: netcode.StateDisconnected}) {
				t.Errorf("code %d: %v does not match the state", code, rt.Err())
			}
			rt.Close()
		})
	}
}

// A connection that was asked for too often is asked for again when the server says.
func TestRateLimitedWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		ends := n.endings()
		rt := n.connect()
		defer rt.Close()
		<-rt.Views()
		play := n.serve
		n.set(func(n *channelNode) {
			n.serve = func(ws *websocket.Conn, _ int) {
				n.set(func(n *channelNode) { n.serve = play })
				_ = ws.Close(4429, "retry in 7000 ms")
			}
		})
		ends <- closing(0, "")
		reconnecting(rt)
		if e := <-rt.Events(); e.Kind != EventRefused || !errors.Is(e.Err, rushgate.RateLimited) {
			t.Errorf("%v, %v", e.Kind, e.Err)
		}
		if pause := reconnecting(rt); pause != 7*time.Second {
			t.Errorf("a pause of %v", pause)
		}
		if e := <-rt.Events(); e.Kind != EventConnected {
			t.Errorf("then %v, %v", e.Kind, e.Err)
		}
	})
}

func TestWebSocketConnectErrors(t *testing.T) {
	answer := func(status int, body string) func(*channelNode) {
		return func(n *channelNode) {
			n.handshake = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://node.test/v1/channel")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}
		}
	}
	greeted := func(code websocket.StatusCode, reason string) func(*channelNode) {
		return func(n *channelNode) { n.serve = func(ws *websocket.Conn, _ int) { _ = ws.Close(code, reason) } }
	}
	const busy = `{"reason":"server-busy","message":"m","retry_after_ms":1300}`
	mute := func(n *channelNode) { n.serve = func(ws *websocket.Conn, nth int) { <-n.listen(ws, nth) } }
	for name, tt := range map[string]struct {
		server     func(*channelNode)
		want       error
		retryAfter time.Duration
		took       time.Duration
	}{
		"no channel":       {answer(404, "404 page not found\n"), ErrNoChannel, 0, 0},
		"stopping":         {answer(503, busy), rushgate.ServerBusy, 1300 * time.Millisecond, 0},
		"a proxy":          {answer(502, "token-secret-1"), ErrNoAnswer, 0, 0},
		"redirected":       {answer(307, ""), ErrBadAnswer, 0, 0},
		"no WebSocket":     {answer(200, "{}"), ErrBadAnswer, 0, 0},
		"no subprotocol":   {withoutSubprotocol, ErrBadAnswer, 0, 0},
		"no session":       {greeted(4401, "no such session"), rushgate.BadCredentials, 0, 0},
		"session over":     {greeted(4410, ""), rushgate.BadCredentials, 0, 0},
		"too often":        {greeted(4429, "retry in 2500 ms"), rushgate.RateLimited, 2500 * time.Millisecond, 0},
		"too often, huge":  {greeted(4429, "retry in 9223372036854775807 ms"), rushgate.RateLimited, maxRetryAfter, 0},
		"too often, odd":   {greeted(4429, "retry in -5 ms token-secret-1"), rushgate.RateLimited, 0, 0},
		"replaced":         {greeted(4409, ""), ErrReplaced, 0, 0},
		"going down":       {greeted(1001, "token-secret-1"), ErrNoAnswer, 0, 0},
		"dropped":          {func(n *channelNode) { n.serve = func(*websocket.Conn, int) {} }, ErrNoAnswer, 0, 0},
		"no first message": {mute, ErrTryTimeout, 0, renewTimeout},
		"nobody there":     {func(n *channelNode) { n.listener.Close() }, ErrNoAnswer, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := startChannelNode(t)
			s := n.enter()
			s.client.CloseIdleConnections()
			tt.server(n)
			begin := time.Now()
			_, err := s.Connect(t.Context(), RealtimeOptions{WebSocket: true})
			if took := time.Since(begin); !errors.Is(err, tt.want) || took != tt.took ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v after %v, want %v", name, err, took, tt.want)
			}
			if r, _ := errors.AsType[*rushgate.Refusal](err); r != nil && r.RetryAfter != tt.retryAfter {
				t.Errorf("%s: to come back in %v, want %v", name, r.RetryAfter, tt.retryAfter)
			}
			if _, err = s.Connect(t.Context(), RealtimeOptions{WebSocket: true}); errors.Is(err, ErrConnected) {
				t.Errorf("%s: a connection that was never made is in the way", name)
			}
		})
	}
}

func withoutSubprotocol(n *channelNode) {
	n.handshake = func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			n.t.Error(err)
			return
		}
		defer ws.CloseNow()
		_, greeting, err := ws.Read(context.Background())
		if err == nil {
			n.t.Errorf("a server that does not speak the protocol was told %q", greeting)
		}
	}
}

// The bubble ends only when every goroutine has ended, so this test proves that a Close in each phase of a reconnection
// leaves none.
func TestCloseWhileOpeningAWebSocket(t *testing.T) {
	for name, server := range map[string]func(*channelNode){
		"handshake": func(n *channelNode) {
			n.handshake = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		},
		"greeting": func(n *channelNode) { n.serve = func(ws *websocket.Conn, nth int) { <-n.listen(ws, nth) } },
		"nothing":  func(*channelNode) {},
		"dialing":  func(n *channelNode) { n.listener.hang.Store(true) },
	} {
		// the pause is half a second
		for _, after := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				n := startChannelNode(t)
				ends := n.endings()
				rt := n.connect()
				<-rt.Views()
				rt.session.client.CloseIdleConnections()
				n.set(server)
				ends <- closing(0, "")
				time.Sleep(after)
				begin := time.Now()
				rt.Close()
				if took := time.Since(begin); took != 0 || rt.Err() != nil {
					t.Errorf("%s: closed %v after the loss: it took %v, %v", name, after, took, rt.Err())
				}
			})
		}
	}
}

// The server learns that the client has left; one that does not listen is not waited for.
func TestCloseOfAWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		var told error
		n.serve = func(ws *websocket.Conn, _ int) {
			_ = ws.Write(context.Background(), websocket.MessageBinary, snapshotAt(1, 0, 0, 0))
			for told == nil {
				_, _, told = ws.Read(context.Background())
			}
		}
		begin := time.Now()
		n.connect().Close()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if websocket.CloseStatus(told) != websocket.StatusNormalClosure {
			t.Errorf("the server was told %v", told)
		}
		n.serve = func(ws *websocket.Conn, _ int) {
			_ = ws.Write(context.Background(), websocket.MessageBinary, snapshotAt(1, 0, 0, 0))
			<-n.quit
		}
		rt := n.connect()
		<-rt.Views()
		begin = time.Now()
		rt.Close()
		if took := time.Since(begin); took != goodbyeTimeout {
			t.Errorf("from a server that does not listen it took %v", took)
		}
		if rt.SendIntent(rushgate.Intent{}); rt.Err() != nil {
			t.Errorf("after Close: %v", rt.Err())
		}
	})
}

// A server that never comes back ends it, as over UDP.
func TestWebSocketServerThatIsGoneEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		ends := n.endings()
		rt := n.connect()
		n.listener.Close()
		ends <- closing(1001, "")
		begin := time.Now()
		for range rt.Views() { // until the end
		}
		took := time.Since(begin)
		if !errors.Is(rt.Err(), ErrNoAnswer) || took < sessionLife+lostAfter ||
			took > sessionLife+lostAfter+maxReconnectPause {
			t.Errorf("it took %v to end with %v", took, rt.Err())
		}
	})
}
