package run

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// outageRun has twenty players play in an arena from which no snapshot comes for so long after the command.
func outageRun(t *testing.T, a *arena, kind string, silent time.Duration, command error) *report.Report {
	var until atomic.Int64
	a.message = func(_ uint64, _ uint32, snapshot []byte) []byte {
		if time.Now().UnixNano() < until.Load() {
			return nil
		}
		return slices.Clone(snapshot)
	}
	if a.knock == nil {
		a.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if id, other := strings.CutPrefix(name, "stress-vis-"); other {
				name = "stress-9" + id // players of their own
			}
			a.admit(w, name, 0)
		}
	}
	cfg := a.open(t, 20)
	defer a.shut()
	cfg.Scenario, cfg.Clients, cfg.Rate, cfg.Duration = report.ReconnectStorm, 20, 100, 5*time.Second
	cfg.Outage = Outage{Kind: kind, Command: "replace it"}
	cfg.startCommand = func(line string) (func() error, error) {
		if line != "replace it" {
			t.Errorf("the command is %q", line)
		}
		until.Store(time.Now().Add(silent).UnixNano())
		return func() error { time.Sleep(time.Second); return command }, nil
	}
	return mustRun(t, t.Context(), cfg)
}

// A server that hands its players over keeps them waiting for a moment; what each of them has missed is measured, and
// others log in meanwhile.
func TestHandOverIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		rep := outageRun(t, &a, report.OutageHandOver, 700*time.Millisecond, nil)
		o := rep.Outage
		if o == nil || o.Players != 20 || o.Kept != 20 || o.Reconnected+o.ByPassword+o.NotBack != 0 || !rep.Kept() {
			t.Fatalf("%+v\n%+v", o, rep.Verdicts)
		}
		if o.Gap.Count != 20 || o.Gap.Min < 700 || o.Gap.Max > 800 || o.LastBack < 0.7 || o.LastBack > 0.8 {
			t.Errorf("gaps: %+v, last back after %v s", o.Gap, o.LastBack)
		}
		if n := o.Logins; n.In < 100 || n.Busy+n.Failed != 0 || n.Latency.Count != int64(n.In) {
			t.Errorf("logins of others: %+v", n)
		}
		near(t, "command", o.CommandSeconds, 1)
		if rep.LoggedOut != 20 {
			t.Errorf("%d logged out", rep.LoggedOut)
		}
	})
}

// What a hand-over must not cost breaks the run: a refused login, and a command that fails.
func TestHandOverThatCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		a.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if strings.Contains(name, "-vis-") {
				refuse(w, 0, http.StatusServiceUnavailable, "server-busy", time.Second)
				return
			}
			a.admit(w, name, 0)
		}
		rep := outageRun(t, &a, report.OutageHandOver, 0, errors.New("exit status 1"))
		o := rep.Outage
		if o == nil || o.Kept != 20 || o.Logins.In != 0 || o.Logins.Busy == 0 || !o.CommandFailed || rep.Kept() {
			t.Fatalf("%+v\n%+v", o, rep.Verdicts)
		}
		if !slices.Contains(rep.Notes, "the command of the outage failed: exit status 1") {
			t.Errorf("%q", rep.Notes)
		}
	})
}

// Players to whom nothing comes any more are not back, however long the run waits for them.
func TestKillWithoutReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		rep := outageRun(t, &a, report.OutageKill, time.Hour, nil)
		o := rep.Outage
		if o == nil || o.NotBack != 20 || o.Kept+o.Reconnected+o.ByPassword != 0 || o.Return.Count != 0 || rep.Kept() {
			t.Fatalf("%+v\n%+v", o, rep.Verdicts)
		}
		if o.Gap.Min < DefaultWatch.Seconds()*1000 {
			t.Errorf("%+v", o.Gap)
		}
	})
}

func TestOutageIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"in a burst":      func(c *Config) { c.Scenario, c.Rate = report.Burst, 0 },
		"of no kind":      func(c *Config) { c.Outage.Kind = "" },
		"by clients":      func(c *Config) { c.DropBy = DropByClients },
		"without command": func(c *Config) { c.Outage.Command = "" },
		"watch":           func(c *Config) { c.Outage.Watch = -1 },
	} {
		cfg := Config{
			Target: "http://127.0.0.1:1", Scenario: report.ReconnectStorm, Clients: 1, Rate: 1,
			Outage: Outage{Kind: report.OutageKill, Command: "true"},
		}
		if _, err := cfg.WithDefaults(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if _, err := cfg.WithDefaults(); err == nil {
			t.Errorf("an outage %s: no error", name)
		}
	}
}

// A command is run by the shell, and its failure is told.
func TestStartShell(t *testing.T) {
	for line, fails := range map[string]bool{"exit 0": false, "exit 3": true, "no-such-command-here 2>/dev/null": true} {
		wait, err := startShell(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(); (err != nil) != fails {
			t.Errorf("%s: %v", line, err)
		}
	}
}
