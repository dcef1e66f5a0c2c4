package run

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lines "github.com/rushgate/rushgate/internal/line"
)

func TestKnockAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		own  string
		told []string
		want string
		ok   bool
	}{
		"none":                {"", nil, "", true},
		"told":                {"", []string{"192.0.2.1:40000", "[2001:db8::1]:1"}, "192.0.2.1:40000 [2001:db8::1]:1", true},
		"own":                 {"192.0.2.9:7", []string{"192.0.2.1:40000"}, "192.0.2.9:7", true},
		"every address":       {"", []string{"0.0.0.0:4", "[::]:5", ":6"}, "127.0.0.1:4 127.0.0.1:5 127.0.0.1:6", true},
		"without a port":      {"", []string{"192.0.2.1", "192.0.2.2:1"}, "192.0.2.2:1", false},
		"not a port":          {"", []string{"192.0.2.1:http", "192.0.2.1:0", "192.0.2.1:65536"}, "", false},
		"own without address": {":40000", nil, "127.0.0.1:40000", true},
	} {
		cfg := Config{Target: "http://127.0.0.1:8080", KnockAddr: tt.own}
		list, err := cfg.knockAddresses(t.Context(), tt.told)
		var got []string
		for _, a := range list {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = "192.0.2.1:1"
	}
	cfg := Config{Target: "http://127.0.0.1:8080"}
	if list, _ := cfg.knockAddresses(t.Context(), many); len(list) > maxKnockAddresses {
		t.Errorf("%d addresses", len(list))
	}
}

// answering is a server of one answer.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func TestFetchDocument(t *testing.T) {
	const good = `{"now_ms":5,"serving_ms":4,"pace_per_s":2.5,"waiting":3,"poll_factor":0.5,"new":[],
		"marks":[{"turn_ms":4,"before":0},{"turn_ms":9,"before":3}],"udp":["192.0.2.1:1"]}`
	d, err := fetchDocument(t.Context(), answering{200, good}, "http://game.test/")
	if err != nil || d.Waiting != 3 || len(d.Marks) != 2 || !slices.Equal(d.UDP, []string{"192.0.2.1:1"}) {
		t.Errorf("%+v, %v", d, err)
	}
	for name, tt := range map[string]struct {
		answering
		none bool
	}{
		"not there":   {answering{404, ""}, true},
		"not allowed": {answering{405, ""}, true},
		"busy":        {answering{503, good}, false},
		"no content":  {answering{204, ""}, false},
		"a page":      {answering{200, "<html>"}, false},
		"other JSON":  {answering{200, "{}"}, false},
		"of old":      {answering{200, `{"now_ms":5}`}, false},
		"too long":    {answering{200, `{"now_ms":5,"serving_ms":4,"x":"` + strings.Repeat("x", maxBody) + `"}`}, false},
	} {
		if d, err := fetchDocument(t.Context(), tt.answering, "http://game.test"); err == nil ||
			errors.Is(err, errNoLine) != tt.none {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// One reading serves all for a second, whether it succeeds or not; who leaves does not fail the others.
func TestSharedDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSharedDocument()
		asked, failure := 0, error(nil)
		ask := func(ctx context.Context) (document, error) {
			asked++
			if !sleep(ctx, 100*time.Millisecond) {
				return document{}, ctx.Err()
			}
			return document{Document: lines.Document{Now: int64(asked)}}, failure
		}
		all := func(want int64, wanted error) {
			t.Helper()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if d, err := s.get(t.Context(), ask); d.Now != want || !errors.Is(err, wanted) {
						t.Errorf("%d, %v", d.Now, err)
					}
				})
			}
			wg.Wait()
		}
		leaving, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer leave()
		go s.get(leaving, ask)
		synctest.Wait()
		all(2, nil)
		time.Sleep(sharedFor)
		failure = io.ErrUnexpectedEOF
		all(3, failure)
		time.Sleep(sharedFor)
		failure = nil
		all(4, nil)
		if asked != 4 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestLineIsConfiguredWrongly(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		field  string
	}{
		"mode":                  {func(c *Config) { c.Line = "telex" }, "Line"},
		"another server":        {func(c *Config) { c.Line, c.Adapter.Kind = LineUDP, "pocketbase" }, "Line"},
		"address":               {func(c *Config) { c.KnockAddr = "192.0.2.1" }, "KnockAddr"},
		"address for nothing":   {func(c *Config) { c.Line, c.KnockAddr = LineHTTP, "192.0.2.1:1" }, "KnockAddr"},
		"crowd":                 {func(c *Config) { c.Crowd = -1 }, "Crowd"},
		"crowd of too many":     {func(c *Config) { c.Crowd = MaxClients + 1 }, "Crowd"},
		"crowd at another":      {func(c *Config) { c.Crowd, c.Adapter.Kind = 1, "pocketbase" }, "Crowd"},
		"crowd in a storm":      {func(c *Config) { c.Crowd, c.Scenario, c.Rate = 1, "reconnect-storm", 1 }, "Crowd"},
		"names of the crowd":    {func(c *Config) { c.Crowd, c.Prefix = 1, strings.Repeat("x", 20) }, "Prefix"},
		"that is all right":     {func(c *Config) { c.Crowd, c.Line, c.KnockAddr = 1, LineUDP, "game.test:1" }, ""},
		"and so is the default": {func(*Config) {}, ""},
	} {
		cfg := Config{Target: "http://game.test", Clients: 1}
		tt.change(&cfg)
		_, err := cfg.WithDefaults()
		if (err == nil) != (tt.field == "") || err != nil && !strings.HasPrefix(err.Error(), "stress: "+tt.field+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a server says of its line, a player asks again in a bounded time, and its client is told one thing.
func FuzzLineAnswers(f *testing.F) {
	f.Add(503, `{"reason":"server-busy","place":3,"eta_low_ms":1,"eta_high_ms":9,"poll_after_ms":4000,"turn_ms":77,
		"ticket":"t"}`,
		`{"now_ms":50,"serving_ms":60,"pace_per_s":1,"waiting":9,"poll_factor":0.5,"marks":[{"turn_ms":60,"before":0}]}`)
	f.Add(503, `{"place":-1,"eta_low_ms":-9223372036854775808,"poll_after_ms":9223372036854775807,"turn_ms":-1}`,
		`{"now_ms":1,"serving_ms":-1,"pace_per_s":-1e308,"poll_factor":1e308,"opens_ms":9223372036854775807,
		"marks":[{"turn_ms":-9223372036854775808,"before":-1},{"turn_ms":9223372036854775807,"before":9223372036854775807}]}`)
	f.Add(201, `{}`, `{}`)
	f.Fuzz(func(t *testing.T, status int, body, doc string) {
		r := &run{access: access{plays: true}}
		r.cfg.Target, r.cfg.random = "http://game.test", func() float64 { return 0.5 }
		p := r.newPlace(0, nil, answering{status, body})
		req, err := http.NewRequest(http.MethodPost, "http://game.test/v1/login", strings.NewReader("{\"username\":\"a\"}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if told, err := io.ReadAll(resp.Body); err != nil || !p.waits && string(told) != body {
			t.Errorf("%q became %q, %v", body, told, err)
		}
		check := func() {
			if p.waits && (p.after < soonestAsk || p.after > maxTime) {
				t.Errorf("asks again after %v", p.after)
			}
		}
		check()
		d, err := fetchDocument(t.Context(), answering{200, doc}, r.cfg.Target)
		if err != nil {
			return
		}
		_, wait, waits := lines.PlaceOf(d.Document, time.UnixMilli(p.turn))
		if waits {
			p.later(lines.PollAfter(d.Document, wait, 0.5), false)
			check()
		}
		r.cfg.KnockAddr = "192.0.2.1:1"
		if list, err := r.cfg.knockAddresses(t.Context(), d.UDP); err != nil || !slices.Equal(list,
			[]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1")}) {
			t.Errorf("%v, %v", list, err)
		}
	})
}
