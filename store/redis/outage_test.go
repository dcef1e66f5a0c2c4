package redis

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/storetest"
)

// wantOutage makes calls until the breaker has opened, all of which must end by themselves.
func wantOutage(t *testing.T, s *Store) {
	t.Helper()
	for range breakAfter {
		_, err := s.LoadAccounts(t.Context(), []string{"player1"})
		if !errors.Is(err, rushgate.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("call without a server = %v, want %v and not the caller's own deadline", err, rushgate.ErrUnavailable)
		}
	}
	if stats := s.Health(); !stats.Open || stats.Failures < breakAfter || stats.Openings == 0 {
		t.Errorf("after %d failures: %+v", breakAfter, stats)
	}
}

func TestServerGoesAndComesBack(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*redistest.Server) }{
		"Killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"Hangs":  {(*redistest.Server).Suspend, (*redistest.Server).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
			in := admit(t, s, nodeA, registration(1))[0]
			outage.begin(server)
			wantOutage(t, s)
			if err := s.Ping(t.Context()); !errors.Is(err, rushgate.ErrUnavailable) {
				t.Errorf("Ping without a server = %v, want %v", err, rushgate.ErrUnavailable)
			}
			outage.end(server)
			eventually(t, func() error { return s.Ping(t.Context()) })
			eventually(t, func() error {
				_, err := s.LoadAccounts(t.Context(), []string{"player1"})
				return err
			})
			if stats := s.Health(); stats.Open {
				t.Errorf("after a call that was answered: %+v", stats)
			}
			if got := admit(t, s, nodeA, registration(1))[0]; !got.Resumed || got.Lease != in.Lease {
				t.Errorf("the attempt finds %+v, want its lease %+v", got, in.Lease)
			}
		})
	}
}

// A server that answers and does not take writes lets no player in, which a probe that only reads does not see.
func TestPingShowsAServerThatTakesNoWrites(t *testing.T) {
	for name, state := range map[string]struct{ begin, end []string }{
		"full":    {[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		"replica": {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
		"few replicas": {[]string{"CONFIG", "SET", "min-replicas-to-write", "1"},
			[]string{"CONFIG", "SET", "min-replicas-to-write", "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.Do(state.begin[0], state.begin[1:]...)
			if err := s.Ping(t.Context()); !errors.Is(err, rushgate.ErrUnavailable) {
				t.Errorf("Ping = %v, want %v", err, rushgate.ErrUnavailable)
			}
			server.Do(state.end[0], state.end[1:]...)
			eventually(t, func() error { return s.Ping(t.Context()) })
			if first := reserve(t, s); first != 1 {
				t.Errorf("after pings the first id is %d", first)
			}
		})
	}
}

// A store can be closed while the server hangs; what it still had to write is lost.
func TestCloseWhileTheServerHangs(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	admit(t, s, nodeA, registration(1))
	server.Suspend()
	if _, err := s.LoadAccounts(t.Context(), []string{"player1"}); !errors.Is(err, rushgate.ErrUnavailable) {
		t.Fatalf("call to a server that hangs = %v, want %v", err, rushgate.ErrUnavailable)
	}
	s.standings.put(standing{player: 1, name: "player1", score: score{}})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.LoadAccounts(t.Context(), []string{"player1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("call after Close = %v, want %v", err, ErrClosed)
	}
}

// A save that was given up because the server hung may be carried out when it wakes, after a newer one.
func TestSaveGivenUpDoesNotUndoANewerOne(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}

	late := save
	late.Character.Numbers["xp"] = 1
	onTheWay, err := s.save(&late, lastSave.Add(1))
	if err != nil {
		t.Fatal(err)
	}
	save.Character.Numbers["xp"] = 2
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	answers, err := s.runScripts(t.Context(), []command{onTheWay})
	if err != nil || answers[0].word != "older" {
		t.Fatalf("late save: %+v, %v", answers, err)
	}
	wantXP(t, s, 2)

	server.Suspend()
	for xp := range int64(2) {
		save.Character.Numbers["xp"] = 3 + xp
		if _, err := s.Save(t.Context(), []rushgate.Save{save}); !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatalf("save to a server that hangs: %v", err)
		}
	}
	server.Resume()
	save.Character.Numbers["xp"] = 5
	eventually(t, func() error {
		errs, err := s.Save(t.Context(), []rushgate.Save{save})
		if err == nil && errs[0] != nil {
			t.Fatal(errs[0])
		}
		return err
	})
	wantXP(t, s, 5)
}

// A merge may be gone on with by another process, under the lease that was noted: what that saves with credentials of
// the account is written, whatever number it has there, or is told to have come too late.
func TestSaveOfAnotherProcess(t *testing.T) {
	s := openStore(t, Options{URLs: []string{redistest.Start(t).URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	last := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
	if errs, err := s.Save(t.Context(), []rushgate.Save{last}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	number := lastSave.Load()
	want := func(xp int64, word string) {
		t.Helper()
		save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
		save.Credentials = []rushgate.Credential{{Kind: "code"}}
		save.Character.Numbers = rushgate.Numbers{"xp": xp}
		for _, number := range []uint64{1, number} {
			c, err := s.save(&save, number)
			if err != nil {
				t.Fatal(err)
			}
			if answers, err := s.runScripts(t.Context(), []command{c}); err != nil || answers[0].word != word {
				t.Fatalf("save %d: %+v, %v; want %s", number, answers, err, word)
			}
		}
	}
	want(3, "saved")
	wantXP(t, s, 3)
	last.Release = true
	if errs, err := s.Save(t.Context(), []rushgate.Save{last}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	want(4, "lost")
}

func wantXP(t *testing.T, s *Store, want int64) {
	t.Helper()
	c, err := s.LoadCharacters(t.Context(), []string{"player1"})
	if err != nil || c[0].Numbers["xp"] != want {
		t.Fatalf("character is %+v, %v; want %d XP", c, err, want)
	}
}

// What could not be written to the leaderboards while the server was away is written when it is back.
func TestStandingsOutlastAnOutage(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	s.standings.put(standing{player: 1, name: "player1", score: score{
		fence: in.Lease.Fence, save: lastSave.Add(1), numbers: rushgate.Numbers{"xp": 70},
	}})
	if err := s.settle(t.Context()); !errors.Is(err, rushgate.ErrUnavailable) {
		t.Fatalf("settled without a server: %v", err)
	}
	server.Restart()
	var ranks []rushgate.Rank
	eventually(t, func() (err error) {
		ranks, err = s.Top(t.Context(), rushgate.BoardXP, 10)
		return err
	})
	if want := (rushgate.Rank{Rank: 1, Player: 1, Name: "player1", Score: 70}); len(ranks) != 1 || ranks[0] != want {
		t.Errorf("leaderboard is %+v, want %+v", ranks, want)
	}
	if n := s.Health().Pending; n != 0 {
		t.Errorf("%d players are pending, want 0", n)
	}
}

// A replica that takes its master's place is found by the store that is open.
func TestClusterFailover(t *testing.T) {
	cluster := redistest.StartCluster(t)
	s := openStore(t, Options{URLs: cluster.URLs(), Logger: quiet()})
	const n = 48 // on all masters
	var batch []rushgate.Admission
	var names []string
	for id := range rushgate.PlayerID(n) {
		batch = append(batch, registration(id+1))
		names = append(names, batch[id].Account.Username)
	}
	admit(t, s, nodeA, batch...)
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.AwaitReplicas(t)
	cluster.Masters[0].Kill()
	cluster.AwaitFailover(t, 0)
	var accounts []rushgate.LoadedAccount
	eventually(t, func() (err error) {
		accounts, err = s.LoadAccounts(t.Context(), names)
		return err
	})
	for i, a := range accounts {
		if a.Err != nil || !reflect.DeepEqual(a.Account, batch[i].Account) {
			t.Errorf("account is %+v, want %+v", a, batch[i].Account)
		}
	}
	// The promoted server does not know the scripts yet.
	for _, got := range admit(t, s, nodeA, batch...) {
		if !got.Resumed {
			t.Errorf("the session of %s was not found", got.Character.Name)
		}
	}
	where, err := s.Presence(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for i := range where {
		if where[i].Node != nodeA.Node {
			t.Errorf("%s is %+v", names[i], where[i])
		}
	}
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel() // it waits for the Sentinel most of the time
	w := redistest.StartWatched(t)
	s := openStore(t, Options{URLs: []string{w.Sentinel.URL()}, SentinelMaster: redistest.MasterName, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	w.Replica.AwaitAll(t, w.Master)
	w.Master.Kill()
	w.AwaitFailover(t)
	var got []rushgate.Admitted
	eventually(t, func() (err error) {
		got, err = s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(1)})
		return err
	})
	if got[0].Err != nil || got[0].Lease != in.Lease {
		t.Errorf("the attempt finds %+v, want its lease %+v", got[0], in.Lease)
	}
}

// A failover that forgets a session must not let its saves pass for those of the next one.
func TestForgottenSessionStaysOut(t *testing.T) {
	server := redistest.Start(t)
	c := storetest.NewClock()
	s := openStore(t, Options{URLs: []string{server.URL()}, clock: c.Now})
	release := func(in rushgate.Admitted) error {
		save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
		errs, err := s.Save(t.Context(), []rushgate.Save{save})
		if err != nil {
			t.Fatal(err)
		}
		return errs[0]
	}
	if err := release(admit(t, s, nodeA, registration(1))[0]); err != nil {
		t.Fatal(err)
	}
	replicated, err := server.Do("DUMP", s.playerKey("player1")).ToString()
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Second)
	forgotten := admit(t, s, nodeA, login(1, "forgotten"))[0]
	server.Do("RESTORE", s.playerKey("player1"), "0", replicated, "REPLACE")
	c.Advance(time.Second)
	next := admit(t, s, nodeA, login(1, "next"))[0]
	forgotten.Character.Numbers["xp"] = 1000
	if err := release(forgotten); !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("save of a session that was forgotten: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	if err := release(next); err != nil {
		t.Error(err)
	}
	wantXP(t, s, 0)
}
