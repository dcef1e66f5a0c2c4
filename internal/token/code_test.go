package token

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCodesAreReadAsPlayersTypeThem(t *testing.T) {
	c := NewCode()
	text := c.Text()
	if len(text) != 14 || c == NewCode() {
		t.Errorf("the code is %q, or two are the same", text)
	}
	plain := strings.ReplaceAll(text, "-", "")
	for _, typed := range []string{
		text, plain, strings.ToLower(text), " " + strings.ReplaceAll(text, "-", " ") + " ",
		strings.ReplaceAll(text, "-", " - "),
		strings.NewReplacer("0", "o", "1", "l").Replace(text), strings.NewReplacer("0", "O", "1", "I").Replace(text),
	} {
		if got, err := ParseCode(typed); err != nil || got != c {
			t.Errorf("%q is read as %q, error %v, want %q", typed, got.Text(), err, text)
		}
	}
	for _, typed := range []string{
		"", plain[:11], plain + "0", plain[:11] + "U", plain[:11] + "é", plain[:11] + "\n", plain + strings.Repeat(" ", 60),
	} {
		got, err := ParseCode(typed)
		if !errors.Is(err, ErrMalformed) || got != (Code{}) || strings.Contains(err.Error(), plain) {
			t.Errorf("%q is read as %q, error %v", typed, got.Text(), err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(s, plain[:4]) || (Code{}).Text() != "" {
		t.Errorf("it prints as %q", s)
	}
}

func TestCodesFitOnePurpose(t *testing.T) {
	c := NewCode()
	hash := c.Hash("recovery", 1, 2)
	if len(hash) != 43 || !c.Fits(hash, "recovery", 1, 2) {
		t.Errorf("%q is not its hash", hash)
	}
	for what, fits := range map[string]bool{
		"purpose": c.Fits(hash, "email", 1, 2), "player": c.Fits(hash, "recovery", 2, 2),
		"epoch": c.Fits(hash, "recovery", 1, 3), "code": NewCode().Fits(hash, "recovery", 1, 2),
		"hash": c.Fits("", "recovery", 1, 2), "none": Code{}.Fits("", "", 0, 0),
	} {
		if fits {
			t.Errorf("another %s does as well", what)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("7K2M-QX9D-4HPT")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCode(s)
		if err != nil {
			return
		}
		if again, err := ParseCode(c.Text()); err != nil || again != c {
			t.Fatalf("%q becomes %q", c.Text(), again.Text())
		}
	})
}
