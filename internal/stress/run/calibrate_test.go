package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// What the tests have in place of calibratedAtOnce and calibratedMost, which are much for the race detector.
const fewest, fewMost = 25, 100

// measureCapacity measures that of a fake server.
func measureCapacity(t *testing.T, f *fake) (capacity float64, rep *report.Report) {
	t.Helper()
	cfg := f.start(t)
	cfg.Scenario = report.LaunchDay
	cfg, err := cfg.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{cfg: cfg}
	r.network, _ = newNetwork(&r.cfg)
	rep = newReport(&cfg)
	return r.calibrate(t.Context(), rep, fewest, fewMost), rep
}

func TestCapacityIsThatOfASaturatedServer(t *testing.T) {
	const perSecond, slow = time.Second, 2 * time.Second
	for name, tt := range map[string]struct {
		each   time.Duration // from one who gets in to the next; 0: no limit
		least  time.Duration // how long a registration takes
		most   time.Duration // who would wait for longer is told to come back
		want   float64
		noted  string
		within time.Duration
	}{
		"a slow one":               {perSecond / 20, 0, time.Hour, 20, "", time.Minute},
		"a slow one that says so":  {perSecond / 20, 0, time.Second, 20, "", 20 * time.Second},
		"a fast one from far away": {perSecond / 20, slow, time.Hour, 20, "", time.Minute},
		"one without limit, far away": {0, slow, time.Hour, fewMost / slow.Seconds(),
			"more than the measured capacity of 50.0", time.Minute},
		"one that lets nobody in ever": {time.Hour, 0, time.Hour, 0, "", time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &door{each: tt.each}
			f := &fake{}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
				if wait, ok := d.wait(tt.most); ok {
					f.admit(w, name, wait+tt.least)
				} else {
					refuse(w, 0, 503, "server-busy", wait)
				}
			}
			begin := time.Now()
			got, rep := measureCapacity(t, f)
			if got < 0.98*tt.want || got > 1.02*tt.want {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
			if notes := strings.Join(rep.Notes, "; "); (notes != "") != (tt.noted != "") || !strings.Contains(notes, tt.noted) {
				t.Errorf("%s: notes %q", name, notes)
			}
			if took := time.Since(begin); took > tt.within {
				t.Errorf("%s took %v", name, took)
			}
			time.Sleep(2 * time.Hour) // for the answers that no player waits for
		})
	}
}

// The accounts of earlier runs are passed by, and between those of two runs there is no gap that Clean takes for the
// end.
func TestCapacityIsTheSameEveryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := map[string]bool{}
		for range 3 {
			f, d := &fake{}, &door{each: 20 * time.Millisecond}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
				f.mu.Lock()
				was := taken[name]
				taken[name] = true
				f.mu.Unlock()
				if was {
					refuse(w, time.Millisecond, 409, "username-taken", 0)
					return
				}
				wait, _ := d.wait(time.Hour)
				f.admit(w, name, wait)
			}
			got, rep := measureCapacity(t, f)
			if got < 49 || got > 51 || len(rep.Notes) > 0 {
				t.Errorf("%v, notes %q", got, rep.Notes)
			}
		}
		var numbers []int
		for name := range taken {
			var n int
			if _, err := fmt.Sscanf(name, "stress-cal-%d", &n); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		for i := 1; i < len(numbers); i++ {
			if numbers[i]-numbers[i-1] > calibrationBlock {
				t.Errorf("nothing between %d and %d", numbers[i-1], numbers[i])
			}
		}
	})
}

// The report says that players were refused, and no player hammers.
func TestCapacityOfAServerThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) {
			asked.Add(1)
			refuse(w, 0, 429, "rate-limited", 5*time.Minute)
		}
		got, rep := measureCapacity(t, f)
		if n := asked.Load(); got != 0 || n > 1+fewest {
			t.Errorf("capacity %v after %d requests", got, n)
		}
		if len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "25 of 25 registrations were refused: ") {
			t.Errorf("notes %q", rep.Notes)
		}
	})
}

// What the server counted when its capacity was measured is not of the run.
func TestServerMetricsLeaveOutTheCalibration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		f, d := &fake{metrics: []string{""}}, &door{each: 50 * time.Millisecond}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			wait, _ := d.wait(time.Hour)
			f.admit(w, name, wait)
			served.Add(1)
		}
		f.metricsAt = func(time.Duration) int {
			f.metrics[0] = fmt.Sprintf(`{"auth":{"counters":{"success":%d}}}`, served.Load())
			return 0
		}
		cfg := f.start(t)
		cfg.Scenario, cfg.Peak, cfg.Length, cfg.Admin = report.LaunchDay, 0.5, 5*time.Second, "http://admin.test"
		cfg.random = func() float64 { return 0.5 }
		rep := mustRun(t, t.Context(), cfg)
		if rep.OK < 10 || rep.OK != rep.Clients || rep.Server.Auth.Success != int64(rep.OK) || served.Load() < 200 {
			t.Errorf("%d of %d got in; the server says %d of %d", rep.OK, rep.Clients, rep.Server.Auth.Success, served.Load())
		}
		if *rep.PlayersBefore != 0 || *rep.PlayersAtEnd != *rep.ExpectedAtEnd {
			t.Errorf("%d players before, %d at the end, %d expected", *rep.PlayersBefore, *rep.PlayersAtEnd, *rep.ExpectedAtEnd)
		}
	})
}

// However slow the server is, what comes before the load ends soon after an interruption, and the report can be read.
func TestInterruptedPreparation(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"calibration": func(c *Config) { c.Scenario = report.LaunchDay },
		"accounts":    func(c *Config) { c.Scenario, c.Rate, c.Length = report.Mixed, 10, 10*time.Second },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{logout: silence}
			f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
			cfg := f.start(t)
			cfg.random = func() float64 { return 0.5 }
			change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			rep := mustRun(t, ctx, cfg)
			if took := time.Since(begin) - time.Second; took > logoutTimeInterrupted {
				t.Errorf("%s: it took %v to end", name, took)
			}
			if !rep.Interrupted || rep.Kept() {
				t.Errorf("%s: %+v", name, rep.Verdicts)
			}
			checkReadable(t, rep)
		})
	}
}

// checkReadable checks the report of a run without load.
func checkReadable(t *testing.T, rep *report.Report) {
	t.Helper()
	data, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := report.Read(bytes.NewReader(data)); err != nil || again.Clients != rep.Clients || again.Kept() {
		t.Errorf("read back: %v", err)
	}
	var text bytes.Buffer
	if err := rep.WriteText(&text); err != nil || strings.Contains(text.String(), "of 0 cores") {
		t.Errorf("%v\n%s", err, &text)
	}
}
