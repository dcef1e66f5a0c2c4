package auth

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/store/memory"
)

// enrol gives an account a second factor, and returns its key and its recovery codes. The code of now is used up.
func (f *fixture) enrol(t *testing.T, name string) (secret string, recovery []string) {
	t.Helper()
	a := f.account(t, name)
	begun, setup, err := secondfactor.Begin(a.Credentials, "game", name, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	after, recovery, err := secondfactor.Confirm(begun, codeOf(t, setup.Secret), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.setCredentials(t, a, after)
	return setup.Secret, recovery
}

func (f *fixture) account(t *testing.T, name string) rushgate.Account {
	t.Helper()
	accounts, err := f.store.Store.LoadAccounts(t.Context(), []string{name})
	if err != nil || accounts[0].ID == 0 {
		t.Fatal(accounts, err)
	}
	return accounts[0].Account
}

func (f *fixture) setCredentials(t *testing.T, a rushgate.Account, after []rushgate.Credential) {
	t.Helper()
	f.mustUpdate(t, rushgate.AccountChange{
		Player: a.ID, Name: a.Username, Epoch: a.Epoch, Credentials: after, Replaces: a.Credentials,
	})
}

func (f *fixture) mustUpdate(t *testing.T, c rushgate.AccountChange) {
	t.Helper()
	errs, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{c})
	if err = errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// codeOf returns what an authenticator shows now.
func codeOf(t *testing.T, secret string) secondfactor.Code {
	t.Helper()
	s, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return secondfactor.Code(s)
}

// nextCode waits for the next code, and returns it.
func nextCode(t *testing.T, secret string) secondfactor.Code {
	t.Helper()
	time.Sleep(secondfactor.Period)
	return codeOf(t, secret)
}

func withCode(name string, i int, attempt string, code secondfactor.Code) Request {
	r := request(Login, name, i)
	r.Attempt, r.Factor = attempt, code
	return r
}

// protected runs a test in which player-0, without a session, has a second factor.
func protected(
	t *testing.T, set func(*settings), test func(t *testing.T, f *fixture, secret string, recovery []string),
) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		f := newErrands(t, &calls, set)
		f.have(t, 1)
		secret, recovery := f.enrol(t, "player-0")
		f.Start()
		test(t, f, secret, recovery)
		f.Stop()
		if !f.door.Empty() {
			t.Error("a seat was not given back")
		}
	})
}

// Who has the right password is asked for a code, which is good once; nobody else is told that there is one.
func TestSecondFactor(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, recovery []string) {
		login := func(what string, r Request, want rushgate.Reason) Welcome {
			t.Helper()
			w, err := f.Submit(t.Context(), r)
			wantReason(t, what, err, want)
			return w
		}
		login("the password alone", withCode("player-0", 1, "a", ""), rushgate.SecondFactor)
		code := nextCode(t, key)
		wrong := withCode("player-0", 1, "a", code)
		wrong.Password = "wrong horse"
		login("a wrong password with the code", wrong, rushgate.BadCredentials)
		nobody := withCode("nobody-1", 1, "a", code)
		login("nobody with a code", nobody, rushgate.BadCredentials)
		if n := f.store.admits.Load(); n != 0 {
			t.Errorf("%d calls of the store to admit", n)
		}
		in := login("with the code", withCode("player-0", 1, "a", code), "")
		again := login("the same once more, whose answer was lost", withCode("player-0", 1, "a", code), "")
		if in.Token == "" || again.Token != in.Token {
			t.Error("the same attempt has opened another session")
		}
		f.leave(t, "player-0")
		login("the code once more", withCode("player-0", 1, "b", code), rushgate.SecondFactor)
		recovered := secondfactor.Code("")
		if c, err := secondfactor.ParseCode(recovery[0]); err == nil {
			recovered = c
		}
		login("a recovery code", withCode("player-0", 1, "c", recovered), "")
		f.leave(t, "player-0")
		login("the recovery code once more", withCode("player-0", 1, "d", recovered), rushgate.SecondFactor)
		if left := secondfactor.Of(f.account(t, "player-0").Credentials).RecoveryCodes; left != len(recovery)-1 {
			t.Errorf("%d recovery codes left", left)
		}
		if s := f.Stats(); s.Counters.Rehashed != 0 || s.Counters.Fail[rushgate.SecondFactor] != 3 {
			t.Errorf("counted: %+v", s.Counters)
		}
	})
}

// A code that is not asked for changes nothing, and says nothing.
func TestCodeWithoutSecondFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.have(t, 1)
		f.Start()
		_, err := f.Submit(t.Context(), withCode("player-0", 0, "a", "123456"))
		wantReason(t, "a code that nobody asked for", err, "")
		f.Stop()
	})
}

// Wrong codes lock out as wrong passwords do, and the right password forgives none of them.
func TestWrongCodesLockOut(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		for range door.FailureLimit {
			_, err := f.Submit(t.Context(), withCode("player-0", 1, "", ""))
			wantReason(t, "the password alone", err, rushgate.SecondFactor)
			_, err = f.Submit(t.Context(), withCode("player-0", 1, "", "ABCDEFGHIJKLMNOP"))
			wantReason(t, "a wrong code", err, rushgate.SecondFactor)
		}
		_, err := f.Submit(t.Context(), withCode("player-0", 1, "", codeOf(t, key)))
		wantReason(t, "after five wrong codes", err, rushgate.RateLimited)
		_, err = f.Submit(t.Context(), withCode("player-0", 2, "", nextCode(t, key)))
		wantReason(t, "from elsewhere", err, "")
	})
}

// From many addresses codes can be guessed no faster than passwords.
func TestWrongCodesGuardTheAccount(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, _ string, _ []string) {
		judged := 0
		for i := range 10 * door.SlowLimit {
			_, err := f.Submit(t.Context(), withCode("player-0", i<<8, "", "ABCDEFGHIJKLMNOP"))
			if errors.Is(err, rushgate.SecondFactor) {
				judged++
			}
		}
		if judged > door.SlowLimit {
			t.Errorf("%d codes were judged at once, more than %d", judged, door.SlowLimit)
		}
	})
}

// Of two who come with the same code at once, one is let in.
func TestCodeUsedByTwoAtOnce(t *testing.T) {
	protected(t, func(c *settings) { c.Workers = 1 }, func(t *testing.T, f *fixture, key string, _ []string) {
		code := nextCode(t, key)
		done := []<-chan error{
			f.submit(t.Context(), withCode("player-0", 1, "a", code)), f.submit(t.Context(), withCode("player-0", 2, "b", code)),
		}
		var reasons []rushgate.Reason
		for _, d := range done {
			reasons = append(reasons, rushgate.ReasonOf(<-d))
		}
		slices.Sort(reasons)
		if !slices.Equal(reasons, []rushgate.Reason{"", rushgate.SecondFactor}) {
			t.Errorf("answered %q", reasons)
		}
	})
}

// Two logins of one account at once, one of which remembers a device: the code of the other is looked at again.
func TestCodeBesideOtherChanges(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		meanwhile := true
		f.store.beforeAdmit = func([]rushgate.Admission) {
			if a := f.account(t, "player-0"); meanwhile {
				meanwhile = false
				other := rushgate.Credential{Kind: "federated", Subject: "4711"}
				f.setCredentials(t, a, append(slices.Clone(a.Credentials), other))
			}
		}
		r := withCode("player-0", 1, "a", nextCode(t, key))
		r.Remember = "phone"
		w, err := f.Submit(t.Context(), r)
		wantReason(t, "beside another change", err, "")
		a := f.account(t, "player-0")
		if len(a.Credentials) != 3 || w.ResumeToken == "" {
			t.Errorf("%d credentials, remembered: %v", len(a.Credentials), w.ResumeToken != "")
		}
		f.leave(t, "player-0")
		r.Attempt = "b"
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "the code once more", err, rushgate.SecondFactor)
	})
}

// A registration that is sent again is a login from then on, and asks, too. It has no field for a code.
func TestRepeatedRegistrationAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		r := request(Register, "alice", 1)
		r.Attempt = "first"
		_, err := f.Submit(t.Context(), r)
		wantReason(t, "registration", err, "")
		f.leave(t, "alice")
		f.enrol(t, "alice")
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "the registration once more", err, rushgate.SecondFactor)
		f.Stop()
	})
}

// A remembered device is not asked, unless the account asks always: then it remembers none.
func TestSecondFactorOfDevices(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		r := withCode("player-0", 1, "a", nextCode(t, key))
		r.Remember = "phone"
		w, err := f.Submit(t.Context(), r)
		wantReason(t, "login", err, "")
		f.leave(t, "player-0")
		w, err = f.Resume(t.Context(), resumeBy(resumeToken(t, w), "b", 1))
		wantReason(t, "the device", err, "")
		f.leave(t, "player-0")
		a := f.account(t, "player-0")
		always, err := secondfactor.SetAsk(a.Credentials, secondfactor.Always)
		if err != nil {
			t.Fatal(err)
		}
		f.setCredentials(t, a, always)
		for range 10 { // which is no guess
			_, err = f.Resume(t.Context(), resumeBy(resumeToken(t, w), "c", 1))
			wantReason(t, "the device of an account that asks always", err, rushgate.BadCredentials)
		}
		r.Attempt, r.Factor = "d", nextCode(t, key)
		w, err = f.Submit(t.Context(), r)
		wantReason(t, "login", err, "")
		if w.ResumeToken != "" {
			t.Error("an account that asks always remembers a device")
		}
	})
}

// A session goes on without a code: the player has proved it.
func TestSecondFactorOfSessions(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		w, err := f.Submit(t.Context(), withCode("player-0", 1, "a", nextCode(t, key)))
		wantReason(t, "login", err, "")
		_, err = f.Resume(t.Context(), Request{SessionToken: sessionToken(t, w), Addr: addr(1)})
		wantReason(t, "the session", err, "")
	})
}

// A code whose player was not let in, because of a session elsewhere, is good for the takeover.
func TestTakeoverKeepsTheCode(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		other := rushgate.Instance{Node: "other", Run: "run"}
		held, err := f.store.Store.Admit(t.Context(), other, []rushgate.Admission{
			{Account: f.account(t, "player-0"), Attempt: "elsewhere"},
		})
		if err != nil || held[0].Err != nil {
			t.Fatal(held, err)
		}
		r := withCode("player-0", 1, "a", nextCode(t, key))
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "a login", err, rushgate.AlreadyLoggedIn)
		r.Takeover = true
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "a takeover at first", err, rushgate.ServerBusy)
		last := rushgate.Save{Character: held[0].Character, Fence: held[0].Lease.Fence, Release: true}
		if errs, err := f.store.Save(t.Context(), []rushgate.Save{last}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "the takeover", err, "")
	})
}

// openLine has the door give places in its lines.
func (f *fixture) openLine(t *testing.T) {
	t.Helper()
	ring, err := line.NewKeyring(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.door.SetKeyring(ring)
}

// In front of a full world the code is used up with the proof that the player gets, which is all that is asked for
// when there is room.
func TestSecondFactorInTheLineOfTheWorld(t *testing.T) {
	protected(t, func(c *settings) { c.World = 1 }, func(t *testing.T, f *fixture, key string, _ []string) {
		f.openLine(t)
		_, err := f.Submit(t.Context(), request(Register, "first", 3))
		wantReason(t, "the first", err, "")
		holder := line.HolderOf([]byte("0123456789abcdef0123456789abcdef"))
		r := withCode("player-0", 1, "a", "")
		r.Wait, r.Holder = true, holder
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "without a code", err, rushgate.SecondFactor)
		r.Factor = nextCode(t, key)
		_, err = f.Submit(t.Context(), r)
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Place.Proof == "" {
			t.Fatalf("in front of a full world: %v", err)
		}
		stranger := r
		stranger.Attempt, stranger.Addr = "b", addr(2)
		_, err = f.Submit(t.Context(), stranger)
		wantReason(t, "another with the code", err, rushgate.SecondFactor)
		f.leave(t, "first")
		for range 100 {
			time.Sleep(time.Second)
			f.door.Move()
			_, err = f.Enter(t.Context(), Request{
				Holder: holder, Ticket: refusal.Place.Ticket, Proof: refusal.Place.Proof, Attempt: "a", Addr: addr(1),
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

// A player who is not let in keeps the code, in front of a full world too: it is good once the ban is over, or at the
// node that serves the zone.
func TestCodeIsKeptByARefusal(t *testing.T) {
	full := func(c *settings) { c.World, c.Zones = 1, zones }
	protected(t, full, func(t *testing.T, f *fixture, key string, recovery []string) {
		f.openLine(t)
		_, err := f.Submit(t.Context(), request(Register, "first", 3))
		wantReason(t, "the first", err, "")
		code, err := secondfactor.ParseCode(recovery[0])
		if err != nil {
			t.Fatal(err)
		}
		r := withCode("player-0", 1, "a", code)
		r.Wait, r.Holder = true, line.HolderOf([]byte("0123456789abcdef0123456789abcdef"))
		kept := func(what string, want rushgate.Reason) {
			t.Helper()
			_, err := f.Submit(t.Context(), r)
			wantReason(t, what, err, want)
			if left := secondfactor.Of(f.account(t, "player-0").Credentials).RecoveryCodes; left != len(recovery) {
				t.Errorf("%s: %d recovery codes are left of %d", what, left, len(recovery))
			}
		}
		a := f.account(t, "player-0")
		ban := rushgate.AccountChange{
			Player: a.ID, Name: a.Username, Epoch: a.Epoch, Disabled: &rushgate.Disabled{Until: rushgate.Forever()},
		}
		f.mustUpdate(t, ban)
		kept("banned", rushgate.AccountDisabled)
		ban.Disabled = &rushgate.Disabled{}
		f.mustUpdate(t, ban)
		r.Wait = false
		kept("who does not wait", rushgate.ServerBusy)
		r.Wait = true
		lease, err := f.store.Store.Admit(t.Context(), rushgate.Instance{Node: "far", Run: "run"}, []rushgate.Admission{
			{Account: a, Attempt: "far"},
		})
		if err != nil || lease[0].Err != nil {
			t.Fatal(lease, err)
		}
		f.move(t, a.ID, a.Username, lease[0].Lease.Fence, "far")
		kept("served elsewhere", rushgate.WrongZone)
	})
}

// Those whose hash is another system's are asked in the slow lane.
func TestSecondFactorInTheSlowLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.keep(t, 5000, "import", bcryptHash)
		key, _ := f.enrol(t, "import")
		f.Start()
		r := withCode("import", 1, "a", "")
		r.Password = "U*U"
		_, err := f.Submit(t.Context(), r)
		wantReason(t, "the password", err, rushgate.SecondFactor)
		if a := f.account(t, "import"); a.PasswordHash != bcryptHash {
			t.Error("a player who was not let in has another hash")
		}
		r.Factor = nextCode(t, key)
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "the code", err, "")
		f.Stop()
	})
}

// Who looks after the account proves both, and uses nothing up before something comes of it.
func TestProve(t *testing.T) {
	protected(t, nil, func(t *testing.T, f *fixture, key string, _ []string) {
		a := f.account(t, "player-0")
		r := Request{Player: a.ID, Username: "player-0", Password: secret, Addr: addr(1)}
		_, err := f.Confirm(t.Context(), r)
		wantReason(t, "the password", err, rushgate.SecondFactor)
		r.Factor = nextCode(t, key)
		proven, err := f.Confirm(t.Context(), r)
		wantReason(t, "the code", err, "")
		if proven.Account.ID != a.ID || slices.Equal(proven.Credentials, a.Credentials) || proven.Credentials == nil {
			t.Errorf("proven: player %d, %d credentials", proven.Account.ID, len(proven.Credentials))
		}
		_, err = f.Confirm(t.Context(), r)
		wantReason(t, "the code, which is not used up", err, "")
		r.Player++
		_, err = f.Confirm(t.Context(), r)
		wantReason(t, "another's account", err, rushgate.BadCredentials)
	})
}

// updatesFail is a store that changes no accounts.
type updatesFail struct {
	rushgate.Store
	fails bool
}

func (s *updatesFail) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if s.fails {
		return nil, rushgate.ErrUnavailable
	}
	return s.Store.UpdateAccounts(ctx, changes)
}

// A store that fails has the player try again, in front of a full world, too.
func TestSecondFactorOfAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &updatesFail{Store: memory.New(memory.Options{})}
		f := newFixture(t, func(c *settings) { c.World = 1 })
		f.store.Store = failing
		f.have(t, 1)
		key, _ := f.enrol(t, "player-0")
		f.openLine(t)
		f.Start()
		_, err := f.Submit(t.Context(), request(Register, "first", 3))
		wantReason(t, "the first", err, "")
		failing.fails = true
		r := withCode("player-0", 1, "a", nextCode(t, key))
		r.Wait, r.Holder = true, line.HolderOf([]byte("0123456789abcdef0123456789abcdef"))
		_, err = f.Submit(t.Context(), r)
		wantReason(t, "with a store that fails", err, rushgate.ServerBusy)
		var refusal *rushgate.Refusal
		if errors.As(err, &refusal) && refusal.Place.Proof != "" {
			t.Error("a proof for a code that is not used up")
		}
		f.Stop()
	})
}
