package auth

import "time"

// RetryAfter returns about how long a newcomer would be told to wait if there were no room now, at most
// [MaxRetryAfter]. It promises nobody anything.
func (p *Pool) RetryAfter() time.Duration {
	if p.queue.IsClosed() {
		return closedRetry
	}
	if p.cfg.Full() {
		return fullRetry
	}
	return p.clock.outlook(time.Now(), p.rate.PerSecond(), p.backlog())
}

// outlook returns what [retryClock.Refuse] would tell an origin without a promise, but for the jitter.
func (c *retryClock) outlook(now time.Time, rate float64, backlog int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(c.nextFree(now, max(rate, leastRate), backlog).Sub(now), MaxRetryAfter)
}
