package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const secret = "correct horse"

// enter fills in the form, clicks on #login or #register, and returns once the player is in the world.
func (p *tab) enter(button, name string) {
	p.Helper()
	p.knock(button, name, secret)
	p.inside(name)
}

// knock is enter without the wait. The player stays logged in on the device only if the test says so.
func (p *tab) knock(button, name, password string) {
	p.Helper()
	p.wait(`$("credentials").checkVisibility() && !$("login").disabled`)
	if eval[bool](p, fmt.Sprintf(`$("remember").checkVisibility() && $("remember").checked !== %v`, p.stays)) {
		p.click("#remember")
	}
	if button == "#register" && !eval[bool](p, `$("repeat").checkVisibility()`) {
		eval[bool](p, `$("username").value = $("password").value = "", true`) // or it would be the old ones that register
		p.click(button)
	}
	p.fill("#username", name)
	p.fill("#password", password)
	if button == "#register" {
		p.fill("#repeat", password)
	}
	p.click(button)
}

// inside returns once the player is in the world and the page shows it.
func (p *tab) inside(name string) {
	p.Helper()
	p.wait(fmt.Sprintf(`app.dataset.state === "playing" && world.dataset.connected === "true" && world.dataset.tick > 0 &&
		$("name").textContent === %q && $("zone").textContent === "zone-1"`, name))
	p.keepOut(eval[string](p, `JSON.parse(sessionStorage.getItem("rushgate.session")).token`))
}

// outside returns once the form is there and says something.
func (p *tab) outside(message string) {
	p.Helper()
	p.wait(fmt.Sprintf(`app.dataset.state === "signed-out" && $("status").textContent === %q`, message))
	if kept := eval[bool](p, `sessionStorage.getItem("rushgate.session") !== null`); kept {
		p.Error("the page keeps a session that is over")
	}
}

// at returns where the node says that the player is.
func (p *tab) at() (x, y float64) {
	p.Helper()
	at := eval[[2]float64](p, `[Number(world.dataset.x), Number(world.dataset.y)]`)
	return at[0], at[1]
}

// drawnAt returns where the canvas last had a player's name, in CSS pixels.
func (p *tab) drawnAt(name string) float64 {
	p.Helper()
	label := fmt.Sprintf(`drawn.get("%s · 1")`, name)
	p.wait(label)
	return eval[float64](p, label+".x")
}

func TestTwoPlayers(t *testing.T) {
	node := start(t, config(t))
	alice, bob := open(t, play(node)), open(t, play(node))
	alice.enter("#register", "alice")
	alice.wait(`Number(world.dataset.players) === 0`)
	bob.enter("#register", "bob")
	alice.wait(`Number(world.dataset.players) === 1 && drawn.has("bob · 1")`)
	bob.wait(`Number(world.dataset.players) === 1 && Number(world.dataset.entities) >= 1`)

	x, y := alice.at()
	seen := bob.drawnAt("alice")
	alice.press('D')
	alice.wait(fmt.Sprintf(`world.dataset.x > %g`, x+1))
	bob.wait(fmt.Sprintf(`drawn.get("alice · 1").x > %g`, seen+15))
	alice.release('D')
	if _, now := alice.at(); now != y {
		t.Errorf("a step to the right led from y %g to %g", y, now)
	}
	alice.press('S')
	alice.wait(fmt.Sprintf(`world.dataset.y > %g`, y+1))
	alice.release('S')

	for _, p := range []*tab{alice, bob} {
		p.wait(`!menu.inert`)
		if eval[bool](p, `board.hidden`) {
			p.click("#boards")
		}
		for _, board := range []string{"xp", "level", "deaths"} {
			p.click("#board-" + board)
			p.wait(fmt.Sprintf(`$("board-%s").ariaSelected === "true" && ranks.querySelectorAll("li").length === 2`, board))
			if list := p.text("#ranks"); !strings.Contains(list, "alice") || !strings.Contains(list, "bob") {
				t.Errorf("the leaderboard %s has %q", board, list)
			}
		}
		p.wait(`ranks.querySelectorAll("li[data-self=true]").length === 1`)
	}

	alice.click("#logout")
	alice.outside("You have logged out.")
	bob.wait(`Number(world.dataset.players) === 0`)
	alice.fill("#password", secret)
	alice.do(chromedp.KeyEvent("\r"))
	alice.inside("alice")
	bob.wait(`Number(world.dataset.players) === 1`)
	if again, _ := alice.at(); again <= x {
		t.Errorf("alice was right of %g before the logout, and is at %g after it", x, again)
	}
}

func TestReloadContinues(t *testing.T) {
	alice := open(t, strings.TrimSuffix(play(start(t, config(t))), "/")) // as people type it
	alice.enter("#register", "alice")
	alice.do(chromedp.Reload())
	alice.inside("alice")
}

func TestTakeover(t *testing.T) {
	node := start(t, config(t))
	first, second := open(t, play(node)), open(t, play(node))
	first.enter("#register", "alice")
	second.expect(refusal("/v1/login", "409 (Conflict)"))
	second.knock("#login", "alice", secret)
	second.wait(`$("status").textContent === "You are already playing, perhaps on another device or in another tab."`)
	if state := eval[string](first, `app.dataset.state`); state != "playing" {
		t.Errorf("the first page is %s before anybody has taken over", state)
	}
	second.tolerate(refusal("/v1/login", "503 (Service Unavailable)")) // until the session has ended
	second.click("#takeover")
	second.inside("alice")
	first.outside("Your session has ended, perhaps because you logged in elsewhere. Please log in again.")
}
