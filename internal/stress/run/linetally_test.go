package run

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// ended returns a visit with a place and a turn, both in seconds from the epoch, that ended as said.
func ended(turn, end int, change ...func(*visit)) visit {
	v := visit{
		due: time.Unix(0, 0), turn: int64(turn) * 1000, placed: true, in: true, end: time.Unix(int64(end), 0),
		told: time.Unix(int64(turn), 0), low: 5 * time.Second, high: 15 * time.Second,
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

// What may be of a visit.
func direct(v *visit)  { v.placed, v.told = false, time.Time{} }
func gone(v *visit)    { v.in = false }
func away(v *visit)    { v.away = true }
func unheard(v *visit) { v.unheard = true }
func robbed(v *visit)  { v.lost = true }
func pushed(v *visit)  { v.crowd = true }
func unknown(v *visit) { v.turn = 0 }
func untold(v *visit)  { v.told = time.Time{} }

func TestOvertakings(t *testing.T) {
	for name, tt := range map[string]struct {
		visits []visit
		want   []int // of those who were on time, in the order in which they ended
	}{
		"nobody":                         {nil, nil},
		"in order":                       {[]visit{ended(1, 11), ended(2, 12), ended(3, 13)}, []int{0, 0, 0}},
		"the last first":                 {[]visit{ended(1, 12), ended(2, 13), ended(3, 11)}, []int{0, 1, 1}},
		"in reverse":                     {[]visit{ended(1, 13), ended(2, 12), ended(3, 11)}, []int{0, 1, 2}},
		"at the same moment":             {[]visit{ended(2, 11), ended(1, 11), ended(3, 11)}, []int{0, 0, 0}},
		"of the same turn":               {[]visit{ended(1, 12), ended(1, 11)}, []int{0, 0}},
		"one who is let in as it comes":  {[]visit{ended(1, 12), ended(5, 11, direct)}, []int{1}},
		"one of the crowd":               {[]visit{ended(1, 12), ended(5, 11, pushed)}, []int{1}},
		"one of the crowd is overtaken":  {[]visit{ended(1, 12, pushed), ended(5, 11)}, []int{0}},
		"before one left":                {[]visit{ended(1, 12, gone), ended(5, 11)}, []int{0, 1}},
		"after one left":                 {[]visit{ended(1, 12, gone), ended(5, 13)}, []int{0, 0}},
		"by one who left":                {[]visit{ended(1, 12), ended(5, 11, gone)}, []int{0, 0}},
		"one who was away":               {[]visit{ended(1, 12, away), ended(5, 11)}, []int{0}},
		"one who was not answered":       {[]visit{ended(1, 12, unheard), ended(5, 11)}, []int{0}},
		"one who lost the place":         {[]visit{ended(1, 12, robbed), ended(5, 11)}, []int{0}},
		"by one who was away":            {[]visit{ended(1, 12), ended(5, 11, away)}, []int{1}},
		"one whose turn is not known":    {[]visit{ended(1, 12, unknown), ended(5, 11)}, []int{0}},
		"by one whose turn is not known": {[]visit{ended(1, 12), ended(5, 11, unknown)}, []int{0}},
	} {
		if got := overtakings(tt.visits); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestLineReport(t *testing.T) {
	var tally lineTally
	if tally.report() != nil {
		t.Error("a report on nobody")
	}
	tally.add(ended(1, 2, direct))
	if tally.report() != nil {
		t.Error("a report without a place")
	}
	for _, v := range []visit{
		ended(1, 4),          // earlier than told
		ended(2, 8),          // as told
		ended(3, 18),         // as told
		ended(4, 20),         // later than told
		ended(5, 11, away),   // would have been as told
		ended(6, 12, untold), // nothing was told
		ended(7, 30, gone),
		ended(8, 9, pushed),
		ended(9, 9, direct, gone), // never came to the line
	} {
		tally.add(v)
	}
	tally.knock(false)
	tally.knock(true)
	tally.poll()
	tally.poll()
	tally.ask()
	tally.silence()
	for _, cause := range []string{"expired", "used", "used", "", "a cause of the future"} {
		tally.lose(cause)
	}
	l := tally.report()
	if l.Direct != 1 || l.Placed != 7 || l.In != 6 || l.NotOnTime != 1 || l.Told != 4 || l.Early != 1 || l.Late != 1 {
		t.Errorf("%+v", l)
	}
	if l.LineCounts != (report.LineCounts{Knocks: 2, TicketKnocks: 1, Polls: 2, UDP: 1, UDPUnanswered: 1}) {
		t.Errorf("%+v", l.LineCounts)
	}
	if !maps.Equal(l.PlacesLost, map[string]int{"expired": 1, "used": 2, "unsaid": 2}) {
		t.Errorf("%v", l.PlacesLost)
	}
	if l.Wait.Count != 6 || l.Width.Count != 6 || l.OvertakenMost != 3 || l.Overtaken != 0 { // 4 by those of 5, 6 and 8
		t.Errorf("%+v", l)
	}
	near(t, "width", l.Width.P50, 10_000)
	near(t, "longest wait", l.Wait.Max, 20_000)
}
