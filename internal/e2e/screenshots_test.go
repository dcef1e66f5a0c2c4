package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
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
}

// picture takes a picture of a whole page in each look, after prepare, if not nil, has been called for it.
func (p *tab) picture(name string, prepare func()) {
	p.Helper()
	for _, look := range looks {
		var options []chromedp.EmulateViewportOption
		if look.phone {
			options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
		}
		p.do(chromedp.EmulateViewport(look.width, look.height, options...),
			command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
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
	operator.state("open", "2 players inside")
	operator.wait(`$("chart-cpu").childElementCount > 0`)
	operator.picture("dashboard", nil)

	cfg := busyConfig(t)
	busy := start(t, cfg)
	carol := open(t, play(busy), quick(999))
	carol.expect(refusal("/v1/register", "503 (Service Unavailable)"))
	crowd(t, busy, cfg)
	carol.picture("busy", func() {
		if eval[bool](carol, `!cancel.hidden`) {
			return // still in an attempt
		}
		carol.knock("#register", "carol", secret)
		carol.wait(`/retrying in/.test($("status").textContent)`)
	})
}
