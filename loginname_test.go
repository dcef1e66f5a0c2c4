package rushgate

import (
	"errors"
	"strings"
	"testing"
)

func TestLoginName(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"canonical", "alice", "alice"},
		{"two wide characters", "李明", "李明"},
		{"two in half width, imported as they are", "ﾕｷ", "ﾕｷ"},
		{"two decomposed", "か\u3099き", "か\u3099き"},
		{"three in half width", "ﾕｷｺ", "ユキコ"},
		{"folded", "ALICE", "alice"},
		{"full width", "ａｌｉｃｅ", "alice"},
		{"too short for a new account", "Al", "Al"},
		{"with a space", "Bob Smith", "Bob Smith"},
		{"too long for a new account", strings.Repeat("N", 128), strings.Repeat("N", 128)},
		{"emoji", "🐉", "🐉"},
		{"e-mail address", "Anna.Maria.Long-Name@Mail.Example.Test", "anna.maria.long-name@mail.example.test"},
		{"empty", "", ""},
		{"too long", strings.Repeat("N", 129), ""},
		{"not UTF-8", "a\xff", ""},
		{"replacement character", "a\ufffd", ""},
		{"line break", "a\nb", ""},
		{"C1 control", "a\u0085", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := LoginName(tt.give)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("LoginName(%q) = %q, %v, want %q", tt.give, got, err, tt.want)
			}
			if err != nil && !errors.Is(err, ErrInvalidUsername) {
				t.Errorf("error %v does not wrap ErrInvalidUsername", err)
			}
		})
	}
}

// Two characters were too few once: what was imported so is stored as it was, what is registered in canonical form.
func TestLoginNames(t *testing.T) {
	tests := []struct{ give, name, other string }{
		{"alice", "alice", ""},
		{"ALICE", "alice", ""},
		{"Al", "Al", ""},
		{"李明", "李明", ""},
		{"ﾕｷ", "ﾕｷ", "ユキ"},
		{"\u1100\u1175\u11b7\u1112\u1167\u11ab", "\u1100\u1175\u11b7\u1112\u1167\u11ab", "김현"},
		{"か\u3099き", "か\u3099き", "がき"},
		{"ﾕｷｺ", "ユキコ", ""},
		{"Anna@Example.test", "anna@example.test", ""},
		{"anna.maria.long-name@mail.example.test", "anna.maria.long-name@mail.example.test", ""},
		{"Anna.Maria.Long-Name@Mail.Example.test", "Anna.Maria.Long-Name@Mail.Example.test",
			"anna.maria.long-name@mail.example.test"},
		{"Bob B", "Bob B", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		name, other, err := LoginNames(tt.give)
		if name != tt.name || other != tt.other || (err == nil) != (tt.name != "") {
			t.Errorf("LoginNames(%q) = %q, %q, %v, want %q, %q", tt.give, name, other, err, tt.name, tt.other)
		}
	}
}

// Whatever name an account is stored under leads to that account again.
func FuzzLoginName(f *testing.F) {
	for _, s := range []string{"alice", "ALICE", "ａｌｉｃｅ", "Al", "Bob Smith", "🐉", "İstanbul", "ﬁ", "ς", "a\u0301b",
		"Anna.Maria.Long-Name@Mail.Example.Test", "İ+@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := LoginName(s)
		if err != nil {
			return
		}
		if again, err := LoginName(name); again != name || err != nil {
			t.Errorf("%q is stored as %q, which is looked up as %q, %v", s, name, again, err)
		}
		registered, err := ParseUsername(s)
		if err != nil {
			return
		}
		if name, other, err := LoginNames(s); err != nil || name != registered && other != registered {
			t.Errorf("%q is registered as %q, and looked up as %q and %q, %v", s, registered, name, other, err)
		}
	})
}
