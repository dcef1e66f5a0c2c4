package redis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

func noted(id rushgate.PlayerID, event string) rushgate.Noted {
	return rushgate.Noted{Player: id, Name: registration(id).Account.Username, AccountEvent: rushgate.AccountEvent{
		ID: event, At: time.UnixMilli(1000), Kind: "banned",
	}}
}

// A history that cannot be read is damage of that history, and is left as it is; the player comes in as ever.
func TestDamagedHistory(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	const secret = "5ecret"
	populate(t, s, 2)
	for damage, script := range map[string]bool{ // whether the script finds it, which reads no more than it has to
		"no history": true, "1000 e a {}": true, "1000 e a {}\n\n": true, "\n": true, "-1 e a {}\n": true,
		"1000 x a {}\n": true, "1000 e a\n": true, secret + " e a {}\n": true,
		"1000 e a {" + secret + "}\n": false, "1000 e a {}\n": false, "0 e a {\"kind\":\"k\"}\n": false,
		"99999999999999999999 e a {\"kind\":\"k\"}\n":                  false,
		"1000 e " + strings.Repeat("i", 65) + " {\"kind\":\"k\"}\n":    false,
		"1000 e a {\"kind\":\"k\"}\n999 e b {\"kind\":\"k\"}\n":        false,
		"1000 e a {\"kind\":\"k\",\"by\":\"" + secret + "\\u0007\"}\n": false,
		strings.Repeat("1000 e a {\"kind\":\"k\"}\n", 121):             false,
	} {
		server.Do("HSET", s.playerKey("player1"), historyField, damage)
		loaded, err := s.LoadHistories(t.Context(), []string{"player1", "player2"})
		wantDamagedAlone(t, "LoadHistories", errorsOf(loaded, func(h rushgate.LoadedHistory) error { return h.Err }), err)
		if len(loaded) == 2 && (loaded[0].Events != nil || strings.Contains(loaded[0].Err.Error(), secret)) {
			t.Errorf("%q was read as %+v", damage, loaded[0])
		}
		if script {
			errs, err := s.Note(t.Context(), []rushgate.Noted{noted(1, "b"), noted(2, "b")})
			wantDamagedAlone(t, "Note", errs, err)
			if after, err := server.Do("HGET", s.playerKey("player1"), historyField).ToString(); err != nil || after != damage {
				t.Errorf("the history is %q, %v; was %q", after, err, damage)
			}
		}
		admit(t, s, nodeA, login(1, "l"))
	}
	server.Do("DEL", s.playerKey("player1"))
	server.Do("SET", s.playerKey("player1"), "no record")
	errs, err := s.Note(t.Context(), []rushgate.Noted{noted(1, "b"), noted(2, "b")})
	wantDamagedAlone(t, "Note", errs, err)
	loaded, err := s.LoadHistories(t.Context(), []string{"player1", "player2"})
	wantDamagedAlone(t, "LoadHistories", errorsOf(loaded, func(h rushgate.LoadedHistory) error { return h.Err }), err)
	if h := s.Health(); h.Failures != 0 || h.Open {
		t.Errorf("a history's damage counts as the server's: %+v", h)
	}
}

// Credentials that a tool has written in other words are the same credentials, and what is none is damage.
func TestCredentialsInOtherWords(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	populate(t, s, 2)
	there := []rushgate.Credential{{Kind: "totp", Secret: "a&b"}}
	next := []rushgate.Credential{{Kind: "totp", Secret: "c"}}
	change := func(replaces []rushgate.Credential) ([]error, error) {
		return s.UpdateAccounts(t.Context(), []rushgate.AccountChange{
			{Player: 1, Name: "player1", Credentials: next, Replaces: replaces}, {Player: 2, Name: "player2"},
		})
	}
	enter := func(replaces []rushgate.Credential) error {
		a := login(1, "l")
		a.Credentials, a.Account.Credentials = next, replaces
		return admitAny(t, s, a)[0].Err
	}
	for _, text := range []string{
		`[ {"secret":"a&b", "kind":"totp", "more":1} ]`, `[{"kind":"totp","secret":"a\u0026b"}]`,
		`[{"kind":"totp","secret":"a&b"}]`,
	} {
		write := func() { server.Do("HSET", s.playerKey("player1"), "credentials", text) }
		write()
		if errs, err := change(next[:0]); err != nil || !errors.Is(errs[0], rushgate.ErrAccountChanged) || errs[1] != nil {
			t.Errorf("in place of none: %v, %v", errs, err)
		}
		if err := enter(nil); !errors.Is(err, rushgate.ErrAccountChanged) {
			t.Errorf("login in place of none: %v", err)
		}
		if errs, err := change(there); err != nil || errors.Join(errs...) != nil {
			t.Errorf("in place of the same: %v, %v", errs, err)
		}
		write()
		if err := enter(there); err != nil {
			t.Errorf("login in place of the same: %v", err)
		}
		loaded, err := s.LoadAccounts(t.Context(), []string{"player1"})
		if err != nil || len(loaded[0].Credentials) != 1 || loaded[0].Credentials[0] != next[0] {
			t.Errorf("the account is %+v, %v", loaded, err)
		}
	}
	server.Do("HSET", s.playerKey("player1"), "credentials", "5ecret")
	errs, err := change(there)
	wantDamagedAlone(t, "UpdateAccounts", errs, err)
	if errs[0] != nil && strings.Contains(errs[0].Error(), "5ecret") {
		t.Errorf("the error has the secret: %v", errs[0])
	}
	if err := enter(there); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("login: %v", err)
	}
}

// A history that is read is one that can be written, and its events are within their bounds.
func FuzzParseHistory(f *testing.F) {
	f.Add("1000 e a {\"kind\":\"k\",\"by\":\"b\",\"from\":\"f\",\"text\":\"1\\n2\"}\n1000 s b {\"kind\":\"k\"}\n")
	f.Add("")
	f.Add("1 e a {}\n")
	f.Fuzz(func(t *testing.T, history string) {
		events, err := parseHistory(history)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, e := range events {
			rest, err := marshalRest(&e)
			if err != nil {
				t.Fatal(err)
			}
			sort := sortOther
			if e.SignIn {
				sort = sortSignIn
			}
			again.WriteString(formatTime(e.At) + " " + sort + " " + e.ID + " " + rest + "\n")
		}
		same, err := parseHistory(again.String())
		if err != nil || len(same) != len(events) {
			t.Fatalf("%q is read as %+v, and as %+v, %v", history, events, same, err)
		}
		for i := range same {
			if same[i] != events[i] {
				t.Errorf("event %d is read as %+v and %+v", i, events[i], same[i])
			}
		}
	})
}
