package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const maxMetrics = 1 << 20 // bytes

// serverMetrics is what the admin listener's /metrics.json holds, as far as the report needs it.
type serverMetrics struct {
	Auth struct {
		Counters  report.AuthCounters `json:"counters"`
		Depth     int                 `json:"depth"`
		Capacity  int                 `json:"capacity"`
		Workers   int                 `json:"workers"`
		Wait      latency.Summary     `json:"wait"`
		Load      latency.Summary     `json:"load"`
		Derive    latency.Summary     `json:"derive"`
		Commit    latency.Summary     `json:"commit"`
		BatchSize report.Counts       `json:"batch_size"`
		HashMS    float64             `json:"hash_ms"`
	} `json:"auth"`
	Tick struct {
		report.TickCounters
		Players          int             `json:"players"`
		Lateness         latency.Summary `json:"lateness"`
		Duration         latency.Summary `json:"duration"`
		SnapshotRate     float64         `json:"snapshot_rate"`
		Snapshots        int64           `json:"snapshots"`
		SnapshotsSkipped int64           `json:"snapshots_skipped"`
	} `json:"tick"`
	CPU     *serverCPU `json:"cpu"` // nil: the server does not tell
	Process struct {
		RSSBytes   int64   `json:"rss_bytes"`
		CPUSeconds float64 `json:"cpu_seconds"`
		Cores      int     `json:"cores"`
		// UptimeMS is when they were read, by the server's clock; 0: it does not tell.
		UptimeMS float64 `json:"uptime_ms"`
	} `json:"process"`
	Node struct {
		Run      string `json:"run"` // as at the target; empty: the server does not tell
		Address  string `json:"address"`
		Version  string `json:"version"`
		Revision string `json:"revision"`
		System   string `json:"system"`
		CPUs     int    `json:"cpus"`
		Store    string `json:"store"`
		Hash     string `json:"hash"`
	} `json:"node"`
}

// serverCPU is what the server has used its processors for since its start, in milliseconds.
type serverCPU struct {
	Process float64 `json:"process_ms"`
	Hash    float64 `json:"hash_ms"`
	Door    float64 `json:"door_ms"`
	Tick    float64 `json:"tick_ms"`
	Uptime  float64 `json:"uptime_ms"` // when they were read, by the server's clock; 0: it does not tell
}

// observer looks at the server from outside: before and after the load, and every second while it goes on.
type observer struct {
	cfg     *Config
	network *network
	client  *client.Client
	target  *http.Transport
	seen    seenNodes
	nodes   []*node // those with figures
	playAt  time.Time
}

func newObserver(n *network) *observer {
	o := &observer{cfg: n.cfg, network: n, target: n.transport(observers + 1), seen: seenNodes{network: n}}
	c, err := client.New(n.cfg.Target, client.Options{Transport: n.adapted(o.target), TryTimeout: observeTime})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	o.client = c
	return o
}

// snapshotRate returns how many snapshots per second the server says it sends to each player, 0 if it does not say.
func (o *observer) snapshotRate() float64 {
	if len(o.nodes) == 0 {
		return 0
	}
	return o.nodes[0].first.Tick.SnapshotRate
}

// restarted reports whether a node was restarted during the run.
func (o *observer) restarted() bool {
	return slices.ContainsFunc(o.nodes, func(n *node) bool { return n.restarts > 0 })
}

func (o *observer) close() {
	o.target.CloseIdleConnections()
	for _, n := range o.nodes {
		n.via.CloseIdleConnections()
	}
}

// before takes the figures that the later ones are compared with.
func (o *observer) before(ctx context.Context, rep *report.Report) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	o.meet(ctx, rep)
	o.describe(rep)
}

// watch reads the figures every second until ctx ends, and hands on what happened in between.
func (o *observer) watch(ctx context.Context, interval time.Duration, tell func(*report.ServerPoint)) {
	if len(o.nodes) == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		var reading sync.WaitGroup
		for _, n := range o.nodes {
			reading.Go(func() { n.see(ctx) })
		}
		reading.Wait()
		if p := pointOf(o.nodes); p != nil {
			tell(p)
		}
	}
}

// see takes the node's next reading, unless it is away: then there is a gap.
func (n *node) see(ctx context.Context) {
	m, err := n.metrics(ctx)
	if err != nil {
		return
	}
	p := n.add(m, time.Now())
	if n.since != nil {
		p = together(n.since, p)
	}
	n.since = p
}

// pointOf returns what all nodes together did since it last did so; nil if one of them has not been read since: a sum
// without it would look as if it had done nothing.
func pointOf(nodes []*node) *report.ServerPoint {
	if slices.ContainsFunc(nodes, func(n *node) bool { return n.since == nil }) {
		return nil
	}
	sum := *nodes[0].since
	for _, n := range nodes[1:] {
		sum = beside(&sum, n.since)
	}
	for _, n := range nodes {
		n.since = nil
	}
	return &sum
}

// beside returns what two nodes did in the same time.
func beside(a, b *report.ServerPoint) report.ServerPoint {
	p := report.ServerPoint{
		Length: (a.Length + b.Length) / 2,
		Depth:  a.Depth + b.Depth, Capacity: a.Capacity + b.Capacity, Players: a.Players + b.Players,
		Wait: merged(a.Wait, b.Wait), Lateness: merged(a.Lateness, b.Lateness), Skipped: a.Skipped + b.Skipped,
		Cores: a.Cores + b.Cores, RSS: a.RSS + b.RSS,
	}
	if a.CPU != nil && b.CPU != nil {
		sum := a.CPU.Plus(*b.CPU)
		p.CPU = &sum
	}
	return p
}

// after reads the figures again, while the players are still inside. watch has to have returned.
func (o *observer) after(ctx context.Context, rep *report.Report) {
	if o.cfg.Adapter.Kind != "" {
		return
	}
	if s, err := o.client.Status(ctx); err != nil {
		rep.Note(fmt.Sprintf("players inside at the end unknown: %v", err))
	} else {
		rep.PlayersAtEnd = &s.Players
	}
	for _, n := range o.nodes {
		m, err := n.metrics(ctx)
		if err != nil {
			rep.Note(fmt.Sprintf("no figures of the server from after the run: %v", err))
			return
		}
		n.add(m, time.Now())
	}
	for _, n := range o.nodes {
		if n.lost.Load() {
			rep.Note(fmt.Sprintf("for a while %s was the admin listener of another node than the target: what it said then is"+
				" left out", n.admin))
		}
		n.fill(rep)
	}
	if rep.Server != nil {
		trim(rep.Server)
	}
}

// metricsTime is how long a node's figures may take.
const metricsTime = 5 * time.Second

// fetchMetrics reads the figures of the node whose admin listener it is.
func fetchMetrics(ctx context.Context, via http.RoundTripper, admin string) (*serverMetrics, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsTime)
	defer cancel()
	url := strings.TrimRight(admin, "/") + "/metrics.json"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d from %s", resp.StatusCode, url)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetrics+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
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
