package api

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// hijackingServer serves with room for max connections; a request hands its connection over, held or not.
func hijackingServer(t *testing.T, max int) (address string, hijacked <-chan net.Conn) {
	t.Helper()
	conns := make(chan net.Conn, 1)
	take := func(held bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, _, err := countedHijacker{w, r}.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if held {
				HoldConn(r.Context())
			}
			conns <- c
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/held", take(true))
	mux.HandleFunc("/free", take(false))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(mux, ServerConfig{MaxConns: max, Later: later, Logger: slog.New(slog.DiscardHandler)})
	served := make(chan struct{})
	go func() { srv.Serve(l); close(served) }()
	t.Cleanup(func() { srv.Close(); <-served })
	return l.Addr().String(), conns
}

// hijack makes a request that takes its connection over.
func hijack(t *testing.T, address, path string, hijacked <-chan net.Conn) (client, server net.Conn) {
	t.Helper()
	client = dial(t, address)
	if _, err := io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	server = <-hijacked
	t.Cleanup(func() { server.Close() })
	return client, server
}

// A connection that was taken over counts until it is closed, and one that is held is not closed for another.
func TestHijackedConnectionsCount(t *testing.T) {
	const max = 16
	address, hijacked := hijackingServer(t, max)
	var servers []net.Conn
	for range max {
		_, server := hijack(t, address, "/held", hijacked)
		servers = append(servers, server)
	}
	if status, _ := get(t, dial(t, address), "/"); status == http.StatusOK {
		t.Fatal("there was room for one more")
	}
	servers[0].Close()
	servers[0].Close() // gives up one place, not two
	if status, err := get(t, dial(t, address), "/"); err != nil || status != http.StatusOK {
		t.Errorf("after one was closed: %d, %v", status, err)
	}
	for _, server := range servers[1:] {
		if _, err := server.Write([]byte("x")); err != nil {
			t.Errorf("a held connection: %v", err)
		}
	}
}

// One that has yet to become a player's makes room, like any that has not brought a login.
func TestHijackedConnectionsMakeRoom(t *testing.T) {
	const max = 16
	address, hijacked := hijackingServer(t, max)
	first, _ := hijack(t, address, "/free", hijacked)
	for range 2 * max {
		hijack(t, address, "/free", hijacked)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest is still open: %v", err)
	}
}

// pipeListener hands out one connection in memory.
type pipeListener struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l pipeListener) Close() error   { close(l.closed); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// The server's limits on time end with the request.
func TestHijackedConnectionsOutliveTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipeListener{make(chan net.Conn, 1), make(chan struct{})}
		conns := make(chan net.Conn, 1)
		srv := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := countedHijacker{w, r}.Hijack()
			if err != nil {
				t.Error(err)
			}
			conns <- c
		}), ServerConfig{MaxConns: 16, Later: later, Logger: slog.New(slog.DiscardHandler)})
		served := make(chan struct{})
		go func() { srv.Serve(l); close(served) }()
		near, far := net.Pipe()
		l.conn <- far
		io.WriteString(near, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		server := <-conns
		time.Sleep(2 * (readTimeout + srv.WriteTimeout + srv.IdleTimeout))
		go server.Write([]byte("x"))
		if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
			t.Errorf("to the client: %v", err)
		}
		go near.Write([]byte("y"))
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Errorf("from the client: %v", err)
		}
		server.Close()
		srv.Close()
		<-served
	})
}
