package redis

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// Of many registrations of one name on several nodes at once exactly one wins, and nothing of the others remains.
func TestOneNameOnSeveralNodes(t *testing.T) {
	const nodes, registrations = 4, 50
	server := redistest.Start(t)
	var stores [nodes]*Store
	for i := range stores {
		stores[i] = openStore(t, Options{URLs: []string{server.URL()}})
	}
	var wg sync.WaitGroup
	results := make([]rushgate.Admitted, registrations)
	for i := range results {
		wg.Go(func() {
			a := registration(rushgate.PlayerID(i + 1))
			a.Account.Username = "alice"
			node := i % nodes
			by := rushgate.Instance{Node: fmt.Sprint(node), Run: "1"}
			admitted, err := stores[node].Admit(t.Context(), by, []rushgate.Admission{a})
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			results[i] = admitted[0]
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var winner rushgate.PlayerID
	for i, r := range results {
		switch id := rushgate.PlayerID(i + 1); {
		case r.Err == nil && winner == 0:
			winner = id
		case !errors.Is(r.Err, rushgate.UsernameTaken):
			t.Errorf("registration %d: %v after %d has won", id, r.Err, winner)
		}
	}
	if winner == 0 {
		t.Fatal("nobody has won")
	}
	for _, s := range stores { // each writes to the leaderboards what it knows, when it comes to it
		if err := s.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range stores {
		wantAlone(t, s, winner)
	}
	if keys, err := server.Do("KEYS", "*player:*").AsStrSlice(); err != nil || len(keys) != 1 {
		t.Errorf("records are %q, %v; want one", keys, err)
	}
}

// wantAlone checks that a player is alice, and the only one.
func wantAlone(t *testing.T, s *Store, winner rushgate.PlayerID) {
	t.Helper()
	accounts, err := s.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil || accounts[0].ID != winner || accounts[0].PasswordHash != registration(winner).Account.PasswordHash {
		t.Errorf("account is %+v, %v; want that of %d", accounts, err, winner)
	}
	for _, board := range s.keptBoards() {
		if ranks, err := s.Top(t.Context(), board, 10); err != nil || len(ranks) != 1 || ranks[0].Player != winner {
			t.Errorf("leaderboard %s is %+v, %v; want player %d alone", board, ranks, err, winner)
		}
	}
}
