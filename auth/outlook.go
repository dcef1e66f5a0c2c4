package auth

import (
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Waits returns how long requests have spent in the queue, with the buckets of [latency.Histogram.Detailed].
func (p *Pool) Waits() latency.Summary { return p.metrics.wait.Detailed() }

// RetryAfter returns about how long a newcomer would be told to wait if there were no room now, at most
// [MaxRetryAfter]. It promises nobody anything.
func (p *Pool) RetryAfter() time.Duration {
	if p.queue.IsClosed() {
		return closedRetry
	}
	if p.cfg.Full() {
		return fullRetry
	}
	backlog := p.queue.Len() - p.queue.Cap()/2
	return p.clock.outlook(time.Now(), p.rate.PerSecond(), max(1, backlog))
}

// outlook returns what [retryClock.Refuse] would tell an origin without a promise, but for the jitter.
func (c *retryClock) outlook(now time.Time, rate float64, backlog int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	rate = max(rate, 1/MaxRetryAfter.Seconds())
	at := c.next.Add(time.Duration(float64(time.Second) / rate))
	earliest := now.Add(time.Duration(float64(backlog) / rate * float64(time.Second)))
	if at.Before(earliest) {
		at = earliest
	}
	return min(at.Sub(now), MaxRetryAfter)
}
