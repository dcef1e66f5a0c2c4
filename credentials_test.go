package rushgate_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func TestParseUsername(t *testing.T) {
	tests := []struct {
		in, want string // want empty: refused
	}{
		{"alice", "alice"},
		{"ALICE", "alice"},
		{"Ａｌｉｃｅ", "alice"},              // full-width forms are the same name
		{"E\u0301milie", "\u00e9milie"}, // composed and decomposed accents are the same name
		{"new-no-character", "new-no-character"},
		{"carol_99", "carol_99"},
		{"ab", ""},
		{"李明", "李明"}, // two characters of two columns
		{"김현", "김현"},
		{"\u1100\u1175\u11b7\u1112\u1167\u11ab", "김현"},
		{"ゆき", "ゆき"},
		{"ﾕｷ", "ユキ"},
		{"か\u3099き", "がき"},
		{"𠮷野", "𠮷野"},
		{"李", ""},
		{"李a", ""},
		{"李\u0301", ""},
		{"ａｂ", ""}, // the same name as ab
		{"ยา", ""},
		{"", ""},
		{strings.Repeat("x", 32), strings.Repeat("x", 32)},
		{strings.Repeat("x", 33), ""},
		{strings.Repeat("é", 32), strings.Repeat("é", 32)},
		{strings.Repeat("x", 4096), ""},
		{"two words", ""},
		{"tab\there", ""},
		{"nul\x00byte", ""},
		{"bad\xffutf8", ""},
		{"zero\u200bwidth", ""},
		{"replaced\ufffd", ""},
		{strings.Repeat("\u1112\u1161\u11ab", 20), strings.Repeat("\ud55c", 20)}, // decomposed Hangul
	}
	for _, tt := range tests {
		got, err := rushgate.ParseUsername(tt.in)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("ParseUsername(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if err != nil && !errors.Is(err, rushgate.ErrInvalidUsername) {
			t.Errorf("ParseUsername(%q): error %v is not ErrInvalidUsername", tt.in, err)
		}
	}
}

func TestParsePassword(t *testing.T) {
	tests := []struct {
		in, want string
	}{
		{"correct horse", "correct horse"},
		{"Case Stays", "Case Stays"},
		{"a", "a"},
		{"", ""},
		{strings.Repeat("p", 256), strings.Repeat("p", 256)},
		{strings.Repeat("p", 257), ""},
		{"e\u0301", "\u00e9"},
		{"line\nbreak", ""},
		{"bad\xff", ""},
		{"bad\ufffd", ""},
	}
	for _, tt := range tests {
		got, err := rushgate.ParsePassword(tt.in)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("ParsePassword(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if err != nil && !errors.Is(err, rushgate.ErrInvalidPassword) {
			t.Errorf("ParsePassword(%q): error %v is not ErrInvalidPassword", tt.in, err)
		}
	}
}

func TestLoginPassword(t *testing.T) {
	long := strings.Repeat("e\u0301", 100)
	tests := []struct {
		name, in, canonical, exact string // both empty: refused
	}{
		{"canonical already", "correct horse", "correct horse", ""},
		{"no-break space", "pa\u00a0ss", "pa ss", "pa\u00a0ss"},
		{"em space", "a\u2003b", "a b", "a\u2003b"},
		{"decomposed accent", "cafe\u0301", "caf\u00e9", "cafe\u0301"},
		{"decomposed, longer than canonical", long, strings.Repeat("\u00e9", 100), long},
		{"tab", "a\tb", "", "a\tb"},
		{"zero-width space", "a\u200bb", "", "a\u200bb"},
		{"emoji with a variation selector", "\u2764\ufe0f", "", "\u2764\ufe0f"},
		{"tab, as long as can be", strings.Repeat("\t", 256), "", strings.Repeat("\t", 256)},
		{"tab, too long", strings.Repeat("\t", 257), "", ""},
		{"too long", strings.Repeat("p", 257), "", ""},
		{"NUL", "a\x00", "", ""},
		{"not UTF-8", "a\xff", "", ""},
		{"replacement character", "a\ufffd", "", ""},
		{"empty", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			canonical, exact, err := rushgate.LoginPassword(tt.in)
			if canonical != tt.canonical || exact != tt.exact || (err != nil) != (tt.canonical == "" && tt.exact == "") {
				t.Errorf("got %q, %q, %v; want %q, %q", canonical, exact, err, tt.canonical, tt.exact)
			}
			if err != nil && !errors.Is(err, rushgate.ErrInvalidPassword) {
				t.Errorf("error %v is not ErrInvalidPassword", err)
			}
		})
	}
}

// A name that depends on how often it was normalised would let two players share an account, or lock one out.
func TestCanonicalFormsAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if name, err := rushgate.ParseUsername(s); err == nil {
			if again, err := rushgate.ParseUsername(name); err != nil || again != name {
				t.Fatalf("ParseUsername(%q) = %q, but of that it is %q, %v", s, name, again, err)
			}
		}
		if pw, err := rushgate.ParsePassword(s); err == nil {
			if again, err := rushgate.ParsePassword(pw); err != nil || again != pw {
				t.Fatalf("ParsePassword is not stable for %q", s)
			}
		}
	})
}

func TestReasonOf(t *testing.T) {
	cause := errors.New("disk full")
	tests := []struct {
		err  error
		want rushgate.Reason
	}{
		{nil, ""},
		{rushgate.UsernameTaken, rushgate.UsernameTaken},
		{&rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: cause}, rushgate.ServerBusy},
		{cause, rushgate.InternalError},
	}
	for _, tt := range tests {
		if got := rushgate.ReasonOf(tt.err); got != tt.want {
			t.Errorf("ReasonOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
	if err := (&rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: cause}); !errors.Is(err, cause) {
		t.Error("a refusal hides its cause from errors.Is")
	}
}
