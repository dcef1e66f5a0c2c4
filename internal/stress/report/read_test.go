package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rushgate/rushgate/internal/latency"
)

func readable() *Report {
	players := 3
	return &Report{
		Scenario: LaunchDay, Mode: Login, Target: "https://game.test", Clients: 12, OK: 11, Busy: 1,
		Failed:  map[string]int{"x": 1},
		InOnTry: []int{9, 2}, FirstAnswer: latency.Summary{Count: 1, Sum: 2, Buckets: "2000:1"}, PlayersBefore: &players,
		Timeline: Timeline{IntervalSeconds: 1, Points: []Point{{At: 3, Server: &ServerPoint{Depth: 4}}, {At: 4}}},
		Phases:   []Phase{{Name: "peak", Lateness: &latency.Summary{}}},
		Storm:    &Storm{Dropped: 1}, Play: &Play{Share: 0.5}, Server: &Server{Workers: 4}, Notes: []string{"a note"},
	}
}

func TestReadReport(t *testing.T) {
	want := readable()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	newer := append([]byte(`{"from_the_future":[{"a":1}],`), data[1:]...)
	for name, input := range map[string][]byte{"same version": data, "newer version": newer} {
		if got, err := Read(bytes.NewReader(input)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	older := `{"scenario":"burst","mode":"register","clients":2,"ok":2}`
	if got, err := Read(strings.NewReader(older)); err != nil || got.OK != 2 || got.Play != nil {
		t.Errorf("older version: %+v, %v", got, err)
	}
}

func TestReadReportErrors(t *testing.T) {
	for _, c := range []struct{ input, want string }{
		{"", "unexpected end of JSON input"},
		{"hello", "invalid character"},
		{"null", `no "scenario"`},
		{"[]", "cannot unmarshal array"},
		{`{"jobs":[1]}`, `no "scenario"`},
		{`{"scenario":"burst"}`, `no "mode"`},
		{`{"scenario":"burst","mode":"login","clients":-1}`, `"clients" is -1`},
		{`{"scenario":"burst","mode":"login","clients":"many"}`, "clients"},
		{`{"scenario":"burst","mode":"login","clients":1,"timed_out":-1}`, `"timed_out" is -1`},
		{`{"scenario":"burst","mode":"login","clients":1}{}`, "after top-level value"},
		{strings.Repeat("{", maxObjects+1), "more than 1048576 objects"},
		{"[" + strings.Repeat(",", maxEntries+1), "more than 16777216 values"},
	} {
		_, err := Read(strings.NewReader(c.input))
		if !errors.Is(err, ErrNotReport) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want %q", c.input, err, c.want)
		}
	}
	if _, err := readReport(strings.NewReader(strings.Repeat(" ", 101)), 100); !errors.Is(err, ErrNotReport) ||
		!strings.Contains(err.Error(), "more than 100 bytes") {
		t.Errorf("too long: %v", err)
	}
	if _, err := Read(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, ErrNotReport) {
		t.Errorf("unreadable: %v", err)
	}
}

// What has been read can be written and read again, and compared.
func FuzzReadReport(f *testing.F) {
	f.Add([]byte(`{"scenario":"burst","mode":"login","clients":9,"ok":7,"first_answer":{"count":3,"p99_ms":2},` +
		`"phases":[{"name":"p"}],` +
		`"timeline":{"interval_s":1,"points":[{"t_s":4}]},"server":{},"play":{},"storm":null,"players_before":3}`))
	f.Add([]byte(`{"scenario":"burst","mode":"login","clients":1,"phases":[{"name":"\u0000\ud800"}],` +
		`"failed":{"é":-1},"wall_s":1e308}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrNotReport) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(again)); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		checkComparison(t, r, readable())
		checkComparison(t, readable(), r)
	})
}
