package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/peer"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/world"
)

// gate is a front door with everything behind it, in memory.
type gate struct {
	*httptest.Server
	store    *countingStore
	pool     *auth.Pool
	realm    *realm.Realm
	draining atomic.Bool
	log      sharedLog
}

// sharedLog is a log that is read while others still write.
type sharedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// countingStore counts the questions for leaderboards, and can be made to fail.
type countingStore struct {
	rushgate.Store
	tops atomic.Int64
	fail atomic.Bool
	full atomic.Bool // takes no writes
}

func (s *countingStore) Ping(ctx context.Context) error {
	if s.full.Load() {
		return errors.New("the disk is full")
	}
	return s.Store.Ping(ctx)
}

func (s *countingStore) Top(ctx context.Context, b rushgate.Board, limit int) ([]rushgate.Rank, error) {
	s.tops.Add(1)
	if s.fail.Load() {
		return nil, fmt.Errorf("the disk with secret-%s is gone", b)
	}
	return s.Store.Top(ctx, b, limit)
}

func newDoor(t *testing.T, change func(*auth.Config, *Config)) *gate {
	t.Helper()
	return newDoorOn(t, memory.New(memory.Options{}), change)
}

// newDoorOn is newDoor on a store that there may be something in.
func newDoorOn(t *testing.T, store rushgate.Store, change func(*auth.Config, *Config)) *gate {
	t.Helper()
	d := &gate{store: &countingStore{Store: store}}
	logger := slog.New(slog.NewTextHandler(&d.log, nil))
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	in := rushgate.Instance{Node: "node", Run: "run"}
	d.realm, err = realm.New(realm.Config{
		World: world.New(world.Default(), 1), Store: d.store, Instance: in, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	entrance, err := door.New(door.Config{
		Queue: auth.DefaultQueueDepth, World: 100, MaxAge: auth.DefaultMaxAge, Batch: auth.BatchMax, Pace: 1000,
		Jitter: func(time.Duration) time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	pool := auth.Config{
		Store: d.store, Hasher: hasher, HashTime: time.Millisecond, Remember: 30 * 24 * time.Hour, Grace: 30 * time.Second,
		Door: entrance, Instance: in, Enter: d.realm.Enter, Logger: logger, Leave: d.realm.End,
		Errands: func(ctx context.Context, proved []auth.Proved) ([]error, error) {
			changes := make([]account.PasswordChange, len(proved))
			for i, p := range proved {
				changes[i] = account.PasswordChange{
					Proved: secondfactor.Proved{Account: p.Account, Credentials: p.Credentials}, Hash: p.NewHash,
				}
			}
			return account.New(d.store).ChangePasswords(ctx, changes)
		},
	}
	cfg := Config{Realm: d.realm, Store: d.store, Ready: ready.New(d.draining.Load, d.store.Ping), Logger: logger,
		Accounts: account.New(d.store),
		Remember: pool.Remember,
		Proxies:  peer.NewProxies([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, logger)}
	if change != nil {
		change(&pool, &cfg)
	}
	if d.pool, err = auth.NewPool(pool); err != nil {
		t.Fatal(err)
	}
	cfg.Pool, cfg.Door = d.pool, pool.Door
	d.realm.Start()
	d.pool.Start()
	d.Server = httptest.NewServer(New(cfg))
	d.Client().Transport = newContract(t, d.Client().Transport)
	t.Cleanup(func() {
		d.pool.Stop()
		d.realm.Stop(context.Background())
		d.Close()
	})
	return d
}

// exchange is an answer, read.
type exchange struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// call sends a request; from is the client's address as a proxy reports it, so that tests do not lock each other out.
func (d *gate) call(t *testing.T, method, path, body, from, token string) exchange {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if from != "" {
		req.Header.Set("X-Forwarded-For", from)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return d.do(t, req)
}

func (d *gate) do(t *testing.T, req *http.Request) exchange {
	t.Helper()
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	e := exchange{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &e.json); err != nil {
			t.Fatalf("%s %s: %v in %q", req.Method, req.URL.Path, err, b)
		}
	}
	return e
}

// want checks an answer's status and reason.
func (e exchange) want(t *testing.T, what string, status int, reason rushgate.Reason) {
	t.Helper()
	got, _ := e.json["reason"].(string)
	if e.status != status || got != string(reason) {
		t.Errorf("%s: %d %s, want %d %s", what, e.status, e.body, status, reason)
	}
}

func creds(username, pw string) string {
	b, err := json.Marshal(map[string]string{"username": username, "password": pw})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestLifeOfAPlayer(t *testing.T) {
	d := newDoor(t, nil)
	const from = "192.0.2.1"
	in := d.call(t, "POST", "/v1/register", creds("Alice", "correct horse"), from, "")
	in.want(t, "register", 201, "")
	token, _ := in.json["session_token"].(string)

	me := d.call(t, "GET", "/v1/me", "", from, token)
	me.want(t, "me", 200, "")
	if me.json["name"] != "alice" || me.json["player_id"] != in.json["player_id"] || me.json["hp"].(float64) <= 0 {
		t.Errorf("own state %s", me.body)
	}
	if s := d.call(t, "GET", "/v1/status", "", from, ""); s.json["state"] != "open" || s.json["players"] != 1.0 {
		t.Errorf("status %s", s.body)
	}
	d.call(t, "POST", "/v1/login", creds("alice", "correct horse"), from, "").
		want(t, "second login", 409, rushgate.AlreadyLoggedIn)
	d.call(t, "POST", "/v1/register", creds("ALICE", "another horse"), from, "").
		want(t, "second registration", 409, rushgate.UsernameTaken)
	for _, board := range []string{"xp", "level", "deaths"} {
		b := d.call(t, "GET", "/v1/leaderboards/"+board+"?limit=1", "", from, "")
		b.want(t, board, 200, "")
		if entries, _ := b.json["entries"].([]any); len(entries) != 1 {
			t.Errorf("leaderboard %s", b.body)
		}
	}
	out := d.call(t, "POST", "/v1/logout", "", from, token)
	if out.status != 204 || out.body != "" {
		t.Errorf("logout: %d %s", out.status, out.body)
	}
	d.call(t, "GET", "/v1/me", "", from, token).want(t, "me after logout", 401, rushgate.BadCredentials)
	d.call(t, "POST", "/v1/logout", "", from, token).want(t, "second logout", 401, rushgate.BadCredentials)
	d.call(t, "POST", "/v1/login", creds("alice", "correct horse"), from, "").want(t, "login", 200, "")
	if e := d.call(t, "GET", "/readyz", "", from, ""); e.status != 200 || e.body != "ok\n" {
		t.Errorf("readyz: %d %q", e.status, e.body)
	}
	if h := d.call(t, "GET", "/healthz", "", from, ""); h.status != 200 || h.body != "ok\n" {
		t.Errorf("healthz: %d %q", h.status, h.body)
	}
	if y := d.call(t, "GET", "/v1/openapi.yaml", "", from, ""); y.status != 200 || y.body != string(openAPI) {
		t.Errorf("openapi.yaml: %d", y.status)
	}
}

func TestWrongCredentialsLookAlike(t *testing.T) {
	d := newDoor(t, nil)
	d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "")
	wrong := d.call(t, "POST", "/v1/login", creds("alice", "wrong"), "192.0.2.2", "")
	unknown := d.call(t, "POST", "/v1/login", creds("nobody", "wrong"), "192.0.2.3", "")
	wrong.want(t, "wrong password", 401, rushgate.BadCredentials)
	unknown.want(t, "unknown user", 401, rushgate.BadCredentials)
	if wrong.body != unknown.body {
		t.Errorf("the bodies tell them apart:\n%s%s", wrong.body, unknown.body)
	}
}

func TestLostAnswer(t *testing.T) {
	d := newDoor(t, nil)
	body := `{"username":"alice","password":"correct horse","attempt_id":"A-1_x"}`
	first := d.call(t, "POST", "/v1/register", body, "192.0.2.1", "")
	again := d.call(t, "POST", "/v1/register", body, "192.0.2.1", "")
	again.want(t, "the same attempt", 201, "")
	if again.json["session_token"] != first.json["session_token"] || again.json["player_id"] != first.json["player_id"] {
		t.Errorf("the same attempt opened another session: %s then %s", first.body, again.body)
	}
	login := `{"username":"alice","password":"correct horse","attempt_id":"B"}`
	d.call(t, "POST", "/v1/login", login, "192.0.2.1", "").want(t, "another attempt", 409, rushgate.AlreadyLoggedIn)
	d.call(t, "POST", "/v1/logout", "", "", first.json["session_token"].(string))
	first = d.call(t, "POST", "/v1/login", login, "192.0.2.1", "")
	again = d.call(t, "POST", "/v1/login", login, "192.0.2.1", "")
	if again.status != 200 || again.json["session_token"] != first.json["session_token"] {
		t.Errorf("a login sent twice: %s then %s", first.body, again.body)
	}
}

func TestRefusalsSayWhenToComeBack(t *testing.T) {
	d := newDoor(t, func(p *auth.Config, _ *Config) { p.HashTime = time.Second })
	for range door.FailureLimit {
		d.call(t, "POST", "/v1/login", creds("nobody", "wrong"), "192.0.2.1", "")
	}
	locked := d.call(t, "POST", "/v1/login", creds("nobody", "wrong"), "192.0.2.1", "")
	locked.want(t, "locked out", 429, rushgate.RateLimited)
	d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.2", "").want(t, "another address", 201, "")

	d.pool.Stop() // as when draining: a client that comes now is turned away
	d.draining.Store(true)
	busy := d.call(t, "POST", "/v1/register", creds("bob", "correct horse"), "192.0.2.3", "")
	busy.want(t, "draining", 503, rushgate.ServerBusy)
	if s := d.call(t, "GET", "/v1/status", "", "", ""); s.json["state"] != "draining" {
		t.Errorf("status %s", s.body)
	}
	if e := d.call(t, "GET", "/readyz", "", "", ""); e.status != 503 || e.body != "draining\n" {
		t.Errorf("readyz while draining: %d %q", e.status, e.body)
	}
	for _, e := range []exchange{locked, busy} {
		ms, _ := e.json["retry_after_ms"].(float64)
		var seconds int
		_, err := fmt.Sscan(e.header.Get("Retry-After"), &seconds)
		if err != nil || ms <= 0 || float64(seconds)*1000 < ms || float64(seconds-1)*1000 >= ms {
			t.Errorf("Retry-After %q for %v ms", e.header.Get("Retry-After"), ms)
		}
	}
}

// The connection of a client that is told to come back later is closed if another one costs less than keeping it: not
// that of a proxy, which it keeps for many, nor one of TLS or HTTP/2. All others stay.
func TestConnectionsOfTheRefused(t *testing.T) {
	d := newDoor(t, nil)
	d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "").want(t, "register", 201, "")
	bob := creds("bob", "correct horse")
	full := func(*http.Request) { d.pool.Stop() }
	byTLS := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	for _, c := range []struct {
		name   string
		body   string
		change func(*http.Request)
		status int
		closes bool
	}{
		{"a wrong password", creds("alice", "wrong"), func(*http.Request) {}, 401, false},
		{"malformed", "{}", func(*http.Request) {}, 400, false},
		{"busy", bob, full, 503, true},
		{"busy, over TLS", bob, byTLS, 503, false},
		{"busy, HTTP/2", bob, func(r *http.Request) { r.ProtoMajor = 2 }, 503, false},
		{"busy, a proxy", bob, func(r *http.Request) { r.RemoteAddr = "127.0.0.1:4000" }, 503, false},
	} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/login", strings.NewReader(c.body))
		req.RemoteAddr = "192.0.2.2:4000"
		c.change(req)
		w := httptest.NewRecorder()
		d.Config.Handler.ServeHTTP(w, req)
		if closes := w.Header().Get("Connection") == "close"; w.Code != c.status || closes != c.closes {
			t.Errorf("%s: %d, the connection is closed %v, want %v", c.name, w.Code, closes, c.closes)
		}
	}
}

// A node whose disk is full reads what it likes and lets no player in.
func TestNodeThatCannotWriteIsNotReady(t *testing.T) {
	d := newDoor(t, nil)
	d.store.full.Store(true)
	if e := d.call(t, "GET", "/readyz", "", "", ""); e.status != 503 || e.body != "the store takes no writes\n" {
		t.Errorf("readyz: %d %q", e.status, e.body)
	}
	if s := d.call(t, "GET", "/v1/status", "", "", ""); s.json["state"] != "busy" {
		t.Errorf("status %s", s.body)
	}
	if e := d.call(t, "GET", "/healthz", "", "", ""); e.status != 200 {
		t.Errorf("healthz: %d, though the process lives", e.status)
	}
}

// A new name that breaks a rule is refused with that rule, and an account that has it already can log in.
func TestNewNamesAreRefusedByRule(t *testing.T) {
	d := newDoor(t, nil)
	for _, tt := range []struct{ name, message string }{
		{"admin", "reserved"},
		{"S-Y-S-T-E-M", "reserved"},
		{"аdmin", "one script"},
		{"αdmin", "one script"},
		{"<b>bob</b>", "of ASCII"},
		{"bob" + strings.Repeat("\u0301\u0300", 14), "marks"},
	} {
		e := d.call(t, "POST", "/v1/register", creds(tt.name, "correct horse"), "192.0.2.1", "")
		e.want(t, tt.name, 400, rushgate.MissingCredentials)
		if m, _ := e.json["message"].(string); !strings.Contains(m, tt.message) {
			t.Errorf("%s: message %q does not say %q", tt.name, m, tt.message)
		}
		e = d.call(t, "POST", "/v1/login", creds(tt.name, "correct horse"), "192.0.2.2", "")
		e.want(t, "login as "+tt.name, 401, rushgate.BadCredentials)
	}
	for _, name := range []string{"李明", "김현", "ﾕｷ"} {
		e := d.call(t, "POST", "/v1/register", creds(name, "correct horse"), "192.0.2.1", "")
		e.want(t, name, 201, "")
		d.call(t, "POST", "/v1/logout", "", "192.0.2.1", e.json["session_token"].(string))
		d.call(t, "POST", "/v1/login", creds(name, "correct horse"), "192.0.2.1", "").want(t, "login as "+name, 200, "")
	}
}

// A new password that is short or common is refused with the rule, and never repeated; that of an account that there is
// may be anything.
func TestNewPasswordsAreRefusedByRule(t *testing.T) {
	d := newDoor(t, nil)
	for _, tt := range []struct{ name, password, message string }{
		{"alice", "x", "at least 8 characters"},
		{"alice", "7 chars", "at least 8 characters"},
		{"alice", "Password123", "commonest"},
		{"alice", "QWERTYUIOP", "commonest"},
		{"alice", "zzzzzzzzzz", "commonest"},
		{"wonderland", "WONDERLAND", "username"},
	} {
		e := d.call(t, "POST", "/v1/register", creds(tt.name, tt.password), "192.0.2.1", "")
		e.want(t, tt.password, 400, rushgate.MissingCredentials)
		if m, _ := e.json["message"].(string); !strings.Contains(m, tt.message) || strings.Contains(m, tt.password) {
			t.Errorf("%s: message %q does not say %q", tt.password, m, tt.message)
		}
		e = d.call(t, "POST", "/v1/login", creds(tt.name, tt.password), "192.0.2.2", "")
		e.want(t, "login with "+tt.password, 401, rushgate.BadCredentials)
	}
	d.call(t, "POST", "/v1/register", creds("alice", "8 chars!"), "192.0.2.1", "").want(t, "eight characters", 201, "")

	d = newDoor(t, func(_ *auth.Config, c *Config) { c.PasswordMin = 12 })
	e := d.call(t, "POST", "/v1/register", creds("alice", "8 chars!"), "192.0.2.1", "")
	e.want(t, "fewer than a node asks for", 400, rushgate.MissingCredentials)
	if m, _ := e.json["message"].(string); !strings.Contains(m, "at least 12 characters") {
		t.Errorf("message %q does not say how many", m)
	}
}

// A client's author reads in a refusal which field is wrong, and finds in it nothing else that the client has sent.
// None of it is logged, and the sentence has but the names that the node knows, by which clients tell how old a node
// is.
func TestRefusalsNameTheField(t *testing.T) {
	var logged bytes.Buffer
	d := newDoor(t, func(_ *auth.Config, c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	long := strings.Repeat("x", 33)
	for _, path := range []string{"/v1/login", "/v1/register", "/v1/resume", "/v1/recover/finish"} {
		for body, field := range map[string]string{
			`{"pasword":"hush"}`: "pasword", `{"PASSWORD":"hush"}`: "PASSWORD", `{"` + long[:32] + `":"hush"}`: long[:32],
			`{"` + long + `":"hush"}`: "", `{"7K2M-QX9D-4HPT":"hush"}`: "", `{"<b>":"hush"}`: "", `{"":"hush"}`: "",
			`{"username":["hush"]}`: "username", `{"username":"hush","username":"hush"}`: "username", `{"username":"hush"`: "",
		} {
			if path == "/v1/resume" { // where nobody says who it is
				user := strings.NewReplacer("username", "session_token")
				body, field = user.Replace(body), user.Replace(field)
			}
			e := d.call(t, "POST", path, body, "192.0.2.1", "")
			e.want(t, path+" "+body, 400, rushgate.MissingCredentials)
			if got, _ := e.json["field"].(string); got != field {
				t.Errorf("%s %s: the field is %q, want %q: %s", path, body, got, field, e.body)
			}
			said, _ := e.json["message"].(string)
			if strings.Contains(e.body, "hush") || strings.Contains(e.body, long) || strings.Contains(e.body, "7K2M") ||
				strings.Contains(said, "pasword") || strings.Contains(said, "PASSWORD") {
				t.Errorf("%s %s: the answer repeats what was sent: %s", path, body, e.body)
			}
		}
	}
	if logged.Len() > 0 {
		t.Errorf("the log has %s", &logged)
	}
}

func TestMalformedRequests(t *testing.T) {
	d := newDoor(t, nil)
	tests := []struct{ name, body, message string }{
		{"empty", "", "ends too early"},
		{"not JSON", "username=alice", "not valid JSON"},
		{"cut off", `{"username":"alice`, "not valid JSON"},
		{"array", `["alice"]`, "must be a JSON object"},
		{"null", `null`, "must be a JSON object"},
		{"no password", `{"username":"alice"}`, "Both username and password"},
		{"null password", `{"username":"alice","password":null}`, "Both username and password"},
		{"number", `{"username":"alice","password":1234567}`, "password must be a string"},
		{"unknown field", `{"username":"alice","password":"secret","admin":true}`, "a field other than"},
		{"upper-case field", `{"USERNAME":"alice","password":"secret"}`, "a field other than"},
		{"field twice", `{"username":"alice","username":"bob","password":"secret"}`, "username is there twice"},
		{"object in a field", `{"username":{"a":1},"password":"secret"}`, "username must be a string"},
		{"lone surrogate", `{"username":"alice","password":"secret\ud800"}`, "not allowed"},
		{"two values", creds("alice", "secret") + creds("bob", "secret"), "something after"},
		{"short name", creds("al", "secret"), "3 to 32 characters"},
		{"long name", creds(strings.Repeat("a", 33), "secret"), "3 to 32 characters"},
		{"space in name", creds("al ice", "secret"), "not allowed in a name"},
		{"empty password", creds("alice", ""), "password"},
		{"long password", creds("alice", strings.Repeat("p", 257)), "256 bytes"},
		{"control character", creds("alice", "sec\x00ret"), "not allowed"},
		{"not UTF-8", "{\"username\":\"alice\",\"password\":\"\xff\"}", "not UTF-8"},
		{"odd attempt", `{"username":"alice","password":"secret","attempt_id":"a b"}`, "attempt_id"},
		{"long attempt", `{"username":"alice","password":"secret","attempt_id":"` + strings.Repeat("x", 65) + `"}`,
			"attempt_id"},
		{"large", creds("alice", strings.Repeat("p", MaxBody)), "larger than 4096 bytes"},
		{"deep", strings.Repeat("[", 4000), "must be a JSON object"},
	}
	for _, tt := range tests {
		for _, path := range []string{"/v1/login", "/v1/register"} {
			if path == "/v1/login" && strings.HasSuffix(tt.name, " name") {
				continue // names of imported accounts may break the rules for new ones
			}
			e := d.call(t, "POST", path, tt.body, "192.0.2.1", "")
			e.want(t, tt.name, 400, rushgate.MissingCredentials)
			if m, _ := e.json["message"].(string); !strings.Contains(m, tt.message) {
				t.Errorf("%s: message %q does not say %q", tt.name, m, tt.message)
			}
			if strings.Contains(strings.ReplaceAll(e.body, "line_secret", ""), "secret") || strings.Contains(e.body, "1234567") {
				t.Errorf("%s: the answer repeats the password: %s", tt.name, e.body)
			}
		}
	}
	// In a new password there is no control character at all; old systems have hashed some.
	bell := d.call(t, "POST", "/v1/register", creds("alice", "sec\x07ret"), "192.0.2.1", "")
	bell.want(t, "registration with a control character", 400, rushgate.MissingCredentials)
	if m, _ := bell.json["message"].(string); !strings.Contains(m, "not allowed") {
		t.Errorf("registration with a control character: %q", m)
	}
	// None of them reached the queue, so none of them counts against the address.
	d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "").want(t, "after all that", 201, "")
	for _, limit := range []string{"0", "-1", "101", "x", "1e1", "99999999999999999999"} {
		d.call(t, "GET", "/v1/leaderboards/xp?limit="+limit, "", "", "").
			want(t, "limit "+limit, 400, rushgate.MissingCredentials)
	}
	if e := d.call(t, "GET", "/v1/leaderboards/wealth", "", "", ""); e.status != 404 {
		t.Errorf("unknown leaderboard: %d", e.status)
	}
	for _, header := range []string{"", "Bearer", "Bearer ", "Basic abc", "Bearer no-such-token"} {
		req := httptest.NewRequest("GET", "/v1/me", nil)
		req.Header.Set("Authorization", header)
		if _, err := bearerToken(req); err == nil && header != "Bearer no-such-token" {
			t.Errorf("Authorization %q passes for a token", header)
		}
	}
}

// Clients of many languages write what they do not have as null or as nothing, and some begin with a byte order mark.
func TestNullEmptyAndAbsentAreTheSame(t *testing.T) {
	d := newDoor(t, nil)
	for i, optional := range []string{
		``, `,"attempt_id":null`, `,"attempt_id":""`, `,"takeover":null`, `,"takeover":false`,
		`,"takeover":""`, `,"attempt_id":null,"takeover":null`, `,"attempt_id":"","takeover":""`,
	} {
		name := fmt.Sprintf("player%d", i)
		body := fmt.Sprintf(`{"username":%q,"password":"correct horse"%s}`, name, optional)
		in := d.call(t, "POST", "/v1/register", "\uFEFF"+body, "192.0.2.1", "")
		in.want(t, "register "+optional, 201, "")
		d.call(t, "POST", "/v1/logout", "", "", in.json["session_token"].(string))
		d.call(t, "POST", "/v1/login", body, "192.0.2.1", "").want(t, "login "+optional, 200, "")
	}
}

func TestInternalDetailsStayInTheLog(t *testing.T) {
	d := newDoor(t, nil)
	d.store.fail.Store(true)
	e := d.call(t, "GET", "/v1/leaderboards/xp", "", "", "")
	e.want(t, "a store that fails", 503, rushgate.ServerBusy)
	if strings.Contains(e.body, "secret-xp") {
		t.Errorf("the answer shows the cause: %s", e.body)
	}
	d.pool.Stop()
	d.realm.Stop(t.Context())
	d.Close() // no goroutine writes to the log any more
	if !strings.Contains(d.log.String(), "secret-xp") {
		t.Error("the log does not show the cause")
	}
}

// A page of another origin cannot make its visitors' browsers fail to log in, and so have them locked out.
func TestCrossOriginRequestsDoNotCount(t *testing.T) {
	d := newDoor(t, nil)
	for range 2 * door.FailureLimit {
		body := strings.NewReader(creds("nobody", "wrong"))
		req, err := http.NewRequestWithContext(t.Context(), "POST", d.URL+"/v1/login", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", "192.0.2.1")
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("Origin", "https://elsewhere.example")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %s", resp.Status)
		}
	}
	d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "").want(t, "the visitor", 201, "")
}

// The store's time being up is not the request's.
func TestStoreTimeoutIsAnInternalError(t *testing.T) {
	entrance, err := door.New(door.Config{World: 1, MaxAge: time.Second, Batch: 1, Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{Config: Config{Door: entrance, Logger: slog.New(slog.DiscardHandler)}}
	tests := []struct {
		err  error
		want rushgate.Reason
	}{
		{context.DeadlineExceeded, rushgate.RequestExpired},
		{&rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: context.DeadlineExceeded}, rushgate.ServerBusy},
		{&rushgate.Refusal{Reason: rushgate.InternalError, Cause: context.DeadlineExceeded}, rushgate.InternalError},
		{errors.New("anything else"), rushgate.InternalError},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		h.refuse(w, tt.err)
		if !strings.Contains(w.Body.String(), string(tt.want)) {
			t.Errorf("%v: %s, want %s", tt.err, w.Body, tt.want)
		}
		if busy := tt.want == rushgate.ServerBusy; busy != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After %q", tt.err, w.Header().Get("Retry-After"))
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	entrance, err := door.New(door.Config{World: 1, MaxAge: time.Second, Batch: 1, Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{Config: Config{Door: entrance, Logger: slog.New(slog.DiscardHandler)}}
	w := httptest.NewRecorder()
	buggy := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })
	h.guard(buggy).ServeHTTP(w, httptest.NewRequest("GET", "/v1/me", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "internal-error") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
