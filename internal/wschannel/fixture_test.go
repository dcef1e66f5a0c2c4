package wschannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/world"
)

// pipes is a listener whose connections are in memory and have no buffers: what one end writes has to be read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
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

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// node is a channel with a realm that the test steps by hand, behind an HTTP server with short limits: what is
// hijacked must not be subject to them. It is made within a synctest bubble, whose end shows that no goroutine is left.
type node struct {
	*Channel
	realm    *realm.Realm
	store    rushgate.Store
	listener *pipes
	guest    Guest
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{store: memory.New(memory.Options{}), listener: newPipes()}
	var err error
	n.realm, err = realm.New(realm.Config{
		World: world.New(world.Default(), 1), Store: n.store, Instance: rushgate.Instance{Node: "here", Run: "1"},
		SessionTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Channel = New(n.realm, func() time.Duration { return 5500 * time.Millisecond })
	srv := &http.Server{
		ReadTimeout: time.Second, WriteTimeout: time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := n.Serve(w, r, n.guest)
			if handshake, ok := errors.AsType[*HandshakeError](err); ok {
				w.WriteHeader(handshake.Status)
			} else if err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(n.listener) })
	t.Cleanup(func() {
		n.Stop()
		n.realm.Stop(context.Background())
		srv.Close()
		serving.Wait()
	})
	return n
}

// enter brings a player into the world and returns the session's token.
func (n *node) enter(t *testing.T, name string) string {
	t.Helper()
	ids, err := n.store.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	account := rushgate.Account{ID: ids, Username: name, PasswordHash: "x", CreatedAt: time.Now()}
	admitted, err := n.store.Admit(t.Context(), rushgate.Instance{Node: "here", Run: "1"},
		[]rushgate.Admission{{Account: account, Create: true, Attempt: name}})
	if err != nil || admitted[0].Err != nil {
		t.Fatal(err, admitted)
	}
	token := "token of " + name
	n.realm.Enter(rushgate.Arrival{Admitted: admitted[0], Token: token, Reply: func(_ rushgate.Session, err error) {
		if err != nil {
			t.Error(err)
		}
	}})
	n.realm.Tick()
	return token
}

// answer is what a handshake was answered.
type answer struct {
	status int
	header http.Header
}

// dial opens a WebSocket and says nothing.
func (n *node) dial(t *testing.T, opts *websocket.DialOptions) (*websocket.Conn, answer, error) {
	t.Helper()
	if opts == nil {
		opts = &websocket.DialOptions{Subprotocols: []string{Subprotocol}}
	}
	opts.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: n.listener.dial, DisableKeepAlives: true}}
	ws, resp, err := websocket.Dial(t.Context(), "ws://node.example/", opts)
	if err == nil {
		t.Cleanup(func() { ws.CloseNow() })
	}
	if resp == nil {
		return ws, answer{}, err
	}
	if err != nil {
		resp.Body.Close()
	}
	return ws, answer{resp.StatusCode, resp.Header}, err
}

func (n *node) open(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, _, err := n.dial(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func greeting(token string) []byte { return fmt.Appendf(nil, `{"session_token":%q}`, token) }

// attach opens a WebSocket as a session's, and returns the server's end too.
func (n *node) attach(t *testing.T, token string) (*websocket.Conn, *conn) {
	t.Helper()
	ws := n.open(t)
	before := n.connections()
	if err := ws.Write(t.Context(), websocket.MessageText, greeting(token)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	for c := range before {
		if c.attached.Load() && !before[c] {
			return ws, c
		}
	}
	return ws, nil
}

// connections returns the server's ends, and whether each is a player's.
func (n *node) connections() map[*conn]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make(map[*conn]bool)
	for c := range n.conns {
		all[c] = c.attached.Load()
	}
	return all
}

// closing is how a connection ended for its client.
type closing struct {
	code   websocket.StatusCode
	reason string
	after  time.Duration
}

// ended reads until the connection ends.
func ended(t *testing.T, ws *websocket.Conn) closing {
	t.Helper()
	start := time.Now()
	for {
		_, _, err := ws.Read(t.Context())
		if err != nil {
			out := closing{code: websocket.CloseStatus(err), after: time.Since(start)}
			if ce, ok := errors.AsType[websocket.CloseError](err); ok {
				out.reason = ce.Reason
			}
			return out
		}
	}
}

// drop reads and forgets what comes until the connection ends, such that its pings are answered.
func drop(ws *websocket.Conn) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := ws.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	return ended
}

func snapshot(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 100) }
