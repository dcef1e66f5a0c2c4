package main

import (
	"cmp"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
)

// opaqueRushes is how a node is measured.
type opaqueRushes struct {
	atOnce int           // players who come at once
	rate   float64       // players who come per second afterwards; 0: ten times as many as passwords can be hashed
	length time.Duration // for so long
	still  time.Duration // for which the node has one player before, to compare
}

// laneOfFew is how many the door lets begin at once however slow the machine is.
const laneOfFew = 64

// A rush of players by OPAQUE gets in. Few are not refused on the way, and many with a time to come back at the worst,
// where the machine is too slow for as many as come: the log says how many. Of those who come at ten times the rate at
// which passwords can be hashed, some do, and whom there is no room for is told server-busy with a time and nothing
// else, or hears nothing in time. What they lived through, what the tick did meanwhile, and what the generator cost
// beside the node is in the log.
func TestRushByOpaque(t *testing.T) {
	rushes := opaqueRushes{atOnce: 20, rate: 20, length: time.Second, still: 100 * time.Millisecond}
	if os.Getenv("RUSHGATE_LONG") != "" {
		rushes = opaqueRushes{atOnce: 1000, length: 3 * time.Second, still: 5 * time.Second}
	}
	n := startNode(t, t.TempDir(), "--db", "memory", "--opaque", "prefer", "--password-hash-iterations", "100000")
	cfg := stress.Config{
		Target: n.http, Admin: n.admin, Mode: report.Opaque, Prefix: "still", Clients: 1, Duration: rushes.still,
	}
	t.Logf("beside one player: %s", meanwhile(runStress(t, cfg)))
	// A device asks for half a minute, both requests together: on a machine that has other things to do, a thousand that
	// share its cores with the node are not through by then, and each that begins anew makes it later for all.
	cfg.TryTimeout, cfg.Timeout = 5*time.Minute, 5*time.Minute
	cfg.MaxRetries = 1000 // as told: how many are told to depends on how fast the machine was
	cfg.Prefix, cfg.Clients, cfg.Duration = "rush", rushes.atOnce, 0
	rush := runStress(t, cfg)
	if rush.OK != rushes.atOnce || rush.Opaque == nil {
		t.Fatalf("%d of %d players got in: %+v; %+v; %q", rush.OK, rushes.atOnce, rush.Failed, rush.Answers, rush.Notes)
	}
	if a := rush.Answers; a.RateLimited+a.Expired+a.Refused+a.Untimed > 0 || a.Busy > 0 && rushes.atOnce <= laneOfFew {
		t.Errorf("players were refused on the way: %+v", a)
	}
	t.Logf("%d at once: in within %.0f ms (p50), %.0f (p99), %.0f (the last); refused %d; %s", rush.Clients,
		rush.Success.P50, rush.Success.P99, rush.Success.Max, rush.Answers.Busy+rush.Answers.RateLimited, meanwhile(rush))

	hashes := 1000 / rush.Server.HashMS * float64(rush.Server.Cores) // per second
	cfg.Prefix, cfg.Clients, cfg.Scenario, cfg.MaxRetries = "stream", 0, report.Poisson, -1
	cfg.Timeout, cfg.TryTimeout = 20*time.Second, 0 // of those for whom there is no room
	cfg.Rate, cfg.Length, cfg.Stay = cmp.Or(rushes.rate, 10*hashes), rushes.length, time.Second
	stream := runStress(t, cfg)
	if stream.OK == 0 || stream.Clients == 0 || stream.Unfinished > 0 || stream.Rejected+stream.WronglyIn > 0 {
		t.Errorf("%d of %d players got in: %+v", stream.OK, stream.Clients, stream.Failed)
	}
	if stream.RateLimited+stream.Answers.Refused+stream.Answers.Untimed > 0 {
		t.Errorf("players were told other than server-busy with a time: %+v, %+v", stream.Answers, stream.Failed)
	}
	refused := stream.Busy + stream.RateLimited + stream.Expired
	t.Logf("%.0f a second, %.1f times as many as passwords can be hashed: of %d refused %d (%.1f %%), without an answer "+
		"%d; in within %.0f ms (p50), %.0f (p99); %.0f logins/s; %s", cfg.Rate, cfg.Rate/hashes, stream.Clients, refused,
		100*float64(refused)/float64(stream.Clients), stream.TimedOut+stream.Dropped, stream.Success.P50, stream.Success.P99,
		stream.LoginsPerSecond, meanwhile(stream))
}

func runStress(t *testing.T, cfg stress.Config) *report.Report {
	t.Helper()
	rep, err := stress.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Server == nil {
		t.Fatalf("the node's figures are missing: %q", rep.Notes)
	}
	return rep
}

// meanwhile says what went on beside the players.
func meanwhile(r *report.Report) string {
	return fmt.Sprintf("tick p99 %.2f ms late; the node used %.2f s of CPU, the generator %.2f s; players' half p50 %.2f ms; %s",
		r.Server.Lateness.P99, r.Server.CPUSeconds, r.Generator.CPUSeconds, r.Opaque.Computed.P50, r.Generator.Bottleneck)
}
