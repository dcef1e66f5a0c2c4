package redis

import (
	"errors"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// TestDamagedRecordHarmsNobodyElse puts something else in the place of one player's record, and keeps using it in batches
// with another's.
func TestDamagedRecordHarmsNobodyElse(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	whole := admit(t, s, nodeA, registration(1))[0]
	broken := admit(t, s, nodeA, registration(2))[0]
	ctx := t.Context()
	key := s.playerKey(broken.Character.Name)
	if err := s.client.Do(ctx, s.client.B().Del().Key(key).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Do(ctx, s.client.B().Set().Key(key).Value("not a record").Build()).Error(); err != nil {
		t.Fatal(err)
	}

	whole.Character.XP = 77
	errs, err := s.Save(ctx, []rushgate.Save{
		{Character: broken.Character, Fence: broken.Lease.Fence}, {Character: whole.Character, Fence: whole.Lease.Fence},
	})
	if err != nil || !errors.Is(errs[0], rushgate.ErrLeaseLost) || errs[1] != nil {
		t.Errorf("Save: %v, %v", errs, err)
	}
	errs, err = s.Refresh(ctx, nodeA, []rushgate.Lease{broken.Lease, whole.Lease})
	if err != nil || !errors.Is(errs[0], rushgate.ErrLeaseLost) || errs[1] != nil {
		t.Errorf("Refresh: %v, %v", errs, err)
	}
	accounts, err := s.LoadAccounts(ctx, []string{broken.Character.Name, whole.Character.Name})
	if err != nil || accounts[0].ID != 0 || accounts[1].ID != whole.Lease.Player {
		t.Errorf("LoadAccounts: %+v, %v", accounts, err)
	}
	characters, err := s.LoadCharacters(ctx, []string{whole.Character.Name})
	if err != nil || characters[0].XP != 77 {
		t.Errorf("LoadCharacters: %+v, %v", characters, err)
	}
	if _, err := s.LoadCharacters(ctx, []string{broken.Character.Name}); err == nil {
		t.Error("a damaged record alone is no error")
	}
	again := registration(2)
	again.Attempt = "another"
	admitted, err := s.Admit(ctx, nodeA, []rushgate.Admission{again, registration(3)})
	if err != nil || !errors.Is(admitted[0].Err, rushgate.InternalError) || admitted[1].Err != nil {
		t.Errorf("Admit: %+v, %v", admitted, err)
	}
}

// TestLeaseOfAClockThatWasAhead checks that nobody is locked out for longer than a lease lasts.
func TestLeaseOfAClockThatWasAhead(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	key := s.playerKey(in.Character.Name)
	field := s.client.B().Hincrby().Key(key).Field("lease_until").Increment(24 * 3600 * 1000).Build()
	if err := s.client.Do(t.Context(), field).Error(); err != nil {
		t.Fatal(err)
	}
	login := registration(1)
	login.Create, login.Attempt = false, "elsewhere"
	got, err := s.Admit(t.Context(), rushgate.Instance{Node: "b", Run: "1"}, []rushgate.Admission{login})
	if err != nil || !errors.Is(got[0].Err, rushgate.AlreadyLoggedIn) {
		t.Fatalf("%+v, %v", got, err)
	}
	left, err := s.client.Do(t.Context(), s.client.B().Hget().Key(key).Field("lease_until").Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	now, err := s.client.Do(t.Context(), s.client.B().Time().Build()).ToArray()
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := now[0].AsInt64()
	if limit := (seconds + 1) * 1000; left > limit+rushgate.LeaseTTL.Milliseconds() {
		t.Errorf("the lease runs %d ms longer than one does", left-limit-rushgate.LeaseTTL.Milliseconds())
	}
}
