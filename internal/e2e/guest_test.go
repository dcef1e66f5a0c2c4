package e2e

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate/server"
)

// asGuest comes in as the guest that the browser is, and returns who that is.
func (p *tab) asGuest() (name string) {
	p.Helper()
	p.click("#guest")
	p.wait(`app.dataset.state === "playing" && world.dataset.connected === "true" &&
		/^guest-/.test($("name").textContent)`)
	p.keepOut(eval[string](p, `JSON.parse(sessionStorage.getItem("rushgate.session")).token`))
	return eval[string](p, `$("name").textContent`)
}

// player is the id of who is inside.
func (p *tab) player() int {
	p.Helper()
	return eval[int](p, `JSON.parse(sessionStorage.getItem("rushgate.session")).playerID`)
}

// A guest plays, is known again by the browser, keeps the character under a name and a password, and is the same player
// elsewhere.
func TestGuestKeepsTheCharacter(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.GuestKeep = 24 * time.Hour
	node := start(t, cfg)
	p := open(t, play(node))
	name := p.asGuest()
	who := p.player()
	p.walkRight()
	x, _ := p.at()
	p.click("#logout")
	p.outside("You have logged out.")
	if again := p.asGuest(); again != name || p.player() != who {
		t.Fatalf("%s came back as %s", name, again)
	}
	if guest := eval[string](p, `localStorage.getItem("rushgate.guest")`); len(guest) != 43 {
		t.Errorf("the browser keeps %q", guest)
	} else {
		p.keepOut(guest)
	}
	p.account()
	p.wait(`$("account-upgrade-section").checkVisibility() && !$("account-password").checkVisibility() &&
		/plays as a guest/.test($("account-identities-list").textContent)`)
	p.fill("#account-upgrade-name", "alice")
	p.fill("#account-upgrade-password", secret)
	p.fill("#account-upgrade-repeat", "another horse")
	p.click("#account-upgrade")
	p.result("upgrade", "The two passwords are not the same.")
	p.fill("#account-upgrade-repeat", secret)
	p.click("#account-upgrade")
	p.wait(`!$("account-upgrade-section").checkVisibility() && $("account-password").checkVisibility() &&
		/^alice, here since/.test($("account-who").textContent)`)
	p.noSecrets(secret)
	p.click("#account-close")
	p.inside("alice")
	p.click("#logout")
	p.outside("You have logged out.")

	other := open(t, play(node))
	other.enter("#login", "alice")
	if other.player() != who {
		t.Errorf("player %d is %d elsewhere", who, other.player())
	}
	if there, _ := other.at(); there < x {
		t.Errorf("stands at %g, and walked to %g", there, x)
	}
}

// startProvider starts the OpenID provider that others have written, which sends browsers back to a page.
func startProvider(t *testing.T, back string) (issuer string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "goserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../oidc/goserver", "-o", program, ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	cmd := exec.CommandContext(t.Context(), program, back)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the provider says nothing")
	}
	return lines.Text()
}

// startWithProvider starts a node that players may come to by a provider named guild, and returns where its page is,
// and the provider.
func startWithProvider(t *testing.T) (page, provider string) {
	t.Helper()
	var node atomic.Pointer[server.Server]
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: node.Load().HTTPAddr().String()})
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(front.Close)
	back := front.URL + "/play/back/guild"
	cfg := config(t)
	cfg.GuestKeep, cfg.OIDCFile = 24*time.Hour, filepath.Join(t.TempDir(), "oidc.json")
	cfg.ProviderNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	key := filepath.Join(t.TempDir(), "guild.secret")
	issuer := startProvider(t, back)
	providers := fmt.Sprintf(`{"providers": [{"name": "guild", "issuer": %q, "client_id": "web", "client_secret_file": %q,
		"redirect": %q, "userinfo": true}]}`, issuer, key, back)
	for name, content := range map[string]string{cfg.OIDCFile: providers, key: "secret of the web"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	node.Store(start(t, cfg))
	return front.URL + "/play/", strings.TrimPrefix(issuer, "http://")
}

// atProvider logs in at the provider's page, to which the browser has gone, and returns once it is back.
func (p *tab) atProvider() {
	p.Helper()
	p.tolerate(strings.Replace(refusal("/favicon.ico", "404 (Not Found)"), "NODE", "OTHER", 1)) // the provider has none
	p.arrive(`location.pathname === "/login/username" && document.querySelector("button[type=submit]")`)
	p.fill("input[name=username]", "test-user@127.0.0.1")
	p.fill("input[name=password]", "verysecure")
	p.click("button[type=submit]")
	p.arrive(`location.pathname === "/play/" && location.search === "" && app.dataset.state`)
}

// A guest plays, links an account at a provider, and comes in by that elsewhere, as the same player; a visitor whom
// nobody knows gets an account of their own.
func TestGuestLinksAProvider(t *testing.T) {
	page, provider := startWithProvider(t)
	p := open(t, page)
	p.allow(provider)
	p.asGuest()
	who := p.player()
	p.account()
	p.click("#account-identity-visit-guild")
	p.atProvider()
	p.wait(`world.dataset.connected === "true"`)
	p.account()
	p.click("#account-identity-link")
	p.click("#account-identity-link-yes")
	p.wait(`document.querySelectorAll("#account-identities-list li").length === 2 &&
		/127.0.0.1/.test($("account-identities-list").textContent)`)
	if kept := eval[string](p, `JSON.stringify(Object.entries(sessionStorage))`); strings.Contains(kept, "identity") {
		t.Errorf("the page keeps %s", kept)
	}
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")

	other := open(t, page)
	other.allow(provider)
	other.click("#provider-guild")
	other.atProvider()
	other.wait(`app.dataset.state === "playing" && world.dataset.connected === "true"`)
	if other.player() != who {
		t.Errorf("player %d is %d elsewhere", who, other.player())
	}
}

// What guests and those who come by a provider see.
func TestScreenshotsOfGuests(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	page, _ := startWithProvider(t)
	p := open(t, page)
	p.wait(`$("guest") && $("provider-guild")`)
	p.picture("door-others", nil)
	p.asGuest()
	p.account()
	p.picture("account-guest", nil)
	p.picture("account-guest-identities", func() { eval[bool](p, `$("account-identities").scrollIntoView(), true`) })
}
