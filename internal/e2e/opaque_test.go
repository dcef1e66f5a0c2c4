package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/internal/smtptest"
	"github.com/rushgate/rushgate/server"
)

// sending keeps what a page sends to the node, so that a test can tell whether a password was among it. While held is
// true, no password is stretched, however long the page waits.
const sending = `
	globalThis.sent = [], globalThis.held = false, globalThis.ended = 0;
	const fetched = fetch, { postMessage, terminate } = Worker.prototype;
	globalThis.fetch = (url, o) => (sent.push(new URL(url).pathname + " " + (o?.body ?? "")), fetched(url, o));
	Worker.prototype.postMessage = function (m) {
		if (held && m[0].startsWith("finish")) return;
		if (globalThis.cost && m[1].keyStretching) m[1].keyStretching = { "argon2id-custom": cost };
		postMessage.call(this, m);
	};
	Worker.prototype.terminate = function () { ended++; terminate.call(this); };
`

// Passwords that are stretched little, for tests of what does not depend on it: in the page, and in Go.
const littleStretched = `globalThis.cost = { iterations: 1, memory: 32, parallelism: 4 };`

var little = opaqueclient.Options{Cost: opaqueclient.Cost{Passes: 1, Memory: 32, Lanes: 4}}

// fields are those of a JSON object.
type fields map[string]any

func (f fields) bytes(t testing.TB, name string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(fmt.Sprint(f[name]))
	if err != nil || len(b) == 0 {
		t.Fatalf("%s of %v: %v", name, f, err)
	}
	return b
}

// opaquely is a client in Go that proves passwords by OPAQUE.
type opaquely struct {
	testing.TB
	node    *server.Server
	options opaqueclient.Options
}

// ask asks the node for something, and returns the status and what it answers.
func (o opaquely) ask(method, path, token string, body fields) (status int, answer fields) {
	o.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		o.Fatal(err)
	}
	req, err := http.NewRequestWithContext(o.Context(), method, "http://"+o.node.HTTPAddr().String()+"/v1/"+path,
		bytes.NewReader(text))
	if err != nil {
		o.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			o.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
		}
	}
	return resp.StatusCode, answer
}

// register registers a player, and ends the session.
func (o opaquely) register(name, password string) {
	o.Helper()
	r, request, err := opaqueclient.Register(password)
	if err != nil {
		o.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	_, begun := o.ask("POST", "opaque/register/start", "", fields{"username": name, "request": text(request)})
	upload, err := r.Finish(o.Context(), begun.bytes(o, "response"), o.options)
	if err != nil {
		o.Fatal(err)
	}
	status, in := o.ask("POST", "opaque/register/finish", "",
		fields{"username": name, "state": begun["state"], "upload": text(upload)})
	if status != http.StatusCreated {
		o.Fatalf("%s cannot register: %d %v", name, status, in)
	}
	endSession(o, o.node, fmt.Sprint(in["session_token"]))
}

// logIn logs a player in, and ends the session. A code is shown where the node asks for one.
func (o opaquely) logIn(name, password, code string) {
	o.Helper()
	l, ke1, err := opaqueclient.Login(password)
	if err != nil {
		o.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	_, begun := o.ask("POST", "opaque/login/start", "", fields{"username": name, "ke1": text(ke1)})
	proof, err := l.Finish(o.Context(), begun.bytes(o, "ke2"), o.options)
	if err != nil {
		o.Fatalf("%s: %v", name, err)
	}
	finish := fields{"username": name, "state": begun["state"], "ke3": text(proof.KE3), "takeover": true}
	status, in := o.ask("POST", "opaque/login/finish", "", finish)
	if code != "" {
		if in["reason"] != "second-factor" {
			o.Fatalf("%s is not asked for a code: %d %v", name, status, in)
		}
		finish["code"] = code
		status, in = o.ask("POST", "opaque/login/finish", "", finish)
	}
	if status != http.StatusOK {
		o.Fatalf("%s cannot log in: %d %v", name, status, in)
	}
	endSession(o, o.node, fmt.Sprint(in["session_token"]))
}

// proving starts a node that prefers OPAQUE to passwords, and sends mail.
func proving(t *testing.T) (*server.Server, *smtptest.Server) {
	t.Helper()
	by := smtptest.Start(t, smtptest.Config{})
	cfg := config(t)
	cfg.Opaque, cfg.SMTPURL, cfg.MailFrom = server.OpaquePrefer, by.URL(), "The Game <noreply@example.org>"
	return start(t, cfg), by
}

// What the page registers a client in Go logs in to, with a password stretched as it is for players, and the other way
// round; and no password leaves the page.
func TestOpaque(t *testing.T) {
	node, _ := proving(t)
	inGo := opaquely{t, node, opaqueclient.Options{}}
	p := open(t, play(node), sending)
	p.knock("#register", "alice", "password1")
	p.says("Invalid password: it is one of the commonest, which are guessed first.")
	p.enter("#register", "alice")
	if !eval[bool](p, `shown.includes("Sealing your password…")`) {
		t.Error("the player was not told what takes so long")
	}
	p.click("#logout")
	p.outside("You have logged out.")
	inGo.logIn("alice", secret, "")

	inGo.options = little
	inGo.register("bob", better)
	eval[any](p, littleStretched)
	p.knock("#login", "bob", better)
	p.inside("bob")
	if !eval[bool](p, `shown.includes("Proving your password…")`) {
		t.Error("the player was not told what takes so long")
	}
	if p.sent(secret, better, "password1") {
		t.Error("the page has sent a password")
	}
	p.noSecrets(secret, better)
}

// An account with a password moves over after a login, and the page never sends the password for that name again: not
// to log in, with the code of a second factor too, and not for a change of the account. What takes long can be ended.
func TestMovingOver(t *testing.T) {
	node, _ := proving(t)
	inGo := opaquely{t, node, little}
	status, in := inGo.ask("POST", "register", "", fields{"username": "carol", "password": secret})
	if status != http.StatusCreated {
		t.Fatal(status)
	}
	endSession(t, node, fmt.Sprint(in["session_token"]))
	p := open(t, play(node), sending, littleStretched)
	p.expect(refusal("/v1/login", "401 (Unauthorized)"))
	p.knock("#login", "nobody", "wrong horse")
	p.says("Wrong user name or password.")
	p.knock("#login", "carol", secret)
	p.inside("carol")
	if !p.sent(secret) {
		t.Error("how has the account with a password been let in?")
	}
	p.wait(`Object.keys(localStorage).some((k) => k.startsWith("rushgate.opaque "))`)
	recovery := p.addFactor(secret)
	p.click("#logout")
	p.outside("You have logged out.")
	inGo.logIn("carol", secret, recovery[0])

	p.knock("#login", "carol", better)
	p.wait(`/^Wrong user name or password. This browser proves it/.test($("status").textContent)`)
	eval[bool](p, `held = true`)
	p.knock("#login", "carol", secret)
	p.wait(`$("status").textContent === "Proving your password…" && sent.at(-1).includes("login/start")`)
	before := eval[int](p, `ended`)
	p.click("#cancel")
	p.wait(`$("status").textContent === "Cancelled."`)
	if eval[int](p, `ended`) == before {
		t.Error("the worker goes on")
	}
	eval[bool](p, `!(held = false)`)
	p.expect(refusal("/v1/opaque-login", "401 (Unauthorized)"))
	p.click("#login")
	p.wait(`document.activeElement.id === "code"`)
	p.fill("#code", recovery[1])
	p.click("#login")
	p.inside("carol")
	if p.sent(secret, better) {
		t.Error("the page has sent a password for a name that has moved over")
	}
}

// A lost password is replaced by a registration, after an address was proved with a proof of the password.
func TestLostPasswordByOpaque(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("RUSHGATE_LONG is not set")
	}
	node, by := proving(t)
	p := open(t, play(node), sending, littleStretched)
	p.enter("#register", "dave")
	p.account()
	p.fill("#account-email-new", "dave@example.org")
	p.fill("#account-email-password", secret)
	p.click("#account-email-set")
	p.wait(`document.activeElement.id === "account-email-code"`)
	p.fill("#account-email-code", mailedCode.FindString(by.Await(1)[0].Text))
	p.click("#account-email-verify")
	p.told("account-email-result", "dave@example.org is your address now.")
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")

	p.click("#forgot")
	p.click("#recovery-send")
	p.wait(`document.activeElement.id === "recovery-code"`)
	p.fill("#recovery-code", mailedCode.FindString(by.Await(2)[1].Text))
	p.fill("#recovery-new", better)
	p.fill("#recovery-repeat", better)
	eval[bool](p, `held = true`)
	p.click("#recovery-send")
	p.wait(`$("recovery-send-cancel").checkVisibility() && sent.at(-1).includes("register/start")`)
	p.click("#recovery-send-cancel")
	p.told("recovery-result", "Cancelled.")
	p.wait(`!$("recovery-send-cancel").checkVisibility() && document.activeElement.id === "recovery-send"`)
	eval[bool](p, `!(held = false)`)
	p.click("#recovery-send")
	p.outside("Your password has been changed. Please log in with it.")
	p.knock("#login", "dave", better)
	p.inside("dave")
	if p.sent(secret, better) {
		t.Error("the page has sent a password")
	}
}

// Another password is another record, with a proof of the one before.
func TestPasswordChangeByOpaque(t *testing.T) {
	node, _ := proving(t)
	p := open(t, play(node), sending, littleStretched)
	p.stay("#register", "erin")
	p.account()
	p.changePassword("wrong horse", better, better)
	p.told("account-password-result", "The current password is wrong.")
	p.changePassword(secret, better, better)
	p.told("account-password-result", "Your password has been changed.")
	p.keepOut(p.cookie().Value)
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")
	opaquely{t, node, little}.logIn("erin", better, "")
	if p.sent(secret, better, "wrong horse") {
		t.Error("the page has sent a password")
	}
}

// Where no password is taken, none is sent.
func TestOnlyOpaque(t *testing.T) {
	cfg := config(t)
	cfg.Opaque = server.OpaqueOnly
	p := open(t, play(start(t, cfg)), sending, littleStretched)
	p.knock("#login", "nobody", secret)
	p.says("Wrong user name or password.")
	if p.sent(secret) {
		t.Error("the page has sent a password")
	}
}

// sent reports whether the page has sent any of some texts so far, and forgets what it has sent.
func (p *tab) sent(texts ...string) bool {
	p.Helper()
	all := strings.Join(eval[[]string](p, `sent.splice(0)`), "\n")
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(all, s) })
}

// addFactor turns the second factor on, and returns recovery codes.
func (p *tab) addFactor(password string) (recovery []string) {
	p.Helper()
	p.account()
	p.click("#account-factor-begin")
	p.fill("#account-factor-begin-password", password)
	p.click("#account-factor-begin-yes")
	p.wait(`document.activeElement.id === "account-factor-code"`)
	code, err := totp.GenerateCode(strings.ReplaceAll(p.text("#account-factor-key"), " ", ""), time.Now())
	if err != nil {
		p.Fatal(err)
	}
	p.fill("#account-factor-code", code)
	p.click("#account-factor-confirm")
	p.wait(`$("account-factor-codes").checkVisibility()`)
	recovery = eval[[]string](p, `[...document.querySelectorAll("#account-factor-codes li")].map((e) => e.textContent)`)
	p.click("#account-close")
	return recovery
}
