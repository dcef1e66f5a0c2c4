package client

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

func TestPlayOverAWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		rt := n.connect()
		first := <-rt.Views()
		number := rt.SendIntent(rushgate.Intent{MoveX: 1})
		time.Sleep(30 * time.Second) // much longer than anything has to connect
		synctest.Wait()
		v := rt.Latest()
		if moved := v.Self.X - first.Self.X; moved < 598 || moved > 600 || !v.Applied(number) || v.Self.ID != nodePlayer {
			t.Errorf("moved by %v in 600 snapshots: %+v", moved, v.Self)
		}
		if s := rt.Stats(); s.Connects != 1 || s.Snapshots < 600 || s.Malformed+s.Late+s.NoBaseline != 0 ||
			s.Bytes < s.Snapshots {
			t.Errorf("%+v", s)
		}
		got := n.intents(0)
		if len(got) < 145 || len(got) > 155 || got[len(got)-1].Ack+5*nodeStep < v.Tick {
			t.Errorf("%d messages in half a minute, the last one %+v", len(got), got[len(got)-1])
		}
		rt.Close()
		wantEvents(t, rt, EventConnected, EventEnded)
		if !slices.Equal(n.greetings, []string{`{"session_token":"token-secret-1"}`}) {
			t.Errorf("greetings %q", n.greetings)
		}
		r := n.requests[0]
		if r.URL.String() != "/v1/channel" ||
			strings.Contains(r.Header.Get("Authorization")+r.Header.Get("Cookie"), "secret") {
			t.Errorf("a secret in %v %v", r.URL, r.Header)
		}
		if rt.session.grant.channel.takeToken() {
			t.Error("the connect token of the login is taken to be good after a WebSocket")
		}
	})
}

// What waits for a server that does not read is replaced by what is newer, and does not make the game wait.
func TestWebSocketIntentsDoNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		read := make(chan struct{})
		n.serve = func(ws *websocket.Conn, nth int) {
			_ = ws.Write(context.Background(), websocket.MessageBinary, snapshotAt(1, 0, 0, 0))
			<-read
			<-n.listen(ws, nth)
		}
		rt := n.connect()
		begin := time.Now()
		var number uint32
		for i := range 18 { // in less time than that after which the client would look for another connection
			number = rt.SendIntent(rushgate.Intent{Action: uint8(i)})
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(begin); took != 900*time.Millisecond {
			t.Errorf("0.9 s of a game took %v", took)
		}
		close(read)
		synctest.Wait()
		if got := n.intents(0); len(got) != 2 || got[1].Action != 17 || got[1].Seq < number {
			t.Errorf("%+v came", got)
		}
		rt.Close()
	})
}

// A WebSocket that answers pings is kept, however long there are no snapshots. One that does not is replaced by another
// one; where there is none to be had it lasts for ten seconds of silence.
func TestSilentWebSocketIsReplaced(t *testing.T) {
	for name, busy := range map[string]bool{"by another": false, "by none": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startChannelNode(t)
				n.serve = func(ws *websocket.Conn, nth int) {
					left := n.listen(ws, nth)
					_ = ws.Write(context.Background(), websocket.MessageBinary, snapshotAt(1, 0, 0, 0))
					<-left
				}
				rt := n.connect()
				defer rt.Close()
				time.Sleep(5 * time.Minute)
				wantEvents(t, rt, EventConnected)
				n.set(func(n *channelNode) {
					n.serve = func(ws *websocket.Conn, nth int) { n.play(ws, nth, nil) }
					if busy {
						n.handshake = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
					}
				})
				n.mute.Store(true)
				begin := time.Now()
				if !busy {
					time.Sleep(2500 * time.Millisecond)
					wantEvents(t, rt, EventSilent, EventConnected)
					return
				}
				for e := range rt.Events() {
					if e.Kind == EventTimedOut {
						break
					}
				}
				if took := time.Since(begin); took < silenceTimeout-time.Second || took > silenceTimeout {
					t.Errorf("lost after %v", took)
				}
				n.set(func(n *channelNode) { n.handshake = nil })
				time.Sleep(maxReconnectPause)
				if rt.Stats().Connects != 2 {
					t.Errorf("%+v", rt.Stats())
				}
			})
		})
	}
}

func TestGarbageOverAWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		n.serve = func(ws *websocket.Conn, nth int) {
			left := n.listen(ws, nth)
			send := func(kind websocket.MessageType, m []byte) {
				if err := ws.Write(context.Background(), kind, m); err != nil {
					t.Error(err)
				}
			}
			send(websocket.MessageBinary, []byte("garbage, even in the first message"))
			send(websocket.MessageBinary, nil)
			send(websocket.MessageBinary, make([]byte, netcode.MaxPayload))
			send(websocket.MessageText, snapshotAt(3, 0, 0, 0))
			send(websocket.MessageBinary, snapshotAt(6, 0, 0, 0))
			send(websocket.MessageBinary, snapshotAt(3, 0, 0, 0))
			<-left
		}
		rt := n.connect()
		defer rt.Close()
		if v := <-rt.Views(); v.Tick != 6 {
			t.Errorf("a view of tick %d", v.Tick)
		}
		synctest.Wait()
		if s := rt.Stats(); s.Malformed != 4 || s.Late != 1 || s.Snapshots != 1 {
			t.Errorf("%+v", s)
		}
		wantEvents(t, rt, EventConnected)
	})
}

// A server cannot make a client keep more than a message's worth.
func TestTooLargeMessageEndsAWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		told := make(chan error, 1)
		n.serve = func(ws *websocket.Conn, nth int) {
			n.set(func(n *channelNode) { n.serve = func(ws *websocket.Conn, nth int) { n.play(ws, nth, nil) } })
			ctx := context.Background()
			_ = ws.Write(ctx, websocket.MessageBinary, snapshotAt(1, 0, 0, 0))
			n.serving.Go(func() { _ = ws.Write(ctx, websocket.MessageBinary, make([]byte, 1<<20)) })
			for {
				if _, _, err := ws.Read(ctx); err != nil {
					told <- err
					return
				}
			}
		}
		rt := n.connect()
		time.Sleep(10 * time.Second)
		wantEvents(t, rt, EventConnected, EventDisconnected, EventReconnecting, EventConnected)
		rt.Close()
		if err := <-told; websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("the server was told %v", err)
		}
	})
}

// RealtimeOptions.Transport takes the place of the client's.
func TestTransportOfAWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		s := n.enter()
		own := &http.Transport{DialContext: n.listener.dial}
		s.client.opts.Transport = roundTrips(func(*http.Request) (*http.Response, error) {
			t.Error("the client's transport was used")
			return nil, http.ErrNotSupported
		})
		rt, err := s.Connect(t.Context(), RealtimeOptions{WebSocket: true, Transport: own})
		if err != nil {
			t.Fatal(err)
		}
		<-rt.Views()
		rt.Close()
	})
}

// A transport that cannot do WebSockets is told apart from a server that is gone.
func TestTransportWithoutWebSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		plain := roundTrips(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: http.NoBody}, nil
		})
		_, err := n.enter().Connect(t.Context(), RealtimeOptions{WebSocket: true, Transport: plain})
		if err == nil || !strings.Contains(err.Error(), "opens no WebSocket") {
			t.Errorf("error %v", err)
		}
	})
}

type roundTrips func(*http.Request) (*http.Response, error)

func (f roundTrips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
