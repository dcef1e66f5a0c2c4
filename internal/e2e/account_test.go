package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rushgate/rushgate/server"
)

// better is the password that players change to.
const better = "better horse battery"

// refusedChange is how the console tells of a current password that is wrong, or a new one that is too short.
var (
	refusedChange = refusal("/v1/password", "401 (Unauthorized)")
	badChange     = refusal("/v1/password", "400 (Bad Request)")
)

// account opens the account page from inside the game.
func (p *tab) account() {
	p.Helper()
	p.click("#account-open")
	p.wait(`$("account-body")?.checkVisibility() && location.hash === "#account" &&
		document.activeElement.id === "account-title"`)
}

// changePassword fills in the form and sends it.
func (p *tab) changePassword(current, next, repeat string) {
	p.Helper()
	p.fill("#account-current", current)
	p.fill("#account-new", next)
	p.fill("#account-repeat", repeat)
	p.click("#account-change")
}

// result returns once a section has said something.
func (p *tab) result(section, text string) {
	p.Helper()
	p.wait(fmt.Sprintf(`$("account-%s-result").textContent === %q && $("said").textContent === %[2]q`, section, text))
}

// noSecrets fails if a password or token is where it has no business being.
func (p *tab) noSecrets(secrets ...string) {
	p.Helper()
	kept := eval[string](p, `JSON.stringify([location.href, history.state, document.cookie,
		...Object.entries(localStorage), document.documentElement.outerHTML,
		...[...document.querySelectorAll("input:not([type=checkbox])")]
			.filter((i) => i.id !== "username").map((i) => i.value)])`)
	for _, s := range secrets {
		if strings.Contains(kept, s) {
			p.Errorf("the page keeps %q", s)
		}
		p.keepOut(url.QueryEscape(s))
	}
}

// A player changes the password and plays on; with the new one, and not the old one, the account is entered elsewhere.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	alice := open(t, play(node))
	alice.stay("#register", "alice")
	token, device := alice.token(), alice.cookie().Value
	alice.account()
	alice.changePassword(secret, better, "another horse")
	alice.result("password", "The two passwords are not the same.")
	alice.wait(`document.activeElement.id === "account-repeat" && $("account-repeat").ariaInvalid === "true"`)
	alice.expect(refusedChange, badChange)
	alice.changePassword("wrong horse", better, better)
	alice.result("password", "The current password is wrong.")
	alice.wait(`document.activeElement.id === "account-current" && $("account-current").selectionEnd === 11`)
	alice.changePassword(secret, "short", "short")
	alice.wait(`/at least/.test($("account-password-result").textContent) && document.activeElement.id === "account-new"`)
	if alice.token() != token {
		t.Error("a refused change has another session")
	}

	alice.changePassword(secret, better, better)
	alice.result("password", "Your password has been changed.")
	alice.wait(`app.dataset.state === "playing" && world.dataset.connected === "true" && $("account").checkVisibility()`)
	next := alice.token()
	if next == token || alice.cookie().Value == device {
		t.Error("session or device is the one of before")
	}
	alice.noSecrets(secret, better, next)
	alice.wait(`document.querySelectorAll("#account-devices-list .mark").length === 1`)
	alice.click("#account-close")
	alice.wait(`!$("account").checkVisibility() && location.hash === "" && document.activeElement.id === "world"`)
	x, _ := alice.at()
	alice.press('D')
	alice.wait(fmt.Sprintf(`world.dataset.x > %g`, x))
	alice.release('D')

	phone := open(t, play(node))
	phone.expect(refusal("/v1/login", "401 (Unauthorized)"), refusal("/v1/login", "409 (Conflict)"))
	phone.knock("#login", "alice", secret)
	phone.outside("Wrong user name or password.")
	phone.knock("#login", "alice", better)
	phone.wait(`$("takeover").checkVisibility()`)
	alice.tolerate(refusal("/v1/resume", "409 (Conflict)"))
	phone.tolerate(refusal("/v1/login", "503 (Service Unavailable)"))
	phone.click("#takeover")
	phone.inside("alice")
}

// behindProxy starts a node behind a proxy that answers calls of a path as a test says.
func behindProxy(t *testing.T, path string, answer func(*http.Response) error) (page string) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: start(t, config(t)).HTTPAddr().String()}
	rewrite := func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: rewrite,
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != path {
				return nil
			}
			return answer(r)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(proxy.Close)
	return proxy.URL + "/play/"
}

// busyFor200 has an answer be that the server is busy for 200 s.
func busyFor200(r *http.Response) error {
	r.StatusCode, r.Status, r.Body = http.StatusServiceUnavailable, "503 Service Unavailable", http.NoBody
	r.Header = http.Header{"Retry-After": {"200"}}
	return nil
}

// A change whose answer was lost is not made twice, and the player plays on though the session has ended meanwhile.
func TestChangePasswordWithAnAnswerLost(t *testing.T) {
	t.Parallel()
	var answers atomic.Int32
	page := behindProxy(t, "/v1/password", func(*http.Response) error {
		if answers.Add(1) == 1 {
			return errors.New("lost")
		}
		return nil
	})
	alice := open(t, page)
	alice.enter("#register", "alice")
	token := alice.token()
	alice.account()
	alice.expect(refusal("/v1/password", "502 (Bad Gateway)"))
	alice.changePassword(secret, better, better)
	alice.wait(`/^No answer from the server, retrying in/.test($("account-password-result").textContent) &&
		$("account-change-cancel").checkVisibility()`)
	alice.result("password", "Your password has been changed.")
	alice.wait(`app.dataset.state === "playing" && !$("account-change-cancel").checkVisibility()`)
	if alice.token() == token {
		t.Error("the session is the one that has ended")
	}
}

// A player whose password is changed, and for whom there is no session, is asked for the new one.
func TestChangePasswordWithoutASession(t *testing.T) {
	t.Parallel()
	page := behindProxy(t, "/v1/password", func(r *http.Response) error {
		r.StatusCode, r.Status, r.Body = http.StatusNoContent, "204 No Content", http.NoBody
		r.Header.Del("Content-Length")
		return nil
	})
	alice := open(t, page)
	alice.stay("#register", "alice")
	alice.account()
	alice.changePassword(secret, better, better)
	alice.outside("Your password has been changed. Please log in with it.")
	alice.wait(`location.hash === "" && !$("account").checkVisibility() && document.activeElement.id === "password"`)
	alice.tolerate(refusal("/v1/login", "409 (Conflict)"))
	alice.knock("#login", "alice", better)
	alice.wait(`app.dataset.state === "playing" || $("takeover").checkVisibility()`)
}

// A player need not wait for a busy server: the change is given up by the button, and by closing the page.
func TestChangePasswordGivenUp(t *testing.T) {
	t.Parallel()
	page := behindProxy(t, "/v1/password", busyFor200)
	alice := open(t, page)
	alice.enter("#register", "alice")
	alice.account()
	alice.expect(refusal("/v1/password", "503 (Service Unavailable)"))
	busy := `/^Server is busy, retrying in \d+ s \(1 of 3\)$/.test($("account-password-result").textContent)`
	alice.changePassword("wrong horse", better, better) // which changes nothing
	alice.wait(busy + `&& $("account-change").ariaDisabled === "true"`)
	alice.click("#account-change-cancel")
	alice.result("password", "Cancelled.")
	alice.wait(`document.activeElement.id === "account-change" && !$("account-change-cancel").checkVisibility() &&
		$("account-change").ariaDisabled === "false"`)
	alice.do(chromedp.KeyEvent(kb.Enter))
	alice.wait(busy)
	alice.do(chromedp.KeyEvent(kb.Escape))
	alice.wait(`!$("account").checkVisibility() && location.hash === "" && $("news").textContent === ""`)
	alice.account()
	alice.wait(`$("account-password-result").textContent === "" && $("account-new").value === "" &&
		$("account-change").ariaDisabled === "false"`)
}

// A player has another device forgotten, which asks once, and that one is out.
func TestForgetDevice(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	lost := open(t, play(node))
	lost.stay("#register", "alice")
	lost.tolerate(refusal("/v1/resume", "409 (Conflict)"))
	alice := open(t, play(node))
	alice.stays = true
	alice.expect(refusal("/v1/login", "409 (Conflict)"))
	alice.tolerate(refusal("/v1/login", "503 (Service Unavailable)")) // until the other session is saved
	alice.knock("#login", "alice", secret)
	alice.click("#takeover")
	alice.inside("alice")
	lost.wait(`$("takeover").checkVisibility()`) // it came in again by itself, but the player is elsewhere

	alice.account()
	other := `[...document.querySelectorAll("#account-devices-list li")].find((li) => !li.querySelector(".mark"))`
	alice.wait(`document.querySelectorAll("#account-devices-list li").length === 2 &&
		/Last used (just now|\d+ (second|minute)s? ago), remembered until \d+ \w+ \d{4}/.test(` + other + `.textContent)`)
	forget := "#" + eval[string](alice, other+`.querySelector("button").id`)
	alice.click(forget)
	alice.wait(`document.activeElement.textContent === "Cancel"`)
	alice.do(chromedp.KeyEvent(kb.Escape)) // which is for the question, and leaves the page open
	alice.wait(fmt.Sprintf(`document.activeElement.matches(%q) && $("account").checkVisibility()`, forget))
	alice.click(forget)
	alice.click(forget + "-yes")
	alice.wait(`document.querySelectorAll("#account-devices-list li").length === 1 &&
		/ is forgotten\.$/.test($("account-devices-result").textContent) &&
		document.activeElement.matches("#account li button")`)

	lost.expect(refusedResume)
	lost.click("#takeover")
	lost.outside("You are no longer logged in on this device. Please type your password.")
	if lost.cookie() != nil {
		t.Error("the other device has its token still")
	}
	if state := eval[string](alice, `app.dataset.state`); state != "playing" {
		t.Errorf("the player is %s", state)
	}
}

// Forgetting the device that the player is on is logging out there.
func TestForgetThisDevice(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	alice := open(t, play(node))
	alice.stay("#register", "alice")
	alice.account()
	alice.click("#account-forget-0")
	alice.click("#account-forget-0-yes")
	alice.outside("You have logged out.")
	if alice.cookie() != nil {
		t.Error("the token is kept")
	}
}

// Whoever comes by the address is on the page after the login; and is out everywhere when asking for that.
func TestLogOutEverywhere(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	alice := open(t, play(node)+"#account")
	alice.stay("#register", "alice")
	alice.wait(`$("account-body")?.checkVisibility() &&
		/^alice, here since \d+ \w+ \d{4}$/.test($("account-who").textContent)`)
	token, device := alice.token(), alice.cookie()
	alice.do(chromedp.Reload())
	alice.wait(`$("account-body")?.checkVisibility() && app.dataset.state === "playing"`)
	alice.click("#account-everywhere")
	alice.click("#account-everywhere-yes")
	alice.outside("You are logged out everywhere.")
	await(t, "the cookie is gone", func() bool { return alice.cookie() == nil })
	alice.wait(`location.hash === "" && $("credentials").checkVisibility() && !$("again").checkVisibility()`)
	if status := call(t, node, http.MethodPost, "resume", "", `{"takeover":true}`, device); status != 401 {
		t.Errorf("a device that is out everywhere: %d", status)
	}
	if status := call(t, node, http.MethodGet, "me", token, "", nil); status != 401 {
		t.Errorf("a session that is out everywhere: %d", status)
	}
}

// The page is used by keyboard alone: it opens and closes, holds nobody captive, and keys that play are letters in it.
func TestAccountByKeyboard(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	alice := open(t, play(node))
	alice.enter("#register", "alice")
	x, y := alice.at()
	enter := func() { alice.do(chromedp.KeyEvent(kb.Enter)) }
	alice.tabTo("account-open")
	enter()
	alice.wait(`$("account-body")?.checkVisibility() && document.activeElement.id === "account-title"`)
	alice.tabTo("account-current")
	alice.do(chromedp.KeyEvent("wasd wasd"))
	alice.tabTo("account-reveal")
	enter()
	alice.wait(`$("account-current").type === "text" && $("account-current").value === "wasd wasd" &&
		$("account-reveal").ariaPressed === "true"`)
	for _, id := range []string{"account-new", "account-repeat"} {
		alice.tabTo(id)
		alice.do(chromedp.KeyEvent(better))
	}
	alice.expect(refusedChange)
	enter()
	alice.result("password", "The current password is wrong.")
	alice.wait(`document.activeElement.id === "account-current" && $("account-current").type === "password"`)
	alice.do(chromedp.KeyEvent(secret)) // in place of what is selected
	alice.tabTo("account-change")
	enter()
	alice.result("password", "Your password has been changed.")
	if at := eval[string](alice, `document.activeElement.id`); at != "account-change" {
		t.Errorf("the keyboard is at %q", at)
	}

	outside := eval[[]string](alice, `(() => { globalThis.visited = new Set();
		addEventListener("focusin", (e) => visited.add(e.target.id)); return []; })()`)
	alice.tabTo("account-everywhere")
	alice.tabTo("account-close") // round, by way of the browser's own
	outside = append(outside, eval[[]string](alice, `[...visited].filter((id) => !$(id)?.closest("#account"))`)...)
	if len(outside) > 0 {
		t.Errorf("the keyboard comes to what lies beneath: %q", outside)
	}
	alice.do(chromedp.KeyEvent(kb.Escape))
	alice.wait(`!$("account").checkVisibility() && document.activeElement.id === "world" && location.hash === ""`)
	if nx, ny := alice.at(); nx != x || ny != y {
		t.Errorf("the player has walked from %g, %g to %g, %g", x, y, nx, ny)
	}
	alice.tabTo("account-open")
	enter()
	alice.wait(`$("account-body").checkVisibility()`)
	eval[bool](alice, `history.back(), true`) // as the button of a phone does
	alice.wait(`!$("account").checkVisibility()`)
	alice.noSecrets(better)
}

// A player reads why the account cannot be shown, and asks again.
func TestAccountAsksAgain(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	alice := open(t, play(node))
	alice.enter("#register", "alice")
	alice.account()
	for n := 3; n < 20; n++ { // the page has made three
		if status := call(t, node, http.MethodGet, "account", alice.token(), "", nil); status != http.StatusOK {
			t.Fatalf("call %d: %d", n, status)
		}
	}
	alice.do(chromedp.KeyEvent(kb.Escape))
	alice.wait(`!$("account").checkVisibility() && location.hash === ""`)
	alice.expect(refusal("/v1/account", "429 (Too Many Requests)"))
	alice.click("#account-open")
	alice.wait(`/^That was a lot at once\. Please try again in \d+ s\.$/.test($("account-who").textContent) &&
		$("account-again").checkVisibility() && !$("account-body").checkVisibility()`)
}

// accountOfMany returns a page of a player with another device, inside.
func accountOfMany(t *testing.T, node *server.Server) *tab {
	t.Helper()
	const body = `{"username":"alice","password":"` + secret + `","remember":"Firefox on the laptop of a friend"}`
	if status := call(t, node, http.MethodPost, "register", "", body, nil); status != http.StatusCreated {
		t.Fatalf("registration: %d", status)
	}
	p := open(t, play(node))
	p.stays = true
	p.expect(refusal("/v1/login", "409 (Conflict)"))
	p.tolerate(refusal("/v1/login", "503 (Service Unavailable)"))
	p.knock("#login", "alice", secret)
	p.click("#takeover")
	p.inside("alice")
	return p
}

// The account page as it is opened, with a refusal and a question, and the way to it.
func TestScreenshotsOfTheAccount(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	p := accountOfMany(t, start(t, config(t)))
	p.picture("account-link", nil)
	p.account()
	p.picture("account", nil)
	p.expect(refusedChange)
	p.changePassword("wrong horse", better, better)
	p.result("password", "The current password is wrong.")
	p.click("#account-forget-0")
	p.click("#account-everywhere")
	p.picture("account-asked", func() { eval[bool](p, `$("account").scrollTop = 0, true`) })
	p.picture("account-bottom", func() { eval[bool](p, `$("account").scrollTop = 9999, true`) })
}
