package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// provedRoute is a route that takes a proof; its body has a place for the password and one for the code, as JSON.
type provedRoute struct{ route, body string }

// provedRoutes are all such routes. The first ask for a code of an account that has a second factor, and need none of
// others; the last are about the second factor, and need one in any case.
var provedRoutes = []provedRoute{
	{"POST /v1/account/email", `{"email":"alice@example.org","current":%s,"code":%s}`},
	{"POST /v1/account/password", `{"current":%s,"code":%s,"new":"better horse"}`},
	{"POST /v1/account/delete", `{"password":%s,"code":%s}`},
	{"POST /v1/account/name", `{"name":"alina","password":%s,"code":%s}`},
	{"POST /v1/account/totp/ask", `{"password":%s,"code":%s,"ask":"new-devices"}`},
	{"POST /v1/account/totp/recovery-codes", `{"password":%s,"code":%s}`},
	{"DELETE /v1/account/totp", `{"password":%s,"code":%s}`},
}

func (f *factored) prove(t *testing.T, r provedRoute, password, code string) exchange {
	t.Helper()
	method, path, _ := strings.Cut(r.route, " ")
	return f.call(t, method, path, fmt.Sprintf(r.body, password, code), factorFrom, f.session)
}

// uses reports whether a recovery code of alice's is used up.
func (f *factored) uses(t *testing.T, code string) bool {
	t.Helper()
	accounts, err := f.store.LoadAccounts(t.Context(), []string{"alice", "alina"})
	if err != nil {
		t.Fatal(err)
	}
	a := accounts[0]
	if a.ID == 0 { // it was renamed
		a = accounts[1]
	}
	parsed, err := secondfactor.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	verdict, _ := secondfactor.Check(a.Credentials, parsed, "", time.Now())
	return verdict == secondfactor.Wrong
}

// Whatever changes an account asks for its second factor, and uses the code up.
func TestProofTakesTheSecondFactor(t *testing.T) {
	for _, r := range provedRoutes {
		t.Run(r.route, func(t *testing.T) {
			f := newFactored(t)
			const right, wrong = `"correct horse"`, `"wrong horse"`
			code := fmt.Sprintf("%q", f.recovery[0])
			if !strings.Contains(r.route, "totp") {
				f.prove(t, r, right, "null").want(t, "without a code", 401, rushgate.SecondFactor)
				f.prove(t, r, right, `""`).want(t, "with an empty code", 401, rushgate.SecondFactor)
				f.prove(t, r, wrong, "null").want(t, "with nothing right", 401, rushgate.BadCredentials)
			}
			f.prove(t, r, right, `"12345"`).want(t, "no code at all", 400, rushgate.MissingCredentials)
			f.prove(t, r, wrong, code).want(t, "a wrong password", 401, rushgate.BadCredentials)
			f.prove(t, r, right, `"ABCD-EFGH-IJKL-MNOP"`).want(t, "a wrong code", 401, rushgate.SecondFactor)
			if f.uses(t, f.recovery[0]) {
				t.Error("refusals have used the code up")
			}
			if done := f.prove(t, r, right, code); done.status >= 300 {
				t.Errorf("with a code: %d %s", done.status, done.body)
			}
			if !f.uses(t, f.recovery[0]) {
				t.Error("the code is good once more")
			}
			f.wantNoSecret(t)
		})
	}
}

// A code is good for one change, whichever that was, and of two at once for one.
func TestCodeProvesOneChange(t *testing.T) {
	f := newFactored(t)
	code := fmt.Sprintf("%q", f.recovery[0])
	answers := make(chan exchange, 2)
	for range cap(answers) {
		go func() { answers <- f.prove(t, provedRoutes[0], `"correct horse"`, code) }()
	}
	var statuses []int
	for range cap(answers) {
		statuses = append(statuses, (<-answers).status)
	}
	slices.Sort(statuses)
	if statuses[0] != 202 || statuses[1] != 401 && statuses[1] != 503 {
		t.Errorf("answered %v", statuses)
	}
	f.prove(t, provedRoutes[1], `"correct horse"`, code).want(t, "the code for another change", 401, rushgate.SecondFactor)
}
