package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take for anything before a test fails.
const patience = time.Minute

// browser starts the one Chromium that all tests share. Each tab has its own cookies, storage and cache all the same.
var browser = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Nothing that Chromium may want of its own accord leaves this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	process, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(process)
	endBrowser = func() error {
		defer end()
		closing, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return chromedp.Cancel(closing)
	}
	return ctx, chromedp.Do(ctx)
})

// endBrowser ends Chromium and returns when nothing of it is left.
var endBrowser = func() error { return nil }

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(beNode); ok {
		os.Exit(runNode(dir, os.Args[len(os.Args)-1]))
	}
	code := m.Run()
	if err := endBrowser(); err != nil {
		fmt.Fprintln(os.Stderr, "chromium did not end as it should:", err)
		code = 1
	}
	os.Exit(code)
}

// tab is a window of the browser as a person has it who visits for the first time.
type tab struct {
	testing.TB
	ctx   context.Context
	stays bool // the player stays logged in on the device
	*record
}

// watching is run in each page before its own scripts. It defines $, reports breaches of the content security policy,
// and keeps every text that #status has shown and where on the canvas each text was last drawn.
const watching = `
	addEventListener("securitypolicyviolation", (e) => violation(e.effectiveDirective + " " + e.blockedURI));
	globalThis.$ = (id) => document.getElementById(id);
	globalThis.shown = [];
	globalThis.drawn = new Map();
	const draw = CanvasRenderingContext2D.prototype.fillText;
	CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
		drawn.set(text, { x, y });
		draw.call(this, text, x, y);
	};
	new MutationObserver(() => {
		const text = $("status")?.textContent ?? "";
		if (text !== (shown.at(-1) ?? "")) shown.push(text);
	}).observe(document, { subtree: true, childList: true, characterData: true });
`

// open opens a page in a new tab, which lives as long as the test. The page may talk to the host in its URL only.
// Scripts, if any, run before those of the page.
func open(t testing.TB, url string, scripts ...string) *tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_CHROMIUM") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	parent, err := browser()
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return openIn(t, parent, url, scripts, chromedp.WithNewBrowserContext())
}

// another opens a page in another tab of the same visitor.
func (p *tab) another(url string, scripts ...string) *tab { return openIn(p.TB, p.ctx, url, scripts) }

func openIn(
	t testing.TB, parent context.Context, url string, scripts []string, options ...chromedp.ContextOption,
) *tab {
	t.Helper()
	p := &tab{TB: t, record: newRecord(t, url)}
	ctx, closeTab := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.hear))...)
	t.Cleanup(closeTab)
	p.ctx = ctx
	t.Cleanup(p.settle)
	setup := []chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(1280, 800),
		command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
		command(runtime.AddBinding, runtime.AddBindingParams{Name: "violation"}),
	}
	for _, s := range append([]string{watching}, scripts...) {
		script := page.AddScriptToEvaluateOnNewDocumentParams{Source: s}
		setup = append(setup, command(page.AddScriptToEvaluateOnNewDocument, script))
	}
	if err := chromedp.Do(ctx, setup...); err != nil { // without a bound of its own: it makes the tab
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(url))
	return p
}

// settle ends the watch over a tab: all that has happened so far is judged.
func (p *tab) settle() {
	if p.Failed() {
		return // that will be told first
	}
	eval[int](p, "1") // what was on its way has come before this answer
	p.judge()
}

// command is a command of the DevTools protocol whose answer does not matter.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, c, params)
		return none, err
	}
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression, once it is there if that is a promise.
func eval[T any](p *tab, expression string) T {
	p.Helper()
	v, err := tryEval[T](p, expression)
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return v
}

func tryEval[T any](p *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// wait returns as soon as a JavaScript condition holds: it is looked at with each change of the page and with each
// frame. A page that is left meanwhile fails the test.
func (p *tab) wait(condition string) {
	p.Helper()
	if err := p.tryWait(condition); err != nil {
		p.Fatalf("%v while waiting for %s\nThe page: %s", err, condition, p.describe())
	}
}

// arrive is wait while the browser goes from page to page.
func (p *tab) arrive(condition string) {
	p.Helper()
	err := p.tryWait(condition)
	for range 10 {
		if err == nil || !strings.Contains(err.Error(), "navigated") {
			break
		}
		err = p.tryWait(condition)
	}
	if err != nil {
		p.Fatalf("%v while waiting for %s\nThe page: %s", err, condition, p.describe())
	}
}

func (p *tab) tryWait(condition string) error {
	script := fmt.Sprintf(`new Promise((resolve) => {
		let frame = 0;
		const look = () => {
			try { if (!(%s)) return; } catch { return; }
			cancelAnimationFrame(frame);
			observer.disconnect();
			resolve(true);
		};
		const observer = new MutationObserver(look);
		observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		const next = () => { frame = requestAnimationFrame(next); look(); };
		next();
	})`, condition)
	_, err := tryEval[bool](p, script)
	return err
}

// describe returns what a person could tell of a page.
func (p *tab) describe() string {
	s, err := tryEval[string](p, `document.body.innerText + "\n" +
		[...document.querySelectorAll("#app, #world, #status")]
			.map((e) => e.id + " " + JSON.stringify(e.dataset)).join("\n") +
		"\nfocus: " + (document.activeElement?.id || document.activeElement?.tagName) +
		"\n#status showed " + JSON.stringify(shown)`)
	if err != nil {
		return err.Error()
	}
	return s
}

// click clicks on an element, as soon as it can be clicked on: it is enabled, in view, and nothing lies over it.
func (p *tab) click(selector string) {
	p.Helper()
	p.wait(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: "nearest", behavior: "instant" });
		const r = e.getBoundingClientRect();
		globalThis.target = { x: r.x + r.width / 2, y: r.y + r.height / 2 };
		return !e.disabled && r.width && e.contains(document.elementFromPoint(target.x, target.y));
	})()`, selector))
	at := eval[struct{ X, Y float64 }](p, `target`)
	p.do(chromedp.MouseClickXY(at.X, at.Y))
}

// fill replaces what stands in a field.
func (p *tab) fill(selector, text string) {
	p.Helper()
	p.click(selector)
	eval[bool](p, fmt.Sprintf(`document.querySelector(%q).select(), true`, selector))
	p.do(command(input.InsertText, input.InsertTextParams{Text: text}))
}

// text returns an element's text.
func (p *tab) text(selector string) string {
	p.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

// press and release are the two halves of a letter key's stroke.
func (p *tab) press(letter byte)   { p.Helper(); p.key(input.DispatchKeyEventTypeRawKeyDown, letter) }
func (p *tab) release(letter byte) { p.Helper(); p.key(input.DispatchKeyEventTypeKeyUp, letter) }

func (p *tab) key(half input.DispatchKeyEventType, letter byte) {
	p.Helper()
	p.do(command(input.DispatchKeyEvent, input.DispatchKeyEventParams{
		Type: half, Code: "Key" + string(letter), Key: string(letter + 'a' - 'A'), WindowsVirtualKeyCode: int64(letter),
	}))
}
