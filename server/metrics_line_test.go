package server

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// The metrics have those who wait in the line by how they are known, and those who come out of turn by cause.
func TestMetricsOfTheLine(t *testing.T) {
	cfg := Config{DataDir: t.TempDir(), Backend: SQLite}
	s := lineNode(t, cfg)
	given := enqueue(t, s)
	ask(t, s, given.Ticket) // before its turn
	ask(t, s, "no ticket")
	resp, err := http.Post("http://"+s.HTTPAddr().String()+"/v1/login", "application/json",
		strings.NewReader(`{"username":"bob","password":"correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp, err = http.Get("http://" + s.AdminAddr().String() + "/metrics"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	value := func(sample string) float64 {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(sample) + ` (\S+)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s", sample)
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for sample, want := range map[string]float64{
		`rushgate_line_waiting{line="door",tier="0"}`:                3,
		`rushgate_line_turns_given_total{line="door",to="ticket"}`:   2,
		`rushgate_line_turns_given_total{line="door",to="name"}`:     1,
		`rushgate_line_refusals_total{cause="not_yet",line="door"}`:  1,
		`rushgate_line_refusals_total{cause="used",line="door"}`:     0,
		`rushgate_line_refusals_total{cause="too_many",line="door"}`: 0,
		`rushgate_line_called{line="door"}`:                          0,
		`rushgate_line_turns_called_total{line="door"}`:              0,
		`rushgate_line_turns_used_total{line="door"}`:                0,
		`rushgate_line_promises_total{line="door",outcome="kept"}`:   0,
		`rushgate_line_forgotten_total{line="door"}`:                 0,
		`rushgate_door_promised`:                                     3,
	} {
		if got := value(sample); got != want {
			t.Errorf("%s is %v, want %v", sample, got, want)
		}
	}
	low, high := value(`rushgate_line_told_seconds{bound="low"}`), value(`rushgate_line_told_seconds{bound="high"}`)
	opens := time.UnixMilli(int64(value("rushgate_line_opens_timestamp_seconds") * 1000))
	if low <= 0 || high <= low || high > 2*3600 || time.Until(opens) > time.Hour || time.Until(opens) < 50*time.Minute {
		t.Errorf("newcomers are told %v to %v s, and the line opens at %v", low, high, opens)
	}
}

// The dashboard shows all tiers together, and counts no player who was away among the broken promises.
func TestLineOfTheDashboard(t *testing.T) {
	opens := time.UnixMilli(5)
	stats := door.Stats{
		Line: line.Stats{
			Promises: line.Promises{Kept: 8, Early: 1, Late: 3, Away: 100, Share: 0.25},
			Waiting:  []int{40, 0, 2}, Oldest: []time.Duration{time.Minute, 0, 2 * time.Minute},
			Outstanding: 7, Pace: 100, NoShows: 0.1, Opens: opens,
		},
		Newcomer: door.Newcomer{Refused: true, Low: time.Second, High: 7 * time.Second},
	}
	want := admin.Line{
		Waiting: 42, Called: 7, Front: 2 * time.Minute, Pace: 100, NoShows: 0.1, Opens: opens,
		Refused: true, Low: time.Second, High: 7 * time.Second, Kept: 8, Judged: 12, KeptShare: 0.25,
	}
	if got := readLine(&stats); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
