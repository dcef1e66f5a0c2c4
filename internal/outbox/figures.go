package outbox

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/metric"
)

// figures are what an outbox has done.
type figures struct {
	full     atomic.Int64
	inFlight atomic.Int64

	mu       sync.Mutex
	sent     map[mail.Kind]int64
	dropped  map[outcome]int64
	failures map[string]int64 // by step
}

// causes name why a task came to no mail.
var causes = map[outcome]string{
	unreadable: "unreadable", nobody: "nobody", tooMany: "too-many", refused: "refused", expired: "expired",
}

// count counts what has become of a task.
func (f *figures) count(o outcome, kind mail.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch _, isDropped := causes[o]; {
	case o == sent:
		if f.sent == nil {
			f.sent = make(map[mail.Kind]int64)
		}
		f.sent[kind]++
	case isDropped:
		if f.dropped == nil {
			f.dropped = make(map[outcome]int64)
		}
		f.dropped[o]++
	}
}

// failed counts a mail that was not taken.
func (f *figures) failed(step string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures == nil {
		f.failures = make(map[string]int64)
	}
	f.failures[step]++
}

// Metrics are the figures of the outbox for Prometheus.
func (o *Outbox) Metrics(out metric.Scrape) {
	f := &o.figures
	f.mu.Lock()
	sent, dropped, failures := maps.Clone(f.sent), maps.Clone(f.dropped), maps.Clone(f.failures)
	f.mu.Unlock()
	for _, kind := range mail.Kinds() {
		out.Counter("rushgate_mail_sent_total", "Mails that the mail server has taken.",
			float64(sent[kind]), "kind", string(kind))
	}
	for o, cause := range causes {
		out.Counter("rushgate_mail_dropped_total", "Mails that were asked for and are not sent.",
			float64(dropped[o]), "cause", cause)
	}
	for _, step := range mail.Steps() {
		out.Counter("rushgate_mail_failures_total", "Tries to send a mail that have failed.",
			float64(failures[step]), "step", step)
	}
	out.Counter("rushgate_mail_full_total", "Mails that were refused because too many were waiting.",
		float64(f.full.Load()))
	out.Gauge("rushgate_mail_waiting", "Mails of all nodes that are to be sent, as last counted.",
		float64(max(o.waiting.Load(), 0)))
	out.Gauge("rushgate_mail_in_flight", "Mails that this node is sending.", float64(f.inFlight.Load()))
	o.mu.Lock()
	away := o.away > 0
	o.mu.Unlock()
	out.Flag("rushgate_mail_server_away", "Whether the mail server took nothing when it was last asked.", away)
}
