package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/passkeytest"
)

// withPasskeys runs a test in a bubble, of a pool with the accounts player-0 and so on, which have a passkey each.
func withPasskeys(
	t *testing.T, n int, change func(*settings),
	test func(*testing.T, *fixture, []*passkeytest.Authenticator),
) {
	synctest.Test(t, func(t *testing.T) {
		party, err := passkey.New("game", []string{"https://a.example"})
		if err != nil {
			t.Fatal(err)
		}
		ring, err := line.NewKeyring(nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		party.SetKeyring(ring)
		f := newFixture(t, func(c *settings) {
			c.Passkeys = party
			if change != nil {
				change(c)
			}
		})
		keys := make([]*passkeytest.Authenticator, n)
		for i := range f.have(t, n) {
			a := f.account(t, fmt.Sprintf("player-%d", i))
			keys[i] = passkeytest.New("https://a.example", "a.example")
			options, err := party.BeginAdd(&a, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			made, err := keys[i].Create(options)
			if err != nil {
				t.Fatal(err)
			}
			after, err := party.Add(&a, "key", made, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			f.setCredentials(t, a, after)
		}
		f.Start()
		test(t, f, keys)
	})
}

// showing is the wish of a player who shows a passkey, from the i-th address.
func (f *fixture) showing(t *testing.T, key *passkeytest.Authenticator, attempt string, i int) Request {
	t.Helper()
	time.Sleep(time.Millisecond)
	options, err := f.cfg.Passkeys.BeginLogin(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := key.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Attempt: attempt, Addr: addr(i)}
	if r.Assertion, err = f.cfg.Passkeys.Read(answer, time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

// Of many who show one answer at once, one comes in, and the same answer brings that one in again.
func TestPasskeyShownByManyAtOnce(t *testing.T) {
	withPasskeys(t, 1, nil, func(t *testing.T, f *fixture, keys []*passkeytest.Authenticator) {
		r := f.showing(t, keys[0], "", 0)
		var in atomic.Int64
		var won atomic.Value
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				r := r
				r.Attempt, r.Addr = fmt.Sprintf("try-%d", i), addr(i)
				w, err := f.Passkey(t.Context(), r)
				switch {
				case err == nil && w.Player == r.Assertion.Player():
					in.Add(1)
					won.Store(r)
				case !errors.Is(err, rushgate.BadCredentials) && !errors.Is(err, rushgate.ServerBusy) &&
					!errors.Is(err, rushgate.AlreadyLoggedIn):
					t.Errorf("try %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Fatalf("%d came in", in.Load())
		}
		_, err := f.Passkey(t.Context(), won.Load().(Request))
		wantReason(t, "the one whose answer was lost", err, "")
	})
}

// A player who was renamed comes in with the passkey of before, under the new name.
func TestPasskeyOfARenamedPlayer(t *testing.T) {
	withPasskeys(t, 1, nil, func(t *testing.T, f *fixture, keys []*passkeytest.Authenticator) {
		a := f.account(t, "player-0")
		err := f.store.RenameAccount(t.Context(), rushgate.Rename{
			Player: a.ID, Name: a.Username, Epoch: a.Epoch, NewName: "ada", Hold: rushgate.Forever(),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Passkey(t.Context(), f.showing(t, keys[0], "a", 0))
		wantReason(t, "renamed", err, "")
		f.leave(t, "ada") // and its seat is free
		if n := f.door.Stats().Seats; n != 0 {
			t.Errorf("%d seats are taken", n)
		}
	})
}

// In front of a full world an answer is used up with the proof that the player gets, which is all that is asked for
// when there is room.
func TestPasskeyInTheLineOfTheWorld(t *testing.T) {
	withPasskeys(t, 1, func(c *settings) { c.World = 1 },
		func(t *testing.T, f *fixture, keys []*passkeytest.Authenticator) {
			f.openLine(t)
			_, err := f.Submit(t.Context(), request(Register, "first", 3))
			wantReason(t, "the first", err, "")
			r := f.showing(t, keys[0], "a", 1)
			_, err = f.Passkey(t.Context(), r)
			wantReason(t, "who does not wait", err, rushgate.ServerBusy)
			r.Wait, r.Holder = true, line.HolderOf([]byte("0123456789abcdef0123456789abcdef"))
			_, err = f.Passkey(t.Context(), r)
			var refusal *rushgate.Refusal
			if !errors.As(err, &refusal) || refusal.Place.Proof == "" {
				t.Fatalf("in front of a full world: %v", err)
			}
			stranger := r
			stranger.Attempt, stranger.Addr = "b", addr(2)
			_, err = f.Passkey(t.Context(), stranger)
			wantReason(t, "another with the same answer", err, rushgate.BadCredentials)
			f.leave(t, "first")
			for range 100 {
				time.Sleep(time.Second)
				f.door.Move()
				_, err = f.Enter(t.Context(), Request{
					Holder: r.Holder, Ticket: refusal.Place.Ticket, Proof: refusal.Place.Proof, Attempt: "a", Addr: addr(1),
				})
				if again := new(rushgate.Refusal); errors.As(err, &again) && again.Place.Number > 0 {
					refusal.Place.Ticket = again.Place.Ticket
					continue
				}
				break
			}
			wantReason(t, "when there is room", err, "")
		})
}

// An address that shows passkeys of many accounts, none of them good, is locked out as one is that tries passwords;
// those who are known there come in all the same.
func TestBadPasskeysLockTheirOrigin(t *testing.T) {
	withPasskeys(t, 2, nil, func(t *testing.T, f *fixture, keys []*passkeytest.Authenticator) {
		_, err := f.Passkey(t.Context(), f.showing(t, keys[0], "a", 1))
		wantReason(t, "a good one", err, "")
		f.leave(t, "player-0")
		bad := keys[1].Clone()
		bad.ID = []byte("unknown")
		for i := range 100 {
			bad.Handle = []byte{0, 0, 0, 0, 0, 0, 1, byte(i)}
			_, err := f.Passkey(t.Context(), f.showing(t, bad, "", 1))
			wantReason(t, "a bad one", err, rushgate.BadCredentials)
		}
		_, err = f.Passkey(t.Context(), f.showing(t, keys[1], "b", 1))
		wantReason(t, "a good one of a stranger there", err, rushgate.RateLimited)
		_, err = f.Passkey(t.Context(), f.showing(t, keys[0], "c", 1))
		wantReason(t, "who is known there", err, "")
		_, err = f.Passkey(t.Context(), f.showing(t, keys[1], "d", 2))
		wantReason(t, "from elsewhere", err, "")
	})
}

// A policy is asked before anything is done, and does not hear of whose account it is.
func TestPolicyForPasskeys(t *testing.T) {
	var asked []string
	policy := func(c *settings) {
		c.Policy = func(r Request) error {
			asked = append(asked, fmt.Sprint(r.Kind == Passkey, r.Username))
			return rushgate.ServerBusy
		}
	}
	withPasskeys(t, 1, policy, func(t *testing.T, f *fixture, keys []*passkeytest.Authenticator) {
		_, err := f.Passkey(t.Context(), f.showing(t, keys[0], "a", 1))
		wantReason(t, "refused by the policy", err, rushgate.ServerBusy)
		if strings.Join(asked, " ") != "true" {
			t.Errorf("asked of %q", asked)
		}
	})
}
