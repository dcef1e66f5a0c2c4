package rushgate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func TestNewUsername(t *testing.T) {
	const (
		ascii    = "of ASCII"
		scripts  = "of one script"
		digits   = "of one system"
		marks    = "mark"
		reserved = "reserved"
	)
	tests := []struct{ name, give, want, rule string }{
		{"plain", "Alice_99", "alice_99", ""},
		{"dots", "a.b-c", "a.b-c", ""},
		{"accents", "Émilie", "émilie", ""},
		{"Vietnamese", "Nguyễn", "nguyễn", ""},
		{"Russian", "Мария", "мария", ""},
		{"Greek", "Νίκος", "νίκος", ""},
		{"Hebrew with points", "שָׁלוֹם", "שָׁלוֹם", ""},
		{"Arabic", "محمد", "محمد", ""},
		{"Hindi", "हिन्दी", "हिन्दी", ""},
		{"Thai", "สมชาย", "สมชาย", ""},
		{"Chinese", "李明", "李明", ""},
		{"Chinese with Latin", "李ming", "李ming", ""},
		{"Japanese of three scripts", "山田タロウくん", "山田タロウくん", ""},
		{"Japanese, long vowel", "ラーメン", "ラーメン", ""},
		{"Korean with Latin", "김hyun", "김hyun", ""},
		{"number", "2026", "2026", ""},
		{"with a reserved word in it", "administratrix", "administratrix", ""},

		{"markup", "<b>bob</b>", "", ascii},
		{"quotes", "bob'--", "", ascii},
		{"ampersand", "a&amp;b", "", ascii},
		{"template", "{{alice}}", "", ascii},
		{"brackets in full width", "［ｇｍ］", "", "not allowed in a name"},
		{"at", "bob@home", "", ascii},
		{"separators only", "-._", "", "a letter or a digit"},
		{"Cyrillic a in Latin", "аdmin1", "", scripts},
		{"Greek in Latin", "αdmin1", "", scripts},
		{"Cyrillic and Greek", "аοаο", "", scripts},
		{"Hangul and Hiragana", "김ゆき", "", scripts},
		{"Cherokee in Latin", "bobᏟ", "", scripts},
		{"two systems of digits", "हिन्दी1२", "", digits},
		{"thirty marks", "bob" + strings.Repeat("\u0301\u0316", 14), "", marks},
		{"five marks", "bob\u0316\u0317\u0318\u0319\u031c", "", marks},
		{"a mark twice", "bob\u0316\u0316", "", marks},
		{"reserved", "admin", "", reserved},
		{"reserved, upper case", "ADMIN", "", reserved},
		{"reserved, full width", "ａｄｍｉｎ", "", reserved},
		{"reserved, separated", "-a.d_m-i.n-", "", reserved},
		{"reserved, with an accent", "ädmìn", "", reserved},
		{"reserved, with digits", "4dm1n", "", reserved},
		{"reserved, rn for m", "adrnin", "", reserved},
		{"reserved, all Cyrillic", "ѕһеӏр", "ѕһеӏр", ""},
		{"system", "System", "", reserved},
		{"support", "5upp0rt", "", reserved},
		{"root", "r00t", "", reserved},
		{"gm", "g-m", "", reserved},
		{"null", "nu11", "", reserved},
		{"in Russian", "Админ", "", reserved},
		{"in Chinese", "管理员", "", reserved},
		{"two words", "two words", "", "not allowed in a name"},
		{"short", "ab", "", "3 to 32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := rushgate.NewUsername(tt.give)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("NewUsername(%q) = %q, %v; want %q", tt.give, got, err, tt.want)
			}
			if err != nil && (!errors.Is(err, rushgate.ErrInvalidUsername) || !strings.Contains(err.Error(), tt.rule)) {
				t.Errorf("error %q, want one about %q", err, tt.rule)
			}
			if _, err := rushgate.LoginName(tt.give); err != nil {
				t.Errorf("an old account of that name cannot log in: %v", err)
			}
		})
	}
}

func TestSkeleton(t *testing.T) {
	tests := []struct {
		a, b string
		same bool
	}{
		{"alice", "alice", true},
		{"alice", "аlісе", true}, // with letters of Cyrillic
		{"paypal", "раураӏ", true},
		{"morning", "rnorning", true},
		{"player1", "playerl", true},
		{"ﾕｷ", "ユキ", true}, // an old name in half width
		{"alice", "alicia", false},
		{"bob", "bób", false},
		{"李明", "李朋", false},
	}
	for _, tt := range tests {
		if same := rushgate.Skeleton(tt.a) == rushgate.Skeleton(tt.b); same != tt.same {
			t.Errorf("%q and %q are the same: %v, want %v", tt.a, tt.b, same, tt.same)
		}
	}
}

// FuzzNewUsername holds that a new name is one that its player can log in with.
func FuzzNewUsername(f *testing.F) {
	for _, s := range []string{"alice", "李明", "ﾕｷ", "аdmin", "bob\u0301", "[gm]", "\u1112\u1161\u11ab\u1112"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := rushgate.NewUsername(s)
		if rushgate.Skeleton(s) == "" && s != "" {
			t.Errorf("%q has an empty skeleton", s)
		}
		if err != nil {
			return
		}
		if again, err := rushgate.NewUsername(name); again != name || err != nil {
			t.Errorf("%q becomes %q, and that %q, %v", s, name, again, err)
		}
		if first, other, err := rushgate.LoginNames(s); err != nil || first != name && other != name {
			t.Errorf("%q becomes %q, and is looked up as %q and %q, %v", s, name, first, other, err)
		}
	})
}
