package e2e

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/input"

	"github.com/rushgate/rushgate/internal/porttest"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// What the console says of a node that goes.
const (
	channelFailed  = "WebSocket connection to 'ws://NODE/v1/channel' failed: "
	channelRefused = channelFailed + "Error in connection establishment: net::ERR_CONNECTION_REFUSED"
	boardRefused   = "Failed to load resource: net::ERR_CONNECTION_REFUSED http://NODE/v1/leaderboards/xp?limit=10"
	boardCut       = "Failed to load resource: net::ERR_CONNECTION_RESET http://NODE/v1/leaderboards/xp?limit=10"
)

// nodeGoes is all of that, and whatever a WebSocket may hear that is opened at that very time.
var nodeGoes = []string{boardRefused, boardCut, channelFailed + "…"}

// walkRight has a player walk for a bit, and returns once the node has them stand still, and where.
func (p *tab) walkRight() (x float64) {
	p.Helper()
	from, _ := p.at()
	p.press('D')
	p.wait(fmt.Sprintf(`world.dataset.x > %g`, from+1))
	p.release('D')
	// Ten ticks in the same place come after the last step.
	p.wait(`(() => {
		const { x, tick } = world.dataset;
		if (globalThis.still?.x !== x) globalThis.still = { x, since: Number(tick) };
		return tick - still.since > 10;
	})()`)
	x, _ = p.at()
	return x
}

// waitsForRestart returns once the page says that the node goes, and that it waits for the next one.
func (p *tab) waitsForRestart() {
	p.Helper()
	p.wait(`app.dataset.state === "connecting" && overlay.checkVisibility() && $("leave").checkVisibility() &&
		$("overlay-text").textContent === "The server is restarting. You stay logged in…" &&
		$("said").textContent === $("overlay-text").textContent &&
		document.activeElement.id === "overlay-card"`)
}

// states has the page note which states it goes through from now on; seen returns them.
func (p *tab) states() (seen func() []string) {
	p.Helper()
	eval[bool](p, `(globalThis.states = [], new MutationObserver(() => states.push(app.dataset.state))
		.observe(app, { attributes: true, attributeFilter: ["data-state"] }), true)`)
	return func() []string { p.Helper(); return eval[[]string](p, `states`) }
}

// stayedIn fails the test if the page was left meanwhile, or was not without a connection for a time.
func (p *tab) stayedIn(states []string) {
	p.Helper()
	left := slices.Contains(states, "signed-out") || slices.Contains(states, "replaced")
	if left || !slices.Contains(states, "connecting") {
		p.Errorf("meanwhile the page was %v", states)
	}
}

// A restart in order, as for a new version of the node: the player waits, and plays on.
func TestNodeRestarts(t *testing.T) {
	cfg := config(t)
	cfg.Backend, cfg.HTTPAddr = server.SQLite, porttest.Addr(t)
	node := start(t, cfg)
	alice := open(t, play(node), quick(50))
	alice.enter("#register", "alice")
	x, token, seen := alice.walkRight(), alice.token(), alice.states()

	alice.tolerate(nodeGoes...)
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	alice.waitsForRestart()
	alice.wait(`/^Trying (for \d+ s so far|again in \d+ s)\.$/.test($("overlay-note").textContent)`)

	start(t, cfg)
	alice.inside("alice")
	alice.stayedIn(seen())
	if again, _ := alice.at(); math.Abs(again-x) > 0.1 {
		t.Errorf("alice stood at %g before the restart, and stands at %g after it", x, again)
	}
	if alice.token() != token {
		t.Error("the session is another one")
	}
	alice.walkRight()
}

// The same without any order.
func TestNodeIsKilled(t *testing.T) {
	dir := t.TempDir()
	node := startProcess(t, dir, porttest.Addr(t))
	alice := open(t, "http://"+node.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	seen := alice.states()

	alice.tolerate(nodeGoes...)
	node.kill()
	alice.wait(`app.dataset.state === "connecting"`)
	startProcess(t, dir, node.addr)
	alice.inside("alice")
	alice.stayedIn(seen())
	alice.walkRight()
}

// The session outlives its connection.
func TestLineIsLost(t *testing.T) {
	node := start(t, config(t))
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	x := alice.walkRight()

	alice.tolerate(nodeGoes...)
	alice.expect(channelRefused)
	way.cut()
	alice.wait(`app.dataset.state === "connecting" && world.dataset.connected === "false" &&
		$("overlay-text").textContent === "Reconnecting…"`)
	await(t, "an attempt to connect that finds nobody", func() bool { return alice.has(channelRefused) })
	way.mend(node.HTTPAddr().String())
	alice.inside("alice")
	alice.wait(`overlay.hidden`)
	if again, _ := alice.at(); again != x {
		t.Errorf("alice stood at %g before the line was lost, and stands at %g after it", x, again)
	}
	alice.walkRight()
}

// The way to the node is silent all at once, without an end: the player is back over another one, and the page has not
// been left meanwhile.
func TestLineGoesSilent(t *testing.T) {
	node := start(t, config(t))
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/")
	alice.enter("#register", "alice")
	x := alice.walkRight()
	before := alice.webSockets()
	seen := alice.states()

	way.hush()
	await(t, "a second WebSocket", func() bool { return alice.webSockets() > before })
	alice.wait(`globalThis.tick ??= Number(world.dataset.tick), world.dataset.tick > tick + 10 &&
		app.dataset.state === "playing" && world.dataset.connected === "true"`)
	alice.walkRight()
	if again, _ := alice.at(); again <= x {
		t.Errorf("alice walked right from %g and is at %g", x, again)
	}
	if states := seen(); slices.Contains(states, "signed-out") || slices.Contains(states, "replaced") {
		t.Errorf("meanwhile the page was %v", states)
	}
}

// The way leads to another node all at once, while the one with the session is there: the session moves.
func TestWayLeadsToAnotherNode(t *testing.T) {
	store := memory.New(memory.Options{})
	node := func(name string) *server.Server {
		cfg := config(t)
		cfg.Backend, cfg.Store, cfg.PublicAddress = "", store, name+".example:443"
		return start(t, cfg)
	}
	one, two := node("one"), node("two")
	way := newLine(t, one.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	x, seen := alice.walkRight(), alice.states()

	alice.tolerate(nodeGoes...)
	alice.tolerate(refusal("/v1/resume", "503 (Service Unavailable)"))
	way.cut()
	way.mend(two.HTTPAddr().String())
	await(t, "a connection to the other node", func() bool {
		return metric(t, two, "rushgate_websocket_connections", "") == 1
	})
	alice.inside("alice")
	alice.stayedIn(seen())
	if again, _ := alice.at(); math.Abs(again-x) > 0.1 {
		t.Errorf("alice stood at %g on one node, and stands at %g on the other", x, again)
	}
	alice.walkRight()
}

// A Space that is held when the connection is lost does not press what has come up.
func TestHeldKeyDoesNotLeave(t *testing.T) {
	node := start(t, config(t))
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	alice.tolerate(nodeGoes...)
	space := func(half input.DispatchKeyEventType, again bool) {
		alice.do(command(input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: half, Code: "Space", Key: " ", Text: map[bool]string{true: " "}[half != input.DispatchKeyEventTypeKeyUp],
			WindowsVirtualKeyCode: ' ', AutoRepeat: &again,
		}))
	}
	space(input.DispatchKeyEventTypeKeyDown, false)
	way.cut()
	alice.wait(`app.dataset.state === "connecting" && overlay.checkVisibility()`)
	space(input.DispatchKeyEventTypeKeyDown, true)
	space(input.DispatchKeyEventTypeKeyUp, false)
	way.mend(node.HTTPAddr().String())
	alice.inside("alice")
}

// The node is lost without a word, and another one comes in its place, with the same players.
func TestNodeIsReplaced(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	x, seen := alice.walkRight(), alice.states()

	alice.tolerate(nodeGoes...)
	way.cut()
	alice.wait(`app.dataset.state === "connecting"`)
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	way.mend(start(t, cfg).HTTPAddr().String())
	alice.inside("alice")
	alice.stayedIn(seen())
	if again, _ := alice.at(); math.Abs(again-x) > 0.1 {
		t.Errorf("alice stood at %g before, and stands at %g now", x, again)
	}
}
