package api

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/token"
)

const guestFrom = "192.0.2.7"

// guested is a door at which a guest is inside.
type guested struct {
	*gate
	secret  token.Guest
	session string
	player  any
}

func newGuested(t *testing.T) *guested {
	t.Helper()
	g := &guested{gate: newDoor(t, func(_ *auth.Config, c *Config) { c.Guests = true }), secret: token.NewGuest()}
	g.enter(t)
	return g
}

// enter lets the guest in anew.
func (g *guested) enter(t *testing.T) {
	t.Helper()
	in := g.call(t, "POST", "/v1/guest", guest(g.secret, `,"takeover":true`), guestFrom, "")
	in.want(t, "as a guest", 200, "")
	g.session, g.player = in.text("session_token"), in.json["player_id"]
}

// ask asks for something about the account, with the guest's device as proof; %s stands for that in the body.
func (g *guested) ask(t *testing.T, method, path, body string) exchange {
	t.Helper()
	if strings.Contains(body, "%s") {
		body = fmt.Sprintf(body, fmt.Sprintf(`"guest_secret":%q`, g.secret.Text()))
	}
	return g.call(t, method, "/v1/account"+path, body, guestFrom, g.session)
}

// A guest gets a name and a password in place, and plays on as the same player, whose device still opens the account.
func TestUpgradeOfAGuest(t *testing.T) {
	g := newGuested(t)
	if me := g.ask(t, "GET", "", ""); me.text("proved_by") != "identity" {
		t.Errorf("a guest is proved by %s", me.body)
	}
	for body, want := range map[string]int{
		`{%s,"name":"ada"}`:                                      400,
		`{"name":"ada","new_password":"a good horse"}`:           400,
		`{%s,"name":"a","new_password":"a good horse"}`:          400,
		`{%s,"new_password":"short"}`:                            400,
		`{"guest_secret":"x","new_password":"a good horse"}`:     400,
		`{%s,"password":"secret","new_password":"better horse"}`: 400,
	} {
		g.ask(t, "POST", "/upgrade", body).want(t, body, want, rushgate.MissingCredentials)
	}
	other := fmt.Sprintf(`{"guest_secret":%q,"new_password":"a good horse"}`, token.NewGuest().Text())
	g.ask(t, "POST", "/upgrade", other).want(t, "another's device", 401, rushgate.BadCredentials)
	up := g.ask(t, "POST", "/upgrade", `{%s,"name":"Ada","new_password":"a good horse"}`)
	up.want(t, "upgrade", 200, "")
	if up.json["player_id"] != g.player {
		t.Errorf("player %v became %v", g.player, up.json["player_id"])
	}
	g.call(t, "POST", "/v1/logout", "", "", up.text("session_token")).want(t, "logout", 204, "")
	in := g.call(t, "POST", "/v1/login", `{"username":"ada","password":"a good horse"}`, guestFrom, "")
	in.want(t, "by the password", 200, "")
	if in.json["player_id"] != g.player {
		t.Errorf("the password opens the account of %v", in.json["player_id"])
	}
	g.call(t, "POST", "/v1/logout", "", "", in.text("session_token")).want(t, "logout", 204, "")
	g.enter(t)
	if in.json["player_id"] != g.player {
		t.Errorf("the device opens the account of %v", g.player)
	}
	if me := g.ask(t, "GET", "", ""); me.text("proved_by") != "password" || me.text("name") != "ada" {
		t.Errorf("the account is %s", me.body)
	}
	if strings.Contains(g.log.String(), g.secret.Text()) || strings.Contains(g.log.String(), "good horse") {
		t.Errorf("a secret is in the log: %s", g.log.String())
	}
}

// The name that an upgrade gives up is held for its player, as after any other rename; a guest's is not.
func TestUpgradeHoldsTheOldName(t *testing.T) {
	g := &guested{gate: newDoor(t, func(_ *auth.Config, c *Config) {
		c.Guests, c.Names = true, account.RenameRules{Hold: time.Hour}
	}), secret: token.NewGuest()}
	g.enter(t)
	was := g.ask(t, "GET", "", "").text("name")
	for _, name := range []string{"ada", "alina"} {
		up := g.ask(t, "POST", "/upgrade", `{%s,"name":"`+name+`","new_password":"a good horse"}`)
		up.want(t, "upgrade", 200, "")
		g.session = up.text("session_token")
	}
	register := func(name string) exchange {
		return g.call(t, "POST", "/v1/register", `{"username":"`+name+`","password":"correct horse"}`, "192.0.2.8", "")
	}
	register("ada").want(t, "the name before", 409, rushgate.UsernameTaken)
	register(was).want(t, "the guest's name", 201, "")
}

// An account has several devices linked, of which the last is not unlinked while nothing else opens it.
func TestLinkingDevices(t *testing.T) {
	g := newGuested(t)
	second := token.NewGuest()
	body := fmt.Sprintf(`{%%s,"link_guest_secret":%q}`, second.Text())
	list := g.ask(t, "GET", "/identities", "").json["identities"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["guest"] != true {
		t.Fatalf("a guest has %v", list)
	}
	first := list[0].(map[string]any)["handle"].(string)
	g.ask(t, "DELETE", "/identities/"+first, `{%s}`).want(t, "the last way in", 409, rushgate.MissingCredentials)
	g.ask(t, "POST", "/identities", `{%s}`).want(t, "nothing to link", 400, rushgate.MissingCredentials)
	noProof := fmt.Sprintf(`{"link_guest_secret":%q}`, second.Text())
	g.ask(t, "POST", "/identities", noProof).want(t, "no proof", 400, rushgate.MissingCredentials)
	linked := g.ask(t, "POST", "/identities", body)
	linked.want(t, "link", 200, "")
	g.ask(t, "POST", "/identities", body).want(t, "link again", 200, "")
	if all := linked.json["identities"].([]any); len(all) != 2 {
		t.Errorf("linked are %v", all)
	}
	g.ask(t, "DELETE", "/identities/nothing", `{%s}`).want(t, "no such one", 404, rushgate.MissingCredentials)
	gone := g.ask(t, "DELETE", "/identities/"+first, `{%s}`)
	gone.want(t, "unlink", 200, "")
	g.session = gone.text("session_token")
	g.ask(t, "GET", "/identities", "").want(t, "with the new session", 200, "")
	g.call(t, "POST", "/v1/logout", "", "", g.session).want(t, "logout", 204, "")
	in := g.call(t, "POST", "/v1/guest", guest(second, ""), guestFrom, "")
	if in.json["player_id"] != g.player {
		t.Errorf("the second device comes in as %s", in.body)
	}
}

// What opens another account is not linked, and who has it may merge.
func TestMergeOfAGuest(t *testing.T) {
	for _, keep := range []string{"guest", "own"} {
		t.Run(keep, func(t *testing.T) {
			g := newGuested(t)
			in := g.call(t, "POST", "/v1/register", `{"username":"alice","password":"correct horse"}`, "192.0.2.8", "")
			in.want(t, "register", 201, "")
			own := g.session
			g.session = in.text("session_token")
			body := fmt.Sprintf(`{"password":"correct horse","link_guest_secret":%q}`, g.secret.Text())
			g.ask(t, "POST", "/identities", body).want(t, "link another's", 409, rushgate.MissingCredentials)
			for form, want := range map[string]int{
				`{"password":"correct horse","merge_guest_secret":%q}`:             400,
				`{"password":"correct horse","keep":"own"%.0s}`:                    400,
				`{"password":"correct horse","merge_guest_secret":%q,"keep":"me"}`: 400,
				`{"password":"wrong horse","merge_guest_secret":%q,"keep":"own"}`:  401,
			} {
				got := g.ask(t, "POST", "/merge", fmt.Sprintf(form, g.secret.Text()))
				if got.status != want {
					t.Errorf("%s: %d %s, want %d", form, got.status, got.body, want)
				}
			}
			if keep == "own" { // else the merge sees to that
				g.call(t, "POST", "/v1/logout", "", "", own).want(t, "the guest leaves", 204, "")
			}
			merge := fmt.Sprintf(`{"password":"correct horse","merge_guest_secret":%q,"keep":%q}`, g.secret.Text(), keep)
			done := g.ask(t, "POST", "/merge", merge)
			if want := map[string]int{"guest": 200, "own": 204}[keep]; done.status != want {
				t.Fatalf("merge: %d %s, want %d", done.status, done.body, want)
			}
			for range 2 { // with each comes another session, if the character is another
				if keep == "guest" {
					g.session = done.text("session_token")
				}
				done = g.ask(t, "POST", "/merge", merge)
				done.want(t, "what is done already", done.status, "")
			}
			g.call(t, "POST", "/v1/logout", "", "", cmp.Or(done.text("session_token"), g.session))
			byDevice := g.call(t, "POST", "/v1/guest", guest(g.secret, `,"takeover":true`), guestFrom, "")
			if byDevice.json["player_id"] != in.json["player_id"] {
				t.Errorf("the device opens %s, want the account of %v", byDevice.body, in.json["player_id"])
			}
		})
	}
}
