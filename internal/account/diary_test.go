package account_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// book is a store's histories of which a test says how they behave.
type book struct {
	rushgate.Histories
	hang bool // a call takes as long as it may

	mu    sync.Mutex
	err   error
	sizes []int // of the calls
	kinds []string
	ids   map[string]int
}

func (b *book) Note(ctx context.Context, events []rushgate.Noted) ([]error, error) {
	if b.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = append(b.sizes, len(events))
	if b.err != nil {
		return nil, b.err
	}
	for _, e := range events {
		b.kinds = append(b.kinds, e.Kind)
		b.ids[e.ID]++
	}
	return make([]error, len(events)), nil
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func newDiary(b *book, rush bool) *account.Diary {
	b.ids = make(map[string]int)
	return account.NewDiary(b, func() bool { return rush }, slog.New(slog.DiscardHandler))
}

func player(i int) account.Owner {
	return account.Owner{Player: rushgate.PlayerID(i + 1), Name: fmt.Sprintf("player-%d", i)}
}

// A rush of a thousand who come in waits for nothing, also if the store hangs.
func TestSignInsWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{hang: true}
		d := newDiary(b, true)
		d.Start()
		time.Sleep(3 * time.Second)
		d.SignIn(player(0), "login", "")
		time.Sleep(3 * time.Second) // the diary hangs in the store
		begin := time.Now()
		for i := range 1000 {
			d.SignIn(player(i), "login", "192.0.2.1")
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
		d.Stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

// In a rush few events are written, in few calls; after it the rest is, each once.
func TestSignInsOfARush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		var rush atomic.Bool
		rush.Store(true)
		b.ids = make(map[string]int)
		d := account.NewDiary(b, rush.Load, slog.New(slog.DiscardHandler))
		d.Start()
		time.Sleep(5 * time.Millisecond) // or the diary might write between the two
		for i := range 1000 {
			d.SignIn(player(i), "login", "192.0.2.1")
			d.SignIn(player(i), "login", "192.0.2.1") // within the moment
			time.Sleep(10 * time.Millisecond)
		}
		b.mu.Lock()
		calls, written := len(b.sizes), len(b.ids)
		rush.Store(false)
		b.mu.Unlock()
		if calls > 6 || written > 200 || written == 0 {
			t.Errorf("%d calls of the store for %d events beside 1000 logins in 10 s", calls, written)
		}
		time.Sleep(5 * time.Second)
		d.Stop()
		for id, n := range b.ids {
			if n != 1 {
				t.Errorf("event %s was written %d times", id, n)
			}
		}
		if f := d.Figures(); f.Written != 1000 || f.Dropped != 0 || f.Waiting != 0 || len(b.ids) != 1000 {
			t.Errorf("%+v, %d in the store", f, len(b.ids))
		}
	})
}

// What happens to accounts is written before sign-ins, waits for a store that is away, and is bounded.
func TestDiaryOfAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		d := newDiary(b, true)
		b.fail(rushgate.ErrUnavailable)
		d.Start()
		for i := range 20_000 {
			d.SignIn(player(i), "login", "")
		}
		for i := range 5000 {
			d.Change(rushgate.Noted{Player: 1, AccountEvent: rushgate.AccountEvent{ID: fmt.Sprint(i), Kind: "banned"}})
		}
		time.Sleep(10 * time.Minute)
		if f := d.Figures(); f.Waiting != 16_384+4096 || f.Dropped != 25_000-int64(f.Waiting) || f.Written != 0 {
			t.Errorf("while it is away: %+v", f)
		}
		b.mu.Lock()
		calls := len(b.sizes)
		b.mu.Unlock()
		if calls > 12 {
			t.Errorf("it was tried %d times in 10 minutes", calls)
		}
		b.fail(nil)
		time.Sleep(2 * time.Minute)
		d.Stop()
		d.Start()
		d.Stop()
		if f := d.Figures(); f.Waiting != 0 {
			t.Errorf("when it is back: %+v", f)
		}
		for i, kind := range b.kinds {
			if (kind == "banned") != (i < 4096) {
				t.Fatalf("event %d is %s", i, kind)
			}
		}
	})
}

func TestWhereEventsAreFrom(t *testing.T) {
	for _, c := range []struct{ addr, device, want string }{
		{"192.0.2.1", "", "192.0.2.1"}, {"2001:db8::1", "my phone", "2001:db8::1 my phone"}, {"fe80::1%eth0", "", "fe80::1"},
	} {
		if got := account.From(netip.MustParseAddr(c.addr), c.device); got != c.want {
			t.Errorf("%s, %s: %q", c.addr, c.device, got)
		}
	}
	if got := account.From(netip.Addr{}, "phone"); got != " phone" {
		t.Errorf("without an address: %q", got)
	}
}

// What the ledger does is in the history of the account, by whom and from where.
func TestLedgerNotes(t *testing.T) {
	l, s := newLedger(t)
	who := owner(t, l, "alice")
	spam := rushgate.Disabled{Until: rushgate.Forever(), Reason: "spam"}
	must(t)(l.Disable(t.Context(), "alice", account.Ban{Disabled: spam, By: "anna"}))
	must(t)(l.Enable(t.Context(), "alice", "anna"))
	must(t)(l.SetPassword(t.Context(), "alice", otherHash))
	must(t)(l.EndSessions(t.Context(), "alice"))
	proved(t, l, who, address)
	letter, err := l.Recover(t.Context(), "alice", false)
	if err != nil {
		t.Fatal(err)
	}
	lost, err := l.Account(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	found := account.Redemption{Account: lost, Code: letter.Code, Hash: otherHash, From: "192.0.2.1"}
	if errs, err := l.Redeem(t.Context(), []account.Redemption{found}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	if _, err := removeEmail(t, l, who); err != nil {
		t.Fatal(err)
	}
	l.FactorChanged(t.Context(), who, true, "192.0.2.1")
	l.FactorChanged(t.Context(), who, false, "192.0.2.1")
	doom(t, l, who)
	if err := l.Keep(t.Context(), who, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if err := l.LogOutEverywhere(t.Context(), who, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	a, err := l.Account(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	change := account.PasswordChange{Proved: secondfactor.Proved{Account: a}, Hash: hash, From: "192.0.2.1"}
	if errs, err := l.ChangePasswords(t.Context(), []account.PasswordChange{change}); err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	note := rushgate.AccountEvent{ID: "x", At: time.Now(), Kind: account.NoteKind, By: "ann", Text: "for operators"}
	errs, err := s.Note(t.Context(), []rushgate.Noted{{Player: who.Player, Name: who.Name, AccountEvent: note}})
	if err != nil || errs[0] != nil {
		t.Fatal(err, errs)
	}
	events, err := l.History(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]rushgate.AccountEvent)
	for _, e := range events {
		got[e.Kind] = e
	}
	for _, kind := range []string{"banned", "unbanned", "password-set", "sessions-ended"} {
		if e := got[kind]; e.By == "" || e.SignIn {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	for kind, from := range map[string]string{
		"deletion-planned": "", "deletion-taken-back": "192.0.2.1", "logged-out-everywhere": "192.0.2.1",
		"password-changed": "192.0.2.1", "email-set": "", "email-removed": "", "password-recovered": "192.0.2.1",
		"second-factor-set": "192.0.2.1", "second-factor-removed": "192.0.2.1",
	} {
		if e := got[kind]; e.ID == "" || e.By != "" || e.From != from {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	if !strings.HasSuffix(got["banned"].Text, ": spam") || len(events) != 13 {
		t.Errorf("%d events, the ban %+v", len(events), got["banned"])
	}
}
