package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/store/memory"
)

// desk is an operator's listener whose figures a test decides.
type desk struct {
	*httptest.Server
	history  *admin.History
	store    *memory.Store // with the accounts of the players
	lateness latency.Histogram
	ended    chan string

	mu     sync.Mutex
	total  admin.Reading
	second func(*admin.Reading, *latency.Histogram) // what each second adds
	guests []admin.Guest
}

// newDesk starts one for a node that has run for a while, with players in it.
func newDesk(t *testing.T, second func(*admin.Reading, *latency.Histogram)) *desk {
	t.Helper()
	d := &desk{second: second, ended: make(chan string, 1), store: memory.New(memory.Options{})}
	d.lateness.Init()
	d.total = admin.Reading{
		Players: 812, MaxPlayers: 1000, UDP: 640, WebSocket: 172, QueueCapacity: 200, Ticks: 6000,
		Line:    admin.Line{Pace: 160, Kept: 940, Judged: 1000, KeptShare: 0.94},
		Resumes: admin.Resumes{Pace: 2100, Admitted: 300},
		Identities: admin.Identities{
			Guests: true, GuestsIn: 41, GuestsMade: 12, FederatedIn: 230, FederatedMade: 9,
			Providers: []admin.Provider{
				{Name: "google", Kind: "openid", Proven: 221, Refused: 3, Away: 7, CircuitOpen: true, FailedAt: time.Now()},
				{Name: "launcher", Kind: "game", Proven: 18},
			},
		},
		Door:    admin.Door{AcceptQueue: &admin.AcceptQueue{Limit: 4096}, AllowedCores: 2},
		Process: admin.Process{Cores: 2, RSSBytes: 180 << 20, Goroutines: 240},
		Failed:  map[rushgate.Reason]int64{rushgate.BadCredentials: 3, rushgate.UsernameTaken: 1},
	}
	d.history = admin.NewHistory(d.read, func(context.Context) bool { return true })
	d.history.Start()
	answers := func(context.Context) error { return nil }
	roll := operator.NewRoll(d.store)
	if err := roll.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewServer(admin.New(admin.Config{
		Metrics: prometheus.NewRegistry(), Ready: ready.New(func() bool { return false }, answers),
		Ledger: account.New(d.store), Book: d.store, Audit: d.store,
		Access:    access.New(access.Config{Store: d.store}),
		Operators: roll, Staff: operator.NewBook(d.store),
		Dashboard: &admin.Dashboard{
			History: d.history,
			About:   admin.About{Name: "play.example.org:443", Store: "SQLite", Started: time.Now(), Run: "first"},
			Actions: admin.Actions{Drain: func() {}, Players: d.players, EndSession: d.end, Lookup: lookNowhere},
		},
	}))
	t.Cleanup(d.stop)
	return d
}

func (d *desk) stop() {
	d.history.Stop()
	d.CloseClientConnections()
	d.Close()
}

func lookNowhere(context.Context, string) (admin.Player, error) {
	return admin.Player{}, rushgate.BadCredentials
}

func (d *desk) read() admin.Reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total.Ticks += rushgate.TickRate
	d.total.StoreCalls += 20
	d.total.StoreTime += 20 * 1300 * time.Microsecond
	d.total.Process.CPUSeconds += 0.7
	d.total.Door.CPU.Tick += 110 * time.Millisecond
	d.total.Door.CPU.Rest += 590 * time.Millisecond
	d.second(&d.total, &d.lateness)
	cpu := &d.total.Door.CPU
	cpu.Process = cpu.Tick + cpu.Hash + cpu.Door + cpu.Rest
	d.total.Lateness = d.lateness.Detailed()
	return d.total
}

func (d *desk) players(context.Context) ([]admin.Guest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.guests, nil
}

// end ends the session of a player, who is then gone from the list.
func (d *desk) end(_ context.Context, name string) (admin.Ended, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var left []admin.Guest
	for _, g := range d.guests {
		if g.Name != name {
			left = append(left, g)
		}
	}
	d.guests = left
	d.ended <- name
	return admin.EndedHere, nil
}

// crowded has so many players on the list.
func (d *desk) crowded(n int) *desk {
	var accounts []rushgate.Account
	zones := []string{"meadow", "old woods", "harbour"}
	for i := range n {
		g := admin.Guest{
			ID: rushgate.PlayerID(i + 1), Name: fmt.Sprintf("player-%05d", i), Zone: zones[i%3], Transport: "udp",
			Since:  time.Now().Add(-time.Duration(i*7919%86_400) * time.Second),
			Origin: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 32),
		}
		if i%5 == 0 {
			g.Transport, g.RoundTrip = "websocket", time.Duration(12+i%80)*time.Millisecond
		}
		d.guests = append(d.guests, g)
		accounts = append(accounts, rushgate.Account{ID: g.ID, Username: g.Name, PasswordHash: "h", CreatedAt: g.Since})
	}
	if _, err := d.store.CreateAccounts(context.Background(), accounts); err != nil {
		panic(err)
	}
	return d
}

func calm(_ *admin.Reading, lateness *latency.Histogram) {
	lateness.RecordN(180*time.Microsecond, 58)
	lateness.RecordN(900*time.Microsecond, 2)
}

func tickLate(r *admin.Reading, lateness *latency.Histogram) {
	lateness.RecordN(9*time.Millisecond, 30)
	lateness.RecordN(100*time.Millisecond, 20)
	r.SkippedTicks += 41
	r.Process.CPUSeconds += 1.25
	r.Door.CPU.Rest += 1250 * time.Millisecond
}

func storeAway(r *admin.Reading, lateness *latency.Histogram) {
	calm(r, lateness)
	r.CircuitOpen, r.Unsaved = true, 207
	r.StoreErrors += 20
}

func inRush(r *admin.Reading, lateness *latency.Histogram) {
	calm(r, lateness)
	r.Admitted += 160
	r.Busy += 940
	r.Queue, r.Door.ByDoorman, r.Door.ByAPI = 150, r.Door.ByDoorman+900, r.Door.ByAPI+40
	r.Line.Waiting, r.Line.Called, r.Line.Refused = r.Line.Waiting+60, 160, true
	r.Line.Low, r.Line.High, r.Line.Front = 20*time.Second, 45*time.Second, 18*time.Second
	r.Door.Accepted, r.Door.Knocks, r.Door.Bounded = r.Door.Accepted+1100, r.Door.Knocks+1100, true
	r.Door.AllowedCores, r.Door.CPU.Hash = 0.6, r.Door.CPU.Hash+time.Second
	r.Process.CPUSeconds++
}

// A node whose tick is late, or whose store is away, is not called open by the page; what is to be done is said, with
// the way to more. A node that is gone is not called anything.
func TestDashboardHeadline(t *testing.T) {
	t.Parallel()
	late, away := newDesk(t, tickLate), newDesk(t, storeAway)
	p, q := open(t, late.URL), open(t, away.URL)
	p.state("tick-late", "^The tick skips steps: \\d+ in the last \\d+ s, and is 100 ms late at p99.$")
	p.wait(`$("status").dataset.grade === "bad" && /All cores are busy/.test($("todo-text").textContent) &&
		$("todo-doc").href === "https://github.com/rushgate/rushgate/blob/main/docs/tick.md#what-is-not-protected"`)
	p.part("door", "open", "^Open. 812 players inside")
	q.state("store-away", "^The store is away")
	q.wait(`/nothing has to be restarted/.test($("todo-text").textContent) && /^Store away/.test(document.title)`)

	q.tolerate(eventsCut, eventsRefused)
	away.history.HandOver()
	q.state("handed-over", "^Handed over: another process goes on as this node.$")
	p.tolerate(eventsCut, eventsRefused)
	late.CloseClientConnections()
	p.state("lost", "^No figures: the page has lost the node")
	p.wait(`$("parts").dataset.stale === "true" && /as of/.test($("todo-text").textContent)`)
}

// Each chart says what its lines are, and writes nothing where they are drawn; and a card says who vouches for players.
func TestDashboardLegends(t *testing.T) {
	t.Parallel()
	p := open(t, newDesk(t, inRush).URL)
	p.wait(`document.querySelectorAll(".chart svg .line, .chart svg .stack").length > 10`)
	bare := eval[[]string](p, `[...document.querySelectorAll(".chart")].filter((c) => {
		const legend = c.previousElementSibling;
		return !legend.matches(".legend") || [...legend.children].some((li) => !li.hidden && !li.textContent.trim());
	}).map((c) => c.id)`)
	if len(bare) > 0 {
		t.Errorf("no legend above %v", bare)
	}
	over := eval[[]string](p, `[...document.querySelectorAll(".chart text")].filter((label) => {
		const box = label.closest("svg").getBoundingClientRect(), r = label.getBoundingClientRect();
		return r.right > box.left + 46 && r.bottom < box.bottom - 18;
	}).map((label) => label.textContent)`)
	if len(over) > 0 {
		t.Errorf("written over what is drawn: %v", over)
	}
	rows := eval[[]string](p, `[...$("ways").rows].map((row) => [...row.cells].map((c) => c.textContent).join("|"))`)
	if len(rows) != 2 || !strings.HasPrefix(rows[0], "google left alone for a moment; last failed ") ||
		!strings.HasSuffix(rows[0], "|221|3|7") || rows[1] != "launcher no failure|18|0|0" ||
		p.figure("guests-in") != 41 || p.figure("federated-made") != 9 {
		t.Errorf("other ways in: %q", rows)
	}
	eval[bool](p, `document.querySelectorAll("details").forEach((e) => (e.open = true)), true`)
	p.wait(`document.querySelectorAll("details table").length === document.querySelectorAll(".chart").length`)
	p.fits("minute by minute")
}

// An operator finds a player among ten thousand, sorts them, and ends a session, all by keyboard.
func TestDashboardPlayers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, calm).crowded(10_000)
	p := open(t, d.URL)
	names := `[...document.querySelectorAll("#inside tbody th")].map((th) => th.textContent)`
	p.wait(names + `[0] === "player-00000" && $("inside-range").textContent === "1 to 50 of 10\u202f000"`)
	p.tabTo("inside-search")
	p.tabTo("inside-on")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(names + `[0] === "player-00050"`)
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // the heading of the names
	p.wait(names + `[0] === "player-09999" && document.querySelector("[data-sort=name]").ariaSort === "descending"`)
	p.fill("#inside-search", "R-0004")
	p.wait(names + `.length === 10 && ` + names + `[0] === "player-00049" && $("inside-note").textContent === "10 found."`)
	p.do(chromedp.KeyEvent(kb.Tab))
	for range 20 { // to the button that ends the first session
		if p.do(chromedp.KeyEvent(kb.Tab)); eval[string](p, `document.activeElement.dataset.do ?? ""`) == "end" {
			break
		}
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open && /player-00049/.test($("confirm-title").textContent)`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	if name := <-d.ended; name != "player-00049" {
		t.Errorf("ended %s", name)
	}
	p.wait(`$("inside-result").dataset.outcome === "ended" && /^player-00049: The session has ended/.test(
		$("inside-result").textContent) && document.activeElement.id === "inside-result"`)
	p.wait(names + `.length === 9`)
}

// The dashboard in the states that an operator has to tell apart.
func TestScreenshotsOfTheDashboard(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	for name, second := range map[string]func(*admin.Reading, *latency.Histogram){
		"calm": calm, "busy": inRush, "tick-late": tickLate, "store-away": storeAway,
	} {
		p := open(t, newDesk(t, second).crowded(812).URL)
		p.wait(`document.querySelectorAll("#chart-tick polyline, #chart-tick .line").length > 0 &&
			document.querySelectorAll("#inside tbody tr").length === 50`)
		time.Sleep(20 * time.Second) // so that the charts have something to show
		p.picture("dash-"+name, nil)
	}
}
