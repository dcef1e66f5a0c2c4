package run

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// silent reads all that comes and says nothing, until the line hangs up.
func silent(w *wire) {
	for w.hear() {
	}
}

// deaf does not even read for a minute. Then it wants to see that the line has hung up.
func deaf(w *wire) {
	time.Sleep(time.Minute)
	silent(w)
}

// Whatever the line is at when the caller has had enough, it returns at once, hangs up, sends nothing again, and the
// next request has a connection of its own.
func TestLineLeavesWhenTheCallerHasHadEnough(t *testing.T) {
	const patience = 3 * time.Second
	for name, tt := range map[string]struct {
		script func(*wire)
		warm   bool
	}{
		"writing":                      {deaf, false},
		"writing, warm":                {onceThen(deaf), true},
		"waiting for the answer":       {silent, false},
		"waiting for the answer, warm": {onceThen(silent), true},
		"reading the header":           {saysAndWaits("HTTP/1.1 200 OK\r\nX-A"), false},
		"reading the body":             {saysAndWaits("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"), false},
		"reading the body, warm":       {onceThen(saysAndWaits("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")), true},
		"after an interim answer":      {saysAndWaits("HTTP/1.1 103 Early Hints\r\n\r\n"), false},
	} {
		for how, end := range map[string]struct {
			limit func(context.Context) (context.Context, context.CancelFunc)
			err   error
		}{
			"cancelled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(patience, cancel)
				return ctx, cancel
			}, context.Canceled},
			"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, patience)
			}, context.DeadlineExceeded},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &peer{scripts: []func(*wire){tt.script, polite}}
					l := &line{dial: p.dial}
					defer l.CloseIdleConnections()
					if tt.warm {
						mustAsk(t, l)
					}
					ctx, cancel := end.limit(t.Context())
					defer cancel()
					begin := time.Now()
					got, err := l.request(ctx, strings.Repeat("x", 1<<16))
					if d := time.Since(begin); !errors.Is(err, end.err) || d != patience {
						t.Errorf("%q, %v after %v", got, err, d)
					}
					if dials, _ := p.count(); dials != 1 {
						t.Errorf("%d connections", dials)
					}
					mustAsk(t, l)
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

// Dialing, and the handshake that follows it, end with the context, or after the time of one try.
func TestLineDialsForAWhileOnly(t *testing.T) {
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	mute := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { // until the line hangs up
			for buf := make([]byte, 1024); ; {
				if _, err := theirs.Read(buf); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}
	for name, tt := range map[string]struct {
		dial  dialFunc
		url   string
		limit time.Duration
		want  time.Duration
	}{
		"dialing":                {hang, "http://game.test/", 2 * time.Second, 2 * time.Second},
		"dialing for ever":       {hang, "http://game.test/", time.Hour, 30 * time.Second},
		"shaking hands":          {mute, "https://game.test/", 2 * time.Second, 2 * time.Second},
		"shaking hands for ever": {mute, "https://game.test/", time.Hour, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				l := &line{dial: tt.dial, tls: new(tls.Config), within: 30 * time.Second}
				begin := time.Now()
				_, err := l.send(get(t, ctx, tt.url))
				if d := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || d != tt.want {
					t.Errorf("%v after %v", err, d)
				}
				if l.conn != nil {
					t.Error("there is a connection")
				}
			})
		})
	}
}

// The end of a request's context does not matter to the connection once the answer is there.
func TestLineOutlivesTheContextOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{scripts: []func(*wire){polite}}
		l := &line{dial: p.dial}
		defer l.CloseIdleConnections()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if got, err := l.request(ctx, "hello"); got != "ok" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			time.Sleep(2 * time.Second)
			cancel()
			synctest.Wait()
		}
		if dials, _ := p.count(); dials != 1 {
			t.Errorf("%d connections", dials)
		}
	})
}

// A request that no caller waits for any more is not sent.
func TestLineOfACallerWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{scripts: []func(*wire){polite}}
		l := &line{dial: p.dial}
		defer l.CloseIdleConnections()
		mustAsk(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := l.request(ctx, "hello")
		mustAsk(t, l) // over the same one
		if dials, heard := p.count(); !errors.Is(err, context.Canceled) || dials != 1 || heard != 2 {
			t.Errorf("%v; %d connections, %d requests heard", err, dials, heard)
		}
	})
}
