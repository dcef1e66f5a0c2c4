package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate/internal/smtptest"
	"github.com/rushgate/rushgate/server"
)

var mailedCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// wrongCode is what a player reads first whose code for another password is not good; what can be done about that
// follows.
const wrongCode = "The code is wrong, too old or was used before, or it is not for this name. "

// mailing starts a node that sends mail, and the server that takes it.
func mailing(t *testing.T) (*server.Server, *smtptest.Server) {
	t.Helper()
	by := smtptest.Start(t, smtptest.Config{})
	cfg := config(t)
	cfg.SMTPURL, cfg.MailFrom = by.URL(), "The Game <noreply@example.org>"
	return start(t, cfg), by
}

// downloads has what the page saves come into a folder.
func (p *tab) downloads() (folder string) {
	p.Helper()
	folder = p.TempDir()
	info, err := chromedp.Call(p.ctx, target.GetTargetInfo, target.GetTargetInfoParams{})
	if err != nil {
		p.Fatal(err)
	}
	p.do(command(cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: info.TargetInfo.BrowserContextID,
	}))
	return folder
}

// saved returns what a file has come to hold.
func (p *tab) saved(folder, name string) (content []byte) {
	p.Helper()
	await(p, name+" is saved", func() bool {
		var err error
		content, err = os.ReadFile(filepath.Join(folder, name))
		return err == nil && len(content) > 0 // at first there is an empty one
	})
	return content
}

// told returns once the result line of a section, or of the way to another password, says something.
func (p *tab) told(id, text string) {
	p.Helper()
	p.wait(fmt.Sprintf(`$(%q).textContent === %q && $("said").textContent === %[2]q`, id, text))
}

// A player proves an e-mail address, and chooses another password by it when the one there was is lost.
func TestEmailAndLostPassword(t *testing.T) {
	t.Parallel()
	node, by := mailing(t)
	p := open(t, play(node))
	p.enter("#register", "alice")
	p.account()
	p.wait(`$("account-email-now").textContent === "You have none. " && !$("account-email-verify").checkVisibility()`)
	p.expect(refusal("/v1/account/email", "401 (Unauthorized)"), refusal("/v1/account/email", "400 (Bad Request)"),
		refusal("/v1/account/email/verify", "409 (Conflict)"))
	p.fill("#account-email-new", "alice@example.org")
	p.fill("#account-email-password", "wrong horse")
	p.click("#account-email-set")
	p.told("account-email-result", "The password is wrong.")
	p.wait(`document.activeElement.id === "account-email-password" && document.activeElement.ariaInvalid === "true"`)
	p.fill("#account-email-password", secret)
	p.fill("#account-email-new", "alice@localhost")
	p.click("#account-email-set")
	p.wait(`/not an e-mail address/.test($("account-email-result").textContent) &&
		document.activeElement.id === "account-email-new"`)
	p.fill("#account-email-new", "alice@example.org")
	p.click("#account-email-set")
	p.told("account-email-result", "A code was sent to alice@example.org. Type it here within 15 minutes.")
	p.wait(`document.activeElement.id === "account-email-code"`)
	code := mailedCode.FindString(by.Await(1)[0].Text)
	p.fill("#account-email-code", "AAAA-AAAA-AAAA")
	p.click("#account-email-verify")
	p.told("account-email-result", "That is not, or no longer, the code that was sent.")
	p.fill("#account-email-code", strings.ToLower(code))
	p.click("#account-email-verify")
	p.told("account-email-result", "alice@example.org is your address now.")
	p.wait(`$("account-email-now").textContent === "Your address is alice@example.org. " &&
		!$("account-email-verify").checkVisibility()`)
	p.noSecrets(secret, code)
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")

	p.click("#forgot")
	p.wait(`$("recovery").checkVisibility() && !$("credentials").checkVisibility() &&
		$("recovery-name").value === "alice" && document.activeElement.id === "recovery-name"`)
	p.click("#recovery-send")
	p.told("recovery-result", "If alice has an e-mail address, a code is on its way there, good within 15 minutes.")
	code = mailedCode.FindString(by.Await(2)[1].Text)
	p.expect(refusal("/v1/recover/finish", "401 (Unauthorized)"))
	p.wait(`document.activeElement.id === "recovery-code"`)
	p.fill("#recovery-code", "AAAA-AAAA-AAAA")
	p.fill("#recovery-new", better)
	p.fill("#recovery-repeat", "another horse")
	p.click("#recovery-send")
	p.told("recovery-result", "The two passwords are not the same.")
	p.fill("#recovery-repeat", better)
	p.click("#recovery-send")
	p.told("recovery-result", wrongCode+"Check it, or have another one sent.")
	p.wait(`document.activeElement.id === "recovery-code" && document.activeElement.ariaInvalid === "true"`)
	p.fill("#recovery-code", code)
	p.click("#recovery-send")
	p.outside("Your password has been changed. Please log in with it.")
	p.wait(`$("credentials").checkVisibility() && !$("recovery").checkVisibility() && $("username").value === "alice" &&
		document.activeElement.id === "password"`)
	p.noSecrets(better, code)
	p.knock("#login", "alice", better)
	p.inside("alice")

	p.account()
	p.click("#account-email-remove")
	p.fill("#account-email-remove-password", better)
	p.click("#account-email-remove-yes")
	p.told("account-email-result", "You have no address any more.")
	p.wait(`document.activeElement.id === "account-email-new" && !$("account-email-remove").checkVisibility()`)
}

// Where the server sends no mail, the page says whom to ask for a code, and takes one from an operator.
func TestLostPasswordWithoutMail(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	register(t.Context(), node, "alice")
	p := open(t, play(node))
	p.click("#login") // which the form is not for yet
	p.wait(`document.activeElement.id === "username" && $("forgot").checkVisibility()`)
	p.click("#forgot")
	p.wait(`document.activeElement.id === "recovery-name"`)
	p.click("#recovery-back")
	p.wait(`$("credentials").checkVisibility() && document.activeElement.id === "username"`)
	p.click("#forgot")
	p.fill("#recovery-name", "alice")
	p.expect(refusal("/v1/recover", "404 (Not Found)"))
	p.click("#recovery-send")
	p.told("recovery-result", "This server sends no mail. Ask those who run the game for a code, and type it here.")
	older := operatorsCode(t, node, "alice")
	p.fill("#recovery-code", older)
	p.fill("#recovery-new", better)
	p.fill("#recovery-repeat", better)
	newer := operatorsCode(t, node, "alice") // in place of the other
	p.expect(refusal("/v1/recover/finish", "401 (Unauthorized)"))
	p.click("#recovery-send")
	p.told("recovery-result", wrongCode+"Check it, or ask those who run the game for another one.")
	p.fill("#recovery-code", newer)
	p.click("#recovery-send")
	p.outside("Your password has been changed. Please log in with it.")
	await(t, "the session of before has ended", func() bool { // which takes up to a second
		players, err := node.Players(t.Context())
		return err == nil && len(players) == 0
	})
	p.tolerate(refusal("/v1/login", "503 (Service Unavailable)")) // until it is saved
	p.knock("#login", "alice", better)
	p.inside("alice")
	p.account()
	p.wait(`/This server sends no mail/.test($("account-email-now").textContent) &&
		!$("account-email-new").checkVisibility()`)
}

// Who waits for a busy server on the way to another password may give up, and goes back to the door at any time.
func TestRecoveryGivenUp(t *testing.T) {
	t.Parallel()
	p := open(t, behindProxy(t, "/v1/recover", busyFor200))
	p.click("#login")
	p.click("#forgot")
	p.fill("#recovery-name", "alice")
	p.expect(refusal("/v1/recover", "503 (Service Unavailable)"))
	busy := `/^Server is busy, retrying in \d+ s \(1 of 3\)$/.test($("recovery-result").textContent)`
	p.click("#recovery-send")
	p.wait(busy + `&& $("recovery-send").ariaDisabled === "true"`)
	p.click("#recovery-send-cancel")
	p.told("recovery-result", "Cancelled.")
	p.wait(`document.activeElement.id === "recovery-send" && $("recovery-send").ariaDisabled === "false" &&
		!$("recovery-send-cancel").checkVisibility()`)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(busy)
	p.click("#recovery-back")
	p.wait(`$("credentials").checkVisibility() && !$("recovery").checkVisibility() && $("username").value === "alice" &&
		$("status").textContent === "" && document.activeElement.id === "password"`)
}

// operatorsCode returns a code that an operator hands out.
func operatorsCode(t *testing.T, node *server.Server, name string) string {
	t.Helper()
	resp, err := http.Post("http://"+node.AdminAddr().String()+"/accounts/"+name+"/recovery-code", "application/json",
		strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	code := mailedCode.FindString(string(body))
	if code == "" {
		t.Fatalf("a code of an operator: %d %s", resp.StatusCode, body)
	}
	return code
}

// A player sets up an authenticator by the keyboard alone, keeps the recovery codes, has codes asked for always, and
// turns it off again.
func TestSecondFactorByKeyboard(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	p := open(t, play(node))
	p.enter("#register", "alice")
	folder := p.downloads()
	enter := func() { p.do(chromedp.KeyEvent(kb.Enter)) }
	prove := func(id, code string) {
		p.Helper()
		p.tabTo(id)
		enter()
		p.wait(fmt.Sprintf(`document.activeElement.id === "%s-password"`, id))
		p.do(chromedp.KeyEvent(secret))
		if code != "" {
			p.tabTo(id + "-code")
			p.do(chromedp.KeyEvent(code))
		}
		enter()
	}
	p.tabTo("account-open")
	enter()
	p.wait(`/It is off/.test($("account-factor-now")?.textContent)`)
	p.expect(refusal("/v1/account/totp", "401 (Unauthorized)"), refusal("/v1/account/totp/confirm", "401 (Unauthorized)"))
	p.tabTo("account-factor-begin")
	enter()
	p.do(chromedp.KeyEvent("wrong horse"), chromedp.KeyEvent(kb.Enter))
	p.told("account-factor-result", "The password is wrong.")
	p.do(chromedp.KeyEvent(kb.Escape)) // which closes the form, and not the page
	p.wait(`document.activeElement.id === "account-factor-begin" && $("account").checkVisibility()`)
	prove("account-factor-begin", "")
	p.wait(`$("account-factor-qr").querySelector("canvas")?.checkVisibility() &&
		document.activeElement.id === "account-factor-code"`)
	key := strings.ReplaceAll(p.text("#account-factor-key"), " ", "")
	p.keepOut(key)
	if white := eval[bool](p, `(() => { const c = $("account-factor-qr").querySelector("canvas");
		const at = new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer));
		return at.size === 2; })()`); !white {
		t.Error("the picture is not black and white")
	}
	p.do(chromedp.KeyEvent("000000"))
	enter()
	p.told("account-factor-result", "That code is wrong, or was used before. Please type the next one.")
	code, err := totp.GenerateCode(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.KeyEvent(code)) // in place of what is selected
	enter()
	p.wait(`document.activeElement.id === "account-factor-codes" &&
		document.querySelectorAll("#account-factor-codes li").length === 10`)
	recovery := eval[[]string](p, `[...document.querySelectorAll("#account-factor-codes li")].map((e) => e.textContent)`)
	p.tabTo("account-factor-download")
	enter()
	p.told("account-factor-result", "Saved as recovery-codes.txt.")
	if file := string(p.saved(folder, "recovery-codes.txt")); !strings.Contains(file, strings.Join(recovery, "\n")) {
		t.Errorf("the file holds %q", file)
	}
	p.tabTo("account-factor-kept")
	enter()
	p.wait(`document.activeElement.id === "account-factor-ask" && /10 recovery codes are left/.test(
		$("account-factor-now").textContent)`)
	p.noSecrets(append(recovery, secret, key)...)

	prove("account-factor-ask", recovery[0])
	p.told("account-factor-result", "A code is asked for whenever you come in, and no device is remembered.")
	prove("account-factor-renew", recovery[1])
	p.wait(`document.querySelectorAll("#account-factor-codes li").length === 10`)
	next := eval[[]string](p, `[...document.querySelectorAll("#account-factor-codes li")].map((e) => e.textContent)`)
	p.tabTo("account-factor-kept")
	enter()
	p.expect(refusal("/v1/account/totp", "401 (Unauthorized)"))
	prove("account-factor-off", recovery[2]) // of before
	p.told("account-factor-result", "That code is wrong, or was used before. Please type the next one.")
	p.do(chromedp.KeyEvent(next[0]))
	enter()
	p.told("account-factor-result", "It is off: the password alone lets you in.")
	p.wait(`$("account-factor-begin").checkVisibility() && !$("account-factor-off").checkVisibility()`)
}

// A player reads what has happened to the account, and takes all that is kept home as a file.
func TestHistoryAndExport(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	p := open(t, play(node))
	p.enter("#register", "alice")
	folder := p.downloads()
	p.account()
	p.wait(`!$("account-history-list").checkVisibility()`)
	await(t, "the registration is in the history", func() bool { // of which the node writes after a while
		resp, err := http.Get("http://" + node.AdminAddr().String() + "/accounts/alice")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), `"registration"`)
	})
	p.click("#account-history-show")
	p.wait(`/^Registered127\.0\.0\.1\d+ \w+ \d{4}, \d\d:\d\d$/.test($("account-history-list").textContent) &&
		document.activeElement.id === "account-history-list"`)
	p.click("#account-export-get")
	p.told("account-export-result", "Saved as alice.json.")
	var got struct {
		Account struct{ Name string }
		History []struct{ Kind string }
	}
	if err := json.Unmarshal(p.saved(folder, "alice.json"), &got); err != nil {
		t.Fatal(err)
	}
	if got.Account.Name != "alice" || len(got.History) == 0 {
		t.Errorf("the file has %+v", got)
	}
}

// A player has the account deleted, which takes the password, reads until when that can be taken back, and does so
// after a login.
func TestDeleteAndKeep(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	p := open(t, play(node))
	p.stay("#register", "alice")
	p.account()
	p.expect(refusal("/v1/account/delete", "401 (Unauthorized)"))
	p.click("#account-delete")
	p.wait(`document.activeElement.id === "account-delete-password"`)
	p.fill("#account-delete-password", "wrong horse")
	p.click("#account-delete-yes")
	p.told("account-delete-result", "The password is wrong.")
	p.fill("#account-delete-password", secret)
	p.click("#account-delete-yes")
	p.wait(`app.dataset.state === "signed-out" && $("credentials").checkVisibility() &&
		/^Your account will be deleted on \d+ \w+ \d{4}, \d\d:\d\d\. Log in before then to keep it\.$/.test(
			$("status").textContent)`)
	await(t, "the cookie is gone", func() bool { return p.cookie() == nil })
	p.noSecrets(secret)

	p.tolerate(refusal("/v1/login", "503 (Service Unavailable)")) // until the session of before is saved
	p.enter("#login", "alice")
	p.wait(`$("notice").checkVisibility() && /^Your account will be deleted on \d+ /.test($("notice-text").textContent)`)
	p.leavesRoom("notice")
	p.account()
	p.wait(`/^Your account will be deleted on/.test($("account-delete-now").textContent) &&
		!$("account-delete").checkVisibility() && $("notice").inert`)
	p.click("#account-close")
	p.click("#notice-keep")
	p.wait(`!$("notice").checkVisibility() && $("news").textContent === "Your account stays."`)
	p.account()
	p.wait(`$("account-delete").checkVisibility() && !$("account-keep").checkVisibility()`)
}

// A player takes another name and plays on, and proves all that changes the account with a code once it has a second
// factor.
func TestRename(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	p := open(t, play(node))
	p.stay("#register", "alice")
	register(t.Context(), node, "bob")
	token := p.token()
	p.account()
	p.expect(refusal("/v1/account/name", "401 (Unauthorized)"), refusal("/v1/account/name", "409 (Conflict)"))
	p.fill("#account-name-new", "bob")
	p.fill("#account-name-password", secret)
	p.click("#account-name-change")
	p.told("account-name-result", "This user name is taken. Please choose another one.")
	p.wait(`document.activeElement.id === "account-name-new"`)
	p.fill("#account-name-new", "carol")
	p.fill("#account-name-password", "wrong horse")
	p.click("#account-name-change")
	p.told("account-name-result", "The password is wrong.")
	p.fill("#account-name-password", secret)
	p.click("#account-name-change")
	p.wait(`/^You are carol from now on\./.test($("account-name-result").textContent) &&
		/^carol, here since/.test($("account-who").textContent)`)
	if p.token() == token {
		t.Error("the session is the one that has ended")
	}
	p.noSecrets(secret)
	p.wait(`app.dataset.state === "playing" && world.dataset.connected === "true" && $("name").textContent === "carol" &&
		$("username").value === "carol" && !$("account-name-new").checkVisibility() &&
		/^You can choose another name from /.test($("account-name-later").textContent)`)
	p.click("#account-close")
	p.click("#logout")
	p.outside("You have logged out.")
	p.expect(refusal("/v1/login", "401 (Unauthorized)"))
	p.knock("#login", "alice", secret)
	p.says("Wrong user name or password.")
	p.enter("#login", "carol")
}

// Once the account has a second factor, whatever changes it asks for a code when the password has proved right.
func TestProofWithACode(t *testing.T) {
	t.Parallel()
	node := start(t, config(t))
	recovery := secondFactor(t, node, "alice")
	p := open(t, play(node))
	p.expect(refusal("/v1/login", "401 (Unauthorized)"))
	p.knock("#login", "alice", secret)
	p.wait(`$("code").checkVisibility()`)
	p.fill("#code", recovery[0])
	p.click("#login")
	p.inside("alice")
	p.account()
	p.tolerate(refusal("/v1/password", "401 (Unauthorized)"), refusal("/v1/account/delete", "401 (Unauthorized)"))
	p.changePassword(secret, better, better)
	p.wait(`$("account-code").checkVisibility() || /changed/.test($("account-password-result").textContent)`)
	p.told("account-password-result", "Please type the code that your authenticator app shows, or a recovery code.")
	p.wait(`document.activeElement.id === "account-code" && document.activeElement.ariaInvalid === null`)
	p.fill("#account-code", recovery[0])
	p.click("#account-change")
	p.told("account-password-result", "That code is wrong, or was used before. Please type the next one.")
	p.fill("#account-code", recovery[1])
	p.click("#account-change")
	p.told("account-password-result", "Your password has been changed.")
	p.wait(`!$("account-code").checkVisibility() && app.dataset.state === "playing"`)
	p.click("#account-delete")
	p.fill("#account-delete-password", better)
	p.click("#account-delete-yes")
	p.wait(`document.activeElement.id === "account-delete-code"`)
	p.fill("#account-delete-code", recovery[2])
	p.click("#account-delete-yes")
	p.wait(`app.dataset.state === "signed-out" && /^Your account will be deleted on/.test($("status").textContent)`)
}

// The account page with all that can be on it, and the notice over the world.
func TestScreenshotsOfSelfService(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	node, by := mailing(t)
	p := accountOfMany(t, node)
	p.account()
	p.fill("#account-email-new", "alice@example.org")
	p.fill("#account-email-password", secret)
	p.click("#account-email-set")
	p.wait(`document.activeElement.id === "account-email-code"`)
	p.fill("#account-email-code", mailedCode.FindString(by.Await(1)[0].Text))
	p.click("#account-email-verify")
	p.told("account-email-result", "alice@example.org is your address now.")
	p.click("#account-history-show")
	p.wait(`$("account-history-list").checkVisibility()`)
	p.pictureOf("account-all", 2900, nil)
	p.fill("#account-email-new", "alice-of-the-long-name@mail.example.org")
	p.fill("#account-email-password", secret)
	p.click("#account-email-set")
	p.wait(`document.activeElement.id === "account-email-code"`)
	into := func(id string) func() {
		return func() { eval[bool](p, fmt.Sprintf(`$(%q).scrollIntoView(), true`, id)) }
	}
	p.picture("account-email-pending", into("account-email"))
	p.click("#account-factor-begin")
	p.picture("account-factor-asked", into("account-factor"))
	p.fill("#account-factor-begin-password", secret)
	p.click("#account-factor-begin-yes")
	p.wait(`document.activeElement.id === "account-factor-code"`)
	p.picture("account-factor-qr", into("account-factor"))
	code, err := totp.GenerateCode(strings.ReplaceAll(p.text("#account-factor-key"), " ", ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.fill("#account-factor-code", code)
	p.click("#account-factor-confirm")
	p.wait(`$("account-factor-codes").checkVisibility()`)
	p.picture("account-factor-codes", into("account-factor"))
	recovery := p.text("#account-factor-codes li")
	p.click("#account-factor-kept")
	p.click("#account-factor-renew")
	p.picture("account-factor-on", into("account-factor"))
	p.click("#account-delete")
	p.picture("account-delete", into("account-deletion"))
	p.fill("#account-delete-password", secret)
	p.tolerate(refusal("/v1/account/delete", "401 (Unauthorized)"))
	p.click("#account-delete-yes")
	p.wait(`$("account-delete-code")?.checkVisibility() || app.dataset.state === "signed-out"`)
	if eval[bool](p, `app.dataset.state !== "signed-out"`) {
		p.picture("account-delete-code", into("account-deletion"))
		p.fill("#account-delete-code", recovery)
		p.click("#account-delete-yes")
		p.wait(`app.dataset.state === "signed-out"`)
	}
	p.picture("deleted", nil)
}

// What a player sees who has lost the password, whose account is to be deleted, who is banned, and who finds the doors
// closed.
func TestScreenshotsAtTheDoor(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder for pictures was named with -screenshots")
	}
	cfg := config(t)
	cfg.AppealURL = "https://example.org/appeal"
	node := start(t, cfg)
	p := open(t, play(node))
	p.enter("#register", "alice")
	p.account()
	p.click("#account-delete")
	p.fill("#account-delete-password", secret)
	p.click("#account-delete-yes")
	p.wait(`app.dataset.state === "signed-out"`)
	p.tolerate(refusal("/v1/login", "409 (Conflict)"))
	p.enter("#login", "alice")
	p.wait(`$("notice").checkVisibility()`)
	p.picture("notice", nil)
	p.click("#logout")
	p.outside("You have logged out.")
	p.picture("door-login", nil)
	p.click("#forgot")
	p.wait(`$("recovery").checkVisibility()`)
	p.picture("recovery-ask", nil)
	p.expect(refusal("/v1/recover", "404 (Not Found)"), refusal("/v1/login", "403 (Forbidden)"),
		refusal("/v1/register", "503 (Service Unavailable)"))
	p.click("#recovery-send")
	p.wait(`$("recovery-code").checkVisibility()`)
	p.picture("recovery-code", nil)
	operate(t, node, "/accounts/alice/disable",
		`{"until":"2090-01-31T18:00:00Z","reason":"Bots in the market","note":"x"}`)
	p.click("#recovery-back")
	p.knock("#login", "alice", secret)
	p.wait(`$("appeal").checkVisibility()`)
	p.picture("banned", nil)
	operate(t, node, "/mode", `{"mode":"closed","message":"New monsters move in.","opens_at":"2090-01-31T18:00:00Z"}`)
	p.do(chromedp.Reload())
	p.wait(`$("closed").checkVisibility()`)
	p.picture("closed", nil)
	p.knock("#register", "bob", secret)
	p.wait(`$("line").checkVisibility() && $("closed").checkVisibility()`)
	p.picture("closed-line", nil)
}
