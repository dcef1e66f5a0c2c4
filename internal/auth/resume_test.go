package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/token"
)

// leave gives back the lease of a name, as if the player had logged out.
func (f *fixture) leave(t *testing.T, name string) {
	t.Helper()
	f.mu.Lock()
	in, ok := f.inside[name]
	delete(f.inside, name)
	f.mu.Unlock()
	if !ok {
		t.Fatalf("%s is not inside", name)
	}
	last := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
	errs, err := f.store.Save(t.Context(), []rushgate.Save{last})
	if err = errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	f.door.Left(name, door.Left)
}

// join registers a name on a device, and returns the token of that device and of the session.
func (f *fixture) join(t *testing.T, name string, i int) (token.Resume, token.Session) {
	t.Helper()
	r := request(Register, name, i)
	r.Remember = "phone"
	w, err := f.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return resumeToken(t, w), sessionToken(t, w)
}

func resumeToken(t *testing.T, w Welcome) token.Resume {
	t.Helper()
	r, err := token.ParseResume(w.ResumeToken)
	if err != nil {
		t.Fatalf("resume token %q: %v", w.ResumeToken, err)
	}
	return r
}

func sessionToken(t *testing.T, w Welcome) token.Session {
	t.Helper()
	s, err := token.ParseSession(w.Token)
	if err != nil {
		t.Fatalf("session token %q: %v", w.Token, err)
	}
	return s
}

func resumeBy(r token.Resume, attempt string, i int) Request {
	return Request{ResumeToken: r, Attempt: attempt, Addr: addr(i)}
}

func wantReason(t *testing.T, what string, err error, want rushgate.Reason) {
	t.Helper()
	if rushgate.ReasonOf(err) != want {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestResume(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	first, session := f.join(t, "alice", 1)
	_, err := f.Resume(t.Context(), resumeBy(first, "a", 1))
	wantReason(t, "while the player is inside", err, rushgate.AlreadyLoggedIn)
	f.leave(t, "alice")
	hashed := f.cfg.Hasher.Iterations()
	w, err := f.Resume(t.Context(), resumeBy(first, "a", 1))
	if err != nil {
		t.Fatalf("the first use: %v", err)
	}
	next := resumeToken(t, w)
	if next == first || sessionToken(t, w) == session {
		t.Error("a token was given out twice")
	}
	again, err := f.Resume(t.Context(), resumeBy(first, "a", 2)) // the answer was lost
	if err != nil || resumeToken(t, again) != next || again.Token != w.Token {
		t.Errorf("the same try again: another answer, %v", err)
	}
	f.leave(t, "alice")
	if w, err = f.Resume(t.Context(), resumeBy(next, "", 1)); err != nil || resumeToken(t, w) == next {
		t.Errorf("the second use, without an attempt: %v", err)
	}
	if f.cfg.Hasher.Iterations() != hashed {
		t.Error("a password was hashed")
	}
}

// An old token that is shown by another ends both: the device is forgotten, and the session that it has opened.
func TestAStolenResumeTokenEndsTheFamily(t *testing.T) {
	var log strings.Builder
	f := newFixture(t, func(c *settings) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	f.Start()
	stolen, _ := f.join(t, "alice", 1)
	other := request(Login, "alice", 1)
	other.Remember, other.Attempt = "laptop", "laptop"
	f.leave(t, "alice")
	w, err := f.Submit(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	laptop := resumeToken(t, w)
	f.leave(t, "alice")
	thief, err := f.Resume(t.Context(), resumeBy(stolen, "thief", 2))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Resume(t.Context(), resumeBy(stolen, "owner", 1))
	wantReason(t, "the owner's", err, rushgate.BadCredentials)
	_, err = f.Resume(t.Context(), resumeBy(resumeToken(t, thief), "thief-2", 2))
	wantReason(t, "the thief's next", err, rushgate.BadCredentials)
	wanted, err := f.store.Wanted(t.Context(), f.cfg.Instance)
	if err != nil || len(wanted) != 1 || wanted[0].Name != "alice" || wanted[0].Move {
		t.Errorf("the thief's session is not asked for: %+v, %v", wanted, err)
	}
	goOn := Request{SessionToken: sessionToken(t, thief), Addr: addr(2)}
	f.leave(t, "alice")
	_, err = f.Resume(t.Context(), goOn)
	wantReason(t, "the thief's session", err, rushgate.BadCredentials)
	if _, err := f.Resume(t.Context(), resumeBy(laptop, "laptop-2", 1)); err != nil {
		t.Errorf("the other device: %v", err)
	}
	f.Stop()
	if n := f.Stats().Resumes.Reuses; n != 1 {
		t.Errorf("%d reuses are counted, want 1", n)
	}
	if !strings.Contains(log.String(), "player=1") {
		t.Errorf("the log does not say whose token it was: %s", log.String())
	}
	for _, secret := range []string{stolen.Device(), stolen.Text(), thief.Token, thief.ResumeToken, stolen.Hash()} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// What a token that is not good costs, and what it is answered, says nothing of why.
func TestUnknownAndKnownResumeTokensCostTheSame(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	good, session := f.join(t, "alice", 1)
	for what, r := range map[string]Request{
		"no such account":                  {ResumeToken: token.NewResume("nobody")},
		"no such device":                   {ResumeToken: token.NewResume("alice")},
		"a device that is another account": {ResumeToken: token.NewResume("bob")},
	} {
		loads, admits, updates := f.store.loads.Load(), f.store.admits.Load(), f.store.updates.Load()
		_, err := f.Resume(t.Context(), r)
		wantReason(t, what, err, rushgate.BadCredentials)
		if _, more := errors.AsType[*rushgate.Refusal](err); more {
			t.Errorf("%s: %#v says more than others", what, err)
		}
		if l, a, u := f.store.loads.Load()-loads, f.store.admits.Load()-admits, f.store.updates.Load()-updates; l != 1 ||
			a != 0 || u != 0 {
			t.Errorf("%s: %d loads, %d admissions, %d changes, want 1, 0, 0", what, l, a, u)
		}
	}
	_, err := f.Resume(t.Context(), Request{SessionToken: token.NewSession("alice")})
	wantReason(t, "a session that is none", err, rushgate.BadCredentials)
	if _, err := f.Resume(t.Context(), Request{SessionToken: session}); err != nil {
		t.Errorf("the session, after what others have tried: %v", err)
	}
	f.leave(t, "alice")
	if _, err := f.Resume(t.Context(), resumeBy(good, "a", 1)); err != nil {
		t.Errorf("the device, after what others have tried: %v", err)
	}
}

// Answers of a batch that say no are given when all that the store is asked for has been done, whatever they say no to.
func TestRefusalsOfABatchAreToldTogether(t *testing.T) {
	f := newFixture(t, nil)
	good, _ := f.holdLane(t)
	bad := make([]<-chan error, 0, 3)
	for _, r := range []Request{
		{ResumeToken: token.NewResume("nobody")}, {ResumeToken: token.NewResume("alice")},
		{SessionToken: token.NewSession("nobody")},
	} {
		bad = append(bad, f.resume(r))
	}
	ok := f.resume(resumeBy(good, "a", 1))
	f.store.beforeAdmit = func([]rushgate.Admission) {
		for i, answer := range bad {
			select {
			case err := <-answer:
				t.Errorf("%d was answered before the batch was done: %v", i, err)
			default:
			}
		}
	}
	f.release()
	for _, answer := range bad {
		wantReason(t, "a bad token", <-answer, rushgate.BadCredentials)
	}
	wantReason(t, "the good one", <-ok, "")
	if n := f.Stats().Resumes.BatchSize[len(bad)+1]; n != 1 {
		t.Errorf("batches: %v", f.Stats().Resumes.BatchSize)
	}
}

// resume sends a request with a token in the background, and returns when it is in the lane.
func (f *fixture) resume(r Request) <-chan error {
	done := make(chan error, 1)
	before := f.lane.Len()
	go func() { _, err := f.Resume(context.Background(), r); done <- err }()
	for f.lane.Len() == before {
		time.Sleep(time.Millisecond)
	}
	return done
}

// holdLane has a device be remembered, its player leave, and the lane wait until release is called.
func (f *fixture) holdLane(t *testing.T) (token.Resume, token.Session) {
	t.Helper()
	f.Start()
	good, session := f.join(t, "alice", 1)
	f.leave(t, "alice")
	entered, gate := make(chan struct{}), make(chan struct{})
	f.store.beforeLoad = func([]string) {
		f.store.beforeLoad = nil
		close(entered)
		<-gate
	}
	f.release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(f.release)
	go f.Resume(context.Background(), Request{ResumeToken: token.NewResume("holds-the-lane"), Addr: addr(99)})
	<-entered
	return good, session
}

// All of a batch costs one call of the store for each stage.
func TestABatchOfResumesIsOneLoadAndOneAdmission(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	const n = LaneBatchMax
	tokens := make([]token.Resume, n)
	for i := range n {
		tokens[i], _ = f.join(t, fmt.Sprint("player-", i), i)
		f.leave(t, fmt.Sprint("player-", i))
	}
	f.holdLane(t)
	loads, admits := f.store.loads.Load(), f.store.admits.Load()
	var answers []<-chan error
	for i, r := range tokens {
		answers = append(answers, f.resume(resumeBy(r, "a", i)))
	}
	f.release()
	for i, a := range answers {
		wantReason(t, fmt.Sprint(i), <-a, "")
	}
	if l, a := f.store.loads.Load()-loads, f.store.admits.Load()-admits; l != 1 || a != 1 {
		t.Errorf("%d loads and %d admissions, want 1 and 1", l, a)
	}
}

// Two requests of one device at once, and two devices of one account, are each right in the end.
func TestResumesOfOneAccountAtOnce(t *testing.T) {
	f := newFixture(t, nil)
	good, _ := f.holdLane(t)
	var answers []<-chan error
	for range 3 {
		answers = append(answers, f.resume(resumeBy(good, "same-attempt", 1)))
	}
	f.release()
	for _, a := range answers {
		wantReason(t, "the same attempt at once", <-a, "")
	}
	f.leave(t, "alice")
	var tokens []token.Resume
	for i := range 3 {
		r := request(Login, "alice", i)
		r.Remember, r.Takeover = fmt.Sprint("device ", i), true
		w, err := f.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, resumeToken(t, w))
		f.leave(t, "alice")
	}
	var wg sync.WaitGroup
	var in, elsewhere atomic.Int64
	for i, r := range tokens {
		wg.Go(func() {
			switch _, err := f.Resume(t.Context(), resumeBy(r, fmt.Sprint("device-", i), i)); {
			case err == nil:
				in.Add(1)
			case errors.Is(err, rushgate.AlreadyLoggedIn):
				elsewhere.Add(1)
			default:
				t.Errorf("device %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 || elsewhere.Load() != 2 {
		t.Errorf("%d came in, %d were told that the player is inside", in.Load(), elsewhere.Load())
	}
}

// A login that remembers a device at the same time as others is let in with a token that is good.
func TestDevicesRememberedAtOnce(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	f.join(t, "alice", 1)
	f.leave(t, "alice")
	once := sync.OnceFunc(func() { // another device is remembered after the account was loaded
		accounts, err := f.store.Store.LoadAccounts(t.Context(), []string{"alice"})
		if err != nil {
			t.Fatal(err)
		}
		a := accounts[0].Account
		errs, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
			Player: a.ID, Name: a.Username, DevicesRevision: a.Devices.Revision,
			Devices: remember(a.Devices.List, token.NewResume("alice"), "other",
				usage{now: time.Now(), life: time.Hour, attempt: "o"}),
		}})
		if err = errors.Join(append(errs, err)...); err != nil {
			t.Fatal(err)
		}
	})
	f.store.beforeAdmit = func([]rushgate.Admission) { once() }
	r := request(Login, "alice", 1)
	r.Remember = "laptop"
	w, err := f.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	f.leave(t, "alice")
	if _, err := f.Resume(t.Context(), resumeBy(resumeToken(t, w), "a", 1)); err != nil {
		t.Error(err)
	}
	accounts, err := f.store.Store.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil || len(accounts[0].Devices.List) != 3 {
		t.Errorf("%d devices, %v, want 3", len(accounts[0].Devices.List), err)
	}
}

// What ends devices ends all of them, and what bans a player is told to those alone who have a good token.
func TestEpochsAndBansEndResumeTokens(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	good, session := f.join(t, "alice", 1)
	f.leave(t, "alice")
	change := func(c rushgate.AccountChange) {
		t.Helper()
		c.Player, c.Name = 1, "alice"
		errs, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{c})
		if err = errors.Join(append(errs, err)...); err != nil {
			t.Fatal(err)
		}
	}
	change(rushgate.AccountChange{Disabled: &rushgate.Disabled{Until: rushgate.Forever(), Reason: "no"}})
	_, err := f.Resume(t.Context(), resumeBy(good, "a", 1))
	wantReason(t, "a good token of a banned player", err, rushgate.AccountDisabled)
	_, err = f.Resume(t.Context(), resumeBy(token.NewResume("alice"), "a", 1))
	wantReason(t, "a bad token of a banned player", err, rushgate.BadCredentials)
	_, err = f.Resume(t.Context(), Request{SessionToken: session})
	wantReason(t, "the session of a banned player", err, rushgate.BadCredentials)
	change(rushgate.AccountChange{Disabled: &rushgate.Disabled{}})
	w, err := f.Resume(t.Context(), resumeBy(good, "a", 1))
	if err != nil {
		t.Errorf("after the ban: %v", err)
	}
	f.leave(t, "alice")
	change(rushgate.AccountChange{RaiseEpoch: true})
	_, err = f.Resume(t.Context(), resumeBy(resumeToken(t, w), "b", 1))
	wantReason(t, "under another epoch", err, rushgate.BadCredentials)
}

func TestForget(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	good, _ := f.join(t, "alice", 1)
	f.leave(t, "alice")
	for _, r := range []token.Resume{token.NewResume("alice"), token.NewResume("nobody"), good, good} {
		if err := f.Forget(t.Context(), Request{ResumeToken: r, Addr: addr(1)}); err != nil {
			t.Error(err)
		}
	}
	_, err := f.Resume(t.Context(), resumeBy(good, "a", 1))
	wantReason(t, "a device that is forgotten", err, rushgate.BadCredentials)
}

func TestNoDevicesAreRemembered(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.Remember = 0 })
	f.Start()
	r := request(Register, "alice", 1)
	r.Remember = "phone"
	if w, err := f.Submit(t.Context(), r); err != nil || w.ResumeToken != "" {
		t.Errorf("resume token %q, %v", w.ResumeToken, err)
	}
}

func TestADeviceIsForgottenThatIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const life = time.Hour
		f := newFixture(t, func(c *settings) { c.Remember = life })
		f.Start()
		good, _ := f.join(t, "alice", 1)
		for i := range 3 { // each use has it last anew
			f.leave(t, "alice")
			time.Sleep(life - time.Minute)
			w, err := f.Resume(t.Context(), resumeBy(good, "", 1))
			if err != nil {
				t.Fatalf("use %d: %v", i, err)
			}
			good = resumeToken(t, w)
		}
		f.leave(t, "alice")
		time.Sleep(life)
		_, err := f.Resume(t.Context(), resumeBy(good, "", 1))
		wantReason(t, "a device that was not used", err, rushgate.BadCredentials)
		f.Stop()
	})
}

// Whatever strangers try with tokens, no player is locked out by it; an origin that tries many is.
func TestBadTokensAreChargedToTheirOrigin(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	good, session := f.join(t, "alice", 1)
	const stranger, origins = 2, door.DefaultOriginFailures
	for i := range 3 * door.SlowLimit { // against one account
		f.Resume(t.Context(), resumeBy(token.NewResume("alice"), "", stranger+i))
	}
	f.leave(t, "alice")
	if _, err := f.Resume(t.Context(), resumeBy(good, "a", 1)); err != nil {
		t.Errorf("the player, whom strangers have tried: %v", err)
	}
	var err error
	for i := range origins + 1 { // against many, from one
		_, err = f.Resume(t.Context(), resumeBy(token.NewResume(fmt.Sprint("name-", i)), "", stranger))
	}
	wantReason(t, "an origin that tries many names", err, rushgate.RateLimited)
	_, err = f.Resume(t.Context(), Request{SessionToken: session, Addr: addr(stranger)})
	if rushgate.ReasonOf(err) == rushgate.RateLimited {
		t.Errorf("a session behind the same address: %v", err)
	}
}

// A pool that goes down answers those in the lane too, and closes their seats.
func TestThePoolStopsWithTokensInTheLane(t *testing.T) {
	f := newFixture(t, nil)
	waiting := f.resume(Request{SessionToken: token.NewSession("alice"), Addr: addr(1)})
	if n := f.door.Stats().Resumes; n != 1 {
		t.Errorf("%d seats in the lane, want 1", n)
	}
	f.Stop()
	err := <-waiting
	wantReason(t, "a token in the lane", err, rushgate.ServerBusy)
	if r := refusalOf(err); r.RetryAfter <= 0 {
		t.Errorf("told %+v", r)
	}
	if n := f.door.Stats().Resumes; n != 0 {
		t.Errorf("%d seats are left in the lane", n)
	}
	_, err = f.Resume(t.Context(), Request{SessionToken: token.NewSession("alice"), Addr: addr(1)})
	wantReason(t, "a token that comes later", err, rushgate.ServerBusy)
}

// A policy is asked about those who come back, and what it refuses costs the store nothing.
func TestThePolicySeesThoseWhoComeBack(t *testing.T) {
	var asked []Kind
	f := newFixture(t, func(c *settings) {
		c.Policy = func(r Request) error {
			if asked = append(asked, r.Kind); r.Username != "alice" {
				t.Errorf("asked about %q", r.Username)
			}
			return rushgate.ServerBusy
		}
	})
	f.Start()
	_, err := f.Resume(t.Context(), resumeBy(token.NewResume("alice"), "", 1))
	wantReason(t, "a device", err, rushgate.ServerBusy)
	_, err = f.Resume(t.Context(), Request{SessionToken: token.NewSession("alice")})
	wantReason(t, "a session", err, rushgate.ServerBusy)
	if !slices.Equal(asked, []Kind{Resume, Continue}) || f.store.loads.Load() != 0 {
		t.Errorf("asked %v, %d loads", asked, f.store.loads.Load())
	}
	if n := f.Stats().Resumes.Refused; n != 2 {
		t.Errorf("%d refusals are counted, want 2", n)
	}
}

// An account that others change without end does not keep a request for ever.
func TestAnAccountThatAlwaysChanges(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	good, _ := f.join(t, "alice", 1)
	f.leave(t, "alice")
	f.store.beforeAdmit = func(admissions []rushgate.Admission) {
		for i := range admissions {
			admissions[i].Account.Devices.Revision += 100
		}
	}
	_, err := f.Resume(t.Context(), resumeBy(good, "a", 1))
	wantReason(t, "while it changes", err, rushgate.ServerBusy)
	login := request(Login, "alice", 1)
	login.Remember = "laptop"
	_, err = f.Submit(t.Context(), login)
	wantReason(t, "a login meanwhile", err, rushgate.ServerBusy)
	f.store.beforeAdmit = nil
	if _, err := f.Resume(t.Context(), resumeBy(good, "a", 1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
