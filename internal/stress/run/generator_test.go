package run

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

func TestBottleneck(t *testing.T) {
	points := func(cores ...float64) report.Timeline {
		tl := report.Timeline{IntervalSeconds: 2}
		for _, c := range cores {
			tl.Points = append(tl.Points, report.Point{GeneratorCores: c})
		}
		return tl
	}
	for name, tt := range map[string]struct {
		lateness, startDelay float64 // p99, ms
		timeline             report.Timeline
		unmade               int      // connections
		want                 []string // parts of the sentence, nil: none
	}{
		"a quiet one":  {lateness: 49, startDelay: 99, timeline: points(0.1, 3.5, 3.59, 2)},
		"late timers":  {lateness: 50, want: []string{"timers were 50 ms late"}},
		"late players": {startDelay: 100, want: []string{"players came 100 ms late"}},
		"busy twice":   {timeline: points(4, 1, 4)},
		"busy thrice":  {timeline: points(4, 1, 3.6, 4), want: []string{"all of its 4 cores for 6 s"}},
		"out of files": {unmade: 7, want: []string{"could not make 7 connections"}},
		"everything wrong, in order": {
			51.4, 2000, points(4, 4, 4), 1,
			[]string{"timers were 51 ms late at p99; ", "players came 2000 ms late at p99; ", "for 6 s; ",
				"open files or ports"},
		},
	} {
		r := report.Report{
			Generator:  report.Generator{Available: 4, Lateness: latency.Summary{P99: tt.lateness}},
			StartDelay: latency.Summary{P99: tt.startDelay}, Timeline: tt.timeline,
		}
		got := bottleneck(&r, tt.unmade)
		if tt.want == nil {
			if got != "" {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		rest, ok := strings.CutPrefix(got, "The generator may have been the bottleneck: ")
		for _, want := range tt.want {
			var found bool
			_, rest, found = strings.Cut(rest, want)
			ok = ok && found
		}
		if !ok || !strings.HasSuffix(got, ".") || strings.Count(got, "; ") != len(tt.want)-1 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A machine without files or ports is found out by what the system says, whichever player meets it and whatever becomes
// of them.
func TestOutOfFilesIsTheGenerator(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		found bool
	}{
		"files":       {syscall.EMFILE, true},
		"all files":   {syscall.ENFILE, true},
		"ports":       {syscall.EADDRNOTAVAIL, true},
		"no server":   {syscall.ECONNREFUSED, false},
		"just a text": {errors.New(syscall.EMFILE.Error()), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
			cfg := f.start(t)
			var dials atomic.Int32
			dial := cfg.dial
			cfg.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) == 3 { // after those of the observer and the probe
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", tt.err)}
				}
				return dial(ctx, network, address)
			}
			cfg.Scenario, cfg.Clients, cfg.Rate = report.Ramp, 3, 1
			rep := mustRun(t, t.Context(), cfg)
			if found := strings.Contains(rep.Generator.Bottleneck, "could not make 1 connections"); rep.OK != 3 ||
				found != tt.found {
				t.Errorf("%s: %d in, %q", name, rep.OK, rep.Generator.Bottleneck)
			}
		})
	}
}

// A run too short for an interval of its timeline has a peak all the same, and none is below the mean.
func TestPeakOfAShortRun(t *testing.T) {
	for name, points := range map[string][]report.Point{"none": nil, "one": {{GeneratorCores: 9}}, "idle": {{}, {}}} {
		m := startMetronome(time.Now)
		m.used -= 60 // CPU seconds
		rep := report.Report{Timeline: report.Timeline{Points: points}}
		m.end(&rep, 0)
		if g := rep.Generator; g.Cores == 0 || g.PeakCores < g.Cores {
			t.Errorf("%s: %v cores, peak %v", name, g.Cores, g.PeakCores)
		}
	}
}

// All that was due while a process stood still was late.
func TestMetronomeOfAStalledProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		m := startMetronome(func() time.Time {
			if looks++; looks == 10 { // between the timer and the goroutine that waits for it
				time.Sleep(time.Second)
			}
			return time.Now()
		})
		time.Sleep(2*time.Second + metronomeInterval/2)
		var rep report.Report
		m.end(&rep, 0)
		l := rep.Generator.Lateness
		if l.Count != 200 {
			t.Errorf("%d beats in 2 s", l.Count)
		}
		near(t, "max", l.Max, 1000)
		near(t, "avg", l.Mean, 1000*50.5/200)
		if l.P90 < 750 || l.P99 < 950 || rep.Generator.Bottleneck == "" {
			t.Errorf("%+v, %q", l, rep.Generator.Bottleneck)
		}
	})
}
