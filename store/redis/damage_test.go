package redis

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// TestDamagedRecordHarmsNobodyElse puts something else in the place of one player's record, and keeps using it in
// batches with another's.
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

	whole.Character.Numbers["xp"] = 77
	errs, err := s.Save(ctx, []rushgate.Save{
		{Character: broken.Character, Fence: broken.Lease.Fence}, {Character: whole.Character, Fence: whole.Lease.Fence},
	})
	wantDamagedAlone(t, "Save", errs, err)
	errs, err = s.Refresh(ctx, nodeA, []rushgate.Lease{broken.Lease, whole.Lease})
	wantDamagedAlone(t, "Refresh", errs, err)
	names := []string{broken.Character.Name, whole.Character.Name}
	accounts, err := s.LoadAccounts(ctx, names)
	wantDamagedAlone(t, "LoadAccounts", errorsOf(accounts, func(a rushgate.LoadedAccount) error { return a.Err }), err)
	characters, err := s.LoadCharacters(ctx, names)
	errs = errorsOf(characters, func(c rushgate.LoadedCharacter) error { return c.Err })
	wantDamagedAlone(t, "LoadCharacters", errs, err)
	if accounts[0].ID != 0 || accounts[1].ID != whole.Lease.Player || characters[0].ID != 0 ||
		characters[1].Numbers["xp"] != 77 {
		t.Errorf("loaded %+v, %+v", accounts, characters)
	}
	where, err := s.Want(ctx, names)
	wantDamagedAlone(t, "Want", errorsOf(where, func(p rushgate.Presence) error { return p.Err }), err)
	errs, err = s.UpdateAccounts(ctx, []rushgate.AccountChange{{Player: 2, Name: names[0]}, {Player: 1, Name: names[1]}})
	wantDamagedAlone(t, "UpdateAccounts", errs, err)
	errs, err = s.CreateAccounts(ctx, []rushgate.Account{registration(2).Account, registration(3).Account})
	wantDamagedAlone(t, "CreateAccounts", errs, err)
	if err := s.DeleteAccount(ctx, names[0]); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("DeleteAccount: %v, want %v", err, rushgate.ErrDamagedRecord)
	}
	again := registration(2)
	again.Attempt = "another"
	admitted, err := s.Admit(ctx, nodeA, []rushgate.Admission{again, registration(4)})
	wantDamagedAlone(t, "Admit", errorsOf(admitted, func(a rushgate.Admitted) error { return a.Err }), err)
	if stats := s.Health(); stats.Failures != 0 || stats.Open {
		t.Errorf("a record's damage counts as the server's: %+v", stats)
	}
}

func errorsOf[T any](items []T, errorOf func(T) error) []error {
	errs := make([]error, len(items))
	for i := range items {
		errs[i] = errorOf(items[i])
	}
	return errs
}

// wantDamagedAlone checks that the first item of two, and only that, was found damaged.
func wantDamagedAlone(t *testing.T, what string, errs []error, err error) {
	t.Helper()
	if err != nil || len(errs) != 2 || !errors.Is(errs[0], rushgate.ErrDamagedRecord) || errs[1] != nil {
		t.Errorf("%s: %v, %v; want %v for the first alone", what, errs, err, rushgate.ErrDamagedRecord)
	}
}

// An admission that finds a damaged field changes nothing, and the other of its batch goes on as ever.
func TestDamagedFieldFailsAlone(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	const missing = "\x00 no such field"
	tests := map[string][]string{
		"id":             {"abc", "-1", "1.5", "99999999999999999999"},
		"username":       {missing},
		"password_hash":  {missing},
		"attempt":        {missing},
		"fence":          {missing, "", "abc", "-1", "1.5"},
		"previous_fence": {"abc", ""},
		"epoch":          {"abc", "", "-1", "0.5"},
		"disabled_until": {"abc", "", "-1"},
		"zone":           {missing},
		"x":              {missing, "", "abc", "nan", "inf", "0x10", " 1", "1_0", "1e999", "1.5.5", "--1", "1e5"},
		"y":              {"1e+", "."},
		"hp": {
			missing, "", "12.5", "abc", "+1", " 1", "0x10", "1e3", "9223372036854775808", "-9223372036854775809",
		},
		"xp":                   {"12.5"},
		"level":                {"one"},
		"deaths":               {missing},
		"playtime_ms":          {"1h"},
		"character_created_at": {"2026-05-01"},
		"data":                 {missing},
		"numbers": {
			"", "not JSON", "[]", `{"gold":1.5}`, `{"gold":0}`, `{"Gold":1}`, `{"gold":9223372036854775808}`, `{"hp":1}`,
			`{"b":1,"a":1}`, `{"a_b":1,"a2":1}`, `{"a":1,"a":2}`, `{"a":1,}`, `{"a": 1}`, `{"a":"1"}`, `{"a":1}}`,
		},
		"lease_until": {missing, "abc"},
	}
	id := rushgate.PlayerID(0)
	for field, values := range tests {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s=%q", field, value), func(t *testing.T) {
				id += 2
				in := admit(t, s, nodeA, registration(id), registration(id+1))
				key := s.playerKey(in[0].Character.Name)
				if field != "lease_until" {
					leave(t, s, in)
				}
				if value == missing {
					server.Do("HDEL", key, field)
				} else {
					server.Do("HSET", key, field, value)
				}
				before, err := server.Do("HGETALL", key).AsStrMap()
				if err != nil {
					t.Fatal(err)
				}
				damaged := registration(id)
				damaged.Attempt = "of the damaged"
				admitted, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{damaged, registration(id + 1)})
				wantDamagedAlone(t, "Admit", errorsOf(admitted, func(a rushgate.Admitted) error { return a.Err }), err)
				if len(admitted) == 2 && admitted[0].Err != nil && !strings.Contains(admitted[0].Err.Error(), field) {
					t.Errorf("error %v does not name the field", admitted[0].Err)
				}
				if after, err := server.Do("HGETALL", key).AsStrMap(); err != nil || !maps.Equal(after, before) {
					t.Errorf("the record is %v, %v; was %v", after, err, before)
				}
			})
		}
	}
	if stats := s.Health(); stats.Failures != 0 || stats.Open {
		t.Errorf("a record's damage counts as the server's: %+v", stats)
	}
}

// What a world may save, however odd, is not taken for damage.
func TestOddNumbersAreNoDamage(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	for _, x := range []float64{
		0, math.Copysign(0, -1), 1, -1.5, 1e21, 123456789.123456789, math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.Pi * 1e-300,
	} {
		for _, n := range []int64{0, -1, math.MaxInt64, math.MinInt64} {
			in.Character.X, in.Character.Y, in.Character.Numbers = x, -x, rushgate.Numbers{"hp": n, "xp": n, "gold": n}
			errs, err := s.Save(t.Context(), []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence}})
			if err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
			got := admit(t, s, nodeA, registration(1))[0].Character.Numbers
			if !got.Equal(in.Character.Numbers) {
				t.Errorf("%d came back as %v", n, got)
			}
		}
	}
}

// A session whose fence cannot be read is not proof of another session.
func TestDamagedFenceIsNoLostLease(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1), registration(2))
	server.Do("HSET", s.playerKey(in[0].Character.Name), "fence", "12.5")
	var saves []rushgate.Save
	for i := range in {
		saves = append(saves, rushgate.Save{Character: in[i].Character, Fence: in[i].Lease.Fence})
	}
	errs, err := s.Save(t.Context(), saves)
	wantDamagedAlone(t, "Save", errs, err)
	errs, err = s.Refresh(t.Context(), nodeA, []rushgate.Lease{in[0].Lease, in[1].Lease})
	wantDamagedAlone(t, "Refresh", errs, err)
}

// A record whose lease cannot be read can still be deleted.
func TestDamagedRecordCanBeDeleted(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	server.Do("HSET", s.playerKey(in.Character.Name), "lease_until", "soon", "hp", "12.5")
	if err := s.DeleteAccount(t.Context(), in.Character.Name); err != nil {
		t.Error(err)
	}
}

// TestLeaseOfAClockThatWasAhead checks that no player is locked out for longer than a lease lasts.
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

// A hold that cannot be read is told with its name, and neither read nor changed as if there were none.
func TestDamagedHolds(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	ctx, until := t.Context(), formatTime(rushgate.Forever())
	for name, fields := range map[string][]string{
		"ann": {"held_for", "1", "held_until", "soon"}, "bob": {"held_for", "x", "held_until", until},
		"cyd": {"held_until", until}, "dan": {"held_for", "1"}, "eve": {"held_for", "7", "held_until", until},
		"fay": {"held_for", "1", "held_until", "1"},
	} {
		if _, err := s.run(ctx, []command{{name: "HSET", key: s.playerKey(name), args: fields}}); err != nil {
			t.Fatal(err)
		}
	}
	held, next, err := s.HeldNames(ctx, "", rushgate.MaxPage)
	if err != nil || next != "" || len(held) != 5 {
		t.Fatalf("%+v, %q, %v", held, next, err)
	}
	for _, h := range held {
		damaged := errors.Is(h.Err, rushgate.ErrDamagedRecord)
		if damaged != (h.Name != "eve") || damaged == (h.Player == 7) {
			t.Errorf("%+v", h)
		}
	}
	errs, err := s.HoldNames(ctx, []rushgate.HeldName{
		{Name: "ann", Player: 1, Until: rushgate.Forever()}, {Name: "gus", Player: 1, Until: rushgate.Forever()},
	})
	wantDamagedAlone(t, "HoldNames", errs, err)
}
