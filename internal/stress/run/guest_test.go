package run

import (
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/server"
)

// A handful of guests come to a real node, each as a new one.
func TestGuestsOnANode(t *testing.T) {
	node := startNode(t, func(c *server.Config) { c.GuestKeep = time.Hour })
	rep := mustRun(t, t.Context(), Config{
		Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(), Clients: 5,
		Mode: report.Guest,
	})
	if rep.OK != 5 || rep.Tries != 5 || rep.LoggedOut != 5 || rep.HashBoundSeconds != 0 {
		t.Errorf("%+v", rep)
	}
}
