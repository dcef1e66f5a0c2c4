package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/rushgate/rushgate/server"
)

// operate gives a node an order of its operator.
func operate(t testing.TB, s *server.Server, path, body string) {
	t.Helper()
	resp, err := http.Post("http://"+s.AdminAddr().String()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
	}
}

// A visitor of closed doors reads so before typing anything, is in line with what the operator says above, and comes in
// when they open, without another word.
func TestClosedDoors(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	operate(t, node, "/mode", `{"mode":"closed","message":"New monsters <b>soon</b>","opens_at":"2090-01-31T18:00:00Z"}`)
	p := open(t, play(node))
	p.wait(`$("closed").checkVisibility() && $("closed-title").textContent === "The server is closed for now" &&
		$("closed-text").textContent === "New monsters <b>soon</b>" &&
		/^It is to open on .*2090.* This page tries again by itself\.$/.test($("closed-time").textContent)`)
	p.expect(refusal("/v1/register", "503 (Service Unavailable)"))
	p.knock("#register", "alice", secret)
	p.wait(`$("line").checkVisibility() && $("closed").checkVisibility()`)
	p.click("#line-leave")
	p.click("#line-go")
	operate(t, node, "/mode", `{"mode":"open"}`)
	p.do(chromedp.Reload())
	p.wait(`$("credentials").checkVisibility() && !$("closed").checkVisibility()`)
	p.enter("#register", "alice")
}

// Who has no place at doors that are open to some players only, and is to stay away for a day, comes in soon after they
// have opened, earlier than was said.
func TestEarlyOpeningIsNoticed(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	register(t.Context(), node, "alice")
	operate(t, node, "/mode", `{"mode":"staff","opens_at":"2090-01-31T18:00:00Z"}`)
	const looks = `{ // at the doors, once a minute or two
		const { setTimeout } = globalThis;
		globalThis.setTimeout = (f, ms, ...args) => setTimeout(f, ms >= 6e4 && ms <= 12e4 ? 500 : ms, ...args);
	}`
	p := open(t, play(node), looks)
	p.expect(refusal("/v1/login", "503 (Service Unavailable)"))
	p.tolerate(refusal("/v1/login", "409 (Conflict)"))
	p.knock("#login", "alice", secret)
	p.wait(`/^You are not let in for now.* Trying again in 2\d hours\.$/.test($("status").textContent) &&
		$("closed").checkVisibility()`)
	operate(t, node, "/mode", `{"mode":"open"}`)
	p.wait(`app.dataset.state === "playing" || $("takeover").checkVisibility()`)
	if eval[bool](p, `$("closed").checkVisibility()`) {
		t.Error("the sign at the doors is still there")
	}
}

// A player who is banned is out, reads why and until when after the right password, and finds the way to appeal; the
// page of another who plays from there is none the wiser.
func TestBanIsShownWithTheWayToAppeal(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.AppealURL = "https://example.org/appeal"
	node := start(t, cfg)
	p := open(t, play(node))
	p.enter("#register", "mallory")
	id := eval[string](p, `localStorage.getItem("rushgate.device-id")`)
	players, err := node.Players(t.Context())
	if err != nil || len(players) != 1 || players[0].Device == "" || strings.Contains(players[0].Device, id) {
		t.Fatalf("the operator sees %+v, %v", players, err)
	}
	operate(t, node, "/bans",
		`{"device":"`+players[0].Device+`","text":"Bots in the market","until":"2090-01-31T18:00:00Z"}`)
	p.wait(`$("credentials").checkVisibility()`)
	p.expect(refusal("/v1/login", "401 (Unauthorized)"), refusal("/v1/login", "403 (Forbidden)"))
	p.knock("#login", "mallory", "wrong horse")
	p.says("Wrong user name or password.")
	p.knock("#login", "mallory", secret)
	p.says("This account is disabled until 2090-01-31 18:00 UTC: Bots in the market.")
	p.wait(`$("appeal").checkVisibility() && $("appeal").href === "https://example.org/appeal"`)
}
