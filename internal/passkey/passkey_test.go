package passkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/passkeytest"
)

const origin = "https://play.example.com"

var start = time.Date(2026, time.November, 29, 12, 0, 0, 0, time.UTC)

// party returns one of a fleet, and the ring that it has.
func party(t testing.TB) (*passkey.Party, *line.Keyring) {
	t.Helper()
	p, err := passkey.New("The Game", []string{origin})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, start)
	if err != nil {
		t.Fatal(err)
	}
	p.SetKeyring(ring)
	return p, ring
}

func authenticator() *passkeytest.Authenticator { return passkeytest.New(origin, "play.example.com") }

// add has an account get a passkey.
func add(p *passkey.Party, a *rushgate.Account, key *passkeytest.Authenticator, at time.Time) error {
	options, err := p.BeginAdd(a, at)
	if err != nil {
		return err
	}
	answer, err := key.Create(options)
	if err != nil {
		return err
	}
	after, err := p.Add(a, "my phone", answer, at)
	if err == nil {
		a.Credentials = after
	}
	return err
}

// enrolled returns an account with a passkey besides something else, and its authenticator.
func enrolled(t testing.TB, p *passkey.Party) (*rushgate.Account, *passkeytest.Authenticator) {
	t.Helper()
	a := &rushgate.Account{ID: 7, Username: "ada", Credentials: []rushgate.Credential{{Kind: "federated", Subject: "x"}}}
	key := authenticator()
	if err := add(p, a, key, start); err != nil {
		t.Fatal(err)
	}
	return a, key
}

// shown returns what a node makes of a login with a passkey.
func shown(t testing.TB, p *passkey.Party, key *passkeytest.Authenticator, at time.Time) *passkey.Assertion {
	t.Helper()
	options, err := p.BeginLogin(at)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := key.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Read(answer, at)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A passkey that was added lets its player in, again and again, at every node, and each answer once.
func TestEachAnswerIsGoodOnce(t *testing.T) {
	p, ring := party(t)
	other, _ := party(t)
	other.SetKeyring(ring)
	a, key := enrolled(t, p)
	first := shown(t, p, key, start.Add(time.Second))
	if first.Player() != 7 {
		t.Fatalf("it is for player %d", first.Player())
	}
	later := shown(t, p, key, start.Add(2*time.Second))
	v, after := other.Check(a.Credentials, first, "try-1", start.Add(3*time.Second))
	if v != passkey.Good || after[0] != a.Credentials[0] {
		t.Fatalf("at another node it is %v: %+v", v, after)
	}
	if v, _ := p.Check(after, first, "try-1", start.Add(3*time.Second)); v != passkey.Repeated {
		t.Errorf("the same attempt once more: %v", v)
	}
	for _, attempt := range []string{"try-2", ""} {
		if v, again := p.Check(after, first, attempt, start.Add(3*time.Second)); v != passkey.Wrong || again != nil {
			t.Errorf("attempt %q with what was used: %v", attempt, v)
		}
	}
	v, last := p.Check(after, later, "try-3", start.Add(4*time.Second))
	if v != passkey.Good {
		t.Fatalf("the next one is %v", v)
	}
	if v, _ := p.Check(last, first, "try-1", start.Add(5*time.Second)); v != passkey.Wrong {
		t.Errorf("the first one after that: %v", v)
	}
	list := passkey.List(last)
	if len(list) != 1 || list[0].Name != "my phone" || !list[0].Created.Equal(start) ||
		!list[0].Used.Equal(start.Add(4*time.Second)) || list[0].Synced {
		t.Errorf("the account has %+v", list)
	}
}

// An authenticator without a counter is as good, and its answers are good once all the same.
func TestWithoutACounter(t *testing.T) {
	p, _ := party(t)
	a := &rushgate.Account{ID: 7, Username: "ada"}
	key := authenticator()
	key.None, key.Synced = true, true
	if err := add(p, a, key, start); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		at := start.Add(time.Duration(i+1) * time.Second)
		answer := shown(t, p, key, at)
		v, after := p.Check(a.Credentials, answer, "", at)
		if v != passkey.Good {
			t.Fatalf("login %d: %v", i, v)
		}
		if v, _ := p.Check(after, answer, "", at); v != passkey.Wrong {
			t.Errorf("answer %d is good twice: %v", i, v)
		}
		a.Credentials = after
	}
	if list := passkey.List(a.Credentials); len(list) != 1 || !list[0].Synced {
		t.Errorf("the account has %+v", list)
	}
}

// Of two authenticators with one passkey, the one that is behind is found out.
func TestClone(t *testing.T) {
	p, _ := party(t)
	a, key := enrolled(t, p)
	clone := key.Clone()
	for i := range 2 {
		at := start.Add(time.Duration(i+1) * time.Second)
		_, a.Credentials = p.Check(a.Credentials, shown(t, p, key, at), "", at)
	}
	at := start.Add(time.Minute)
	for i := range 2 {
		if v, after := p.Check(a.Credentials, shown(t, p, clone, at), "", at); v != passkey.Cloned || after != nil {
			t.Errorf("try %d of the clone: %v", i, v)
		}
	}
}

// What is not the account's, not of the page, not of its user, or not of now is not taken.
func TestWrongAnswers(t *testing.T) {
	p, _ := party(t)
	a, key := enrolled(t, p)
	at := start.Add(time.Minute)
	for name, spoil := range map[string]func(*passkeytest.Authenticator){
		"another key": func(k *passkeytest.Authenticator) {
			other := authenticator()
			other.ID, other.Handle = k.ID, k.Handle
			*k = *other
		},
		"another id":       func(k *passkeytest.Authenticator) { k.ID = []byte("unknown") },
		"another page":     func(k *passkeytest.Authenticator) { k.Origin = "https://play.example.org" },
		"another party":    func(k *passkeytest.Authenticator) { k.Party = "example.com" },
		"nobody verified":  func(k *passkeytest.Authenticator) { k.Unverified = true },
		"not the same way": func(k *passkeytest.Authenticator) { k.Synced = true },
	} {
		k := key.Clone()
		spoil(k)
		if v, after := p.Check(a.Credentials, shown(t, p, k, at), "", at); v != passkey.Wrong || after != nil {
			t.Errorf("%s: %v", name, v)
		}
	}
	if v, _ := p.Check(nil, shown(t, p, key, at), "", at); v != passkey.Wrong {
		t.Errorf("of no account: %v", v)
	}
	left, err := passkey.Remove(a.Credentials, passkey.List(a.Credentials)[0].Handle)
	if err != nil || len(left) != 1 || left[0] != a.Credentials[0] {
		t.Fatalf("removed: %+v, %v", left, err)
	}
	if v, _ := p.Check(left, shown(t, p, key, at), "", at); v != passkey.Wrong {
		t.Errorf("removed: %v", v)
	}
	if _, err := passkey.Remove(left, passkey.List(a.Credentials)[0].Handle); !errors.Is(err, passkey.ErrNone) {
		t.Errorf("removed twice: %v", err)
	}
}

// A challenge is good for a while, for what it was made for, and in the fleet that has made it.
func TestChallenges(t *testing.T) {
	p, _ := party(t)
	stranger, _ := party(t)
	a, key := enrolled(t, p)
	login, err := p.BeginLogin(start)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := key.Get(login)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]error{
		-2 * time.Minute: passkey.ErrChallenge, 0: nil, passkey.Life: nil, passkey.Life + time.Second: passkey.ErrChallenge,
	} {
		if _, err := p.Read(answer, start.Add(after)); !errors.Is(err, want) {
			t.Errorf("%v after the question: %v, want %v", after, err, want)
		}
	}
	if _, err := stranger.Read(answer, start); !errors.Is(err, passkey.ErrChallenge) {
		t.Errorf("in another fleet: %v", err)
	}
	forged := bytes.Replace(login, []byte("{"), []byte(`{"user":{"id":"AAAAAAAAAAc"},`), 1)
	if created, err := authenticator().Create(forged); err != nil {
		t.Fatal(err)
	} else if _, err := p.Add(a, "x", created, start); !errors.Is(err, passkey.ErrChallenge) {
		t.Errorf("a passkey made for a login: %v", err)
	}
	options, err := p.BeginAdd(&rushgate.Account{ID: 8, Username: "eve"}, start)
	if err != nil {
		t.Fatal(err)
	}
	created, err := authenticator().Create(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Add(a, "x", created, start); !errors.Is(err, passkey.ErrChallenge) {
		t.Errorf("a passkey made for another's account: %v", err)
	}
	none, err := passkey.New("x", []string{origin})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.BeginLogin(start); !errors.Is(err, passkey.ErrNoKeys) {
		t.Errorf("without keys: %v", err)
	}
}

// An account has so many passkeys, each once, and none that it could not keep.
func TestBounds(t *testing.T) {
	p, _ := party(t)
	a := &rushgate.Account{ID: 7, Username: "ada"}
	first := authenticator()
	if err := add(p, a, first, start); err != nil {
		t.Fatal(err)
	}
	if err := add(p, a, first, start); !errors.Is(err, passkey.ErrKnown) {
		t.Errorf("the same once more: %v", err)
	}
	large := authenticator()
	large.ID = bytes.Repeat([]byte("x"), 300)
	if err := add(p, a, large, start); !errors.Is(err, passkey.ErrTooLarge) {
		t.Errorf("an id of 300 bytes: %v", err)
	}
	unverified := authenticator()
	unverified.Unverified = true
	if err := add(p, a, unverified, start); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("a user who was not verified: %v", err)
	}
	for range passkey.Most - 1 {
		if err := add(p, a, authenticator(), start); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(p, a, authenticator(), start); !errors.Is(err, passkey.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	for _, c := range a.Credentials {
		if n := len(c.Kind) + len(c.Provider) + len(c.Subject) + len(c.Secret); n > rushgate.MaxCredentialLen {
			t.Errorf("a credential of %d bytes", n)
		}
	}
}

// What was stored by the first version is read by every later one, and what a later one has stored is left alone.
func TestStored(t *testing.T) {
	stored := []rushgate.Credential{
		{Kind: "passkey", Subject: "phone", Secret: `{"v":1,"id":"AQID","key":"pQ","count":4,"synced":true,` +
			`"created":1795953600,"used":1795953700,"asked":1795953699123456,"attempt":"try-1"}`},
		{Kind: "passkey", Subject: "of a time to come", Secret: `{"v":2,"id":"AQIE"}`},
		{Kind: "passkey", Secret: `{`},
	}
	list := passkey.List(stored)
	if len(list) != 1 || list[0].Name != "phone" || !list[0].Synced || list[0].Created.Unix() != 1795953600 ||
		list[0].Used.Unix() != 1795953700 {
		t.Fatalf("%+v", list)
	}
	left, err := passkey.Remove(stored, list[0].Handle)
	if err != nil || !slices.Equal(left, stored[1:]) {
		t.Errorf("%+v, %v", left, err)
	}
}

func TestCheckOrigins(t *testing.T) {
	for origins, want := range map[string]string{
		"https://play.example.com":                           "play.example.com",
		"https://example.com https://play.example.com:8443":  "example.com",
		"http://localhost:8080":                              "localhost",
		"":                                                   "",
		"http://play.example.com":                            "",
		"https://192.0.2.1":                                  "",
		"https://[2001:db8::1]":                              "",
		"https://play.example.com/":                          "",
		"https://play.example.com https://example.com":       "",
		"https://play.example.com https://xplay.example.com": "",
		"file://": "", "null": "",
	} {
		if id, err := passkey.CheckOrigins(strings.Fields(origins)); id != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", origins, id, err)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, "phone": true, "Ünïcode ☎": true, "a\nb": false, "\xff": false, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false,
	} {
		if passkey.ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// FuzzAnswers feeds what an outsider may send as the answer of an authenticator.
func FuzzAnswers(f *testing.F) {
	p, _ := party(f)
	a, key := enrolled(f, p)
	login, err := p.BeginLogin(start)
	if err != nil {
		f.Fatal(err)
	}
	create, err := p.BeginAdd(a, start)
	if err != nil {
		f.Fatal(err)
	}
	got, _ := key.Get(login)
	created, _ := authenticator().Create(create)
	f.Add([]byte(got))
	f.Add([]byte(created))
	f.Add([]byte(`{"id":"AQ","rawId":"AQ","type":"public-key","response":{"clientDataJSON":"e30"}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if shown, err := p.Read(json.RawMessage(answer), start); err == nil {
			p.Check(a.Credentials, shown, "try", start)
		} else if !errors.Is(err, passkey.ErrForm) && !errors.Is(err, passkey.ErrChallenge) {
			t.Errorf("reading: %v", err)
		}
		after, err := p.Add(a, "x", json.RawMessage(answer), start)
		if err == nil && len(after) != len(a.Credentials)+1 {
			t.Errorf("%d credentials", len(after))
		}
		if err != nil && strings.Contains(fmt.Sprint(err), "library") {
			t.Errorf("adding: %v", err)
		}
	})
}

// BenchmarkCheck measures what a login with a passkey costs, of an account and of none.
func BenchmarkCheck(b *testing.B) {
	p, _ := party(b)
	a, key := enrolled(b, p)
	answer := shown(b, p, key, start)
	for name, credentials := range map[string][]rushgate.Credential{"known": a.Credentials, "unknown": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.Check(credentials, answer, "", start)
			}
		})
	}
}
