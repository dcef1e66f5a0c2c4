package auth

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// twoPools are those of two nodes on one store; each knows of the other what is put into known.
func twoPools(t *testing.T, known *Holder) (here, there *fixture) {
	t.Helper()
	here = newFixture(t, nil)
	there = newFixture(t, func(c *settings) {
		c.Store, c.Instance = here.store, rushgate.Instance{Node: "there", Run: "run"}
		c.Holder = func(i rushgate.Instance) Holder {
			if i != here.cfg.Instance {
				t.Errorf("asked about %+v", i)
			}
			return *known
		}
	})
	there.store = here.store
	here.Start()
	there.Start()
	return here, there
}

// What becomes of a player who asks a node that another one has: by what is known of that, and what the player wants.
func TestAPlayerWhomAnotherNodeHas(t *testing.T) {
	const address = "here.example.org:1"
	tests := []struct {
		name      string
		known     Holder
		elsewhere Elsewhere
		want      rushgate.Reason
		asked     bool // the other node, to let the player go
	}{
		{"nothing is known", Holder{}, Leave, rushgate.AlreadyLoggedIn, false},
		{"nothing is known, and it may move", Holder{}, MoveUnlessReachable, rushgate.ServerBusy, true},
		{"nothing is known, and it is to move", Holder{}, Move, rushgate.ServerBusy, true},
		{"reachable", Holder{Address: address}, Leave, rushgate.WrongZone, false},
		{"reachable, and it may move", Holder{Address: address}, MoveUnlessReachable, rushgate.WrongZone, false},
		{"reachable, and it is to move", Holder{Address: address}, Move, rushgate.ServerBusy, true},
		{"gone", Holder{Address: address, Gone: true}, Leave, "", false},
		{"gone, and it may move", Holder{Gone: true}, MoveUnlessReachable, "", false},
		{"gone, and it is to move", Holder{Address: address, Gone: true}, Move, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			known := tt.known
			here, there := twoPools(t, &known)
			_, session := here.join(t, "alice", 1)
			goOn := Request{SessionToken: session, Elsewhere: tt.elsewhere, Addr: addr(2)}
			w, err := there.Resume(t.Context(), goOn)
			wantReason(t, "the session", err, tt.want)
			if r := refusalOf(err); tt.want == rushgate.WrongZone && r.Address != address ||
				tt.want == rushgate.ServerBusy && r.RetryAfter <= 0 {
				t.Errorf("told %+v", r)
			}
			if tt.want == "" && w.Token != session.Text() {
				t.Error("the session has another token")
			}
			wanted, err := here.store.Wanted(t.Context(), here.cfg.Instance)
			if err != nil || len(wanted) > 0 != tt.asked || tt.asked && !wanted[0].Move {
				t.Errorf("the other node is asked for %+v, %v", wanted, err)
			}
			if _, err := there.Resume(t.Context(), Request{SessionToken: token.NewSession("alice")}); tt.want != "" {
				wantReason(t, "another session of the same player", err, rushgate.BadCredentials)
			}
		})
	}
}

func refusalOf(err error) rushgate.Refusal {
	if r, ok := errors.AsType[*rushgate.Refusal](err); ok {
		return *r
	}
	return rushgate.Refusal{}
}

// Of a node that is gone, logins do not wait until its leases have run out.
func TestALoginWhoseNodeIsGone(t *testing.T) {
	known := Holder{}
	here, there := twoPools(t, &known)
	device, session := here.join(t, "alice", 1)
	_, err := there.Submit(t.Context(), request(Login, "alice", 2))
	wantReason(t, "while the node is there", err, rushgate.AlreadyLoggedIn)
	_, err = there.Resume(t.Context(), resumeBy(device, "a", 2))
	wantReason(t, "the device, while the node is there", err, rushgate.AlreadyLoggedIn)
	known.Gone = true
	if _, err := there.Submit(t.Context(), request(Login, "alice", 2)); err != nil {
		t.Errorf("when the node is gone: %v", err)
	}
	_, err = there.Resume(t.Context(), Request{SessionToken: session, Elsewhere: Move})
	wantReason(t, "the session before", err, rushgate.BadCredentials)
}

// A store that knows nothing of sessions that go on lets nobody in by a token that was made up.
func TestAStoreThatIgnoresContinue(t *testing.T) {
	f := newFixture(t, func(c *settings) { c.Store = ignorant{c.Store} })
	f.Start()
	f.join(t, "alice", 1)
	f.leave(t, "alice")
	for range 2 {
		_, err := f.Resume(t.Context(), Request{SessionToken: token.NewSession("alice")})
		wantReason(t, "a token that was made up", err, rushgate.BadCredentials)
	}
	if _, err := f.Submit(t.Context(), request(Login, "alice", 1)); err != nil {
		t.Errorf("the player, after that: %v", err)
	}
}

// A rush of tokens leaves passwords a fourth of the time at least, and takes none of it while no password waits.
func TestTheLaneLeavesPasswordsTheirShare(t *testing.T) {
	f := newFixture(t, nil)
	if rest := f.rest(30 * time.Millisecond); rest != 0 {
		t.Errorf("without passwords the lane rests for %v", rest)
	}
	f.submit(t.Context(), request(Register, "alice", 1)) // which no worker takes
	for f.queue.Len() == 0 {
		time.Sleep(time.Millisecond)
	}
	if rest := f.rest(30 * time.Millisecond); rest < 10*time.Millisecond {
		t.Errorf("after 30 ms the lane rests for %v, want a third of it", rest)
	}
}

// However many come with tokens, and all the time, those with passwords come in.
func TestPasswordsAreNotStarvedByTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		f.store.beforeLoad = func([]string) { time.Sleep(10 * time.Millisecond) } // so that the lane always has work
		f.Start()
		stop := make(chan struct{})
		var crowd sync.WaitGroup
		for i := range 300 {
			crowd.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						f.Resume(t.Context(), Request{SessionToken: token.NewSession("nobody"), Addr: addr(i)})
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		began := time.Now()
		for i := range 20 {
			if _, err := f.Submit(t.Context(), request(Register, "player-"+string(rune('a'+i)), 1000+i)); err != nil {
				t.Errorf("registration %d: %v", i, err)
			}
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("20 registrations took %v", took)
		}
		close(stop)
		crowd.Wait()
		f.Stop()
	})
}
