package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
)

// Names that can be taken for each other: Latin, Cyrillic, and one with a letter of each.
const (
	latin    = "scope"
	cyrillic = "ѕсоре"
	mixed    = "sсope"
)

var lookalikeCases = []testCase{
	{"RegistrationIsRefused", lookalikeRefused},
	{"OneOfABatchIsRegistered", lookalikeBatch},
	{"RaceHasOneWinner", lookalikeRace},
	{"RepeatedRegistrationIsLetIn", lookalikeRepeated},
	{"OperatorsAndImportsAreNotRefused", lookalikeMade},
	{"DeletionFreesTheLook", lookalikeDeleted},
	{"DurableAcrossReopen", lookalikeDurable},
}

// wantLookalikes compares what a store finds for names, where "*" stands for any but nothing.
func wantLookalikes(t *testing.T, s rushgate.Store, want map[string]string) {
	t.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	got, err := s.Lookalikes(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("Lookalikes(%q) = %q, %v", names, got, err)
	}
	for i, name := range names {
		if w := want[name]; got[i] != w && (w != "*" || got[i] == "" || got[i] == name) {
			t.Errorf("%q can be taken for %q, want %q", name, got[i], w)
		}
	}
}

// wantTaken wants a registration to be refused without a trace.
func wantTaken(t *testing.T, s rushgate.Store, id rushgate.PlayerID, name string) {
	t.Helper()
	if got := admitAll(t, s, nodeA, registration(id, name, "late"))[0]; !errors.Is(got.Err, rushgate.UsernameTaken) {
		t.Errorf("registration of %s: %v, want %v", name, got.Err, rushgate.UsernameTaken)
	}
	wantAccount(t, load(t, s, name)[0], rushgate.Account{})
}

func lookalikeRefused(t *testing.T, h Harness) {
	s := h.open(t)
	wantLookalikes(t, s, map[string]string{latin: "", cyrillic: "", "": ""})
	register(t, s, 1, latin)
	wantLookalikes(t, s, map[string]string{latin: "", cyrillic: latin, mixed: latin, "scop": "", "rnorning": ""})
	wantTaken(t, s, 2, cyrillic)
	wantTaken(t, s, 3, mixed)
	wantTaken(t, s, 4, cyrillic) // again: a refusal claims nothing
	register(t, s, 5, "scop")
	register(t, s, 6, "morning")
	wantTaken(t, s, 7, "rnorning")
}

func lookalikeBatch(t *testing.T, h Harness) {
	s := h.open(t)
	got := admitAll(t, s, nodeA, registration(1, cyrillic, "a"), registration(2, latin, "b"), registration(3, "bob", "c"),
		registration(4, mixed, "d"))
	for i, want := range []error{nil, rushgate.UsernameTaken, nil, rushgate.UsernameTaken} {
		if !errors.Is(got[i].Err, want) {
			t.Errorf("registration %d: %v, want %v", i+1, got[i].Err, want)
		}
	}
}

func lookalikeRace(t *testing.T, h Harness) {
	s := h.open(t)
	for round := range 20 {
		names := []string{latin, cyrillic, mixed}
		errs := make([]error, len(names))
		var racers sync.WaitGroup
		for i, name := range names {
			a := registration(rushgate.PlayerID(10*round+i+1), fmt.Sprint(name, "-", round+2), fmt.Sprint(i))
			racers.Go(func() {
				in, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
				if err == nil {
					err = in[0].Err
				}
				errs[i] = err
			})
		}
		racers.Wait()
		winners := 0
		for i, err := range errs {
			switch {
			case err == nil:
				winners++
			case !errors.Is(err, rushgate.UsernameTaken):
				t.Errorf("registration of %s: %v", names[i], err)
			}
		}
		if winners != 1 {
			t.Errorf("round %d has %d winners: %v", round, winners, errs)
		}
	}
}

func lookalikeRepeated(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, latin, "a")
	first := admit(t, s, nodeA, a)
	again := admit(t, s, nodeA, a)
	if !again.Resumed || again.Lease != first.Lease {
		t.Errorf("repeated: %+v, want %+v", again, first)
	}
	create(t, s, registration(2, cyrillic, "b").Account)
	if again := admit(t, s, nodeA, a); !again.Resumed {
		t.Errorf("repeated after an operator has made another: %+v", again)
	}
}

func lookalikeMade(t *testing.T, h Harness) {
	s := h.open(t)
	if err := s.BeginImport(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	imported := rushgate.Record{
		Account:   rushgate.Account{ID: 1, Username: mixed, PasswordHash: "h", CreatedAt: epoch},
		Character: rushgate.Character{ID: 1, Name: mixed},
	}
	if errs, err := s.Import(t.Context(), []rushgate.Record{imported}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	wantTaken(t, s, 21, latin)
	create(t, s, registration(22, cyrillic, "a").Account)
	imported.Account.ID, imported.Account.Username, imported.Character.ID = 2, latin, 2
	imported.Character.Name = latin
	if errs, err := s.Import(t.Context(), []rushgate.Record{imported}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	wantLookalikes(t, s, map[string]string{latin: "*", cyrillic: "*", mixed: "*"})
	admit(t, s, nodeA, login(22, cyrillic, "x")) // all of them can log in
	admit(t, s, nodeA, login(1, mixed, "y"))
	admit(t, s, nodeA, login(2, latin, "z"))
}

func lookalikeDeleted(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, register(t, s, 1, latin))
	create(t, s, registration(2, mixed, "m").Account)
	deleteAccount(t, s, latin)
	wantTaken(t, s, 3, cyrillic) // for the other one
	deleteAccount(t, s, mixed)
	wantLookalikes(t, s, map[string]string{latin: "", cyrillic: "", mixed: ""})
	release(t, s, register(t, s, 4, cyrillic))
	wantTaken(t, s, 5, latin)
	deleteAccount(t, s, cyrillic)
	register(t, s, 6, latin)
}

func lookalikeDurable(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, latin)
	s = h.reopen(t, s)
	wantLookalikes(t, s, map[string]string{cyrillic: latin})
	wantTaken(t, s, 2, cyrillic)
}
