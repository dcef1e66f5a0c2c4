package textfile

import (
	"errors"
	"testing"
)

// UTF-16 is known by its mark and without it, and nothing else is taken for it.
func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"a":                                 "a",
		Mark + "a":                          "a",
		"a\x00":                             "a\x00",
		"name,hash\n":                       "name,hash\n",
		"SQLite format 3\x00\x10\x00":       "SQLite format 3\x00\x10\x00",
		"\x00\x00\x00\x00\x00\x00":          "\x00\x00\x00\x00\x00\x00",
		"\xff\xfea\x00":                     "!",
		"\xfe\xff\x00a":                     "!",
		"{\x00\"\x00\xe4\x00s\x00\"\x00":    "!",
		"\x00{\x00\"\x00a\x00\"\x20\xac":    "!",
		"n\x00a\x00m\x00e\x00,\x00\xac\x20": "!",
	} {
		got, err := Text([]byte(text))
		if want == "!" != errors.Is(err, ErrUTF16) || err == nil && string(got) != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}
