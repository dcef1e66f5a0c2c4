package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/netcode"
)

// mint makes connect tokens that say whose they are and how many there were before.
type mint struct {
	made atomic.Uint64
	fail atomic.Bool
}

func (m *mint) token(s rushgate.Session) ([]byte, error) {
	if m.fail.Load() {
		return nil, errors.New("the die is broken")
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(s.Player))
	b = binary.BigEndian.AppendUint64(b, s.Ticket)
	b = binary.BigEndian.AppendUint64(b, m.made.Add(1))
	return append(b, make([]byte, netcode.ConnectTokenSize-len(b))...), nil
}

// read returns the player, the ticket and the serial number that a connect token in an answer says.
func (e exchange) read(t *testing.T) (player, ticket, serial uint64) {
	t.Helper()
	s, _ := e.json["connect_token"].(string)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != netcode.ConnectTokenSize {
		t.Fatalf("connect token of %d bytes in %s", len(b), e.body)
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
}

func newMintDoor(t *testing.T) (*gate, *mint) {
	t.Helper()
	m := &mint{}
	return newDoor(t, func(_ *auth.Config, c *Config) { c.ConnectToken = m.token }), m
}

func TestConnectTokens(t *testing.T) {
	d, _ := newMintDoor(t)
	const from = "192.0.2.1"
	body := `{"username":"alice","password":"correct horse","attempt_id":"a"}`
	in := d.call(t, "POST", "/v1/register", body, from, "")
	in.want(t, "register", 201, "")
	player, ticket, serial := in.read(t)
	if float64(player) != in.json["player_id"] || ticket == 0 || serial != 1 {
		t.Errorf("a token for player %d, ticket %d, number %d", player, ticket, serial)
	}
	lost := d.call(t, "POST", "/v1/register", body, from, "") // for a client that lost the answer, and so the token
	if p, s, n := lost.read(t); p != player || s != ticket || n != 2 {
		t.Errorf("the same attempt: a token for player %d, ticket %d, number %d", p, s, n)
	}
	token, _ := in.json["session_token"].(string)
	again := d.call(t, "POST", "/v1/connect", "", from, token)
	again.want(t, "connect", 200, "")
	if p, s, n := again.read(t); p != player || s == ticket || n != 3 {
		t.Errorf("connect: a token for player %d, ticket %d, number %d", p, s, n)
	}
	for range 20 {
		again = d.call(t, "POST", "/v1/connect", "", from, token)
		if again.status != 200 {
			break
		}
	}
	again.want(t, "connecting for ever", 429, rushgate.RateLimited)
	d.call(t, "POST", "/v1/logout", "", from, token)
	d.call(t, "POST", "/v1/connect", "", from, token).want(t, "connect after logout", 401, rushgate.BadCredentials)
	d.call(t, "POST", "/v1/connect", "", from, "").want(t, "connect without a token", 401, rushgate.BadCredentials)
	in = d.call(t, "POST", "/v1/login", body, from, "")
	in.want(t, "login", 200, "")
	if p, s, _ := in.read(t); p != player || s == ticket {
		t.Errorf("login: a token for player %d, ticket %d", p, s)
	}
}

func TestNoChannel(t *testing.T) {
	d := newDoor(t, nil)
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "")
	if _, ok := in.json["connect_token"]; ok {
		t.Errorf("a connect token in %s", in.body)
	}
	token, _ := in.json["session_token"].(string)
	for _, token := range []string{token, "", "x"} {
		if e := d.call(t, "POST", "/v1/connect", "", "", token); e.status != 404 {
			t.Errorf("connect: %d %s", e.status, e.body)
		}
	}
}

func TestMintFails(t *testing.T) {
	d, m := newMintDoor(t)
	body := `{"username":"alice","password":"correct horse","attempt_id":"a"}`
	m.fail.Store(true)
	d.call(t, "POST", "/v1/register", body, "192.0.2.1", "").want(t, "register", 500, rushgate.InternalError)
	m.fail.Store(false)
	in := d.call(t, "POST", "/v1/register", body, "192.0.2.1", "")
	in.want(t, "the same attempt, later", 201, "")
	m.fail.Store(true)
	token, _ := in.json["session_token"].(string)
	e := d.call(t, "POST", "/v1/connect", "", "192.0.2.1", token)
	e.want(t, "connect", 500, rushgate.InternalError)
	if strings.Contains(e.body, "die") {
		t.Errorf("the answer shows the cause: %s", e.body)
	}
	d.pool.Stop()
	d.realm.Stop(t.Context())
	d.Close() // no goroutine writes to the log any more
	if strings.Count(d.log.String(), "connect token: the die is broken") != 2 {
		t.Errorf("the log is\n%s", d.log.String())
	}
}
