package cursor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/store/internal/cursor"
)

// walk goes through names in pages of one.
func walk(t *testing.T, names []string, prefix string) (found []string) {
	t.Helper()
	for at := ""; ; {
		from, err := cursor.From(prefix, at)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := slices.BinarySearch(names, from)
		if i == len(names) || !strings.HasPrefix(names[i], prefix) {
			return found
		}
		found = append(found, names[i])
		at = cursor.After(names[i])
	}
}

func TestAWalkReturnsEachNameOnce(t *testing.T) {
	names := []string{"a", "a\x00", "a\x00\x00", "a\x00b", "aa", "ab", "b", "é", "é%", "é_", "\U0010ffff", "\xff",
		"\xff\xff"}
	slices.Sort(names)
	for _, prefix := range []string{"", "a", "a\x00", "ab", "c", "é", "é%", "\xff", "\xc3"} {
		var want []string
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if got := walk(t, names, prefix); !slices.Equal(got, want) {
			t.Errorf("names that begin with %q are %q, want %q", prefix, got, want)
		}
	}
}

func TestOtherCursorsAreRefused(t *testing.T) {
	after := cursor.After("alice")
	for _, bad := range []string{"alice", "!", after + "=", after + "\n", after[:len(after)-1] + "!", "\x00"} {
		if from, err := cursor.From("", bad); err == nil {
			t.Errorf("a walk goes on at %q, from %q", bad, from)
		}
	}
	if from, err := cursor.From("bob", after); err == nil {
		t.Errorf("a walk through other names goes on, from %q", from)
	}
}

func FuzzFrom(f *testing.F) {
	f.Add("", "")
	f.Add("al", cursor.After("alice"))
	f.Add("é", cursor.After("émilie"))
	f.Add("", "////")
	f.Fuzz(func(t *testing.T, prefix, at string) {
		from, err := cursor.From(prefix, at)
		switch {
		case err != nil:
		case !strings.HasPrefix(from, prefix):
			t.Errorf("the walk through %q goes on at %q", prefix, from)
		case at != "" && cursor.After(from[:len(from)-1]) != at:
			t.Errorf("cursor %q leads to %q, whose cursor is another", at, from)
		}
	})
}
