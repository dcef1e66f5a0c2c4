package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// server is what a test has answer in place of the network.
type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

func answer(status int, body string, header ...string) (*http.Response, error) {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// hang answers when the caller gives up.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// get makes a call, and returns the part of its error that callers look at.
func get(ctx context.Context, t *Target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://provider.example/?key=secret", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := t.Client(JSONObject).Do(req)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return e
		}
		return err
	}
	return resp.Body.Close()
}

// expect makes a call whose error is to be of a kind, and of a time to come back.
func expect(t *testing.T, target *Target, kind error, after time.Duration) {
	t.Helper()
	err := get(t.Context(), target)
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	var e *Error
	if errors.As(err, &e) && e.After != after {
		t.Fatalf("come back after %v, want %v", e.After, after)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Fatalf("the error quotes what was sent: %v", err)
	}
}

func TestAServerThatFailsIsLeftAloneEverLongerUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, calls := false, 0
		c := New(Config{Transport: server(func(*http.Request) (*http.Response, error) {
			calls++
			if up {
				return answer(200, "{}")
			}
			return answer(503, "")
		}), LongestRest: 3 * time.Second})
		target, other := c.Target("a"), c.Target("b")
		for range 5 {
			expect(t, target, ErrStatus, time.Second)
		}
		for _, rest := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			expect(t, target, ErrOpen, rest)
			time.Sleep(rest - time.Second/2)
			expect(t, target, ErrOpen, time.Second) // never less
			before := calls
			time.Sleep(time.Second / 2)
			expect(t, target, ErrStatus, min(2*rest, 3*time.Second))
			if calls != before+1 {
				t.Fatalf("%d calls after the rest", calls-before)
			}
		}
		up = true
		expect(t, other, nil, 0)
		time.Sleep(3 * time.Second)
		expect(t, target, nil, 0)
		up = false
		for range 5 {
			expect(t, target, ErrStatus, time.Second)
		}
		expect(t, target, ErrOpen, time.Second) // as at first
	})
}

func TestOneCallAtATimeFindsOutWhetherAServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reply server = hang
		c := New(Config{Transport: server(func(r *http.Request) (*http.Response, error) { return reply(r) }), Failures: 1})
		target := c.Target("a")
		expect(t, target, ErrAway, time.Second)
		time.Sleep(time.Second)

		ctx, giveUp := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- get(ctx, target) }()
		synctest.Wait()
		expect(t, target, ErrOpen, time.Second)
		giveUp() // which says nothing about the server
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		reply = func(*http.Request) (*http.Response, error) { return answer(200, "{}") }
		expect(t, target, nil, 0)
		expect(t, target, nil, 0)
	})
}

func TestWhatCountsAsAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		reply server
		kind  error
		after time.Duration // to come back, when the server is not left alone for one failure
		opens bool          // at once
	}{
		"an answer": {func(*http.Request) (*http.Response, error) { return answer(200, " {}") }, nil, 0, false},
		"a refusal": {func(*http.Request) (*http.Response, error) { return answer(400, "no") }, nil, 0, false},
		"no answer": {hang, ErrAway, time.Second, true},
		"a broken one": {
			func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, ErrAway, time.Second, true,
		},
		"garbage": {
			func(*http.Request) (*http.Response, error) { return answer(200, "<html>") }, ErrGarbage, time.Second, true,
		},
		"half an object": {
			func(*http.Request) (*http.Response, error) { return answer(200, "{") }, ErrGarbage, time.Second, true,
		},
		"too much": {
			func(*http.Request) (*http.Response, error) { return answer(200, strings.Repeat(" ", 300<<10)) }, ErrTooLarge,
			time.Second, true,
		},
		"busy": {
			func(*http.Request) (*http.Response, error) { return answer(503, "", "Retry-After", "7") }, ErrStatus,
			7 * time.Second, true,
		},
		"busy for a year": {
			func(*http.Request) (*http.Response, error) { return answer(503, "", "Retry-After", "60000") }, ErrStatus,
			30 * time.Second, true,
		},
		"too many": {
			func(*http.Request) (*http.Response, error) { return answer(429, "") }, ErrStatus, time.Second, true,
		},
		"a body without end": {func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: endless{}}, nil
		}, ErrTooLarge, time.Second, true},
		"a redirect to itself": {
			func(*http.Request) (*http.Response, error) { return answer(302, "", "Location", "/") }, ErrRedirect, time.Second,
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := New(Config{Transport: c.reply, Failures: 1}).Target("a")
				expect(t, target, c.kind, c.after)
				if target.circuit.isOpen() != c.opens {
					t.Errorf("left alone: %v", !c.opens)
				}
			})
		})
	}
}

// anyForm takes every answer.
func anyForm([]byte) bool { return true }

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
func (endless) Close() error               { return nil }

// A server that hangs holds its own share of calls, and no caller for longer than the time that a call may take.
func TestAServerThatHangsTakesNothingFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Transport: server(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "away.example" {
				return hang(r)
			}
			return answer(200, "{}")
		}), PerTarget: 4, Most: 6})
		away, here := c.Target("away"), c.Target("here")
		var mu sync.Mutex
		kinds := make(map[error]int)
		began := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				resp, err := away.Client(anyForm).Get("https://away.example/")
				if err == nil {
					t.Error("an answer", resp.Body.Close())
				}
				mu.Lock()
				defer mu.Unlock()
				for _, kind := range []error{ErrFull, ErrAway} {
					if errors.Is(err, kind) {
						kinds[kind]++
					}
				}
				if d := time.Since(began); d > 6*time.Second {
					t.Errorf("an answer after %v", d)
				}
			})
		}
		synctest.Wait()
		if n := len(away.room); n != 4 {
			t.Errorf("%d calls at once", n)
		}
		expect(t, here, nil, 0)
		wg.Wait()
		if kinds[ErrFull] != 96 || kinds[ErrAway] != 4 {
			t.Errorf("%v", kinds)
		}
		if len(c.room) != 0 || len(away.room) != 0 || away.waiting.Load() != 0 {
			t.Error("room was not given back")
		}
	})
}

func TestWhatAllWantIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var fails error
		keep := Keep{Fresh: time.Hour, Stale: 2 * time.Hour, Again: 10 * time.Second}
		s := NewShared(keep, func(context.Context) (int, error) {
			time.Sleep(time.Second)
			asked++
			return asked, fails
		})
		want := func(n int, wantErr error) {
			t.Helper()
			if v, _, err := s.Get(t.Context()); !errors.Is(err, wantErr) || err == nil && v != n {
				t.Fatalf("%d, %v, want %d, %v", v, err, n, wantErr)
			}
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { want(1, nil) })
		}
		wg.Wait()
		_, since, _ := s.Get(t.Context())
		var early *Early
		if _, _, err := s.Newer(t.Context(), since); !errors.As(err, &early) || early.After != 9*time.Second {
			t.Fatalf("asked for again at once: %v", err)
		}
		time.Sleep(9 * time.Second)
		if v, _, err := s.Newer(t.Context(), since); v != 2 || err != nil {
			t.Fatal(v, err)
		}
		if v, _, err := s.Newer(t.Context(), since); v != 2 || err != nil { // there is a newer one than that
			t.Fatal(v, err)
		}
		errAway := errors.New("away")
		fails = errAway
		time.Sleep(time.Hour)
		want(2, nil) // stale, and better than nothing
		if asked != 3 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(time.Hour)
		want(0, fails)
		fails = nil
		want(0, errAway) // what came of it a moment ago
		time.Sleep(10 * time.Second)
		want(5, nil)
	})
}

func TestACallerThatGivesUpKeepsNobodyFromTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(Keep{Fresh: time.Hour, Again: time.Second}, func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 1, nil
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, _, err := s.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if v, _, err := s.Get(t.Context()); v != 1 || err != nil {
			t.Error(v, err)
		}
	})
}

// The body of a request that is not sent is closed: who made it may wait for that.
func TestARequestThatIsNotSentIsClosed(t *testing.T) {
	tooMany := server(func(*http.Request) (*http.Response, error) { return answer(429, "") })
	target := New(Config{Transport: tooMany}).Target("a")
	_ = get(t.Context(), target)
	for _, url := range []string{"https://provider.example", "gopher://provider.example"} {
		b := &closes{Reader: bytes.NewReader(nil)}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, b)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := target.Client(anyForm).Do(req); err == nil {
			t.Error("sent", resp.Body.Close())
		}
		if !b.closed {
			t.Error("not closed")
		}
		target = New(Config{}).Target("a")
	}
}

type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error { c.closed = true; return nil }
