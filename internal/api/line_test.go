package api

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// full is a door whose queue of one is taken until free is called, at a time of its own.
type full struct {
	*door.Door
	mu   sync.Mutex
	now  time.Time
	seat *door.Seat
}

func newFull(t *testing.T) *full { return newFullWorking(t, 0) }

// newFullWorking returns one where a ticket costs so many bits of work.
func newFullWorking(t *testing.T, bits int) *full {
	t.Helper()
	f := &full{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	f.Door, err = door.New(door.Config{
		Queue: 1, World: 100, MaxAge: auth.DefaultMaxAge, Batch: 1, Pace: 2, Work: bits,
		Now:    func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now },
		Jitter: func(time.Duration) time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.SetKeyring(ring)
	f.fill(t)
	return f
}

func (f *full) fill(t *testing.T) {
	t.Helper()
	var err error
	if f.seat, err = f.Knock(door.Knock{Addr: netip.MustParseAddr("198.51.100.1"), Name: "first"}); err != nil {
		t.Fatal(err)
	}
}

func (f *full) free() { f.seat.Close(door.NotJudged) }

func (f *full) pass(d time.Duration) {
	for range d / (100 * time.Millisecond) {
		f.mu.Lock()
		f.now = f.now.Add(100 * time.Millisecond)
		f.mu.Unlock()
		f.Move()
	}
}

func waitingCreds(name, secret, ticket string) string {
	return fmt.Sprintf(`{"username":%q,"password":"correct horse","line_secret":%q,"ticket":%q}`, name, secret, ticket)
}

// A client that finds no room is given a ticket, keeps its place with it, and comes in by it once. What is no ticket of
// this fleet, or no longer, is the same as none.
func TestAPlaceInTheLine(t *testing.T) {
	f := newFull(t)
	d := newDoor(t, func(p *auth.Config, _ *Config) { p.Door = f.Door })
	const secret = "0123456789abcdef"
	register := func(name, secret, ticket string) exchange {
		return d.call(t, "POST", "/v1/register", waitingCreds(name, secret, ticket), "192.0.2."+name[len(name)-1:], "")
	}
	first := register("alice-1", secret, "")
	first.want(t, "no room", 503, rushgate.ServerBusy)
	ticket, _ := first.json["ticket"].(string)
	if len(ticket) != line.TextSize || first.json["place"] != 1.0 || first.json["poll_after_ms"] == nil ||
		first.json["eta_low_ms"] == nil || first.json["eta_high_ms"] == nil {
		t.Fatalf("told %v", first.body)
	}
	second := register("alice-2", "another-secret-0", "")
	if second.json["place"] != 2.0 {
		t.Errorf("the second is told %v", second.body)
	}
	again := register("alice-1", secret, ticket)
	if again.json["turn_ms"] != first.json["turn_ms"] || again.json["ticket"] != nil || again.json["place"] != 1.0 {
		t.Errorf("asked again: %v", again.body)
	}
	for what, tt := range map[string]struct{ secret, ticket string }{
		"another's": {"another-secret-1", ticket}, "no ticket": {secret, "none"},
		"altered": {secret, "B" + ticket[1:]}, "cut": {secret, ticket[:80]},
	} {
		e := register("alice-3", tt.secret, tt.ticket)
		if e.json["place_lost"] != "unknown" || e.json["ticket"] == nil || e.json["ticket"] == ticket {
			t.Errorf("%s: %v", what, e.body)
		}
	}
	f.free()
	f.pass(2 * time.Second)
	register("alice-1", secret, ticket).want(t, "its turn", 201, "")
	f.pass(time.Second)
	e := register("alice-4", secret, ticket)
	if e.json["place_lost"] != "used" {
		t.Errorf("used twice: %v", e.body)
	}
}

// While a place costs work, a client is asked for it, by the refusal and by the document, and has a place once it sends
// a good proof. One that knows nothing of tickets is told to come back, and no more.
func TestAPlaceThatCostsWork(t *testing.T) {
	f := newFullWorking(t, 8)
	d := newDoor(t, func(p *auth.Config, _ *Config) { p.Door = f.Door })
	const secret = "0123456789abcdef"
	knock := func(work string) exchange {
		body := fmt.Sprintf(`{"username":"alice","password":"correct horse","line_secret":%q,"line_work":%q}`, secret, work)
		return d.call(t, "POST", "/v1/register", body, "192.0.2.1", "")
	}
	asked := knock("")
	asked.want(t, "without a proof", 503, rushgate.ServerBusy)
	text, _ := asked.json["work_salt"].(string)
	salt, ok := line.ParseSalt(text)
	if !ok || asked.json["work_bits"] != 8.0 || asked.json["place"] != nil || asked.json["ticket"] != nil ||
		asked.json["retry_after_ms"] != 1000.0 {
		t.Fatalf("told %v", asked.body)
	}
	doc := d.call(t, "GET", "/v1/line", "", "", "")
	if doc.json["work_bits"] != 8.0 || doc.json["work_salt"] != text {
		t.Errorf("the document is %v", doc.body)
	}
	if again := knock("ffffffffffffffff"); again.body != asked.body && again.json["ticket"] == nil { // one in 256 is good
		t.Errorf("with a wrong proof: %v", again.body)
	}
	nonce, ok := line.FindWork(salt, line.HolderOf([]byte(secret)), 8, 0, 1<<20)
	if !ok {
		t.Fatal("no proof was found")
	}
	placed := knock(nonce.String())
	ticket, _ := placed.json["ticket"].(string)
	if placed.json["place"] == nil || ticket == "" || placed.json["work_bits"] != nil {
		t.Errorf("with a proof: %v", placed.body)
	}
	plain := d.call(t, "POST", "/v1/register", `{"username":"bob","password":"correct horse"}`, "192.0.2.2", "")
	plain.want(t, "without tickets", 503, rushgate.ServerBusy)
	if plain.json["place"] != nil || plain.json["work_bits"] != nil || plain.json["retry_after_ms"] == nil {
		t.Errorf("without tickets: %v", plain.body)
	}
	f.free()
	f.pass(2 * time.Second)
	d.call(t, "POST", "/v1/register", waitingCreds("alice", secret, ticket), "192.0.2.1", "").want(t, "its turn", 201, "")
}

// What everybody is told alike leads to the same place as one's own knock.
func TestTheLineForEverybody(t *testing.T) {
	f := newFull(t)
	d := newDoor(t, func(p *auth.Config, _ *Config) { p.Door = f.Door })
	var last exchange
	for i := range 20 {
		last = d.call(t, "POST", "/v1/login", waitingCreds("bob", "0123456789abcdef", ""), fmt.Sprint("192.0.2.", i), "")
		f.pass(100 * time.Millisecond)
	}
	e := d.call(t, "GET", "/v1/line", "", "", "")
	if e.status != 200 || e.header.Get("Cache-Control") != "public, max-age=1" {
		t.Errorf("status %d, %v", e.status, e.header)
	}
	var doc line.Document
	if err := json.Unmarshal([]byte(e.body), &doc); err != nil {
		t.Fatal(err)
	}
	turn, _ := last.json["turn_ms"].(float64)
	place, wait, waits := line.PlaceOf(doc, time.UnixMilli(int64(turn)))
	if told, _ := last.json["place"].(float64); !waits || place < int(told)-2 || place > int(told) || wait <= 0 {
		t.Errorf("at place %d for %v by %s, was told %v", place, wait, e.body, last.body)
	}
}

// A place that is asked for in the wrong form is an error that says what is wrong.
func TestMalformedPlaces(t *testing.T) {
	d := newDoor(t, nil)
	for what, body := range map[string]string{
		"no secret":          `{"username":"alice","password":"correct horse","ticket":"abc"}`,
		"short secret":       `{"username":"alice","password":"correct horse","line_secret":"short"}`,
		"odd secret":         `{"username":"alice","password":"correct horse","line_secret":"0123456789abcdef!"}`,
		"no secret for work": `{"username":"alice","password":"correct horse","line_work":"0123456789abcdef"}`,
		"short work": `{"username":"alice","password":"correct horse","line_secret":"0123456789abcdef",` +
			`"line_work":"0123456789abcde"}`,
		"odd work": `{"username":"alice","password":"correct horse","line_secret":"0123456789abcdef",` +
			`"line_work":"0123456789abcdeg"}`,
		"no text": `{"username":"alice","password":"correct horse","line_secret":12345678901234567}`,
	} {
		d.call(t, "POST", "/v1/login", body, "192.0.2.1", "").want(t, what, 400, rushgate.MissingCredentials)
	}
	none := `{"username":"alice","password":"correct horse","line_secret":null,"ticket":"","line_work":""}`
	d.call(t, "POST", "/v1/register", none, "192.0.2.1", "").want(t, "none", 201, "")
}
