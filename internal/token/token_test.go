package token

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// names are usernames of every kind that a store may hold, imported ones too.
var names = []string{"alice", "李明", "x", strings.Repeat("ж", rushgate.MaxRecordNameLen/2), "a b\x01c", "a.b"}

func TestTokensAreReadAsTheyWereWritten(t *testing.T) {
	for _, name := range names {
		s := NewSession(name)
		if got, err := ParseSession(s.Text()); err != nil || got != s || got.Name() != name || len(s.Text()) > MaxSession {
			t.Errorf("%q: session %q is read as %q, %v", name, s.Text(), got.Text(), err)
		}
		r := NewResume(name)
		if got, err := ParseResume(r.Text()); err != nil || got != r || got.Name() != name || len(r.Text()) > MaxResume {
			t.Errorf("%q: resume %q is read as %q, %v", name, r.Text(), got.Text(), err)
		}
		if len(s.Hash()) != 43 || len(r.Hash()) != 43 || len(r.Device()) != 26 {
			t.Errorf("%q: hashes of %d and %d characters, a device of %d", name, len(s.Hash()), len(r.Hash()), len(r.Device()))
		}
	}
}

func TestEveryTokenIsAnother(t *testing.T) {
	seen := make(map[any]bool)
	for range 3 {
		for _, v := range []any{NewSession("alice"), NewResume("alice"), NewSalt()} {
			if seen[v] {
				t.Errorf("two of type %T are the same", v)
			}
			seen[v] = true
		}
	}
}

func TestMalformedTokensAreRefused(t *testing.T) {
	session, resume := NewSession("alice").Text(), NewResume("alice").Text()
	long := base64url.EncodeToString([]byte(strings.Repeat("x", rushgate.MaxRecordNameLen+1)))
	for _, s := range []string{
		"", ".", "rgs1", "rgs1.", "rgs1..", "rgr1...", session[1:], session + "A", session[:len(session)-1], session + ".",
		" " + session, session + "\n", strings.ToLower(session), strings.Replace(session, "rgs1", "rgs2", 1),
		strings.Replace(session, "YWxpY2U", "YWxpY2V", 1),  // the same bytes in another writing
		strings.Replace(session, "YWxpY2U", "YWxpY2U=", 1), // padded
		strings.Replace(session, "YWxpY2U", "", 1),         // no name
		strings.Replace(session, "YWxpY2U", "gICA", 1),     // no UTF-8
		strings.Replace(session, "YWxpY2U", "YQBh", 1),     // with a NUL
		strings.Replace(session, "YWxpY2U", long, 1),
		strings.Replace(session, "YWxpY2U", "YWxp\nY2U", 1),
		strings.Replace(session, "rgs1", "rgr1", 1), strings.Replace(resume, "rgr1", "rgs1", 1),
		resume[:len(resume)-2] + "\n\n", resume[:50] + "\r" + resume[50:len(resume)-1], resume + "A",
		resume[:len(resume)-1], resume + ".", resume[:len(resume)-1] + "B", resume[:len(resume)-1] + "\n",
		strings.Repeat("rgr1.", 100_000),
	} {
		if _, err := ParseSession(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("session %.60q: %v", s, err)
		}
		if _, err := ParseResume(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("resume %.60q: %v", s, err)
		}
	}
}

// golden is a token with its hash, and what takes its place. Nodes of two versions have to agree on all of it.
var golden = struct{ resume, hash, salt, next, nextHash, session, sessionHash string }{
	resume:      "rgr1.YWxpY2U.ABCDEFGHIJKLMNOPQRSTUVWXYZ.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
	hash:        "U4IFdQqAwGhsN-SGIsH5NhWf1xXVDgO4npSO6GV5UWk",
	salt:        "8PHy8_T19vf4-fr7_P3-_w",
	next:        "rgr1.YWxpY2U.ABCDEFGHIJKLMNOPQRSTUVWXYZ.JblrvpFKezZkrTVNM5kfKGKMtYV3B5ATi-ZkaUtDZGs",
	nextHash:    "MpvlgRlY3ClE3k2dBJGvsdFWSEUh0neQdKBtnJvNE-A",
	session:     "rgs1.5p2O5piO.ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	sessionHash: "f2To_JYWqAgJq2EXSUzEpwjHHJHHrZ72QYAlRiH4ozM",
}

func TestGoldenVectors(t *testing.T) {
	g := golden
	r, err := ParseResume(g.resume)
	if err != nil {
		t.Fatal(err)
	}
	salt, err := DecodeSalt(g.salt)
	if err != nil || EncodeSalt(salt) != g.salt {
		t.Fatalf("salt %x, %v", salt, err)
	}
	s, err := ParseSession(g.session)
	if err != nil || s.Name() != "李明" {
		t.Fatalf("session of %q, %v", s.Name(), err)
	}
	next := r.Next(salt, "attempt-1")
	for _, c := range []struct{ what, got, want string }{
		{"hash", r.Hash(), g.hash}, {"next", next.Text(), g.next}, {"hash of the next", next.Hash(), g.nextHash},
		{"hash of the session", s.Hash(), g.sessionHash},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestNextDependsOnAllOfIt(t *testing.T) {
	r, salt := NewResume("alice"), NewSalt()
	next := r.Next(salt, "a")
	if again := r.Next(salt, "a"); again != next || next.Device() != r.Device() || next.Name() != r.Name() {
		t.Error("the same try has another answer")
	}
	for what, other := range map[string]Resume{
		"attempt": r.Next(salt, "b"), "salt": r.Next(NewSalt(), "a"), "token": NewResume("alice").Next(salt, "a"),
	} {
		if other.secret == next.secret {
			t.Errorf("another %s has the same answer", what)
		}
	}
}

func TestSalts(t *testing.T) {
	const good = "8PHy8_T19vf4-fr7_P3-_w"
	for _, s := range []string{
		"", good[:21], good[:21] + "x", good + "=", good[:20] + "\n_", "\n" + good[:21], good + "\n",
	} {
		if _, err := DecodeSalt(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("salt %q: %v", s, err)
		}
	}
}

func TestTokensDoNotShow(t *testing.T) {
	s, r := NewSession("alice"), NewResume("alice")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "session", s, "resume", r, "all", []any{s, r, &s, &r})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "session", s, "resume", r, "all", []any{s, r, &s, &r})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&log, verb+verb, s, r)
	}
	text := base64url.EncodeToString(r.secret[:])
	for _, secret := range []string{s.Text()[13:], r.Device(), text, fmt.Sprint(r.secret)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q shows in %s", secret, log.String())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(golden.resume)
	f.Add(golden.session)
	f.Add("rgr1...")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSession(text); err == nil && (s.Text() != text || s.Name() == "" || len(text) > MaxSession) {
			t.Errorf("session %q: of %q, %q", text, s.Name(), s.Text())
		}
		if r, err := ParseResume(text); err == nil && (r.Text() != text || r.Name() == "" || len(text) > MaxResume) {
			t.Errorf("resume %q: of %q, %q", text, r.Name(), r.Text())
		}
	})
}
