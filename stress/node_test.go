package stress

import (
	"log/slog"
	"testing"
	"time"

	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// A handful of players on a real node, over real sockets.
func TestPlayOnANode(t *testing.T) {
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	}()
	rep := mustRun(t, t.Context(), Config{
		Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(), Clients: 5,
		Play: true, Duration: time.Second,
	})
	p := rep.Play
	if p == nil || p.Players != 5 || p.ConnectsFailed != 0 || p.Snapshots == 0 || p.Expected == 0 || rep.LoggedOut != 5 {
		t.Fatalf("%+v\n%+v", rep, p)
	}
	if p.Malformed+p.Implausible != 0 || p.Server == nil || p.Server.Snapshots == 0 || p.Server.Tick.Ticks == 0 {
		t.Errorf("%+v\n%+v", p, p.Server)
	}
}
