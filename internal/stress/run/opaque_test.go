package run

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/server"
)

// A handful of players log in to a real node by OPAQUE: to accounts that are made for them, over the connection that
// they have begun on, and with what they compute told apart.
func TestOpaqueOnANode(t *testing.T) {
	node := startNode(t, func(c *server.Config) { c.Opaque = server.OpaqueOnly })
	rep := mustRun(t, t.Context(), Config{
		Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(), Clients: 5,
		Mode: report.Opaque,
	})
	o := rep.Opaque
	if rep.OK != 5 || rep.Tries != 5 || rep.LoggedOut != 5 || o == nil {
		t.Fatalf("%+v", rep)
	}
	if o.Prepared != 5 || o.Computed.Count != 5 || o.Computed.P50 <= 0 || o.Argon2id <= 0 || rep.HashBoundSeconds != 0 {
		t.Errorf("%+v", o)
	}
	var text strings.Builder
	if err := rep.WriteText(&text); err != nil || !strings.Contains(text.String(), "OPAQUE: 5 accounts were registered") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// parrot is a server that answers all with the same.
type parrot struct {
	mu     sync.Mutex
	status int
	body   string
	paths  []string
	bodies string
}

func (p *parrot) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.paths, p.bodies = append(p.paths, r.URL.Path), p.bodies+string(b)
	return &http.Response{StatusCode: p.status, Body: io.NopCloser(strings.NewReader(p.body)), Request: r}, nil
}

// Where a login cannot begin, the player is told what the server says, or that it makes no sense, and no password is
// sent.
func TestOpaqueThatCannotBegin(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		fails  bool
	}{{503, `{"reason":"server-busy"}`, false}, {404, ``, false}, {200, `<html>`, true}, {200, `{"ke2":"?"}`, true},
		{200, `{"ke2":"AAAA","state":"AAAA"}`, true}} {
		server := &parrot{status: test.status, body: test.body}
		way := &opaqueWay{next: server, tally: newOpaqueTally()}
		way.prepare("correct horse")
		body := `{"username":"ada","password":"correct horse","ticket":"t","attempt_id":"a"}`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node.test/below/v1/login",
			bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := way.RoundTrip(req)
		if (err != nil) != test.fails || err == nil && resp.StatusCode != test.status {
			t.Errorf("%d %s: %v", test.status, test.body, err)
		}
		asked := strings.Join(server.paths, " ")
		if asked != "/below/v1/opaque/login/start" || strings.Contains(server.bodies, "horse") {
			t.Errorf("asked %q with %s", server.paths, server.bodies)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}
