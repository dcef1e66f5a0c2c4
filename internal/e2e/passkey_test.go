package e2e

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/rushgate/rushgate/server"
)

// playAt is where a node's browser client is by a name, for which browsers have passkeys.
func playAt(t *testing.T, s *server.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port + "/play/"
}

// ask is a command of the DevTools protocol whose answer does.
func ask[P, R any](p *tab, c cdp.Command[P, R], params P) (answer R) {
	p.Helper()
	p.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		answer, err = cdp.Call(ctx, t, c, params)
		return none, err
	})
	return answer
}

// plugIn gives a tab an authenticator that knows its user and does what it is asked for.
func (p *tab) plugIn() webauthn.AuthenticatorID {
	p.Helper()
	p.do(command(webauthn.Enable, webauthn.EnableParams{}))
	return ask(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	}).AuthenticatorID
}

// addPasskey adds one on the account page.
func (p *tab) addPasskey(name string) {
	p.Helper()
	p.account()
	p.wait(`$("account-passkeys").checkVisibility()`)
	p.fill("#account-passkey-name", name)
	p.fill("#account-passkey-password", secret)
	p.click("#account-passkey-add")
	p.result("passkeys", name+" is added.")
}

// logOut goes back to the door.
func (p *tab) logOut() {
	p.Helper()
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")
}

var passkeyRefused = refusal("/v1/passkey", "401 (Unauthorized)")

// A player adds a passkey on the page, comes in with it and plays, stays logged in on the device, and removes it: it
// lets nobody in from then on.
func TestPasskey(t *testing.T) {
	t.Parallel()
	p := open(t, playAt(t, start(t, config(t))))
	p.plugIn()
	p.enter("#register", "alice")
	p.addPasskey("my laptop")
	p.wait(`document.querySelectorAll("#account-passkeys-list li").length === 1 &&
		/^my laptopAdded .*, not used yet/.test($("account-passkeys-list").textContent)`)
	p.noSecrets(secret)
	p.logOut()

	p.click("#remember")
	p.click("#passkey")
	p.inside("alice")
	x, _ := p.at()
	p.press('D')
	p.wait(fmt.Sprintf(`world.dataset.x > %g`, x))
	p.release('D')
	p.wait(`JSON.stringify([...Object.entries(localStorage)]).includes("alice")`) // who stays logged in
	if p.cookie() == nil {
		t.Error("the device is not remembered")
	}

	p.account()
	p.wait(`/last used/.test($("account-passkeys-list").textContent)`)
	p.click("#account-passkey-remove-0")
	p.click("#account-passkey-remove-0-yes")
	p.result("passkeys", "Please type your password first.")
	p.fill("#account-passkey-password", secret)
	p.click("#account-passkey-remove-0-yes")
	p.result("passkeys", "my laptop is removed. The next time you have to log in on this device.")
	p.wait(`!document.querySelectorAll("#account-passkeys-list li, #account-devices-list li").length`)
	p.logOut()
	p.expect(passkeyRefused)
	p.click("#passkey")
	p.outside("This passkey is not good here any more. Please log in with your password.")
}

// Of two authenticators with the same passkey, the one whose counter is behind is refused, and the player is told who
// has no passkey for the game.
func TestClonedPasskey(t *testing.T) {
	t.Parallel()
	p := open(t, playAt(t, start(t, config(t))))
	authenticator := p.plugIn()
	p.enter("#register", "alice")
	p.addPasskey("key")
	p.logOut()
	p.click("#passkey")
	p.inside("alice")
	p.click("#logout")
	p.outside("You have logged out.")
	all := ask(p, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: authenticator}).Credentials
	if len(all) != 1 {
		t.Fatalf("the authenticator has %d passkeys", len(all))
	}
	behind := 0.0
	p.do(command(webauthn.SetCredentialProperties, webauthn.SetCredentialPropertiesParams{
		AuthenticatorID: authenticator, CredentialID: all[0].CredentialID, SignCount: &behind,
	}))
	p.expect(passkeyRefused)
	p.click("#passkey")
	p.outside("This passkey is not good here any more. Please log in with your password.")
	p.do(command(webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: authenticator}))
	p.click("#passkey")
	p.outside("Cancelled.")
}

// The page waits for the player to touch the authenticator, who may give that up on the page, too.
func TestPasskeyGivenUp(t *testing.T) {
	t.Parallel()
	p := open(t, playAt(t, start(t, config(t))))
	authenticator := p.plugIn()
	touches := func(yes bool) {
		p.do(command(webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{
			AuthenticatorID: authenticator, Enabled: yes,
		}))
	}
	p.enter("#register", "alice")
	p.account()
	touches(false)
	p.fill("#account-passkey-name", "key")
	p.fill("#account-passkey-password", secret)
	p.click("#account-passkey-add")
	p.wait(`$("account-passkey-cancel").checkVisibility()`)
	p.click("#account-passkey-cancel")
	p.result("passkeys", "Cancelled.")
	p.wait(`!$("account-passkey-cancel").checkVisibility() && document.activeElement.id === "account-passkey-add" &&
		$("account-passkey-add").ariaDisabled === "false"`)
	touches(true)
	p.click("#account-close")
	p.addPasskey("key")
}

// A player who is inside elsewhere goes on here, without choosing the passkey again.
func TestPasskeyTakeover(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	p := open(t, playAt(t, node))
	p.plugIn()
	p.enter("#register", "alice")
	p.addPasskey("key")
	p.logOut()
	other := open(t, play(node))
	other.enter("#login", "alice")
	p.expect(refusal("/v1/passkey", "409 (Conflict)"))
	p.click("#passkey")
	p.wait(`$("takeover").checkVisibility()`)
	p.tolerate(refusal("/v1/passkey", "503 (Service Unavailable)"))
	other.tolerate(refusal("/v1/resume", "409 (Conflict)"))
	p.click("#takeover")
	p.inside("alice")
}

// Where there are no passkeys for the page, none are offered.
func TestNoPasskeys(t *testing.T) {
	t.Parallel()
	p := open(t, play(start(t, config(t)))) // at an address
	p.wait(`!$("login").disabled`)
	if eval[bool](p, `$("passkey") !== null`) {
		t.Error("a passkey is asked for")
	}
	p.enter("#register", "alice")
	p.account()
	if eval[bool](p, `$("account-passkeys").checkVisibility()`) {
		t.Error("passkeys are offered")
	}
}
