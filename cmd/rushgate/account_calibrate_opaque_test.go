package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Both ways to prove a password are shown beside each other, measured by the same clock.
func TestCalibrationOfOpaque(t *testing.T) {
	now, logins := time.Unix(0, 0), 0
	c := &opaqueCalibration{
		budget: 100 * time.Millisecond, now: func() time.Time { return now }, stretch: func() time.Duration { return time.Second },
		login: func() error {
			if logins++; logins > opaqueRound { // the first round is disturbed
				now = now.Add(250 * time.Microsecond)
			} else {
				now = now.Add(time.Millisecond)
			}
			return nil
		},
	}
	cost, err := c.run(t.Context())
	if err != nil || cost != (opaqueCost{250 * time.Microsecond, time.Second}) || now.Sub(time.Unix(0, 0)) > c.budget {
		t.Errorf("%+v, %v, after %v", cost, err, now.Sub(time.Unix(0, 0)))
	}
	var out strings.Builder
	if err := writeProofs(&out, []calibrated{{iterations: 100_000, full: 64 * time.Millisecond}}, 16, cost); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"a hash of 100000 iterations, of 16 together   4.00 ms        250                  16.0",
		"OPAQUE, both requests   0.25 ms       4000                   1.0", "took 1000.00 ms on",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// The real thing, as small as it gets.
func TestCalibrationLogsIn(t *testing.T) {
	login, err := prepareOpaque(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := login(); err != nil {
			t.Error(err)
		}
	}
}
