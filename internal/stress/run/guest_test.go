package run

import (
	"log/slog"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// A handful of guests come to a real node, each as a new one.
func TestGuestsOnANode(t *testing.T) {
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.Memory,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler), GuestKeep: time.Hour,
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
		Mode: report.Guest,
	})
	if rep.OK != 5 || rep.Tries != 5 || rep.LoggedOut != 5 || rep.HashBoundSeconds != 0 {
		t.Errorf("%+v", rep)
	}
}
