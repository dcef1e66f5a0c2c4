package run

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// A report shows the figures of a node if that was found at the target, and otherwise none, and says why: the admin
// listener at the default port is often that of another node.
func TestFiguresAreThoseOfTheTarget(t *testing.T) {
	const target = "the node at the target"
	always := func(run string) func(int) string { return func(int) string { return run } }
	turns := func(runs ...string) func(int) string { return func(n int) string { return runs[n%len(runs)] } }
	for name, tt := range map[string]struct {
		target, admin func(int) string
		url           string
		figures       bool
		note          string // part of the only one; empty: there is none
	}{
		"the same node":     {nil, nil, "http://admin.test", true, ""},
		"another node":      {nil, always("elsewhere"), "http://admin.test", false, "of another node (127.0.0.1:7)"},
		"no URL":            {nil, nil, "", false, "no admin URL was given"},
		"an older target":   {always(""), nil, "http://admin.test", false, "the target does not say which node it is"},
		"an older listener": {nil, always(""), "http://admin.test", false, "does not say which node's"},
		"two older ones":    {always(""), always(""), "http://admin.test", false, "the target does not say which node it is"},
		"one of two nodes":  {turns("the other one", target), nil, "http://admin.test", true, "also node the othe…"},
		"none of two nodes": {turns("a", "b"), nil, "http://admin.test", false, "of another node"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{metrics: []string{metricsBefore, metricsAfter}, targetRun: tt.target, adminRun: tt.admin}
				f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, time.Second) }
				cfg := f.start(t)
				cfg.Clients, cfg.Admin = 3, tt.url
				rep := mustRun(t, t.Context(), cfg)
				if got := rep.Server != nil; got != tt.figures || got != (len(rep.Nodes) == 1) {
					t.Errorf("figures of the server: %v; nodes %+v", got, rep.Nodes)
				}
				for i := range rep.Timeline.Points {
					if rep.Timeline.Points[i].Server != nil && !tt.figures {
						t.Error("the timeline has figures of another node")
					}
				}
				if tt.figures && (rep.Nodes[0].Run != target || rep.Subject.Version != "v9" || rep.Subject.Store != "memory") {
					t.Errorf("%+v, %+v", rep.Nodes, rep.Subject)
				}
				switch {
				case tt.note == "" && len(rep.Notes) != 0:
					t.Errorf("notes %q", rep.Notes)
				case tt.note != "" && (len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], tt.note)):
					t.Errorf("notes %q, want one with %q", rep.Notes, tt.note)
				}
				var text strings.Builder
				if err := rep.WriteText(&text); err != nil {
					t.Fatal(err)
				}
				if got := strings.Contains(text.String(), "\nserver: queued="); got != tt.figures {
					t.Errorf("the text has figures of the server: %v", got)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fake{metrics: []string{metricsBefore, metricsAfter}, targetRun: turns("a", "b", "c", "d", target)}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Admin = 3, "http://admin.test"
		rep := mustRun(t, t.Context(), cfg)
		if len(rep.Nodes) != 1 || rep.Server == nil || len(rep.Notes) != 4 {
			t.Errorf("of five nodes behind the target, one with figures: %+v, notes %q", rep.Nodes, rep.Notes)
		}
	})
}

// The figures of several nodes are added up, each of which has to be at the target.
func TestFiguresOfSeveralNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{metrics: []string{metricsBefore, metricsBefore, metricsBefore, metricsAfter}}
		f.targetRun = func(n int) string { return []string{"a", "b"}[n%2] }
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Admin = 3, "http://admin-a.test,http://admin-b.test,http://admin-c.test"
		f.adminRun = func(n int) string {
			if n < 3 {
				return []string{"a", "b", "other"}[n]
			}
			return []string{"a", "b"}[(n-3)%2]
		}
		rep := mustRun(t, t.Context(), cfg)
		var admins []string
		for _, n := range rep.Nodes {
			admins = append(admins, n.Run+" "+n.Admin)
		}
		if want := []string{"a http://admin-a.test", "b http://admin-b.test"}; !slices.Equal(admins, want) {
			t.Fatalf("nodes %q, notes %q", admins, rep.Notes)
		}
		if len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "http://admin-c.test is the admin listener of an") {
			t.Errorf("notes %q", rep.Notes)
		}
		s := rep.Server
		if s == nil || s.Auth.Queued != 20 || s.Workers != 8 || s.Cores != 4 || s.CPUSeconds != 2*2.75 ||
			s.RSSAtEnd != 2*3145728 {
			t.Errorf("%+v", s)
		}
	})
}

// A listener that becomes another node's during the run is not believed any more; that of the target which was
// restarted is.
func TestListenerOfAnotherNodeDuringTheRun(t *testing.T) {
	for name, tt := range map[string]struct {
		target   func(int) string
		figures  bool
		restarts bool
	}{
		"another node": {nil, false, false},
		"it was restarted": {func(n int) string {
			if n < 3 {
				return "the node at the target"
			}
			return "afterwards"
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{metrics: []string{metricsBefore, metricsAfter}, targetRun: tt.target}
				f.adminRun = func(n int) string {
					if n < 2 {
						return "the node at the target"
					}
					return "afterwards"
				}
				f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 5*time.Second) }
				cfg := f.start(t)
				cfg.Clients, cfg.Admin = 3, "http://admin.test"
				rep := mustRun(t, t.Context(), cfg)
				if (rep.Server != nil) != tt.figures {
					t.Errorf("figures %+v, notes %q", rep.Server, rep.Notes)
				}
				notes := strings.Join(rep.Notes, "\n")
				said := strings.Contains(notes, "is now the admin listener of another")
				restarted := strings.Contains(notes, "was restarted")
				if said == tt.figures || restarted != tt.restarts {
					t.Errorf("notes %q", rep.Notes)
				}
				for i := 2; i < len(rep.Timeline.Points); i++ {
					if p := rep.Timeline.Points[i].Server; p != nil && !tt.figures {
						t.Errorf("point %d has figures of another node: %+v", i, p)
					}
				}
			})
		})
	}
}

// Cores in use are those of the time that passed at the server between two readings, not of that between two answers,
// of which one may have been long on the way.
func TestCoresAreOfTheServersOwnTime(t *testing.T) {
	reading := func(uptime, cpu float64) *serverMetrics {
		m := new(serverMetrics)
		m.Process.UptimeMS, m.Process.CPUSeconds = uptime, cpu
		m.CPU = &serverCPU{Process: 1000 * cpu, Hash: 900 * cpu, Uptime: uptime}
		return m
	}
	at := time.Unix(1000, 0)
	first := reading(10_000, 20)
	r := &readings{first: first, base: first, last: first, at: at}
	var points []*report.ServerPoint
	for _, step := range []struct{ uptime, cpu, arrived float64 }{
		{11_000, 22, 4},     // on the way for 3 s
		{14_100, 28.2, 4.1}, // at once
	} {
		now := at.Add(time.Duration(step.arrived * float64(time.Second)))
		points = append(points, r.add(reading(step.uptime, step.cpu), now))
	}
	for i, p := range points {
		if p.Cores < 1.99 || p.Cores > 2.01 || p.CPU.Process < 1.99 || p.CPU.Process > 2.01 {
			t.Errorf("point %d: %v and %v of 2 cores", i, p.Cores, p.CPU.Process)
		}
	}
	// A server that does not tell, and one that has only begun, are measured by the clock here.
	for _, m := range []*serverMetrics{reading(0, 30.2), reading(1, 1.5)} {
		now := r.at.Add(2 * time.Second)
		if p := r.add(m, now); p.Cores > 1.01 {
			t.Errorf("%v cores", p.Cores)
		}
	}
}

// That the target could not be asked is no proof that a listener is another's: its figures are missing, and it is not
// accused.
func TestTargetThatCannotBeAskedAccusesNobody(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"node":{"run":"afterwards"}}`)
	}))
	defer admin.Close()
	for name, tt := range map[string]struct {
		ours   bool
		failed error
		lost   bool
	}{
		"ours":                {true, nil, false},
		"another's":           {false, nil, true},
		"that is not known":   {false, errors.New("no answer in time"), false},
		"the run is ended by": {false, context.Canceled, false},
	} {
		before := "before"
		n := &node{admin: admin.URL, via: new(http.Transport), ours: func(context.Context, string) (bool, error) {
			return tt.ours, tt.failed
		}}
		n.known.Store(&before)
		m, err := n.metrics(t.Context())
		if (m != nil) != tt.ours || (err == nil) != tt.ours || n.lost.Load() != tt.lost ||
			tt.failed != nil && !errors.Is(err, tt.failed) {
			t.Errorf("%s: %v, %v, lost %v", name, m, err, n.lost.Load())
		}
		n.via.CloseIdleConnections()
	}
}
