package server

import "time"

// every calls f once in an interval, for the first time when one has passed, until done is closed.
func every(interval time.Duration, done <-chan struct{}, f func(now time.Time)) {
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-again.C:
			f(now)
		}
	}
}
