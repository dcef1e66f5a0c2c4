package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
)

// Ten thousand connections that say nothing, and a flood of requests that make no sense, leave login working.
func TestFloodLeavesLoginWorking(t *testing.T) {
	n := startNode(t, t.TempDir())
	address := strings.TrimPrefix(n.http, "http://")
	idle := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < uint64(idle)+500 {
		idle = int(limit.Cur) - 500
		t.Logf("this machine allows %d open files: only %d idle connections", limit.Cur, idle)
	}
	conns := make([]net.Conn, 0, idle)
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	for i := range idle {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, byte(i/250), byte(i%250+1))}, Timeout: 10 * time.Second}
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, c)
	}
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var sent atomic.Int64
	for i := range 8 {
		flood.Go(func() {
			body := []string{`{"username":`, `{"username":"x","password":1}`, strings.Repeat("[", 4096), strings.Repeat("x", 1<<20)}[i%4]
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil && sent.Load() < 100_000 {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.http+"/v1/login", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				if resp, err := c.Do(req); err == nil {
					if resp.StatusCode != http.StatusBadRequest {
						t.Errorf("a malformed request was answered %s", resp.Status)
					}
					resp.Body.Close()
				}
				sent.Add(1)
			}
		})
	}
	c := newClient(t, n.http, client.Options{})
	for i := range 20 {
		s, err := c.Register(t.Context(), fmt.Sprintf("player-%d", i), "correct horse")
		if err != nil {
			t.Errorf("registration %d during the flood: %v", i, err)
			continue
		}
		if err := s.Logout(t.Context()); err != nil {
			t.Errorf("logout %d during the flood: %v", i, err)
		}
	}
	stop()
	flood.Wait()
	t.Logf("%d idle connections, %d malformed requests", len(conns), sent.Load())
}
