package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var idCases = []testCase{
	{"NeverRepeatUnderConcurrency", idsConcurrent},
	{"NeverRepeatAcrossReopen", idsReopen},
	{"BlockSizeIsChecked", idsBlockSize},
	{"ExhaustionIsAnError", idsExhausted},
}

var callCases = []testCase{
	{"Ping", pings},
	{"CancelledContext", cancelledContext},
	{"UseAfterClose", useAfterClose},
	{"DurableAcrossReopen", durable},
	{"AcknowledgedBeforeCloseIsDurable", closeUnderLoad},
}

func reserve(t *testing.T, s rushgate.Store, n int) rushgate.PlayerID {
	t.Helper()
	first, err := s.ReserveIDs(t.Context(), n)
	if err != nil {
		t.Fatalf("ReserveIDs(%d): %v", n, err)
	}
	if first == 0 {
		t.Fatalf("ReserveIDs(%d) = 0, which is no id", n)
	}
	return first
}

func idsConcurrent(t *testing.T, h Harness) {
	const callers, calls = 8, 10
	s := h.open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[rushgate.PlayerID]bool)
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				n := 1 + (c+i)%5
				first, err := s.ReserveIDs(t.Context(), n)
				if err != nil || first == 0 {
					t.Errorf("ReserveIDs(%d) = %d, %v", n, first, err)
					return
				}
				mu.Lock()
				for id := first; id < first+rushgate.PlayerID(n); id++ {
					if seen[id] {
						t.Errorf("id %d was given out twice", id)
					}
					seen[id] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func idsReopen(t *testing.T, h Harness) {
	s := h.open(t)
	next := rushgate.PlayerID(1)
	for i := range 3 {
		for _, n := range []int{1, 1000, 7} {
			first := reserve(t, s, n)
			if first < next {
				t.Fatalf("ReserveIDs(%d) = %d, but %d was given out", n, first, next-1)
			}
			next = first + rushgate.PlayerID(n)
		}
		if i < 2 {
			s = h.reopen(t, s)
		}
	}
}

func idsBlockSize(t *testing.T, h Harness) {
	s := h.open(t)
	for _, n := range []int{0, -1} {
		if first, err := s.ReserveIDs(t.Context(), n); err == nil {
			t.Errorf("ReserveIDs(%d) = %d, want an error", n, first)
		}
	}
	reserve(t, s, 1)
}

func idsExhausted(t *testing.T, h Harness) {
	s := h.open(t)
	next := reserve(t, s, math.MaxInt) + math.MaxInt
	for range 2 {
		first, err := s.ReserveIDs(t.Context(), math.MaxInt)
		if err == nil && first < next {
			t.Fatalf("ReserveIDs = %d, but %d was given out", first, next-1)
		}
	}
}

// everyCall calls each method but Close with valid arguments, and returns the errors by method. Player 1 is inside as
// in; player 2, if there is one, is not. Ids up to imported are set aside.
func everyCall(ctx context.Context, s rushgate.Store, in rushgate.Admitted) map[string]error {
	const imported = 10
	errs := make(map[string]error)
	setNumber(&in.Character, "xp", in.Character.Numbers["xp"]+10)
	_, errs["LoadAccounts"] = s.LoadAccounts(ctx, []string{"alice"})
	_, errs["Admit"] = s.Admit(ctx, nodeA, []rushgate.Admission{registration(50, "newcomer", "n")})
	_, errs["Save"] = s.Save(ctx, []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence}})
	_, errs["Refresh"] = s.Refresh(ctx, nodeA, []rushgate.Lease{in.Lease})
	_, errs["ReserveIDs"] = s.ReserveIDs(ctx, 1)
	_, errs["Top"] = s.Top(ctx, rushgate.BoardXP, 1)
	_, errs["LoadCharacters"] = s.LoadCharacters(ctx, []string{"alice"})
	_, errs["CreateAccounts"] = s.CreateAccounts(ctx, []rushgate.Account{registration(51, "made", "m").Account})
	change := rushgate.AccountChange{Player: 1, Name: "alice", PasswordHash: "set"}
	_, errs["UpdateAccounts"] = s.UpdateAccounts(ctx, []rushgate.AccountChange{change})
	errs["DeleteAccount"] = s.DeleteAccount(ctx, "bob")
	_, errs["Wanted"] = s.Wanted(ctx, nodeA)
	_, errs["Presence"] = s.Presence(ctx, []string{"alice"})
	_, errs["Want"] = s.Want(ctx, []string{"alice"})
	errs["BeginImport"] = s.BeginImport(ctx, imported)
	_, errs["Import"] = s.Import(ctx, []rushgate.Record{record(imported, "settler")})
	_, errs["Shared"] = s.Shared(ctx, "every-call")
	_, errs["SwapShared"] = s.SwapShared(ctx, "every-call", nil, []byte("value"))
	_, errs["Beat"] = s.Beat(ctx, rushgate.NodeBeat{Instance: nodeA})
	errs["RenameAccount"] = s.RenameAccount(ctx, rushgate.Rename{Player: 51, Name: "made", NewName: "renamed"})
	_, _, errs["Usernames"] = s.Usernames(ctx, "", "", 1)
	_, _, errs["HeldNames"] = s.HeldNames(ctx, "", 1)
	_, errs["HoldNames"] = s.HoldNames(ctx, []rushgate.HeldName{{Name: "held", Player: 1, Until: rushgate.Forever()}})
	_, errs["Note"] = s.Note(ctx, []rushgate.Noted{{Player: 1, Name: "alice", AccountEvent: event("every-call", 1)}})
	_, errs["LoadHistories"] = s.LoadHistories(ctx, []string{"alice"})
	_, errs["PlanTasks"] = s.PlanTasks(ctx, []rushgate.Task{mail("every-call", 1)})
	_, errs["TakeTasks"] = s.TakeTasks(ctx, "mail", 1, time.Minute)
	_, errs["LoadTasks"] = s.LoadTasks(ctx, []rushgate.TaskID{{Kind: "mail", ID: "every-call"}})
	_, errs["CountTasks"] = s.CountTasks(ctx, "mail")
	errs["DropTasks"] = s.DropTasks(ctx, []rushgate.Task{{Kind: "mail", ID: "every-call"}})
	_, errs["AppendAudit"] = s.AppendAudit(ctx, 0, [][]byte{[]byte("every call")})
	_, errs["LoadAudit"] = s.LoadAudit(ctx, 1, 1)
	_, _, errs["AuditSpan"] = s.AuditSpan(ctx)
	errs["TrimAudit"] = s.TrimAudit(ctx, 1)
	errs["Ping"] = s.Ping(ctx)
	return errs
}

// pings asks a store that is empty, and one that is not.
func pings(t *testing.T, h Harness) {
	s := h.open(t)
	for range 2 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatalf("Ping: %v", err)
		}
		register(t, s, reserve(t, s, 1), fmt.Sprintf("player%d", reserve(t, s, 1)))
	}
}

func cancelledContext(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 10)
	in := register(t, s, 1, "alice")
	release(t, s, register(t, s, 2, "bob"))
	before := load(t, s, "alice", "bob")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range everyCall(ctx, s, in) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want %v", name, err, context.Canceled)
		}
	}
	after := load(t, s, "alice", "bob", "newcomer", "settler", "made")
	for i, want := range append(before, make([]rushgate.Account, 3)...) {
		wantAccount(t, after[i], want)
	}
	wantCharacter(t, admit(t, s, nodeA, login(1, "alice", "first")).Character, in.Character)
	wantHistory(t, s, "alice")
	wantCount(t, s, "mail", 0)
	wantAudit(t, s, 0, "")
	for name, err := range everyCall(t.Context(), s, in) {
		if err != nil {
			t.Errorf("%s after a cancelled call: %v", name, err)
		}
	}
}

func useAfterClose(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	for name, err := range everyCall(t.Context(), s, in) {
		if err == nil {
			t.Errorf("%s after Close reports no error", name)
		}
	}
	if h.Reopen != nil {
		s = h.reopen(t, s)
		wantAccount(t, load(t, s, "newcomer")[0], rushgate.Account{})
	}
}

func durable(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := registration(1, "alice", "a"), registration(2, "bob", "b")
	alice, bob := admit(t, s, nodeA, a), admit(t, s, nodeA, b)
	a.Account.Zone = "inn"
	setNumber(&alice.Character, "xp", 12)
	alice.Character.Zone, alice.Character.Data = "inn", []byte{1, 2, 3}
	release(t, s, alice)
	s = h.reopen(t, s)

	accounts := load(t, s, "alice", "bob")
	wantAccount(t, accounts[0], a.Account)
	wantAccount(t, accounts[1], b.Account)
	wantInside(t, s, 1)
	wantRanks(t, top(t, s, rushgate.BoardXP, 1), []rushgate.Rank{{Rank: 1, Player: 1, Name: "alice", Score: 12}})
	if got := admitAll(t, s, nodeB, login(2, "bob", "x"))[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Errorf("login elsewhere: %v, want %v", got.Err, rushgate.AlreadyLoggedIn)
	}
	if got := admit(t, s, nodeA, login(2, "bob", "b")); !got.Resumed || got.Lease != bob.Lease {
		t.Errorf("the attempt got %+v, want its lease %+v", got, bob.Lease)
	}
	if err := refresh(t, s, nodeA, alice.Lease)[0]; !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("refresh after release: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	got := admit(t, s, nodeB, login(1, "alice", "x"))
	wantCharacter(t, got.Character, alice.Character)
	if got.Lease.Fence <= alice.Lease.Fence {
		t.Errorf("fence %d after %d", got.Lease.Fence, alice.Lease.Fence)
	}
}

// closeUnderLoad closes a store while others register: what they were told was done must be there afterwards.
func closeUnderLoad(t *testing.T, h Harness) {
	const callers = 8
	s := h.open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var names []string
	enough := make(chan struct{}, 2*callers)
	for c := range callers {
		wg.Go(func() {
			defer func() { enough <- struct{}{} }()
			for i := 0; ; i++ {
				name := fmt.Sprintf("player%d-%d", c, i)
				a := registration(rushgate.PlayerID(1+c+i*callers), name, "a")
				if _, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a}); err != nil {
					return
				}
				mu.Lock()
				names = append(names, name)
				mu.Unlock()
				if i == 3 {
					enough <- struct{}{}
				}
			}
		})
	}
	<-enough
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	s = h.reopen(t, s)
	for i, a := range load(t, s, names...) {
		if a.ID == 0 {
			t.Errorf("%s was created, and is gone", names[i])
		}
	}
}
