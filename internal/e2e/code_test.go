package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// post asks for something of a session, and reads the answer.
func post(t testing.TB, in *client.Session, path string, body map[string]string, answer any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := in.NewRequest(t.Context(), http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
	}
}

// secondFactor registers a player whose account asks for codes, and returns recovery codes.
func secondFactor(t testing.TB, s *server.Server, name string) (recovery []string) {
	t.Helper()
	c, err := client.New("http://"+s.HTTPAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.Register(t.Context(), name, secret)
	if err != nil {
		t.Fatal(err)
	}
	var setup struct {
		Secret string `json:"secret"`
	}
	post(t, in, "/v1/account/totp", map[string]string{"password": secret}, &setup)
	code, err := totp.GenerateCode(setup.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var confirmed struct {
		Codes []string `json:"recovery_codes"`
	}
	post(t, in, "/v1/account/totp/confirm", map[string]string{"code": code}, &confirmed)
	if err := in.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	return confirmed.Codes
}

// A player whose account has a second factor is asked for a code once the password has proved right, and only then.
func TestLoginWithACode(t *testing.T) {
	node := start(t, config(t))
	recovery := secondFactor(t, node, "alice")
	p := open(t, play(node))
	p.expect(refusal("/v1/login", "401 (Unauthorized)"))
	p.knock("#login", "alice", "wrong horse")
	p.says("Wrong user name or password.")
	if eval[bool](p, `$("code").checkVisibility()`) {
		t.Error("a wrong password is asked for a code")
	}
	p.knock("#login", "alice", secret)
	p.wait(`$("status").textContent === "Please type the code that your authenticator app shows, or a recovery code." &&
		$("code").checkVisibility() && document.activeElement.id === "code" && $("status").dataset.kind === ""`)
	p.fill("#code", "ABCD-EFGH-IJKL-MNOP")
	p.click("#login")
	p.says("That code is wrong, or was used before. Please type the next one.")
	p.fill("#code", recovery[0])
	p.click("#login")
	p.inside("alice")
	if eval[bool](p, `$("code").value !== ""`) {
		t.Error("the code is left in the form")
	}
}
