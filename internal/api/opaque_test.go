package api

import (
	"encoding/base64"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaqueclient"
)

// proving is a front door with OPAQUE, whose clock for states goes as a test says.
type proving struct {
	*gate
	ahead atomic.Int64 // of the time of day
}

func newProving(t *testing.T) *proving {
	t.Helper()
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &proving{}
	s, err := opaque.NewServer(opaque.Config{
		Keys: keys, Now: func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	o.gate = newDoor(t, func(pool *auth.Config, c *Config) {
		pool.Opaque, c.Opaque, c.OpaqueMode = s, s, OpaquePrefer
	})
	return o
}

// stretchedLeast is what costs a test nothing.
var stretchedLeast = opaqueclient.Options{Cost: opaqueclient.Cost{Passes: 1, Memory: 8, Lanes: 1}}

func (o *proving) post(t *testing.T, path, token string, body map[string]any) exchange {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return o.call(t, "POST", path, string(b), keyFrom, token)
}

func unpack(t *testing.T, e exchange, field string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(e.text(field))
	if err != nil || len(b) == 0 {
		t.Fatalf("%d %s: %v", e.status, e.body, err)
	}
	return b
}

// registration begins one, and returns what it is finished with.
func (o *proving) registration(t *testing.T) map[string]any {
	t.Helper()
	r, request, err := opaqueclient.Register("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	e := o.post(t, "/v1/opaque/register/start", "", map[string]any{"username": "alice", "request": encode(request)})
	upload, err := r.Finish(t.Context(), unpack(t, e, "response"), stretchedLeast)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"username": "alice", "state": e.text("state"), "upload": encode(upload)}
}

// proof begins one, and returns what it is finished with.
func (o *proving) proof(t *testing.T, path, token string, body map[string]any) (state, ke3 string) {
	t.Helper()
	l, ke1, err := opaqueclient.Login("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	body["ke1"] = encode(ke1)
	e := o.post(t, path, token, body)
	proof, err := l.Finish(t.Context(), unpack(t, e, "ke2"), stretchedLeast)
	if err != nil {
		t.Fatal(err)
	}
	return e.text("state"), encode(proof.KE3)
}

func (o *proving) login(t *testing.T) map[string]any {
	t.Helper()
	state, ke3 := o.proof(t, "/v1/opaque/login/start", "", map[string]any{"username": "alice"})
	return map[string]any{"username": "alice", "state": state, "ke3": ke3}
}

// What was begun is good until its minute is over, and not a moment longer, whatever it is for.
func TestOpaqueStatesExpire(t *testing.T) {
	o := newProving(t)
	late := func(by time.Duration, what, path, token string, body map[string]any, status int) exchange {
		t.Helper()
		o.ahead.Add(int64(by))
		e := o.post(t, path, token, body)
		reason := rushgate.Reason("")
		if status == 409 {
			reason = rushgate.MissingCredentials
		}
		e.want(t, what, status, reason)
		return e
	}
	const most, over = opaque.DefaultLife - 10*time.Second, opaque.DefaultLife
	late(over, "a registration", "/v1/opaque/register/finish", "", o.registration(t), 409)
	in := late(most, "a registration in time", "/v1/opaque/register/finish", "", o.registration(t), 201)
	o.call(t, "POST", "/v1/logout", "", keyFrom, in.text("session_token")).want(t, "logout", 204, "")
	late(over, "a login", "/v1/opaque/login/finish", "", o.login(t), 409)
	in = late(most, "a login in time", "/v1/opaque/login/finish", "", o.login(t), 200)

	session := in.text("session_token")
	state, ke3 := o.proof(t, "/v1/opaque/confirm/start", session, map[string]any{})
	late(over, "a proof inside", "/v1/account/delete", session, map[string]any{"login_state": state, "ke3": ke3}, 409)
	state, ke3 = o.proof(t, "/v1/opaque/confirm/start", session, map[string]any{})
	late(most, "a proof inside, in time", "/v1/account/delete", session,
		map[string]any{"login_state": state, "ke3": ke3}, 200)
}
