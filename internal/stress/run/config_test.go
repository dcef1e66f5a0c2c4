package run

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	good := Config{Target: "http://127.0.0.1:8080", Clients: 1}
	if _, err := good.WithDefaults(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		field  string
		change func(*Config)
	}{
		{"Target", func(c *Config) { c.Target = "" }},
		{"Target", func(c *Config) { c.Target = "127.0.0.1:8080" }},
		{"Admin", func(c *Config) { c.Admin = "nowhere" }},
		{"Scenario", func(c *Config) { c.Scenario = "torrent" }},
		{"Mode", func(c *Config) { c.Mode = "guess" }},
		{"Mode", func(c *Config) { c.Mode, c.Adapter.Kind = report.Opaque, adapter.Kratos }},
		{"Mode", func(c *Config) { c.Mode, c.Adapter.Kind = report.Guest, adapter.Kratos }},
		{"Mode", func(c *Config) {
			c.Scenario, c.Clients, c.Rate, c.Stay, c.Mode = report.Mixed, 0, 5, time.Second, report.Opaque
		}},
		{"WebSocket", func(c *Config) { c.WebSocket = true }},
		{"Clients", func(c *Config) { c.Clients = 0 }},
		{"Clients", func(c *Config) { c.Clients = MaxClients + 1 }},
		{"Rate", func(c *Config) { c.Scenario = report.Ramp }},
		{"Rate", func(c *Config) { c.Scenario, c.Rate = report.Ramp, math.NaN() }},
		{"Rate", func(c *Config) { c.Scenario, c.Rate = report.Ramp, math.Inf(1) }},
		{"Rate", func(c *Config) { c.Rate = 5 }},
		{"Prefix", func(c *Config) { c.Prefix = "two words" }},
		{"Prefix", func(c *Config) { c.Prefix = "Upper" }},
		{"Prefix", func(c *Config) { c.Prefix = strings.Repeat("x", 26) }},
		{"Password", func(c *Config) { c.Password = "line\nbreak" }},
		{"Timeout", func(c *Config) { c.Timeout = -1 }},
		{"Duration", func(c *Config) { c.Duration = -1 }},
		{"Stay", func(c *Config) { c.Stay = maxTime + 1 }},
		{"Rate", func(c *Config) { c.Scenario, c.Clients, c.Rate = report.Ramp, 3, 1e-10 }}, // the last one in 634 years
		{"Rate", func(c *Config) { c.Scenario, c.Clients, c.Rate = report.ReconnectStorm, MaxClients, 1 }},
		{"Length", func(c *Config) {
			c.Scenario, c.Clients, c.Capacity, c.Peak, c.Length = report.LaunchDay, 0, 1, 10, maxTime
		}},
		// More players would be inside at once than there are accounts for.
		{"Stay", func(c *Config) { c.Scenario, c.Clients, c.Rate, c.Length = report.Mixed, 0, 1000, time.Minute }},
		{"Stay", func(c *Config) {
			c.Scenario, c.Clients, c.Rate, c.Length, c.Stay = report.Mixed, 0, 100, time.Hour, time.Minute
		}},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		if _, err := cfg.WithDefaults(); err == nil || !strings.HasPrefix(err.Error(), "stress: "+tt.field+": ") {
			t.Errorf("%s: error %v", tt.field, err)
		}
	}
}

// What is close to a bound is within it.
func TestConfigsAtTheirBounds(t *testing.T) {
	for name, cfg := range map[string]Config{
		"one player in a century":     {Scenario: report.Ramp, Clients: 1, Rate: 1e-10},
		"a ramp of a week":            {Scenario: report.Ramp, Clients: 7*24*3600 + 1, Rate: 1},
		"a slow launch":               {Scenario: report.LaunchDay, Capacity: 0.1, Peak: 10, Length: maxTime},
		"a launch of unknown size":    {Scenario: report.LaunchDay, Peak: 10, Length: maxTime},
		"guests who come in turns":    {Scenario: report.Mixed, Rate: 50, Length: time.Hour, Stay: 30 * time.Second},
		"guests who come and stay":    {Scenario: report.Mixed, Rate: 100, Length: 2 * time.Minute},
		"many, but none of them logs": {Scenario: report.Mixed, Rate: 10_000, Length: time.Minute, Mix: Mix{Register: 1}},
	} {
		cfg.Target = "http://game.test"
		if _, err := cfg.WithDefaults(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSources(t *testing.T) {
	for i, want := range map[int]string{0: "127.1.0.1", 253: "127.1.0.254", 254: "127.1.1.1", 254 * 256: "127.2.0.1"} {
		if got := source(i); got != netip.MustParseAddr(want) {
			t.Errorf("source(%d) = %v, want %s", i, got, want)
		}
	}
	seen := map[netip.Addr]bool{}
	for i := range 300_000 {
		a := source(i)
		if last := a.As4()[3]; seen[a] || !a.IsLoopback() || last == 0 || last == 255 {
			t.Fatalf("source(%d) = %v", i, a)
		}
		seen[a] = true
	}
}

func TestCanSpread(t *testing.T) {
	for target, noted := range map[string]bool{"http://192.0.2.1": false, "https://play.example.org": false,
		"http://[::1]:80": true} {
		if ok, note := (&Config{Target: target}).canSpread(); ok || (note != "") != noted {
			t.Errorf("%s: %v, note %q", target, ok, note)
		}
	}
}
