package account_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
)

const address = "alice@example.org"

// owner makes an account, and returns who owns it.
func owner(t *testing.T, l *account.Ledger, name string) account.Owner {
	t.Helper()
	made, err := l.Create(t.Context(), name, hash)
	if err != nil {
		t.Fatal(err)
	}
	return account.Owner{Player: made.Player, Name: made.Name}
}

// wants has an owner, who has proved to be one, want an address.
func wants(t *testing.T, l *account.Ledger, who account.Owner, address string) error {
	t.Helper()
	a, err := l.Account(t.Context(), who)
	if err != nil {
		return err
	}
	return l.SetEmail(t.Context(), &secondfactor.Proved{Account: a}, address)
}

// removeEmail has an owner, who has proved to be one, have no address.
func removeEmail(t *testing.T, l *account.Ledger, who account.Owner) (before string, err error) {
	t.Helper()
	a, err := l.Account(t.Context(), who)
	if err != nil {
		return "", err
	}
	return l.RemoveEmail(t.Context(), &secondfactor.Proved{Account: a})
}

// challenged has an owner want an address, and returns the code that is sent there.
func challenged(t *testing.T, l *account.Ledger, who account.Owner, address string) token.Code {
	t.Helper()
	if err := wants(t, l, who, address); err != nil {
		t.Fatal(err)
	}
	letter, err := l.ChallengeEmail(t.Context(), who, false)
	if err != nil || letter.To != address || letter.Username != who.Name || letter.Valid != account.CodeTTL {
		t.Fatalf("the letter %+v, error %v", letter, err)
	}
	return letter.Code
}

// proved gives an owner an address.
func proved(t *testing.T, l *account.Ledger, who account.Owner, address string) {
	t.Helper()
	if _, err := l.VerifyEmail(t.Context(), who, challenged(t, l, who, address)); err != nil {
		t.Fatal(err)
	}
}

func wantAddresses(t *testing.T, l *account.Ledger, who account.Owner, want account.Addresses) {
	t.Helper()
	if got, err := l.Addresses(t.Context(), who); err != nil || got != want {
		t.Errorf("the addresses are %+v, error %v, want %+v", got, err, want)
	}
}

func TestAddressIsProvedByACode(t *testing.T) {
	l, _ := newLedger(t)
	who := owner(t, l, "alice")
	wantAddresses(t, l, who, account.Addresses{})
	code := challenged(t, l, who, address)
	wantAddresses(t, l, who, account.Addresses{Pending: address})
	if can, err := l.CanRecover(t.Context(), "alice"); can || err != nil {
		t.Errorf("an address that is not proved recovers the account: %v, error %v", can, err)
	}
	if before, err := l.VerifyEmail(t.Context(), who, code); err != nil || before != "" {
		t.Errorf("before it was %q, error %v", before, err)
	}
	wantAddresses(t, l, who, account.Addresses{Proved: address})
	if _, err := l.VerifyEmail(t.Context(), who, code); !errors.Is(err, account.ErrWrongCode) {
		t.Errorf("the second time: error %v", err)
	}

	code = challenged(t, l, who, "new@example.org")
	wantAddresses(t, l, who, account.Addresses{Proved: address, Pending: "new@example.org"})
	if before, err := l.VerifyEmail(t.Context(), who, code); err != nil || before != address {
		t.Errorf("before it was %q, error %v", before, err)
	}
	if before, err := removeEmail(t, l, who); err != nil || before != "new@example.org" {
		t.Errorf("before it was %q, error %v", before, err)
	}
	wantAddresses(t, l, who, account.Addresses{})
	if before, err := removeEmail(t, l, who); err != nil || before != "" {
		t.Errorf("before it was %q, error %v", before, err)
	}
	if _, err := l.ChallengeEmail(t.Context(), who, false); !errors.Is(err, account.ErrNoAddress) {
		t.Errorf("without an address: error %v", err)
	}
}

func TestAddressOfAnotherPlayer(t *testing.T) {
	l, _ := newLedger(t)
	who := owner(t, l, "alice")
	code := challenged(t, l, who, address)
	for _, other := range []account.Owner{{Player: who.Player + 1, Name: "alice"}, {Name: "alice"}, {Name: "bob"}} {
		_, errs1 := l.Addresses(t.Context(), other)
		_, errs2 := l.VerifyEmail(t.Context(), other, code)
		_, errs3 := removeEmail(t, l, other)
		for _, err := range []error{errs1, errs2, errs3, wants(t, l, other, address)} {
			if !errors.Is(err, account.ErrUnknown) {
				t.Errorf("%+v: error %v", other, err)
			}
		}
	}
	bob := owner(t, l, "bob")
	challenged(t, l, bob, address)
	if _, err := l.VerifyEmail(t.Context(), bob, code); !errors.Is(err, account.ErrWrongCode) {
		t.Errorf("the code of another: error %v", err)
	}
}

func TestCodesEnd(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, l *account.Ledger, who account.Owner){
		"by time": func(*testing.T, *account.Ledger, account.Owner) { time.Sleep(account.CodeTTL) },
		"by wrong tries": func(t *testing.T, l *account.Ledger, who account.Owner) {
			for range account.CodeTries {
				if _, err := l.VerifyEmail(t.Context(), who, token.NewCode()); !errors.Is(err, account.ErrWrongCode) {
					t.Error(err)
				}
			}
		},
		"by another code": func(t *testing.T, l *account.Ledger, who account.Owner) {
			if _, err := l.ChallengeEmail(t.Context(), who, false); err != nil {
				t.Error(err)
			}
		},
		"by another address": func(t *testing.T, l *account.Ledger, who account.Owner) {
			if err := wants(t, l, who, "other@example.org"); err != nil {
				t.Error(err)
			}
		},
		"by another password": func(t *testing.T, l *account.Ledger, who account.Owner) {
			if _, err := l.SetPassword(t.Context(), who.Name, otherHash); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := newLedger(t)
				who := owner(t, l, "alice")
				code := challenged(t, l, who, address)
				spoil(t, l, who)
				if _, err := l.VerifyEmail(t.Context(), who, code); !errors.Is(err, account.ErrWrongCode) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestCodesOfAnHourAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLedger(t)
		who := owner(t, l, "alice")
		proved(t, l, who, address)
		for range 2 {
			for range account.CodesPerHour {
				for _, again := range []bool{false, true, true} {
					if _, err := l.Recover(t.Context(), "Alice", again); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
			}
			if _, err := l.Recover(t.Context(), "alice", false); !errors.Is(err, account.ErrTooMany) {
				t.Errorf("error %v", err)
			}
			time.Sleep(time.Hour)
		}
		for i := range account.CodesPerHour {
			challenged(t, l, who, fmt.Sprintf("alice%d@example.org", i))
		}
		if err := wants(t, l, who, "eve@example.org"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.ChallengeEmail(t.Context(), who, false); !errors.Is(err, account.ErrTooMany) {
			t.Errorf("to another address: error %v", err)
		}
	})
}

// Codes are those of the same hour after the address was taken away, or another was proved: else somebody else's
// mailbox could be filled.
func TestAddressesThatGoKeepTheCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLedger(t)
		who := owner(t, l, "alice")
		remove := func() {
			t.Helper()
			if _, err := removeEmail(t, l, who); err != nil {
				t.Fatal(err)
			}
			wantAddresses(t, l, who, account.Addresses{})
			if _, err := l.ChallengeEmail(t.Context(), who, false); !errors.Is(err, account.ErrNoAddress) {
				t.Errorf("without an address: %v", err)
			}
			if _, err := l.VerifyEmail(t.Context(), who, token.NewCode()); !errors.Is(err, account.ErrWrongCode) {
				t.Errorf("without an address: %v", err)
			}
		}
		full := func(when string) {
			t.Helper()
			if err := wants(t, l, who, "victim@example.org"); err != nil {
				t.Fatal(err)
			}
			if _, err := l.ChallengeEmail(t.Context(), who, false); !errors.Is(err, account.ErrTooMany) {
				t.Errorf("%s: %v", when, err)
			}
		}
		challenged(t, l, who, "victim@example.org")
		remove()
		proved(t, l, who, address)
		if _, err := l.Recover(t.Context(), "alice", false); err != nil {
			t.Fatal(err)
		}
		for range account.CodesPerHour - 2 {
			challenged(t, l, who, "victim@example.org")
		}
		full("with another address")
		remove()
		full("without an address")
		time.Sleep(time.Hour)
		remove()
		proved(t, l, who, address)
		for range account.CodesPerHour {
			if _, err := l.Recover(t.Context(), "alice", false); err != nil {
				t.Fatal(err)
			}
		}
		remove()
		proved(t, l, who, address)
		if _, err := l.Recover(t.Context(), "alice", false); !errors.Is(err, account.ErrTooMany) {
			t.Errorf("to recover it: %v", err)
		}
	})
}

// redeem tries a code with a new hash, as the lane for new passwords does.
func redeem(t *testing.T, s rushgate.Store, name string, code token.Code) (right bool) {
	t.Helper()
	a, err := s.LoadAccounts(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	try := account.Redemption{Account: a[0].Account, Code: code, Hash: otherHash}
	errs, err := account.New(s).Redeem(t.Context(), []account.Redemption{try})
	if err != nil || errs[0] != nil && !errors.Is(errs[0], rushgate.BadCredentials) {
		t.Fatal(errs, err)
	}
	return errs[0] == nil
}

func TestLostPassword(t *testing.T) {
	l, s := newLedger(t)
	who := owner(t, l, "alice")
	if _, err := l.Recover(t.Context(), "alice", false); !errors.Is(err, account.ErrNoAddress) {
		t.Errorf("without an address: error %v", err)
	}
	if _, err := l.Recover(t.Context(), "bob", false); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("without an account: error %v", err)
	}
	proved(t, l, who, address)
	letter, err := l.Recover(t.Context(), "ALICE", false)
	if err != nil || letter.To != address || letter.Username != "alice" {
		t.Fatalf("%+v, error %v", letter, err)
	}
	if redeem(t, s, "alice", token.NewCode()) || redeem(t, s, "bob", letter.Code) {
		t.Error("a wrong code is right")
	}
	before := findAccount(t, l, "alice")
	if !redeem(t, s, "alice", letter.Code) {
		t.Fatal("the right code is wrong")
	}
	after := findAccount(t, l, "alice")
	if after.PasswordHash != otherHash || after.Epoch != before.Epoch+1 {
		t.Errorf("the account is %+v", after)
	}
	wantAddresses(t, l, who, account.Addresses{Proved: address})
	if redeem(t, s, "alice", letter.Code) {
		t.Error("it is right again")
	}
}

func findAccount(t *testing.T, l *account.Ledger, name string) rushgate.Account {
	t.Helper()
	a, err := l.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCodeFromAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		owner(t, l, "alice")
		for _, late := range []time.Duration{time.Millisecond, 0} {
			text, expires, err := l.RecoveryCode(t.Context(), "Alice")
			if err != nil || !expires.Equal(time.Now().Add(account.HandedTTL)) {
				t.Fatalf("until %v, error %v", expires, err)
			}
			code, err := token.ParseCode(text)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(account.HandedTTL - late)
			if right := redeem(t, s, "alice", code); right != (late > 0) {
				t.Errorf("%v before its end: right is %v", late, right)
			}
		}
		if _, _, err := l.RecoveryCode(t.Context(), "bob"); !errors.Is(err, account.ErrUnknown) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCodesOfABatch(t *testing.T) {
	l, s := newLedger(t)
	owner(t, l, "alice")
	bob := owner(t, l, "bob")
	proved(t, l, bob, address) // and was sent no code
	text, _, err := l.RecoveryCode(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	code, _ := token.ParseCode(text)
	alice := findAccount(t, l, "alice")
	// All of one batch have the account as it was before the batch.
	tries := []account.Redemption{
		{Account: alice}, {Account: alice}, {Account: findAccount(t, l, "bob")}, {}, {Account: alice},
	}
	for i := range tries {
		tries[i].Code, tries[i].Hash = token.NewCode(), otherHash
	}
	tries[1].Code, tries[4].Code = code, code
	errs, err := account.New(s).Redeem(t.Context(), tries)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, err := range errs {
		switch {
		case err == nil && tries[i].Code == code:
			right++
		case !errors.Is(err, rushgate.BadCredentials):
			t.Errorf("%d: error %v", i, err)
		}
	}
	if after := findAccount(t, l, "alice"); right != 1 || after.Epoch != alice.Epoch+1 || after.PasswordHash != otherHash {
		t.Errorf("it was redeemed %d times, and the account is %+v", right, after)
	}
	if _, err := l.Redeem(t.Context(), []account.Redemption{{Account: alice, Code: code, Hash: "x"}}); err == nil {
		t.Error("a hash that is none is taken")
	}
}

func TestWrongCodesAreCountedTogether(t *testing.T) {
	l, s := newLedger(t)
	owner(t, l, "alice")
	text, _, err := l.RecoveryCode(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var tries sync.WaitGroup
	for range 2 * account.CodeTries {
		tries.Go(func() {
			a := findAccount(t, l, "alice")
			_, err := l.Redeem(t.Context(), []account.Redemption{{Account: a, Code: token.NewCode(), Hash: otherHash}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	tries.Wait()
	if code, _ := token.ParseCode(text); redeem(t, s, "alice", code) {
		t.Error("the code is right after as many wrong ones as there may be")
	}
}

// Wrong codes that come at once use up a try each, whether they are of one batch or of two nodes: the store is given
// the same account for all.
func TestWrongCodesAtOnceAreCountedEach(t *testing.T) {
	l, s := newLedger(t)
	who := owner(t, l, "alice")
	recovery := func(n int) {
		t.Helper()
		alice := findAccount(t, l, "alice")
		tries := make([]account.Redemption, n)
		for i := range tries {
			tries[i] = account.Redemption{Account: alice, Code: token.NewCode(), Hash: otherHash}
		}
		errs, err := l.Redeem(t.Context(), tries)
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range errs {
			if !errors.Is(err, rushgate.BadCredentials) && !errors.Is(err, rushgate.ErrAccountChanged) {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
	for wrong, good := range map[int]bool{account.CodeTries - 1: true, account.CodeTries: false, 64: false} {
		text, _, err := l.RecoveryCode(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		recovery(wrong)
		if code, _ := token.ParseCode(text); redeem(t, s, "alice", code) != good {
			t.Errorf("after %d wrong codes in a batch the right one is good: %v", wrong, !good)
		}
	}

	code := challenged(t, l, who, address)
	nodes := account.New(newTogether(s, account.CodeTries))
	var tries sync.WaitGroup
	for range account.CodeTries {
		tries.Go(func() {
			if _, err := nodes.VerifyEmail(t.Context(), who, token.NewCode()); !errors.Is(err, account.ErrWrongCode) {
				t.Error(err)
			}
		})
	}
	tries.Wait()
	if _, err := l.VerifyEmail(t.Context(), who, code); !errors.Is(err, account.ErrWrongCode) {
		t.Errorf("after as many wrong codes at once as there may be: %v", err)
	}
}

// together is a store to which the first changes of so many callers come when all of them have read the account.
type together struct {
	rushgate.Store
	callers *atomic.Int64
	come    *sync.WaitGroup
}

func newTogether(s rushgate.Store, callers int) together {
	t := together{s, new(atomic.Int64), new(sync.WaitGroup)}
	t.callers.Store(int64(callers))
	t.come.Add(callers)
	return t
}

func (t together) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if t.callers.Add(-1) >= 0 {
		t.come.Done()
		t.come.Wait()
	}
	return t.Store.UpdateAccounts(ctx, changes)
}

func TestNothingOfACodeIsKept(t *testing.T) {
	l, _ := newLedger(t)
	who := owner(t, l, "alice")
	proved(t, l, who, address)
	letter, err := l.Recover(t.Context(), "alice", false)
	if err != nil {
		t.Fatal(err)
	}
	pending := challenged(t, l, who, "new@example.org")
	kept := fmt.Sprintf("%#v", findAccount(t, l, "alice"))
	for _, code := range []token.Code{letter.Code, pending} {
		if strings.Contains(kept, code.Text()) || strings.Contains(kept, strings.ReplaceAll(code.Text(), "-", "")) {
			t.Error("the account has a code")
		}
	}
	shown, err := l.Show(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%#v", shown); strings.Contains(s, "example.org") {
		t.Errorf("what is shown of it is %s", s)
	}
}
