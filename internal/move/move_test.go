package move

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/sqlite"
)

var day = time.Date(2026, time.November, 29, 12, 0, 0, 123e6, time.UTC)

// fill makes n players, some of whom have everything that one can have, and what a fleet and an audit log have.
func fill(t *testing.T, s rushgate.Store, n int) {
	t.Helper()
	first, err := s.ReserveIDs(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	accounts := make([]rushgate.Account, n)
	var changes []rushgate.AccountChange
	var events []rushgate.Noted
	for i := range accounts {
		a := rushgate.Account{
			ID: first + rushgate.PlayerID(i), Username: fmt.Sprintf("player%d", i), PasswordHash: fmt.Sprintf("hash %d", i),
			Attempt: fmt.Sprintf("attempt-%d", i), CreatedAt: day.Add(time.Duration(i) * time.Second),
		}
		if i%3 == 0 {
			a.Credentials = []rushgate.Credential{{Kind: "email", Subject: "a@example.org"}, {Kind: "totp", Secret: "s"}}
			a.Epoch = uint64(i)
		}
		if i%4 == 0 {
			a.Credentials = append(a.Credentials, guestOf(i))
		}
		if i%5 == 0 {
			a.Disabled = rushgate.Disabled{Until: day.Add(time.Hour), Reason: "because"}
		}
		accounts[i] = a
		if i%2 == 0 {
			d := rushgate.Device{
				ID: "device", Label: "my phone", Epoch: a.Epoch, Token: strings.Repeat("A", 43), Attempt: "x",
				CreatedAt: day, UsedAt: day, ExpiresAt: day.Add(time.Hour),
			}
			changes = append(changes, rushgate.AccountChange{
				Player: a.ID, Name: a.Username, Epoch: a.Epoch, Devices: []rushgate.Device{d},
			})
		}
		for k := range i % 4 {
			events = append(events, rushgate.Noted{Player: a.ID, Name: a.Username, AccountEvent: rushgate.AccountEvent{
				ID: fmt.Sprintf("e%d", k), At: day.Add(time.Duration(k) * time.Minute), Kind: "noted", By: "ann",
				Text: "two\nlines", SignIn: k == 1,
			}})
		}
	}
	must(t)(s.CreateAccounts(t.Context(), accounts))
	claimGuests(t, s, accounts)
	must(t)(s.UpdateAccounts(t.Context(), changes))
	must(t)(s.Note(t.Context(), events))
	play(t, s, accounts)
	must(t)(s.HoldNames(t.Context(), namesHeld(n)))
	if ok, err := s.SwapShared(t.Context(), "keys", nil, []byte("secret")); err != nil || !ok {
		t.Fatal(ok, err)
	}
	for seq := range uint64(250) {
		ok, err := s.AppendAudit(t.Context(), seq, [][]byte{fmt.Appendf(nil, "record %d", seq+1)})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
}

// namesHeld are the names that are held in the store of fill, one of them for a player who is gone.
func namesHeld(n int) (held []rushgate.HeldName) {
	for i := range n {
		held = append(held, rushgate.HeldName{
			Name: fmt.Sprintf("former%d", i), Player: rushgate.PlayerID(i + 2),
			Until: day.AddDate(90, 0, i),
		})
	}
	return held
}

func guestOf(i int) rushgate.Credential { return linked.OfGuest([32]byte{1, byte(i >> 8), byte(i)}) }

// claimGuests has the identities of fill lead to their players, but for one that another has claimed meanwhile.
func claimGuests(t *testing.T, s rushgate.Store, accounts []rushgate.Account) {
	t.Helper()
	var claims []rushgate.IdentityClaim
	for i := range accounts {
		for _, key := range linked.Keys(accounts[i].Credentials) {
			claims = append(claims, rushgate.IdentityClaim{Key: key, Player: accounts[i].ID})
		}
	}
	if len(claims) > 1 {
		claims[1].Player = accounts[0].ID
	}
	if _, err := s.ClaimIdentities(t.Context(), claims); err != nil {
		t.Fatal(err)
	}
}

// guestOwners returns whom the identities of fill lead to.
func guestOwners(t *testing.T, s rushgate.Store, n int) []rushgate.PlayerID {
	t.Helper()
	var keys []rushgate.IdentityKey
	for i := 0; i < n; i += 4 {
		keys = append(keys, linked.Keys([]rushgate.Credential{guestOf(i)})...)
	}
	owners, err := s.IdentityOwners(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return owners
}

// play gives every seventh player a character with a life behind it.
func play(t *testing.T, s rushgate.Store, accounts []rushgate.Account) {
	t.Helper()
	by := rushgate.Instance{Node: "node", Run: "run"}
	for i := 1; i < len(accounts); i += 7 {
		a := accounts[i]
		a.Devices.Revision = 0
		in, err := s.Admit(t.Context(), by, []rushgate.Admission{{Account: a, Attempt: "login"}})
		if err != nil {
			t.Fatal(err)
		}
		if in[0].Err != nil {
			continue // disabled
		}
		c := in[0].Character
		c.Zone, c.X, c.Y, c.Data = "meadow", math.Inf(1), math.NaN(), []byte{0, 1, 255}
		c.Numbers, c.Playtime = rushgate.Numbers{"level": 7, "gold": int64(i)}, time.Minute
		must(t)(s.Save(t.Context(), []rushgate.Save{{Character: c, Fence: in[0].Lease.Fence, Release: true}}))
	}
}

// must fails the test at an error of a batch or of an item.
func must(t *testing.T) func([]error, error) {
	return func(errs []error, err error) {
		t.Helper()
		if err := errors.Join(append(errs, err)...); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T) rushgate.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// everything is all that a store has of the players of fill.
func everything(t *testing.T, s rushgate.Store, n int) []player {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("player%d", i)
	}
	all, err := (&mover{}).read(t.Context(), s, names)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// heldIn returns which names a store holds, for whom, and until when.
func heldIn(t *testing.T, s rushgate.Store) (all []string) {
	t.Helper()
	for cursor, begun := "", false; !begun || cursor != ""; begun = true {
		page, next, err := s.HeldNames(t.Context(), cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page {
			if h.Err != nil {
				t.Fatal(h.Name, h.Err)
			}
			all = append(all, fmt.Sprint(h.Name, h.Player, h.Until.UnixMilli()))
		}
		cursor = next
	}
	slices.Sort(all)
	return all
}

// unreadable is a store of which one name that is held is damaged.
type unreadable struct{ rushgate.Store }

func (s unreadable) HeldNames(ctx context.Context, cursor string, limit int) ([]rushgate.LoadedHold, string, error) {
	page, next, err := s.Store.HeldNames(ctx, cursor, limit)
	for i := range page {
		if name := page[i].Name; name == "former3" {
			page[i] = rushgate.LoadedHold{HeldName: rushgate.HeldName{Name: name}, Err: rushgate.ErrDamagedRecord}
		}
	}
	return page, next, err
}

// A name whose hold cannot be read is named, and costs the others nothing. One that the other store has given to
// another ends the move.
func TestHoldsThatCannotBeMoved(t *testing.T) {
	from, to := memory.New(memory.Options{}), memory.New(memory.Options{})
	fill(t, from, 5)
	r, err := All(t.Context(), unreadable{from}, to, Options{Batch: 2, Shared: []string{"keys"}})
	if err != nil || r.Held != 4 || !slices.Equal(r.Damaged, []string{"former3"}) || len(heldIn(t, to)) != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	others := memory.New(memory.Options{})
	must(t)(others.HoldNames(t.Context(), []rushgate.HeldName{{Name: "former3", Player: 9, Until: rushgate.Forever()}}))
	if _, err := All(t.Context(), from, others, Options{Shared: []string{"keys"}}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("All = %v", err)
	}
}

func TestThereAndBack(t *testing.T) {
	const n = 600
	from, middle, to := memory.New(memory.Options{}), open(t), memory.New(memory.Options{})
	fill(t, from, n)
	opts := Options{Shared: []string{"keys", "none"}, Batch: 100}
	last := 0
	opts.Progress = func(done, total int) {
		if done < last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}
	there, err := All(t.Context(), from, middle, opts)
	if err != nil {
		t.Fatal(err)
	}
	last = 0
	back, err := All(t.Context(), middle, to, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Report{there, back} {
		if r.Accounts != n || r.Before != 0 || r.Devices != n/2 || r.Events != 900 || r.Held != n || r.AuditRecords != 250 ||
			!slices.Equal(r.Shared, []string{"keys"}) || len(r.Damaged) > 0 {
			t.Errorf("%+v", r)
		}
	}
	owners := guestOwners(t, from, n)
	owners[1] = 0 // a claim that leads to an account which has not the identity stays behind
	if got := guestOwners(t, to, n); !slices.Equal(got, owners) {
		t.Errorf("identities lead to %v, want %v", got, owners)
	}
	want, got := everything(t, from, n), everything(t, to, n)
	for i := range want {
		if !same(&want[i], &got[i]) {
			t.Fatalf("%+v became %+v", want[i], got[i])
		}
	}
	if held := heldIn(t, to); !slices.Equal(held, heldIn(t, from)) || len(held) != n {
		t.Errorf("%d names are held: %v", len(held), held)
	}
	old, err := from.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := to.ReserveIDs(t.Context(), 1); err != nil || id < old {
		t.Errorf("the next id is %d, %v, where %d was given out", id, err, old)
	}
	records, err := to.LoadAudit(t.Context(), 250, 1)
	if err != nil || len(records) != 1 || string(records[0].Data) != "record 250" {
		t.Errorf("the last record is %v, %v", records, err)
	}
}

// An audit log whose beginning was trimmed keeps its numbers.
func TestTrimmedAudit(t *testing.T) {
	from, to := open(t), open(t)
	fill(t, from, 1)
	if err := from.TrimAudit(t.Context(), 101); err != nil {
		t.Fatal(err)
	}
	if r, err := All(t.Context(), from, to, Options{}); err != nil || r.AuditRecords != 150 {
		t.Fatalf("%+v, %v", r, err)
	}
	if first, last, err := to.AuditSpan(t.Context()); err != nil || first != 101 || last != 250 {
		t.Errorf("%d to %d, %v", first, last, err)
	}
}

// What an account waits for is planned where it is brought to, also when the move is done once more; and it is said
// that the move begins, before anything is written.
func TestPlansAnew(t *testing.T) {
	from, to := memory.New(memory.Options{}), open(t)
	fill(t, from, 20)
	task := rushgate.Task{Kind: "delete", Due: day, Data: []byte("player 7")}
	begun := 0
	opts := Options{
		Batch: 7, Shared: []string{"keys"},
		Begun: func() error {
			if got, err := to.LoadAccounts(t.Context(), []string{"player0"}); err != nil || begun == 0 && got[0].ID != 0 {
				t.Errorf("when it begins, the first player is there already: %+v, %v", got, err)
			}
			begun++
			return nil
		},
		Planned: func(a *rushgate.Account) ([]rushgate.Task, error) {
			if task.ID = fmt.Sprint(a.ID); a.Username == "player7" {
				return []rushgate.Task{task}, nil
			}
			return nil, nil
		},
	}
	for range 2 {
		if _, err := All(t.Context(), from, to, opts); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := to.LoadTasks(t.Context(), []rushgate.TaskID{{Kind: "delete", ID: "8"}})
	n, counted := to.CountTasks(t.Context(), "delete")
	if err != nil || counted != nil || n != 1 || !tasks[0].Due.Equal(day) || string(tasks[0].Data) != "player 7" ||
		begun != 2 {
		t.Errorf("%+v, %v are planned, and it has begun %d times", tasks, err, begun)
	}
	refused := errors.New("refused")
	opts.Begun = func() error { return refused }
	empty := open(t)
	if _, err := All(t.Context(), from, empty, opts); !errors.Is(err, refused) {
		t.Errorf("All = %v", err)
	}
	if id, err := empty.ReserveIDs(t.Context(), 1); err != nil || id != 1 {
		t.Errorf("of a move that was not to begin the store has set ids aside: %d, %v", id, err)
	}
}

// stopping ends the context of a move after some writes, as a kill would.
type stopping struct {
	rushgate.Store
	left int
	stop context.CancelFunc
}

func (s *stopping) Note(ctx context.Context, events []rushgate.Noted) ([]error, error) {
	if s.left--; s.left < 0 {
		s.stop()
		return nil, ctx.Err()
	}
	return s.Store.Note(ctx, events)
}

// A move that was interrupted is begun again, and comes to the same end.
func TestGoesOn(t *testing.T) {
	from, to := memory.New(memory.Options{}), open(t)
	fill(t, from, 100)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := All(ctx, from, &stopping{to, 3, cancel}, Options{Batch: 10, Shared: []string{"keys"}})
	if !errors.Is(err, context.Canceled) || r.Accounts == 0 || r.Accounts == 100 {
		t.Fatalf("%+v, %v", r, err)
	}
	for round, before := range []int{r.Accounts + 10, 100} {
		r, err := All(t.Context(), from, to, Options{Batch: 10, Shared: []string{"keys"}})
		if err != nil || r.Accounts != 100 || r.Before != before {
			t.Errorf("round %d: %+v, %v; want %d that were there", round, r, err, before)
		}
	}
}

func TestRefusals(t *testing.T) {
	inUse := open(t)
	fill(t, inUse, 3)
	ofOthers := open(t)
	if ok, err := ofOthers.SwapShared(t.Context(), "keys", nil, []byte("other")); err != nil || !ok {
		t.Fatal(ok, err)
	}
	audited := open(t)
	if ok, err := audited.AppendAudit(t.Context(), 0, [][]byte{[]byte("other")}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	for name, test := range map[string]struct {
		to   rushgate.Store
		want error
	}{
		"players": {inUse, ErrNotEmpty}, "keys": {ofOthers, ErrNotEmpty}, "records": {audited, ErrNotEmpty},
	} {
		from := memory.New(memory.Options{})
		fill(t, from, 5)
		r, err := All(t.Context(), from, test.to, Options{Shared: []string{"keys"}})
		if !errors.Is(err, test.want) || r.Accounts != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if there, err := test.to.LoadAccounts(t.Context(), []string{"player4"}); err != nil || there[0].ID != 0 {
			t.Errorf("%s: a player has been moved all the same: %+v, %v", name, there, err)
		}
	}

	from := memory.New(memory.Options{})
	fill(t, from, 5)
	a, err := from.LoadAccounts(t.Context(), []string{"player1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = from.Admit(t.Context(), rushgate.Instance{Node: "n", Run: "r"},
		[]rushgate.Admission{{Account: a[0].Account, Attempt: "login"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := All(t.Context(), from, open(t), Options{}); !errors.Is(err, ErrInside) {
		t.Errorf("with a player inside: %v", err)
	}
}
