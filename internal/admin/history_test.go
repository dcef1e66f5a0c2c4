package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

// A node's history holds the last 900 samples, one a second, each once and in order.
func TestHistoryKeepsFifteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var reads atomic.Int64
		h := NewHistory(func() Reading { return Reading{Players: int(reads.Add(1)) - 1} },
			func(context.Context) bool { return true })
		h.Start()
		h.Start()
		for _, after := range []int{0, 1, 2, 899, 900, 901, 1000, 2750} {
			time.Sleep(time.Until(start.Add(time.Duration(after) * time.Second)))
			synctest.Wait()
			u := h.after(0)
			if int(u.last) != after || len(u.points) != min(after, 900) {
				t.Fatalf("after %d s: sample %d, %d points", after, u.last, len(u.points))
			}
			for i, raw := range u.points {
				var p point
				if err := json.Unmarshal(raw, &p); err != nil {
					t.Fatal(err)
				}
				n := after - len(u.points) + 1 + i
				if p.Players != n || p.Time != start.Add(time.Duration(n)*time.Second).UnixMilli() {
					t.Fatalf("after %d s point %d is %+v", after, i, p)
				}
			}
		}
		h.Stop()
		h.Stop()
		time.Sleep(time.Minute)
		if n := reads.Load(); n != 2751 {
			t.Errorf("read %d times", n)
		}
	})
}

// Who comes back gets what has been missed, or everything that is kept if that is too long ago or was never true.
func TestHistoryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHistory(func() Reading { return Reading{} }, func(context.Context) bool { return true })
		h.Start()
		defer h.Stop()
		time.Sleep(1000*time.Second + time.Millisecond)
		for seen, want := range map[int64]int{0: 900, 1000: 0, 999: 1, 990: 10, 100: 900, 99: 900, 101: 899, 1001: 900,
			-1: 900} {
			if u := h.after(seen); len(u.points) != want || u.last != 1000 {
				t.Errorf("after sample %d: %d points up to %d, want %d", seen, len(u.points), u.last, want)
			}
		}
	})
}

func TestStoppedHistory(t *testing.T) {
	h := NewHistory(func() Reading { t.Error("read"); return Reading{} }, func(context.Context) bool { return true })
	h.Stop()
	h.Start()
	h.Stop()
}

// The figures of a sample are those of its interval, whatever came before.
func TestFiguresOfAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wait, lateness latency.Histogram
		var total atomic.Pointer[Reading]
		h := NewHistory(func() Reading {
			r := *total.Load()
			r.Wait, r.Lateness = wait.Detailed(), lateness.Detailed()
			return r
		}, func(context.Context) bool { return true })
		wait.RecordN(time.Minute, 1000) // all before the first sample
		lateness.RecordN(time.Second, 1000)
		total.Store(&Reading{Admitted: 1_000_000, StoreCalls: 5, StoreTime: time.Hour})
		h.Start()
		defer h.Stop()
		sample := func() (s Sample) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if err := json.Unmarshal(h.after(0).now, &s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		synctest.Wait()
		wait.RecordN(10*time.Millisecond, 90)
		wait.RecordN(100*time.Millisecond, 10)
		lateness.RecordN(50*time.Microsecond, 60)
		total.Store(&Reading{
			Admitted: 1_000_100, SkippedTicks: 2, Busy: 7, Failed: map[rushgate.Reason]int64{rushgate.BadCredentials: 3},
			StoreCalls: 15, StoreErrors: 1, StoreTime: time.Hour + 20*time.Millisecond, Process: Process{CPUSeconds: 1.5},
			Ticks: rushgate.TickRate,
		})
		s := sample()
		if s.Admitted != (Count{1_000_100, 100}) || s.Busy != (Count{7, 7}) || s.Skipped != (Count{2, 2}) ||
			s.Failed != (Count{3, 3}) || s.Reasons[rushgate.BadCredentials] != (Count{3, 3}) || s.StoreErrors != (Count{1, 1}) {
			t.Errorf("counts %+v", s)
		}
		if s.Wait.Count != 100 || !near(s.Wait.P50, 10) || !near(s.Wait.P99, 100) || !near(s.Wait.Max, 100) {
			t.Errorf("wait %+v", s.Wait)
		}
		if s.Lateness.Count != 60 || !near(s.Lateness.Max, 0.05) {
			t.Errorf("lateness %+v", s.Lateness)
		}
		if s.StoreMS != 2 || s.CPU != 1.5 || s.StoreAway || s.Parts[0].State != Busy || s.State != TickLate {
			t.Errorf("store %v ms, CPU %v, away %v, %s", s.StoreMS, s.CPU, s.StoreAway, s.Headline)
		}
		s = sample() // nothing has happened
		if s.Admitted != (Count{1_000_100, 0}) || s.Wait != (Interval{}) || s.Lateness != (Interval{}) || s.CPU != 0 ||
			s.StoreMS != 2 {
			t.Errorf("in between: %+v", s)
		}
	})
}

// The figures of the door are those of its interval, and what a system does not tell is absent.
func TestDoorOfAnInterval(t *testing.T) {
	before := Door{
		Knocks: 1000, ByDoorman: 500, ByAPI: 50, Accepted: 900, HandedOver: 90,
		CPU: CPU{Tick: time.Second, Hash: time.Minute, Door: time.Second, Rest: 9 * time.Second,
			Process: 71 * time.Second},
		AcceptQueue: &AcceptQueue{Limit: 4096, Overflows: 70}, Handshakes: &Handshakes{Done: 10, Failed: 1},
	}
	now := Door{
		Knocks: 1300, ByDoorman: 700, ByAPI: 60, Accepted: 1100, HandedOver: 100, AllowedCores: 0.4, Bounded: true,
		CPU: CPU{Tick: 1200 * time.Millisecond, Hash: 61 * time.Second, Door: 1800 * time.Millisecond,
			Rest: 9 * time.Second, Process: 74 * time.Second},
		AcceptQueue: &AcceptQueue{Length: 12, Limit: 4096, Overflows: 74},
		Handshakes:  &Handshakes{Waiting: 3, Done: 30, Failed: 2},
	}
	s := now.since(&before, all(2*time.Second))
	if s.Knocks != (Count{1300, 150}) || s.ByDoorman != (Count{700, 100}) || s.ByAPI != (Count{60, 5}) ||
		s.Accepted != (Count{1100, 100}) || s.HandedOver != (Count{100, 5}) {
		t.Errorf("counts %+v", s)
	}
	if s.Tick != 0.1 || s.Hash != 0.5 || s.Door != 0.4 || s.Rest != 0 || s.AllowedCores != 0.4 || !s.Bounded ||
		s.ConnectionUS != 4000 {
		t.Errorf("cores %+v", s)
	}
	if *s.AcceptQueue != (AcceptQueueSample{12, 4096, Count{74, 2}}) ||
		*s.Handshakes != (HandshakesSample{3, Count{30, 10}, Count{2, 0.5}}) {
		t.Errorf("%+v, %+v", s.AcceptQueue, s.Handshakes)
	}
	if s := now.since(new(Door), all(time.Second)); s.AcceptQueue.Overflows != (Count{74, 0}) {
		t.Errorf("with the first sample that tells, overflows are %+v", s.AcceptQueue.Overflows)
	}
	unknown := new(Door).since(&before, all(time.Second))
	text, err := json.Marshal(unknown.point())
	if err != nil {
		t.Fatal(err)
	}
	if unknown.AcceptQueue != nil || unknown.Handshakes != nil || strings.Contains(string(text), "aq") ||
		strings.Contains(string(text), "hw") {
		t.Errorf("where the system does not tell there is %s", text)
	}
}

// all are the times of a door whose parts were read at once.
func all(d time.Duration) doorTimes { return doorTimes{d, d, d} }

// Parts of a reading that were made seconds apart are divided each by the time in which it has grown. A node without a
// core to spare once showed 25,000 refusals per second of 30,921 in all, and 7 of 2 cores busy.
func TestRatesAreOfTheTimeInWhichTotalsGrew(t *testing.T) {
	begin := time.Now()
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	moments := func(s float64) Moments {
		return Moments{at(s), at(s + 0.1), at(s + 0.2), at(s + 0.3), at(s + 0.4), at(s + 0.5)}
	}
	// The first reading was begun at 0 s and is complete at 5.5 s, the next one was begun at 6 s and took no time.
	before := sampled{at: at(0), reading: Reading{Moments: moments(5)}}
	now := sampled{at: at(6), reading: Reading{
		Busy: 500, Ticks: 41, StoreCalls: 500, StoreTime: time.Second, Process: Process{CPUSeconds: 1.2},
		Door: Door{
			Knocks: 500, ByAPI: 500, Accepted: 450,
			CPU: CPU{Process: time.Second, Tick: 100 * time.Millisecond, Hash: 2 * time.Second, Door: 100 * time.Millisecond,
				Rest: 300 * time.Millisecond},
		},
		Moments: Moments{at(6), at(6), at(6), at(6), at(6), at(6)},
	}}
	s := now.since(&before)
	if s.Busy.PerSecond != 500 || s.Door.Knocks.PerSecond != 500 || s.Door.ByAPI.PerSecond != 500 {
		t.Errorf("500 refusals in 1 s: %+v, %+v", s.Busy, s.Door)
	}
	if s.Door.Accepted.PerSecond != 500 || s.Ticks.PerSecond != 58.57 || s.StoreCalls.PerSecond != 1000 || s.CPU != 2 {
		t.Errorf("of 0.9, 0.7, 0.5 and 0.6 s: %+v, %+v, %+v, %v", s.Door.Accepted, s.Ticks, s.StoreCalls, s.CPU)
	}
	d := &s.Door
	if sum := d.Tick + d.Hash + d.Door + d.Rest; sum > 1.26 || sum < 1.24 || d.Rest != 0 {
		t.Errorf("the parts used %v cores, the process 1.25: %+v", sum, d)
	}
}

// A history that came late to a sample goes on with a whole interval, and does not make up for it with samples of
// moments.
func TestLateSamplesAreNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var reads []time.Duration
		h := NewHistory(func() Reading {
			reads = append(reads, time.Since(begin))
			if len(reads) == 3 {
				time.Sleep(3700 * time.Millisecond)
			}
			return Reading{}
		}, func(context.Context) bool { return true })
		h.Start()
		time.Sleep(8*time.Second + SampleInterval/4)
		h.Stop()
		want := []time.Duration{0, time.Second, 2 * time.Second, 7 * time.Second, 8 * time.Second} // not at 5.7 s and 6 s
		if !slices.Equal(reads, want) {
			t.Errorf("read at %v, want %v", reads, want)
		}
	})
}

func near(got, want float64) bool { return got > want*0.98 && got < want*1.02 }

func newcomers(low, high time.Duration) Line { return Line{Refused: true, Low: low, High: high} }

func waiting(n int, low, high time.Duration) Line {
	l := newcomers(low, high)
	l.Waiting = n
	return l
}

// An interval is told in words that say no less than it.
func TestIntervalsInWords(t *testing.T) {
	for want, c := range map[string][2]time.Duration{
		"up to 1 s":     {0, 0},
		"up to 6 s":     {900 * time.Millisecond, 5001 * time.Millisecond},
		"1 s":           {time.Second, time.Second},
		"40 to 75 s":    {40999 * time.Millisecond, 74001 * time.Millisecond},
		"120 to 180 s":  {2 * time.Minute, 3 * time.Minute},
		"2 to 4 min":    {2 * time.Minute, 3*time.Minute + time.Second},
		"90 to 180 min": {90 * time.Minute, 3 * time.Hour},
		"up to 4 h":     {59 * time.Minute, 200 * time.Minute},
		"5 to 9 h":      {5 * time.Hour, 530 * time.Minute},
	} {
		if got := between(c[0], c[1]); got != want {
			t.Errorf("%v to %v: %q, want %q", c[0], c[1], got, want)
		}
	}
	if got := (&Line{High: time.Minute}).told(); got != "come in" {
		t.Errorf("a newcomer who comes in is told %q", got)
	}
}

// What is not known of the line is absent: the promise before the first player was let in, and ages while none waits.
func TestLineOfASample(t *testing.T) {
	text := func(l Line) string {
		s := l.sample()
		b, err := json.Marshal([]any{s, s.point()})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := text(Line{}); strings.Contains(got, "kept_share") || strings.Contains(got, "lf") ||
		strings.Contains(got, "lh") || strings.Contains(got, "opens") {
		t.Errorf("of a line that was never used: %s", got)
	}
	l := waiting(7, 2*time.Second, 9*time.Second)
	l.Judged, l.Kept, l.Front, l.Opens = 3, 0, 1500*time.Millisecond, time.UnixMilli(5)
	for _, want := range []string{`"waiting":7`, `"front_s":1.5`, `"promises_kept_share":0`, `"told":"2 to 9 s"`,
		`"opens_ms":5`, `"lw":7`, `"lf":1500`, `"lh":9000`} {
		if got := text(l); !strings.Contains(got, want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
}

// A rush has pauses, skipped steps do not pass at once, and a store that is not called says nothing.
func TestStatesLast(t *testing.T) {
	last := sampled{at: time.Now()}
	step := func(change func(*Reading)) (door, tick, store State) {
		next := sampled{reading: last.reading, at: last.at.Add(time.Second)}
		next.reading.Ticks += rushgate.TickRate
		change(&next.reading)
		s := next.since(&last)
		last = next
		return s.Parts[0].State, s.Parts[1].State, s.Parts[2].State
	}
	nothing := func(*Reading) {}
	if s, _, _ := step(func(r *Reading) { r.Busy++ }); s != Busy {
		t.Errorf("refused: %s", s)
	}
	for i := range 4 {
		if s, _, _ := step(nothing); s != Busy {
			t.Errorf("%d s later: %s", i+1, s)
		}
	}
	if s, tick, _ := step(nothing); s != Open || tick != OnTime {
		t.Errorf("5 s later: %s, %s", s, tick)
	}
	if _, tick, _ := step(func(r *Reading) { r.SkippedTicks = 2979 }); tick != TickLate {
		t.Errorf("with skipped steps: %s", tick)
	}
	for i := range 59 {
		if _, tick, _ := step(nothing); tick != TickLate {
			t.Fatalf("%d s after skipped steps: %s", i+1, tick)
		}
	}
	if _, tick, _ := step(nothing); tick != OnTime {
		t.Errorf("a minute after skipped steps: %s", tick)
	}
	for _, c := range []struct {
		what          string
		calls, errors int64
		want          State
	}{{"some fail", 10, 9, StoreSlow}, {"all fail", 3, 3, StoreAway}, {"no calls", 0, 0, StoreAway},
		{"one is given up", 5, 4, StoreAway}} {
		_, _, got := step(func(r *Reading) { r.StoreCalls += c.calls; r.StoreErrors += c.errors })
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// The tick is judged by the last ten seconds: not by a single late step, nor by what was long before.
func TestTickIsJudgedOverTenSeconds(t *testing.T) {
	var lateness latency.Histogram
	last := sampled{at: time.Now(), reading: Reading{Lateness: lateness.Detailed()}}
	second := func(late int, by time.Duration) Verdict {
		lateness.RecordN(by, late)
		lateness.RecordN(100*time.Microsecond, rushgate.TickRate-late)
		next := sampled{reading: last.reading, at: last.at.Add(time.Second)}
		next.reading.Ticks += rushgate.TickRate
		next.reading.Lateness = lateness.Detailed()
		s := next.since(&last)
		last = next
		return s.Parts[1]
	}
	for range 10 {
		if v := second(0, 0); v.Grade != Good {
			t.Fatalf("on time: %+v", v)
		}
	}
	if v := second(3, 80*time.Millisecond); v.Grade != Good {
		t.Errorf("three late steps of 600: %+v", v)
	}
	if v := second(30, 100*time.Millisecond); v.Grade != Bad || v.State != TickLate {
		t.Errorf("half a second of late steps: %+v", v)
	}
	for range 9 {
		if v := second(0, 0); v.Grade != Bad {
			t.Errorf("within ten seconds: %+v", v)
		}
	}
	second(0, 0)
	if v := second(0, 0); v.Grade != Good {
		t.Errorf("after ten seconds: %+v", v)
	}
}

// A reading whose parts were read late is no reading of a slow tick: the steps are those of the time between two looks
// at the world, whenever the reading began.
func TestALateLookIsNoLateTick(t *testing.T) {
	begin := time.Now()
	reading := func(at, looked time.Duration) sampled {
		when := begin.Add(looked)
		return sampled{at: begin.Add(at), reading: Reading{
			Ticks: int64(looked * rushgate.TickRate / time.Second), Process: Process{CPUSeconds: looked.Seconds(), Cores: 2},
			Moments: Moments{when, when, when, when, when, when},
		}}
	}
	last := reading(0, 2500*time.Millisecond) // this one was held up on its way to the world
	for s := 1; s <= 12; s++ {
		at := time.Duration(s) * time.Second
		next := reading(at, max(at, 2600*time.Millisecond))
		sample := next.since(&last)
		if v := sample.Parts[1]; v.State == TickLate || v.Grade == Bad {
			t.Fatalf("after %v: %+v", at, v)
		}
		last = next
	}
}
