package redis

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// healsWithin is for how long a test waits for what takes 5 s at most where a machine is not at its limit.
const healsWithin = 60 * time.Second

// heals calls f until it succeeds. Errors other than that the store is unavailable are the test's end.
func heals(t *testing.T, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), healsWithin)
	defer cancel()
	eventuallyBy(t, ctx, f)
}

// saves writes a character's state back under the session it has.
func saves(t *testing.T, s *Store, in rushgate.Admitted) error {
	t.Helper()
	errs, err := s.Save(t.Context(), []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence}})
	if err != nil {
		return err
	}
	return errs[0]
}

// pair returns a master and its replica, which has all that the master has.
func pair(t *testing.T) (master, replica *redistest.Server) {
	t.Helper()
	master = redistest.Start(t, "--repl-diskless-sync-delay", "0")
	replica = redistest.Start(t, "--repl-diskless-sync-delay", "0")
	follow(t, replica, master)
	return master, replica
}

// Behind an address another server has become the master, and the old one, its replica now, keeps the connections that
// it has: nothing but its refusal of a write says so.
func TestFailoverBehindAnAddress(t *testing.T) {
	for name, changes := range map[string]func(address *redistest.Address, old, now *redistest.Server){
		"the address leads to the new master first": func(a *redistest.Address, old, now *redistest.Server) {
			a.LeadTo(now)
			old.Do("REPLICAOF", "127.0.0.1", now.Port())
		},
		"the old master is demoted first": func(a *redistest.Address, old, now *redistest.Server) {
			old.Do("REPLICAOF", "127.0.0.1", now.Port())
			a.LeadTo(now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, now := pair(t)
			address := redistest.StartAddress(t, old)
			s := openStore(t, Options{URLs: []string{address.URL()}, Logger: quiet()})
			in := admit(t, s, nodeA, registration(1))[0]
			now.AwaitAll(t, old)
			now.Do("REPLICAOF", "NO", "ONE")
			changes(address, old, now)
			heals(t, func() error { return saves(t, s, in) })
			heals(t, func() error {
				got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(1)})
				if err == nil && (got[0].Err != nil || got[0].Lease != in.Lease) {
					t.Errorf("the attempt finds %+v, want its lease %+v", got[0], in.Lease)
				}
				return err
			})
		})
	}
}

// A circuit that writes have opened is not closed by reads, which a replica answers.
func TestCircuitIsNotClosedByReads(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	server.Do("REPLICAOF", "127.0.0.1", "1")
	for range breakAfter {
		if err := saves(t, s, in); !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatalf("save to a replica: %v", err)
		}
	}
	due := time.Now().Add(-trialEvery)
	for range 3 {
		s.breaker.mu.Lock()
		s.breaker.tried = due
		s.breaker.mu.Unlock()
		_, err := s.LoadAccounts(t.Context(), []string{"player1"})
		if !errors.Is(err, rushgate.ErrUnavailable) || !s.Health().Open {
			t.Fatalf("a read in the place of a trial: %v, %+v", err, s.Health())
		}
	}
	server.Do("REPLICAOF", "NO", "ONE")
	heals(t, func() error { return saves(t, s, in) })
	if got := s.Health(); got.Openings != 1 {
		t.Errorf("the circuit has opened %d times", got.Openings)
	}
}

// A server that has no room for another connection says so before it is asked anything, and is found again by itself.
func TestServerThatRefusesConnections(t *testing.T) {
	server := redistest.Start(t)
	// Each call tries to connect until its patience ends.
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet(), patience: 300 * time.Millisecond})
	var in rushgate.Admitted
	heals(t, func() error {
		got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(1)})
		if err == nil {
			in = got[0]
		}
		return err
	})
	operator := server.Hold() // who is then the one client
	operator("CONFIG", "SET", "maxclients", "1")
	operator("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	for range 2 * breakAfter {
		if err := saves(t, s, in); !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatalf("save to a server that refuses connections: %v", err)
		}
	}
	operator("CONFIG", "SET", "maxclients", "100")
	heals(t, func() error { return saves(t, s, in) })
	s2 := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	if err := s2.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A failover that an operator orders leaves the old master there, which takes writes until it is told.
func TestSentinelFailoverThatIsOrdered(t *testing.T) {
	t.Parallel() // it waits for the Sentinel most of the time
	w := redistest.StartWatched(t)
	sentinel := func(name string) Options {
		return Options{URLs: []string{w.Sentinel.URL()}, SentinelMaster: name, Logger: quiet()}
	}
	if s, err := Open(t.Context(), sentinel("another")); err == nil || errors.Is(err, rushgate.ErrUnavailable) {
		t.Errorf("a master that no Sentinel knows: %v, %v", s, err)
	}
	s := openStore(t, sentinel(redistest.MasterName))
	in := admit(t, s, nodeA, registration(1))[0]
	w.Replica.AwaitAll(t, w.Master)
	w.OrderFailover(t)
	in.Character.Numbers["xp"] = 77
	heals(t, func() error { // before the old master is told that it is a replica
		s.servers.sentinels.look()
		if err := saves(t, s, in); err != nil {
			return err
		}
		xp, err := w.Replica.Do("HGET", s.playerKey(in.Character.Name), "xp").AsInt64()
		if err != nil || xp != 77 {
			return fmt.Errorf("%w: the new master has %d, %w", rushgate.ErrUnavailable, xp, err)
		}
		return nil
	})
	s.servers.sentinels.learn([]string{"127.0.0.1:1"}) // one that does not answer harms nothing
	if master, err := s.servers.sentinels.master(t.Context()); err != nil || master != w.Replica.Addr() {
		t.Errorf("the master is %s, %v; want %s", master, err, w.Replica.Addr())
	}
}
