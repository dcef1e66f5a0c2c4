package run

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// startNode starts a node that hashes fast, and stops it with the test.
func startNode(t *testing.T, change func(*server.Config)) *server.Server {
	t.Helper()
	cfg := server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	node, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	})
	return node
}

// A handful of players on a real node, over real sockets.
func TestPlayOnANode(t *testing.T) {
	node := startNode(t, func(*server.Config) {})
	var udp atomic.Int32 // sockets
	for transport, prefix := range map[string]string{report.TransportUDP: "u", report.TransportWebSocket: "w"} {
		rep := mustRun(t, t.Context(), Config{
			Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(), Clients: 5,
			Play: true, WebSocket: transport == report.TransportWebSocket, Duration: time.Second, Prefix: prefix,
			Line: LineHTTP, // the sockets that are counted are those of the realtime channel
			dialUDP: func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
				udp.Add(1)
				return new(net.Dialer).DialContext(ctx, "udp", server.String())
			},
		})
		if used := udp.Swap(0) > 0; used != (transport == report.TransportUDP) {
			t.Errorf("%s: UDP was used: %v", transport, used)
		}
		p := rep.Play
		if p == nil || p.Players != 5 || p.ConnectsFailed != 0 || p.Snapshots == 0 || p.Expected == 0 || rep.LoggedOut != 5 {
			t.Fatalf("%s: %+v\n%+v", transport, rep, p)
		}
		if p.Transport != transport || p.Malformed+p.Implausible != 0 || p.Reconnects+p.TimedOut+p.Disconnected != 0 {
			t.Errorf("%s: %+v", transport, p)
		}
		if p.Server == nil || p.Server.Snapshots == 0 || p.Server.Tick.Ticks == 0 {
			t.Errorf("%s: %+v\n%+v", transport, p, p.Server)
		}
	}
}
