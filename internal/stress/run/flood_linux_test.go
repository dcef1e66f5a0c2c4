package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/stress/flood"
	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/server"
)

// A small flood of a node: the books of the knocks, of the players and of the node agree.
func TestFloodOfANode(t *testing.T) {
	for mode, length := range map[report.Mode]time.Duration{report.Register: 2 * time.Second, report.Login: time.Second} {
		node := startNode(t, func(c *server.Config) { c.MaxPlayers = 2000 })
		rep := mustRun(t, t.Context(), Config{
			Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(),
			Scenario: report.KnockFlood, Capacity: 1000, Rate: 20, Length: length, Play: true, Stay: 500 * time.Millisecond,
			Duration: time.Millisecond, MaxRetries: 1000,
			Knocks: Knocks{PerSecond: 200, Before: 300 * time.Millisecond, Mode: mode},
		})
		k := rep.Flood
		if k == nil {
			t.Fatalf("%s: %+v", mode, rep.Notes)
		}
		due := int(200 * length.Seconds())
		if k.Made+k.Unmade != due || k.Made == 0 || k.In+k.Refused+k.Gone+k.Silent != k.Made || k.Open != 0 || k.Gone != 0 {
			t.Errorf("%s: %+v", mode, k.Knocks)
		}
		if k.In == 0 || k.Entry.Count != int64(k.In) || k.Refusal.Count != int64(k.Refused) || k.Mode != mode {
			t.Errorf("%s: %+v", mode, k)
		}
		if rep.Clients != rep.OK || rep.Play == nil || rep.Server.Auth.Success < int64(k.In+rep.OK) {
			t.Errorf("%s: %d of %d players in, %d knocks, the node says %+v", mode, rep.OK, rep.Clients, k.In, rep.Server.Auth)
		}
		if c := rep.Server.CPU; c == nil || c.Hash <= 0 || c.Tick <= 0 || c.Process < c.Hash+c.Tick {
			t.Errorf("%s: CPU %+v", mode, c)
		}
		var knocks report.Knocks
		for _, p := range rep.Timeline.Points {
			if p.Knocks != nil {
				knocks = knocks.Plus(*p.Knocks)
			}
		}
		if knocks != k.Knocks {
			t.Errorf("%s: the timeline counts %+v of %+v", mode, knocks, k.Knocks)
		}
		var names []string
		for _, p := range rep.Phases {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); !strings.HasPrefix(got, "before onset flood") {
			t.Errorf("%s: phases %s", mode, got)
		}
	}
}

// A knock is to the server what a try of the Go client is.
func TestKnockRequest(t *testing.T) {
	u, err := url.Parse("http://game.test:8080/eu/")
	if err != nil {
		t.Fatal(err)
	}
	for mode, names := range map[report.Mode][]string{
		report.Register: {"stress-1000000000", "stress-1000000001", "stress-1009999999"},
		report.Login:    {"stress-knock-000001", "stress-knock-000002", "stress-knock-001000"},
	} {
		cfg := Config{Prefix: "stress", Password: `pass"word 9`, Knocks: Knocks{Mode: mode}}
		make, err := newKnockRequest(&cfg, u, func() float64 { return 0 })
		if err != nil {
			t.Fatal(err)
		}
		attempts := map[string]bool{}
		for i, n := range []int{0, 1, 9_999_999} {
			b := make([]byte("x"), n)
			if again := make([]byte("x"), n); !bytes.Equal(b, again) {
				t.Errorf("%s: %q and %q", mode, b, again)
			}
			req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b[1:])))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(req.Body)
			var in struct {
				Username, Password string
				Attempt            string `json:"attempt_id"`
				Takeover           bool
			}
			if err := json.Unmarshal(body, &in); err != nil || int64(len(body)) != req.ContentLength {
				t.Fatalf("%s: %q: %v", mode, b, err)
			}
			if in.Username != names[i] || in.Password != cfg.Password || !rushgate.ValidAttempt(in.Attempt) ||
				len(in.Attempt) != 26 ||
				in.Takeover != (mode == report.Login) {
				t.Errorf("%s: %+v", mode, in)
			}
			if req.URL.Path != "/eu/v1/"+string(mode) || req.Host != "game.test:8080" || req.Method != http.MethodPost {
				t.Errorf("%s: %+v", mode, req)
			}
			attempts[in.Attempt] = true
		}
		if len(attempts) != 3 {
			t.Errorf("%s: %v", mode, attempts)
		}
		buf := make(nil, 0)
		if n := testing.AllocsPerRun(10, func() { buf = make(buf[:0], 5) }); n > 0 {
			t.Errorf("%s: %v allocations", mode, n)
		}
	}
}

// What cannot be done is said before anything is.
func TestFloodMisused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   error
		text   string
	}{
		"another host": {func(c *Config) { c.Target = "http://198.51.100.1:80" }, flood.ErrSources, "--knock-sources"},
		"a prefix of another": {func(c *Config) {
			c.Target, c.Knocks.Sources = "http://198.51.100.1:80", netip.MustParsePrefix("192.0.2.0/24")
		}, flood.ErrSources, "ip route add local"},
		"IPv6":              {func(c *Config) { c.Target = "http://[::1]:80" }, nil, "IPv4"},
		"too many times":    {func(c *Config) { c.Knocks.Times = MaxPeak + 1 }, nil, "Knocks.Times"},
		"too many":          {func(c *Config) { c.Knocks.PerSecond = flood.MaxPerSecond + 1 }, nil, "Knocks.PerSecond"},
		"a mode of its own": {func(c *Config) { c.Knocks.Mode = "guess" }, nil, "Knocks.Mode"},
		"in a burst": {func(c *Config) { c.Scenario, c.Clients, c.Capacity = report.Burst, 1, 0; c.Knocks.Times = 3 }, nil,
			"has none"},
		"a rate below none": {func(c *Config) { c.Rate = -1 }, nil, "Rate"},
		"too long a prefix": {func(c *Config) { c.Prefix = strings.Repeat("x", 20) }, nil, "Prefix"},
		"no patience":       {func(c *Config) { c.Knocks.Patience = -1 }, nil, "patience"},
	} {
		cfg := Config{Target: "http://127.0.0.1:1", Scenario: report.KnockFlood, Capacity: 1}
		tt.change(&cfg)
		rep, err := Run(t.Context(), cfg)
		if rep != nil || err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A flood takes as many files as it is given, and none begins with too few.
func TestRoomForKnocks(t *testing.T) {
	cfg := Config{Scenario: report.KnockFlood, Length: 10 * time.Second, Rate: 10}
	cfg.Knocks.Patience = 10 * time.Second
	others := reservedFiles + 2*100
	for limit, want := range map[uint64]int{
		0: 10_001, 1 << 40: 10_001, uint64(others + 10_001): 10_001, uint64(others + 300): 300, uint64(others + 251): 251,
		uint64(others + 250): 0, 10: 0,
	} {
		room, err := cfg.roomForKnocks(1000, 0, func(uint64) (uint64, bool) { return limit, limit > 0 })
		if room != want || (err != nil) != (want == 0) || err != nil && !errors.Is(err, ErrTooManyFiles) {
			t.Errorf("%d: %d, %v", limit, room, err)
		}
	}
}

func TestPlanOfAFlood(t *testing.T) {
	cfg, err := Config{
		Target: "http://127.0.0.1:1", Scenario: report.KnockFlood, Length: 20 * time.Second,
		Knocks: Knocks{Before: 5 * time.Second},
	}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(&cfg, 200, func() float64 { return 1 - 1/2.718281828459045 }) // each comes after one mean interval
	near(t, "players", float64(len(p.arrivals)), 0.1*200*25)
	if cfg.knocksRate(200) != DefaultTimes*200 || len(p.sections) != 4 ||
		p.sections[2] != (section{report.PhaseFlood, 7 * time.Second}) {
		t.Errorf("%v, %+v", cfg.knocksRate(200), p.sections)
	}
}

// A flood of logins by OPAQUE that are begun and never ended: whom the node has no time for hears server-busy from
// before HTTP, and players who come with passwords get in.
func TestFloodOfBeginnings(t *testing.T) {
	node := startNode(t, func(c *server.Config) {
		c.MaxPlayers, c.Opaque, c.OriginFailures = 2000, server.OpaquePrefer, -1
	})
	rep := mustRun(t, t.Context(), Config{
		Target: "http://" + node.HTTPAddr().String(), Admin: "http://" + node.AdminAddr().String(),
		Scenario: report.KnockFlood, Capacity: 1000, Rate: 5, Length: time.Second, Play: true, Stay: 100 * time.Millisecond,
		Duration: time.Millisecond, MaxRetries: 1000, TryTimeout: time.Minute,
		Knocks: Knocks{PerSecond: 300, Mode: report.Opaque, Patience: time.Minute},
	})
	k := rep.Flood
	if k == nil {
		t.Fatalf("%+v", rep.Notes)
	}
	if k.Made == 0 || k.In+k.Refused != k.Made-k.Gone-k.Silent || k.In == 0 || k.KnocksInPerS != 0 {
		t.Errorf("%+v", k)
	}
	for _, a := range k.Answers {
		if a.Status != 200 && (a.Status != 503 || a.Reason != string(rushgate.ServerBusy)) {
			t.Errorf("%d knocks were answered %d %s", a.Count, a.Status, a.Reason)
		}
	}
	if rep.OK != rep.Clients || rep.Answers.Untimed > 0 {
		t.Errorf("%d of %d players in: %+v, %+v", rep.OK, rep.Clients, rep.Failed, rep.Answers)
	}
}
