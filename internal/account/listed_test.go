package account_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
)

// Nobody comes to stand on a list, or to be excepted from a ban, by a rename: neither a player nor an operator can give
// an account such a name, nor take it from one that has it.
func TestRenameOfAndToAListedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		ctx, k := t.Context(), access.New(access.Config{Store: s})
		owner(t, l, "alice")
		owner(t, l, "dora")
		if _, err := k.Edit(ctx, access.Staff, []string{"dora", "stella"}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Edit(ctx, access.Allowed, []string{"albert"}, nil); err != nil {
			t.Fatal(err)
		}
		except := access.Ban{
			Range: netip.MustParsePrefix("203.0.113.0/24"), Except: []string{"eve"}, Until: rushgate.Forever(),
		}
		if _, err := k.Ban(ctx, except); err != nil {
			t.Fatal(err)
		}
		for next, want := range map[string]error{
			"stella": account.ErrAwaited, "albert": account.ErrAwaited, "eve": account.ErrAwaited,
		} {
			wantRename(t, l, "alice", next, want)
			if _, err := l.RenameFor(ctx, "alice", next, 0, "anna"); !errors.Is(err, want) {
				t.Errorf("alice to %s by an operator: %v", next, err)
			}
		}
		wantRename(t, l, "dora", "dorothy", account.ErrListed)
		if _, err := l.RenameFor(ctx, "dora", "dorothy", 0, "anna"); !errors.Is(err, account.ErrListed) {
			t.Errorf("dora by an operator: %v", err)
		}
		a, err := l.Find(ctx, "alice")
		if err != nil || a.Epoch != 0 || !account.RenamedAt(&a).IsZero() {
			t.Errorf("what was refused has changed the account: %+v, %v", a, err)
		}
		if _, err := k.Edit(ctx, access.Staff, nil, []string{"stella"}); err != nil {
			t.Fatal(err)
		}
		wantRename(t, l, "alice", "stella", nil)
	})
}

// A name that is listed while the sessions of an account end is not given to it either.
func TestRenameToANameThatIsListedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		k := access.New(access.Config{Store: s})
		owner(t, l, "alice")
		in, _ := login(t, s, "alice")
		if in.Err != nil {
			t.Fatal(in.Err)
		}
		time.AfterFunc(time.Second, func() {
			_, _ = k.Edit(t.Context(), access.Staff, []string{"stella"}, nil)
		})
		_, err := l.RenameFor(t.Context(), "alice", "stella", 0, "anna")
		if !errors.Is(err, account.ErrAwaited) {
			t.Errorf("the name was listed while the player was inside: %v", err)
		}
	})
}
