package adapter_test

import (
	"net/http"
	"testing"

	"github.com/rushgate/rushgate/internal/stress/adapter"
)

// The players of the recordings. The password is no secret, see stress.DefaultPassword.
const (
	alice        = `{"username":"stress-000001","password":"stress-test-password","attempt_id":"a1"}`
	aliceWrong   = `{"username":"stress-000001","password":"not-the-password"}`
	aliceAnother = `{"username":"stress-000001","password":"another-password","attempt_id":"a2"}`
	bob          = `{"username":"stress-000002","password":"stress-test-password","attempt_id":"b1"}`
	bobShort     = `{"username":"stress-000002","password":"short"}`
	carol        = `{"username":"stress-000003","password":"stress-test-password","attempt_id":"c1"}`
)

// step is one request of a client and what it is to be told.
type step struct {
	ask, body string
	status    int
	reason    string
}

// scenario is a case that each kind of server has a recording of, in an order in which a fresh server can be recorded.
type scenario struct {
	name  string
	steps []step
}

const (
	register = "POST /v1/register"
	login    = "POST /v1/login"
	logout   = "POST /v1/logout"
	me       = "GET /v1/me"
)

var scenarios = []scenario{
	{"health", []step{{"GET /healthz", "", 200, ""}}},
	{"register", []step{{register, alice, 201, ""}, {me, "", 200, ""}}},
	{"taken", []step{{register, aliceAnother, 409, "username-taken"}}},
	{"taken-same-password", []step{{register, alice, 409, "username-taken"}}},
	{"login", []step{{login, alice, 200, ""}, {me, "", 200, ""}}},
	{"wrong-password", []step{{login, aliceWrong, 401, "bad-credentials"}, {me, "", 401, "bad-credentials"}}},
	{"unknown-player", []step{{login, bob, 401, "bad-credentials"}}},
	{"invalid", []step{{register, bobShort, 400, "missing-credentials"}}},
	{"logout", []step{
		{login, alice, 200, ""}, {logout, "", 204, ""},
		{me, "", 401, "bad-credentials"}, {logout, "", 401, "bad-credentials"},
	}},
	{"rate-limited", []step{{login, alice, 429, "rate-limited"}}},
	{"server-error", []step{{login, alice, 500, "internal-error"}}},
}

// particular are the cases that only one kind of server has.
var particular = map[adapter.Kind][]scenario{
	adapter.Nakama:     {{"wrong-server-key", []step{{login, alice, 401, ""}}}},
	adapter.Supabase:   {{"unconfirmed", []step{{register, carol, 200, ""}, {me, "", 401, "bad-credentials"}}}},
	adapter.PocketBase: {{"no-collection", []step{{register, carol, 404, ""}, {login, carol, 404, ""}}}},
	adapter.Kratos:     {{"register-without-session", []step{{register, carol, 201, ""}, {me, "", 200, ""}}}},
}

func TestRecordedServers(t *testing.T) {
	for _, kind := range adapter.Kinds() {
		for _, sc := range append(scenarios[:len(scenarios):len(scenarios)], particular[kind]...) {
			t.Run(string(kind)+"/"+sc.name, func(t *testing.T) {
				rec := readRecording(t, kind, sc.name)
				next := newTransport(t)
				p := newPlayer(t, adapter.Config{Kind: kind}, serve(t, rec.Exchanges), next)
				p.play(t, sc)
			})
		}
	}
}

// play goes through a scenario.
func (p *player) play(t testing.TB, sc scenario) {
	t.Helper()
	var player uint64
	for _, s := range sc.steps {
		got := p.ask(t, s.ask, s.body)
		if got.Status != s.status || got.Reason != s.reason {
			t.Errorf("%s: got %+v, want status %d, reason %q", s.ask, got, s.status, s.reason)
		}
		if player != 0 && got.PlayerID != 0 && got.PlayerID != player {
			t.Errorf("%s: player %d, before %d", s.ask, got.PlayerID, player)
		}
		player = max(player, got.PlayerID)
	}
}

// newTransport is like those of package stress: one connection.
func newTransport(t testing.TB) *http.Transport {
	next := &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}
	t.Cleanup(next.CloseIdleConnections)
	return next
}
