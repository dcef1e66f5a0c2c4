package e2e

import (
	"fmt"
	"math"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// What the console says of a node that goes.
const (
	channelRefused = "WebSocket connection to 'ws://NODE/v1/channel' failed: " +
		"Error in connection establishment: net::ERR_CONNECTION_REFUSED"
	loginRefused = "Failed to load resource: net::ERR_CONNECTION_REFUSED http://NODE/v1/login"
	boardRefused = "Failed to load resource: net::ERR_CONNECTION_REFUSED http://NODE/v1/leaderboards/xp?limit=10"
	boardCut     = "Failed to load resource: net::ERR_CONNECTION_RESET http://NODE/v1/leaderboards/xp?limit=10"
)

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

// A restart in order, as for a new version of the node.
func TestNodeRestarts(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	alice := open(t, play(node), quick(50))
	alice.enter("#register", "alice")
	x := alice.walkRight()

	alice.tolerate(channelRefused, boardRefused, boardCut)
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	alice.outside("The server is going down for a while. Please log in again later.")
	alice.expect(loginRefused)
	alice.knock("#login", "alice", secret)
	alice.says("No answer from the server. Please check your connection and try again later.")

	cfg.HTTPAddr = node.HTTPAddr().String()
	start(t, cfg)
	alice.click("#login")
	alice.inside("alice")
	if again, _ := alice.at(); math.Abs(again-x) > 0.1 {
		t.Errorf("alice stood at %g before the restart, and stands at %g after it", x, again)
	}
}

// The session outlives its connection.
func TestLineIsLost(t *testing.T) {
	node := start(t, config(t))
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	x := alice.walkRight()

	alice.expect(channelRefused)
	alice.tolerate(boardRefused, boardCut)
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

// The node is lost without a word, and another one comes in its place, with the same players.
func TestNodeIsReplaced(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	way := newLine(t, node.HTTPAddr().String())
	alice := open(t, "http://"+way.addr+"/play/", quick(50))
	alice.enter("#register", "alice")
	x := alice.walkRight()

	alice.tolerate(channelRefused, boardRefused, boardCut)
	alice.tolerate(refusal("/v1/me", "401 (Unauthorized)"))
	way.cut()
	alice.wait(`app.dataset.state === "connecting"`)
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	way.mend(start(t, cfg).HTTPAddr().String())
	alice.outside("Your session has ended, perhaps because you logged in elsewhere. Please log in again.")
	alice.knock("#login", "alice", secret)
	alice.inside("alice")
	if again, _ := alice.at(); math.Abs(again-x) > 0.1 {
		t.Errorf("alice stood at %g before, and stands at %g now", x, again)
	}
}
