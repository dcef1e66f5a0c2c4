//go:build !linux

package realm

import "time"

// pulse is there on Linux only.
type pulse struct{ beats chan struct{} }

func newPulse(time.Duration) *pulse { return nil }

func (p *pulse) stop() {}
