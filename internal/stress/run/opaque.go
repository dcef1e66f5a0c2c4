package run

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// leastStretching is the least that an Argon2id can cost: some microseconds. The accounts of a run are registered with
// it, which has the same effect as if each player's had been computed before the load: the server cannot tell, and the
// generator is not what is measured. No other client logs in to such an account.
var leastStretching = opaqueclient.Cost{Passes: 1, Memory: 8, Lanes: 1}

// opaqueTally is what OPAQUE has cost the players' side.
type opaqueTally struct {
	slots    opaqueclient.Slots
	computed latency.Histogram
	argon2id time.Duration
}

func newOpaqueTally() *opaqueTally {
	return &opaqueTally{slots: opaqueclient.NewSlots(runtime.GOMAXPROCS(0))}
}

// fill puts what was measured into the report.
func (t *opaqueTally) fill(rep *report.Report, prepared int) {
	if rep.Mode != report.Opaque {
		return
	}
	rep.Opaque = &report.OpaqueCost{
		Prepared: prepared, Computed: t.computed.Summary(), Argon2id: float64(t.argon2id) / float64(time.Millisecond),
	}
}

// opaqueWay is a player's way to a server by OPAQUE: an [http.RoundTripper] that makes the two requests of OPAQUE of a
// login or a registration with a password, over the same connection, and returns the last answer.
type opaqueWay struct {
	next  http.RoundTripper
	tally *opaqueTally

	// What was computed before the player came; nil if it was not, or has been used.
	login *opaqueclient.LoginAttempt
	ke1   []byte
}

// prepare computes what can be computed of a login before its player comes.
func (w *opaqueWay) prepare(password string) {
	if login, ke1, err := opaqueclient.Login(password); err == nil {
		w.login, w.ke1 = login, ke1
	}
}

// RoundTrip implements [http.RoundTripper].
func (w *opaqueWay) RoundTrip(req *http.Request) (*http.Response, error) {
	base, login := strings.CutSuffix(req.URL.Path, "/v1/login")
	if !login {
		var register bool
		if base, register = strings.CutSuffix(req.URL.Path, "/v1/register"); !register {
			return w.next.RoundTrip(req)
		}
	}
	fields, err := fieldsOf(req)
	if err != nil {
		return nil, err
	}
	password, _ := fields["password"].(string)
	for _, not := range []string{"password", "ticket", "line_work"} { // there is no line before the door for OPAQUE
		delete(fields, not)
	}
	if login {
		return w.logIn(req, base+"/v1/opaque/login/", password, fields)
	}
	return w.register(req, base+"/v1/opaque/register/", password, fields)
}

// fieldsOf returns the fields of a request's body.
func fieldsOf(req *http.Request) (map[string]any, error) {
	body, err := io.ReadAll(req.Body)
	closeBody(req)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, errors.New("stress: a login without a body of JSON")
	}
	return fields, nil
}

func (w *opaqueWay) logIn(
	req *http.Request, path, password string, fields map[string]any,
) (*http.Response, error) {
	login, ke1, spent := w.login, w.ke1, time.Duration(0)
	if w.login, w.ke1 = nil, nil; login == nil {
		var err error
		start := time.Now()
		if login, ke1, err = opaqueclient.Login(password); err != nil {
			return nil, fmt.Errorf("stress: %w", err)
		}
		spent = time.Since(start)
	}
	b, resp, err := w.begin(req, path, map[string]any{"username": fields["username"], "ke1": encode(ke1)})
	if b == nil {
		return resp, err
	}
	proof, err := timed(w, spent, func(o opaqueclient.Options) (opaqueclient.Proof, error) {
		return login.Finish(req.Context(), b.message, o)
	})
	if errors.Is(err, opaqueclient.ErrRefused) {
		proof.KE3, err = make([]byte, ke3Size), nil // so that the server says what it says to those who do not know
	}
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	fields["state"], fields["ke3"] = b.State, encode(proof.KE3)
	return w.send(req, path+"finish", fields)
}

const ke3Size = 64

func (w *opaqueWay) register(
	req *http.Request, path, password string, fields map[string]any,
) (*http.Response, error) {
	start := time.Now()
	registration, request, err := opaqueclient.Register(password)
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	spent := time.Since(start)
	b, resp, err := w.begin(req, path, map[string]any{"username": fields["username"], "request": encode(request)})
	if b == nil {
		return resp, err
	}
	upload, err := timed(w, spent, func(o opaqueclient.Options) ([]byte, error) {
		return registration.Finish(req.Context(), b.message, o)
	})
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	fields["state"], fields["upload"] = b.State, encode(upload)
	return w.send(req, path+"finish", fields)
}

// timed computes, and counts the time of it and of what was spent before.
func timed[T any](w *opaqueWay, spent time.Duration, compute func(opaqueclient.Options) (T, error)) (T, error) {
	start := time.Now()
	out, err := compute(opaqueclient.Options{Cost: leastStretching, Slots: w.tally.slots})
	w.tally.computed.Record(spent + time.Since(start))
	return out, err
}

// begunThere is what a server answers that was asked to begin.
type begunThere struct {
	KE2      string `json:"ke2"`
	Response string `json:"response"`
	State    string `json:"state"`
	message  []byte
}

// begin begins a login or a registration. If there is nothing to go on with it returns the answer to the player.
func (w *opaqueWay) begin(
	req *http.Request, path string, fields map[string]any,
) (*begunThere, *http.Response, error) {
	resp, err := w.send(req, path+"start", fields)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	resp.Body.Close()
	if err != nil {
		return nil, nil, err
	}
	var b begunThere
	if err = json.Unmarshal(body, &b); err == nil {
		b.message, err = base64.RawURLEncoding.DecodeString(b.KE2 + b.Response)
	}
	if err != nil {
		return nil, nil, errors.New("stress: no beginning of OPAQUE")
	}
	return &b, nil, nil
}

// send sends fields to a path in place of what a request asks for.
func (w *opaqueWay) send(req *http.Request, path string, fields map[string]any) (*http.Response, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.URL.Path = path
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
	if req.Body, err = req.GetBody(); err != nil {
		return nil, err
	}
	return w.next.RoundTrip(req)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// prepareOpaque registers the accounts that the players of mode Opaque log in to, and measures what their devices would
// compute besides.
func (r *run) prepareOpaque(ctx context.Context, rep *report.Report, progress *progress) {
	r.plan.prepared = len(r.plan.arrivals)
	r.register(ctx, r.plan.prepared, func(i int) string { return account(r.cfg.Prefix, i) }, rep, progress)
	r.network.opaque.computed.Reset() // of registrations, which are no part of the load
	r.network.opaque.argon2id = opaqueclient.MeasureStretching()
}
