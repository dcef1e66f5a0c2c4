package memory_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

// clock stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestConformance(t *testing.T) {
	c := &clock{now: time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC)}
	storetest.Run(t, storetest.Harness{
		Open:    func(*testing.T) rushgate.Store { return memory.New(memory.Options{Now: c.Now}) },
		Advance: c.Advance,
	})
}

func TestClosed(t *testing.T) {
	s := memory.New(memory.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Online(t.Context()); !errors.Is(err, memory.ErrClosed) {
		t.Errorf("Online after Close = %v, want %v", err, memory.ErrClosed)
	}
}

// A batch that fails as a whole leaves nothing behind, whichever of its items is at fault.
func TestUsedIDFailsTheBatch(t *testing.T) {
	s := memory.New(memory.Options{})
	create := func(id rushgate.PlayerID, name string) rushgate.Admission {
		return rushgate.Admission{
			Account: rushgate.Account{ID: id, Username: name, PasswordHash: "hash of " + name},
			Create:  true,
			Attempt: "a",
		}
	}
	by := rushgate.Instance{Node: "n", Run: "r"}
	batch := []rushgate.Admission{create(1, "alice"), create(2, "bob"), create(1, "carol")}
	if got, err := s.Admit(t.Context(), by, batch); err == nil {
		t.Fatalf("admitted as %+v", got)
	}
	accounts, err := s.LoadAccounts(t.Context(), []string{"alice", "bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if a.ID != 0 {
			t.Errorf("%s was created", a.Username)
		}
	}
}
