package e2e

import (
	"fmt"
	"math"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate/world"
)

// A first visitor, who has typed the bare name of a node, registers in a game with a name of its own; the second time
// the page asks for a login. Whatever goes wrong, the keyboard stays where it is of use.
func TestFirstVisit(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.PageTitle, cfg.PageAccent = "Rust & Bones", "#8b1e3f"
	node := start(t, cfg)
	if status := register(t.Context(), node, "taken"); status != 201 {
		t.Fatalf("registration: %d", status)
	}
	p := open(t, "http://"+node.HTTPAddr().String())
	p.wait(`location.pathname === "/play/" && document.title === "Rust & Bones" &&
		$("title").textContent === "Rust & Bones" && document.activeElement.id === "username"`)
	p.wait(`getComputedStyle($("register")).backgroundColor === "rgb(139, 30, 63)" && $("register").type === "submit" &&
		$("ways").firstElementChild.id === "register" && $("repeat").checkVisibility() && $("remember").checked`)
	if !eval[bool](p, `$("password").value = "of a manager", $("password").dispatchEvent(new Event("input")),
		$("repeat").value === "of a manager"`) {
		t.Error("a password that was filled in by itself is to be repeated by hand")
	}
	p.fill("#username", "taken")
	p.fill("#password", secret)
	if eval[string](p, `$("repeat").value`) == secret {
		t.Error("a password that was typed is not asked for once more")
	}
	p.fill("#repeat", "another horse")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("status").textContent === "The two passwords are not the same." && $("status").dataset.kind === "error" &&
		document.activeElement.id === "repeat" && getSelection().toString() !== "another horse"`)
	p.click("#reveal")
	p.wait(`$("repeat").type === "text" && $("password").type === "text" && $("reveal").ariaPressed === "true"`)
	p.fill("#repeat", secret)
	p.expect(refusal("/v1/register", "409 (Conflict)"))
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`/^This user name is taken/.test($("status").textContent) && document.activeElement.id === "username" &&
		$("password").type === "password"`)
	p.stays = true
	p.knock("#register", "alice", secret)
	p.inside("alice")
	p.click("#logout")
	p.outside("You have logged out.")
	p.wait(`$("login").type === "submit" && $("ways").firstElementChild.id === "login" && !$("repeat").checkVisibility()`)

	p.do(chromedp.Reload())
	p.wait(`$("credentials").checkVisibility() && $("login").type === "submit" && !$("repeat").checkVisibility()`)
	p.expect(refusal("/v1/login", "401 (Unauthorized)"))
	p.fill("#username", "alice")
	p.fill("#password", "wrong horse")
	p.tabTo("login")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`$("status").textContent === "Wrong user name or password." && document.activeElement.id === "password" &&
		$("password").selectionEnd - $("password").selectionStart === 11`)
}

// A button that is pressed in vain keeps the keyboard.
func TestFocusStaysAfterARefusal(t *testing.T) {
	t.Parallel()
	s := newLineServer(t)
	s.set(func() {
		s.answer = func() (int, map[string]any) { return 500, map[string]any{"reason": "internal-error", "message": "No."} }
	})
	p := open(t, s.url)
	p.expect(refusal("/v1/login", "500 (Internal Server Error)"))
	p.fill("#username", "alice")
	p.fill("#password", secret)
	p.tabTo("login")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`/^Something went wrong on the server/.test($("status").textContent) && $("login").ariaDisabled === "false"`)
	if at := eval[string](p, `document.activeElement.id`); at != "login" {
		t.Errorf("the keyboard is at %q", at)
	}
}

// glade is a small world: a portal is in sight, and a rat that nobody reaches.
const glade = `{
  "start_zone": "zone-1",
  "player": {"speed": 8, "reach": 2, "attack_interval_ms": 500, "regen_hp": 0, "regen_interval_ms": 1000,
    "respawn_ms": 1000, "inventory_slots": 1, "levels": [{"xp": 0, "hp": 40, "damage": 4}]},
  "monsters": [{"id": "rat", "hp": 10, "damage": 1, "speed": 0, "reach": 1, "aggro_radius": 0, "leash_radius": 20,
    "attack_interval_ms": 1000, "respawn_ms": 2000, "xp": 10}],
  "zones": [
    {"id": "zone-1", "width": 200, "height": 200, "spawn": {"x": 100, "y": 100, "radius": 8},
     "portals": [{"x": 100, "y": 112.5, "radius": 4, "zone": "cave", "to_x": 10, "to_y": 20}],
     "monsters": [{"kind": "rat", "count": 1, "x": 140, "y": 100, "radius": 0}]},
    {"id": "cave", "width": 64, "height": 64, "spawn": {"x": 32, "y": 32}}
  ]
}`

// touch has fingers on the screen, each at a point, in CSS pixels; none: all are lifted.
func (p *tab) touch(kind input.DispatchTouchEventType, points ...float64) {
	p.Helper()
	params := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
	for i := 0; i+1 < len(points); i += 2 {
		id := float64(i / 2)
		params.TouchPoints = append(params.TouchPoints, &input.TouchPoint{X: points[i], Y: points[i+1], ID: &id})
	}
	p.do(command(input.DispatchTouchEvent, params))
}

// On a phone one finger walks while another attacks, an attack on nothing says so, and nothing of it moves the page.
// Two newcomers do not stand on one another, and see the portal.
func TestPlayingOnAPhone(t *testing.T) {
	t.Parallel()
	def, err := world.ParseDefinition([]byte(glade))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.World = world.New(def, 1)
	node := start(t, cfg)
	bob := open(t, play(node))
	bob.enter("#register", "bob")
	alice := open(t, play(node))
	alice.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	alice.enter("#register", "alice")
	alice.wait(`drawn.has("Portal to cave") && drawn.has("bob · 1") && $("stick").checkVisibility()`)
	x, y := alice.at()
	if bx, by := bob.at(); math.Hypot(bx-x, by-y) < 1.2 {
		t.Errorf("bob is at %g, %g, and alice at %g, %g", bx, by, x, y)
	}

	attack := eval[[2]float64](alice, `(() => { const r = $("attack").getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	alice.touch("touchStart", 90, 700)
	alice.touch("touchMove", 90, 640)
	alice.wait(fmt.Sprintf(`world.dataset.y < %g && !$("stick").checkVisibility()`, y-0.5))
	alice.touch("touchStart", 90, 640, attack[0], attack[1])
	alice.wait(`$("attack").dataset.on === "true"`)
	alice.wait(`$("news").textContent === "Nothing is near enough to hit." && $("attack").dataset.on === "true"`)
	alice.touch("touchEnd")
	alice.wait(`$("attack").dataset.on === "false" && $("stick").checkVisibility()`)
	// Two fingers apart, and one that wipes over the cards.
	alice.touch("touchStart", 150, 400, 240, 400)
	alice.touch("touchMove", 60, 400, 330, 400)
	alice.touch("touchEnd")
	alice.touch("touchStart", 100, 60)
	alice.touch("touchMove", 100, 500)
	alice.touch("touchEnd")
	if moved := eval[string](alice, `[visualViewport.scale, scrollX, scrollY, visualViewport.pageTop,
		getSelection().toString()].join(" ")`); moved != "1 0 0 0 " {
		t.Errorf("the page is scaled, scrolled and selected: %s", moved)
	}
}
