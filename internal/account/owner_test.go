package account_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

// An account that was deleted and made anew under the same name is not the player's who had the one before.
func TestOwnersOfAccountsMadeAnew(t *testing.T) {
	l, s := newLedger(t)
	before := owner(t, l, "alice")
	if err := l.Delete(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	now := owner(t, l, "alice")
	d := rushgate.Device{
		ID: "d", Label: "phone", Token: "7RM9tGM3WUtNYsyb_qIxVxCrGXVZr3dEHPOJ8dmqMDo", Attempt: "x",
		CreatedAt: time.Now(), UsedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}
	c := rushgate.AccountChange{Player: now.Player, Name: "alice", Devices: []rushgate.Device{d}}
	if errs, err := s.Store.UpdateAccounts(t.Context(), []rushgate.AccountChange{c}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	for _, who := range []account.Owner{before, {Name: "alice"}, {Player: now.Player, Name: "bob"}} {
		_, looked := l.Account(t.Context(), who)
		forgot, out := l.ForgetDevice(t.Context(), who, account.Handle(&d), ""), l.LogOutEverywhere(t.Context(), who, "")
		for _, err := range []error{looked, forgot, out} {
			if !errors.Is(err, account.ErrUnknown) {
				t.Errorf("%+v: %v", who, err)
			}
		}
	}
	if a, err := l.Account(t.Context(), now); err != nil || a.Epoch != 0 || len(a.Devices.List) != 1 {
		t.Fatalf("the account made anew: %+v, %v", a, err)
	}
	if err := l.ForgetDevice(t.Context(), now, account.Handle(&d), ""); err != nil {
		t.Error(err)
	}
	if err := l.LogOutEverywhere(t.Context(), now, ""); err != nil {
		t.Error(err)
	}
}
