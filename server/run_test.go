package server_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/rushgate/rushgate/client"
)

// Who can ask both of a node's listeners can tell that they are of one node, and of which start of it.
func TestBothListenersTellTheRunOfTheNode(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		s := start(t, config(t, t.TempDir()))
		public, err := newClient(t, s, client.Options{}).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		status, body := operator(t, s, "/metrics.json")
		if status != http.StatusOK {
			t.Fatalf("/metrics.json: %d", status)
		}
		var dump struct {
			Node    struct{ Run, Version, System, Store, Hash string }
			Process struct {
				Uptime float64 `json:"uptime_ms"`
			}
			CPU struct {
				Uptime float64 `json:"uptime_ms"`
			}
		}
		if err := json.Unmarshal([]byte(body), &dump); err != nil {
			t.Fatal(err)
		}
		if len(public.Run) < 20 || dump.Node.Run != public.Run || seen[public.Run] {
			t.Errorf("the node says it is %q, its admin listener %q", public.Run, dump.Node.Run)
		}
		seen[public.Run] = true
		n := &dump.Node
		if n.Version == "" || n.System == "" || n.Store == "" || n.Hash == "" {
			t.Errorf("what is measured: %+v", n)
		}
		if p, c := dump.Process.Uptime, dump.CPU.Uptime; p <= 0 || c <= 0 {
			t.Errorf("read %v and %v ms after the start", p, c)
		}
	}
}
