package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/stress"
)

func TestStressFlags(t *testing.T) {
	for args, want := range map[string]stress.Config{
		"":                                  {Clients: 1000, MaxRetries: 3},
		"--play --duration 90s --clients 7": {Clients: 7, MaxRetries: 3, Play: true, Duration: 90 * time.Second},
		"--play --retries 0":                {Clients: 1000, MaxRetries: math.MinInt, Play: true},
		"--duration 1h --admin none":        {Clients: 1000, MaxRetries: 3, Duration: time.Hour},
	} {
		v := newStressFlags()
		if err := v.declare().parse(strings.Fields(args), io.Discard); err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		got := v.config(stress.Burst, io.Discard)
		if got.Clients != want.Clients || got.MaxRetries != want.MaxRetries || got.Play != want.Play || got.Duration != want.Duration {
			t.Errorf("%q: %+v", args, got)
		}
	}
	for _, args := range []string{"--duration -1s", "--duration 60", "--play=perhaps"} {
		if err := newStressFlags().declare().parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
