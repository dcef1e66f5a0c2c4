package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bytemare "github.com/bytemare/opaque"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/password"
)

// opaquely is a pool with OPAQUE, and a client of it that stretches no password.
func opaquely(t *testing.T, change func(*settings)) *fixture {
	t.Helper()
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := opaque.NewServer(opaque.Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return newFixture(t, func(s *settings) {
		s.Opaque = server
		if change != nil {
			change(s)
		}
	})
}

func client(t *testing.T) *bytemare.Client {
	t.Helper()
	conf := bytemare.DefaultConfiguration()
	conf.KSF = 0
	c, err := conf.Client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// enlist makes an account by OPAQUE.
func (f *fixture) enlist(t *testing.T, name string, i int) {
	t.Helper()
	c := client(t)
	m, err := c.RegistrationInit([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Kind: BeginRegister, Username: name, Addr: addr(i)}
	r.Opaque = Opaque{Message: m.Serialize(), For: RegistrationOf(name)}
	begun, err := f.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Deserialize.RegistrationResponse(begun.Message)
	if err != nil {
		t.Fatal(err)
	}
	upload, _, err := c.RegistrationFinalize(response, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Kind, r.Opaque = FinishRegister, Opaque{State: begun.State, Message: upload.Serialize()}
	if _, err := f.Finish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// begin begins a login, and returns what finishes it.
func (f *fixture) begin(ctx context.Context, t *testing.T, name string, i int) (Request, error) {
	t.Helper()
	c := client(t)
	m, err := c.GenerateKE1([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Kind: BeginLogin, Username: name, Addr: addr(i), Opaque: Opaque{Message: m.Serialize()}}
	begun, err := f.Begin(ctx, r)
	if err != nil {
		return Request{}, err
	}
	ke2, err := c.Deserialize.KE2(begun.Message)
	if err != nil {
		t.Fatal(err)
	}
	r.Kind, r.Opaque = FinishLogin, Opaque{State: begun.State, Message: make([]byte, opaque.KE3Size)}
	if ke3, _, _, err := c.GenerateKE3(ke2, nil, nil); err == nil {
		r.Opaque.Message = ke3.Serialize()
	}
	return r, nil
}

// Logins by OPAQUE go on while passwords are hashed, whose workers are all at it, and whose queue is full.
func TestOpaqueBesidePasswords(t *testing.T) {
	release := make(chan struct{})
	f := opaquely(t, func(s *settings) {
		s.Workers, s.QueueDepth = 1, 1
	})
	f.store.beforeLoad = func(names []string) {
		if names[0] == "slow" {
			<-release
		}
	}
	f.Start()
	f.enlist(t, "alice", 1)
	f.leave(t, "alice")
	held := f.submit(t.Context(), request(Register, "slow", 2))
	for f.store.loads.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	waiting := f.submit(t.Context(), request(Register, "waiting", 3))
	for f.Stats().Depth == 0 {
		time.Sleep(time.Millisecond)
	}
	_, err := f.Submit(t.Context(), request(Register, "late", 4))
	wantReason(t, "a password", err, rushgate.ServerBusy)
	r, err := f.begin(t.Context(), t, "alice", 1)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := f.Finish(t.Context(), r); err != nil || w.SessionProof == "" {
		t.Errorf("let in with %+v, %v", w, err)
	}
	close(release)
	for _, done := range []<-chan error{held, waiting} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	s := f.Stats().Opaque
	if s.Begin.Success != 2 || s.Finish.Success != 2 || s.Begin.Processed != 2 {
		t.Errorf("counted %+v", s)
	}
}

// Passwords are hashed on while clients begin without a pause: their lane rests for them.
func TestBeginningsStarveNoPasswords(t *testing.T) {
	f := opaquely(t, func(s *settings) { s.Workers, s.QueueDepth = 1, 100 })
	f.Start()
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	for i := range 8 {
		m, err := client(t).GenerateKE1([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Kind: BeginLogin, Username: fmt.Sprint("flood-", i), Opaque: Opaque{Message: m.Serialize()}}
		flood.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				r.Addr = addr(1000 + 4*k + i%4) // an origin of its own for each try
				if _, err := f.Begin(ctx, r); err != nil && ctx.Err() == nil {
					if reason := rushgate.ReasonOf(err); reason != rushgate.ServerBusy && reason != rushgate.RateLimited {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	var passwords []<-chan error
	for i := range 40 {
		passwords = append(passwords, f.submit(t.Context(), request(Register, fmt.Sprint("player-", i), i)))
	}
	for _, done := range passwords {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	stop()
	flood.Wait()
}

// What has waited too long, and what nobody waits for, is not computed; a pool that goes down answers all.
func TestBeginningsThatAreStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := opaquely(t, nil) // not started
		ctx, cancel := context.WithCancel(t.Context())
		gone, old := make(chan error, 1), make(chan error, 1)
		go func() { _, err := f.begin(ctx, t, "alice", 1); gone <- err }()
		go func() { _, err := f.begin(t.Context(), t, "bob", 2); old <- err }()
		synctest.Wait()
		cancel()
		wantReason(t, "given up", <-gone, rushgate.RequestExpired)
		time.Sleep(DefaultMaxAge + time.Second)
		f.Start()
		wantReason(t, "too old", <-old, rushgate.RequestExpired)
		synctest.Wait() // for the other one
		if s := f.Stats().Opaque; s.Begin.Expired != 2 || s.Begin.Success != 0 {
			t.Errorf("counted %+v", s)
		}
		if s := f.door.Stats(); s.Tries != 0 || s.Failing != 0 {
			t.Errorf("nobody was answered, and the door has %d tries, %d failing", s.Tries, s.Failing)
		}
		f.Stop()
		_, err := f.begin(t.Context(), t, "carol", 3)
		wantReason(t, "a pool that has stopped", err, rushgate.ServerBusy)
	})
}

// A client that goes away before the end of its login, and comes back, goes on with it.
func TestFinishOnceMore(t *testing.T) {
	f := opaquely(t, nil)
	f.Start()
	f.enlist(t, "alice", 1)
	f.leave(t, "alice")
	r, err := f.begin(t.Context(), t, "alice", 1)
	if err != nil {
		t.Fatal(err)
	}
	f.store.beforeAdmit = func([]rushgate.Admission) { panic("the store is away") }
	_, err = f.Finish(t.Context(), r)
	wantReason(t, "a panic", err, rushgate.InternalError)
	f.store.beforeAdmit = nil
	if _, err := f.Finish(t.Context(), r); err != nil {
		t.Errorf("once more: %v", err)
	}
	_, err = f.Finish(t.Context(), r)
	if !errors.Is(err, opaque.ErrUsed) || rushgate.ReasonOf(err) != rushgate.MissingCredentials {
		t.Errorf("once it was good: %v", err)
	}
}

// The password of an account may be changed while its player computes: what was proved is good no more, and no failure.
func TestFinishOfARecordThatIsGone(t *testing.T) {
	f := opaquely(t, nil)
	f.Start()
	f.enlist(t, "alice", 1)
	f.leave(t, "alice")
	f.enlist(t, "bob", 2)
	b, err := f.store.LoadAccounts(t.Context(), []string{"bob"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * door.FailureLimit {
		r, err := f.begin(t.Context(), t, "alice", 1)
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.store.LoadAccounts(t.Context(), []string{"alice"})
		if err != nil {
			t.Fatal(err)
		}
		c := rushgate.AccountChange{
			Player: a[0].ID, Name: "alice", Epoch: a[0].Epoch, PasswordHash: password.Locked(), RaiseEpoch: true,
			Credentials: b[0].Credentials, Replaces: a[0].Credentials,
		}
		if _, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{c}); err != nil {
			t.Fatal(err)
		}
		_, err = f.Finish(t.Context(), r)
		wantReason(t, "a record that is gone", err, rushgate.BadCredentials)
		c.Epoch, c.Credentials, c.Replaces = a[0].Epoch+1, a[0].Credentials, b[0].Credentials
		if _, err := f.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{c}); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever a client sends as a message is answered, and a batch that it is in with others as well.
func TestBeginningsWithNonsense(t *testing.T) {
	f := opaquely(t, nil)
	f.Start()
	results := make(chan error, 40)
	for i := range 40 {
		go func() {
			if i%2 == 0 {
				_, err := f.begin(t.Context(), t, fmt.Sprint("player-", i), i)
				results <- err
				return
			}
			r := Request{Kind: BeginLogin, Username: "alice", Addr: addr(i), Opaque: Opaque{Message: make([]byte, 96)}}
			_, err := f.Begin(t.Context(), r)
			if errors.Is(err, opaque.ErrMalformed) && rushgate.ReasonOf(err) == rushgate.MissingCredentials {
				err = nil
			}
			results <- err
		}()
	}
	for range 40 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
