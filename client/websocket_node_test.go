package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// pipes is a listener whose connections are in memory and have no buffers: what one end writes has to be read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	hang   atomic.Bool // no client gets an answer
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.hang.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// channelNode is a server in memory that offers the realtime channel over WebSockets, to be used in a synctest bubble.
// In its world the player moves one unit to where the newest intent says with each snapshot.
type channelNode struct {
	t        *testing.T
	listener *pipes
	quit     chan struct{}
	serving  sync.WaitGroup
	mute     atomic.Bool // the first connection answers no ping
	silence  atomic.Bool // nor brings any snapshot
	udp      *node       // where there is the other road; nil: nowhere

	mu        sync.Mutex
	handshake http.HandlerFunc // if set, answers in place of a WebSocket
	serve     func(ws *websocket.Conn, nth int)
	requests  []*http.Request // handshakes
	greetings []string
	got       [][]protocol.Intent // by connection
}

func startChannelNode(t *testing.T) *channelNode {
	t.Helper()
	n := &channelNode{
		t: t, listener: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, quit: make(chan struct{}),
	}
	n.serve = func(ws *websocket.Conn, nth int) { n.play(ws, nth, nil) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/login", n.login)
	mux.HandleFunc("GET /v1/channel", n.channel)
	mux.HandleFunc("POST /v1/connect", n.renew)
	srv := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	n.serving.Go(func() { _ = srv.Serve(n.listener) })
	t.Cleanup(func() {
		close(n.quit)
		srv.Close()
		n.serving.Wait()
	})
	return n
}

func (n *channelNode) login(w http.ResponseWriter, _ *http.Request) {
	body := n.grant()
	body["player_id"], body["session_token"] = nodePlayer, "token-secret-1"
	_ = json.NewEncoder(w).Encode(body)
}

func (n *channelNode) channel(w http.ResponseWriter, r *http.Request) {
	n.serving.Add(1)
	defer n.serving.Done()
	n.mu.Lock()
	n.requests = append(n.requests, r)
	handshake, serve, nth := n.handshake, n.serve, len(n.got)
	n.mu.Unlock()
	if handshake != nil {
		handshake(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:   []string{"rushgate.v1"},
		OnPingReceived: func(context.Context, []byte) bool { return nth != 0 || !n.mute.Load() },
	})
	if err != nil {
		n.t.Error(err)
		return
	}
	defer ws.CloseNow()
	kind, greeting, err := ws.Read(context.Background())
	if err != nil || kind != websocket.MessageText {
		return
	}
	n.mu.Lock()
	n.greetings, n.got = append(n.greetings, string(greeting)), append(n.got, nil)
	n.mu.Unlock()
	serve(ws, nth)
}

// play is the world until the client or the node has left, or end sends what to end it with.
func (n *channelNode) play(ws *websocket.Conn, nth int, end <-chan websocket.CloseError) {
	left := n.listen(ws, nth)
	ticker := time.NewTicker(nodeStep * rushgate.TickInterval)
	defer ticker.Stop()
	x, y := 0.0, 0.0
	for tick := uint32(nodeStep); ; tick += nodeStep {
		select {
		case <-ticker.C:
			if nth == 0 && n.silence.Load() {
				continue
			}
			newest := n.newest(nth)
			x, y = x+float64(newest.MoveX), y+float64(newest.MoveY)
			_ = ws.Write(context.Background(), websocket.MessageBinary, snapshotAt(tick, newest.Seq, x, y))
			continue
		case why := <-end:
			if why.Code == 0 {
				_ = ws.CloseNow()
			} else {
				_ = ws.Close(why.Code, why.Reason)
			}
		case <-left:
		case <-n.quit:
			_ = ws.CloseNow()
		}
		<-left
		return
	}
}

// listen takes the intents of a connection until it ends.
func (n *channelNode) listen(ws *websocket.Conn, nth int) (left <-chan struct{}) {
	done := make(chan struct{})
	n.serving.Go(func() {
		defer close(done)
		for {
			kind, message, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			in, err := protocol.ParseIntent(message)
			if err != nil || kind != websocket.MessageBinary {
				n.t.Errorf("%v message %q: %v", kind, message, err)
			}
			n.mu.Lock()
			n.got[nth] = append(n.got[nth], in)
			n.mu.Unlock()
		}
	})
	return done
}

func (n *channelNode) newest(nth int) protocol.Intent {
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := n.got[nth]; len(got) > 0 {
		return got[len(got)-1]
	}
	return protocol.Intent{}
}

// intents returns what has come over a connection so far.
func (n *channelNode) intents(nth int) []protocol.Intent {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.got[nth]
}

func (n *channelNode) set(change func(*channelNode)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func snapshotAt(tick, intent uint32, x, y float64) []byte {
	var encoder protocol.Encoder
	own := protocol.Own{Zone: 1, X: protocol.Fixed(x), Y: protocol.Fixed(y), HP: 90, MaxHP: 100}
	encoder.Begin(protocol.Header{Tick: tick, Intent: intent, Own: own}, nil)
	return encoder.Bytes()
}

// enter opens a session on the node.
func (n *channelNode) enter() *Session {
	n.t.Helper()
	transport := &http.Transport{DialContext: n.listener.dial}
	n.t.Cleanup(transport.CloseIdleConnections)
	c, err := New("http://node.test", Options{Transport: transport, MaxRetries: -1, Rand: func() float64 { return 0.5 }})
	if err != nil {
		n.t.Fatal(err)
	}
	s, err := c.Login(n.t.Context(), "alice", "correct horse")
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// connect logs in and connects.
func (n *channelNode) connect() *Realtime {
	n.t.Helper()
	rt, err := n.enter().Connect(n.t.Context(), RealtimeOptions{WebSocket: true})
	if err != nil {
		n.t.Fatal(err)
	}
	return rt
}

// endings has each connection end with what is sent over the channel that it returns; a code of 0 is none.
func (n *channelNode) endings() chan<- websocket.CloseError {
	ends := make(chan websocket.CloseError)
	n.serve = func(ws *websocket.Conn, nth int) { n.play(ws, nth, ends) }
	return ends
}

func closing(code websocket.StatusCode, format string, args ...any) websocket.CloseError {
	return websocket.CloseError{Code: code, Reason: fmt.Sprintf(format, args...)}
}
