package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// A node takes guests only if it is told for how long it keeps them; a policy sees them as what they are.
func TestGuestsOfANode(t *testing.T) {
	cfg := config(t, t.TempDir())
	none := newClient(t, start(t, cfg), client.Options{})
	if s, err := none.Status(t.Context()); err != nil || s.Guests {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := none.Guest(t.Context(), client.NewGuest()); rushgate.ReasonOf(err) != rushgate.MissingCredentials {
		t.Errorf("a node that takes none: %v", err)
	}
	cfg = config(t, t.TempDir())
	cfg.GuestKeep = time.Hour
	var mu sync.Mutex
	var seen []rushgate.Knock
	cfg.Policy = func(k rushgate.Knock) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, k)
		return nil
	}
	s, err := newClient(t, start(t, cfg), client.Options{}).Guest(t.Context(), client.NewGuest())
	if err != nil {
		t.Fatal(err)
	}
	history, err := s.Account(t.Context())
	if err != nil || !strings.HasPrefix(history.Name, "guest-") {
		t.Errorf("%+v, %v", history, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 || seen[0].Kind != rushgate.KnockGuest || seen[0].Name != "" ||
		seen[1].Kind != rushgate.KnockRegister || seen[1].By != rushgate.KnockGuest || seen[1].Name != history.Name {
		t.Errorf("the policy saw %+v", seen)
	}
}

// newcomers is what it took to let in players who are new, all at once.
type newcomers struct {
	took, cpu time.Duration
	late      float64 // of the tick, its 99th percentile, in milliseconds
}

// A thousand guests come at once, and a thousand who register, to nodes of their own, in turns. How many times as fast
// the guests are in is shown; what it was is in docs/identities.md.
func TestRushOfGuests(t *testing.T) {
	n, pairs, iterations := 20, 1, password.MinIterations
	if os.Getenv("RUSHGATE_LONG") != "" {
		n, pairs, iterations = 1000, 7, password.DefaultIterations
	}
	var ratios, costs, ticks, registering, entering []float64
	for i := range pairs {
		var by [2]newcomers
		for _, k := range []int{i % 2, 1 - i%2} {
			by[k] = comeAtOnce(t, n, iterations, k == 1)
		}
		ratios = append(ratios, by[0].took.Seconds()/by[1].took.Seconds())
		costs = append(costs, by[0].cpu.Seconds()/by[1].cpu.Seconds())
		ticks = append(ticks, by[1].late)
		registering, entering = append(registering, by[0].took.Seconds()), append(entering, by[1].took.Seconds())
		t.Logf("%d registrations %+v, guests %+v: %.1f times as fast", n, by[0], by[1], ratios[i])
	}
	for _, figures := range [][]float64{ratios, costs, ticks} {
		slices.Sort(figures)
	}
	t.Logf("guests are in %.1f times as fast (median of %d pairs, quartiles %.1f and %.1f), the fastest of each %.1f "+
		"times, for a part of the CPU, clients included, of 1 in %.1f; tick p99 %.2f ms", ratios[pairs/2], pairs,
		ratios[pairs/4], ratios[3*pairs/4], slices.Min(registering)/slices.Min(entering), costs[pairs/2], ticks[pairs/2])
}

// comeAtOnce has n new players come in at once, each from an address of its own, over connections that there are.
func comeAtOnce(t *testing.T, n, iterations int, guests bool) (out newcomers) {
	cfg := config(t, t.TempDir())
	cfg.HashIterations, cfg.GuestKeep, cfg.QueueDepth = iterations, time.Hour, server.Unbounded
	cfg.MaxAge = time.Minute
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	s := start(t, cfg)
	defer s.Stop()
	transport := &http.Transport{MaxIdleConnsPerHost: n, MaxIdleConns: n}
	defer transport.CloseIdleConnections()
	base := "http://" + s.HTTPAddr().String()
	ask := func(i int, path, body string) (status int, wait time.Duration) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if body == "" {
			r.Method = http.MethodGet
		}
		if err != nil {
			t.Error(err)
			return 0, 0
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return 0, 0
		}
		defer resp.Body.Close()
		var told struct {
			Wait int64 `json:"retry_after_ms"`
		}
		b, _ := io.ReadAll(resp.Body)
		_ = json.Unmarshal(b, &told)
		return resp.StatusCode, time.Duration(told.Wait) * time.Millisecond
	}
	all := func(path string, body func(i int) string, want int) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				for try := 0; ; try++ {
					status, wait := ask(i, path, body(i))
					if status == want || t.Failed() {
						return
					}
					if status != http.StatusServiceUnavailable || try > 100 {
						t.Errorf("player %d: %d", i, status)
						return
					}
					time.Sleep(wait)
				}
			})
		}
		wg.Wait()
	}
	all("/v1/status", func(int) string { return "" }, http.StatusOK)
	begun, used := time.Now(), cpuclock.Process()
	if guests {
		secrets := make([]string, n)
		for i := range secrets {
			secrets[i] = fmt.Sprintf(`{"secret":%q}`, client.NewGuest().Text())
		}
		begun, used = time.Now(), cpuclock.Process()
		all("/v1/guest", func(i int) string { return secrets[i] }, http.StatusOK)
	} else {
		all("/v1/register", func(i int) string {
			return fmt.Sprintf(`{"username":"player-%d","password":"correct horse"}`, i)
		}, http.StatusCreated)
	}
	out.took, out.cpu = time.Since(begun), cpuclock.Process()-used
	out.late = readDump(t, s).Tick.Lateness.P99
	return out
}
