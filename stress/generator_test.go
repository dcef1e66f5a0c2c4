package stress

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
)

func TestBottleneck(t *testing.T) {
	dial := func(e syscall.Errno) string {
		return fmt.Sprint("first of the dropped: ", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", e)})
	}
	points := func(cores ...float64) Timeline {
		tl := Timeline{IntervalSeconds: 2}
		for _, c := range cores {
			tl.Points = append(tl.Points, Point{GeneratorCores: c})
		}
		return tl
	}
	for name, tt := range map[string]struct {
		lateness, startDelay float64 // p99, ms
		timeline             Timeline
		notes                []string
		want                 []string // parts of the sentence, nil: none
	}{
		"a quiet one":              {lateness: 49, startDelay: 99, timeline: points(0.1, 3.5, 3.59, 2), notes: []string{dial(syscall.ECONNREFUSED)}},
		"late timers":              {lateness: 50, want: []string{"timers were 50 ms late"}},
		"late players":             {startDelay: 100, want: []string{"players came 100 ms late"}},
		"busy twice":               {timeline: points(4, 1, 4)},
		"busy thrice":              {timeline: points(4, 1, 3.6, 4), want: []string{"all of its 4 cores for 6 s"}},
		"out of files":             {notes: []string{"a note", dial(syscall.EMFILE)}, want: []string{"open files or ports"}},
		"the system out of files":  {notes: []string{dial(syscall.ENFILE)}, want: []string{"open files or ports"}},
		"out of ports":             {notes: []string{dial(syscall.EADDRNOTAVAIL)}, want: []string{"open files or ports"}},
		"no addresses for players": {notes: []string{sharedSource + ": listen tcp4 127.1.0.1:0: bind: " + syscall.EADDRNOTAVAIL.Error()}},
		"everything wrong, in order": {
			51.4, 2000, points(4, 4, 4), []string{dial(syscall.EMFILE)},
			[]string{"timers were 51 ms late at p99; ", "players came 2000 ms late at p99; ", "for 6 s; ", "it ran out"},
		},
	} {
		r := Report{
			Generator:  GeneratorReport{Available: 4, Lateness: latency.Summary{P99: tt.lateness}},
			StartDelay: latency.Summary{P99: tt.startDelay}, Timeline: tt.timeline, Notes: tt.notes,
		}
		got := r.bottleneck()
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

// The sentence that is not taken for a shortage is the one that the network says.
func TestSharedSourceIsNoShortage(t *testing.T) {
	_, note := newNetwork(&Config{Target: "http://[::1]:8080"})
	if !strings.HasPrefix(note, sharedSource) {
		t.Errorf("%q does not begin with %q", note, sharedSource)
	}
}
