package oldgame

import (
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/sqlite"
	"github.com/rushgate/rushgate/world"
)

// gate is the way into a store that players take.
type gate struct {
	pool  *auth.Pool
	enter func(rushgate.Arrival)
}

func newDoor(t *testing.T, store rushgate.Store) *gate {
	t.Helper()
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	d := &gate{}
	entrance, err := door.New(door.Config{World: 100, MaxAge: auth.DefaultMaxAge, Batch: auth.BatchMax, Pace: 1000})
	if err != nil {
		t.Fatal(err)
	}
	d.pool, err = auth.NewPool(auth.Config{
		Store: store, Hasher: hasher, Door: entrance, HashTime: time.Millisecond,
		Instance: rushgate.Instance{Node: "node", Run: "run"}, Logger: slog.New(slog.DiscardHandler),
		Enter: func(a rushgate.Arrival) { d.enter(a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.pool.Start()
	t.Cleanup(d.pool.Stop)
	return d
}

// login logs in as the front door does, and returns the character.
func (d *gate) login(t *testing.T, name, secret string) (rushgate.Character, error) {
	t.Helper()
	username, err := rushgate.LoginName(name)
	if err != nil {
		t.Fatal(err)
	}
	pw, err := rushgate.ParsePassword(secret)
	if err != nil {
		t.Fatal(err)
	}
	var c rushgate.Character
	d.enter = func(a rushgate.Arrival) {
		c = a.Character
		a.Reply(rushgate.Session{Player: a.Lease.Player}, nil)
	}
	_, err = d.pool.Submit(t.Context(),
		auth.Request{Username: username, Password: pw, Addr: netip.MustParseAddr("192.0.2.1")})
	return c, err
}

func newSQLite(t testing.TB) rushgate.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Every player of the old game logs in with the old password, has everything, and enters the world.
func TestEveryRecordLogsIn(t *testing.T) {
	for name, newStore := range map[string]func(testing.TB) rushgate.Store{"memory": newMemory, "sqlite": newSQLite} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			r := mustImport(t, open(t, recordsFile), store, importer.Options{})
			if r.Accounts != 7 || r.Characters != 6 || r.Imported != 7 || r.WithoutCharacter != 1 || r.Refused != 0 ||
				r.HighestID != 17 {
				t.Errorf("%+v", r)
			}
			d := newDoor(t, store)
			w := world.New(world.Default(), 1)
			for _, rec := range fileRecords(t) {
				username, ok := strings.CutPrefix(rec.Key, keyAccounts)
				if !ok {
					continue
				}
				if _, err := d.login(t, username, rec.Password+"x"); !errors.Is(err, rushgate.BadCredentials) {
					t.Errorf("%s with a wrong password: %v", username, err)
				}
				c, err := d.login(t, username, rec.Password)
				if err != nil {
					t.Fatalf("%s: %v", username, err)
				}
				if err := w.Enter(c); err != nil {
					t.Errorf("%s: %v", username, err)
				}
				a, _ := load(t, store, username)
				if a.Version != rushgate.AccountVersion || strings.Count(a.PasswordHash, "$1000$") != 1 {
					t.Errorf("%s: the hash was not replaced at the login, version %d", username, a.Version)
				}
			}
		})
	}
}

func TestImportKeepsCharacters(t *testing.T) {
	store := newSQLite(t)
	mustImport(t, open(t, recordsFile), store, importer.Options{BatchSize: 2})
	carol, got := load(t, store, "carol_99")
	want := rushgate.Character{
		ID: 14, Name: "carol_99", Zone: "zone-1", X: 114.5, Y: 274.25, Playtime: 777 * time.Second,
		CreatedAt: time.Date(2026, 1, 21, 16, 0, 14, 0, time.UTC), Data: []byte(sampleData),
		Numbers: rushgate.Numbers{"hp": 2, "xp": 518, "level": 3, "deaths": 4},
	}
	if !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if carol.ID != 14 || carol.Version != 3 || !carol.CreatedAt.Equal(want.CreatedAt) ||
		strings.Count(carol.PasswordHash, "$") != 2 {
		t.Errorf("account %d of version %d, created %v", carol.ID, carol.Version, carol.CreatedAt)
	}
	fresh, c := load(t, store, "new-no-character")
	if fresh.ID != 18 || c.ID != 18 || len(c.Numbers) != 0 || c.Zone != "" || fresh.Version != 2 {
		t.Errorf("the account without a character has %d, %+v", fresh.ID, c)
	}
	if id, err := store.ReserveIDs(t.Context(), 1); err != nil || id != 19 {
		t.Errorf("the next new player gets %d, %v", id, err)
	}
	ranks, err := store.Top(t.Context(), rushgate.BoardXP, 3)
	if err != nil || len(ranks) != 3 || ranks[0].Name != "frank" || ranks[0].Score != 629 || ranks[2].Name != "dave" {
		t.Errorf("leaderboard %+v, %v", ranks, err)
	}
}

// Names that could not be registered today go on working, and others may be spelled as players do.
func TestImportedNames(t *testing.T) {
	const secret = "correct horse"
	names := []string{"Al", "Bob Smith", strings.Repeat("n", 60), "Żółw", "🐉", `a "quote"`}
	var records []record
	for i, name := range names {
		records = append(records, pair(name, i+1)...)
	}
	store := newMemory(t)
	r := mustImport(t, writeFile(t, records...), store, importer.Options{})
	if r.Imported != len(names) || r.Refused != 0 {
		t.Fatalf("%+v", r)
	}
	d := newDoor(t, store)
	for i, name := range names {
		if c, err := d.login(t, name, secret); err != nil || c.ID != rushgate.PlayerID(i+1) {
			t.Errorf("%s is player %d, %v", name, c.ID, err)
		}
	}
	if _, c := load(t, store, "żółw"); c.ID != 4 || c.Name != "żółw" {
		t.Errorf("Żółw is kept as %+v", c)
	}
}
