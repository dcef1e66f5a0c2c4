package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
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

func TestStressVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		play   bool
		report stress.Report
		want   error
	}{
		"all is well":            {false, stress.Report{}, nil},
		"a timeout":              {false, stress.Report{TimedOut: 1}, errTimeouts},
		"all play":               {true, stress.Report{Play: &stress.PlayReport{Players: 3, Snapshots: 9}}, nil},
		"one cannot connect":     {true, stress.Report{Play: &stress.PlayReport{Players: 2, Snapshots: 9, ConnectsFailed: 1}}, errNoPlay},
		"silence":                {true, stress.Report{Play: &stress.PlayReport{Players: 3}}, errNoPlay},
		"nobody got in":          {true, stress.Report{}, errNoPlay},
		"interrupted at once":    {true, stress.Report{Interrupted: true, Play: &stress.PlayReport{Players: 3}}, nil},
		"interrupted before":     {true, stress.Report{Interrupted: true}, nil},
		"interrupted, and worse": {true, stress.Report{Interrupted: true, Play: &stress.PlayReport{ConnectsFailed: 1}}, errNoPlay},
	} {
		v := newStressFlags()
		v.play = toggle(tt.play)
		if got := v.verdict(&tt.report); !errors.Is(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Against a node without a realtime channel everybody gets in and nobody plays.
func TestStressFailsIfNobodyCanPlay(t *testing.T) {
	node, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: server.NoUDP, Backend: server.Memory,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	}()
	args := strings.Fields("burst --play --clients 2 --duration 1ms --admin none --target http://" + node.HTTPAddr().String())
	var out bytes.Buffer
	if err := runStress(t.Context(), args, &out, io.Discard); !errors.Is(err, errNoPlay) {
		t.Errorf("%v\n%s", err, &out)
	}
}
