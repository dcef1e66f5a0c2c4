package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// node is a server that does to each connection what serve says.
type node struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	sources map[string]int
	conns   []net.Conn
}

func serve(t *testing.T, do func(n int, conn net.Conn, request string)) *node {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &node{listener: l, sources: map[string]int{}}
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.sources[strings.Split(conn.RemoteAddr().String(), ":")[0]]++
			s.mu.Unlock()
			s.wg.Go(func() {
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				n, _ := strconv.Atoi(r.URL.Query().Get("n"))
				body, _ := io.ReadAll(r.Body)
				do(n, conn, string(body))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *node) address() netip.AddrPort { return netip.MustParseAddrPort(s.listener.Addr().String()) }

func request(dst []byte, n int) []byte {
	dst = append(dst, "POST /v1/register?n="...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"...)
}

// config returns one with which no client of a node that answers loses patience, however slow the machine is.
func config(target netip.AddrPort) Config {
	return Config{
		Target: target, Sources: Loopback, PerSecond: 200, Length: time.Second, Patience: MaxPatience, MaxOpen: 1000,
		Request: request,
	}
}

func mustRun(t *testing.T, ctx context.Context, cfg Config) Result {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.hopeless = time.Hour // however slow the machine is
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return f.Result()
}

// openFiles returns how many this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// What becomes of a knock is what the server does to it: an answer whole or in pieces, an end, or silence.
func TestFloodTellsWhatItGets(t *testing.T) {
	s := serve(t, func(n int, conn net.Conn, body string) {
		if body != "{}" {
			t.Errorf("request %d has the body %q", n, body)
		}
		write := func(s string) { io.WriteString(conn, s) }
		switch n % 5 {
		case 0:
			write("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
		case 1:
			write(refusal)
		case 2:
			write(refusal[:70])
			time.Sleep(time.Millisecond)
			write(refusal[70:])
		case 3:
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	})
	before := openFiles(t)
	cfg := config(s.address())
	cfg.Patience = 4 * time.Second
	r := mustRun(t, t.Context(), cfg)
	r.Late = 0 // which is the machine's affair
	if r.Counts != (Counts{Knocks: 200, In: 40, Refused: 80, Gone: 40, Silent: 40}) {
		t.Errorf("%+v", r.Counts)
	}
	if len(r.Answers) != 2 || r.Answers[0].Status != 503 || r.Answers[0].Reason != "server-busy" ||
		r.Answers[0].Count != r.Refused || r.Answers[0].Age.Count != int64(r.Refused) || r.Answers[1].Status != 201 {
		t.Errorf("%+v", r.Answers)
	}
	s.mu.Lock()
	if len(s.sources) != r.Knocks {
		t.Errorf("%d knocks came from %d addresses", r.Knocks, len(s.sources))
	}
	s.mu.Unlock()
	if got := openFiles(t); got > before+r.Knocks { // those of the server
		t.Errorf("%d files were open, %d are", before, got)
	}
	if r.Delay.Count != int64(r.Knocks) || r.CPU <= 0 {
		t.Errorf("%+v", r)
	}
}

// A flood that is interrupted ends, and leaves nothing open.
func TestFloodInterrupted(t *testing.T) {
	t.Parallel()
	knocked := make(chan bool, 1000)
	s := serve(t, func(int, net.Conn, string) { knocked <- true })
	ctx, stop := context.WithCancel(t.Context())
	cfg := config(s.address())
	cfg.Length = time.Hour
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	<-knocked
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := f.Result(); r.Knocks == 0 || r.Open != r.Knocks {
		t.Errorf("%+v", r.Counts)
	}
}

// Knocks for which there is no room are not made, and the result says so.
func TestFloodWithoutRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, func(int, net.Conn, string) {})
	cfg := config(s.address())
	cfg.MaxOpen, cfg.Patience = 3, 2*time.Second
	if r := mustRun(t, t.Context(), cfg); r.Knocks != 3 || r.Unmade != 197 || r.Full != 197 || r.Silent != 3 {
		t.Errorf("%+v", r.Counts)
	}
}

func TestFloodAtAClosedDoor(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	cfg := config(target)
	cfg.Length = 100 * time.Millisecond
	if r := mustRun(t, t.Context(), cfg); r.Gone != r.Knocks || r.Knocks == 0 {
		t.Errorf("%+v", r.Counts)
	}
}

func TestFloodOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n, _ := strconv.Atoi(r.URL.Query().Get("n")); n % 3 {
		case 0:
			w.WriteHeader(http.StatusCreated)
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, `{"reason":"server-busy"}`)
		default:
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	cfg := config(netip.MustParseAddrPort(s.Listener.Addr().String()))
	cfg.PerSecond, cfg.Length = 60, 500*time.Millisecond
	cfg.TLS = &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}
	r := mustRun(t, t.Context(), cfg)
	if r.Knocks != 30 || r.In != 10 || r.Refused != 10 || r.Gone != 10 {
		t.Errorf("%+v", r)
	}
}

// A prefix that cannot work is refused before the flood begins.
func TestFloodSources(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   error
		text   string
	}{
		"none": {func(c *Config) { c.Sources = netip.Prefix{} }, ErrSources, "not a prefix"},
		"IPv6": {func(c *Config) { c.Sources = netip.MustParsePrefix("fd00::/64") }, ErrSources, "not a prefix"},
		"not on loopback": {func(c *Config) { c.Sources = netip.MustParsePrefix("192.0.2.0/24") }, ErrSources,
			"cannot be reached"},
		"not of this host": {func(c *Config) {
			c.Sources, c.Target = netip.MustParsePrefix("192.0.2.0/24"), netip.MustParseAddrPort("198.51.100.1:80")
		}, ErrSources, "ip route add local 192.0.2.0/24"},
		"too few": {func(c *Config) {
			c.Sources, c.PerSecond, c.Length = netip.MustParsePrefix("127.64.0.0/32"), 100_000, time.Minute
		}, ErrSources, "larger prefix"},
		"an IPv6 target":    {func(c *Config) { c.Target = netip.MustParseAddrPort("[::1]:80") }, errConfig, "[::1]:80"},
		"no rate":           {func(c *Config) { c.PerSecond = 0 }, errConfig, "above 0"},
		"for ever":          {func(c *Config) { c.Length = 100 * time.Hour }, errConfig, "10000000 are the most"},
		"no patience":       {func(c *Config) { c.Patience = -1 }, errConfig, "patience"},
		"warm for too long": {func(c *Config) { c.Warm = c.Length }, errConfig, "warm up"},
		"no room":           {func(c *Config) { c.MaxOpen = 0 }, errConfig, "no connection"},
	} {
		cfg := config(netip.MustParseAddrPort("127.0.0.1:80"))
		tt.change(&cfg)
		if _, err := New(cfg); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No address is used twice before all have been, and none stands for a network.
func TestSources(t *testing.T) {
	for prefix, want := range map[string][]string{
		"127.64.0.0/30": {"127.64.0.1", "127.64.0.2", "127.64.0.1"},
		"127.64.0.5/31": {"127.64.0.4", "127.64.0.5", "127.64.0.4"},
		"127.64.0.9/32": {"127.64.0.9", "127.64.0.9"},
		"127.64.0.0/10": {"127.64.0.1", "127.64.0.2", "127.64.0.3"},
	} {
		cfg := Config{Sources: netip.MustParsePrefix(prefix)}
		for n, w := range want {
			if got := netip.AddrFrom4(cfg.source(n)).String(); got != w {
				t.Errorf("%s: %d is %s, want %s", prefix, n, got, w)
			}
		}
	}
}

// The server chooses the kinds of answers, and no more than so many are told apart.
func TestFloodBoundsKinds(t *testing.T) {
	f, err := New(config(netip.MustParseAddrPort("127.0.0.1:80")))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.start(now)
	for i := range 1000 {
		f.answered(now, now, 400, strconv.AppendInt(nil, int64(i), 10))
	}
	r := f.Result()
	if len(r.Answers) != maxKinds+1 || r.Answers[0].Status != 0 || r.Answers[0].Count != 1000-maxKinds ||
		r.Refused != 1000 {
		t.Errorf("%d kinds, %+v", len(r.Answers), r.Answers[0])
	}
	busy := []byte("0")
	if n := testing.AllocsPerRun(100, func() { f.answered(now, now, 400, busy); f.made(now, now) }); n > 0 {
		t.Errorf("%v allocations for a knock", n)
	}
}

// What happens while the node warms up, and after the last knock is due, is not what its pace is measured by.
func TestFloodCountsAWindow(t *testing.T) {
	cfg := config(netip.MustParseAddrPort("127.0.0.1:80"))
	cfg.Length, cfg.Warm = 10*time.Second, 2*time.Second
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	f.start(begin)
	for _, at := range []time.Duration{0, 2*time.Second - 1, 2 * time.Second, 10*time.Second - 1, 10 * time.Second} {
		f.answered(begin, begin.Add(at), 201, nil)
	}
	if r := f.Result(); r.In != 5 || r.Counted != (Counts{In: 2}) {
		t.Errorf("%+v", r)
	}
}

// A generator that falls behind does not catch up with what is long past.
func TestFloodDoesNotCatchUp(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int, conn net.Conn, _ string) { io.WriteString(conn, refusal) })
	f, err := New(config(s.address()))
	if err != nil {
		t.Fatal(err)
	}
	f.hopeless = 0 // as if everything took too long
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := f.Result(); r.Knocks != 0 || r.Unmade != 200 || r.Full != 0 {
		t.Errorf("%+v", r.Counts)
	}
}
