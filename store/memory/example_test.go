package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
)

// A store whose clock the caller moves: a session that no node refreshes is over after [rushgate.LeaseTTL].
func Example() {
	ctx := context.Background()
	now := time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC)
	store := memory.New(memory.Options{Now: func() time.Time { return now }})
	defer store.Close()

	first, second := rushgate.Instance{Node: "a", Run: "1"}, rushgate.Instance{Node: "b", Run: "1"}
	alice := rushgate.Account{ID: 1, Username: "alice", PasswordHash: "see package password", CreatedAt: now}
	admit := func(by rushgate.Instance, a rushgate.Admission) {
		admitted, err := store.Admit(ctx, by, []rushgate.Admission{a})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("node %s: %v\n", by.Node, admitted[0].Err)
	}
	admit(first, rushgate.Admission{Account: alice, Create: true, Attempt: "registration"})
	admit(second, rushgate.Admission{Account: alice, Attempt: "login"})
	now = now.Add(rushgate.LeaseTTL)
	admit(second, rushgate.Admission{Account: alice, Attempt: "another login"})
	// Output:
	// node a: <nil>
	// node b: already-logged-in
	// node b: <nil>
}
