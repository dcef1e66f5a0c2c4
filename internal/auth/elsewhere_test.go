package auth

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
)

// zones serves "far" and "farther" elsewhere.
func zones(zone string) (string, bool) {
	address, elsewhere := map[string]string{"far": "far.example:443", "farther": "[2001:db8::7]:8080"}[zone]
	return address, elsewhere
}

// settle registers a player and leaves the character in a zone, outside.
func (f *fixture) settle(t *testing.T, name, zone string) {
	t.Helper()
	s, err := f.Submit(t.Context(), request(Register, name, 1))
	if err != nil {
		t.Fatal(err)
	}
	f.move(t, s.Player, name, 1, zone)
}

// move saves a character in a zone and ends its lease.
func (f *fixture) move(t *testing.T, id rushgate.PlayerID, name string, fence uint64, zone string) {
	t.Helper()
	there := rushgate.Character{ID: id, Name: name, Zone: zone, Numbers: rushgate.Numbers{"level": 1}}
	save := rushgate.Save{Character: there, Fence: fence, Release: true}
	if errs, err := f.store.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
}

func TestPoolSendsPlayersToTheirZone(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.Zones = zones })
	f.Start()
	for name, zone := range map[string]string{"newcomer": "", "local": "near", "distant": "far", "remote": "farther"} {
		f.settle(t, name, zone)
	}
	admits, hashes := f.store.admits.Load(), f.cfg.Hasher.Iterations()
	wrong := request(Login, "distant", 2)
	wrong.Password = "wrong"
	taken := request(Register, "distant", 3)
	tests := []struct {
		name    string
		r       Request
		reason  rushgate.Reason // empty: let in
		address string
	}{
		{"never inside", request(Login, "newcomer", 10), "", ""},
		{"zone served here", request(Login, "local", 11), "", ""},
		{"zone served elsewhere", request(Login, "distant", 12), rushgate.WrongZone, "far.example:443"},
		{"the same once more", request(Login, "distant", 12), rushgate.WrongZone, "far.example:443"},
		{"another zone", request(Login, "remote", 13), rushgate.WrongZone, "[2001:db8::7]:8080"},
		{"wrong password", wrong, rushgate.BadCredentials, ""},
		{"unknown user", request(Login, "nobody", 14), rushgate.BadCredentials, ""},
		{"taken name", taken, rushgate.UsernameTaken, ""},
		{"registration", request(Register, "another", 15), "", ""},
	}
	for _, tt := range tests {
		_, err := f.Submit(t.Context(), tt.r)
		var refusal *rushgate.Refusal
		errors.As(err, &refusal)
		if rushgate.ReasonOf(err) != tt.reason {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.reason)
		} else if tt.address != "" && (refusal == nil || refusal.Address != tt.address || refusal.RetryAfter != 0) {
			t.Errorf("%s: %+v, want the address %s", tt.name, refusal, tt.address)
		}
	}
	// Let in are three; all but the taken name have cost a hash.
	if n := f.store.admits.Load() - admits; n != 3 {
		t.Errorf("%d batches were committed, want 3", n)
	}
	if n := (f.cfg.Hasher.Iterations() - hashes) / password.MinIterations; n != int64(len(tests)-1) {
		t.Errorf("%d derivations, want %d", n, len(tests)-1)
	}
	f.Stop()
	if c := f.Stats().Counters; c.Fail[rushgate.WrongZone] != 3 || c.Success != 4+3 {
		t.Errorf("counters are %+v", c)
	}
}

// It is no failure that counts against an address, nor a success that forgives what it has failed elsewhere.
func TestWrongZoneLeavesTheLimiterAlone(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.Zones = zones })
	f.Start()
	f.settle(t, "distant", "far")
	for range 2 * door.FailureLimit {
		if _, err := f.Submit(t.Context(), request(Login, "distant", 2)); !errors.Is(err, rushgate.WrongZone) {
			t.Fatalf("got %v, want %v", err, rushgate.WrongZone)
		}
	}
	f.settle(t, "victim", "")
	wrong := request(Login, "victim", 3)
	wrong.Password = "wrong"
	for range door.FailureLimit {
		f.Submit(t.Context(), request(Login, "distant", 3))
		if _, err := f.Submit(t.Context(), wrong); !errors.Is(err, rushgate.BadCredentials) {
			t.Fatalf("got %v, want %v", err, rushgate.BadCredentials)
		}
	}
	if _, err := f.Submit(t.Context(), wrong); !errors.Is(err, rushgate.RateLimited) {
		t.Errorf("after %d failures: %v, want %v", door.FailureLimit, err, rushgate.RateLimited)
	}
}

// A hash is replaced where the player is let in.
func TestWrongZoneDoesNotRehash(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.Zones = zones })
	f.Start()
	f.settle(t, "distant", "far")
	const legacy = "5f14740d5493f4de552bc5517834724b$b6754e0cbba0bac05a056e6ffd1fcc0aadbe49b6b75656703bbec3c3474bac0e"
	distant, err := f.store.LoadAccounts(t.Context(), []string{"distant"})
	if err != nil {
		t.Fatal(err)
	}
	change := rushgate.AccountChange{Player: distant[0].ID, Name: "distant", PasswordHash: legacy}
	if errs, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	before := f.cfg.Hasher.Iterations()
	r := request(Login, "distant", 2)
	r.Password = "p@$$w0rd"
	if _, err := f.Submit(t.Context(), r); !errors.Is(err, rushgate.WrongZone) {
		t.Fatalf("got %v, want %v", err, rushgate.WrongZone)
	}
	f.Stop()
	if n := f.cfg.Hasher.Iterations() - before; n != password.DefaultIterations { // what a hash of that form has cost
		t.Errorf("%d iterations, want those of the hash to be checked", n)
	}
}

// stalePlaces is a store on which every character has just moved: accounts still carry the zone before.
type stalePlaces struct {
	rushgate.Store
	saves [][]rushgate.Save
}

func (s *stalePlaces) LoadAccounts(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	accounts, err := s.Store.LoadAccounts(ctx, names)
	for i := range accounts {
		accounts[i].Zone = "near"
	}
	return accounts, err
}

func (s *stalePlaces) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	s.saves = append(s.saves, saves)
	return s.Store.Save(ctx, saves)
}

// A player who moves away between the look at the account and the claim is sent after the character, which stays as it
// is and is free for the node that serves its zone.
func TestPlayerWhoMovesDuringTheLoginIsSentOn(t *testing.T) {
	stale := &stalePlaces{}
	var entered int
	f := newFixture(t, func(c *settings) {
		c.Zones, c.Workers = zones, 1
		stale.Store, c.Store = c.Store, stale
		enter := c.Enter
		c.Enter = func(a rushgate.Arrival) { entered++; enter(a) }
	})
	f.Start()
	f.settle(t, "distant", "far")
	r := request(Login, "distant", 2)
	_, err := f.Submit(t.Context(), r)
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != rushgate.WrongZone || refusal.Address != "far.example:443" {
		t.Fatalf("got %v, want %v", err, rushgate.WrongZone)
	}
	f.Stop()
	if where, err := f.store.Presence(t.Context(), []string{"distant"}); err != nil || where[0].Inside() || entered != 1 {
		t.Errorf("the player is %+v, %v; %d entered", where, err, entered)
	}
	c, err := f.store.LoadCharacters(t.Context(), []string{"distant"})
	if err != nil || c[0].Zone != "far" || c[0].Numbers["level"] != 1 {
		t.Errorf("the character is %+v, %v", c, err)
	}
	if len(stale.saves) != 1 {
		t.Errorf("%d releases", len(stale.saves))
	}
}

func TestPoolTakeover(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	s, err := f.Submit(t.Context(), request(Register, "alice", 1))
	if err != nil {
		t.Fatal(err)
	}
	by := f.cfg.Instance
	plain, taking := request(Login, "alice", 2), request(Login, "alice", 2)
	taking.Takeover = true
	if _, err := f.Submit(t.Context(), plain); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Errorf("without a takeover: %v, want %v", err, rushgate.AlreadyLoggedIn)
	}
	if l, err := f.store.Wanted(t.Context(), by); err != nil || len(l) != 0 {
		t.Errorf("wanted without a takeover: %+v, %v", l, err)
	}
	wrong := taking
	wrong.Password = "wrong"
	if _, err := f.Submit(t.Context(), wrong); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("with a wrong password: %v, want %v", err, rushgate.BadCredentials)
	}
	if l, err := f.store.Wanted(t.Context(), by); err != nil || len(l) != 0 {
		t.Errorf("wanted by somebody with a wrong password: %+v, %v", l, err)
	}
	_, err = f.Submit(t.Context(), taking)
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy ||
		refusal.RetryAfter < time.Second || refusal.RetryAfter >= 2*time.Second || errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Errorf("a takeover of a live session: %v, want %v for a second", err, rushgate.ServerBusy)
	}
	l, err := f.store.Wanted(t.Context(), by)
	if err != nil || len(l) != 1 || l[0].Player != s.Player || l[0].Name != "alice" {
		t.Fatalf("wanted: %+v, %v", l, err)
	}
	f.move(t, s.Player, "alice", l[0].Fence, "near")
	if got, err := f.Submit(t.Context(), taking); err != nil || got.Player != s.Player {
		t.Errorf("when the session has ended: %+v, %v", got, err)
	}
}

// The world may know of a session that the store has forgotten; for the player it is the same.
func TestPoolTakeoverOfASessionInTheWorld(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		f := newFixture(t, func(c *settings) {
			c.Enter = func(a rushgate.Arrival) { a.Reply(rushgate.Session{}, rushgate.AlreadyLoggedIn) }
		})
		f.Start()
		r := request(Register, "alice", 1)
		r.Takeover = takeover
		want := rushgate.AlreadyLoggedIn
		if takeover {
			want = rushgate.ServerBusy
		}
		if _, err := f.Submit(t.Context(), r); rushgate.ReasonOf(err) != want {
			t.Errorf("takeover %v: %v, want %v", takeover, err, want)
		}
		f.Stop()
		if c := f.Stats().Counters; c.Fail[want] != 1 {
			t.Errorf("takeover %v: failures by reason are %v", takeover, c.Fail)
		}
	}
}
