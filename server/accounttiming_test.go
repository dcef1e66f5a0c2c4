package server_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/passkeytest"
)

// quizOrigin is where the pages are on which the node of a quiz takes passkeys.
const quizOrigin = "https://play.example.com"

// comparePasskeys shows passkeys of players whose key the asker has not: of one who has that passkey, of one who has
// none, and of none. A passkey is shown for an id in place of a name, which a class is told by all the same.
func (q *quiz) comparePasskeys(t *testing.T) {
	t.Helper()
	of := passkeytest.New(quizOrigin, "play.example.com")
	kept := q.passkeyOf(t, of)
	q.first["keyed"] = withClass(t, q.store, "keyed", q.tries, func(a *rushgate.Account) {
		a.Credentials = []rushgate.Credential{kept}
	})
	q.first[nobody] = 1 << 40
	other := passkeytest.New(of.Origin, of.Party) // another key by the same id
	other.ID = of.ID
	for _, about := range [][2]string{{"keyed", nobody}, {"plain", nobody}, {"keyed", "plain"}} {
		options := q.passkeyOptions(t, "POST /v1/passkey/start", "", "")
		q.compare(t, question{request: "POST /v1/passkey/finish", status: 401, body: func(name string) string {
			class, number, _ := strings.Cut(name, "-")
			i, err := strconv.Atoi(number)
			if err != nil {
				t.Error(err)
			}
			shown := other.Clone()
			shown.Handle = binary.BigEndian.AppendUint64(nil, uint64(q.first[class])+uint64(i))
			answer, err := shown.Get(options)
			if err != nil {
				t.Error(err)
			}
			return fmt.Sprintf(`{"credential":%s}`, answer)
		}}, about[0], about[1])
	}
}

// passkeyOf adds a passkey to an account, and returns what the store has of it.
func (q *quiz) passkeyOf(t *testing.T, of *passkeytest.Authenticator) rushgate.Credential {
	t.Helper()
	session, _ := join(t, q.node, "template")
	proof := `{"password":"correct horse"}`
	created, err := of.Create(q.passkeyOptions(t, "POST /v1/account/passkeys/start", proof, session))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"name":"phone","credential":%s}`, created)
	call(t, q.node, "POST /v1/account/passkeys/finish", body, session).want(t, "add a passkey", 200)
	loaded, err := q.store.LoadAccounts(t.Context(), []string{"template"})
	if err != nil || loaded[0].Err != nil || len(loaded[0].Credentials) == 0 {
		t.Fatalf("%+v, %v", loaded, err)
	}
	return loaded[0].Credentials[0]
}

func (q *quiz) passkeyOptions(t *testing.T, request, body, session string) json.RawMessage {
	t.Helper()
	begun := call(t, q.node, request, body, session)
	begun.want(t, "begin", 200)
	options, err := json.Marshal(begun.body["options"])
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// compareNewNames asks for other names. Whether a name is to be had is what a player asks for then; who cannot prove
// the account is told nothing of it, and nobody is told which accounts are those of staff.
func (q *quiz) compareNewNames(t *testing.T) {
	t.Helper()
	rename := func(password string) func(string) string {
		return func(name string) string { return fmt.Sprintf(`{"name":%q,"password":%q}`, name, password) }
	}
	q.compare(t, question{
		request: "POST /v1/account/name", status: 401, body: rename("wrong horse"), sessions: q.players(t),
	}, "plain", nobody)
	q.compare(t, question{
		request: "POST /v1/account/upgrade", status: 401, sessions: q.guests(t), body: func(name string) string {
			return fmt.Sprintf(`{"name":%q,"new_password":"better horse","guest_secret":%q}`, name, strings.Repeat("B", 42)+"A")
		},
	}, "plain", nobody)

	withClass(t, q.store, "staff", q.tries, func(*rushgate.Account) {})
	var staff []string
	for i := range q.tries {
		staff = append(staff, fmt.Sprintf("staff-%d", i))
	}
	for some := range slices.Chunk(staff, 100) {
		add, err := json.Marshal(some)
		if err != nil {
			t.Fatal(err)
		}
		operate(t, q.node, "/lists", fmt.Sprintf(`{"list":"staff","add":%s}`, add))
	}
	q.compare(t, question{
		request: "POST /v1/account/name", status: 409, body: rename("correct horse"), sessions: q.players(t),
	}, "staff", "plain")
}

// players have as many players come in as a comparison takes, and returns their sessions.
func (q *quiz) players(t *testing.T) (sessions []string) {
	t.Helper()
	for i := range (q.tries + triesEach - 1) / triesEach {
		body := fmt.Sprintf(`{"username":"asker-%d-%d","password":"correct horse"}`, q.asked, i)
		sessions = append(sessions, q.comeIn(t, "POST /v1/register", body, i))
	}
	return sessions
}

// guests is players for guests.
func (q *quiz) guests(t *testing.T) (sessions []string) {
	t.Helper()
	for i := range (q.tries + triesEach - 1) / triesEach {
		secret := client.NewGuest().Text()
		sessions = append(sessions, q.comeIn(t, "POST /v1/guest", fmt.Sprintf(`{"secret":%q}`, secret), i))
	}
	return sessions
}

func (q *quiz) comeIn(t *testing.T, request, body string, i int) (session string) {
	t.Helper()
	status, text := ask(t, q.node, request, body, "", fmt.Sprintf("10.255.%d.%d", i>>8, i&255))
	var in struct {
		Session string `json:"session_token"`
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil || status != 200 && status != 201 {
		t.Fatalf("%s: %d %s, %v", request, status, text, err)
	}
	return in.Session
}
