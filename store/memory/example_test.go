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

// What is to be done later is taken by one node at a time, and again by any if that one does not say that it is done.
func ExampleStore_TakeTasks() {
	ctx := context.Background()
	now := time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC)
	store := memory.New(memory.Options{Now: func() time.Time { return now }})
	defer store.Close()

	mail := rushgate.Task{Kind: "mail", ID: "welcome-alice", Due: now.Add(time.Minute), Data: []byte("alice")}
	if _, err := store.PlanTasks(ctx, []rushgate.Task{mail}); err != nil {
		fmt.Println(err)
		return
	}
	var taken []rushgate.Task
	take := func() {
		tasks, err := store.TakeTasks(ctx, "mail", 10, 30*time.Second)
		fmt.Println(now.Format(time.TimeOnly), len(tasks), err)
		taken = tasks
	}
	take() // not due yet
	now = now.Add(time.Minute)
	take()
	take() // set aside
	now = now.Add(30 * time.Second)
	take() // again: the first taker has not dropped it
	fmt.Println(store.DropTasks(ctx, taken))
	// Output:
	// 00:00:00 0 <nil>
	// 00:01:00 1 <nil>
	// 00:01:00 0 <nil>
	// 00:01:30 1 <nil>
	// <nil>
}

// A walk through the names that begin with some letters, a page at a time.
func ExampleStore_Usernames() {
	ctx := context.Background()
	store := memory.New(memory.Options{})
	defer store.Close()
	var accounts []rushgate.Account
	for i, name := range []string{"alice", "bob", "alan", "albert"} {
		accounts = append(accounts, rushgate.Account{
			ID: rushgate.PlayerID(i + 1), Username: name, PasswordHash: "see package password",
		})
	}
	if _, err := store.CreateAccounts(ctx, accounts); err != nil {
		fmt.Println(err)
		return
	}
	for cursor := ""; ; {
		names, next, err := store.Usernames(ctx, "al", cursor, 2)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(names)
		if cursor = next; next == "" {
			return
		}
	}
	// Output:
	// [alan albert]
	// [alice]
}
