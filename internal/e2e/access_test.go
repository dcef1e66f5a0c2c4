package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// An operator closes and opens the doors, and bans a player and a network, by the keyboard alone.
func TestDashboardDecidesWhoComesIn(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	alice := open(t, play(node))
	alice.enter("#register", "alice")
	p := open(t, dashboard(node))
	p.wait(`$("mode-card").dataset.mode === "open" && $("inside").rows.length === 2`)

	p.tabTo("mode")
	p.do(chromedp.KeyEvent("c")) // closed
	p.wait(`$("mode").value === "closed" && $("mode-message").checkVisibility()`)
	p.tabTo("mode-message")
	p.fill("#mode-message", "Back <soon>")
	p.tabTo("mode-set")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open && document.activeElement.value === "no"`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("mode-card").dataset.mode === "closed" && /“Back <soon>”.*Set by local/.test($("mode-said").textContent) &&
		document.activeElement.id === "mode-result"`)
	if status := register(t.Context(), node, "bob"); status != http.StatusServiceUnavailable {
		t.Errorf("a registration at closed doors: %d", status)
	}
	p.do(chromedp.SetValue("#mode", "open"))
	p.tabTo("mode-set")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("mode-card").dataset.mode === "open"`)

	p.tabTo("ban-range-button")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-dialog").open && $("ban-range").checkVisibility() && !$("ban-device").checkVisibility()`)
	p.fill("#ban-range", "203.0.113.0/24")
	p.fill("#ban-reason", "bots in the market")
	p.tabTo("ban-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("bans").tBodies[0].rows.length === 1 && /^203.0.113.0\/24.*bots in the market/.test(
		$("bans").tBodies[0].textContent)`)
	eval[bool](p, `$("bans").querySelector("button").focus(), true`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("bans").hidden && document.activeElement.id === "bans-result"`)

	eval[bool](p, `$("inside").querySelector("[data-do=ban]").focus(), true`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-dialog").open && $("ban-title").textContent === "Ban alice" && $("ban-what").value === "account"`)
	p.fill("#ban-text", "Insults")
	p.fill("#ban-reason", "third time")
	p.tabTo("ban-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("inside-result").textContent === "alice is banned."`)
	alice.wait(`$("credentials").checkVisibility()`)
	p.fill("#name", "alice")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`/^until .*Insults/.test(document.querySelector("[data-player=banned]")?.textContent) &&
		/banned · by local · until .*: third time/.test($("found").textContent)`)
	eval[bool](p, `$("ban-account").focus(), true`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=banned]").textContent === "no" &&
		/unbanned · by local/.test($("found").textContent)`)
}

// Who may only look sees the mode and the bans, and is offered nothing.
func TestDashboardOfThoseWhoOnlyLook(t *testing.T) {
	store := memory.New(memory.Options{})
	cfg := config(t)
	cfg.Backend, cfg.Store = "", store
	var token string
	for _, role := range []operator.Role{operator.All, operator.Look} {
		var err error
		if token, err = operator.NewBook(store).Add(t.Context(), "the-"+role.String(), role, operator.Console); err != nil {
			t.Fatal(err)
		}
	}
	node := start(t, cfg)
	register(t.Context(), node, "alice")
	p := open(t, dashboard(node))
	p.arrives("/login")
	p.fill("#token", token)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.arrives("/")
	p.wait(`$("mode-card").dataset.mode === "open" && $("inside").rows.length === 2`)
	p.fill("#name", "alice")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=banned]").textContent === "no"`)
	for _, what := range []string{"#mode-form", "#ban-range-button", "#ban-account", "[data-do=ban]"} {
		if eval[bool](p, fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() === true`, what)) {
			t.Errorf("%s is offered", what)
		}
	}
}

func TestScreenshotsOfBans(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	node := start(t, config(t))
	for _, name := range []string{"alice", "bob"} {
		register(t.Context(), node, name)
	}
	operate(t, node, "/mode", `{"mode":"staff","message":"New monsters","opens_at":"2090-01-31T18:00:00Z"}`)
	operate(t, node, "/bans",
		`{"range":"203.0.113.0/24","except":["carol"],"text":"Bots","reason":"the market, ticket 7"}`)
	operate(t, node, "/bans", `{"device":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","until":"2090-01-31T18:00:00Z"}`)
	operate(t, node, "/accounts/bob/disable", `{"reason":"Insults","note":"third time, ticket 9"}`)
	operate(t, node, "/accounts/bob/enable", "{}")
	operate(t, node, "/accounts/bob/disable", `{"until":"2090-01-31T18:00:00Z","reason":"Cheating","note":"ticket 12"}`)
	p := open(t, dashboard(node))
	p.wait(`$("bans").tBodies[0].rows.length === 2 && $("chart-cpu").childElementCount > 0`)
	p.do(chromedp.SetValue("#mode", "closed"))
	eval[bool](p, `$("mode").dispatchEvent(new Event("change"))`)
	p.fill("#name", "bob")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-account") !== null`)
	p.picture("dash", nil)
	eval[bool](p, `$("ban-range-button").click(), true`)
	p.wait(`$("ban-dialog").open`)
	p.picture("dash-ban", nil)
}
