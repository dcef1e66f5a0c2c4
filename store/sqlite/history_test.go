package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

func noted(id rushgate.PlayerID, event string) rushgate.Noted {
	e := rushgate.AccountEvent{ID: event, At: time.UnixMilli(1), Kind: "renamed"}
	return rushgate.Noted{Player: id, Name: fmt.Sprint("player", id), AccountEvent: e}
}

// An event that cannot be read costs its own account the history, and nothing else, nor any other account.
func TestDamagedEventHarmsNoOther(t *testing.T) {
	s := newStore(t)
	const secret = "hunter22"
	for i, damage := range []string{`at = 0`, `at = -1`, `at = 1 << 62`, `kind = ''`, `text = '` + secret + `' || char(7)`,
		`operator = CAST(x'ff' AS TEXT)`, `id = '` + secret + ` '`, `origin = printf('%200s', '')`} {
		broken, whole := rushgate.PlayerID(2*i+1), rushgate.PlayerID(2*i+2)
		if err := register(s, broken, whole); err != nil {
			t.Fatal(err)
		}
		batch := []rushgate.Noted{noted(broken, "a"), noted(broken, "b"), noted(whole, "a")}
		if errs, err := s.Note(t.Context(), batch); err != nil || errors.Join(errs...) != nil {
			t.Fatal(errs, err)
		}
		byHand(t, s, fmt.Sprintf(`UPDATE events SET %s WHERE player_id = %d AND id = 'a'`, damage, broken))
		names := []string{fmt.Sprint("player", broken), fmt.Sprint("player", whole)}
		got, err := s.LoadHistories(t.Context(), names)
		if err != nil || !errors.Is(got[0].Err, rushgate.ErrDamagedRecord) || len(got[0].Events) != 0 {
			t.Fatalf("%s: histories are %+v, %v; want %v for the first", damage, got, err, rushgate.ErrDamagedRecord)
		}
		if strings.Contains(got[0].Err.Error(), secret) {
			t.Errorf("%s: the error is %q", damage, got[0].Err)
		}
		// What cannot be either is one of the two.
		byHand(t, s, fmt.Sprintf(`UPDATE events SET sign_in = %d WHERE player_id = %d`, i-2, whole))
		if got, err = s.LoadHistories(t.Context(), names); err != nil {
			t.Fatalf("%s: %v", damage, err)
		}
		if got[1].Err != nil || len(got[1].Events) != 1 {
			t.Errorf("%s: the other is %+v", damage, got[1])
		}
		in, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{registration(broken), registration(whole)})
		if err != nil || in[0].Err != nil || in[1].Err != nil {
			t.Errorf("%s: admitted as %+v, %v", damage, in, err)
		}
	}
}

// Credentials that cannot be read are not replaced, neither by a change nor by a login, and nothing else with them.
func TestDamagedCredentialsAreNotReplaced(t *testing.T) {
	s := newStore(t)
	const secret = "hunter22"
	if err := register(s, 1, 2); err != nil {
		t.Fatal(err)
	}
	byHand(t, s, `UPDATE accounts SET credentials = '["`+secret+`"]' WHERE id = 1`)
	replace := func(id rushgate.PlayerID) rushgate.AccountChange {
		c := rushgate.AccountChange{Player: id, Name: fmt.Sprint("player", id), PasswordHash: "new"}
		c.Credentials = []rushgate.Credential{{Kind: "code"}}
		return c
	}
	errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{replace(1), replace(2)})
	if err != nil || !errors.Is(errs[0], rushgate.ErrDamagedRecord) || errs[1] != nil {
		t.Errorf("changes: %v, %v", errs, err)
	}
	login := registration(1)
	login.Create, login.Credentials = false, []rushgate.Credential{}
	in, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{login, registration(1), registration(2)})
	if err != nil || !errors.Is(in[0].Err, rushgate.ErrDamagedRecord) || in[1].Err != nil {
		t.Errorf("logins: %+v, %v", in, err)
	}
	if strings.Contains(fmt.Sprint(errs, in), secret) {
		t.Errorf("the errors are %v, %v", errs[0], in[0].Err)
	}
	// What an operator has written by hand is compared by what it says.
	byHand(t, s, `UPDATE accounts SET credentials = '[ {"secret":"a", "kind":"code"} ]' WHERE id = 1`)
	change := replace(1)
	change.Replaces = []rushgate.Credential{{Kind: "code", Secret: "a"}}
	if errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
		t.Errorf("a change under what was written by hand: %v, %v", errs, err)
	}
}

// Nothing of an account that is deleted stays, and what was noted of others does.
func TestNoRowOutlivesItsAccount(t *testing.T) {
	s := newStore(t)
	if err := register(s, 1, 2); err != nil {
		t.Fatal(err)
	}
	if errs, err := s.Note(t.Context(), []rushgate.Noted{noted(1, "a"), noted(1, "b"), noted(2, "a")}); err != nil ||
		errors.Join(errs...) != nil {
		t.Fatal(errs, err)
	}
	byHand(t, s, `DELETE FROM leases`)
	if err := s.DeleteAccount(t.Context(), "player1"); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM events`).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d events are left, %v; want the other's", left, err)
	}
}

// A login of an account that is there reads and writes nothing of what is kept for accounts besides.
func TestLoginsNeedNoneOfTheRest(t *testing.T) {
	s := newStore(t)
	if err := register(s, 1); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"held_names", "events", "tasks", "task_counts", "audit"} {
		byHand(t, s, `DROP TABLE `+table)
	}
	wantAccounts(t, s, 1)
	login := registration(1)
	login.Create, login.NewHash = false, "new"
	in, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{login})
	if err != nil || in[0].Err != nil {
		t.Fatalf("admitted as %+v, %v", in, err)
	}
	if errs, err := s.Refresh(t.Context(), testInstance, []rushgate.Lease{in[0].Lease}); err != nil || errs[0] != nil {
		t.Errorf("refresh: %v, %v", errs, err)
	}
	leave := rushgate.Save{Character: in[0].Character, Fence: in[0].Lease.Fence, Release: true}
	if errs, err := s.Save(t.Context(), []rushgate.Save{leave}); err != nil || errs[0] != nil {
		t.Errorf("save: %v, %v", errs, err)
	}
}

// Names whose time is up take no room for long.
func TestHeldNamesAreForgotten(t *testing.T) {
	s := newStore(t)
	if err := register(s, 1, 2); err != nil {
		t.Fatal(err)
	}
	byHand(t, s, `DELETE FROM leases`, `INSERT INTO held_names VALUES ('gone', 7, 1, ''), ('held', 7, 1 << 50, '')`)
	rename := rushgate.Rename{Player: 1, Name: "player1", NewName: "other", Hold: rushgate.Forever()}
	if err := s.RenameAccount(t.Context(), rename); err != nil {
		t.Fatal(err)
	}
	var names string
	const held = `SELECT group_concat(username, ' ' ORDER BY username) FROM held_names`
	if err := s.read.QueryRowContext(t.Context(), held).Scan(&names); err != nil || names != "held player1" {
		t.Errorf("held are %q, %v", names, err)
	}
}

// Names that a program of before has held keep what looks like them, too.
func TestLooksOfNamesHeldBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	byHand(t, s, `INSERT INTO held_names (username, player_id, until) VALUES ('scope', 7, 1 << 50)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	cyrillic := rushgate.Account{ID: 1, Username: "ѕсоре", PasswordHash: "h", CreatedAt: time.Now()}
	in, err := s.Admit(t.Context(), rushgate.Instance{Node: "n", Run: "r"}, []rushgate.Admission{
		{Account: cyrillic, Attempt: "a", Create: true},
	})
	if err != nil || !errors.Is(in[0].Err, rushgate.UsernameTaken) {
		t.Errorf("registered: %+v, %v", in, err)
	}
}
