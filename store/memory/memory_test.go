package memory_test

import (
	"errors"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

func TestConformance(t *testing.T) {
	c := storetest.NewClock()
	storetest.Run(t, storetest.Harness{
		Open: func(*testing.T) rushgate.Store {
			return memory.New(memory.Options{Now: c.Now, Boards: storetest.Boards()})
		},
		Advance: c.Advance,
	})
}

func TestClosed(t *testing.T) {
	s := memory.New(memory.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Presence(t.Context(), nil); !errors.Is(err, memory.ErrClosed) {
		t.Errorf("Presence after Close = %v, want %v", err, memory.ErrClosed)
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
