package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// overflowing names what of a page sticks out of the window, is wider than what it is in, or scrolls sideways. What a
// chart draws, and what is for screen readers only, has no width for a person.
const overflowing = `[...document.body.querySelectorAll("*")].filter((e) => {
	if (!e.checkVisibility()) return false;
	if (e.closest("svg, .hidden, .unseen, #said, option, .records:not(#inside) thead")) return false;
	const { left, right } = e.getBoundingClientRect(), { clientWidth } = document.documentElement;
	const spills = !/^(hidden|clip)$/.test(getComputedStyle(e).overflowX) && !e.matches("input, select");
	return left < -0.5 || right > clientWidth + 0.5 || spills && e.clientWidth && e.scrollWidth > e.clientWidth + 1;
}).map((e) => e.tagName + " in #" + e.closest("[id]")?.id + ": " + e.textContent.trim().slice(0, 40))`

// fits fails the test if anything of a page is wider than a phone, and leaves it as wide as one.
func (p *tab) fits(what string) {
	p.Helper()
	for _, width := range []int64{320, 390} {
		p.do(chromedp.EmulateViewport(width, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
		p.wait(fmt.Sprintf(`matchMedia("(width: %dpx)").matches`, width))
		if over := eval[[]string](p, overflowing); len(over) > 0 {
			p.Errorf("%s, %d px wide, has what is too wide:\n%s", what, width, strings.Join(over, "\n"))
		}
	}
}

// Neither an operator nor a player needs more than a phone: nothing is cut or scrolls sideways, each cell of a list
// says what it is, also to who has the page read out, and who has a keyboard comes to everything with it.
func TestOnAPhone(t *testing.T) {
	t.Parallel()
	const name = "alice-of-the-long-name-01"
	cfg, store := config(t), memory.New(memory.Options{})
	cfg.Backend, cfg.Store = "", store
	node := start(t, cfg)
	alice := open(t, play(node))
	alice.enter("#register", name)
	alice.fits("the world")
	alice.account()
	alice.fits("the account")

	token := fillLists(t, node, store, name)
	p := open(t, dashboard(node))
	p.arrives("/login")
	p.fits("the form for a token")
	p.fill("#token", token)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.arrives("/")
	p.wait(`document.body.dataset.role === "all"`)
	p.fill("#name", name)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("ban-account") !== null && ["inside", "lockouts", "bans", "operators", "audit"].every((id) =>
		$(id).checkVisibility() && $(id).tBodies[0].rows.length > 0) && $("mode-message").checkVisibility()`)
	p.fits("the dashboard")
	for table, column := range map[string]int{"inside": 3, "lockouts": 2, "bans": 3, "operators": 1, "audit": 4} {
		if !eval[bool](p, fmt.Sprintf(`(({ tHead, tBodies: [{ rows: [{ cells: { [%[2]d]: cell } }] }] }) =>
			getComputedStyle(cell, "::before").content === JSON.stringify(tHead.rows[0].cells[%[2]d].textContent) &&
			getComputedStyle(cell).display === "grid" && cell.role === "cell")($(%[1]q))`, table, column)) {
			t.Errorf("a cell of %s does not say which it is", table)
		}
	}
	for dialog, opener := range map[string]string{
		"ban-dialog": "ban-range-button", "rename-dialog": "rename-account", "confirm": "drain",
	} {
		p.click("#" + opener)
		p.wait(fmt.Sprintf(`$(%q).open`, dialog))
		p.fits(dialog)
		p.do(chromedp.KeyEvent(kb.Escape))
		p.wait(fmt.Sprintf(`!$(%q).open`, dialog))
	}
	p.tabsThroughAll()
}

// fillLists has each list of the dashboard show something, and returns the token of an operator, who is asked for it.
func fillLists(t *testing.T, node *server.Server, store *memory.Store, name string) (token string) {
	t.Helper()
	for range 5 {
		knock(t.Context(), node, "login", name, "wrong horse")
	}
	operate(t, node, "/bans", `{"range":"2001:db8:1234:5678::/64","except":["carol","christina-with-a-long-name"],
		"text":"Bots in the market","reason":"see https://tickets.example.org/projects/market/1234567"}`)
	operate(t, node, "/lists", `{"list":"staff","add":["anna","christina-with-a-long-name"]}`)
	operate(t, node, "/mode", `{"mode":"staff","message":"New monsters","opens_at":"2090-01-31T18:00:00Z"}`)
	operate(t, node, "/accounts/"+name+"/notes", `{"text":"https://tickets.example.org/projects/market/1234567"}`)
	token, err := operator.NewBook(store).Add(t.Context(), "the-night-watch", operator.All, operator.Console)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the dashboard asks who it is", func() bool { return getStatus(t, dashboard(node)+"lists") == 401 })
	return token
}

// where tells elements apart though rows are made anew now and then, and is led the way of the focus through them.
const where = `globalThis.led = new Map(), globalThis.dim = [], globalThis.where = (e) => e === document.body ? "" :
	where(e.parentElement) + "/" + (e.id || e.tagName + [...e.parentElement.children].indexOf(e)), true`

// tabsThroughAll fails the test if the Tab key does not lead to each control of the page and show where it is, or if
// nothing says what a control is for.
func (p *tab) tabsThroughAll() {
	p.Helper()
	eval[bool](p, where)
	for range 200 {
		p.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](p, `(({ activeElement: at }) => {
			if (at === document.body) return false; // the browser's own controls take their turn
			if (at === [...led.values()].at(-1)) return false; // a field of time has several stops
			if (led.has(where(at))) return true;
			led.set(where(at), at);
			const { outlineStyle, outlineWidth } = getComputedStyle(at), { top, bottom } = at.getBoundingClientRect();
			if (outlineStyle === "none" || outlineWidth === "0px" || bottom < 0 || top > innerHeight) dim.push(at.outerHTML);
			return false;
		})(document)`) {
			break
		}
	}
	for problem, elements := range map[string]string{
		"the focus cannot be seen on": `dim`,
		"the Tab key does not lead to": `[...document.querySelectorAll("button, input, select, a, summary, [tabindex='0']")]
			.filter((e) => e.checkVisibility() && !e.disabled && !led.has(where(e))).map((e) => e.outerHTML)`,
		"nothing says what these are for:": `[...led.values()].filter((e) => !(e.ariaLabel ||
			e.getAttribute("aria-labelledby") || (e.labels?.[0] ?? e).textContent.trim())).map((e) => e.outerHTML)`,
	} {
		if found := eval[[]string](p, elements); len(found) > 0 {
			p.Errorf("%s\n%s", problem, strings.Join(found, "\n"))
		}
	}
}

// leavesRoom fails the test if something covers what is over the world on a phone, or leaves no line of the
// leaderboard.
func (p *tab) leavesRoom(id string) {
	p.Helper()
	p.wait(`document.querySelectorAll("#ranks li").length > 0`)
	for _, size := range [][2]int64{{320, 568}, {320, 640}, {390, 844}, {844, 390}} {
		p.do(chromedp.EmulateViewport(size[0], size[1], chromedp.EmulateMobile, chromedp.EmulateTouch))
		p.wait(fmt.Sprintf(`matchMedia("(width: %dpx)").matches`, size[0]))
		covered := eval[[]string](p, fmt.Sprintf(`["self", "account-open", "logout", "board", "attack", "stick"]
			.filter((id) => ((a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)(
				$(id).getBoundingClientRect(), $(%q).getBoundingClientRect())
		).concat((({ clientHeight, clientWidth, scrollWidth }) =>
			clientHeight < 80 || scrollWidth > clientWidth ? ["all but a line"] : [])($("board")))`, id))
		if len(covered) > 0 {
			p.Errorf("at %d × %d the %s covers %q", size[0], size[1], id, covered)
		}
	}
	p.do(chromedp.EmulateViewport(1280, 800))
	p.wait(`innerWidth === 1280`)
}
