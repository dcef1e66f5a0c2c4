package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate/store/memory"
)

func newStore(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New(memory.Options{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func add(t *testing.T, b *Book, name string, role Role) string {
	t.Helper()
	token, err := b.Add(t.Context(), name, role, Console)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRoles(t *testing.T) {
	if got := strings.Join(Roles(), " "); got != "look help run all" {
		t.Errorf("the roles are %s", got)
	}
	for r := Look; r <= All; r++ {
		if back, err := ParseRole(r.String()); err != nil || back != r {
			t.Errorf("%v is read as %v, %v", r, back, err)
		}
		for least := Look; least <= All; least++ {
			if r.May(least) != (r >= least) {
				t.Errorf("%v may do what takes %v: %v", r, least, r.May(least))
			}
		}
		if r.May(0) || Role(0).May(r) || (All + 1).May(r) {
			t.Errorf("what is no role may do something")
		}
	}
	for _, name := range []string{"", "ALL", "root", "none"} {
		if _, err := ParseRole(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Of the names some are others' in the audit log, and some could not be told apart or typed.
func TestNames(t *testing.T) {
	for _, name := range []string{"anna", "a", "a.b_c-9", strings.Repeat("x", 32)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "Anna", "a b", "а", "a\n", strings.Repeat("x", 33), "root", "local", "console", "system",
	} {
		if err := CheckName(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An error about a name or a role is one sentence, which says what they can be.
func TestWhatIsSaidOfWhatCannotBe(t *testing.T) {
	_, role := ParseRole("boss")
	for want, err := range map[string]error{
		`an operator's name has 1 to 32 characters, each of a-z, 0-9, ".", "_" and "-"`: CheckName("an na"),
		"no operator can be named root: it stands for others in the audit log":          CheckName("root"),
		"a role is one of look, help, run, all":                                         role,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The first operator can do everything, and as long as there are any, one can.
func TestOneHasToHaveTheRoleAll(t *testing.T) {
	b := NewBook(newStore(t))
	if _, err := b.Add(t.Context(), "grafana", Look, Console); !errors.Is(err, ErrLast) {
		t.Fatalf("the first: %v", err)
	}
	add(t, b, "anna", All)
	add(t, b, "grafana", Look)
	for what, err := range map[string]error{
		"remove": b.Remove(t.Context(), "anna"), "role": b.SetRole(t.Context(), "anna", Run),
	} {
		if !errors.Is(err, ErrLast) {
			t.Errorf("%s: %v", what, err)
		}
	}
	add(t, b, "ben", All)
	if err := b.Remove(t.Context(), "anna"); err != nil {
		t.Error(err)
	}
	all, err := b.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "ben" || all[0].CreatedBy != Console || all[0].CreatedAt.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestRefusals(t *testing.T) {
	b := NewBook(newStore(t))
	add(t, b, "anna", All)
	_, taken := b.Add(t.Context(), "anna", Look, Console)
	_, name := b.Add(t.Context(), "root", Look, Console)
	_, role := b.Add(t.Context(), "ben", 0, Console)
	_, renew := b.Renew(t.Context(), "ben")
	for what, tt := range map[string]struct{ err, want error }{
		"taken": {taken, ErrTaken}, "name": {name, ErrInvalid}, "role": {role, ErrInvalid}, "renew": {renew, ErrUnknown},
		"remove": {b.Remove(t.Context(), "ben"), ErrUnknown}, "set role": {b.SetRole(t.Context(), "ben", Run), ErrUnknown},
		"no role": {b.SetRole(t.Context(), "anna", 9), ErrInvalid},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", what, tt.err, tt.want)
		}
	}
}

// Tokens are told from what else lies about, differ, and are not in what is stored.
func TestTokensAreNotStored(t *testing.T) {
	s := newStore(t)
	b := NewBook(s)
	anna, ben := add(t, b, "anna", All), add(t, b, "ben", Look)
	if anna == ben || len(anna) != len(TokenPrefix)+43 || !strings.HasPrefix(anna, TokenPrefix) {
		t.Errorf("%s, %s", anna, ben)
	}
	value, err := s.Shared(t.Context(), SharedName)
	if err != nil || strings.Contains(string(value), anna[len(TokenPrefix):]) {
		t.Errorf("stored is %s, %v", value, err)
	}
}

// Of operators that are added at the same time none is lost.
func TestAddedAtTheSameTime(t *testing.T) {
	s := newStore(t)
	add(t, NewBook(s), "anna", All)
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			if _, err := NewBook(s).Add(context.Background(), fmt.Sprint("o", i), Look, Console); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if all, err := NewBook(s).List(t.Context()); err != nil || len(all) != 6 {
		t.Errorf("%d, %v", len(all), err)
	}
}

// away is a store that can be away.
type away struct {
	Store
	err error
}

func (a *away) Shared(ctx context.Context, name string) ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.Store.Shared(ctx, name)
}

// A node goes by what it knew while the store is away, and by nothing before it has heard from it.
func TestRoll(t *testing.T) {
	s := &away{Store: newStore(t), err: errors.New("away")}
	r, b := NewRoll(s), NewBook(s)
	if err := r.Refresh(t.Context()); !errors.Is(err, s.err) || r.Empty() {
		t.Errorf("nothing is known: %v, and it is empty: %v", err, r.Empty())
	}
	s.err = nil
	refresh := func() {
		t.Helper()
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if refresh(); !r.Empty() {
		t.Error("there are operators")
	}
	anna, ben := add(t, b, "anna", All), add(t, b, "ben", Look)
	refresh()
	was, ok := r.Find(anna)
	if !ok || was.Name != "anna" || was.Role != All || r.Empty() {
		t.Errorf("%+v, %v", was, ok)
	}
	for _, wrong := range []string{"", TokenPrefix, anna[1:], anna + "x", strings.ToUpper(anna)} {
		if _, ok := r.Find(wrong); ok {
			t.Errorf("%q is a token", wrong)
		}
	}
	if err := b.SetRole(t.Context(), "ben", Help); err != nil {
		t.Fatal(err)
	}
	before, _ := r.Find(ben)
	refresh()
	if now, ok := r.Find(ben); !ok || now.Role != Help || before.Over.Err() == nil || was.Over.Err() != nil {
		t.Errorf("ben is %v, what he had begun is over: %v, and what anna has: %v",
			now.Role, before.Over.Err(), was.Over.Err())
	}
	s.err = errors.New("away")
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("the store is away")
	}
	if _, ok := r.Find(anna); !ok {
		t.Error("anna is not known while the store is away")
	}
}

// What cannot be read leaves those known who were, and is not written over.
func TestUnreadable(t *testing.T) {
	s := newStore(t)
	b, r := NewBook(s), NewRoll(s)
	anna := add(t, b, "anna", All)
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	value, err := s.Shared(t.Context(), SharedName)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(value), `"version":1`, `"version":2`, 1)
	if ok, err := s.SwapShared(t.Context(), SharedName, value, []byte(newer)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := r.Refresh(t.Context()); !errors.Is(err, ErrUnreadable) {
		t.Errorf("it is read: %v", err)
	}
	if _, ok := r.Find(anna); !ok {
		t.Error("anna is out")
	}
	if _, err := b.Add(t.Context(), "ben", All, Console); !errors.Is(err, ErrUnreadable) {
		t.Errorf("it is written over: %v", err)
	}
}

// Whatever is stored, reading it ends with operators that can be stored again, or with an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"operators":[{"name":"anna","role":"all","token_sha256":"` + strings.Repeat("0f", 32) +
		`","created_at":"2026-11-29T02:00:00Z","created_by":"console"}]}`))
	f.Add([]byte(`{"version":1,"operators":[]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, value []byte) {
		all, err := parse(value)
		if err != nil {
			return
		}
		written, err := format(all)
		if err != nil {
			return // a time that JSON has no word for
		}
		if again, err := parse(written); err != nil || len(again) != len(all) {
			t.Errorf("%s is written as %s: %v", value, written, err)
		}
	})
}
