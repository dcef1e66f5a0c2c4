package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// A name that is held for a player stays so while the clock is set by a year, and after that.
func TestStepsOfTheClockFreeNoName(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create := func(id rushgate.PlayerID, name string) error {
		a := rushgate.Account{ID: id, Username: name, PasswordHash: "x", CreatedAt: time.Now()}
		errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a})
		return errors.Join(append(errs, err)...)
	}
	first, err := s.ReserveIDs(t.Context(), 9)
	if err != nil {
		t.Fatal(err)
	}
	if err := create(first, "alice"); err != nil {
		t.Fatal(err)
	}
	rename := rushgate.Rename{Player: first, Name: "alice", NewName: "alicia", Hold: time.Now().Add(30 * 24 * time.Hour)}
	if err := s.RenameAccount(t.Context(), rename); err != nil {
		t.Fatal(err)
	}
	const year = 365 * 24 * time.Hour
	for i, step := range []time.Duration{time.Hour, -time.Hour, year, -year, 0} {
		s.day = func() time.Time { return time.Now().Add(step) }
		if err := create(first+1+rushgate.PlayerID(i), "alice"); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("after a step by %v another takes the name: %v", step, err)
		}
	}
}
