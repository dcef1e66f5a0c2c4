package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rushgate/rushgate/world"
)

var screenshots = flag.String("screenshots", "", "`folder` for pictures of the pages; none are made without it")

// looks are how the pages are pictured: in both colour schemes, on a desk and on a phone.
var looks = []struct {
	name          string
	scheme        string
	width, height int64
	phone         bool
}{
	{"light", "light", 1280, 800, false},
	{"dark", "dark", 1280, 800, false},
	{"phone-light", "light", 390, 844, true},
	{"phone-dark", "dark", 390, 844, true},
	{"narrow-light", "light", 320, 568, true},
}

// picture takes a picture of a whole page in each look, after prepare, if not nil, has been called for it.
func (p *tab) picture(name string, prepare func()) {
	p.Helper()
	p.pictureOf(name, 0, prepare)
}

// pictureOf is picture with windows of at least a height.
func (p *tab) pictureOf(name string, height int64, prepare func()) {
	p.Helper()
	for _, look := range looks {
		look.height = max(look.height, height)
		var options []chromedp.EmulateViewportOption
		if look.phone {
			options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
		}
		p.do(chromedp.EmulateViewport(look.width, look.height, options...),
			command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: look.scheme},
					{Name: "prefers-reduced-motion", Value: "reduce"}, // or a picture would wait for what moves for minutes
				},
			}))
		if prepare != nil {
			prepare()
		}
		p.wait(fmt.Sprintf(`innerWidth === %d && document.getAnimations().every((a) => a.playState === "finished")`,
			look.width))
		eval[bool](p, `new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))`)
		png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			p.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, name+"-"+look.name+".png"), png, 0o600); err != nil {
			p.Fatal(err)
		}
	}
	p.do(chromedp.EmulateViewport(1280, 800))
	p.wait(`innerWidth === 1280`)
}

func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	node := start(t, config(t))
	alice, bob := open(t, play(node)), open(t, play(node))
	alice.picture("door", nil)
	alice.enter("#register", "alice")
	bob.enter("#register", "bob")
	for range 3 {
		bob.walkRight()
	}
	alice.walkRight()
	alice.wait(`drawn.has("bob · 1")`)
	alice.picture("play", nil)

	operator := open(t, dashboard(node))
	operator.part("door", "open", "2 players inside")
	operator.wait(`$("chart-cpu").childElementCount > 0`)
	operator.picture("dashboard", nil)

	busy := newLineServer(t)
	busy.set(func() { busy.answer = placeless })
	carol := open(t, busy.url, quick(999))
	carol.expect(refusal("/v1/register", "503 (Service Unavailable)"))
	carol.picture("busy", func() {
		if eval[bool](carol, `!cancel.hidden`) {
			return // still in an attempt
		}
		carol.knock("#register", "carol", secret)
		carol.wait(`/retrying in/.test($("status").textContent)`)
	})
}

// The line, in what a player may see of it.
func TestScreenshotsOfTheLine(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	s := newLineServer(t)
	p := open(t, s.url, hurried)
	p.tolerate(refusal("/v1/login", "503 (Service Unavailable)"), refusal("/v1/line", "502 (Bad Gateway)"))
	p.knock("#login", "alice", secret)
	s.called(500)
	p.inLine("734")
	p.picture("line", nil)
	p.click("#line-leave")
	p.picture("line-leave", nil)
	p.click("#line-stay")
	s.set(func() { s.away = true })
	p.wait(`$("line").dataset.state === "away"`)
	p.picture("line-away", nil)
	s.set(func() { s.away, s.document.Opens = false, lineNow+605_000 })
	p.wait(`$("line").dataset.state === "opening"`)
	p.picture("line-opening", nil)
	s.set(func() { s.document.Opens = 0 })
	s.called(1234)
	p.wait(`$("line").dataset.state === "turn"`)
	p.inLine("1,234")
}

// What a player sees who comes back, and one whose node is away.
func TestScreenshotsOfComingBack(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	s := newLineServer(t)
	s.set(func() { s.answer = placeless })
	p := open(t, s.url, `localStorage.setItem("rushgate.device /v1/",
		JSON.stringify({ name: "alice-of-the-long-name-01", attempt: "", over: false }));`, quick(999))
	p.expect(refusal("/v1/resume", "503 (Service Unavailable)"))
	p.wait(`/retrying in/.test($("welcome-note").textContent)`)
	p.picture("welcome", nil)
	p.tolerate(refusal("/v1/resume", "409 (Conflict)"))
	s.set(func() {
		s.answer = func() (int, map[string]any) {
			return 409, map[string]any{"reason": "already-logged-in", "message": "No."}
		}
	})
	p.wait(`$("takeover").checkVisibility()`)
	p.picture("elsewhere", nil)

	node := start(t, config(t))
	bob := open(t, play(node))
	bob.enter("#register", "bob")
	bob.tolerate(nodeGoes...)
	node.Stop()
	bob.waitsForRestart()
	bob.wait(`$("overlay-note").textContent`)
	bob.picture("restart", nil)
}

// A game of one's own: the first visit, and playing beside a portal.
func TestScreenshotsOfAGame(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	def, err := world.ParseDefinition([]byte(glade))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.World, cfg.PageTitle, cfg.PageAccent = world.New(def, 1), "Rust & Bones", "#b8860b"
	node := start(t, cfg)
	for _, name := range []string{"bob", "carol", "dora"} {
		open(t, play(node)).enter("#register", name)
	}
	alice := open(t, play(node))
	alice.picture("play-game-first-visit", nil)
	alice.enter("#register", "alice")
	alice.wait(`drawn.has("Portal to cave") && drawn.has("dora · 1")`)
	alice.do(chromedp.KeyEvent(" "))
	alice.wait(`/near enough/.test($("news").textContent)`)
	alice.picture("play-game", nil)
}
