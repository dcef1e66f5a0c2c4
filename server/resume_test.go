package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// answered is an answer of the HTTP interface.
type answered struct {
	status int
	body   map[string]any
	raw    string
}

func (a answered) text(field string) string {
	s, _ := a.body[field].(string)
	return s
}

// call asks a node, with a session token unless that is empty.
func call(t *testing.T, s *server.Server, request, body, session string) (a answered) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	url := "http://" + s.HTTPAddr().String() + path
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if session != "" {
		req.Header.Set("Authorization", "Bearer "+session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a = answered{status: resp.StatusCode, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("%s: %d %q", request, a.status, raw)
		}
	}
	return a
}

// callUntil calls again while the answer is one of those to be waited out.
func callUntil(t *testing.T, s *server.Server, request, body, session string, while ...int) answered {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		a := call(t, s, request, body, session)
		if !slices.Contains(while, a.status) || time.Now().After(deadline) {
			return a
		}
	}
}

func (a answered) want(t *testing.T, what string, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %.300s, want %d", what, a.status, a.raw, status)
	}
}

// join registers a name and has the device remembered.
func join(t *testing.T, s *server.Server, name string) (session, resume string) {
	t.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":"correct horse","remember":"phone"}`, name)
	a := call(t, s, "POST /v1/register", body, "")
	if a.status != 201 || a.text("resume_token") == "" {
		t.Fatalf("register: %d %s", a.status, a.raw)
	}
	return a.text("session_token"), a.text("resume_token")
}

func resumeBy(resume, attempt string) string {
	return fmt.Sprintf(`{"resume_token":%q,"attempt_id":%q,"takeover":true}`, resume, attempt)
}

// everywhere runs a test on a node with each store of its own, SQLite and Redis, that start makes anew on the same
// data.
func everywhere(t *testing.T, test func(t *testing.T, start func(t *testing.T) *server.Server)) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(t *testing.T) *server.Server { return start(t, config(t, dir)) })
	})
	t.Run("redis", func(t *testing.T) {
		cfg := onRedis(t, redistest.Start(t))
		test(t, func(t *testing.T) *server.Server { return start(t, cfg) })
	})
}

// A restart costs no player a password: the session goes on, with its token, and so does the device.
func TestSessionsAndDevicesOutliveARestart(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(t *testing.T) *server.Server) {
		s := start(t)
		session, resume := join(t, s, "alice")
		other, _ := join(t, s, "bob")
		before := call(t, s, "GET /v1/me", "", session)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s = start(t)
		me := call(t, s, "GET /v1/me", "", session)
		me.want(t, "me after the restart", 200)
		if me.body["player_id"] != before.body["player_id"] {
			t.Errorf("me is %s, was %s", me.raw, before.raw)
		}
		if a := call(t, s, "POST /v1/connect", "", other); a.status != 200 || a.text("connect_token") == "" {
			t.Errorf("connect after the restart: %d %s", a.status, a.raw)
		}
		call(t, s, "POST /v1/logout", "", session).want(t, "logout", 204)
		call(t, s, "GET /v1/me", "", session).want(t, "me after the logout", 401)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s = start(t)
		call(t, s, "GET /v1/me", "", session).want(t, "me after the logout and a restart", 401)
		back := call(t, s, "POST /v1/resume", resumeBy(resume, "a"), "")
		back.want(t, "resume", 200)
		if back.body["player_id"] != before.body["player_id"] || back.text("resume_token") == resume {
			t.Errorf("resume: %s", back.raw)
		}
		if err := s.Stop(); err != nil { // the answer was lost, and the node goes down
			t.Fatal(err)
		}
		s = start(t)
		again := call(t, s, "POST /v1/resume", resumeBy(resume, "a"), "")
		if again.text("resume_token") != back.text("resume_token") {
			t.Errorf("the same try after a restart: %s, want the token of %s", again.raw, back.raw)
		}
	})
}

// What ends a session ends it on every node, also after a restart of one.
func TestEndedSessionsGoOnNowhere(t *testing.T) {
	_, here, there := twoNodes(t)
	ends := map[string]func(name, session string) answered{
		"logout": func(_, session string) answered { return call(t, here, "POST /v1/logout", "", session) },
		"another login": func(name, _ string) answered {
			body := fmt.Sprintf(`{"username":%q,"password":"correct horse","takeover":true}`, name)
			return callUntil(t, there, "POST /v1/login", body, "", 503)
		},
		"the operator": func(name, _ string) answered {
			status, body := order(t, there, "end-session", name)
			return answered{status: status, body: body}
		},
		"a ban": func(name, _ string) answered {
			status, body := order(t, there, "disable", name)
			return answered{status: status, body: body}
		},
		"another epoch": func(name, _ string) answered {
			status, body := order(t, there, "end-sessions", name)
			return answered{status: status, body: body}
		},
	}
	sessions, devices := make(map[string]string), make(map[string]string)
	for how, end := range ends {
		name := strings.ReplaceAll(how, " ", "-")
		sessions[how], devices[how] = join(t, here, name)
		if a := end(name, sessions[how]); a.status >= 300 {
			t.Fatalf("%s: %d %s %v", how, a.status, a.raw, a.body)
		}
	}
	for how, session := range sessions {
		callUntil(t, here, "GET /v1/me", "", session, 200, 503).want(t, how+": me on the node that had it", 401)
		callUntil(t, there, "GET /v1/me", "", session, 503).want(t, how+": me on the other", 401)
		call(t, there, "POST /v1/connect", "", session).want(t, how+": connect on the other", 401)
		call(t, there, "POST /v1/resume", fmt.Sprintf(`{"session_token":%q,"takeover":true}`, session), "").
			want(t, how+": resume on the other", 401)
	}
	for how, status := range map[string]int{"a ban": 401, "another epoch": 401} {
		for where, s := range map[string]*server.Server{"here": here, "there": there} {
			callUntil(t, s, "POST /v1/resume", resumeBy(devices[how], "a"), "", 503).
				want(t, how+": the device, "+where, status)
		}
	}
}

// A player who asks another node goes on there, with the same session, while nothing is known of where the first is
// reached; and is sent back if it is.
func TestASessionOnAnotherNode(t *testing.T) {
	r := redistest.Start(t)
	here, there := start(t, onRedis(t, r)), start(t, onRedis(t, r))
	session, _ := join(t, here, "alice")
	for _, request := range []string{"GET /v1/me", "POST /v1/logout"} {
		call(t, there, request, "", session).want(t, request+" does not move a session", 503)
	}
	a := callUntil(t, there, "POST /v1/connect", "", session, 503)
	if a.status != 200 || a.text("connect_token") == "" {
		t.Fatalf("connect on the other node: %d %s", a.status, a.raw)
	}
	call(t, there, "GET /v1/me", "", session).want(t, "me there", 200)
	if here, there := readDump(t, here).Tick.Players, readDump(t, there).Tick.Players; here != 0 || there != 1 {
		t.Errorf("%d and %d players are inside, want 0 and 1", here, there)
	}
	callUntil(t, here, "POST /v1/connect", "", session, 503).want(t, "connect on the first node again", 200)
	if err := here.Stop(); err != nil {
		t.Fatal(err)
	}
	callUntil(t, there, "GET /v1/me", "", session, 503).want(t, "me on the other node, the first being gone", 200)
}

func TestASessionOnANodeWithAnAddress(t *testing.T) {
	r := redistest.Start(t)
	cfg := onRedis(t, r)
	cfg.PublicAddress = "one.example.org:8080"
	here, there := start(t, cfg), start(t, onRedis(t, r))
	session, _ := join(t, here, "alice")
	for _, request := range []string{"GET /v1/me", "POST /v1/connect", "POST /v1/logout"} {
		// The other node may not have heard of the address yet.
		a := callUntil(t, there, request, "", session, 503)
		if a.status != 421 || a.text("reason") != string(rushgate.WrongZone) || a.text("address") != cfg.PublicAddress {
			t.Errorf("%s: %d %s, want %s", request, a.status, a.raw, cfg.PublicAddress)
		}
	}
	call(t, here, "GET /v1/me", "", session).want(t, "me here, after all that", 200)
	move := fmt.Sprintf(`{"session_token":%q,"takeover":true}`, session)
	back := callUntil(t, there, "POST /v1/resume", move, "", 503)
	if back.status != 200 || back.text("session_token") != session || back.text("resume_token") != "" {
		t.Errorf("a session that is to move: %d %s", back.status, back.raw)
	}
}

// buffer is a log that many write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// An old token that a second device shows ends both, on every node; and nothing of it is to be read anywhere.
func TestAStolenDevice(t *testing.T) {
	r := redistest.Start(t)
	var log buffer
	node := func() *server.Server {
		cfg := onRedis(t, r)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		return start(t, cfg)
	}
	here, there := node(), node()
	session, resume := join(t, here, "alice")
	call(t, here, "POST /v1/logout", "", session).want(t, "logout", 204)
	thief := call(t, there, "POST /v1/resume", resumeBy(resume, "thief"), "")
	thief.want(t, "the thief", 200)
	call(t, here, "POST /v1/resume", resumeBy(resume, "owner"), "").want(t, "the owner", 401)
	call(t, there, "POST /v1/resume", resumeBy(thief.text("resume_token"), "next"), "").want(t, "the thief's next", 401)
	callUntil(t, there, "GET /v1/me", "", thief.text("session_token"), 200, 503).want(t, "the thief's session", 401)
	login := callUntil(t, here, "POST /v1/login", `{"username":"alice","password":"correct horse"}`, "", 409, 503)
	login.want(t, "the owner, with the password", 200)
	var all strings.Builder
	all.WriteString(log.String())
	for _, s := range []*server.Server{here, there} {
		for _, path := range []string{"/metrics", "/metrics.json"} {
			resp, err := http.Get("http://" + s.AdminAddr().String() + path)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(&all, resp.Body)
			resp.Body.Close()
		}
	}
	if !strings.Contains(all.String(), "rushgate_resume_reuses_total 1") || !strings.Contains(all.String(), "used twice") {
		t.Error("neither the metrics nor the log tell of it")
	}
	secrets := []string{session, thief.text("session_token"), login.text("session_token")}
	for _, resume := range []string{resume, thief.text("resume_token")} {
		secrets = append(secrets, strings.Split(resume, ".")[2:]...) // what a part of it says is too much
	}
	for _, secret := range secrets {
		if len(secret) < 26 || strings.Contains(all.String(), secret) {
			t.Error("a token, or a part of it, shows in the log or the metrics")
		}
	}
}

// Of requests with one token that are under way at once, on several nodes, all have the same answer.
func TestOneAttemptOnManyNodesAtOnce(t *testing.T) {
	_, here, there := twoNodes(t)
	session, resume := join(t, here, "alice")
	call(t, here, "POST /v1/logout", "", session).want(t, "logout", 204)
	var wg sync.WaitGroup
	next := make(chan string, 8)
	for i := range cap(next) {
		wg.Go(func() {
			a := callUntil(t, []*server.Server{here, there}[i%2], "POST /v1/resume", resumeBy(resume, "a"), "", 503)
			if a.status != 200 && a.status != 409 {
				t.Errorf("%d %s", a.status, a.raw)
			}
			if token := a.text("resume_token"); token != "" {
				next <- token
			}
		})
	}
	wg.Wait()
	close(next)
	var tokens []string
	for token := range next {
		tokens = append(tokens, token)
	}
	if slices.Sort(tokens); len(tokens) == 0 || len(slices.Compact(tokens)) != 1 {
		t.Errorf("%d answers, which are not the same", len(tokens))
	}
}
