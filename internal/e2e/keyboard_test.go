package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// types types into what has the focus, one key after the other.
func (p *tab) types(text string) {
	p.Helper()
	for _, letter := range text {
		p.do(chromedp.KeyEvent(string(letter)))
	}
}

// focusShows reports whether one can see where the focus is.
func (p *tab) focusShows(at string) {
	p.Helper()
	if !eval[bool](p, `document.activeElement.matches(":focus-visible") &&
		getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
		p.Errorf("the focus on %s cannot be seen", at)
	}
}

// An operator searches, opens a player, bans, lifts, and changes a list, with key events and nothing else. A dialog
// keeps the focus in it, gives it back, and Escape closes it without anything being done.
func TestDashboardByKeyboardAlone(t *testing.T) {
	cfg := config(t)
	cfg.Backend = server.SQLite
	node := start(t, cfg)
	register(t.Context(), node, "alice")
	p := open(t, dashboard(node))
	p.wait(`$("mode-card").dataset.mode === "open"`)

	p.tabTo("search-for")
	p.focusShows("search-for")
	p.types("ali")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("search-found").children.length === 1 && $("search-note").textContent === "1 found."`)
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	if what := eval[string](p, `document.activeElement.textContent`); what != "alice" {
		t.Fatalf("the focus is on %q", what)
	}
	p.focusShows("what was found")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=factor]")?.textContent === "none" &&
		document.querySelector("[data-player=email]").textContent === "none"`)

	p.tabTo("ban-account")
	p.focusShows("ban-account")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-dialog").open && $("ban-dialog").contains(document.activeElement)`)
	for range 12 { // the browser's own buttons are outside of the page, and take their turn
		p.do(chromedp.KeyEvent(kb.Tab))
		if !eval[bool](p, `document.activeElement === document.body || $("ban-dialog").contains(document.activeElement)`) {
			t.Fatalf("the focus has left the dialog for %s", eval[string](p, `document.activeElement.id`))
		}
	}
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait(`!$("ban-dialog").open && document.activeElement.id === "ban-account"`)
	if text := p.text("[data-player=banned]"); text != "no" {
		t.Errorf("after Escape: %s", text)
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-dialog").open`)
	p.tabTo("ban-yes")
	p.focusShows("ban-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=banned]").textContent.startsWith("until")`)
	p.tabTo("ban-account")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=banned]").textContent === "no"`)

	p.tabTo("list-names")
	p.types("anna, ben")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("list-staff").children.length === 2 && $("no-staff").hidden`)

	p.tabTo("ban-range-button")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-dialog").open`)
	p.tabTo("ban-range")
	p.types("203.0.113.0/24")
	p.tabTo("ban-except")
	p.types("carol, dave")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("bans").tBodies[0].rows.length === 1 && document.activeElement.id === "bans-result"`)
	if text := p.text("#bans tbody th"); !strings.Contains(text, "but for carol, dave") {
		t.Errorf("banned: %s", text)
	}
}

// An operator renames a player and takes a second factor and passkeys away, by the keyboard alone, and is offered the
// latter only where there are some.
func TestOperatorRenamesAndRemovesTheFactor(t *testing.T) {
	store := memory.New(memory.Options{})
	cfg := config(t)
	cfg.Backend, cfg.Store = "", store
	node := start(t, cfg)
	register(t.Context(), node, "alice")
	found, err := store.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil || found[0].Err != nil {
		t.Fatal(err, found)
	}
	errs, err := store.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: found[0].ID, Name: "alice", Epoch: found[0].Epoch, Credentials: []rushgate.Credential{
			{Kind: "totp", Secret: "{}"}, {Kind: passkey.Kind, Subject: "phone", Secret: "{}"},
			{Kind: passkey.Kind, Subject: "laptop", Secret: "{}"},
			linked.OfGuest([32]byte{1}), linked.OfProvider("https://id.guild.example/", "ann-7"),
		},
	}})
	if err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	p := open(t, dashboard(node))
	p.wait(`$("mode-card").dataset.mode === "open"`)
	p.fill("#name", "alice")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=factor]")?.textContent === "authenticator, 2 passkeys"`)
	if text := p.text("[data-player=identities]"); text != "1 device as a guest, id.guild.example (ann-7)" {
		t.Errorf("other ways in: %s", text)
	}

	p.tabTo("remove-factor")
	p.focusShows("remove-factor")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open && document.activeElement.value === "no"`)
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait(`!$("confirm").open && document.activeElement.id === "remove-factor"`)
	if text := p.text("[data-player=factor]"); text != "authenticator, 2 passkeys" {
		t.Errorf("after Escape: %s", text)
	}
	p.expect(refusal("/accounts/alice/remove-second-factor", "409 (Conflict)")) // what the confirm is in
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=factor]")?.textContent === "2 passkeys" && !$("remove-factor") &&
		document.activeElement.textContent === "The second factor is removed."`)

	p.tabTo("remove-passkeys")
	p.focusShows("remove-passkeys")
	p.expect(refusal("/accounts/alice/remove-passkeys", "409 (Conflict)")) // what the confirm is in
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open && document.activeElement.value === "no"`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=factor]")?.textContent === "none" && !$("remove-passkeys") &&
		document.activeElement.textContent === "The passkeys are removed."`)

	p.tabTo("rename-account")
	p.focusShows("rename-account")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("rename-dialog").open && document.activeElement.id === "rename-name"`)
	p.do(chromedp.KeyEvent(kb.Escape))
	p.wait(`!$("rename-dialog").open && document.activeElement.id === "rename-account"`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("rename-dialog").open`)
	p.types("alice")
	p.expect(refusal("/accounts/alice/name", "409 (Conflict)"))
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.activeElement.className === "problem" && $("rename-account")`)
	p.tabTo("rename-account")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("rename-dialog").open && $("rename-name").value === ""`)
	p.types("carol")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector("[data-player=name]")?.textContent === "carol" && $("name").value === "carol" &&
		document.activeElement.textContent === "alice is now carol."`)
}

// The form of the mode shows what is set, by whomever, and what the operator is choosing stays.
func TestModeThatIsSetIsShown(t *testing.T) {
	node := start(t, config(t))
	operate(t, node, "/mode", `{"mode":"staff"}`)
	p := open(t, dashboard(node))
	p.wait(`$("mode-card").dataset.mode === "staff" && $("mode").value === "staff" && $("mode-message").checkVisibility()`)
	look := func(mode string) {
		operate(t, node, "/mode", `{"mode":"`+mode+`"}`)
		eval[bool](p, `import("/access.js").then((m) => m.refresh()), true`)
		p.wait(`$("mode-card").dataset.mode === "` + mode + `"`)
	}
	operate(t, node, "/mode", `{"mode":"staff","message":"Back soon","opens_at":"2099-05-06T07:08:09Z","out":true}`)
	eval[bool](p, `import("/access.js").then((m) => m.refresh()), true`)
	p.wait(`$("mode-message").value === "Back soon" && new Date($("mode-opens").value).toISOString() ===
		"2099-05-06T07:08:00.000Z" && $("mode-out").checked`)
	p.tabTo("mode")
	p.do(chromedp.KeyEvent("c")) // closed; the rest stays, to the second
	p.tabTo("mode-set")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("confirm").open`)
	p.tabTo("confirm-yes")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("mode-card").dataset.mode === "closed" && document.activeElement.id === "mode-result"`)
	now := eval[string](p, `fetch("/mode").then((r) => r.json())
		.then((m) => [m.mode, m.message, m.opens_at, m.out].join())`)
	if now != "closed,Back soon,2099-05-06T07:08:09Z,true" {
		t.Errorf("after another mode was chosen, it is %s", now)
	}
	look("closed")
	p.wait(`$("mode").value === "closed" && $("mode-message").value === ""`)
	p.tabTo("mode")
	look("staff")
	if shown := eval[string](p, `$("mode").value`); shown != "closed" {
		t.Errorf("the select has jumped to %s beneath the operator's hands", shown)
	}
	p.do(chromedp.KeyEvent("a")) // allowlist
	p.tabTo("name")
	look("closed")
	if shown := eval[string](p, `$("mode").value`); shown != "allowlist" {
		t.Errorf("the select has jumped to %s, where allowlist was chosen", shown)
	}
	look("allowlist")
	look("open")
	p.wait(`$("mode").value === "open" && !$("mode-message").checkVisibility()`)
}

func TestScreenshotsOfTheOperatorsSide(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	node := start(t, config(t))
	register(t.Context(), node, "alice")
	operate(t, node, "/lists", `{"list":"staff","add":["anna","ben","christina-with-a-long-name"]}`)
	operate(t, node, "/lists", `{"list":"allowlist","add":["carol"]}`)
	operate(t, node, "/mode", `{"mode":"staff","message":"New monsters","opens_at":"2090-01-31T18:00:00Z"}`)
	operate(t, node, "/bans", `{"range":"203.0.113.0/24","except":["carol"],"text":"Bots","reason":"ticket 7"}`)
	operate(t, node, "/accounts/alice/disable", `{"reason":"Insults","note":"third time, ticket 9"}`)
	operate(t, node, "/accounts/alice/notes", `{"text":"asked for her name back"}`)
	p := open(t, dashboard(node))
	p.wait(`$("bans").tBodies[0].rows.length === 1 && $("list-staff").children.length === 3`)
	p.fill("#name", "alice")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-account") !== null`)
	eval[bool](p, `document.querySelectorAll("main > .grid:not(.two), .inside").forEach((e) => (e.hidden = true)), true`)
	p.picture("operator", nil)
	eval[bool](p, `$("ban-range-button").click(), true`)
	p.wait(`$("ban-dialog").open`)
	p.picture("ban", func() { eval[bool](p, `scrollTo(0, 0), true`) })
}
