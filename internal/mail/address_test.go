package mail

import (
	"errors"
	"net/mail"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 63)
	for in, want := range map[string]string{
		"bob@example.org":                 "bob@example.org",
		"Bob.O'Neil+game@Example.ORG":     "Bob.O'Neil+game@example.org",
		"bob@bücher.example":              "bob@xn--bcher-kva.example",
		"bob@例え.テスト":                      "bob@xn--r8jz45g.xn--zckzah",
		long + "a@example.org":            long + "a@example.org",
		"a@" + long + "." + long + ".org": "a@" + long + "." + long + ".org",

		"": "", "bob": "", "@example.org": "", "bob@": "", "bob@@example.org": "", "bob@localhost": "", "bob@org.": "",
		"bob@127.0.0.1": "", "bob@[127.0.0.1]": "", "bob@[IPv6:::1]": "", `"bob"@example.org`: "", `"a@b"@example.org`: "",
		"Bob <bob@example.org>": "", "<bob@example.org>": "", "bob@example.org, eve@example.org": "",
		"bob (me)@example.org":                    "",
		"bob@example.org\r\nBcc: eve@example.org": "", "bob\r\n@example.org": "", "bob@example.org\n": "",
		" bob@example.org":          "",
		"bob@example.org ORCPT=eve": "", "bob@exa mple.org": "", "bob@example..org": "", ".bob@example.org": "",
		"bob.@example.org": "", "b..b@example.org": "", "bøb@example.org": "", "bob\x00@example.org": "",
		"bob@example.org\x00": "", "bob@-example.org": "", "bob@exa_mple.org": "", "bob@example.org>": "", "bob@\xff.org": "",
		long + "aa@example.org": "", "a@" + long + "a.org": "", "bob@xn--a.org": "", "bob@example.123": "",
		long + "a@" + strings.Repeat(long+".", 3) + "org": "", strings.Repeat("a", 5000) + "@example.org": "",
	} {
		got, err := ParseAddress(in)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %q, error %v, want %q", in, got, err, want)
		}
		if err != nil && len(in) > 3 && strings.Contains(err.Error(), in) {
			t.Errorf("the error for %q repeats it", in)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"bob@example.org", "bob@bücher.example", `"a b"@example.org`, "bob@[::1]", "a@b.c\r\nRCPT TO:<eve@example.org>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if a != "" || !errors.Is(err, ErrAddress) {
				t.Fatalf("%q with error %v", a, err)
			}
			return
		}
		if len(a) > MaxAddress || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' }) ||
			strings.ContainsAny(a, `<>,;:"()[]\`) || strings.Count(a, "@") != 1 {
			t.Fatalf("%q is taken for %q", s, a)
		}
		if again, err := ParseAddress(a); err != nil || again != a {
			t.Fatalf("%q becomes %q, error %v", a, again, err)
		}
		if read, err := mail.ParseAddress(a); err != nil || read.String() != "<"+a+">" {
			t.Fatalf("%q is read as %v, error %v", a, read, err)
		}
	})
}

func TestParseServer(t *testing.T) {
	for in, want := range map[string]server{
		"smtps://me@mail.example.org":          {implicitTLS, "mail.example.org", 465, "me"},
		"smtps://me%40example.org@mail.x:4650": {implicitTLS, "mail.x", 4650, "me@example.org"},
		"smtp://mail.example.org":              {startTLS, "mail.example.org", 587, ""},
		"smtp+plain://[::1]:2525":              {plain, "::1", 2525, ""},
		"smtp+plain://localhost":               {plain, "localhost", 25, ""},
	} {
		if got, err := parseServer(in); got != want || err != nil {
			t.Errorf("%q: %+v, error %v", in, got, err)
		}
	}
	for in, says := range map[string]string{
		"smtps://me:hunter2@mail.example.org": "passwords", "smtps://me:hunter2@%zz": "want", "mail.example.org:25": "begins",
		"smtp+plain://mail.example.org": "this machine", "smtp+plain://10.0.0.1": "this machine", "smtps://": "host",
		"smtps://x/path": "host", "smtps://x?a=b": "host", "smtps://x:0": "port", "smtps://x:66000": "port", "": "begins",
	} {
		_, err := parseServer(in)
		if !errors.Is(err, ErrServer) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v, want one that says %q", in, err, says)
		}
	}
	for _, in := range []string{"", "bob", "bob@localhost", "a\r\nb <a@example.org>", "a@example.org, b@example.org"} {
		if _, err := NewSender(Config{Server: "smtps://x", From: in}); !errors.Is(err, ErrSender) {
			t.Errorf("from %q: error %v", in, err)
		}
	}
	for _, c := range []Config{{Server: "smtps://me@x"}, {Server: "smtps://x", Password: "p"}} {
		c.From = "a@example.org"
		if _, err := NewSender(c); !errors.Is(err, ErrServer) {
			t.Errorf("user without password, or password without user: error %v", err)
		}
	}
}
