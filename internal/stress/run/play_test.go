package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/protocol"
)

// buckets are n ticks that were late by so many µs.
func lateness(t *testing.T, us ...int) string {
	t.Helper()
	var h latency.Histogram
	for _, d := range us {
		h.Record(time.Duration(d) * time.Microsecond)
	}
	b, err := json.Marshal(h.Detailed())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func playMetrics(ticks, cpu, sent int, lateness string) string {
	return fmt.Sprintf(`{"tick":{"ticks":%d,"late":%d,"lateness":%s,"duration":%s,"snapshot_rate":20,
		"snapshots":%d,"snapshots_skipped":%d},
		"process":{"cpu_seconds":%d,"rss_bytes":1048576,"cores":2}}`,
		ticks, ticks/100, lateness, lateness, sent, sent/100, cpu)
}

func TestPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		a.metrics = []string{
			playMetrics(1, 1, 0, "{}"),
			playMetrics(1000, 2, 1000, lateness(t, 50, 50_000)),
			playMetrics(4000, 8, 7000, lateness(t, 50, 50_000, 20, 20, 20, 300)),
		}
		a.metricsAt = func(at time.Duration) int { // all are in after 20 s and leave after 80 s
			return map[bool]int{at > time.Second: 1}[true] + map[bool]int{at > time.Minute: 1}[true]
		}
		a.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			a.admit(w, name, map[bool]time.Duration{true: 20 * time.Second}[idOf(name) == "1"]) // the first comes last
		}
		cfg := a.open(t, 20)
		defer a.shut()
		cfg.Clients, cfg.Admin = 20, "http://admin.test"
		rep := mustRun(t, t.Context(), cfg)
		p := rep.Play
		if p == nil || p.Players != 20 || p.Seconds != DefaultPlay.Seconds() || rep.LoggedOut != 20 ||
			rep.SessionsLost != 0 || rep.Interrupted {
			t.Fatalf("%+v\n%+v", rep, p)
		}
		if math.Abs(p.Expected-20*60*20) > 0.1 || p.Share < 0.999 || p.Share > 1.001 || math.Abs(p.PerSecond-400) > 1 {
			t.Errorf("snapshots: %+v", p)
		}
		near(t, "inter-arrival p50", p.InterArrival.P50, 50)
		if p.Gaps+p.Missing+p.Malformed+p.Implausible+p.Late+p.NoBaseline+
			p.Reconnects+p.TimedOut+p.Disconnected+p.Denied != 0 ||
			p.Connects != 20 || p.ConnectsFailed != 0 || p.Bytes == 0 {
			t.Errorf("%+v", p)
		}
		s := p.Server
		if s.Cores != 0.1 || s.RSS != 1<<20 || s.Tick.Ticks != 3000 || s.Tick.Late != 30 || s.Snapshots != 6000 ||
			s.SnapshotsSkipped != 60 {
			t.Errorf("%+v", s)
		}
		if s.Lateness.Count != 4 || s.Lateness.P50 != 0.02 || s.Duration.Count != 4 {
			t.Errorf("lateness during the play: %+v", s.Lateness)
		}
		near(t, "max lateness", s.Lateness.Max, 0.3)
		if want := 2*20 + 5; a.dials != want { // each player to come and to go; the probe, and the observer's four
			t.Errorf("%d connections, want %d", a.dials, want)
		}
		if rep.Server.Lateness.Buckets != "" || len(rep.Notes) != 0 {
			t.Errorf("%+v, notes %q", rep.Server, rep.Notes)
		}
		time.Sleep(time.Second) // goodbyes are under way
		checkWalks(t, &a)
	})
}

// checkWalks looks at what the arena was told: an intent five times a second, another direction every three seconds,
// not all at the same time.
func checkWalks(t *testing.T, a *arena) {
	t.Helper()
	a.guard.Lock()
	defer a.guard.Unlock()
	phases := map[time.Duration]bool{}
	for player, got := range a.intents {
		turns, last := 0, got[0].at
		for i := range got[1:] {
			if got[i+1].MoveX != got[i].MoveX || got[i+1].MoveY != got[i].MoveY {
				turns, last = turns+1, got[i+1].at
			}
		}
		seconds := got[len(got)-1].at.Sub(got[0].at).Seconds()
		if rate := float64(len(got)) / seconds; rate < 4.9 || rate > 5.6 {
			t.Errorf("player %d: %v messages a second", player, rate)
		}
		if every := seconds / float64(turns); every < 2.5 || every > 3.1 {
			t.Errorf("player %d: another direction every %v s", player, every)
		}
		phases[time.Duration(last.UnixNano())%turnInterval] = true
	}
	if len(phases) < 15 {
		t.Errorf("only %d phases", len(phases))
	}
	if len(a.walkers) != 0 || a.expired != 0 && len(a.intents) == 0 {
		t.Errorf("%d players are left", len(a.walkers))
	}
}

func TestPlayFindsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		a.message = func(player uint64, tick uint32, snapshot []byte) []byte {
			s := slices.Clone(snapshot)
			switch {
			case player == 1 && tick%60 == 0: // once a second
				return nil
			case player == 2 && tick%60 == 0:
				return []byte("hello")
			case player == 3 && tick%60 == 0:
				var e protocol.Encoder
				e.Begin(protocol.Header{Tick: tick, Own: protocol.Own{Zone: 1, X: 1e6, HP: 1, MaxHP: 10}}, nil)
				return slices.Clone(e.Bytes())
			}
			return s
		}
		a.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			a.admit(w, name, map[bool]time.Duration{true: time.Second}[idOf(name) == "5"])
		}
		cfg := a.open(t, 4)
		defer a.shut()
		cfg.Clients, cfg.Duration = 5, 30*time.Second // one too many
		rep := mustRun(t, t.Context(), cfg)
		p := rep.Play
		for what, tt := range map[string][2]int64{ // at the edges of the play one may be in or not
			"missing": {p.Missing, 60}, "gaps": {p.Gaps, 60}, "malformed": {p.Malformed, 30},
			"implausible": {p.Implausible, 60}, // there and back
		} {
			if got, want := tt[0], tt[1]; got < want-2 || got > want+2 {
				t.Errorf("%s: %d, want %d or so", what, got, want)
			}
		}
		near(t, "snapshots", float64(p.Snapshots), 4*600-60)
		near(t, "expected", p.Expected, 5*600)
		if p.Players != 4 || p.ConnectsFailed != 1 || p.Denied != 1 || p.Server != nil || rep.LoggedOut != 5 {
			t.Errorf("%+v\n%+v", p, rep)
		}
		if notes := strings.Join(rep.Notes, "\n"); !strings.Contains(notes, "connection denied") {
			t.Errorf("notes: %q", notes)
		}
	})
}

func TestPlayThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		cfg := a.open(t, 3)
		defer a.shut()
		cfg.Clients, cfg.Duration = 3, time.Minute
		time.AfterFunc(10*time.Second, func() { a.network.SetOptions(memnet.Options{Loss: 1}) })
		time.AfterFunc(25*time.Second, func() { a.network.SetOptions(memnet.Options{}) })
		rep := mustRun(t, t.Context(), cfg)
		p := rep.Play
		if p.TimedOut != 3 || p.Reconnects < 3 || p.Players != 3 || rep.SessionsLost != 0 || p.Gaps != 3 {
			t.Errorf("%+v", p)
		}
		if p.Share < 0.7 || p.Share > 0.9 || p.InterArrival.Max < 15_000 {
			t.Errorf("share %v, longest silence %v ms", p.Share, p.InterArrival.Max)
		}
	})
}

func TestPlayInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		cfg := a.open(t, 3)
		defer a.shut()
		cfg.Clients, cfg.Duration = 3, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		rep := mustRun(t, ctx, cfg)
		if !rep.Interrupted || rep.Play.Players != 3 || rep.LoggedOut != 3 || math.Abs(rep.Play.Seconds-20) > 1 {
			t.Errorf("%+v\n%+v", rep, rep.Play)
		}
	})
}

// A player who was still connecting when the run was interrupted has not failed.
func TestPlayInterruptedWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		cfg := a.open(t, 3)
		defer a.shut()
		cfg.Clients = 3
		a.network.SetOptions(memnet.Options{Loss: 1})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		rep := mustRun(t, ctx, cfg)
		if !rep.Interrupted || rep.Play.ConnectsFailed != 0 || rep.Play.Players != 0 || rep.LoggedOut != 3 {
			t.Errorf("%+v\n%+v", rep, rep.Play)
		}
	})
}

// A server without a realtime channel is played on without one.
func TestPlayWithoutChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Play, cfg.Duration = 2, true, time.Minute
		rep := mustRun(t, t.Context(), cfg)
		if p := rep.Play; p.ConnectsFailed != 2 || p.Players != 0 || p.Expected != 2*60*20 || p.Share != 0 ||
			rep.LoggedOut != 2 || f.expired != 0 {
			t.Errorf("%+v\n%+v", p, rep)
		}
	})
}

func TestNobodyStaysWhenNobodyIsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) { refuse(w, 0, 409, "username-taken", 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Play, cfg.Duration = 2, true, time.Hour
		begin := time.Now()
		if rep := mustRun(t, t.Context(), cfg); rep.Play != nil || time.Since(begin) > time.Minute {
			t.Errorf("after %v: %+v", time.Since(begin), rep.Play)
		}
	})
}

func TestStayWithoutPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, 0) }
		cfg := f.start(t)
		cfg.Clients, cfg.Duration = 2, 5*time.Minute
		begin := time.Now()
		rep := mustRun(t, t.Context(), cfg)
		if time.Since(begin) != 5*time.Minute || rep.Play != nil || rep.LoggedOut != 2 || f.expired != 0 {
			t.Errorf("after %v: %+v", time.Since(begin), rep)
		}
	})
}

func TestPlausible(t *testing.T) {
	at := func(x, y float64) protocol.Own {
		return protocol.Own{Zone: 1, X: protocol.Fixed(x), Y: protocol.Fixed(y), HP: 5}
	}
	elsewhere, died, dead := at(900, 0), at(900, 0), at(0, 0)
	elsewhere.Zone, died.Deaths, dead.HP = 2, 1, 0
	for _, tt := range []struct {
		name  string
		a, b  protocol.Own
		ticks uint32
		want  bool
	}{
		{"still", at(1, 1), at(1, 1), 3, true},
		{"at full speed", at(0, 0), at(8, 0), 60, true},
		{"a portal", at(0, 0), elsewhere, 3, true},
		{"a death", at(0, 0), died, 3, true},
		{"rising again", dead, at(900, 0), 3, true},
		{"after an outage", at(0, 0), at(100, 0), 900, true},
		{"a leap", at(0, 0), at(0, 4), 3, false},
		{"far away", at(-1<<24, 0), at(1<<24, 0), 60, false},
		{"no time", at(0, 0), at(0, 0), 0, false},
		{"back in time", at(0, 0), at(0, 0), 1<<32 - 3, false},
	} {
		if got := plausible(&tt.a, &tt.b, tt.ticks); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestPlayHasABeginningAndAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally playTally
		tally.init(0)
		sleep := func() time.Duration { time.Sleep(time.Second); return tally.at(time.Now()) }
		before := sleep()
		if tally.isOpen(before) || tally.within(0, before) != 0 {
			t.Error("open before it begins")
		}
		tally.open()
		during := sleep()
		if tally.isOpen(before-1) || !tally.isOpen(during) || tally.within(0, during) != time.Second {
			t.Errorf("during the play: %v open: %v, within %v", during, tally.isOpen(during), tally.within(0, during))
		}
		tally.shut()
		after := sleep()
		if tally.isOpen(after) || !tally.isOpen(during-1) || tally.within(0, after) != time.Second ||
			tally.within(after, after) != 0 {
			t.Errorf("after the play: %v open: %v, within %v", after, tally.isOpen(after), tally.within(0, after))
		}
	})
}

func TestSnapshotsCostNoMemory(t *testing.T) {
	var tally playTally
	tally.init(20)
	tally.open()
	var v seen
	s := protocol.Snapshot{Tick: 1, Own: protocol.Own{HP: 1}}
	if n := testing.AllocsPerRun(1000, func() { s.Tick += 3; v.take(&s, time.Since(tally.epoch), &tally) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if v.snapshots < 1000 || v.missing+v.implausible != 0 {
		t.Errorf("%+v", v)
	}
}

func TestPlayText(t *testing.T) {
	rep := newReport(&Config{})
	rep.Play = &report.Play{
		Seconds: 60, Players: 1000, ConnectsFailed: 2, SnapshotRate: 20, Snapshots: 1199000, Expected: 1200000,
		Share: 1199. / 1200, PerSecond: 19983, Missing: 900, Gaps: 800, Malformed: 1, Implausible: 3, Late: 4, NoBaseline: 5,
		Connects: 1010, Reconnects: 10, TimedOut: 6, Disconnected: 4, Denied: 7, Bytes: 3 << 20,
		Server: &report.PlayServer{
			Cores: 0.345, RSS: 5 << 20, Tick: report.TickCounters{Ticks: 3600, Late: 1, Skipped: 2}, Snapshots: 1200000,
			SnapshotsSkipped: 8, Lateness: &latency.Summary{Count: 3600, P50: 0.02, P99: 0.4, Max: 2},
		},
	}
	var out bytes.Buffer
	if err := rep.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"play: 1000 players for 60.0 s; 2 could not connect",
		"snapshots: 1199000 of 1200000 expected (99.92 %), 19983/s at 20 Hz each; 900 missing in 800 gaps",
		"messages: 1 malformed, 3 implausible, 4 late, 5 without baseline; 3.0 MiB",
		"connections: 1010 made, 10 of them again; 6 timed out, 4 ended by the server, 7 denied",
		"server during the play: 0.34 cores, RSS 5.0 MiB; ticks: 3600, late 1, skipped 2, panics 0, overruns 0; " +
			"snapshots: 1200000 sent, 8 skipped",
		"tick lateness 3600 0.00 0.00 0.02 0.00 0.40 0.00 2.00",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, out.String())
		}
	}
}

func TestTooManyFiles(t *testing.T) {
	const limit = 20_000
	for _, tt := range []struct {
		play, webSocket bool
		each            int // files
	}{{false, false, 1}, {true, false, 2}, {true, true, 1}} {
		each := tt.each
		cfg := Config{Target: "http://127.0.0.1:1", Clients: limit / each, Play: tt.play, WebSocket: tt.webSocket}
		asked := uint64(0)
		raise := func(need uint64) (uint64, bool) { asked = need; return limit, true }
		if err := cfg.checkFiles(raise); !errors.Is(err, ErrTooManyFiles) || !strings.Contains(err.Error(), "ulimit") {
			t.Errorf("%d clients, limit %d: %v", cfg.Clients, limit, err)
		}
		if want := uint64(limit + reservedFiles); asked != want {
			t.Errorf("asked for %d files, want %d", asked, want)
		}
		cfg.Clients = (limit - reservedFiles) / each
		if err := cfg.checkFiles(raise); err != nil {
			t.Error(err)
		}
	}
}
