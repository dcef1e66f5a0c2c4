package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// faulty are providers that hang, answer garbage, and answer 503; with fine ones in their places they do not.
func faulty(t *testing.T, fine bool) (file string) {
	t.Helper()
	end := make(chan struct{})
	var entries []string
	well := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":"http://%[1]s","authorization_endpoint":"http://%[1]s/a",`+
			`"token_endpoint":"http://%[1]s/t","jwks_uri":"http://%[1]s/k",`+
			`"id_token_signing_alg_values_supported":["ES256"]}`, r.Host)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-end:
			case <-r.Context().Done():
			}
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("\xff\x00"), 64<<10)) },
		"away":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		if fine {
			answer = well
		}
		s := httptest.NewServer(answer)
		t.Cleanup(s.Close)
		entries = append(entries, fmt.Sprintf(`{"name":%q,"issuer":%q,"client_id":"web","redirect":%[2]q}`, name, s.URL))
	}
	t.Cleanup(func() { close(end) }) // before the servers are closed, which wait for their answers
	return providersFile(t, entries...)
}

// faultyPlayers are players of those providers, each from an address of its own, who come again when they are told to,
// or after a second.
type faultyPlayers struct {
	told     atomic.Int64 // how often they were told when to come back
	strange  atomic.Int64 // how often they were told anything else
	running  sync.WaitGroup
	end      chan struct{}
	requests *http.Client
}

func startFaultyPlayers(s *server.Server, n int) *faultyPlayers {
	requests := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	p := &faultyPlayers{end: make(chan struct{}), requests: requests}
	for i := range n {
		p.running.Go(func() { p.come(s, i) })
	}
	return p
}

// stop ends them, and returns when they have.
func (p *faultyPlayers) stop() {
	close(p.end)
	p.running.Wait()
	p.requests.CloseIdleConnections()
}

func (p *faultyPlayers) come(s *server.Server, i int) {
	url := fmt.Sprintf("http://%s/v1/identities/%s/begin", s.HTTPAddr(), []string{"hangs", "garbage", "away"}[i%3])
	for {
		req, err := http.NewRequest(http.MethodPost, url, http.NoBody)
		if err != nil {
			panic(err)
		}
		req.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%250))
		var a answer
		resp, err := p.requests.Do(req)
		if err == nil {
			err = json.NewDecoder(resp.Body).Decode(&a)
			_ = resp.Body.Close()
		}
		if err == nil && resp.StatusCode == 503 && a.Reason == rushgate.ServerBusy && a.After >= 1000 {
			p.told.Add(1)
		} else {
			p.strange.Add(1)
		}
		select {
		case <-p.end:
			return
		case <-time.After(max(time.Duration(a.After)*time.Millisecond, time.Second)):
		}
	}
}

// While providers hang, answer garbage and are away, players come in by their passwords, and the players of those
// providers hear when to come back.
func TestProvidersThatFailAreInNobodysWay(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.UDPAddr = server.Memory, server.NoUDP
	cfg.OIDCFile, cfg.ProviderNetworks, cfg.TrustedProxies = faulty(t, false), loopback, []netip.Prefix{loopback[0]}
	s := start(t, cfg)
	players := startFaultyPlayers(s, 30)
	c := newClient(t, s, client.Options{})
	for i := range 20 {
		if _, err := c.Register(t.Context(), fmt.Sprint("player-", i), "correct horse"); err != nil {
			t.Errorf("player %d: %v", i, err)
		}
	}
	players.stop()
	if told, strange := players.told.Load(), players.strange.Load(); told == 0 || strange > 0 {
		t.Errorf("%d times told when to come back, %d times something else", told, strange)
	}
}

// A thousand log in by their passwords while a hundred want in by providers that hang, answer garbage or are away. What
// they notice of that is shown as ratios of runs in turns: beside nobody, beside a hundred of providers that are fine,
// and beside those; of the time until nine of ten are in, and of the CPU, in which those hundred and the providers are,
// too.
func TestRushBesideProvidersThatFail(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("runs of 1000 logins in turns; the test above is the short form (RUSHGATE_LONG=1)")
	}
	const turns = 15
	run := func(beside string) rushed {
		file, players := faulty(t, beside == "fine"), 100
		if beside == "nobody" {
			players = 0
		}
		change := func(c *server.Config) {
			c.OIDCFile, c.ProviderNetworks, c.TrustedProxies = file, loopback, []netip.Prefix{loopback[0]}
		}
		start := func(s *server.Server) func() { return startFaultyPlayers(s, players).stop }
		all := rush{Logins: 1000}
		return all.runBeside(t, false, password.DefaultIterations, change, start)
	}
	kinds := []string{"nobody", "fine", "failing"}
	goodput, cpu := make(map[string][]float64), make(map[string][]float64)
	for i := range turns {
		runs := make(map[string]rushed)
		for k := range kinds {
			kind := kinds[(i+k)%len(kinds)] // each comes first as often
			runs[kind] = run(kind)
		}
		for _, kind := range kinds[:2] {
			goodput[kind] = append(goodput[kind], runs[kind].most.Seconds()/runs["failing"].most.Seconds())
			cpu[kind] = append(cpu[kind], runs[kind].cpu.Seconds()/runs["failing"].cpu.Seconds())
		}
		t.Log(runs)
	}
	for _, kind := range kinds[:2] {
		g, c := goodput[kind], cpu[kind]
		slices.Sort(g)
		slices.Sort(c)
		t.Logf("goodput beside players of providers that fail is %.3f of that beside %s (median of %d, quartiles %.3f and "+
			"%.3f), by the CPU %.3f (%.3f and %.3f)", g[turns/2], kind, turns, g[turns/4], g[3*turns/4], c[turns/2],
			c[turns/4], c[3*turns/4])
	}
}
