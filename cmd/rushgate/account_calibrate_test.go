package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/password"
)

// fakeMachine is a clock that only hashing moves.
type fakeMachine struct {
	now   time.Time
	asked []int // iterations of each measurement
}

// derive takes 1 µs per iteration of a hash alone, and half as much per hash of a batch; a second core slows both down.
func (m *fakeMachine) derive(_ context.Context, iterations, batches, size int) error {
	took := time.Duration(iterations) * time.Microsecond
	if size > 1 {
		took = took * time.Duration(size) / 2
	}
	if batches > 1 {
		took = took * 5 / 4
	}
	m.now = m.now.Add(took)
	m.asked = append(m.asked, iterations)
	return nil
}

func TestCalibration(t *testing.T) {
	m := &fakeMachine{now: time.Unix(0, 0)}
	progress := 0
	c := &calibration{
		costs: []int{1000, 10_000, 1_000_000}, batch: 16, cores: 2, budget: time.Second,
		now: func() time.Time { return m.now }, derive: m.derive,
		kernel: func(batch int) string { return fmt.Sprintf("K%d", batch) }, progress: func(done, of int) {
			if done != progress || of != 9 {
				t.Errorf("progress %d of %d after %d", done, of, progress-1)
			}
			progress++
		},
	}
	rows, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if progress != 10 || m.now.Sub(time.Unix(0, 0)) > 9*c.budget {
		t.Errorf("%d steps of progress in %v", progress, m.now.Sub(time.Unix(0, 0)))
	}
	for i, cost := range c.costs {
		alone := time.Duration(cost) * time.Microsecond
		want := calibrated{iterations: cost, measured: min(cost, 100_000), alone: alone, full: 8 * alone, all: 10 * alone}
		if rows[i] != want {
			t.Errorf("row %d is %+v, want %+v", i, rows[i], want)
		}
	}
	var out strings.Builder
	if err := c.writeText(&out, rows); err != nil {
		t.Fatal(err)
	}
	// 32 hashes in 10 s on both cores are 3.2 a second, and a thousand of them 312.5 s.
	for _, part := range []string{
		"on 2 cores; kernel K16 for batches of 16, K1 for one alone", "\n         1000      1.00 ms       0.50 ms       2000        3200           0.3 s\n",
		"\n      1000000   1000.00 ms     500.00 ms          2           3         312.5 s\n",
		"scaled up: 1000000 with 100000.\n", "OWASP recommends 600000", "--password-hash-iterations",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
}

// The real thing, as small as it gets.
func TestCalibrationDerives(t *testing.T) {
	c := &calibration{
		costs: []int{password.MinIterations, 2 * password.MinIterations}, batch: 3, cores: 2, budget: 1,
		now: time.Now, derive: deriveWith("auto"), progress: func(int, int) {},
	}
	rows, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if r.iterations != c.costs[i] || r.measured != password.MinIterations || r.alone <= 0 || r.full <= 0 || r.all <= 0 {
			t.Errorf("row %d is %+v", i, r)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.derive = func(ctx context.Context, iterations, batches, size int) error {
		cancel() // in the middle of it
		return deriveWith("auto")(ctx, iterations, batches, size)
	}
	if rows, err := c.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %+v, %v", rows, err)
	}
}
