package wschannel

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

// emptyFragments returns the frames of a message that never ends: a text frame and continuations, all of them empty,
// masked and not the last (RFC 6455 section 5.2).
func emptyFragments(continuations int) []byte {
	return append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, continuations)...)
}

// counting has the channel count how often its readers let others run.
func counting(n *node) *atomic.Int64 {
	yields := new(atomic.Int64)
	n.yield = func() { yields.Add(1); runtime.Gosched() }
	return yields
}

// openRaw opens a WebSocket and returns the connection below it too, which goes around the library.
func (n *node) openRaw(t *testing.T) (*websocket.Conn, net.Conn) {
	t.Helper()
	var raw net.Conn
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
			raw, err = n.listener.dial(ctx, network, address)
			return raw, err
		},
		DisableKeepAlives: true,
	}
	//nolint:bodyclose // it is the connection
	ws, _, err := websocket.Dial(t.Context(), "ws://node.example/", &websocket.DialOptions{
		Subprotocols: []string{Subprotocol}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws, raw
}

// Frames that are part of no whole message cost no other client its turn, and there can be only so many of them.
func TestEmptyFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		yields := counting(n)
		ws, raw := n.openRaw(t)
		flood := emptyFragments(maxOnWire / 6 * 2)
		for sent := 0; sent < maxOnWire-4<<10; sent += 1 << 10 {
			if _, err := raw.Write(flood[sent : sent+1<<10]); err != nil {
				t.Fatalf("after %d bytes: %v", sent, err)
			}
		}
		synctest.Wait()
		if got := yields.Load(); got < (maxOnWire-4<<10)/(2*yieldBytes) {
			t.Errorf("others could run %d times", got)
		}
		if st := n.Stats(); st.Open != 1 || st.Closed.TooLarge != 0 {
			t.Errorf("stats %+v", st)
		}
		go raw.Write(flood[maxOnWire-4<<10:])
		if got := ended(t, ws); got.code != CodeRefused {
			t.Errorf("closed with %v (%s)", got.code, got.reason)
		}
		ws.CloseNow()
		synctest.Wait()
		if st := n.Stats(); st.Open != 0 || st.Closed.TooLarge != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

// What is thrown away at a connection's end does not keep others from running either.
func TestFloodAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		yields := counting(n)
		ws, raw := n.openRaw(t)
		go io.Copy(io.Discard, raw) // the close frame, which is not answered
		if err := ws.Write(t.Context(), websocket.MessageText, []byte("no greeting")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := yields.Load()
		sent := 0
		for flood := bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, 1<<10); sent < 1<<20; sent += len(flood) {
			if _, err := raw.Write(flood); err != nil {
				t.Fatalf("after %d bytes: %v", sent, err)
			}
		}
		if got := yields.Load() - before; got < int64(sent)/(8*yieldBytes) {
			t.Errorf("others could run %d times in %d bytes", got, sent)
		}
	})
}

// The smallest fragments there are may carry a greeting.
func TestGreetingInFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.enter(t, "alice")
		_, raw := n.openRaw(t)
		var frames []byte
		text := greeting(token)
		text = append(text, bytes.Repeat([]byte(" "), MaxGreeting-len(text))...)
		for i, b := range text {
			first := byte(0)
			if i == 0 {
				first = 0x01
			}
			if i == len(text)-1 {
				first |= 0x80
			}
			frames = append(frames, first, 0x81, 0, 0, 0, 0, b)
		}
		if _, err := raw.Write(frames); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := n.realm.Stats(); st.Connected != 1 {
			t.Errorf("%d connected, %+v", st.Connected, n.Stats())
		}
	})
}
