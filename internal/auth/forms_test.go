package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
)

// keepHashed stores an account with a hash of the password's bytes, made at a cost.
func (f *fixture) keepHashed(t *testing.T, id int, name, bytes string, iterations int) {
	t.Helper()
	h, err := password.NewHasher(password.Config{Iterations: iterations})
	if err != nil {
		t.Fatal(err)
	}
	j := password.New(bytes)
	h.Run(t.Context(), []*password.Job{&j})
	a := rushgate.Account{
		ID: rushgate.PlayerID(id), Username: name, PasswordHash: j.Hash, CreatedAt: time.Now(), Version: 3,
	}
	errs, err := f.store.CreateAccounts(t.Context(), []rushgate.Account{a})
	if err = errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// loginAs is a login as the front door makes it of what a client sends.
func loginAs(t *testing.T, name, sent string, i int) Request {
	t.Helper()
	canonical, exact, err := rushgate.LoginPassword(sent)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Kind: Login, Username: name, Password: canonical, Exact: exact, Addr: addr(i)}
}

// An account whose hash is one of the bytes that its client has always sent lets that client in, and is then hashed in
// the canonical form, if there is one.
func TestPasswordsHashedAsTheyWereSentGoOnWorking(t *testing.T) {
	const cost = password.MinIterations
	tests := []struct {
		name, sent, hashed, then string
		iterations               int
	}{
		{"canonical", "correct horse", "correct horse", "correct horse", 2 * cost},
		{"no-break space", "pa\u00a0ssword", "pa\u00a0ssword", "pa ssword", 2 * cost},
		{"no-break space, at today's cost", "pa\u00a0ssword", "pa\u00a0ssword", "pa ssword", cost},
		{"no-break space, registered here", "pa\u00a0ssword", "pa ssword", "pa ssword", cost},
		{"decomposed accent", "cafe\u0301 au lait", "cafe\u0301 au lait", "caf\u00e9 au lait", 2 * cost},
		{"em space", "a\u2003bcdefgh", "a\u2003bcdefgh", "a bcdefgh", 2 * cost},
		{"tab", "tab\there", "tab\there", "tab\there", 2 * cost},
	}
	f := newFixture(t, nil)
	f.Start()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := "player-" + string(rune('a'+i))
			f.keepHashed(t, 1000+i, name, tt.hashed, tt.iterations)
			if _, err := f.Submit(t.Context(), loginAs(t, name, "x"+tt.sent, i)); !errors.Is(err, rushgate.BadCredentials) {
				t.Errorf("a wrong password: %v", err)
			}
			if _, err := f.Submit(t.Context(), loginAs(t, name, tt.sent, i)); err != nil {
				t.Fatalf("the right password: %v", err)
			}
			accounts, err := f.store.LoadAccounts(t.Context(), []string{name})
			if err != nil {
				t.Fatal(err)
			}
			check := password.Verify(tt.then, accounts[0].PasswordHash)
			f.cfg.Hasher.Run(t.Context(), []*password.Job{&check})
			if !check.Match || check.Rehash {
				t.Errorf("afterwards the hash is not one of %q at today's cost", tt.then)
			}
		})
	}
}

// Refusing a password costs what the password asks for: the same for a player who does not exist, one whose hash is of
// the canonical form, and one whose hash is of the bytes or old.
func TestFormsOfAPasswordCostTheSameForEveryAccount(t *testing.T) {
	const cost = 2 * password.MinIterations
	f := newFixture(t, func(c *settings) { c.Iterations = cost })
	f.keepHashed(t, 1, "canonical", "pa ss", cost)
	f.keepHashed(t, 2, "exact", "pa\u00a0ss", cost)
	f.keepHashed(t, 3, "cheap", "pa\u00a0ss", cost/2)
	f.Start()
	for wrong, want := range map[string]int64{"wrong": cost, "wr\u00a0ong": 2 * cost, "wr\tong": cost} {
		for i, name := range []string{"nobody", "canonical", "exact", "cheap"} {
			before := f.cfg.Hasher.Iterations()
			if _, err := f.Submit(t.Context(), loginAs(t, name, wrong, i)); !errors.Is(err, rushgate.BadCredentials) {
				t.Errorf("%s, %q: %v", name, wrong, err)
			}
			if got := f.cfg.Hasher.Iterations() - before; got != want {
				t.Errorf("%s, %q: %d iterations, want %d", name, wrong, got, want)
			}
		}
	}
}

// A registration has one form only, whatever else it is given.
func TestRegistrationHasNoExactForm(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	r := request(Register, "alice", 1)
	r.Password, r.Exact = "", "tab\there"
	if _, err := f.Submit(t.Context(), r); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("a registration with an exact form alone: %v", err)
	}
}

// A name of two wide characters may be stored as it was imported, or in canonical form: a login in either writing finds
// the account, and the one that was imported before the other.
func TestNamesOfTwoWideCharactersLogIn(t *testing.T) {
	const cost = password.MinIterations
	f := newFixture(t, nil)
	f.keepHashed(t, 1, "ﾕｷ", "password of ﾕｷ", cost) // as an import has stored it
	f.keepHashed(t, 2, "ユキ", "password of ユキ", cost)
	f.keepHashed(t, 3, "김현", "password of 김현", cost) // as it is registered
	f.Start()
	decomposed := "\u1100\u1175\u11b7\u1112\u1167\u11ab"
	for i, tt := range []struct {
		username, imported, password string
		want                         error
	}{
		{"ユキ", "ﾕｷ", "password of ﾕｷ", nil},
		{"ユキ", "ﾕｷ", "password of ユキ", rushgate.BadCredentials},
		{"ユキ", "", "password of ユキ", nil},
		{"김현", decomposed, "password of 김현", nil},
		{"김현", decomposed, "password of ユキ", rushgate.BadCredentials},
		{"李明", "", "password of 김현", rushgate.BadCredentials},
	} {
		r := Request{Kind: Login, Username: tt.username, Imported: tt.imported, Password: tt.password, Addr: addr(i)}
		if _, err := f.Submit(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("login as %q with the %s: %v, want %v", tt.username+"/"+tt.imported, tt.password, err, tt.want)
		}
	}
}

// A name that looks like an account's is taken before it costs a hash, and counts like a name that is taken.
func TestLookalikesAreTaken(t *testing.T) {
	f := newFixture(t, nil)
	f.keepHashed(t, 5000, "scope", secret, password.MinIterations)
	f.Start()
	before := f.cfg.Hasher.Iterations()
	for i, name := range []string{"ѕсоре", "scope"} {
		if _, err := f.Submit(t.Context(), request(Register, name, i)); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("registration of %q: %v", name, err)
		}
	}
	if n := f.store.admits.Load(); n != 0 {
		t.Errorf("%d admissions were tried", n)
	}
	if n := f.cfg.Hasher.Iterations() - before; n != 0 {
		t.Errorf("%d iterations were made", n)
	}
	if _, err := f.Submit(t.Context(), request(Register, "telescope", 2)); err != nil {
		t.Errorf("another name: %v", err)
	}
	lock := func(name string) (tries int) { // how many names an address may try before it is locked out
		for tries < 1000 {
			_, err := f.Submit(t.Context(), request(Register, name, len(name)+10))
			if errors.Is(err, rushgate.RateLimited) {
				break
			}
			tries++
		}
		return tries
	}
	if alike, same := lock("ѕсоре"), lock("scope"); alike != same {
		t.Errorf("%d tries of a lookalike, %d of the name itself", alike, same)
	}
}
