package server_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/wschannel"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/server"
)

// page is a browser's end of the realtime channel.
type page struct {
	ws      *websocket.Conn
	decoder protocol.Decoder
	seq     uint32
	last    protocol.Snapshot
}

// visit opens the channel from a page of an origin, if that is not empty, and says nothing. It returns the status too.
func visit(t *testing.T, s *server.Server, scheme, origin string) (*websocket.Conn, int, error) {
	t.Helper()
	header := make(http.Header)
	if origin != "" {
		header.Set("Origin", origin)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	ws, resp, err := websocket.Dial(t.Context(), scheme+"://"+s.HTTPAddr().String()+"/v1/channel", &websocket.DialOptions{
		Subprotocols: []string{wschannel.Subprotocol}, HTTPHeader: header, HTTPClient: &http.Client{Transport: transport},
	})
	if resp == nil {
		return nil, 0, err
	}
	if err != nil {
		resp.Body.Close()
		return nil, resp.StatusCode, err
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws, resp.StatusCode, nil
}

// play opens the channel as the player of a session.
func play(t *testing.T, s *server.Server, scheme, token string) *page {
	t.Helper()
	ws, _, err := visit(t, s, scheme, strings.Replace(scheme, "ws", "http", 1)+"://"+s.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"session_token":"`+token+`"}`)); err != nil {
		t.Fatal(err)
	}
	return &page{ws: ws}
}

// read decodes the next snapshot.
func (p *page) read(t *testing.T) {
	t.Helper()
	kind, b, err := p.ws.Read(t.Context())
	if err != nil || kind != websocket.MessageBinary {
		t.Fatalf("a message of type %v, %v", kind, err)
	}
	var s protocol.Snapshot
	if err := p.decoder.Decode(b, &s); err != nil {
		t.Fatal(err)
	}
	p.last = s
}

// send acknowledges the last snapshot with an intent.
func (p *page) send(t *testing.T, in rushgate.Intent) {
	t.Helper()
	p.seq++
	b := protocol.AppendIntent(nil, protocol.Intent{Seq: p.seq, Ack: p.last.Tick, Intent: in})
	if err := p.ws.Write(t.Context(), websocket.MessageBinary, b); err != nil {
		t.Fatal(err)
	}
}

// code reads until the channel is closed, and returns the code.
func (p *page) code() websocket.StatusCode {
	for {
		if _, _, err := p.ws.Read(context.Background()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// A player in a browser walks, and sees it; one over UDP sees it too.
func TestPlayOverWebSocket(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	alice, bob := register(t, s, "alice"), register(t, s, "bob")
	p := play(t, s, "ws", alice.SessionToken)
	p.read(t)
	from := p.last.Own
	for p.last.Own.X == from.X && p.last.Own.Y == from.Y {
		p.send(t, rushgate.Intent{MoveX: 1, MoveY: 1})
		p.read(t)
	}
	if p.last.Intent == 0 {
		t.Error("the player moved before an intent was applied")
	}
	c, err := netcode.Dial(t.Context(), bob.ConnectToken, netcode.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var decoder protocol.Decoder
	for buf, found := make([]byte, netcode.MaxPayload), false; !found; {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		var snapshot protocol.Snapshot
		if err := decoder.Decode(buf[:n], &snapshot); err != nil {
			t.Fatal(err)
		}
		for _, e := range snapshot.Entities {
			found = found || e.ID == alice.Player && e.Name == "alice"
		}
	}
	for found := false; !found; {
		p.read(t)
		for _, e := range p.last.Entities {
			found = found || e.ID == bob.Player
		}
	}
	var dump struct {
		Tick      struct{ Connected int }
		WebSocket wschannel.Stats
	}
	if err := json.Unmarshal([]byte(metrics(t, s)), &dump); err != nil {
		t.Fatal(err)
	}
	st := dump.WebSocket
	if dump.Tick.Connected != 2 || st.Open != 1 || st.Opened != 1 || st.SnapshotsSent == 0 || st.BytesSent == 0 {
		t.Errorf("the dump has %+v", dump)
	}
}

func TestWebSocketOverTLS(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.TLS, cfg.UDPAddr = true, server.NoUDP // who plays in a browser needs no UDP
	s := start(t, cfg)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	resp, err := client.Post("https://"+s.HTTPAddr().String()+"/v1/register", "application/json",
		strings.NewReader(`{"username":"alice","password":"correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer client.CloseIdleConnections()
	var o opened
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, err)
	}
	p := play(t, s, "wss", o.SessionToken)
	p.read(t)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	if got := p.code(); got != wschannel.CodeStopping {
		t.Errorf("closed with %v", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestOriginsOfPages(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Origins = []string{"HTTPS://Pages.Example.org:443", "capacitor://localhost", "tauri://localhost", "file://"}
	s := start(t, cfg)
	_, port, err := net.SplitHostPort(s.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]int{
		"":                                   http.StatusSwitchingProtocols,
		"http://" + s.HTTPAddr().String():    http.StatusSwitchingProtocols,
		"https://pages.example.org":          http.StatusSwitchingProtocols,
		"https://" + s.HTTPAddr().String():   http.StatusSwitchingProtocols, // of a proxy that speaks TLS
		"http://127.0.0.1":                   http.StatusSwitchingProtocols, // some programs leave the port out
		"capacitor://localhost":              http.StatusSwitchingProtocols,
		"tauri://localhost":                  http.StatusSwitchingProtocols,
		"file://":                            http.StatusSwitchingProtocols,
		"null":                               http.StatusSwitchingProtocols,
		"http://127.0.0.1:1":                 http.StatusForbidden,
		"http://localhost:" + port:           http.StatusForbidden,
		"http://pages.example.org":           http.StatusForbidden,
		"https://pages.example.org.evil.org": http.StatusForbidden,
		"capacitor://elsewhere":              http.StatusForbidden,
	} {
		if _, status, err := visit(t, s, "ws", origin); status != want {
			t.Errorf("from %q: %d, %v", origin, status, err)
		}
	}
	cfg = config(t, t.TempDir())
	cfg.Origins = []string{"https://play.example.org/game"}
	_, err = server.Start(t.Context(), cfg)
	if !errors.Is(err, server.ErrInvalidConfig) || !strings.Contains(err.Error(), cfg.Origins[0]) {
		t.Errorf("an origin that is none: %v", err)
	}
}

func TestWebSocketCloseCodes(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	if got := play(t, s, "ws", "no such token").code(); got != wschannel.CodeNoSession {
		t.Errorf("an unknown token: %v", got)
	}
	o := register(t, s, "alice")
	first := play(t, s, "ws", o.SessionToken)
	first.read(t)
	second := play(t, s, "ws", o.SessionToken)
	if got := first.code(); got != wschannel.CodeReplaced {
		t.Errorf("replaced by another page: %v", got)
	}
	second.read(t)
	_, again := post(t, s, "/v1/connect", o.SessionToken, "")
	c, err := netcode.Dial(t.Context(), again.ConnectToken, netcode.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := second.code(); got != wschannel.CodeReplaced {
		t.Errorf("replaced by UDP: %v", got)
	}
	third := play(t, s, "ws", o.SessionToken)
	third.read(t)
	for err, buf := error(nil), make([]byte, netcode.MaxPayload); err == nil; {
		_, err = c.Read(buf) // until it is replaced in turn
	}
	if err := third.ws.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := third.code(); got != wschannel.CodeRefused {
		t.Errorf("text: %v", got)
	}
	fourth := play(t, s, "ws", o.SessionToken)
	fourth.read(t)
	if status, _ := post(t, s, "/v1/logout", o.SessionToken, ""); status != http.StatusNoContent {
		t.Errorf("logout: status %d", status)
	}
	if got := fourth.code(); got != wschannel.CodeSessionEnded {
		t.Errorf("logout: %v", got)
	}
}

// A node that stops tells its players in browsers, waits for nothing that is theirs, and leaves no goroutine behind.
func TestDrainClosesWebSockets(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	p := play(t, s, "ws", register(t, s, "alice").SessionToken)
	p.read(t)
	if _, _, err := visit(t, s, "ws", ""); err != nil { // and says nothing, nor does it read
		t.Fatal(err)
	}
	code := make(chan websocket.StatusCode, 1)
	go func() { code <- p.code() }()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != wschannel.CodeStopping {
		t.Errorf("closed with %v", got)
	}
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(time.Minute); ; { // a goroutine that is done takes a moment to go
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "rushgate/internal/wschannel.") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind:\n%s", all)
		}
		runtime.Gosched()
	}
}

// However many connect, a player's WebSocket does not have to make room, while those that say nothing do.
func TestPlayersKeepTheirWebSockets(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.MaxConns = 16
	s := start(t, cfg)
	p := play(t, s, "ws", register(t, s, "alice").SessionToken)
	p.read(t)
	for range 2 * cfg.MaxConns {
		if _, _, err := visit(t, s, "ws", ""); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		p.read(t)
	}
}
