package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

func dashboard(s *server.Server) string { return "http://" + s.AdminAddr().String() + "/" }

// state returns once the line at the top says something.
func (p *tab) state(state, headline string) {
	p.Helper()
	p.wait(fmt.Sprintf(`$("status").dataset.state === %q && /%s/.test($("headline").textContent)`, state, headline))
}

// part returns once the page says something of the door, the tick or the store. The line at the top is about the worst
// of them, which on a machine with other things to do is the tick.
func (p *tab) part(name, state, text string) {
	p.Helper()
	p.wait(fmt.Sprintf(`(() => {
		const part = document.querySelector("[data-part=%s]");
		return part.dataset.state === %q && /%s/.test(part.querySelector(".said").textContent);
	})()`, name, state, text))
}

// figure returns one of the figures on the page.
func (p *tab) figure(name string) float64 {
	p.Helper()
	return eval[float64](p, fmt.Sprintf(`Number(document.querySelector("[data-metric=%s]").value)`, name))
}

func TestDashboardFigures(t *testing.T) {
	cfg := busyConfig(t)
	node := start(t, cfg)
	p := open(t, dashboard(node))
	p.part("door", "open", "^Open. Nobody inside, nobody waiting.$")
	for _, name := range []string{"alice", "bob", "carol"} {
		if status := register(t.Context(), node, name); status != http.StatusCreated {
			t.Fatalf("registration of %s: %d", name, status)
		}
	}
	if status := knock(t.Context(), node, "login", "alice", "wrong horse"); status != http.StatusUnauthorized {
		t.Fatalf("a wrong password: %d", status)
	}
	p.part("door", "open", "^Open. 3 players inside, nobody waiting.$")
	leave := crowd(t, node, cfg)
	for range 2 {
		if status := register(t.Context(), node, "late"); status != http.StatusServiceUnavailable {
			t.Fatalf("registration at a busy node: %d", status)
		}
	}
	p.part("door", "busy", `^Busy: (the queue is full|\d+ players? waits? in the line); newcomers are told to wait`)
	leave()

	request := func(outcome string) float64 {
		return metric(t, node, "rushgate_auth_requests_total", fmt.Sprintf("outcome=%q", outcome))
	}
	await(t, "the page shows what /metrics has", func() bool {
		for name, value := range map[string]float64{
			"players": metric(t, node, "rushgate_players", ""), "queue": metric(t, node, "rushgate_auth_queue_length", ""),
			"queue-capacity": metric(t, node, "rushgate_auth_queue_capacity", ""),
			"admitted":       request("success"), "busy": request("busy"),
			"by-doorman":   metric(t, node, "rushgate_door_refusals_total", `by="doorman"`),
			"by-api":       metric(t, node, "rushgate_door_refusals_total", `by="api"`),
			"accept-limit": metric(t, node, "rushgate_accept_queue_limit", ""),
		} {
			if p.figure(name) != value {
				return false
			}
		}
		return true
	})
	players, busy, capacity := p.figure("players"), p.figure("busy"), p.figure("queue-capacity")
	if players < 3 || busy < 2 || capacity != 1 {
		t.Errorf("the page has %g players inside, %g told busy and %g places in the queue", players, busy, capacity)
	}
	if runtime.GOOS == "linux" && p.figure("accept-limit") != metric(t, node, "rushgate_accept_queue_limit", "") {
		t.Errorf("the page has %g places in the accept queue", p.figure("accept-limit"))
	}
	if refused := p.figure("by-doorman") + p.figure("by-api"); refused != busy {
		t.Errorf("the page has %g told busy, and %g refused at the door", busy, refused)
	}
	failed := eval[string](p, `document.querySelector("[data-reason=bad-credentials] [data-part=total]").value`)
	if failed != "1" {
		t.Errorf("%s failed with bad-credentials, want 1", failed)
	}
}

func TestDashboardLookup(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	await(t, "alice is inside", func() bool { // who may be told to come again, by a machine with other things to do
		status := register(t.Context(), node, "alice")
		return status == http.StatusCreated || status == http.StatusConflict
	})
	p := open(t, dashboard(node))
	p.expect(refusal("/accounts/nobody", "404 (Not Found)"))
	p.fill("#name", "nobody")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`/there is no account/.test($("found").textContent)`)
	p.fill("#name", "ALICE")
	p.click("#find button")
	p.wait(`document.querySelector("[data-player=name]").textContent === "alice" &&
		/^Inside, on this node/.test(document.querySelector("[data-player=inside]").textContent)`)

	db, err := sql.Open("sqlite", filepath.Join(cfg.DataDir, server.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var hash string
	row := db.QueryRowContext(t.Context(), `SELECT password_hash FROM accounts WHERE username = 'alice'`)
	if err := row.Scan(&hash); err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}`).FindAllString(hash, -1)
	if len(parts) < 2 {
		t.Fatalf("no salt and digest in a hash of %d bytes", len(hash))
	}
	html := eval[string](p, `document.documentElement.outerHTML`)
	for _, part := range parts {
		if strings.Contains(html, part) && !strings.Contains(part, "pbkdf2") {
			t.Error("a part of the hash is on the page")
		}
	}

	p.fill("#note", "lost the phone")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`/note · by local · lost the phone/.test($("found").textContent) && document.activeElement.id === "note"`)
	p.click("#end-session")
	p.wait(`$("confirm").open`)
	p.click("#confirm-yes")
	p.wait(`document.querySelector("[data-outcome=ended]") !== null`)
	await(t, "nobody is inside after the end of the only session", func() bool {
		return metric(t, node, "rushgate_players", "") == 0
	})
}

// An operator logs in by the keyboard, sees what the role allows and is offered nothing else.
func TestDashboardOfOperators(t *testing.T) {
	store := memory.New(memory.Options{})
	cfg := config(t)
	cfg.Backend, cfg.Store = "", store
	book := operator.NewBook(store)
	tokens := make(map[operator.Role]string)
	for _, role := range []operator.Role{operator.All, operator.Help, operator.Look} {
		token, err := book.Add(t.Context(), "the-"+role.String(), role, operator.Console)
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = token
	}
	node := start(t, cfg)
	if status := register(t.Context(), node, "alice"); status != http.StatusCreated {
		t.Fatalf("registration: %d", status)
	}
	for role, token := range tokens {
		p := open(t, dashboard(node))
		p.arrives("/login")
		p.wait(`document.activeElement.id === "token"`)
		p.fill("#token", token)
		p.do(chromedp.KeyEvent(kb.Enter))
		p.arrives("/")
		p.wait(`document.body.dataset.role === "` + role.String() + `"`)
		p.wait(`$("operator").textContent.startsWith("the-` + role.String() + `, who may ")`)
		helps := fmt.Sprint(role.May(operator.Help))
		p.wait(`$("inside").rows.length === 2 && ($("inside").querySelector("[data-do=end]") !== null) === ` + helps)
		p.tabTo("name")
		p.fill("#name", "alice")
		p.do(chromedp.KeyEvent(kb.Enter))
		p.wait(`$("found").querySelector("[data-player=name]") !== null && ($("end-session") !== null) === ` + helps +
			` && ($("note") !== null) === ` + helps)
		p.wait(`$("drain").checkVisibility() === ` + fmt.Sprint(role.May(operator.Run)))
		if role == operator.Help {
			p.tabTo("note")
			p.fill("#note", "asked nicely")
			p.do(chromedp.KeyEvent(kb.Enter))
			p.wait(`/by the-help · asked nicely/.test($("found").textContent)`)
		}
		p.tabTo("logout-button")
		p.do(chromedp.KeyEvent(kb.Enter))
		p.arrives("/login")
	}
}

// arrives waits until the browser has gone to another page of the node.
func (p *tab) arrives(path string) {
	p.Helper()
	await(p.TB, "the page is "+path, func() bool {
		at, err := tryEval[string](p, `location.pathname + " " + document.readyState`)
		return err == nil && at == path+" complete"
	})
}

// tabTo moves the focus to an element with the Tab key.
func (p *tab) tabTo(id string) {
	p.Helper()
	for range 90 {
		if p.do(chromedp.KeyEvent(kb.Tab)); eval[string](p, `document.activeElement.id`) == id {
			return
		}
	}
	p.Fatalf("the Tab key does not lead to #%s", id)
}

func TestDashboardDrain(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	running := make(chan *server.Server, 1)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- server.Run(ctx, cfg, func(s *server.Server) { running <- s }) }()
	var node *server.Server
	select {
	case node = <-running:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if cancel(); !stopped {
			<-ended
		}
	})
	alice := open(t, play(node))
	alice.enter("#register", "alice")
	p := open(t, dashboard(node))
	p.part("door", "open", "^Open. 1 player inside")

	p.tabTo("drain")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open && document.activeElement.value === "no"`)
	eval[bool](p, `$("confirm").addEventListener("close", () => (globalThis.settled = true), { once: true }), true`)
	p.do(chromedp.KeyEvent(kb.Enter)) // an operator who is too fast cancels
	p.wait(`globalThis.settled && !$("confirm").open && document.activeElement.id === "drain"`)
	if state := eval[string](alice, `app.dataset.state`); state != "playing" {
		t.Errorf("a player is %s after a drain that was cancelled", state)
	}

	p.tolerate(eventsCut, eventsRefused, askedTwice)
	alice.tolerate(nodeGoes...)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	select {
	case err := <-ended:
		stopped = true
		if err != nil {
			t.Errorf("the node ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("the node does not drain\nThe page: %s", p.describe())
	}
	p.state("stopped", "^The node has stopped.$")
	alice.waitsForRestart()
}

// askedTwice is what the console says of an order that the node wants confirmed.
const askedTwice = "Failed to load resource: the server responded with a status of 409 (Conflict) http://NODE/drain"

// What the console says of the stream of figures when the node ends.
const (
	eventsCut     = "Failed to load resource: net::ERR_INCOMPLETE_CHUNKED_ENCODING http://NODE/events"
	eventsRefused = "Failed to load resource: net::ERR_CONNECTION_REFUSED http://NODE/events"
)

// forgetful is a store on a server that is set up to forget.
type forgetful struct{ *memory.Store }

func (forgetful) Health() rushgate.Health {
	return rushgate.Health{Warnings: []string{`db:6379: maxmemory-policy is "<b>"`, "db:6379: appendonly is \"no\""}}
}

// What the store may lose is on the page, and leaves the node open.
func TestDashboardStoreWarnings(t *testing.T) {
	cfg := config(t)
	cfg.Backend, cfg.Store = "", forgetful{memory.New(memory.Options{})}
	p := open(t, dashboard(start(t, cfg)))
	p.wait(`$("store-warnings").children.length === 2 &&
		$("store-warnings").firstChild.textContent === 'db:6379: maxmemory-policy is "<b>"'`)
	p.part("door", "open", "^Open. Nobody inside, nobody waiting.$")
}
