package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// guestAt is the wish of the device with the i-th secret, from the i-th address.
func guestAt(i int, attempt string) Request {
	return Request{Attempt: attempt, Addr: addr(i), Shown: Shown{
		Credential: linked.OfGuest([32]byte{1, byte(i >> 8), byte(i)}), Create: true,
	}}
}

// keyOf is by what the identity of a request is found.
func keyOf(r Request) rushgate.IdentityKey {
	key, _ := linked.Key(r.Shown.Credential)
	return key
}

// owner returns who has claimed the identity of a request.
func (f *fixture) owner(t *testing.T, r Request) rushgate.PlayerID {
	t.Helper()
	owners, err := f.store.IdentityOwners(t.Context(), []rushgate.IdentityKey{keyOf(r)})
	if err != nil {
		t.Fatal(err)
	}
	return owners[0]
}

// claims has a player claim the identity of a request, and no account follow.
func (f *fixture) claims(t *testing.T, r Request, player rushgate.PlayerID) {
	t.Helper()
	_, err := f.store.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: keyOf(r), Player: player}})
	if err != nil {
		t.Fatal(err)
	}
}

// enters has a player come in, and returns what the session is of.
func (f *fixture) enters(t *testing.T, what string, r Request) Welcome {
	t.Helper()
	w, err := f.Identity(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return w
}

// nameOf returns what a player inside is called.
func (f *fixture) nameOf(t *testing.T, player rushgate.PlayerID) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, in := range f.inside {
		if in.Lease.Player == player {
			return name
		}
	}
	t.Fatalf("player %d is not inside", player)
	return ""
}

// identityStores are the stores, and how each is made to hold a claim for an old one.
var identityStores = map[string]func(t *testing.T) (s rushgate.Store, age func()){
	"memory": func(*testing.T) (rushgate.Store, func()) {
		c := new(aging)
		return memory.New(memory.Options{Now: c.now}), c.age
	},
	"sqlite": func(t *testing.T) (rushgate.Store, func()) {
		c := new(aging)
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		return s, c.age
	},
	"redis": func(t *testing.T) (rushgate.Store, func()) {
		server := redistest.Start(t)
		s, err := redis.Open(t.Context(), redis.Options{URLs: []string{server.URL()}})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() {
			const script = `for _, k in ipairs(redis.call('KEYS', '*identity:*')) do
				redis.call('HINCRBY', k, 'claimed_at', -40000) end`
			if err := server.Do("EVAL", script, "0").Error(); err != nil && err.Error() != "redis nil message" {
				t.Fatal(err)
			}
		}
	},
}

// aging is a clock that can be set.
type aging struct {
	mu sync.Mutex
	by time.Duration
}

func (c *aging) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *aging) age() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += 40 * time.Second
}

// On every store a device becomes a player, and stays the same one whatever becomes of the account: called otherwise,
// banned, and another one only when it is gone.
func TestIdentityOnEveryStore(t *testing.T) {
	for name, open := range identityStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, age := open(t)
			t.Cleanup(func() { store.Close() })
			f := newFixture(t, func(c *settings) { c.Store.(*spyStore).Store = store })
			f.Start()
			testGuest(t, f)
			testGuestsAtOnce(t, f)
			testStaleClaim(t, f, age)
		})
	}
}

func testGuest(t *testing.T, f *fixture) {
	r := guestAt(1, "a")
	first := f.enters(t, "new", r)
	name := f.nameOf(t, first.Player)
	if a := f.account(t, name); a.ID != first.Player || !linked.IsGuestName(name) || f.owner(t, r) != a.ID {
		t.Errorf("%q has %+v", name, a)
	}
	if lost := f.enters(t, "the same attempt", r); lost.Session != first.Session {
		t.Errorf("the same attempt has another session: %+v, %+v", lost, first)
	}
	_, err := f.Identity(t.Context(), guestAt(1, "b"))
	wantReason(t, "while inside", err, rushgate.AlreadyLoggedIn)
	f.leave(t, name)
	_, err = f.Submit(t.Context(), request(Login, name, 1))
	wantReason(t, "by a password", err, rushgate.BadCredentials)
	again := guestAt(1, "c")
	again.Remember = "phone"
	if w := f.enters(t, "again", again); w.Player != first.Player || w.ResumeToken == "" {
		t.Errorf("again: %+v", w)
	}
	f.leave(t, name)

	a := f.account(t, name)
	err = f.store.RenameAccount(t.Context(), rushgate.Rename{
		Player: a.ID, Name: name, Epoch: a.Epoch, NewName: "ada", Hold: rushgate.Forever(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := f.enters(t, "renamed", guestAt(1, "d")); w.Player != a.ID || f.nameOf(t, a.ID) != "ada" {
		t.Errorf("renamed: %+v", w)
	}
	f.leave(t, "ada")
	a = f.account(t, "ada")
	f.mustUpdate(t, rushgate.AccountChange{
		Player: a.ID, Name: "ada", Epoch: a.Epoch,
		Disabled: &rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "because"},
	})
	_, err = f.Identity(t.Context(), guestAt(1, "e"))
	wantReason(t, "banned", err, rushgate.AccountDisabled)
	if err := f.store.DeleteAccount(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	_, err = f.store.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: keyOf(r), Replaces: a.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if w := f.enters(t, "once the account is gone", guestAt(1, "f")); w.Player == a.ID {
		t.Error("the account is there again")
	}
}

// Of many who show one new secret at once one makes the account; the others come to it.
func testGuestsAtOnce(t *testing.T, f *fixture) {
	var all sync.WaitGroup
	players := make([]rushgate.PlayerID, 8)
	for i := range players {
		all.Go(func() {
			r := guestAt(2, fmt.Sprintf("try-%d", i%2))
			w, err := f.Identity(t.Context(), r)
			if err == nil {
				players[i] = w.Player
			} else if !errors.Is(err, rushgate.ServerBusy) && !errors.Is(err, rushgate.AlreadyLoggedIn) {
				t.Errorf("try %d: %v", i, err)
			}
		})
	}
	all.Wait()
	owner := f.owner(t, guestAt(2, ""))
	for i, p := range players {
		if p != 0 && p != owner {
			t.Errorf("try %d came in as player %d, the secret is of %d", i, p, owner)
		}
	}
	names, err := f.store.PlayerNames(t.Context(), []rushgate.PlayerID{owner})
	if err != nil || !linked.IsGuestName(names[0]) {
		t.Errorf("player %d is called %q, %v", owner, names, err)
	}
}

// A node that died after it had claimed an identity keeps the device out for a moment, not for good; so does an account
// that has lost the identity.
func testStaleClaim(t *testing.T, f *fixture, age func()) {
	id, err := f.store.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	r := guestAt(3, "a")
	f.claims(t, r, id)
	_, err = f.Identity(t.Context(), r)
	wantReason(t, "just after the node died", err, rushgate.ServerBusy)
	age()
	w := f.enters(t, "later", r)
	if w.Player == id || f.owner(t, r) != w.Player {
		t.Errorf("came in as player %d, with a claim of %d", w.Player, f.owner(t, r))
	}

	other := guestAt(4, "a")
	f.claims(t, other, w.Player)
	age()
	if in := f.enters(t, "one whose claim another has", other); in.Player == w.Player {
		t.Error("a claim alone opens an account")
	}
}

// An identity that nobody has opens nothing, and leaves nothing behind, unless an account may be made.
func TestIdentityWithoutAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		r := guestAt(1, "a")
		r.Shown.Create = false
		_, err := f.Identity(t.Context(), r)
		wantReason(t, "nobody has it", err, rushgate.BadCredentials)
		if f.owner(t, r) != 0 {
			t.Error("it was claimed")
		}
		_, err = f.Identity(t.Context(), Request{Shown: Shown{Credential: rushgate.Credential{Kind: "passkey"}}})
		wantReason(t, "no identity", err, rushgate.MissingCredentials)
	})
}

// A player whom a provider vouches for is called as there, or nearly so if that name is taken, or looks like one that
// is; one who is called what nobody can be here has a name by chance.
func TestNamesOfFederatedPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		vouched := func(subject, called string) Request {
			return Request{Addr: addr(1), Shown: Shown{
				Credential: linked.OfProvider("https://id.example", subject), Create: true, Names: linked.NamesFrom(called),
			}}
		}
		names := make([]string, 4)
		for i, called := range []string{"Ada", "ada", "adа", "admin"} { // the third has a Cyrillic letter
			w := f.enters(t, called, vouched(fmt.Sprint(i), called))
			names[i] = f.nameOf(t, w.Player)
			if again := f.enters(t, "again", func() Request {
				f.leave(t, names[i])
				return vouched(fmt.Sprint(i), "another name")
			}()); again.Player != w.Player {
				t.Errorf("%q: came again as player %d, was %d", called, again.Player, w.Player)
			}
		}
		if names[0] != "ada" || len(names[1]) != 7 || names[1][:3] != "ada" || names[2] == "adа" || names[3][:7] != "player-" {
			t.Errorf("they are called %q", names)
		}
	})
}

// A second factor is asked for as after a password, and its codes are held against the account.
func TestIdentityWithASecondFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		r := guestAt(1, "a")
		name := f.nameOf(t, f.enters(t, "new", r).Player)
		f.leave(t, name)
		secret, _ := f.enrol(t, name)
		_, err := f.Identity(t.Context(), r)
		wantReason(t, "without a code", err, rushgate.SecondFactor)
		wrong := guestAt(1, "b")
		wrong.Factor = "000000"
		for i := range door.FailureLimit {
			_, err = f.Identity(t.Context(), wrong)
			wantReason(t, fmt.Sprintf("wrong code %d", i), err, rushgate.SecondFactor)
		}
		_, err = f.Identity(t.Context(), wrong)
		wantReason(t, "one more", err, rushgate.RateLimited)
		time.Sleep(door.LockoutTime + time.Second)
		right := guestAt(1, "c")
		right.Factor = nextCode(t, secret)
		f.enters(t, "with the code", right)
	})
}

// In front of a full world a new guest who waits has an account, and a place in the line like all others.
func TestNewGuestInTheLineOfTheWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.World = 1 })
		f.Start()
		f.openLine(t)
		_, err := f.Submit(t.Context(), request(Register, "first", 3))
		wantReason(t, "the first", err, "")
		r := guestAt(1, "a")
		_, err = f.Identity(t.Context(), r)
		wantReason(t, "who does not wait", err, rushgate.ServerBusy)
		if f.owner(t, r) != 0 {
			t.Error("an account was made for one who cannot come in")
		}
		r.Wait, r.Holder = true, line.HolderOf([]byte("0123456789abcdef0123456789abcdef"))
		_, err = f.Identity(t.Context(), r)
		refusal, _ := errors.AsType[*rushgate.Refusal](err)
		if refusal == nil || refusal.Place.Proof == "" {
			t.Fatalf("in front of a full world: %v", err)
		}
		f.leave(t, "first")
		for range 100 {
			time.Sleep(time.Second)
			f.door.Move()
			_, err = f.Enter(t.Context(), Request{
				Holder: r.Holder, Ticket: refusal.Place.Ticket, Proof: refusal.Place.Proof, Attempt: "a", Addr: addr(1),
			})
			if again, _ := errors.AsType[*rushgate.Refusal](err); again != nil && again.Place.Number > 0 {
				refusal.Place.Ticket = again.Place.Ticket
				continue
			}
			break
		}
		wantReason(t, "when there is room", err, "")
		if name := f.nameOf(t, f.owner(t, r)); !linked.IsGuestName(name) {
			t.Errorf("is called %q", name)
		}
	})
}

// A guest whose answer from the store was lost has one account, and comes in by the same secret.
func TestGuestWhoseAnswerWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		lost := &losing{spyStore: f.store}
		f.Pool.cfg.Store = lost
		f.Start()
		for _, at := range []string{"claim", "admit"} {
			r := guestAt(len(at), "a")
			lost.at = at
			_, err := f.Identity(t.Context(), r)
			wantReason(t, "lost at "+at, err, rushgate.ServerBusy)
			lost.at = ""
			time.Sleep(time.Second)
			w, err := f.Identity(t.Context(), r)
			for range 40 {
				if !errors.Is(err, rushgate.ServerBusy) {
					break
				}
				time.Sleep(time.Second)
				w, err = f.Identity(t.Context(), r)
			}
			wantReason(t, "afterwards", err, "")
			if f.owner(t, r) != w.Player {
				t.Errorf("lost at %s: player %d, claimed for %d", at, w.Player, f.owner(t, r))
			}
		}
	})
}

// A store may know the name of an account that was never made, or is not there any more: then the device waits until
// that can be no rename.
func TestNameWithoutAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Pool.cfg.Store = &naming{f.store, map[rushgate.PlayerID]string{7: "guest-abcdefgh"}}
		f.Start()
		r := guestAt(1, "")
		f.claims(t, r, 7)
		start := time.Now()
		for {
			_, err := f.Identity(t.Context(), r)
			if err == nil {
				break
			}
			wantReason(t, "meanwhile", err, rushgate.ServerBusy)
			time.Sleep(2 * time.Second)
		}
		if took := time.Since(start); took < rushgate.IdentityHold || took > rushgate.IdentityHold+5*time.Second {
			t.Errorf("came in after %v", took)
		}
	})
}

// naming is a store that has names of players whose accounts are not there.
type naming struct {
	*spyStore
	names map[rushgate.PlayerID]string
}

func (s *naming) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	names, err := s.Store.PlayerNames(ctx, players)
	for i, p := range players {
		if err == nil && names[i] == "" {
			names[i] = s.names[p]
		}
	}
	return names, err
}

// losing is a store that does as it is told, and whose answer is lost.
type losing struct {
	*spyStore
	at string
}

func (s *losing) ClaimIdentities(
	ctx context.Context, claims []rushgate.IdentityClaim,
) ([]rushgate.PlayerID, error) {
	owners, err := s.Store.ClaimIdentities(ctx, claims)
	if s.at == "claim" {
		return nil, rushgate.ErrUnavailable
	}
	return owners, err
}

func (s *losing) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	admitted, err := s.Store.Admit(ctx, by, admissions)
	if s.at == "admit" {
		return nil, rushgate.ErrUnavailable
	}
	return admitted, err
}

// One address that makes guests without an end is told when to come back, once its budget is used up; all others come
// in, and so do those that it has made.
func TestFloodOfGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		in, limited := 0, 0
		for i := range door.DefaultOriginGuests + 100 {
			r := guestAt(i, "")
			r.Addr = addr(7)
			w, err := f.Identity(t.Context(), r)
			refusal, _ := errors.AsType[*rushgate.Refusal](err)
			switch {
			case err == nil:
				in++
				f.leave(t, f.nameOf(t, w.Player))
			case errors.Is(err, rushgate.RateLimited) && refusal.RetryAfter > 0:
				limited++
			default:
				t.Fatalf("guest %d: %v", i, err)
			}
		}
		if in != door.DefaultOriginGuests || limited != 100 {
			t.Errorf("%d guests were made, %d were told to come back", in, limited)
		}
		for what, r := range map[string]Request{"who registers": request(Register, "ada", 7), "elsewhere": guestAt(9999, "")} {
			_, err := f.Submit(t.Context(), r)
			if r.Shown.Create {
				_, err = f.Identity(t.Context(), r)
			}
			wantReason(t, what, err, "")
		}
		r := guestAt(0, "")
		r.Addr = addr(7)
		f.enters(t, "a guest of before", r)
	})
}
