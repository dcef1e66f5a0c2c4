package api

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeServer serves connections in memory, on which nothing is kept between the ends: what the client does not read
// has not been written. It must be called in a bubble of synctest.
func pipeServer(t *testing.T, h http.Handler, cfg ServerConfig) (dial func() net.Conn) {
	t.Helper()
	cfg.MaxConns, cfg.Later, cfg.Logger = 16, later, slog.New(slog.DiscardHandler)
	l := pipeListener{make(chan net.Conn), make(chan struct{})}
	srv := NewServer(h, cfg)
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan struct{})
	go func() { srv.Serve(l); close(served) }()
	t.Cleanup(func() { srv.Close(); <-served })
	return func() net.Conn {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close() })
		l.conn <- far
		return near
	}
}

// A client has ten seconds to take an answer from when that begins, however long it had to wait for it, and over
// whichever version of HTTP.
func TestAnswersAreTakenInTime(t *testing.T) {
	const thinking = 20 * time.Second
	page := strings.Repeat("x", 1<<20)
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given := make(chan time.Duration, 1)
				dial := pipeServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(thinking)
					start := time.Now()
					for err := error(nil); err == nil; {
						_, err = io.WriteString(w, page)
					}
					given <- time.Since(start)
				}), ServerConfig{})
				if version == "HTTP/1.1" {
					go io.WriteString(dial(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				} else {
					transport := &http.Transport{Protocols: new(http.Protocols),
						DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(), nil }}
					transport.Protocols.SetUnencryptedHTTP2(true)
					defer transport.CloseIdleConnections()
					resp, err := (&http.Client{Transport: transport}).Get("http://x/")
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close() // unread: the client's window fills
				}
				if got := <-given; got != writeMargin {
					t.Errorf("given up after %v", got)
				}
			})
		})
	}
}

// One that goes on taking its answers is not cut off, however many there are.
func TestAnswersTakenSlowlyAreWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := strings.Repeat("x", 64<<10)
		dial := pipeServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) }),
			ServerConfig{})
		c := dial()
		r := bufio.NewReader(c)
		for range 20 {
			go io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(writeMargin / 2)
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != page {
				t.Fatalf("%d bytes, %v", len(body), err)
			}
		}
	})
}

// An idle connection is open for longer than balancers keep theirs, or for as long as is configured.
func TestIdleConnectionsOutlastBalancers(t *testing.T) {
	const long = 10 * time.Minute
	for configured, want := range map[time.Duration]time.Duration{0: 75 * time.Second, long: long} {
		synctest.Test(t, func(t *testing.T) {
			c := pipeServer(t, http.NotFoundHandler(), ServerConfig{IdleTimeout: configured})()
			if status, err := get(t, c, "/"); err != nil || status != http.StatusNotFound {
				t.Fatal(status, err)
			}
			start := time.Now()
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the server speaks unasked")
			}
			if idle := time.Since(start); idle != want {
				t.Errorf("closed after %v, want %v", idle, want)
			}
		})
	}
}
