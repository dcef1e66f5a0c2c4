package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// opaqueNode is a node, and what its clients send it.
type opaqueNode struct {
	*server.Server
	store rushgate.Store

	mu     sync.Mutex
	asked  []string // paths
	bodies strings.Builder
	// change, if set, has an answer be another one, or none.
	change func(*http.Request, *http.Response) (*http.Response, error)
}

func startOpaque(t *testing.T, mode server.OpaqueMode, change func(*server.Config)) *opaqueNode {
	t.Helper()
	n := &opaqueNode{store: memory.New(memory.Options{})}
	cfg := server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", DataDir: t.TempDir(), Store: n.store,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler), Opaque: mode,
		OriginFailures: server.Unbounded,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if n.Server, err = server.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop() })
	return n
}

// RoundTrip notes what is sent.
func (n *opaqueNode) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	n.mu.Lock()
	n.asked = append(n.asked, r.URL.Path)
	n.bodies.Write(body)
	change := n.change
	n.mu.Unlock()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if change != nil && err == nil {
		return change(r, resp)
	}
	return resp, err
}

// sent returns which paths were asked for since it was called last, and whether any body had the text.
func (n *opaqueNode) sent(text string) (asked []string, there bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked, there = n.asked, strings.Contains(n.bodies.String(), text)
	n.asked = nil
	n.bodies.Reset()
	return asked, there
}

// client returns a client whose proofs cost next to nothing.
func (n *opaqueNode) client(t *testing.T, o Options) *Client {
	t.Helper()
	o.Transport = n
	c, err := New("http://"+n.HTTPAddr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.proofs.Cost = opaqueclient.Cost{Passes: 1, Memory: 8, Lanes: 1}
	return c
}

// in logs in, and fails the test if that fails.
func in(t *testing.T, s *Session, err error) *Session {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func out(t *testing.T, s *Session) {
	t.Helper()
	if err := s.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantReason(t *testing.T, what string, err error, want rushgate.Reason) {
	t.Helper()
	if rushgate.ReasonOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// Whatever takes the password of an account is proved without sending it.
func TestOpaqueOnlySendsNoPassword(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	var code string
	o := Options{Opaque: OpaqueOnly, Remember: "phone", Code: func(context.Context) (string, error) { return code, nil }}
	c := n.client(t, o)
	s, err := c.Register(ctx, "Ada", "correct horse")
	s = in(t, s, err)
	if !s.ByOpaque() {
		t.Error("a session by OPAQUE that does not know it")
	}
	_, err = c.Register(ctx, "ada", "correct horse")
	wantReason(t, "a name that is taken", err, rushgate.UsernameTaken)
	_, err = c.Register(ctx, "bob", "password")
	wantReason(t, "a password that all guess", err, rushgate.MissingCredentials)
	wantReason(t, "the same for another one", s.ChangePassword(ctx, "correct horse", "short"), rushgate.MissingCredentials)

	wantReason(t, "wrong", s.ChangePassword(ctx, "wrong horse", "better horse"), rushgate.BadCredentials)
	if err := s.ChangePassword(ctx, "correct horse", "better horse"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Me(ctx); err != nil {
		t.Errorf("the session after the change: %v", err)
	}
	wantReason(t, "wrong", s.Rename(ctx, "lovelace", "correct horse"), rushgate.BadCredentials)
	if err := s.Rename(ctx, "lovelace", "better horse"); err != nil {
		t.Fatal(err)
	}
	out(t, s)
	_, err = c.Login(ctx, "lovelace", "correct horse")
	wantReason(t, "the old password", err, rushgate.BadCredentials)
	s, err = c.Login(ctx, "Lovelace", "better horse")
	if at, err := in(t, s, err).DeleteAccount(ctx, "better horse"); err != nil || at.IsZero() {
		t.Error(err, at)
	}

	s, err = c.Register(ctx, "bob", "better horse") // one account can make so many calls only
	s = in(t, s, err)
	app, err := s.SetUpSecondFactor(ctx, "better horse")
	if err != nil {
		t.Fatal(err)
	}
	if code, err = totp.GenerateCode(app.Secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	codes, err := s.ConfirmSecondFactor(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	out(t, s)
	code = codes[0]
	s, err = c.Login(ctx, "bob", "better horse")
	s = in(t, s, err)
	wantReason(t, "a wrong code", s.SetAsk(ctx, "better horse", "000000", AskNewDevices), rushgate.SecondFactor)
	if err := s.SetAsk(ctx, "better horse", codes[1], AskNewDevices); err != nil {
		t.Error(err)
	}
	code = codes[2]
	if err := s.ChangePassword(ctx, "better horse", "third horse"); err != nil {
		t.Error(err)
	}
	if asked, there := n.sent("horse"); there {
		t.Errorf("a password was sent to one of %q", asked)
	}
}

// An account that has a password moves over when its player logs in, and its password is never sent again.
func TestMovesOverToOpaque(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	old := n.client(t, Options{MaxRetries: -1})
	s, err := old.Register(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	if s.ByOpaque() {
		t.Error("a session by a password that says it is by OPAQUE")
	}
	only := n.client(t, Options{Opaque: OpaqueOnly, MaxRetries: -1})
	n.sent("")
	_, err = only.Login(ctx, "ada", "correct horse")
	wantReason(t, "OPAQUE only", err, rushgate.BadCredentials)
	if _, there := n.sent("horse"); there {
		t.Error("a client of OPAQUE only has sent the password")
	}

	var answers []Answer
	note := func(a Answer) { answers = append(answers, a) }
	c := n.client(t, Options{Opaque: OpaquePrefer, MaxRetries: -1, OnAnswer: note})
	s, err = c.Login(ctx, "ada", "correct horse")
	s = in(t, s, err)
	if _, there := n.sent("horse"); !there || !s.ByOpaque() {
		t.Errorf("moved over: %v, by the password: %v", s.ByOpaque(), there)
	}
	if len(answers) != 2 || answers[0].Reason != rushgate.BadCredentials || answers[0].Computed <= 0 ||
		answers[1].Reason != "" {
		t.Errorf("answers %+v", answers)
	}
	if _, err := s.Me(ctx); err != nil {
		t.Error(err)
	}
	out(t, s)
	_, err = old.Login(ctx, "ada", "correct horse")
	wantReason(t, "by password", err, rushgate.BadCredentials)
	n.sent("")
	_, err = c.Login(ctx, "ADA", "wrong horse")
	wantReason(t, "a wrong password", err, rushgate.BadCredentials)
	s, err = c.Login(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	if asked, there := n.sent("horse"); there {
		t.Errorf("an account that has moved over, and a password sent to one of %q", asked)
	}
	s, err = only.Login(ctx, "ada", "correct horse")
	in(t, s, err)
}

// A password that is lost is replaced by a registration.
func TestRecoversByOpaque(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	s, err := n.client(t, Options{}).Register(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	code, _, err := account.New(n.store).RecoveryCode(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	c := n.client(t, Options{Opaque: OpaqueOnly})
	n.sent("")
	refused := func(what, code string) {
		t.Helper()
		err := c.FinishRecovery(ctx, "ada", code, "better horse")
		wantReason(t, what, err, rushgate.BadCredentials)
		if err == nil || !strings.HasSuffix(err.Error(), "Check it, or ask for a new one.") {
			t.Errorf("%s: %v does not say what to do", what, err)
		}
	}
	refused("a wrong code", "7K2M-QX9D-4HPT")
	if err := c.FinishRecovery(ctx, "ada", code, "better horse"); err != nil {
		t.Fatal(err)
	}
	refused("a used one", code)
	s, err = c.Login(ctx, "ada", "better horse")
	in(t, s, err)
	if asked, there := n.sent("horse"); there {
		t.Errorf("a password was sent to one of %q", asked)
	}
}

// A server without OPAQUE is sent the password by those who may, and by no others.
func TestServerWithoutOpaque(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaqueOff, nil), t.Context()
	only := n.client(t, Options{Opaque: OpaqueOnly})
	for what, call := range map[string]func() error{
		"register": func() error { _, err := only.Register(ctx, "ada", "correct horse"); return err },
		"login":    func() error { _, err := only.Login(ctx, "ada", "correct horse"); return err },
		"takeover": func() error { _, err := only.Takeover(ctx, "ada", "correct horse"); return err },
		"recover":  func() error { return only.FinishRecovery(ctx, "ada", "7K2M-QX9D-4HPT", "correct horse") },
	} {
		if err := call(); !errors.Is(err, ErrNoOpaque) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, there := n.sent("horse"); there {
		t.Error("a password was sent")
	}
	prefer := n.client(t, Options{Opaque: OpaquePrefer})
	s, err := prefer.Register(ctx, "ada", "correct horse")
	s = in(t, s, err)
	if err := s.ChangePassword(ctx, "correct horse", "better horse"); err != nil {
		t.Error(err)
	}
	out(t, s)
	s, err = prefer.Login(ctx, "ada", "better horse")
	if in(t, s, err).ByOpaque() {
		t.Error("there is no OPAQUE, and a session says it is by that")
	}
	status, err := prefer.Status(ctx)
	if err != nil || status.Opaque != OpaqueOff {
		t.Errorf("status %+v, %v", status, err)
	}
}

// A server that says it knows no OPAQUE gets no password of an account that has been proved by it: not a new one in
// place of a lost one, and not by a name that the account was given since.
func TestKeepsToOpaqueForAccountsThatHaveMoved(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	c := n.client(t, Options{Opaque: OpaquePrefer, BackoffBase: time.Millisecond, BackoffCap: time.Millisecond})
	s, err := c.Register(ctx, "ada", "correct horse")
	s = in(t, s, err)
	lost := func(resp *http.Response) (*http.Response, error) {
		resp.Body.Close()
		return nil, errors.New("the connection broke")
	}
	n.once("/v1/account/name", lost)
	if err := s.Rename(ctx, "ida", "correct horse"); !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	if !c.hasMoved("ada") || !c.hasMoved("ida") {
		t.Error("it is not known which of the names holds, and one of them is not held to OPAQUE")
	}
	s, err = c.Takeover(ctx, "ida", "correct horse")
	err = in(t, s, err).Rename(ctx, "eda", "correct horse") // too soon
	wantReason(t, "a name that is refused", err, rushgate.MissingCredentials)
	if c.hasMoved("eda") {
		t.Error("a name that was refused is noted")
	}
	n.sent("")
	n.mu.Lock()
	n.change = func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/v1/opaque/") {
			return instead(resp, http.StatusNotFound, `{"reason":"missing-credentials"}`), nil
		}
		return resp, nil
	}
	n.mu.Unlock()
	if _, err := c.Login(ctx, "ida", "correct horse"); !errors.Is(err, ErrNoOpaque) {
		t.Errorf("login under the new name: %v", err)
	}
	if err := c.FinishRecovery(ctx, "Ida", "7K2M-QX9D-4HPT", "another horse"); !errors.Is(err, ErrNoOpaque) {
		t.Errorf("recovery: %v", err)
	}
	if asked, there := n.sent("horse"); there {
		t.Errorf("a password was sent to one of %q", asked)
	}
}

// A session that goes on after an OPAQUE client has come back by a token proves what it changes by OPAQUE, too; one of
// an account with a password shows that.
func TestSessionFindsOutHowToProve(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	var kept Resume
	keeps := func(r Resume) { kept = r }
	c := n.client(t, Options{Opaque: OpaqueOnly, Remember: "phone", OnResume: keeps})
	s, err := c.Register(ctx, "ada", "correct horse")
	if err := in(t, s, err).Leave(ctx); err != nil {
		t.Fatal(err)
	}
	c = n.client(t, Options{Opaque: OpaquePrefer, Remember: "phone", Resume: kept, OnResume: keeps})
	s, err = c.Resume(ctx)
	s = in(t, s, err)
	n.sent("")
	if err := s.ChangePassword(ctx, "correct horse", "better horse"); err != nil || !s.ByOpaque() {
		t.Error(err, s.ByOpaque())
	}
	if _, there := n.sent("horse"); there {
		t.Error("a password was sent")
	}
	out(t, s)

	old, err := n.client(t, Options{Remember: "phone", OnResume: keeps}).Register(ctx, "bob", "bobs horse")
	if err := in(t, old, err).Leave(ctx); err != nil {
		t.Fatal(err)
	}
	s, err = n.client(t, Options{Opaque: OpaquePrefer, Resume: kept}).Resume(ctx)
	if err := in(t, s, err).ChangePassword(ctx, "bobs horse", "better horse"); err != nil {
		t.Errorf("an account with a password: %v", err)
	}
}

// instead is an answer with another body and status.
func instead(resp *http.Response, status int, body string) *http.Response {
	resp.Body.Close()
	resp.StatusCode, resp.Body = status, io.NopCloser(strings.NewReader(body))
	return resp
}

// once changes the first answer of a path.
func (n *opaqueNode) once(path string, change func(*http.Response) (*http.Response, error)) {
	done := false
	n.change = func(r *http.Request, resp *http.Response) (*http.Response, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if done || r.URL.Path != path {
			return resp, nil
		}
		done = true
		return change(resp)
	}
}

// What gets lost on the way, or comes from a server that is busy, is tried again: what was begun is finished where it
// can be, and the session of an answer that was lost is the one that the next try finds.
func TestOpaqueTriesAgain(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaqueOnly, nil), t.Context()
	c := n.client(t, Options{Opaque: OpaqueOnly, BackoffBase: time.Millisecond, BackoffCap: time.Millisecond})
	lost := func(resp *http.Response) (*http.Response, error) {
		resp.Body.Close()
		return nil, errors.New("the connection broke")
	}
	busy := func(resp *http.Response) (*http.Response, error) {
		return instead(resp, 503, `{"reason":"server-busy","retry_after_ms":1}`), nil
	}
	stale := func(resp *http.Response) (*http.Response, error) {
		return instead(resp, 409, `{"reason":"missing-credentials"}`), nil
	}
	begin, finish := opaqueLoginPath+"start", opaqueLoginPath+"finish"
	n.once(opaqueRegisterPath+"finish", lost)
	s, err := c.Register(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	n.sent("")
	for _, test := range []struct {
		name, path string
		change     func(*http.Response) (*http.Response, error)
		want       []string
	}{
		{"the beginning is lost", begin, lost, []string{begin, begin, finish}},
		{"busy at the beginning", begin, busy, []string{begin, begin, finish}},
		{"the session is lost", finish, lost, []string{begin, finish, begin, finish}},
		{"what was begun is stale", finish, stale, []string{begin, finish, begin, finish}},
	} {
		n.once(test.path, test.change)
		s, err := c.Takeover(ctx, "ada", "correct horse")
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if asked, there := n.sent("horse"); !slices.Equal(asked, test.want) || there {
			t.Errorf("%s: asked %q, want %q; sent the password: %v", test.name, asked, test.want, there)
		}
		out(t, s)
		n.sent("")
	}
	n.change = func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.URL.Path != finish {
			return resp, nil
		}
		return busy(resp)
	}
	_, err = c.Login(ctx, "ada", "correct horse")
	wantReason(t, "busy without an end", err, rushgate.ServerBusy)
	if asked, _ := n.sent(""); !slices.Equal(asked, []string{begin, finish, finish, finish, finish}) {
		t.Errorf("busy without an end: asked %q", asked)
	}
}

// The answer to a change of the password that is lost is asked for again, and the session is the one that the change
// has opened; so is a change that the server was too busy for.
func TestOpaqueChangeIsAskedForAgain(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaqueOnly, nil), t.Context()
	c := n.client(t, Options{Opaque: OpaqueOnly, BackoffBase: time.Millisecond, BackoffCap: time.Millisecond})
	s, err := c.Register(ctx, "ada", "correct horse")
	s = in(t, s, err)
	lost := func(resp *http.Response) (*http.Response, error) {
		resp.Body.Close()
		return nil, errors.New("the connection broke")
	}
	busy := func(resp *http.Response) (*http.Response, error) {
		return instead(resp, 503, `{"reason":"server-busy","retry_after_ms":1}`), nil
	}
	confirm, begin, finish := "/v1/opaque/confirm/start", opaqueRegisterPath+"start", opaqueRegisterPath+"finish"
	current := "correct horse"
	for i, change := range []func(*http.Response) (*http.Response, error){lost, busy} {
		next := fmt.Sprintf("battery staple %d", i)
		n.once(finish, change)
		n.sent("")
		if err := s.ChangePassword(ctx, current, next); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		if asked, there := n.sent("staple"); !slices.Equal(asked, []string{confirm, begin, finish, finish}) || there {
			t.Errorf("change %d: asked %q; sent the password: %v", i, asked, there)
		}
		if _, err := s.Account(ctx); err != nil {
			t.Errorf("the session after change %d: %v", i, err)
		}
		current = next
	}
	out(t, s)
	s, err = c.Login(ctx, "ada", current)
	out(t, in(t, s, err))
	_, err = c.Login(ctx, "ada", "correct horse")
	wantReason(t, "the password before", err, rushgate.BadCredentials)
}

// A server that does not know the account, or makes no sense, is told nothing, and its session is not taken.
func TestOpaqueTakesNoSessionOfAnother(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, nil), t.Context()
	var told []Resume
	c := n.client(t, Options{
		Opaque: OpaquePrefer, MaxRetries: -1, Remember: "phone", OnResume: func(r Resume) { told = append(told, r) },
	})
	s, err := c.Register(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	told = nil
	n.sent("")
	body := func(status int, body string) func(*http.Response) (*http.Response, error) {
		return func(resp *http.Response) (*http.Response, error) { return instead(resp, status, body), nil }
	}
	begin, finish := opaqueLoginPath+"start", opaqueLoginPath+"finish"
	zeros, endless := encode(make([]byte, 320)), strings.Repeat("A", maxOpaqueState+1)
	session := `{"player_id":12,"session_token":"another","expires_at":"2036-01-02T15:04:05Z",` +
		`"resume_token":"another","session_proof":"` + strings.Repeat("A", 43) + `"}`
	for _, test := range []struct {
		name, path string
		change     func(*http.Response) (*http.Response, error)
		want       error
	}{
		{"another's session", finish, body(200, session), ErrBadAnswer},
		{"a session without a proof", finish, body(200, strings.Replace(session, "session_proof", "other", 1)), ErrBadAnswer},
		{"no beginning", begin, body(200, `{}`), ErrBadAnswer},
		{"nonsense", begin, body(200, `<html>`), ErrBadAnswer},
		{"a KE2 of none", begin, body(200, `{"ke2":"AAAA","state":"AAAA","state_valid_ms":60000}`), ErrBadAnswer},
		{"a KE2 of zeros", begin, body(200, fmt.Sprintf(`{"ke2":%q,"state":"AAAA"}`, zeros)), ErrBadAnswer},
		{"an endless state", begin, body(200, fmt.Sprintf(`{"ke2":%q,"state":%q}`, zeros, endless)), ErrBadAnswer},
		{"no OPAQUE any more", begin, body(404, `{"reason":"missing-credentials"}`), ErrNoOpaque},
		{"an error", begin, body(500, `{"reason":"internal-error"}`), rushgate.InternalError},
		{"a redirect", begin, body(302, ``), ErrBadAnswer},
	} {
		n.once(test.path, test.change)
		if _, err := c.Login(ctx, "ada", "correct horse"); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if asked, there := n.sent("horse"); there || len(told) > 0 {
		t.Errorf("a password was sent to one of %q, or a token was taken: %v", asked, told)
	}
}

// A player who proves the password waits for a full world with that, and comes in.
func TestOpaqueWaitsForTheWorld(t *testing.T) {
	n, ctx := startOpaque(t, server.OpaquePrefer, func(c *server.Config) { c.MaxPlayers = 1 }), t.Context()
	bob := n.client(t, Options{Opaque: OpaqueOnly})
	s, err := bob.Register(ctx, "ada", "correct horse")
	out(t, in(t, s, err))
	s, err = bob.Register(ctx, "bob", "bobs horse")
	inside := in(t, s, err)
	waits := make(chan struct{}, 100)
	c := n.client(t, Options{Opaque: OpaqueOnly, WaitForWorld: true, OnWait: func(w Wait) {
		if w.Line != nil {
			waits <- struct{}{}
		}
	}})
	go func() {
		<-waits
		_ = inside.Leave(context.WithoutCancel(ctx))
	}()
	s, err = c.Login(ctx, "ada", "correct horse")
	if s := in(t, s, err); !s.ByOpaque() {
		t.Error("by OPAQUE, and the session does not know")
	}
	if _, there := n.sent("horse"); there {
		t.Error("a password was sent")
	}
}

// A player sees how far a proof is, and can give up while it is computed, when nothing more is sent.
func TestOpaqueProgress(t *testing.T) {
	n := startOpaque(t, server.OpaqueOnly, nil)
	var stages []ProofStage
	stop := func() {}
	c := n.client(t, Options{Opaque: OpaqueOnly, OpaqueMemory: OpaqueProofMemory, OnProof: func(s ProofStage) {
		stages = append(stages, s)
		if s == ProofComputing {
			stop()
		}
	}})
	s, err := c.Register(t.Context(), "ada", "correct horse")
	out(t, in(t, s, err))
	if !slices.Equal(stages, []ProofStage{ProofWaiting, ProofComputing, ProofDone}) {
		t.Errorf("stages %q", stages)
	}
	n.sent("")
	ctx, cancel := context.WithCancel(t.Context())
	stop = cancel
	if _, err := c.Login(ctx, "ada", "correct horse"); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if asked, _ := n.sent(""); !slices.Equal(asked, []string{opaqueLoginPath + "start"}) {
		t.Errorf("given up, and asked %q", asked)
	}
	c.proofs.Slots <- struct{}{} // the proof that was given up ends by itself
	<-c.proofs.Slots
}

func TestOpaqueOptions(t *testing.T) {
	for what, o := range map[string]Options{
		"a mode that is none": {Opaque: "always"},
		"too little memory":   {Opaque: OpaqueOnly, OpaqueMemory: OpaqueProofMemory - 1},
		"less than nothing":   {OpaqueMemory: -1},
	} {
		if _, err := New("http://node.test", o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	c, err := New("http://node.test", Options{Opaque: OpaqueOnly, OpaqueMemory: 3*OpaqueProofMemory + 1})
	if err != nil || cap(c.proofs.Slots) != 3 {
		t.Errorf("%v, %d proofs at once", err, cap(c.proofs.Slots))
	}
}

// What a client remembers of accounts is bounded, and goes by the player when the name changes.
func TestAccountsThatHaveMovedAreBounded(t *testing.T) {
	c, err := New("http://node.test", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxMoved {
		c.noteMoved(fmt.Sprintf("Player-%04d", i), rushgate.PlayerID(i+1))
	}
	if len(c.moved) != maxMoved || c.hasMoved("player-0001") || !c.hasMoved("PLAYER-2047") {
		t.Errorf("%d are remembered", len(c.moved))
	}
	c.noteMoved("other", 2048)
	c.noteMoved("", 2048)
	if len(c.moved) != maxMoved || c.hasMoved("player-2047") || !c.hasMoved("other") {
		t.Errorf("%d are remembered after a rename", len(c.moved))
	}
	c.noteMoved("third", 0) // a rename
	if !c.hasMoved("other") || !c.hasMoved("third") {
		t.Error("one of the names is forgotten before the new one has been proved")
	}
	c.noteMoved("third", 2048)
	if c.hasMoved("other") || !c.hasMoved("third") {
		t.Error("the player came in under the new name, and it is not the one that is known")
	}
}
