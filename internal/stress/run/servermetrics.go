package run

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
	} `json:"process"`
}

// serverCPU is what the server has used its processors for since its start, in milliseconds.
type serverCPU struct {
	Process float64 `json:"process_ms"`
	Hash    float64 `json:"hash_ms"`
	Door    float64 `json:"door_ms"`
	Tick    float64 `json:"tick_ms"`
}

// observer looks at the server from outside: before and after the load, and every second while it goes on.
type observer struct {
	cfg           *Config
	client        *client.Client
	target, admin *http.Transport
	readings      *readings // nil: the first one failed

	play   *serverMetrics // from when the play began
	playAt time.Time
}

func newObserver(n *network) *observer {
	o := &observer{cfg: n.cfg, target: n.transport(observers + 1), admin: n.transport(-1)}
	c, err := client.New(n.cfg.Target, client.Options{Transport: n.adapted(o.target), TryTimeout: observeTime})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	o.client = c
	return o
}

// snapshotRate returns how many snapshots per second the server says it sends to each player, 0 if it does not say.
func (o *observer) snapshotRate() float64 {
	if o.readings == nil {
		return 0
	}
	return o.readings.first.Tick.SnapshotRate
}

// restarted reports whether the server was restarted during the run.
func (o *observer) restarted() bool { return o.readings != nil && o.readings.restarts > 0 }

func (o *observer) close() {
	o.target.CloseIdleConnections()
	o.admin.CloseIdleConnections()
}

// before takes the figures that the later ones are compared with.
func (o *observer) before(ctx context.Context, rep *report.Report) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	if s, err := o.client.Status(ctx); err != nil {
		rep.Note(fmt.Sprintf("players inside before the run unknown: %v", err))
	} else {
		rep.PlayersBefore = &s.Players
	}
	if o.cfg.Admin == "" {
		rep.Note("no server metrics: no admin URL given")
		return
	}
	m, err := o.metrics(ctx)
	if err != nil {
		rep.Note(fmt.Sprintf("no server metrics from before the run: %v", err))
		return
	}
	o.readings = &readings{first: m, base: m, last: m, at: time.Now()}
}

// watch reads the figures every second until ctx ends, and hands on what happened in between.
func (o *observer) watch(ctx context.Context, interval time.Duration, tell func(*report.ServerPoint)) {
	if o.readings == nil {
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
		m, err := o.metrics(ctx)
		if err != nil {
			continue // it may be away; the timeline has a gap there
		}
		tell(o.readings.add(m, time.Now()))
	}
}

// after reads the figures again, while the players are still inside. watch has to have returned.
func (o *observer) after(ctx context.Context, rep *report.Report) {
	if s, err := o.client.Status(ctx); err != nil {
		rep.Note(fmt.Sprintf("players inside at the end unknown: %v", err))
	} else {
		rep.PlayersAtEnd = &s.Players
	}
	if o.readings == nil {
		return
	}
	m, err := o.metrics(ctx)
	if err != nil {
		rep.Note(fmt.Sprintf("no server metrics from after the run: %v", err))
		return
	}
	o.readings.add(m, time.Now())
	o.readings.fill(rep)
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
