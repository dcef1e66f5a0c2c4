package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/rushgate/rushgate/server"
)

// refusedResume is how the console tells that a device is not known.
var refusedResume = refusal("/v1/resume", "401 (Unauthorized)")

// seenForm notes in each page whether the form was ever to be seen, looking at each frame.
const seenForm = `
	globalThis.formSeen = false;
	(function look() {
		if ($("credentials")?.checkVisibility()) globalThis.formSeen = true;
		requestAnimationFrame(look);
	})();
`

// stay registers or logs in a player who stays logged in on the device.
func (p *tab) stay(button, name string) {
	p.Helper()
	p.stays = true
	p.enter(button, name)
	p.keepOut(p.cookie().Value)
}

// cookie returns the one that the browser has for the calls which open a session, or nil.
func (p *tab) cookie() *network.Cookie {
	p.Helper()
	at := eval[string](p, `new URL("../v1/resume", document.baseURI).href`)
	got, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{at}})
	if err != nil {
		p.Fatal(err)
	}
	if len(got.Cookies) == 0 {
		return nil
	}
	c := got.Cookies[0]
	if len(got.Cookies) > 1 || !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict {
		p.Errorf("cookies %+v", got.Cookies)
	}
	return c
}

// endSession has a session end without the page's doing.
func endSession(t testing.TB, s *server.Server, token string) {
	t.Helper()
	if status := call(t, s, http.MethodPost, "logout", token, "", nil); status != http.StatusNoContent {
		t.Fatalf("logout: %d", status)
	}
}

// call asks a node for something, not as a browser does, and returns the status of its answer.
func call(t testing.TB, s *server.Server, method, path, token, body string, cookie *network.Cookie) int {
	t.Helper()
	target := "http://" + s.HTTPAddr().String() + "/v1/" + path
	req, err := http.NewRequestWithContext(t.Context(), method, target, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if cookie != nil {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// token returns that of the page's session.
func (p *tab) token() string {
	p.Helper()
	return eval[string](p, `JSON.parse(sessionStorage.getItem("rushgate.session")).token`)
}

// A player who stays logged in on the device is let in again without seeing the form, until logging out.
func TestStayLoggedIn(t *testing.T) {
	node := start(t, config(t))
	alice := open(t, play(node), seenForm, hurried)
	alice.wait(`$("credentials").checkVisibility() && $("remember").checked && !$("again").checkVisibility()`)
	alice.stay("#register", "alice")
	first := alice.cookie()
	kept := eval[string](alice, `JSON.stringify([...Object.entries(localStorage), ...Object.entries(sessionStorage)])
		+ document.cookie`)
	if strings.Contains(kept, first.Value) {
		t.Error("scripts can read the token")
	}
	if !strings.Contains(kept, "alice") {
		t.Errorf("the page has %s", kept)
	}

	token := alice.token()
	alice.do(chromedp.Navigate("about:blank")) // the session ends while the page is away
	endSession(t, node, token)
	alice.do(chromedp.Navigate(play(node)))
	alice.inside("alice")
	second := alice.cookie()
	alice.keepOut(second.Value)
	if eval[bool](alice, `formSeen`) || second.Value == first.Value {
		t.Errorf("the form was seen, or the token is the same as before (%v)", second.Value == first.Value)
	}

	endSession(t, node, alice.token()) // and now before the player's eyes
	alice.wait(`$("welcome").checkVisibility() && $("welcome-title").innerText === "Welcome back, alice…" &&
		$("welcome-note").textContent === "Your session has ended." && document.activeElement.id === "welcome-title" &&
		/^Welcome back, alice… /.test($("said").textContent)`)
	alice.inside("alice")
	if eval[bool](alice, `formSeen`) {
		t.Error("the form was seen")
	}

	third := alice.cookie()
	alice.click("#logout")
	alice.outside("You have logged out.")
	if c := alice.cookie(); c != nil {
		t.Error("the token is kept after logging out")
	}
	if status := call(t, node, http.MethodPost, "resume", "", `{"takeover":true}`, third); status != 401 {
		t.Errorf("a token after logging out: %d", status)
	}
	alice.do(chromedp.Reload())
	alice.wait(`$("credentials").checkVisibility() && !$("remember").checked && !$("again").checkVisibility()`)
}

// Where the operator has no device remembered, the page does not take its player for one who stays logged in.
func TestStayLoggedInWhereNoDeviceIsRemembered(t *testing.T) {
	cfg := config(t)
	cfg.RememberFor = server.Never
	node := start(t, cfg)
	alice := open(t, play(node))
	alice.stays = true
	alice.enter("#register", "alice")
	if c := alice.cookie(); c != nil {
		t.Errorf("there is a cookie: %+v", c)
	}
	if kept := eval[string](alice, `JSON.stringify(Object.entries(localStorage))`); strings.Contains(kept, "alice") {
		t.Errorf("the page has %s", kept)
	}
	token := alice.token()
	alice.do(chromedp.Navigate("about:blank"))
	endSession(t, node, token)
	alice.do(chromedp.Navigate(play(node)))
	alice.wait(`$("credentials").checkVisibility() && !$("welcome").checkVisibility()`)
}

// A token that has been stolen and used opens the door for neither: the player is asked for the password.
func TestStolenDevice(t *testing.T) {
	node := start(t, config(t))
	alice := open(t, play(node), hurried)
	alice.stay("#register", "alice")
	stolen := alice.cookie()
	token := alice.token()
	alice.do(chromedp.Navigate("about:blank"))
	endSession(t, node, token)
	alice.do(chromedp.Navigate(play(node)))
	alice.inside("alice") // with the next token

	alice.expect(refusedResume)
	if status := call(t, node, http.MethodPost, "resume", "", `{"takeover":true}`, stolen); status != 401 {
		t.Fatalf("the token that was replaced: %d", status)
	}
	alice.outside("You are no longer logged in on this device. Please type your password.")
	alice.wait(`$("credentials").checkVisibility() && $("username").value === "alice" &&
		document.activeElement.id === "password"`)
	if c := alice.cookie(); c != nil {
		t.Error("the token is kept")
	}
	alice.fill("#password", secret)
	alice.click("#login")
	alice.inside("alice")
}

// Two tabs that open at once do not look like a theft: one is inside, and the other can be.
func TestTwoTabsOfADevice(t *testing.T) {
	node := start(t, config(t))
	alice := open(t, play(node))
	alice.stay("#register", "alice")
	token := alice.token()
	alice.do(chromedp.Navigate("about:blank"))
	endSession(t, node, token)
	tabs := []*tab{alice, alice.another("about:blank")}
	for _, p := range tabs {
		p.host = alice.host
		p.tolerate(refusal("/v1/resume", "409 (Conflict)"), refusal("/v1/resume", "503 (Service Unavailable)"))
		p.do(command(page.Navigate, page.NavigateParams{URL: play(node)})) // without waiting for it to be there
	}
	for _, p := range tabs {
		p.wait(`app.dataset.state === "playing" || $("takeover").checkVisibility()`)
	}
	// Both may have come in by the one attempt on which they agree: whoever connects last plays, and the other is told so.
	var other *tab
	await(t, "one plays and the other can", func() bool {
		var playing []bool
		for _, p := range tabs {
			playing = append(playing, eval[string](p, `app.dataset.state`) == "playing")
		}
		other = tabs[max(slices.Index(playing, false), 0)]
		return playing[0] != playing[1] && eval[bool](other, `$("takeover").checkVisibility()`)
	})
	other.click("#takeover")
	other.inside("alice")
	if alice.cookie() == nil {
		t.Error("the device is no longer remembered")
	}
}

// The page and its cookie work below whatever path a proxy has put them.
func TestDeviceBelowAPath(t *testing.T) {
	node := start(t, config(t))
	target := &url.URL{Scheme: "http", Host: node.HTTPAddr().String()}
	rewrite := func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}
	proxy := httptest.NewServer(http.StripPrefix("/games/eu", &httputil.ReverseProxy{Rewrite: rewrite}))
	t.Cleanup(proxy.Close)
	here := proxy.URL + "/games/eu/play/"
	alice := open(t, here, seenForm)
	alice.stay("#register", "alice")
	token := alice.token()
	alice.do(chromedp.Navigate("about:blank"))
	endSession(t, node, token)
	alice.do(chromedp.Navigate(here))
	alice.inside("alice")
	if eval[bool](alice, `formSeen`) {
		t.Error("the form was seen")
	}
}
