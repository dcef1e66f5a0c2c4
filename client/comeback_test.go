package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
)

const goodResume = "rgk1.an-attempt.rgr1.YWxpY2U.ABCDEFGHIJKLMNOPQRSTUVWXYZ.the-secret-of-43-characters"

func FuzzParseResume(f *testing.F) {
	for _, s := range []string{
		"", goodResume, strings.Replace(goodResume, "an-attempt", "", 1), "rgk2.a.b", "rgk1..", "rgk1.a b.c",
		"rgk1." + strings.Repeat("a", 65) + ".c", "rgk1.a." + strings.Repeat("x", maxResume+1), "rgk1.a.b c",
		strings.Repeat(".", 2000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseResume(s)
		switch {
		case err != nil:
			if !errors.Is(err, ErrNotResume) || !r.IsZero() || len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Errorf("%q: %v, %v", s, r, err)
			}
		case r.Text() != s || len(s) > 600:
			t.Errorf("%q is read as %q", s, r.Text())
		}
	})
}

func TestResumeIsNeverPrinted(t *testing.T) {
	r, err := ParseResume(goodResume)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New("http://node.test", Options{Resume: r})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{r, &r, struct{ Kept Resume }{r}, Options{Resume: r}, c.opts} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("kept", "resume", v)
	}
	if b, err := json.Marshal(struct{ Kept any }{r}); err == nil {
		out.Write(b)
	}
	for _, secret := range []string{"the-secret", "an-attempt", fmt.Sprintf("%x", "the-secret")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in\n%s", secret, out.String())
		}
	}
}

func TestDeviceLabels(t *testing.T) {
	for label, good := range map[string]bool{
		"": true, "Anna's laptop": true, "手机": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		"a\nb": false, "\xff": false,
	} {
		if _, err := New("http://node.test", Options{Remember: label}); (err == nil) != good {
			t.Errorf("%q: %v", label, err)
		}
	}
}

// lane is a server that lets those in who come back, by the rules of docs/protocol.md.
type lane struct {
	t       *testing.T
	now     string            // the token that is good
	used    map[string]string // the token before it, and by which attempt that was used
	lose    int               // so many answers are lost
	says    []string          // refusals to give before
	asked   []string          // tokens and attempts, and what was asked besides
	deleted []string
	old     bool // the server knows none of this
}

func (l *lane) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	var b map[string]any
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&b)
	}
	text := func(name string) string { s, _ := b[name].(string); return s }
	session := map[string]any{
		"player_id": 12, "session_token": "token-secret-1", "expires_at": time.Now().Add(sessionLife),
	}
	refuse := func(status int, reason string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"reason":%q,"message":"m"}`, reason)
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/login":
		if _, remembers := b["remember"]; remembers && l.old {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"reason":"missing-credentials",`+
				`"message":"The body has a field other than username, password, attempt_id."}`)
			break
		} else if remembers {
			l.now = "rgr1.first"
			session["resume_token"] = l.now
		}
		_ = json.NewEncoder(w).Encode(session)
	case "POST /v1/resume":
		token, attempt := text("resume_token"), text("attempt_id")
		l.asked = append(l.asked, fmt.Sprint(token, " ", attempt, " ", b["takeover"]))
		if len(l.says) > 0 {
			refuse(503, l.says[0])
			l.says = l.says[1:]
			break
		}
		switch before, shown := l.used[token]; {
		case token == l.now:
			l.now = fmt.Sprintf("rgr1.next-%d", len(l.used))
			l.used[token] = attempt
		case shown && before == attempt && attempt != "":
		default:
			refuse(401, "bad-credentials")
			return w.Result(), nil
		}
		if l.lose > 0 {
			l.lose--
			return nil, errors.New("connection reset")
		}
		session["resume_token"] = l.now
		_ = json.NewEncoder(w).Encode(session)
	case "DELETE /v1/resume":
		l.deleted = append(l.deleted, text("resume_token"))
		w.WriteHeader(204)
	case "POST /v1/logout":
		w.WriteHeader(204)
	default:
		l.t.Errorf("%s %s", r.Method, r.URL)
	}
	return w.Result(), nil
}

// start begins a run of a game that keeps what it is told, and has kept that.
func (l *lane) start(kept *string, opts Options) *Client {
	l.t.Helper()
	r, err := ParseResume(*kept)
	if err != nil {
		l.t.Fatal(err)
	}
	opts.Transport, opts.Resume, opts.OnResume = l, r, func(r Resume) { *kept = r.Text() }
	opts.Remember = "a device"
	c, err := New("http://node.test", opts)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// Wherever a game ends, the next run of it comes back: an answer that was lost is asked for again in the same attempt.
func TestNoCrashCostsTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane{t: t, used: map[string]string{}}
		kept := ""
		c := l.start(&kept, Options{MaxRetries: -1})
		if _, err := c.Resume(t.Context()); !errors.Is(err, ErrNoResume) {
			t.Errorf("with nothing kept: %v", err)
		}
		if _, err := c.Login(t.Context(), "alice", "correct horse"); err != nil || kept != "rgk1..rgr1.first" {
			t.Fatalf("%v, kept %q", err, kept)
		}
		l.lose = 2
		for run := range 3 {
			c = l.start(&kept, Options{MaxRetries: -1})
			_, err := c.Resume(t.Context())
			if lost := run < 2; lost != errors.Is(err, ErrNoAnswer) || !lost && err != nil {
				t.Fatalf("run %d: %v", run, err)
			}
		}
		if kept != "rgk1..rgr1.next-0" || l.asked[0] != l.asked[1] || l.asked[1] != l.asked[2] {
			t.Errorf("kept %q, asked %q", kept, l.asked)
		}
		// What is busy is no use of the token, and another attempt of the same game is the same.
		l.says = []string{"server-busy", "server-busy"}
		if _, err := c.Resume(t.Context()); !errors.Is(err, rushgate.ServerBusy) {
			t.Error(err)
		}
		if _, err := l.start(&kept, Options{}).Resume(t.Context()); err != nil || kept != "rgk1..rgr1.next-1" {
			t.Errorf("%v, kept %q", err, kept)
		}
		if l.asked[3] != l.asked[4] || l.asked[4] != l.asked[5] || !strings.HasSuffix(l.asked[3], " true") {
			t.Errorf("asked %q", l.asked)
		}
		// One that is worth nothing is forgotten.
		stale := "rgk1..rgr1.first"
		if _, err := l.start(&stale, Options{}).Resume(t.Context()); !errors.Is(err, rushgate.BadCredentials) || stale != "" {
			t.Errorf("%v, kept %q", err, stale)
		}
	})
}

func TestLogoutForgetsTheDevice(t *testing.T) {
	l := &lane{t: t, used: map[string]string{}}
	kept := ""
	c := l.start(&kept, Options{})
	for _, leave := range []func(Session, context.Context) error{Session.Leave, Session.Logout} {
		s, err := c.Login(t.Context(), "alice", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		if err := leave(*s, t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(l.deleted) == 0 && kept != "rgk1..rgr1.first" {
			t.Errorf("after Leave %q is kept", kept)
		}
	}
	if kept != "" || !slices.Equal(l.deleted, []string{"rgr1.first"}) {
		t.Errorf("after Logout %q is kept, %q was deleted", kept, l.deleted)
	}
	if _, err := c.Resume(t.Context()); !errors.Is(err, ErrNoResume) {
		t.Error(err)
	}
}

func TestOlderServersRememberNoDevice(t *testing.T) {
	l := &lane{t: t, old: true}
	kept := ""
	if _, err := l.start(&kept, Options{}).Login(t.Context(), "alice", "correct horse"); err != nil || kept != "" {
		t.Errorf("%v, kept %q", err, kept)
	}
}

// The game goes on when its session is over, unless the player has left, or is elsewhere.
func TestRealtimeComesBackByItself(t *testing.T) {
	for name, tt := range map[string]struct {
		remembered, elsewhere, left bool
		goesOn                      bool
	}{
		"remembered":              {true, false, false, true},
		"not remembered":          {false, false, false, false},
		"the player is elsewhere": {true, true, false, false},
		"the player has left":     {true, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memnet.Options{}, 1)
				defer n.stop()
				s := n.login()
				if tt.remembered {
					s.client.setDevice(device{resumption{token: "rgr1.first"}, nodePlayer})
				}
				n.set(func(n *node) { n.elsewhere = tt.elsewhere })
				rt, err := s.Connect(t.Context(), RealtimeOptions{Dial: n.dial})
				if err != nil {
					t.Fatal(err)
				}
				defer rt.Close()
				<-rt.Views()
				n.set(func(n *node) { n.overToken = "token-secret-1" })
				if tt.left {
					_ = s.Leave(t.Context())
				}
				n.kick()
				time.Sleep(3 * time.Second)
				if tt.goesOn {
					wantEvents(t, rt, EventConnected, EventDisconnected, EventReconnecting, EventResumed, EventConnected)
					if got := s.grant.sessionToken(); got != "token-secret-2" {
						t.Errorf("the session has %q", got)
					}
					n.check(rt.Latest())
					return
				}
				if last := wantEvents(t, rt, EventConnected, EventDisconnected, EventReconnecting, EventEnded); !errors.Is(
					last.Err, ErrSessionEnded) || tt.elsewhere != errors.Is(last.Err, rushgate.AlreadyLoggedIn) {
					t.Errorf("ended with %v", last.Err)
				}
			})
		})
	}
}

// A session is asked for at the node that has it, as another one says, and at the client's own when that is gone.
func TestSessionsAreFollowed(t *testing.T) {
	me := `{"player_id":12,"name":"alice","expires_at":"2030-01-01T00:00:00Z"}`
	var there *httptest.Server
	wrong := true
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/login":
			fmt.Fprint(w, `{"player_id":12,"session_token":"a-token","expires_at":"2030-01-01T00:00:00Z"}`)
		case wrong:
			w.WriteHeader(http.StatusMisdirectedRequest)
			fmt.Fprintf(w, `{"reason":"wrong-zone","message":"m","address":%q}`, strings.TrimPrefix(there.URL, "http://"))
		default:
			fmt.Fprint(w, me)
		}
	}))
	defer here.Close()
	asked := 0
	there = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.Header.Get("Authorization") != "Bearer a-token" {
			t.Errorf("asked with %q", r.Header)
		}
		fmt.Fprint(w, me)
	}))
	c, err := New(here.URL, Options{MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Login(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Me(t.Context()); err != nil {
			t.Error(err)
		}
	}
	there.Close()
	wrong = false
	if _, err := s.Me(t.Context()); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("of a node that is gone: %v", err)
	}
	if _, err := s.Me(t.Context()); err != nil || asked != 2 {
		t.Errorf("then: %v, the other one was asked %d times", err, asked)
	}
	// Nodes that send the client to and fro are not asked for ever.
	wrong, there = true, here
	if _, err := s.Me(t.Context()); !errors.Is(err, rushgate.WrongZone) {
		t.Error(err)
	}
}

// A WebSocket is opened where the session is, also if that is told by a close code, at first or later.
func TestWebSocketsFollowTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		moved := false
		ends := make(chan websocket.CloseError)
		n.serve = func(ws *websocket.Conn, nth int) {
			n.mu.Lock()
			host, away := n.requests[nth].Host, moved
			n.mu.Unlock()
			switch {
			case !away && host == "node.test":
				_ = ws.Close(4421, "other.test:80")
			case away && host != "third.test:80":
				_ = ws.Close(4421, "third.test:80")
			default:
				n.play(ws, nth, ends)
			}
		}
		rt := n.connect()
		defer rt.Close()
		<-rt.Views()
		n.set(func(*channelNode) { moved = true })
		ends <- closing(4421, "third.test:80")
		time.Sleep(3 * time.Second)
		n.mu.Lock()
		defer n.mu.Unlock()
		var hosts []string
		for _, r := range n.requests {
			hosts = append(hosts, r.Host)
		}
		if !slices.Equal(hosts, []string{"node.test", "other.test:80", "third.test:80"}) || rt.Stats().Connects != 2 {
			t.Errorf("asked %q, %+v, %v", hosts, rt.Stats(), rt.Err())
		}
	})
}

// A node that goes down says when to come back, whatever the close code.
func TestCloseReasonsAreHeeded(t *testing.T) {
	for _, code := range []websocket.StatusCode{1012, 4411, 4503} {
		synctest.Test(t, func(t *testing.T) {
			n := startChannelNode(t)
			ends := n.endings()
			rt := n.connect()
			defer rt.Close()
			<-rt.Views()
			ends <- closing(code, "retry in 3500 ms")
			if pause := reconnecting(rt); pause != 3500*time.Millisecond {
				t.Errorf("code %d: a pause of %v", code, pause)
			}
			time.Sleep(4 * time.Second)
			if rt.Stats().Connects != 2 {
				t.Errorf("code %d: %+v, %v", code, rt.Stats(), rt.Err())
			}
		})
	}
}
