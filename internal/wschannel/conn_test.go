package wschannel

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

func TestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		for name, protocols := range map[string][]string{"no subprotocol": nil, "another": {"rushgate.v2", "chat"}} {
			_, got, err := n.dial(t, &websocket.DialOptions{Subprotocols: protocols})
			if err == nil || got.status != http.StatusBadRequest {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		ws, got, err := n.dial(t, &websocket.DialOptions{
			Subprotocols: []string{"chat", Subprotocol}, CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			t.Fatal(err)
		}
		if ws.Subprotocol() != Subprotocol || got.header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("the node chose %q with the extensions %q", ws.Subprotocol(), got.header.Get("Sec-WebSocket-Extensions"))
		}
		plain := &http.Client{Transport: &http.Transport{DialContext: n.listener.dial, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://node.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-WebSocket-Protocol", Subprotocol)
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("a plain request was answered %s", resp.Status)
		}
	})
}

// message is what a client sends.
type message struct {
	kind websocket.MessageType
	data []byte
}

func TestGreetingsRefused(t *testing.T) {
	long := greeting(strings.Repeat("x", MaxGreeting-len(greeting(""))))
	for name, c := range map[string]struct {
		first message
		want  websocket.StatusCode
	}{
		"an unknown token":     {message{websocket.MessageText, greeting("who")}, CodeNoSession},
		"as long as it may be": {message{websocket.MessageText, long}, CodeNoSession},
		"longer":               {message{websocket.MessageText, append(long, ' ')}, CodeRefused},
		"much longer":          {message{websocket.MessageText, make([]byte, 1<<20)}, CodeRefused},
		"binary": {message{websocket.MessageBinary, greeting("token of alice")},
			CodeRefused},
		"nothing":  {message{websocket.MessageText, nil}, CodeRefused},
		"not JSON": {message{websocket.MessageText, []byte("hello")}, CodeRefused},
		"the token as a number": {message{websocket.MessageText, []byte(`{"session_token":1}`)},
			CodeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				n.enter(t, "alice")
				ws := n.open(t)
				go ws.Write(context.Background(), c.first.kind, c.first.data) // whether the end comes before the message's
				if got := ended(t, ws); got.code != c.want {
					t.Errorf("closed with %v (%s), want %v", got.code, got.reason, c.want)
				}
				if st := n.realm.Stats(); st.Connected != 0 {
					t.Errorf("%d connected", st.Connected)
				}
			})
		})
	}
}

func TestGreetingTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws := n.open(t)
		pinged := make(chan struct{})
		go func() { // pings do not count
			defer close(pinged)
			for ws.Ping(context.Background()) == nil {
				time.Sleep(1500 * time.Millisecond)
			}
		}()
		if got := ended(t, ws); got.code != CodeGreetingTimeout || got.after != GreetingTimeout {
			t.Errorf("closed with %v after %v", got.code, got.after)
		}
		<-pinged
		synctest.Wait()
		if st := n.Stats(); st.Open != 0 || st.Opened != 1 || st.Closed.Late != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

func intent(seq uint32) []byte {
	return protocol.AppendIntent(nil, protocol.Intent{Seq: seq, Intent: rushgate.Intent{MoveX: 1}})
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		sent      message
		want      websocket.StatusCode // 0: it goes on
		malformed int64
	}{
		"an intent":              {message{websocket.MessageBinary, intent(1)}, 0, 0},
		"nothing":                {message{websocket.MessageBinary, nil}, 0, 1},
		"no intent":              {message{websocket.MessageBinary, []byte("hello")}, 0, 1},
		"as large as a datagram": {message{websocket.MessageBinary, make([]byte, protocol.MaxSnapshot)}, 0, 1},
		"larger": {message{websocket.MessageBinary, make([]byte, protocol.MaxSnapshot+1)},
			CodeRefused, 0},
		"text": {message{websocket.MessageText, intent(1)}, CodeRefused, 0},
		"a second greeting": {message{websocket.MessageText, greeting("token of alice")},
			CodeRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				ws, server := n.attach(t, n.enter(t, "alice"))
				if err := ws.Write(t.Context(), c.sent.kind, c.sent.data); err != nil {
					t.Fatal(err)
				}
				if c.want == 0 {
					synctest.Wait()
					server.Disconnect(0)
				}
				if got := ended(t, ws); got.code != c.want && (c.want != 0 || got.code != CodeSessionEnded) {
					t.Errorf("closed with %v (%s), want %v", got.code, got.reason, c.want)
				}
				st := n.realm.Stats()
				if st.Malformed != c.malformed || c.want == 0 && st.Intents != 1-c.malformed {
					t.Errorf("%d malformed, %d intents", st.Malformed, st.Intents)
				}
			})
		})
	}
}

// A client whose intents are not understood hears it once, rather than wonder why its player stands still.
func TestTheFirstIntentThatCannotBeReadIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, server := n.attach(t, n.enter(t, "alice"))
		for _, m := range [][]byte{[]byte("hello"), {1}, intent(1), intent(2)[:9]} {
			if err := ws.Write(t.Context(), websocket.MessageBinary, m); err != nil {
				t.Fatal(err)
			}
		}
		kind, text, err := ws.Read(t.Context())
		if want := `{"reason":"bad-intent","message":"unknown protocol version: 104"}`; err != nil ||
			kind != websocket.MessageText || string(text) != want {
			t.Errorf("%v %q, %v; want %s", kind, text, err, want)
		}
		synctest.Wait()
		server.Disconnect(0)
		if _, more, err := ws.Read(t.Context()); websocket.CloseStatus(err) != CodeSessionEnded {
			t.Errorf("%q, %v", more, err)
		}
		if st := n.realm.Stats(); st.Malformed != 3 || st.Intents != 1 {
			t.Errorf("%d malformed, %d intents", st.Malformed, st.Intents)
		}
	})
}

// What is in the slot when the client reads is the newest snapshot; one is on its way, and nothing else waits.
func TestSlowReaderGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, server := n.attach(t, n.enter(t, "alice"))
		for i := 1; i <= 50; i++ {
			if err := server.send(snapshot(i)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the writer has taken it, or is stuck
		}
		for _, want := range []int{1, 50} {
			kind, got, err := ws.Read(t.Context())
			if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, snapshot(want)) {
				t.Fatalf("%v %v, %v, want snapshot %d", kind, got[:1], err, want)
			}
		}
		synctest.Wait()
		if st := n.Stats(); st.SnapshotsReplaced != 48 || st.SnapshotsSent != 2 || st.BytesSent < 200 {
			t.Errorf("stats %+v", st)
		}
	})
}

// A client that does not take a snapshot is given up after 10 s, even if it goes on talking.
func TestStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, server := n.attach(t, n.enter(t, "alice"))
		server.send(snapshot(1))
		start := time.Now()
		for seq := uint32(1); server.ending.Err() == nil; seq++ {
			ws.Write(t.Context(), websocket.MessageBinary, intent(seq))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(start); took != WriteTimeout {
			t.Errorf("given up after %v", took)
		}
		time.Sleep(closeTimeout)
		synctest.Wait()
		if st := n.Stats(); st.Closed.Slow != 1 || st.Open != 0 {
			t.Errorf("stats %+v", st)
		}
		if err := server.send(snapshot(2)); err == nil {
			t.Error("a connection that has ended takes snapshots")
		}
	})
}

// A client that answers pings lives, with or without snapshots, and keeps its session; one that does not is silent.
func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, server := n.attach(t, n.enter(t, "alice"))
		done := drop(ws)
		for range 180 {
			time.Sleep(time.Second)
			if server.send(snapshot(1)) != nil {
				t.Fatal("ended")
			}
			n.realm.Tick()
		}
		time.Sleep(time.Minute)
		n.realm.Tick()
		if since := time.Since(server.LastReceived()); since > PingInterval || n.realm.Players() != 1 || n.Stats().Open != 1 {
			t.Errorf("last heard of %v ago, %d inside, %+v", since, n.realm.Players(), n.Stats())
		}
		ws.CloseNow()
		<-done
		synctest.Wait()
		if st := n.Stats(); st.Open != 0 || st.Closed.Lost != 1 || n.realm.Stats().Connected != 0 {
			t.Errorf("stats %+v", st)
		}
		time.Sleep(time.Minute + time.Second)
		n.realm.Tick()
		if n.realm.Players() != 0 {
			t.Error("the session outlives its connection for ever")
		}
	})
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ws, _, err := n.dial(t, &websocket.DialOptions{
			Subprotocols:   []string{Subprotocol},
			OnPingReceived: func(context.Context, []byte) bool { return false }, // and no pong is sent
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := ws.Write(t.Context(), websocket.MessageText, greeting(n.enter(t, "alice"))); err != nil {
			t.Fatal(err)
		}
		if got := ended(t, ws); got.after != SilenceTimeout {
			t.Errorf("given up after %v", got.after)
		}
		ws.CloseNow()
		synctest.Wait()
		if st := n.Stats(); st.Closed.Silent != 1 || st.Open != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}
