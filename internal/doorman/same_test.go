package doorman_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/doorman"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/internal/peer"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/world"
)

// front is a front door over TCP behind which nothing moves: the queue is full, the clock stands still.
type front struct {
	addr    string
	tls     *tls.Config // of its clients; nil for plain HTTP
	door    *door.Door
	doorman *doorman.Doorman // nil: none
	passed  atomic.Int64     // ns since noon
	crowded atomic.Bool      // logins wait
}

// frontConns is how many connections a front may have.
const frontConns = 10_000

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// newFront returns a front whose queue is full, with a doorman before it or without. The pages of origins may use it.
func newFront(t testing.TB, withDoorman bool, origins ...string) *front {
	t.Helper()
	return newFrontOver(t, withDoorman, nil, origins...)
}

// newFrontOver returns a front over TLS, if config is not nil. Its document of the line is made anew whenever it is
// asked for: so two fronts that were told the same have the same.
func newFrontOver(t testing.TB, withDoorman bool, config *tls.Config, origins ...string) *front {
	t.Helper()
	return newFrontOf(t, stance{doorman: withDoorman, tls: config, origins: origins, restless: true})
}

// stance is what fronts differ in.
type stance struct {
	doorman  bool        // before it
	tls      *tls.Config // nil for plain HTTP
	bits     int         // of work that a ticket costs
	origins  []string
	mode     *access.State // of the doors; nil: they are open
	opaque   api.OpaqueMode
	restless bool // documents of the line are made anew whenever they are asked for
}

func newFrontOf(t testing.TB, as stance) *front {
	t.Helper()
	f := &front{}
	proofs := proofs
	if as.opaque == api.OpaqueOff {
		proofs = nil
	}
	if as.tls != nil {
		f.tls = &tls.Config{InsecureSkipVerify: true} // it is a test's own
	}
	store := memory.New(memory.Options{})
	decided := access.New(access.Config{Store: store})
	if as.mode != nil {
		if _, err := decided.SetMode(t.Context(), *as.mode); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	f.door, err = door.New(door.Config{
		Rules: decided.Rules,
		Queue: 1, World: 100, MaxAge: time.Minute, Batch: 1, Pace: 2, ResumePace: 1, BeginPace: 1, Work: as.bits,
		Now:    func() time.Time { return noon.Add(time.Duration(f.passed.Load())) },
		Jitter: func(time.Duration) time.Duration { return 0 },
		Line:   line.Config{Random: rand.NewChaCha8([32]byte{})},
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(rand.NewChaCha8([32]byte{}), noon)
	if err != nil {
		t.Fatal(err)
	}
	f.door.SetKeyring(ring)
	logger := slog.New(slog.DiscardHandler)
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	in := rushgate.Instance{Node: "node", Run: "run"}
	inside, err := realm.New(realm.Config{
		World: world.New(world.Default(), 1), Store: store, Instance: in, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	inside.Start()
	t.Cleanup(func() { inside.Stop(t.Context()) })
	pool, err := auth.NewPool(auth.Config{
		Opaque: proofs,
		Store:  store, Hasher: hasher, HashTime: time.Second, Door: f.door, Instance: in, Enter: inside.Enter, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	proxies := peer.NewProxies(nil, logger)
	documents := &api.LineDocuments{
		Door: f.door, KnockAddrs: func() []string { return []string{"game.example:40000"} },
	}
	if as.restless {
		now := noon
		documents.Now = func() time.Time { now = now.Add(time.Minute); return now }
	}
	handler := api.New(api.Config{
		Opaque: proofs, OpaqueMode: as.opaque,
		Pool: pool, Door: f.door, Lines: documents, Realm: inside, Store: store, Proxies: proxies, Logger: logger,
		Ready: ready.New(func() bool { return false }, store.Ping), Origins: as.origins, Rules: decided.Rules,
	})
	refusals := api.NewRefuser(api.RefuserConfig{
		Origins: as.origins, Opaque: proofs, OpaqueMode: as.opaque, Lines: documents, OverTLS: as.tls != nil,
	})
	later := func() time.Duration { return time.Second }
	srv := api.NewServer(handler, api.ServerConfig{
		MaxConns: frontConns, Later: later, Origins: as.origins, TLS: as.tls.Clone(), Logger: logger,
	})
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // as package server does
	l, err := plain.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	if as.doorman {
		f.doorman, err = doorman.New(l.(*net.TCPListener), doorman.Config{
			Door: f.door, Name: refusals.KnockName, Begin: refusals.BeginName, Finish: refusals.FinishName,
			Page: refusals.Page, Refuse: refusals.AppendRefusal,
			Line: refusals.AppendLine, Idle: time.Minute, Passes: proxies.Trusts, MaxConns: frontConns, TLS: as.tls,
			Share: &doorman.Share{
				Cores: 1, Workers: 1, Usage: func() doorman.Usage { return doorman.Usage{} }, Waiting: f.crowded.Load,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		l = f.doorman
	} else if as.tls != nil {
		l = tls.NewListener(l, as.tls)
	}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-served })
	if as.mode == nil {
		f.fill(t)
	}
	return f
}

// fill takes the queue's only place, and locks one account for the address that tests knock from.
func (f *front) fill(t testing.TB) {
	t.Helper()
	local := netip.MustParseAddr("127.0.0.1")
	for range door.FailureLimit {
		seat, err := f.door.Knock(door.Knock{Addr: local, Name: "locked"})
		if err != nil {
			t.Fatal(err)
		}
		seat.Close(door.Wrong)
	}
	first := netip.MustParseAddr("192.0.2.1")
	if _, err := f.door.Knock(door.Knock{Addr: first, Name: "first"}); err != nil {
		t.Fatal(err)
	}
	for from, begins, ends := first, true, true; begins || ends; from = from.Next() {
		k := door.Knock{Addr: from, Name: from.String(), Want: door.Forget}
		_, err := f.door.Begin(k)
		begins = err == nil
		_, err = f.door.Resume(k)
		ends = err == nil
	}
}

// proofs answers OPAQUE at all fronts, at the noon that they have; begun is the state of a login there, which none of
// their doors knows.
var proofs, begun = func() (*opaque.Server, string) {
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		panic(err)
	}
	s, err := opaque.NewServer(opaque.Config{Keys: keys, Now: func() time.Time { return noon }})
	if err != nil {
		panic(err)
	}
	_, ke1, err := opaqueclient.Login("correct horse")
	if err != nil {
		panic(err)
	}
	_, state, err := s.LoginStart("name", nil, ke1, opaque.PurposeLogin)
	if err != nil {
		panic(err)
	}
	return s, base64.RawURLEncoding.EncodeToString(state)
}()

// sized is a message of OPAQUE of so many bytes, in base64url: the door is asked before anybody looks at it.
func sized(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }

// begin and end are a login's two requests by OPAQUE with more fields, enrol and enrolled those of a registration.
func begin(more string) string {
	return `{"username":"Alice","ke1":"` + sized(opaque.KE1Size) + `"` + more + `}`
}

func end(state, more string) string {
	return `{"username":"Alice","state":"` + state + `","ke3":"` + sized(opaque.KE3Size) + `"` + more + `}`
}

func enrol(more string) string {
	return `{"username":"Alice","request":"` + sized(opaque.RequestSize) + `"` + more + `}`
}

func enrolled(more string) string {
	return `{"username":"Alice","state":"AAAA","upload":"` + sized(opaque.UploadSize) + `"` + more + `}`
}

// date is what two answers to the same bytes may differ in.
var date = regexp.MustCompile(`\r\nDate: [^\r]+\r\n`)

// exchange sends pieces over one connection, says that no more will come, and returns all that is answered.
func (f *front) exchange(t testing.TB, pieces ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second)) // for the day when nothing comes
	if f.tls != nil {
		c = tls.Client(c, f.tls)
	}
	for _, piece := range pieces {
		if _, err := io.WriteString(c, piece); err != nil {
			break // the node has heard enough; what it said is there to read
		}
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	answer, err := io.ReadAll(c) // a connection that is reset has said what it has said
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection does not end; %q was answered with %q", pieces, answer)
	}
	return date.ReplaceAllString(string(answer), "\r\n")
}

func knock(path, body string, header ...string) string {
	h := strings.Join(append([]string{
		"POST " + path + " HTTP/1.1", "Host: game.example:8080", fmt.Sprintf("Content-Length: %d", len(body)),
	}, header...), "\r\n")
	return h + "\r\n\r\n" + body
}

// ask is the question how far the line has come.
func ask(header ...string) string {
	fields := append([]string{"GET /v1/line HTTP/1.1", "Host: game.example:8080"}, header...)
	return strings.Join(fields, "\r\n") + "\r\n\r\n"
}

const (
	alice = `{"username":"Alice","password":"correct horse"}`
	lock  = `{"username":"locked","password":"wrong"}`
	keep  = `{"username":"bob","password":"correct horse","remember":"browser","remember_cookie":true}`
)

// worked is a login with a proof of work.
func worked(work string) string {
	const body = `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","line_work":"%s"}`
	return knock("/v1/login", fmt.Sprintf(body, work))
}

// seeds are requests in usual and unusual forms: those that the doorman knows, and those that it must leave alone.
var seeds = []string{
	knock("/v1/login", alice),
	knock("/v1/login", lock),
	knock("/v1/register", alice),
	knock("/v1/login", alice, "Connection: close"),
	knock("/v1/login", alice, "connection: Keep-Alive", "Accept: */*", "User-Agent: game/1.0"),
	knock("/v1/login", alice, "Connection: close, x-other"),
	knock("/v1/login", ` { "password" : "correct horse" , "username" : "bob" , "takeover" : true, `+
		`"attempt_id":"a-1_B" } `),
	knock("/v1/register", `{"username":"bob","password":"correct horse","takeover":true}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","takeover":tru}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","takeover":trueish}`),
	knock("/v1/login", `{"username":"bob","username":"bob","password":"correct horse"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","more":1}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse"}}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse",}`),
	knock("/v1/login", `{"username":"b\u006fb","password":"correct horse"}`),
	knock("/v1/login", `{"username":"Bób","password":"correct horse"}`),
	knock("/v1/login", `{"username":"b","password":"correct horse"}`),
	knock("/v1/login", `{"username":"two words","password":"x"}`),
	knock("/v1/login", `{"username":"bob","password":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","attempt_id":"not valid"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","attempt_id":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef"}`),
	knock("/v1/register", `{"username":"bob","password":"correct horse","line_secret":"0123456789-_ABCD","ticket":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789-_ABCD","ticket":"none"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789-_ABCD","ticket":"`+
		strings.Repeat("A", line.TextSize)+`"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789-_ABCD","ticket":"`+
		strings.Repeat("A", line.MaxText+1)+`"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"too short","ticket":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"not quite right!"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","ticket":"none"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"","ticket":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":null}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":true}`),
	knock("/v1/login", `{"wait":false,"username":"bob","password":"correct horse"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","remember":"phone"}`),
	knock("/v1/register", `{"username":"bob","password":"correct horse","remember":"","remember_cookie":false}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","remember":"phone","remember_cookie":true}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","remember_cookie":true}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","remember":"","remember_cookie":true}`),
	knock("/v1/login", keep, "Sec-Fetch-Site: same-origin", "Origin: http://game.example:8080"),
	knock("/v1/register", keep, "Sec-Fetch-Site: same-origin", "Origin: https://elsewhere.example"),
	knock("/v1/login", keep, "Sec-Fetch-Site: none"), knock("/v1/login", keep, "Sec-Fetch-Site: cross-site"),
	knock("/v1/login", keep, "Sec-Fetch-Site: same-site", "Origin: http://game.example:8080"),
	knock("/v1/login", keep, "Origin: http://game.example:8080"), knock("/v1/login", keep, "Origin: null"),
	knock("/v1/login", keep, "Origin: https://elsewhere.example"),
	knock("/v1/login", keep, "Sec-Fetch-Site: same-origin", "Cookie: rushgate_resume=x"),
	knock("/v1/login", `{"username":"bob","password":"correct horse","remember":"`+strings.Repeat("x", 65)+`"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","wait":true}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","wait":true,"line_secret":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":null}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":1}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":true,`+
		`"wait":true}`),
	knock("/v1/register", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":true}`),
	knock("/v1/register", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","wait":false}`),
	knock("/v1/register", `{"username":"bob","password":"correct horse","wait":null}`),
	knock("/v1/enter", `{"ticket":"none","line_secret":"0123456789abcdef","proof":"none"}`),
	knock("/v1/enter", `{}`),
	worked("0123456789abcdef"), worked("0123456789ABCDEF"), worked(""), worked("none"), worked("0123456789abcdef0"),
	worked("0123456789abcdeg"),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_work":"0123456789abcdef"}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_work":""}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_work":null}`),
	knock("/v1/login", `{"username":"bob","password":"correct horse","line_secret":"0123456789abcdef","line_work":1}`),
	knock("/v1/login", `{"username":"bob"}`),
	knock("/v1/login", `[]`), knock("/v1/login", ``), knock("/v1/login", `{}`),
	knock("/v1/login", alice, "Content-Length: 47"),
	knock("/v1/login", alice, "Content-Length: 1"),
	knock("/v1/login", alice, "Transfer-Encoding: chunked"),
	knock("/v1/login", alice, "Expect: 100-continue"),
	knock("/v1/login", alice, "Host: other.example"),
	knock("/v1/login", alice, "Origin: https://elsewhere.example"),
	knock("/v1/login", alice, "Sec-Fetch-Site: cross-site"),
	knock("/v1/login", alice, "Sec-Fetch-Site: same-origin", "Origin: https://game.example"),
	knock("/v1/login", alice, "Sec-Fetch-Site: same-origin"), knock("/v1/login", alice, "Sec-Fetch-Site: none"),
	knock("/v1/login", alice, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
	knock("/v1/login", alice, "Sec-Fetch-Site:", "Origin: http://game.example:8080"),
	knock("/v1/login", alice, "Sec-Fetch-Site: cross-site", "Origin: http://game.example:8080"),
	knock("/v1/login", alice, "Origin: http://game.example:8080"),
	knock("/v1/login", alice, "Origin: HTTP://game.example:8080"), knock("/v1/login", alice, "Origin: game.example:8080"),
	knock("/v1/login", alice, "Origin: http://GAME.example:8080"),
	knock("/v1/login", alice, "Origin: http://game.example"),
	knock("/v1/login", alice, "Origin:"), knock("/v1/login", alice, "Origin: null"),
	knock("/v1/login", alice, "Origin: http://game.example:8080", "Origin: http://game.example:8080"),
	"POST /v1/login HTTP/1.1\r\nHost: :80\r\nOrigin: http://:80\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: []\r\nOrigin: http://[]\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://[::1]\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a:80\r\nOrigin: http://a:80\r\nContent-Length: 47\r\n\r\n" + alice,
	knock("/v1/login", alice, "X-Forwarded-For: 198.51.100.1"),
	knock("/v1/login", alice, "Upgrade: websocket", "Connection: upgrade"),
	knock("/v1/login", alice, "A b: c"), knock("/v1/login", alice, ": c"), knock("/v1/login", alice, " folded: c"),
	knock("/v1/login", alice, "X: a\x00b"), knock("/v1/login", alice, "X: \xff"), knock("/v1/login", alice, "X: a\tb"),
	"POST /v1/login HTTP/1.1\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.0\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\nHost: a\nContent-Length: 47\n\n" + alice,
	"POST  /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login?x HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1//login HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice,
	"post /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a/b\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: \r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost : a\r\nContent-Length: 47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: +47\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0047\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 48\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 46\r\n\r\n" + alice,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n" + alice,
	"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/login HTTP/1.1\r\nHost: a\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01", "", "\r\n", "POST",
	knock("/v1/login", alice) + knock("/v1/login", lock),
	knock("/v1/login", alice) + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
	knock("/v1/login", alice, "Connection: close") + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
	knock("/v1/login", alice) + "\r\n",
	knock("/v1/login", strings.Repeat(" ", 4000)+alice), knock("/v1/login", strings.Repeat(" ", 5000)+alice),
	knock("/v1/login", alice, "X: "+strings.Repeat("a", 9000)),
	ask(), ask("Connection: close"), ask("connection: Keep-Alive", "Accept: */*", "User-Agent: game/1.0"),
	ask("Connection: close, x-other"), ask("Connection: upgrade", "Upgrade: websocket"),
	ask("If-None-Match: *"), ask("If-Modified-Since: Sun, 01 Nov 2026 12:00:00 GMT"), ask("Range: bytes=0-3"),
	ask("Accept: text/html"), ask("Accept-Encoding: gzip"), ask("Cache-Control: no-cache"), ask("Authorization: Bearer x"),
	ask("Origin: http://game.example:8080"), ask("Origin: https://elsewhere.example"), ask("Origin: null"), ask("Origin:"),
	ask("Origin: http://game.example:8080", "Origin: http://game.example:8080"),
	ask("Sec-Fetch-Site: same-origin"), ask("Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.example"),
	ask("Sec-Fetch-Site: none"), ask("Sec-Fetch-Site: same-origin", "Origin: https://elsewhere.example"),
	ask("Content-Length: 0"), ask("Content-Length: 1"), ask("Content-Length: 2") + "{}", ask("Transfer-Encoding: chunked"),
	ask("Host: other.example"), ask("Expect: 100-continue"), ask("X-Forwarded-For: 198.51.100.1"), ask("X: \xff"),
	ask(" folded: c"), ask("X: " + strings.Repeat("a", 9000)),
	"GET /v1/line HTTP/1.1\r\n\r\n", "GET /v1/line HTTP/1.1\r\nHost:\r\n\r\n",
	"GET /v1/line HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET /v1/line HTTP/1.1\nHost: a\n\n", "GET /v1/line HTTP/1.0\r\nHost: a\r\n\r\n",
	"GET /v1/line HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /v1/line\r\n\r\n",
	"HEAD /v1/line HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS /v1/line HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /v1/line HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "get /v1/line HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line? HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/line?t=1 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line?line=world HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/line?line=door HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line?line= HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/line?line=x HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line?line=world&line=door HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1//line HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a/v1/line HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/line#x HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/line HTTP/1.1 \r\nHost: a\r\n\r\n", "\r\n" + ask(),
	ask() + ask(), ask() + ask() + ask("Connection: close") + ask(), ask("Connection: close") + ask(),
	ask() + knock("/v1/login", alice), knock("/v1/login", alice) + ask(), ask() + "\r\n", ask() + "GET /v1/li",
	ask() + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + ask(),
	knock("/v1/opaque/login/start", begin("")), knock("/v1/opaque/register/start", enrol("")),
	knock("/v1/opaque/login/start", begin(`,"device_id":"a-1"`), "Connection: close"),
	knock("/v1/opaque/login/start", begin(`,"device_id":"not valid"`)),
	knock("/v1/opaque/login/start", begin(`,"takeover":true`)), knock("/v1/opaque/login/start", begin(`,"password":"x"`)),
	knock("/v1/opaque/login/start", enrol("")), knock("/v1/opaque/register/start", begin("")),
	knock("/v1/opaque/login/start", `{"username":"locked","ke1":"`+sized(opaque.KE1Size)+`"}`),
	knock("/v1/opaque/login/start", `{"username":"bob","ke1":"`+sized(opaque.KE1Size-1)+`"}`),
	knock("/v1/opaque/login/start", `{"username":"bob","ke1":"`+sized(opaque.KE1Size)+`="}`),
	knock("/v1/opaque/login/start", `{"username":"bob","ke1":"`+strings.Repeat("+", len(sized(opaque.KE1Size)))+`"}`),
	knock("/v1/opaque/login/start", `{"username":"bob","ke1":""}`), knock("/v1/opaque/login/start", `{"username":"bob"}`),
	knock("/v1/opaque/login/start", `{"username":"two words","ke1":"`+sized(opaque.KE1Size)+`"}`),
	knock("/v1/opaque/login/start", alice), knock("/v1/login", begin("")),
	knock("/v1/opaque/login/start", begin(""), "Authorization: Bearer x"),
	knock("/v1/opaque/register/start", enrol(""), "Authorization: Bearer x"),
	knock("/v1/opaque/register/start", enrol(""), "authorization:"),
	knock("/v1/opaque/register/start", enrol(`,"recover":true`)),
	knock("/v1/opaque/register/start", enrol(`,"recover":1`)),
	knock("/v1/opaque/register/start", `{"request":"`+sized(opaque.RequestSize)+`"}`),
	knock("/v1/opaque/login/finish", end(begun, "")), knock("/v1/opaque/register/finish", enrolled("")),
	knock("/v1/opaque/login/finish", end("AAAA", "")), knock("/v1/opaque/login/finish", end("", "")),
	knock("/v1/opaque/login/finish", end(begun[:len(begun)-1], "")), knock("/v1/opaque/login/finish", end(begun+"A", "")),
	knock("/v1/opaque/login/finish", end(begun, `,"attempt_id":"a","takeover":true,"wait":true,`+
		`"line_secret":"0123456789abcdef","remember":"phone"`)),
	knock("/v1/opaque/login/finish", end(begun, `,"code":"123456"`)),
	knock("/v1/opaque/login/finish", end(begun, `,"password":"x"`)), knock("/v1/opaque/login/finish", enrolled("")),
	knock("/v1/opaque/register/finish", enrolled(`,"takeover":true`)), knock("/v1/opaque/register/finish", end(begun, "")),
	knock("/v1/opaque/register/finish", enrolled(""), "Authorization: Bearer x"),
	knock("/v1/opaque/login/finish", end(begun, `,"remember":"browser","remember_cookie":true`)),
	knock("/v1/opaque-login", end(begun, `,"remember":"browser","remember_cookie":true`)),
	knock("/v1/opaque-login", end(begun, `,"remember":"browser","remember_cookie":true`),
		"Origin: https://elsewhere.example"),
	knock("/v1/opaque-register", enrolled(`,"remember":"browser","remember_cookie":true`)),
	knock("/v1/opaque-login/start", begin("")), knock("/v1/opaque/login", begin("")),
	knock("/v1/opaque/confirm/start", begin(""), "Authorization: Bearer x"),
}

// A client hears the same from the doorman and from the server behind, whatever it sends, in one piece or in two: the
// bytes, all headers, and the end of the connection.
func FuzzSameAnswers(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, 0)
		f.Add(seed, len(seed)/2)
	}
	with, without := newFront(f, true), newFront(f, false)
	f.Fuzz(func(t *testing.T, request string, cut int) {
		pieces := []string{request}
		if cut > 0 && cut < len(request) {
			pieces = []string{request[:cut], request[cut:]}
		}
		if got, want := with.exchange(t, pieces...), without.exchange(t, pieces...); got != want {
			t.Errorf("to %q in %d pieces the doorman says\n%s\nand the server behind\n%s", request, len(pieces), got, want)
		}
	})
}

// The same holds for a node that pages of other origins may use.
func TestSameAnswersWithOrigins(t *testing.T) {
	pages := []string{"https://game.example", "http://a", "null"}
	with, without := newFront(t, true, pages...), newFront(t, false, pages...)
	for _, request := range append(slices.Clone(seeds),
		knock("/v1/login", alice, "Origin: https://game.example"),
		knock("/v1/login", lock, "Origin: https://game.example", "Sec-Fetch-Site: cross-site"),
		knock("/v1/register", alice, "Origin: https://GAME.example"),
		knock("/v1/login", alice, "Origin: https://game.example:443"),
		knock("/v1/login", alice, "Origin: https://evil.example"),
		ask("Origin: https://game.example"), ask("Origin: https://game.example", "Sec-Fetch-Site: cross-site"),
		ask("Origin: https://game.example", "Connection: close"), ask("Origin: https://GAME.example"),
		ask("Origin: https://game.example:443"), ask("Origin: https://evil.example"),
	) {
		if got, want := with.exchange(t, request), without.exchange(t, request); got != want {
			t.Errorf("to %q the doorman says\n%s\nand the server behind\n%s", request, got, want)
		}
	}
	before := with.doorman.Stats().Refused
	with.exchange(t, knock("/v1/login", alice, "Origin: https://game.example", "Sec-Fetch-Site: cross-site"))
	with.exchange(t, knock("/v1/login", alice, "Origin: http://game.example:8080", "Sec-Fetch-Site: same-origin"))
	// As the node's own page logs a player in for good.
	with.exchange(t, knock("/v1/login", keep, "Origin: http://game.example:8080", "Sec-Fetch-Site: same-origin"))
	if n := with.doorman.Stats().Refused - before; n != 3 {
		t.Errorf("the doorman has answered %d of 3 knocks from pages", n)
	}
	told := with.doorman.Stats().Told
	with.exchange(t, ask("Origin: https://game.example", "Sec-Fetch-Site: cross-site"))
	with.exchange(t, ask("Sec-Fetch-Site: same-origin"))
	if n := with.doorman.Stats().Told - told; n != 2 {
		t.Errorf("the doorman has told %d of 2 pages how far the line has come", n)
	}
}

// The same holds where a ticket costs work, for each of which the doorman and the server behind judge alike.
func TestSameAnswersWhereATicketCostsWork(t *testing.T) {
	const bits = 8
	with := newFrontOf(t, stance{doorman: true, bits: bits, restless: true})
	without := newFrontOf(t, stance{bits: bits, restless: true})
	asked := with.door.Work()
	h := line.HolderOf([]byte("0123456789abcdef"))
	nonce, ok := line.FindWork(asked.Salt, h, bits, 0, 1<<20)
	if !ok {
		t.Fatal("no proof was found")
	}
	if asked != without.door.Work() {
		t.Fatal("the two ask for different work")
	}
	for _, request := range append(slices.Clone(seeds), worked(nonce.String()), worked(nonce.String())) {
		if got, want := with.exchange(t, request), without.exchange(t, request); got != want {
			t.Errorf("to %q the doorman says\n%s\nand the server behind\n%s", request, got, want)
		}
	}
	before := with.doorman.Stats().Refused
	for what, want := range map[string]string{
		worked(""): `"work_bits":8,"work_salt":"`, knock("/v1/login", alice): "busy",
	} {
		if got := with.exchange(t, what); !strings.Contains(got, want) || strings.Contains(got, `"place"`) {
			t.Errorf("to %q the doorman says\n%s", what, got)
		}
	}
	if n := with.doorman.Stats().Refused - before; n != 2 {
		t.Errorf("the doorman has answered %d of 2 knocks", n)
	}
	again, _ := line.FindWork(asked.Salt, h, bits, 1<<40, 1<<20)
	if got := with.exchange(t, worked(again.String())); !strings.Contains(got, `"ticket":"`) {
		t.Errorf("to a good proof the doorman says\n%s", got)
	}
}

// The same holds at doors that are closed, or open to some.
func TestSameAnswersAtClosedDoors(t *testing.T) {
	for _, mode := range []access.State{
		{Mode: rushgate.ModeClosed}, {Mode: rushgate.ModeStaff, OpensAt: noon.Add(time.Hour)},
		{Mode: rushgate.ModeClosed, Message: `<b>&"Später"\`, OpensAt: noon.Add(time.Hour + time.Millisecond)},
		{Mode: rushgate.ModeAllowlist, Message: "Friends only"},
	} {
		with := newFrontOf(t, stance{doorman: true, restless: true, mode: &mode})
		without := newFrontOf(t, stance{restless: true, mode: &mode})
		for _, request := range seeds {
			if got, want := with.exchange(t, request), without.exchange(t, request); got != want {
				t.Errorf("%s: to %q the doorman says\n%s\nand the server behind\n%s", mode.Mode, request, got, want)
			}
		}
		got := with.exchange(t, knock("/v1/login", alice))
		if !strings.Contains(got, `"mode":"`+string(mode.Mode)+`"`) || with.doorman.Stats().Refused == 0 {
			t.Errorf("to a login at %s doors the doorman says\n%s", mode.Mode, got)
		}
	}
}

// The same holds over TLS, where connections are kept after a refusal.
func TestSameAnswersOverTLS(t *testing.T) {
	config := certified(t)
	with, without := newFrontOver(t, true, config), newFrontOver(t, false, config.Clone())
	for _, request := range append(slices.Clone(seeds),
		knock("/v1/login", alice, "Origin: https://game.example:8080"),
		knock("/v1/login", alice, "Origin: https://game.example"),
		knock("/v1/login", lock, "Connection: keep-alive"), ask("Origin: https://game.example:8080"),
	) {
		for _, pieces := range [][]string{{request}, {request[:len(request)/2], request[len(request)/2:]}} {
			if got, want := with.exchange(t, pieces...), without.exchange(t, pieces...); got != want {
				t.Errorf("to %q the doorman says\n%s\nand the server behind\n%s", pieces, got, want)
			}
		}
	}
	if s := with.doorman.Stats(); s.Refused == 0 || s.Told == 0 {
		t.Errorf("the doorman has refused no knock itself, or not told of the line: %+v", s)
	}
}

// Over a connection of TLS that the doorman has answered on, more requests are answered by the server behind, which
// knows that it is one of TLS, and clients may come back over it.
func TestConnectionOfTLSIsKept(t *testing.T) {
	f := newFrontOver(t, true, certified(t))
	transport := &http.Transport{TLSClientConfig: f.tls.Clone()}
	defer transport.CloseIdleConnections()
	for i, path := range []string{"/v1/login", "/v1/login", "/v1/register", "/healthz"} {
		body := alice
		method := http.MethodPost
		if path == "/healthz" {
			method, body = http.MethodGet, ""
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+f.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if want := map[bool]int{true: 200, false: 503}[path == "/healthz"]; resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
	if s := f.doorman.Stats(); s.Accepted != 1 || s.Refused != 1 || s.Handed != 1 {
		t.Errorf("four requests over one connection: %+v", s)
	}
}

// certified returns a server's TLS with a test's certificate.
func certified(t *testing.T) *tls.Config {
	keys := httptest.NewUnstartedServer(nil)
	keys.StartTLS()
	t.Cleanup(keys.Close)
	return &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
}

// What the doorman does not answer itself, it hands over with every byte that it has read: requests that come one after
// the other over one connection are each answered once, in order, and a body never becomes a request. A refused login
// is the last of its connection.
func TestHandOver(t *testing.T) {
	const health = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
	inside := fmt.Sprintf(`{"username":"bob","password":"%s"}`, strings.Repeat("GET /healthz HTTP/1.1 ", 4))
	half := knock("/v1/login", alice)
	for name, c := range map[string]struct {
		pieces []string
		want   []int
		handed int64
	}{
		"a knock":                         {[]string{half}, []int{503}, 0},
		"a knock in two pieces":           {[]string{half[:40], half[40:]}, []int{503}, 1},
		"a body in a piece of its own":    {[]string{half[:len(half)-len(alice)], alice}, []int{503}, 1},
		"another request":                 {[]string{health}, []int{200}, 1},
		"a knock after another request":   {[]string{health, half}, []int{200, 503}, 1},
		"both in one piece":               {[]string{health + half}, []int{200, 503}, 1},
		"more after a knock":              {[]string{half + health}, []int{503}, 1},
		"a knock and half of the next":    {[]string{half + health[:9], health[9:]}, []int{503}, 1},
		"a body that looks like requests": {[]string{knock("/v1/login", inside)}, []int{503}, 0},
		"a body longer than it says": {
			[]string{"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n" + alice + health}, []int{503}, 1,
		},
		"a body shorter than it says": {
			[]string{"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n" + alice, health},
			[]int{400}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, true)
			answers := bufio.NewReader(strings.NewReader(f.exchange(t, c.pieces...)))
			var got []int
			for {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					break
				}
				_, err = io.Copy(io.Discard, resp.Body)
				if resp.Body.Close(); err != nil {
					t.Error(err)
				}
				got = append(got, resp.StatusCode)
			}
			if !slices.Equal(got, c.want) || answers.Buffered() > 0 {
				t.Errorf("answers %v, want %v, and %d bytes more", got, c.want, answers.Buffered())
			}
			onePiece := len(c.pieces) == 1 // of several the doorman may find more than one at once
			if s := f.doorman.Stats(); onePiece && s.Handed != c.handed || s.Open != 0 {
				t.Errorf("%+v, want %d handed over", s, c.handed)
			}
		})
	}
}

// The doorman answers the forms of a login that clients send.
func TestClientsAreAnsweredByTheDoorman(t *testing.T) {
	f := newFront(t, true)
	for i, seed := range seeds[:7] {
		f.exchange(t, seed)
		if s := f.doorman.Stats(); s.Refused != int64(i+1) && i != 5 && i != 6 {
			t.Errorf("%q was handed over", seed)
		}
	}
	resp, err := http.Post("http://"+f.addr+"/v1/login", "application/json", bytes.NewBufferString(alice))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if s := f.doorman.Stats(); s.Refused != 7 {
		t.Errorf("net/http's client was not answered by the doorman: %+v", s)
	}
}

// The doorman answers what strangers send that has to be worked for, and leaves all other routes to the server behind.
func TestRoutesOfTheDoorman(t *testing.T) {
	f := newFront(t, true)
	for _, c := range []struct {
		request string
		own     bool
	}{
		{knock("/v1/login", alice), true}, {knock("/v1/register", alice), true},
		{knock("/v1/opaque/login/start", begin("")), true}, {knock("/v1/opaque/register/start", enrol("")), true},
		{knock("/v1/opaque/register/start", enrol(`,"recover":true`)), true},
		{knock("/v1/opaque/login/finish", end(begun, "")), true},
		{knock("/v1/opaque/register/finish", enrolled("")), true},
		{knock("/v1/opaque-login", end(begun, `,"remember":"browser","remember_cookie":true`)), true},
		{knock("/v1/opaque-register", enrolled("")), true},
		{knock("/v1/opaque/login/finish", end("AAAA", "")), false}, // which is of no server
		{knock("/v1/opaque/login/start", `{"username":"bob","ke1":"AAAA"}`), false},
		{knock("/v1/opaque/register/finish", enrolled(""), "Authorization: Bearer x"), false},
		{knock("/v1/opaque/confirm/start", `{"ke1":"AAAA"}`), false},
		{knock("/v1/resume", `{"resume_token":"x"}`), false}, {knock("/v1/continue", `{}`), false},
		{knock("/v1/recover", `{}`), false}, {knock("/v1/recover/finish", `{}`), false},
		{knock("/v1/account/password", `{}`), false}, {knock("/v1/passkey/login/start", `{}`), false},
	} {
		before := f.doorman.Stats()
		answer := f.exchange(t, c.request)
		after := f.doorman.Stats()
		if own := after.Refused > before.Refused; own != c.own || after.Handed > before.Handed == c.own {
			t.Errorf("%q is answered by the doorman: %t, want %t:\n%s", c.request, own, c.own, answer)
		}
		if c.own && (!strings.Contains(answer, "503 ") || !strings.Contains(answer, "\r\nRetry-After: ") ||
			!strings.Contains(answer, `"retry_after_ms":`)) {
			t.Errorf("%q hears no time to come back:\n%s", c.request, answer)
		}
	}
}

// Where no password is taken, or nothing by OPAQUE, no client is told to come back with one.
func TestSameAnswersByModeOfOpaque(t *testing.T) {
	for _, mode := range []api.OpaqueMode{api.OpaqueOff, api.OpaqueOnly} {
		with := newFrontOf(t, stance{doorman: true, restless: true, opaque: mode})
		without := newFrontOf(t, stance{restless: true, opaque: mode})
		for _, request := range seeds {
			if got, want := with.exchange(t, request), without.exchange(t, request); got != want {
				t.Errorf("%s: to %q the doorman says\n%s\nand the server behind\n%s", mode, request, got, want)
			}
		}
	}
}

// A client that waits is told by the doorman how far the line has come, over one connection, and logs in over that.
func TestAskersAreToldByTheDoorman(t *testing.T) {
	f := newFront(t, true)
	var transport http.Transport
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: &transport, Timeout: 20 * time.Second}
	for range 3 {
		resp, err := client.Get("http://" + f.addr + "/v1/line")
		if err != nil {
			t.Fatal(err)
		}
		var doc line.Document
		err = json.NewDecoder(resp.Body).Decode(&doc)
		if _, rest := io.Copy(io.Discard, resp.Body); err != nil || rest != nil {
			t.Fatal(err, rest)
		}
		resp.Body.Close()
		if doc.Now != noon.UnixMilli() || resp.StatusCode != http.StatusOK {
			t.Errorf("%d: %+v", resp.StatusCode, doc)
		}
	}
	resp, err := client.Post("http://"+f.addr+"/v1/login", "application/json", strings.NewReader(alice))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if s := f.doorman.Stats(); s.Told != 3 || s.Refused != 1 || s.Accepted != 1 || s.Handed != 0 {
		t.Errorf("%+v", s)
	}
}
