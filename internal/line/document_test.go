package line

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/client.json anew")

// clientCase is what clients in other languages have to make of a document, a turn and a random number. Times are
// rounded to milliseconds.
type clientCase struct {
	Name     string   `json:"name"`
	Document Document `json:"document"`
	Turn     int64    `json:"turn_ms"`
	Chance   float64  `json:"chance"`
	Waits    bool     `json:"waits"`
	Place    int      `json:"place"`
	Wait     int64    `json:"wait_ms"`
	Low      int64    `json:"low_ms"`
	High     int64    `json:"high_ms"`
	Poll     int64    `json:"poll_after_ms"`
}

// clientCases returns the cases with what this package makes of them.
func clientCases() []clientCase {
	const now = 1_800_000_000_000
	line := Document{
		Now: now, Serving: now - 300_000, Pace: 12.5, Waiting: 5000, Factor: 0.35,
		Marks: []Mark{
			{now - 300_000, 0}, {now - 298_500, 32}, {now - 290_001, 150}, {now - 200_000, 1200}, {now, 4800},
			{now + 60_007, 5000},
		},
	}
	opening := line
	opening.Serving, opening.Opens = now-60_000, now+600_000
	passed := opening
	passed.Opens = now - 1
	slow := line
	slow.Pace, slow.Factor = 1.0/60, 0.5
	still := line
	still.Pace = 0
	endless := line
	endless.Pace = 1e-9
	fast := line
	fast.Pace = 40
	empty := Document{Now: now, Serving: now, Pace: 30, Factor: 0.5, Marks: []Mark{}}
	var all []clientCase
	add := func(name string, d Document, turns ...int64) {
		for i, turn := range turns {
			all = append(all, clientCase{
				Name: fmt.Sprintf("%s, turn %d", name, i+1), Document: d, Turn: turn, Chance: float64(i%3) * 0.4375,
			})
		}
	}
	add("open", line, now-300_001, now-300_000, now-299_999, now-298_501, now-298_500, now-290_002, now-245_000,
		now-1, now, now+60_006, now+60_007, now+3_600_000, 0)
	add("in the last seconds", fast, now-298_500, now-294_217, now-290_300, now-290_001)
	add("to be opened", opening, now-400_000, now-299_000, now-1, now+60_007)
	add("just opened", passed, now-400_000, now-250_000)
	add("slow", slow, now-300_000, now-200_000)
	add("standing still", still, now-200_000)
	add("endless", endless, now-200_000)
	add("empty", empty, now-1, now, now+5)
	for i := range all {
		all[i].answer()
	}
	return all
}

func (c *clientCase) answer() {
	place, wait, waits := PlaceOf(c.Document, time.UnixMilli(c.Turn))
	c.Place, c.Waits = place, waits
	if !waits {
		return
	}
	low, high := Interval(c.Document, wait)
	ms := func(d time.Duration) int64 { return int64(math.Round(d.Seconds() * 1000)) }
	c.Wait, c.Low, c.High = ms(wait), ms(low), ms(high)
	c.Poll = ms(PollAfter(c.Document, wait, c.Chance))
}

// goldenCases returns the cases in a file, of which there have to be as many, and writes them first with -update: one
// to a line.
func goldenCases[T any](t *testing.T, path string, cases []T) (golden []T) {
	t.Helper()
	if *update {
		b := []byte("[\n")
		for i, c := range cases {
			line, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			if b = append(b, line...); i < len(cases)-1 {
				b = append(b, ',')
			}
			b = append(b, '\n')
		}
		if err := os.WriteFile(path, append(b, "]\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) != len(cases) {
		t.Fatalf("%d cases, want %d", len(golden), len(cases))
	}
	return golden
}

// The page has the same rules in TypeScript, and its tests read the same file.
func TestGoldenClient(t *testing.T) {
	path := filepath.Join("testdata", "client.json")
	cases := clientCases()
	golden := goldenCases(t, path, cases)
	// Another processor may round otherwise.
	near := func(a, b int64) bool { return max(a-b, b-a) <= 1+max(a, b)/1e12 }
	for i, got := range cases {
		want := golden[i]
		if got.Name != want.Name || got.Waits != want.Waits || got.Place != want.Place || !near(got.Wait, want.Wait) ||
			!near(got.Low, want.Low) || !near(got.High, want.High) || !near(got.Poll, want.Poll) {
			t.Errorf("%s: %+v, want %+v", want.Name, got, want)
		}
	}
}

// A client that finds its place by the document tells its player what the server would.
func TestIntervalIsWhatTheServerWouldSay(t *testing.T) {
	for name, opens := range map[string]time.Time{"open": {}, "before the opening": noon.Add(2 * time.Minute)} {
		s := newStand(t, func(c *Config) { c.Opens = opens })
		var tickets []Ticket
		for i := range 500 {
			s.pass(50*time.Millisecond, 0)
			ticket, _, err := s.Take(Ask{Origin: originOf(i), Holder: HolderOf([]byte{byte(i), byte(i >> 8)})})
			if err != nil {
				t.Fatal(err)
			}
			tickets = append(tickets, ticket)
		}
		d, compared := s.Document(0), 0
		for i, ticket := range tickets {
			o := s.Outlook(&ticket)
			_, wait, waits := PlaceOf(d, ticket.Turn)
			if !waits || o.Place == 0 {
				continue
			}
			compared++
			low, high := Interval(d, wait)
			off := max((low - o.Low).Abs(), (high - o.High).Abs())
			if off > o.High/4+3*time.Second {
				t.Errorf("%s, %d: %v to %v, and the server says %v to %v", name, i, low, high, o.Low, o.High)
			}
		}
		if compared < 400 {
			t.Errorf("%s: %d of 500 wait", name, compared)
		}
	}
	if low, high := Interval(Document{}, 0); low != 0 || high != 5*time.Second {
		t.Errorf("of nothing: %v to %v", low, high)
	}
}
