package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
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
	all := make([]*newcomer, n)
	for i := range all {
		all[i] = &newcomer{from: fmt.Sprintf("10.0.%d.%d", i>>8, i&255), path: "/v1/register", want: http.StatusCreated,
			body: fmt.Sprintf(`{"username":"player-%d","password":"correct horse"}`, i)}
		if guests {
			all[i].path, all[i].want = "/v1/guest", http.StatusOK
			all[i].body = fmt.Sprintf(`{"secret":%q}`, client.NewGuest().Text())
		}
	}
	eachOf(n, func(i int) {
		if err := all[i].connect(s.HTTPAddr().String()); err != nil {
			t.Error(err)
		}
	})
	defer eachOf(n, func(i int) { _ = all[i].conn.Close() })
	if t.Failed() {
		t.FailNow()
	}
	begun, used := time.Now(), cpuclock.Process()
	eachOf(n, func(i int) {
		if err := all[i].comeIn(); err != nil {
			t.Errorf("player %d: %v", i, err)
		}
	})
	out.took, out.cpu = time.Since(begun), cpuclock.Process()-used
	out.late = readDump(t, s).Tick.Lateness.P99
	return out
}

// newcomer is a player who is new, and speaks HTTP over one connection with as little as that takes: of the two cores
// that node and clients share, a client of net/http needs as much for a guest as the node does for a half.
type newcomer struct {
	from, path, body string
	want             int // the status of who is in
	conn             net.Conn
	in               *bufio.Reader
}

// connect opens the connection, and has a request answered, so that the node knows it.
func (c *newcomer) connect(addr string) (err error) {
	if c.conn, err = net.Dial("tcp", addr); err != nil {
		return err
	}
	c.in = bufio.NewReader(c.conn)
	status, _, err := c.ask("GET", "/v1/status", "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the status has the status %d", status)
	}
	return err
}

// comeIn asks until the player is in.
func (c *newcomer) comeIn() error {
	for try := 0; ; try++ {
		status, wait, err := c.ask("POST", c.path, c.body)
		switch {
		case err != nil || status == c.want:
			return err
		case status != http.StatusServiceUnavailable || try > 100:
			return fmt.Errorf("status %d", status)
		}
		time.Sleep(wait)
	}
}

// ask sends a request, and returns the status of its answer, and when to come back.
func (c *newcomer) ask(method, path, body string) (status int, wait time.Duration, err error) {
	_, err = fmt.Fprintf(c.conn, "%s %s HTTP/1.1\r\nHost: node\r\nX-Forwarded-For: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, c.from, len(body), body)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == c.want {
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, 0, err
	}
	var told struct {
		Wait int64 `json:"retry_after_ms"`
	}
	err = json.NewDecoder(resp.Body).Decode(&told)
	return resp.StatusCode, time.Duration(told.Wait) * time.Millisecond, err
}
