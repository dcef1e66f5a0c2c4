package run

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

const (
	probeInterval = 50 * time.Millisecond
	// maxProbes is how many requests may be without an answer: as many as fit into report.ProbeTimeout.
	maxProbes = int(report.ProbeTimeout / probeInterval)
)

// probe asks the target's /healthz every probeInterval, on a connection of its own. It keeps to its schedule however
// long answers take, and measures from when a request was due, so that a server that stalls cannot hide it
// (coordinated omission: Gil Tene, "How NOT to Measure Latency", 2013).
type probe struct {
	url       string
	transport http.RoundTripper
	idle      func()        // closes the connection when it is idle
	tally     *tally        // of the run
	slots     chan struct{} // semaphore of maxProbes

	sending   sync.WaitGroup
	requests  sync.WaitGroup
	endSend   context.CancelFunc
	endAll    context.CancelFunc
	mu        sync.Mutex
	report    report.Probe
	abandoned bool // answers no longer count
	outages   outages
}

// outages is what the probe has seen of the server's being away: for three probes in a row, or longer.
type outages struct {
	failing  int       // probes in a row
	since    time.Time // when the first of them was due
	down, up time.Time // the last outage; up is zero while it lasts
}

const failuresOfOutage = 3

// see takes note of a probe that was due at one time and had its answer, or none, at another. Probes are seen in the
// order in which they end.
func (o *outages) see(ok bool, due, end time.Time) {
	if ok {
		if o.failing >= failuresOfOutage {
			o.up = end
		}
		o.failing = 0
		return
	}
	if o.failing == 0 {
		o.since = due
	}
	if o.failing++; o.failing == failuresOfOutage {
		o.down, o.up = o.since, time.Time{}
	}
}

// outage returns when the server was last away, zero times if it never was; up is zero if it still is.
func (p *probe) outage() (down, up time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outages.down, p.outages.up
}

// startProbe opens the connection, then begins and goes on until stop. What is to be measured is how the server answers
// during the load, not how long a new connection waits behind those of the load.
func startProbe(ctx context.Context, n *network, t *tally) *probe {
	warm := n.transport(observers)
	p := &probe{
		url:       strings.TrimRight(n.cfg.Target, "/") + "/healthz",
		transport: n.adapted(warm),
		idle:      warm.CloseIdleConnections,
		tally:     t,
		slots:     make(chan struct{}, maxProbes),
	}
	opening, cancel := context.WithTimeout(ctx, report.ProbeTimeout)
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
func (p *probe) stop(abandon bool) report.Probe {
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
	p.idle()
	p.tally.mu.Lock()
	defer p.tally.mu.Unlock()
	p.report.Latency = p.tally.whole.probe.Detailed()
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
	ctx, cancel := context.WithDeadline(ctx, due.Add(report.ProbeTimeout))
	defer cancel()
	ok := p.healthy(ctx)
	end := time.Now()
	if ok {
		p.tally.probed(end.Sub(due))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		p.report.Answered++
	} else if !p.abandoned {
		p.report.Failed++
	} else {
		return
	}
	p.outages.see(ok, due, end)
}

// probed counts an answer to the probe.
func (t *tally) probed(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.into(func(l *ledger) { l.probe.Record(took) })
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
