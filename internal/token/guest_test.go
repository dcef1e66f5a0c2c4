package token

import (
	"fmt"
	"strings"
	"testing"
)

// A secret has one text, and no other is taken for it.
func TestGuest(t *testing.T) {
	g := NewGuest()
	if back, err := ParseGuest(g.Text()); err != nil || back != g || back.Secret() != g.Secret() || g == NewGuest() {
		t.Fatalf("read back as another: %v", err)
	}
	text := g.Text()
	for name, bad := range map[string]string{
		"nothing": "", "shorter": text[1:], "longer": text + "A", "padded": text[:GuestText-1] + "=",
		"a line break": text[:20] + "\n" + text[20:], "the other alphabet": strings.Repeat("+", GuestText),
		"bits left over": strings.Repeat("A", GuestText-1) + "B", "all zero": strings.Repeat("A", GuestText),
	} {
		if got, err := ParseGuest(bad); err == nil || got != (Guest{}) {
			t.Errorf("%s: is a secret", name)
		}
	}
	for _, shown := range []string{fmt.Sprint(g), fmt.Sprintf("%v %+v %#v %s", g, g, g, g), fmt.Sprint(&g)} {
		if strings.Contains(shown, text) || !strings.Contains(shown, redacted) {
			t.Errorf("prints as %q", shown)
		}
	}
}

func FuzzParseGuest(f *testing.F) {
	f.Add(NewGuest().Text())
	f.Add(strings.Repeat("A", GuestText))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGuest(s)
		if err == nil && g.Text() != s || err != nil && g != (Guest{}) {
			t.Errorf("%q is read as %q, %v", s, g.Text(), err)
		}
	})
}
