package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

const (
	password = "hunter2-secret"
	token    = "tok-secret-0123"
	granted  = `{"player_id":12,"session_token":"` + token + `","expires_at":"2026-01-02T15:04:05.123Z"}`
)

// grantedChannel is the same answer from a server that has a realtime channel.
var (
	connectToken   = bytes.Repeat([]byte("tic-secret-0123\n"), 128)
	grantedChannel = strings.TrimSuffix(granted, "}") + `,"connect_token":"` +
		base64.StdEncoding.EncodeToString(connectToken) + `"}`
)

// script is a RoundTripper that answers each try with the next step, and records when it came and with which attempt.
type script struct {
	steps    []func(*http.Request) (*http.Response, error)
	at       []time.Time
	attempts []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var body struct {
		Attempt string `json:"attempt_id"`
	}
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if len(data) > 0 {
			if err := json.Unmarshal(data, &body); err != nil {
				return nil, err
			}
		}
	}
	n := len(s.at)
	s.at, s.attempts = append(s.at, time.Now()), append(s.attempts, body.Attempt)
	if n >= len(s.steps) {
		return nil, errors.New("the script has ended")
	}
	return s.steps[n](r)
}

type step = func(*http.Request) (*http.Response, error)

func says(status int, body string, header ...string) step {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func breaks(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// silent never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func busy(ms string) step {
	return says(503, `{"reason":"server-busy","message":"busy","retry_after_ms":`+ms+`}`)
}

func newClient(t *testing.T, s *script, opts client.Options) *client.Client {
	t.Helper()
	opts.Transport = s
	c, err := client.New("http://example.test", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBusyTellsThePlayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{busy("1300"), says(504, `{"reason":"request-expired"}`), busy("60000"), busy("100")}}
		var told []string
		c := newClient(t, s, client.Options{
			Rand:   func() float64 { return 0.75 },
			OnWait: func(w client.Wait) { told = append(told, w.String()) },
		})
		_, err := c.Login(t.Context(), "alice", password)
		want := []string{
			"Server is busy, retrying in 2 s (1 of 3)",
			"Server is busy, retrying in 2 s (2 of 3)", // 0.75 × 2 s, rounded up
			"Server is busy, retrying in 60 s (3 of 3)",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if err == nil || err.Error() != "Server is too busy. Please try again later." {
			t.Errorf("error %v", err)
		}
		be, ok := errors.AsType[*client.BusyError](err)
		if !ok || be.Tries != 4 || be.RetryAfter != 100*time.Millisecond || !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("error %#v", err)
		}
		for i, want := range []time.Duration{1300 * time.Millisecond, 1500 * time.Millisecond, time.Minute} {
			if got := s.at[i+1].Sub(s.at[i]); got != want {
				t.Errorf("pause %d was %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestExpiredToTheEndIsTooBusy(t *testing.T) {
	s := &script{steps: []step{says(504, `{"reason":"request-expired"}`)}}
	_, err := newClient(t, s, client.Options{MaxRetries: -1}).Login(t.Context(), "alice", password)
	if _, ok := errors.AsType[*client.BusyError](err); !ok || rushgate.ReasonOf(err) != rushgate.ServerBusy {
		t.Errorf("error %#v", err)
	}
	if !errors.Is(err, rushgate.RequestExpired) || len(s.at) != 1 {
		t.Errorf("error %#v after %d tries", err, len(s.at))
	}
}

// Whatever the server asks for and the dice say, a retry comes neither before the server's time nor after the longer
// of that and the backoff's ceiling, and all tries carry one attempt id.
func TestRetrySchedule(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(rt, "base"))
		limit := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(rt, "cap"))
		asked := rapid.SliceOfN(rapid.Int64Range(0, 300_000), 1, 70).Draw(rt, "retry_after_ms")
		dice := rapid.SliceOfN(rapid.Float64Range(0, 0.999999), len(asked), len(asked)).Draw(rt, "dice")
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			for _, ms := range asked {
				s.steps = append(s.steps, busy(jsonInt(ms)))
			}
			s.steps = append(s.steps, says(200, granted))
			rolls := slices.Clone(dice)
			c := newClient(t, s, client.Options{
				MaxRetries: len(asked), BackoffBase: base, BackoffCap: limit,
				Rand: func() float64 { r := rolls[0]; rolls = rolls[1:]; return r },
			})
			if _, err := c.Login(t.Context(), "alice", password); err != nil {
				t.Fatal(err)
			}
			for i, ms := range asked {
				ceiling := limit
				if f := float64(base) * float64(uint64(1)<<min(i, 63)); f < float64(limit) {
					ceiling = base << i
				}
				want := max(time.Duration(ms)*time.Millisecond, time.Duration(dice[i]*float64(ceiling)))
				if got := s.at[i+1].Sub(s.at[i]); got != want {
					t.Errorf("pause %d: %v, want %v", i+1, got, want)
				}
				if s.attempts[i+1] != s.attempts[0] || s.attempts[0] == "" {
					t.Errorf("attempt ids %q", s.attempts)
				}
			}
		})
	})
}

func jsonInt(n int64) string {
	b, _ := json.Marshal(n) // an int64 always marshals
	return string(b)
}

func TestLostAnswersResendTheAttempt(t *testing.T) {
	cut := func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"player_id":`), errReader{io.ErrUnexpectedEOF})
		return &http.Response{StatusCode: 201, Body: io.NopCloser(body)}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{breaks(errors.New("connection refused")), cut, silent, says(201, granted)}}
		var told []string
		var answers []client.Answer
		c := newClient(t, s, client.Options{
			Rand:     func() float64 { return 0 },
			OnWait:   func(w client.Wait) { told = append(told, w.String()) },
			OnAnswer: func(a client.Answer) { answers = append(answers, a) },
		})
		session, err := c.Register(t.Context(), "alice", password)
		if err != nil || session.PlayerID != 12 {
			t.Fatalf("session %v, error %v", session, err)
		}
		if got := session.ExpiresAt(); !got.Equal(time.Date(2026, 1, 2, 15, 4, 5, 123e6, time.UTC)) {
			t.Errorf("expires at %v", got)
		}
		if len(slices.Compact(slices.Clone(s.attempts))) != 1 || s.attempts[0] == "" {
			t.Errorf("attempt ids %q", s.attempts)
		}
		if len(told) != 3 || told[0] != "No answer from the server, retrying in 1 s (1 of 3)" {
			t.Errorf("told %q", told)
		}
		for i, a := range answers {
			lost := i < 3
			if a.Try != i+1 || errors.Is(a.Err, client.ErrNoAnswer) != lost || (a.Status == 0) != lost {
				t.Errorf("answer %d: %+v", i, a)
			}
		}
		if len(answers) != 4 || answers[2].Latency != client.DefaultTryTimeout || answers[3].Latency != 0 {
			t.Errorf("answers %+v", answers)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestNoAnswerToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("connection refused")
		s := &script{steps: []step{silent, breaks(cause), says(502, "<html>"), breaks(cause)}}
		_, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", password)
		if !errors.Is(err, client.ErrNoAnswer) || !errors.Is(err, cause) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if errors.Is(err, rushgate.ServerBusy) || len(s.at) != 4 {
			t.Errorf("error %v after %d tries", err, len(s.at))
		}
	})
}

func TestEachCallHasItsOwnAttempt(t *testing.T) {
	s := &script{steps: []step{says(200, granted), says(200, granted)}}
	c := newClient(t, s, client.Options{})
	for range 2 {
		if _, err := c.Login(t.Context(), "alice", password); err != nil {
			t.Fatal(err)
		}
	}
	if s.attempts[0] == s.attempts[1] || len(s.attempts[0]) < 20 || len(s.attempts[0]) > 64 {
		t.Errorf("attempt ids %q", s.attempts)
	}
}

func TestAttemptIDOption(t *testing.T) {
	for id, ok := range map[string]bool{
		"a-B_9": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false, "a b": false,
	} {
		s := &script{steps: []step{says(200, granted)}}
		_, err := newClient(t, s, client.Options{AttemptID: func() string { return id }}).Login(t.Context(), "alice",
			password)
		if (err == nil) != ok || ok != slices.Equal(s.attempts, []string{id}) {
			t.Errorf("id %q: error %v, sent %q", id, err, s.attempts)
		}
	}
}

func TestContextEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{busy("60000")}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		start := time.Now()
		_, err := newClient(t, s, client.Options{}).Login(ctx, "alice", password)
		if !errors.Is(err, context.Canceled) || time.Since(start) != 7*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestDeadlineWithinThePauseReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{busy("5000")}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		waits := 0
		c := newClient(t, s, client.Options{OnWait: func(client.Wait) { waits++ }, Rand: func() float64 { return 0 }})
		_, err := c.Login(ctx, "alice", password)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("error %v", err)
		}
		if time.Since(start) != 0 || waits != 0 {
			t.Errorf("returned after %v with %d waits announced", time.Since(start), waits)
		}
	})
}

func TestDeadlineDuringATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s := &script{steps: []step{silent}}
		_, err := newClient(t, s, client.Options{}).Login(ctx, "alice", password)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, client.ErrNoAnswer) || len(s.at) != 1 {
			t.Errorf("error %v after %d tries", err, len(s.at))
		}
	})
}

// No player should look at a screen for hours because a server says so.
func TestAbsurdRetryAfterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{says(503, "", "Retry-After", "99999999999999999999999")}}
		_, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", password)
		be, ok := errors.AsType[*client.BusyError](err)
		if !ok || be.RetryAfter != 24*time.Hour || len(s.at) != 1 {
			t.Errorf("error %#v after %d tries", err, len(s.at))
		}
	})
}

func TestRefusalsAreNotRetried(t *testing.T) {
	tests := []struct {
		step   step
		reason rushgate.Reason
		after  time.Duration
	}{
		{says(401, `{"reason":"bad-credentials"}`), rushgate.BadCredentials, 0},
		{says(409, `{"reason":"username-taken"}`), rushgate.UsernameTaken, 0},
		{says(409, `{"reason":"already-logged-in","message":"x"}`), rushgate.AlreadyLoggedIn, 0},
		{says(421, `{"reason":"wrong-zone","address":"play2.example.org:443"}`), rushgate.WrongZone, 0},
		{says(418, `{"reason":"no-tea-here","pot":"brown"}`), "no-tea-here", 0}, // from a newer server
		{says(500, `{"reason":"internal-error"}`), rushgate.InternalError, 0},
		{says(429, `{"reason":"rate-limited","retry_after_ms":299500}`, "Retry-After", "300"), rushgate.RateLimited,
			299500 * time.Millisecond},
		{says(429, `slow down`, "Retry-After", "17"), rushgate.RateLimited, 17 * time.Second}, // from a proxy
	}
	for _, tt := range tests {
		s := &script{steps: []step{tt.step}}
		var seen client.Answer
		c := newClient(t, s, client.Options{OnAnswer: func(a client.Answer) { seen = a }})
		_, err := c.Login(t.Context(), "alice", password)
		ref, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || ref.RetryAfter != tt.after || !errors.Is(err, tt.reason) || len(s.at) != 1 {
			t.Errorf("%s: error %#v after %d tries", tt.reason, err, len(s.at))
		}
		if seen.Reason != tt.reason || seen.Err != nil || seen.Status < 400 {
			t.Errorf("%s: OnAnswer got %+v", tt.reason, seen)
		}
	}
}

func TestRetryAfterForms(t *testing.T) {
	const date = "Fri, 02 Jan 2026 15:04:05 GMT"
	tests := []struct {
		name   string
		header []string
		body   string
		want   time.Duration
	}{
		{"seconds, no body", []string{"Retry-After", "7"}, "", 7 * time.Second},
		{"seconds, HTML", []string{"Retry-After", " 7 "}, "<html>", 7 * time.Second},
		{"body is more precise", []string{"Retry-After", "2"}, `{"reason":"server-busy","retry_after_ms":1300}`,
			1300 * time.Millisecond},
		{"body without time", []string{"Retry-After", "2"}, `{"reason":"server-busy"}`, 2 * time.Second},
		{"date by the server's clock", []string{"Retry-After", "Fri, 02 Jan 2026 15:04:35 GMT", "Date", date}, "",
			30 * time.Second},
		// synctest begins in 2000
		{"date by our clock", []string{"Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"}, "", 9 * time.Second},
		{"date gone by", []string{"Retry-After", date, "Date", "Fri, 02 Jan 2026 15:04:06 GMT"}, "", 0},
		{"nonsense", []string{"Retry-After", "soon"}, "", 0},
		{"negative", []string{"Retry-After", "-5"}, `{"reason":"server-busy","retry_after_ms":-5}`, 0},
		{"absent", nil, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []step{says(503, tt.body, tt.header...), says(200, granted)}}
				_, err := newClient(t, s, client.Options{Rand: func() float64 { return 0 }}).Login(t.Context(), "alice", password)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.at[1].Sub(s.at[0]); got != tt.want {
					t.Errorf("came back after %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestBadAnswers(t *testing.T) {
	tests := map[string]step{
		"empty":          says(200, ""),
		"HTML":           says(200, "<html>login to the hotel network</html>"),
		"cut short":      says(201, granted[:40]),
		"trailing data":  says(200, granted+granted),
		"wrong types":    says(200, `{"player_id":"12","session_token":"x","expires_at":"2026-01-02T15:04:05Z"}`),
		"no player":      says(200, `{"session_token":"x","expires_at":"2026-01-02T15:04:05Z"}`),
		"no token":       says(200, `{"player_id":1,"expires_at":"2026-01-02T15:04:05Z"}`),
		"token breaks":   says(200, `{"player_id":1,"session_token":"x\r\nEvil: 1","expires_at":"2026-01-02T15:04:05Z"}`),
		"no expiry":      says(200, `{"player_id":1,"session_token":"x"}`),
		"short connect":  says(200, strings.TrimSuffix(granted, "}")+`,"connect_token":"AAAA"}`),
		"empty connect":  says(200, strings.TrimSuffix(granted, "}")+`,"connect_token":""}`),
		"no base64":      says(200, strings.Replace(grantedChannel, "dGlj", "\u002a\u002a", 1)),
		"no content":     says(204, ""),
		"redirect":       says(307, "", "Location", "http://evil.test/"),
		"404 elsewhere":  says(404, "not found"),
		"absurd reason":  says(400, `{"reason":"`+strings.Repeat("x", 65)+`"}`),
		"control reason": says(400, `{"reason":"\u001b[2J"}`),
		"huge":           says(200, granted+strings.Repeat(" ", 256<<10)),
		"huge and endless": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Body: io.NopCloser(endless{})}, nil
		},
	}
	for name, step := range tests {
		s := &script{steps: []func(*http.Request) (*http.Response, error){step}}
		session, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", password)
		if session != nil || !errors.Is(err, client.ErrBadAnswer) || len(s.at) != 1 {
			t.Errorf("%s: session %v, error %v after %d tries", name, session, err, len(s.at))
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{'x'}, len(p))), nil }

func TestCredentialsThatJSONCannotCarry(t *testing.T) {
	s := &script{}
	_, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", "bad\xff")
	if !errors.Is(err, rushgate.MissingCredentials) || len(s.at) != 0 {
		t.Errorf("error %v after %d tries", err, len(s.at))
	}
}
