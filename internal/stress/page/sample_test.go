package page

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// day simulates a launch day, so that pages have something to show: players come at random at a rate that grows beyond
// what the server takes, wait in a bounded queue, are told busy when it is full, and come back later.
type day struct {
	random   *rand.Rand
	step     float64 // s
	capacity float64 // logins per second

	r            *report.Report
	queue        float64
	away         [][2]float64 // players told busy: when they come back, when they first came
	first, ok    latency.Histogram
	busy         latency.Histogram
	probe, start latency.Histogram
	wait, late   latency.Histogram
	parts        [3]struct{ first, ok, probe, late latency.Histogram }
}

// launchDay returns the report of a simulated launch day in so many intervals. The same arguments return the same
// report.
func launchDay(points int, capacity float64, seed uint64) *report.Report {
	step := max(1, math.Round(300/float64(points)))
	d := &day{random: rand.New(rand.NewPCG(seed, 1)), step: step, capacity: capacity}
	length := float64(points) * d.step
	d.r = &report.Report{
		Scenario: report.LaunchDay, Mode: report.Register, Target: "https://game.example.net", Capacity: capacity,
		StartedAt: time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC),
		Failed:    map[string]int{}, Timeline: report.Timeline{IntervalSeconds: d.step},
		Phases: []report.Phase{
			{Name: "ramp-up", From: 0, To: 0.25 * length}, {Name: "peak", From: 0.25 * length, To: 0.6 * length},
			{Name: "decay", From: 0.6 * length, To: length},
		},
	}
	for i := range points {
		d.interval(float64(i)*d.step, length)
	}
	d.finish(length)
	return d.r
}

// rate is how many players come per second.
func (d *day) rate(share float64) float64 {
	switch {
	case share < 0.25:
		return d.capacity * 1.6 * share / 0.25
	case share < 0.6:
		return d.capacity * 1.6
	}
	return d.capacity * 1.6 * max(0, 1-(share-0.6)/0.25)
}

// places is the capacity of the queue.
const places = 200

// instant is an interval under way.
type instant struct {
	day                                    *day
	at                                     float64
	point                                  report.Point
	first, ok, probe, start, wait, late    latency.Histogram
	partFirst, partOK, partProbe, partLate *latency.Histogram
}

func (d *day) interval(at, length float64) {
	part := &d.parts[phaseOf(at/length)]
	m := &instant{day: d, at: at, partFirst: &part.first, partOK: &part.ok, partProbe: &part.probe, partLate: &part.late}
	m.point = report.Point{At: at, GeneratorCores: 0.2 + 0.1*d.random.Float64()}
	arrivals := int(d.rate((at+d.step/2)/length) * d.step * (0.85 + 0.3*d.random.Float64()))
	m.point.Started, d.r.Clients, d.r.Unfinished = arrivals, d.r.Clients+arrivals, d.r.Unfinished+arrivals
	m.doors(arrivals)
	m.serve()
	m.close(arrivals, min(1, d.rate(at/length)/d.capacity))
	phase := &d.r.Phases[phaseOf(at/length)]
	phase.Started += arrivals
	phase.Answers = addAnswers(phase.Answers, m.point.Answers)
}

// doors lets those who come, and those who come back, knock one after the other while the queue is worked off.
func (m *instant) doors(arrivals int) {
	d := m.day
	var due []float64
	for range arrivals {
		record(0.0004*d.random.ExpFloat64(), &m.start, &d.start)
		due = append(due, m.at)
	}
	var later [][2]float64
	for _, a := range d.away {
		if a[0] > m.at {
			later = append(later, a)
		} else {
			due = append(due, a[1])
		}
	}
	d.away = later
	drain := d.capacity * d.step / float64(max(1, len(due)))
	if len(due) == 0 {
		d.queue = max(0, d.queue-drain)
	}
	for _, came := range due {
		m.knock(came)
		d.queue = max(0, d.queue-drain)
	}
}

// knock is one try of a player who first came then.
func (m *instant) knock(came float64) {
	d, answers := m.day, &m.point.Answers
	delay := d.queue / d.capacity * (0.9 + 0.2*d.random.Float64())
	answer := 0.004 + 0.02*d.random.ExpFloat64()
	full := d.queue >= places-2
	switch u := d.random.Float64(); {
	case u < 0.0008:
		answers.Dropped++
		d.r.Dropped++
		d.r.Unfinished--
		return
	case u < 0.0016 && d.queue > 150:
		answers.TimedOut++
		d.r.TimedOut++
		d.r.Unfinished--
		return
	case u < 0.003 && d.queue > 100:
		answers.Expired++
		d.away = append(d.away, [2]float64{m.at + 8, came})
		return
	case full && m.at-came > 60: // that was the last try
		d.r.Busy++
		d.r.Unfinished--
	case full:
		d.away = append(d.away, [2]float64{m.at + d.step + 5 + 25*d.random.Float64(), came})
	}
	if full {
		answers.Busy++
		record(answer, &d.busy)
		d.answered(came == m.at, answer, &m.first, m.partFirst)
		return
	}
	d.queue++
	answers.In++
	d.answered(came == m.at, delay+answer, &m.first, m.partFirst)
	record(m.at-came+delay+answer, &m.ok, &d.ok, m.partOK)
	record(delay, &m.wait, &d.wait)
}

// serve has the server answer the probe and tick, the later the more wait.
func (m *instant) serve() {
	d := m.day
	load := d.queue / places
	for range int(20 * d.step) {
		record(0.0006+0.003*load*d.random.ExpFloat64(), &m.probe, &d.probe, m.partProbe)
	}
	for range int(60 * d.step) {
		record(0.00002+0.0002*load*d.random.ExpFloat64(), &m.late, &d.late, m.partLate)
	}
}

// close adds the interval to the report.
func (m *instant) close(arrivals int, load float64) {
	d, p := m.day, &m.point
	d.r.OK += p.Answers.In
	d.r.Unfinished -= p.Answers.In
	d.r.Answers = addAnswers(d.r.Answers, p.Answers)
	p.FirstAnswer, p.Success = m.first.Summary(), m.ok.Summary()
	p.Probe, p.StartDelay = m.probe.Summary(), m.start.Summary()
	p.Pending, p.Inside, p.Playing = len(d.away)+int(d.queue), d.r.OK, d.r.OK*98/100
	p.GeneratorCores += float64(arrivals) / d.step / 900
	p.Server = &report.ServerPoint{
		Depth: int(d.queue), Capacity: places, Players: d.r.OK, Wait: m.wait.Summary(), Lateness: m.late.Summary(),
		Cores: 0.1 + 1.7*load + 0.1*d.random.Float64(), RSS: 90<<20 + int64(d.r.OK)*9000,
	}
	d.r.Timeline.Points = append(d.r.Timeline.Points, *p)
}

// answered records the answer to a player's first try.
func (d *day) answered(firstTry bool, s float64, to ...*latency.Histogram) {
	if firstTry {
		record(s, append(to, &d.first)...)
	}
}

func phaseOf(share float64) int {
	switch {
	case share < 0.25:
		return 0
	case share < 0.6:
		return 1
	}
	return 2
}

// record counts a duration in seconds.
func record(s float64, to ...*latency.Histogram) {
	for _, h := range to {
		h.Record(time.Duration(s * float64(time.Second)))
	}
}

func (d *day) finish(length float64) {
	r := d.r
	for i := range r.Phases {
		p, part := &r.Phases[i], &d.parts[i]
		p.PerSecond = float64(p.Answers.In) / (p.To - p.From)
		p.FirstAnswer, p.Success, p.Probe = part.first.Summary(), part.ok.Summary(), part.probe.Summary()
		late, skipped := part.late.Summary(), int64(0)
		p.Lateness, p.Skipped = &late, &skipped
	}
	r.Busy, r.Unfinished = r.Busy+r.Unfinished, 0 // those still away when the day is over
	for _, k := range kinds {
		r.Tries += k.of(r.Answers)
	}
	r.FirstAnswer, r.Success, r.StartDelay = d.first.Detailed(), d.ok.Detailed(), d.start.Detailed()
	r.BusyAnswer = d.busy.Summary()
	r.Probe = report.Probe{Answered: int(20 * length), Latency: d.probe.Detailed()}
	r.WallSeconds, r.LoginsPerSecond = length*0.97, float64(r.OK)/length/0.97
	r.TriesPerSuccess = float64(r.Tries) / float64(max(1, r.OK))
	r.InOnTry = []int{r.OK * 7 / 10, r.OK * 2 / 10, r.OK - r.OK*7/10 - r.OK*2/10}
	r.Server = &report.Server{
		Auth: report.AuthCounters{
			Queued: int64(r.OK + r.Answers.Expired), Processed: int64(r.OK), Expired: int64(r.Answers.Expired),
			RejectedBusy: int64(r.Answers.Busy), Success: int64(r.OK), Fail: map[string]int64{},
		},
		BatchSizes: map[string]int64{"1": 212, "2": 60, "16": int64(r.OK / 16)}, Wait: d.wait.Summary(), HashMS: 3.1,
		Workers: 4, Cores: 2,
		Load: d.probe.Summary(), Derive: d.probe.Summary(), Commit: d.probe.Summary(), Duration: d.late.Summary(),
		Tick: report.TickCounters{Ticks: int64(60 * length)}, Lateness: d.late.Summary(),
		RSSBefore: 88 << 20, RSSAtEnd: 143 << 20,
		CPUSeconds: 1.3 * length,
	}
	r.Play = &report.Play{
		Seconds: 60, Players: r.OK, SnapshotRate: 20, Snapshots: int64(r.OK) * 1198, Expected: float64(r.OK) * 1200,
		Share: 1198.0 / 1200, PerSecond: float64(r.OK) * 19.97, Missing: 410, Gaps: 96, InterArrival: d.probe.Summary(),
		RoundTrip: d.probe.Summary(), Connects: int64(r.OK), Bytes: 900 << 20,
	}
	r.Generator = report.Generator{
		CPUSeconds: 0.4 * length, Cores: 0.4, PeakCores: 0.71, Available: 2, PeakRSS: 310 << 20, Lateness: d.start.Summary(),
	}
	r.Verdicts = []report.Verdict{
		{Limit: "first-answer p99 at most 2000 ms", Got: r.FirstAnswer.P99, OK: r.FirstAnswer.P99 <= 2000},
		{Limit: "tick lateness p99 at most 1 ms", Got: r.Server.Lateness.P99, OK: true},
		{Limit: "share of players let in at least 0.99", Got: float64(r.OK) / float64(max(1, r.Clients)),
			OK: r.OK*100 >= r.Clients*99},
	}
	r.Notes = []string{"Half of the players came from one address range, whose limit was raised for the run."}
}
