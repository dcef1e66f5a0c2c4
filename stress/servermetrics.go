package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
)

const maxMetrics = 1 << 20 // bytes

// serverMetrics is what the admin listener's /metrics.json holds, as far as the report needs it.
type serverMetrics struct {
	Auth struct {
		Counters  AuthCounters     `json:"counters"`
		Workers   int              `json:"workers"`
		Wait      latency.Summary  `json:"wait"`
		Load      latency.Summary  `json:"load"`
		Derive    latency.Summary  `json:"derive"`
		Commit    latency.Summary  `json:"commit"`
		BatchSize map[string]int64 `json:"batch_size"`
		HashMS    float64          `json:"hash_ms"`
	} `json:"auth"`
	Tick struct {
		TickCounters
		Lateness         latency.Summary `json:"lateness"`
		Duration         latency.Summary `json:"duration"`
		SnapshotRate     float64         `json:"snapshot_rate"`
		Snapshots        int64           `json:"snapshots"`
		SnapshotsSkipped int64           `json:"snapshots_skipped"`
	} `json:"tick"`
	Process struct {
		RSSBytes   int64   `json:"rss_bytes"`
		CPUSeconds float64 `json:"cpu_seconds"`
		Cores      int     `json:"cores"`
	} `json:"process"`
}

// restartedSince reports whether the server was restarted between an earlier reading and m.
func (m *serverMetrics) restartedSince(earlier *serverMetrics) bool {
	return m.Process.CPUSeconds < earlier.Process.CPUSeconds || m.Tick.Ticks < earlier.Tick.Ticks
}

// observer looks at the server from outside, before and after the load.
type observer struct {
	cfg           *Config
	client        *client.Client
	target, admin *http.Transport
	first         *serverMetrics // nil: could not be read
}

func newObserver(cfg *Config, spread bool) *observer {
	o := &observer{cfg: cfg, target: cfg.transport(cfg.Clients+1, spread), admin: cfg.transport(0, false)}
	c, err := client.New(cfg.Target, client.Options{Transport: o.target, TryTimeout: observeTime})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	o.client = c
	return o
}

// snapshotRate returns how many snapshots per second the server says it sends to each player, 0 if it does not say.
func (o *observer) snapshotRate() float64 {
	if o.first == nil {
		return 0
	}
	return o.first.Tick.SnapshotRate
}

func (o *observer) close() {
	o.target.CloseIdleConnections()
	o.admin.CloseIdleConnections()
}

// before takes the figures that the later ones are compared with.
func (o *observer) before(ctx context.Context, rep *Report) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	if s, err := o.client.Status(ctx); err != nil {
		rep.note(fmt.Sprintf("players inside before the run unknown: %v", err))
	} else {
		rep.PlayersBefore = &s.Players
	}
	if o.cfg.Admin == "" {
		rep.note("no server metrics: no admin URL given")
		return
	}
	m, err := o.metrics(ctx)
	if err != nil {
		rep.note(fmt.Sprintf("no server metrics from before the run: %v", err))
		return
	}
	o.first = m
}

// after reads the figures again, while the players are still inside.
func (o *observer) after(ctx context.Context, rep *Report) {
	if s, err := o.client.Status(ctx); err != nil {
		rep.note(fmt.Sprintf("players inside at the end unknown: %v", err))
	} else {
		rep.PlayersAtEnd = &s.Players
	}
	if o.first == nil {
		return
	}
	m, err := o.metrics(ctx)
	if err != nil {
		rep.note(fmt.Sprintf("no server metrics from after the run: %v", err))
		return
	}
	if m.restartedSince(o.first) {
		rep.note("the server was restarted during the run: its counters are those since")
		o.first = new(serverMetrics)
	}
	rep.Server = serverReport(o.first, m)
}

func (o *observer) metrics(ctx context.Context) (*serverMetrics, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := strings.TrimRight(o.cfg.Admin, "/") + "/metrics.json"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := o.admin.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d from %s", resp.StatusCode, url)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetrics+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxMetrics {
		return nil, fmt.Errorf("more than %d bytes from %s", maxMetrics, url)
	}
	m := new(serverMetrics)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return m, nil
}

// serverReport tells what happened between two readings.
func serverReport(a, b *serverMetrics) *ServerReport {
	b.Tick.Lateness.Buckets, b.Tick.Duration.Buckets = "", "" // for computing, not for reading
	return &ServerReport{
		Auth:       b.Auth.Counters.since(a.Auth.Counters),
		BatchSizes: since(b.Auth.BatchSize, a.Auth.BatchSize),
		Wait:       b.Auth.Wait,
		Load:       b.Auth.Load,
		Derive:     b.Auth.Derive,
		Commit:     b.Auth.Commit,
		HashMS:     b.Auth.HashMS,
		Workers:    b.Auth.Workers,
		Cores:      b.Process.Cores,
		Tick:       b.Tick.since(a.Tick.TickCounters),
		Lateness:   b.Tick.Lateness,
		Duration:   b.Tick.Duration,
		RSSBefore:  a.Process.RSSBytes,
		RSSAtEnd:   b.Process.RSSBytes,
		CPUSeconds: b.Process.CPUSeconds - a.Process.CPUSeconds,
	}
}

func (c AuthCounters) since(a AuthCounters) AuthCounters {
	return AuthCounters{
		Queued:       c.Queued - a.Queued,
		Processed:    c.Processed - a.Processed,
		Expired:      c.Expired - a.Expired,
		RejectedBusy: c.RejectedBusy - a.RejectedBusy,
		RateLimited:  c.RateLimited - a.RateLimited,
		Success:      c.Success - a.Success,
		Fail:         since(c.Fail, a.Fail),
	}
}

func (c TickCounters) since(a TickCounters) TickCounters {
	return TickCounters{
		Ticks:    c.Ticks - a.Ticks,
		Late:     c.Late - a.Late,
		Skipped:  c.Skipped - a.Skipped,
		Panics:   c.Panics - a.Panics,
		Overruns: c.Overruns - a.Overruns,
	}
}

// since returns the entries of now that have grown, by how much.
func since(now, before map[string]int64) map[string]int64 {
	grown := make(map[string]int64)
	for k, n := range now {
		if d := n - before[k]; d != 0 {
			grown[k] = d
		}
	}
	return grown
}
