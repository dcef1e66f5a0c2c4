package stress

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

const (
	probeInterval = 50 * time.Millisecond
	probeTimeout  = 5 * time.Second
	// maxProbes is how many requests may be without an answer: as many as fit into probeTimeout.
	maxProbes = int(probeTimeout / probeInterval)
)

// probe asks the target's /healthz every probeInterval, on a connection of its own. It keeps to its schedule however
// long answers take, and measures from when a request was due, so that a server that stalls cannot hide it
// (coordinated omission: Gil Tene, "How NOT to Measure Latency", 2013).
type probe struct {
	url       string
	transport *http.Transport
	latency   latency.Histogram
	slots     chan struct{} // semaphore of maxProbes

	sending   sync.WaitGroup
	requests  sync.WaitGroup
	endSend   context.CancelFunc
	endAll    context.CancelFunc
	mu        sync.Mutex
	report    ProbeReport
	abandoned bool // answers no longer count
}

// startProbe opens the connection, then begins and goes on until stop. What is to be measured is how the server answers
// during the load, not how long a new connection waits behind those of the load.
func startProbe(ctx context.Context, cfg *Config, spread bool) *probe {
	p := &probe{
		url:       strings.TrimRight(cfg.Target, "/") + "/healthz",
		transport: cfg.transport(cfg.Clients, spread),
		slots:     make(chan struct{}, maxProbes),
	}
	opening, cancel := context.WithTimeout(ctx, probeTimeout)
	p.healthy(opening) // if it fails, so will what is counted
	cancel()
	all, endAll := context.WithCancel(context.WithoutCancel(ctx))
	sendCtx, endSend := context.WithCancel(all)
	p.endAll, p.endSend = endAll, endSend
	begin := time.Now()
	p.sending.Go(func() { p.send(sendCtx, all, begin) })
	return p
}

// stop ends the schedule, waits for the answers still under way (or gives them up if abandon is set) and returns what
// was measured.
func (p *probe) stop(abandon bool) ProbeReport {
	p.endSend()
	p.sending.Wait()
	if abandon {
		p.mu.Lock()
		p.abandoned = true
		p.mu.Unlock()
		p.endAll()
	}
	p.requests.Wait()
	p.endAll()
	p.transport.CloseIdleConnections()
	p.report.Latency = p.latency.Summary()
	return p.report
}

func (p *probe) send(ctx, requestCtx context.Context, begin time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := begin.Add(time.Duration(n) * probeInterval)
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		select {
		case p.slots <- struct{}{}:
			p.requests.Go(func() {
				defer func() { <-p.slots }()
				p.ask(requestCtx, due)
			})
		default:
			p.mu.Lock()
			p.report.Skipped++
			p.mu.Unlock()
		}
	}
}

func (p *probe) ask(ctx context.Context, due time.Time) {
	ctx, cancel := context.WithDeadline(ctx, due.Add(probeTimeout))
	defer cancel()
	ok := p.healthy(ctx)
	took := time.Since(due)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ok:
		p.report.Answered++
		p.latency.Record(took)
	case !p.abandoned:
		p.report.Failed++
	}
}

func (p *probe) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return false
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	return err == nil && resp.StatusCode == http.StatusOK
}
