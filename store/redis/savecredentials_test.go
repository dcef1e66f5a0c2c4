package redis

import (
	"errors"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A save with credentials that was given up as lost, and was carried out, arrives once more behind a newer one.
func TestLateSaveWithCredentials(t *testing.T) {
	s := openStore(t, Options{URLs: []string{redistest.Start(t).URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	save := rushgate.Save{
		Character: in.Character, Fence: in.Lease.Fence, Credentials: []rushgate.Credential{{Kind: "code"}},
	}
	save.Character.Numbers = rushgate.Numbers{"xp": 1}
	number := lastSave.Add(1)
	late, err := s.save(&save, number)
	if err != nil {
		t.Fatal(err)
	}
	if answers, err := s.runScripts(t.Context(), []command{late}); err != nil || answers[0].word != "saved" {
		t.Fatal(answers, err)
	}
	newer := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
	newer.Character.Numbers = rushgate.Numbers{"xp": 2}
	if errs, err := s.Save(t.Context(), []rushgate.Save{newer}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	if answers, err := s.runScripts(t.Context(), []command{late}); err != nil || answers[0].word != "older" {
		t.Fatal(answers, err)
	}
	wantXP(t, s, 2)
}

// A save or a change with credentials under a name that the player had before changes nothing, and least of all under
// which name the player is found.
func TestSaveUnderTheNameOfBefore(t *testing.T) {
	s := openStore(t, Options{URLs: []string{redistest.Start(t).URL()}, Logger: quiet()})
	in := admit(t, s, nodeA, registration(1))[0]
	save := rushgate.Save{
		Character: in.Character, Fence: in.Lease.Fence, Credentials: []rushgate.Credential{{Kind: "code"}}, Release: true,
	}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	r := rushgate.Rename{Player: in.Character.ID, Name: in.Character.Name, NewName: "nicer"}
	if err := s.RenameAccount(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	save.Release = false
	errs, err := s.Save(t.Context(), []rushgate.Save{save})
	if err != nil || !errors.Is(errs[0], rushgate.ErrLeaseLost) {
		t.Fatal(errs, err)
	}
	change := rushgate.AccountChange{
		Player: in.Character.ID, Name: in.Character.Name, Credentials: save.Credentials, Replaces: save.Credentials,
	}
	errs, err = s.UpdateAccounts(t.Context(), []rushgate.AccountChange{change})
	if err != nil || !errors.Is(errs[0], rushgate.BadCredentials) {
		t.Fatal(errs, err)
	}
	names, err := s.PlayerNames(t.Context(), []rushgate.PlayerID{in.Character.ID})
	if err != nil || names[0] != "nicer" {
		t.Errorf("the player is found as %q, %v", names, err)
	}
}
