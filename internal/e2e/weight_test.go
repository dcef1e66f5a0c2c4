package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// maxWeight is how much a first visit to /play/ may bring over the wire before anybody logs in, in bytes, headers
// included.
const maxWeight = 32 << 10

func TestWeight(t *testing.T) {
	p := open(t, play(start(t, config(t))))
	p.wait(`!$("login").disabled`)
	for _, last := range []string{"/v1/status", "/play/icon-"} { // which come after the form is there
		await(t, last+" has come", func() bool { return eval[int](p, "1") == 1 && p.got(last) })
	}
	p.settle()
	t.Logf("a first visit brings %d bytes", p.bytes())
	if p.bytes() < 1000 || p.bytes() > maxWeight {
		t.Errorf("a first visit brings %d bytes, want at most %d", p.bytes(), maxWeight)
	}
}

// hasty registers as soon as the form can be sent, and notes in ms since the navigation when that was and when the
// first frame of the world had been drawn.
const hasty = `
	new MutationObserver((_, observer) => {
		if (!globalThis.$?.("login") || $("login").disabled) return;
		observer.disconnect();
		globalThis.ready = performance.now();
		$("username").value = "player-" + Math.random().toString(36).slice(2, 10);
		$("password").value = "correct horse";
		$("password").dispatchEvent(new Event("input")); // which has it repeated
		$("register").click();
		new MutationObserver((_, observer) => {
			if (!world.dataset.tick) return;
			observer.disconnect();
			requestAnimationFrame(() => requestAnimationFrame(() => (globalThis.first = performance.now())));
		}).observe(world, { attributes: true });
	}).observe(document, { subtree: true, childList: true, attributes: true });
`

// BenchmarkFirstFrame measures what it takes from the navigation to /play/, with an empty cache, until the world is
// seen by a player who types infinitely fast.
func BenchmarkFirstFrame(b *testing.B) {
	node := start(b, config(b))
	var ready, first float64
	for b.Loop() {
		p := open(b, play(node), hasty)
		p.wait(`globalThis.first`)
		ready += eval[float64](p, `ready`)
		first += eval[float64](p, `first`)
		p.do(chromedp.Navigate("about:blank"))
	}
	b.ReportMetric(ready/float64(b.N), "form-ms/op")
	b.ReportMetric(first/float64(b.N), "world-ms/op")
}
