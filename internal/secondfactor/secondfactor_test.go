package secondfactor_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"image/png"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

var start = time.Date(2026, time.November, 29, 12, 0, 0, 0, time.UTC)

// chance is a source of bytes that are the same in each run.
func chance() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// codeAt returns what an authenticator shows, and parse what a node makes of it.
func codeAt(t *testing.T, secret string, at time.Time) secondfactor.Code {
	t.Helper()
	s, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, s)
}

func parse(t *testing.T, s string) secondfactor.Code {
	t.Helper()
	code, err := secondfactor.ParseCode(s)
	if err != nil || code == "" {
		t.Fatalf("%q is %q, %v", s, code, err)
	}
	return code
}

var federated = rushgate.Credential{Kind: "federated", Provider: "https://id.example", Subject: "4711"}

// enrolled returns the credentials of an account with a second factor, its key, and its recovery codes.
func enrolled(t *testing.T, at time.Time) (c []rushgate.Credential, secret string, recovery []string) {
	t.Helper()
	c, setup, err := secondfactor.Begin([]rushgate.Credential{federated}, "play.example.com", "ada", chance(), at)
	if err != nil {
		t.Fatal(err)
	}
	if secondfactor.Of(c).Active {
		t.Fatal("it is asked for before it is confirmed")
	}
	c, recovery, err = secondfactor.Confirm(c, codeAt(t, setup.Secret, at), chance(), at)
	if err != nil {
		t.Fatal(err)
	}
	return c, setup.Secret, recovery
}

// The vectors of RFC 6238 (appendix B, SHA-1), whose last six digits are ours.
func TestVectors(t *testing.T) {
	key := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	c := []rushgate.Credential{{Kind: "totp", Secret: `{"key":"` + key + `"}`}}
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037",
		20000000000: "353130",
	} {
		if v, _ := secondfactor.Check(c, parse(t, code), "", time.Unix(at, 0)); v != secondfactor.Authenticator {
			t.Errorf("the code of second %d is %v", at, v)
		}
	}
}

// A code is good from a period before it is shown to a period after, and once.
func TestCodeIsGoodOnce(t *testing.T) {
	c, secret, _ := enrolled(t, start)
	next := start.Add(secondfactor.Period)
	code := codeAt(t, secret, next)
	for late, want := range map[time.Duration]secondfactor.Verdict{
		-secondfactor.Period - time.Second: secondfactor.Wrong, -secondfactor.Period: secondfactor.Authenticator,
		0: secondfactor.Authenticator, 2*secondfactor.Period - time.Second: secondfactor.Authenticator,
		2 * secondfactor.Period: secondfactor.Wrong,
	} {
		if v, _ := secondfactor.Check(c, code, "", next.Add(late)); v != want {
			t.Errorf("a code %v after it is shown is %v, want %v", late, v, want)
		}
	}
	v, after := secondfactor.Check(c, code, "try-1", next)
	if v != secondfactor.Authenticator || after == nil || after[0] != federated {
		t.Fatalf("%v, %+v", v, after)
	}
	for attempt, want := range map[string]secondfactor.Verdict{
		"try-1": secondfactor.Repeated, "try-2": secondfactor.Wrong, "": secondfactor.Wrong,
	} {
		if v, again := secondfactor.Check(after, code, attempt, next); v != want || again != nil {
			t.Errorf("shown again by attempt %q it is %v, want %v; credentials %v", attempt, v, want, again)
		}
	}
	// One of an earlier period is used up with it, which the confirmation was made with, too.
	for _, at := range []time.Time{start, next} {
		if v, _ := secondfactor.Check(after, codeAt(t, secret, at), "other", next); v != secondfactor.Wrong {
			t.Errorf("the code of %v is %v", at, v)
		}
	}
	if v, _ := secondfactor.Check(after, "", "try-1", next); v != secondfactor.Wrong {
		t.Errorf("no code is %v", v)
	}
}

func TestRecoveryCodesAreGoodOnce(t *testing.T) {
	c, _, recovery := enrolled(t, start)
	if len(recovery) != secondfactor.RecoveryCodes || secondfactor.Of(c).RecoveryCodes != len(recovery) {
		t.Fatalf("%d recovery codes, %+v", len(recovery), secondfactor.Of(c))
	}
	seen := map[string]bool{}
	for i, text := range recovery {
		if len(text) != 19 || seen[text] {
			t.Errorf("code %d is not four times four characters of its own", i)
		}
		seen[text] = true
		for _, stored := range c {
			if strings.Contains(stored.Secret, text) || strings.Contains(stored.Secret, strings.ReplaceAll(text, "-", "")) {
				t.Error("a recovery code is stored as it is")
			}
		}
		code := parse(t, strings.ToLower(text))
		v, after := secondfactor.Check(c, code, "try", start)
		if v != secondfactor.Recovery || secondfactor.Of(after).RecoveryCodes != len(recovery)-i-1 {
			t.Fatalf("code %d: %v, %+v", i, v, secondfactor.Of(after))
		}
		c = after
		for _, again := range []struct {
			attempt string
			after   time.Duration
			want    secondfactor.Verdict
		}{
			{"try", 0, secondfactor.Repeated}, {"try", time.Minute, secondfactor.Repeated},
			{"try", time.Hour, secondfactor.Wrong}, {"other", 0, secondfactor.Wrong}, {"", 0, secondfactor.Wrong},
		} {
			if v, _ := secondfactor.Check(c, code, again.attempt, start.Add(again.after)); v != again.want {
				t.Errorf("code %d, shown again by %q after %v: %v, want %v", i, again.attempt, again.after, v, again.want)
			}
		}
	}
	if !secondfactor.Of(c).Active {
		t.Error("without recovery codes nothing is asked for")
	}
	c, others, err := secondfactor.Renew(c, nil, start)
	if err != nil || secondfactor.Of(c).RecoveryCodes != secondfactor.RecoveryCodes || seen[others[0]] {
		t.Errorf("others: %v, %+v", err, secondfactor.Of(c))
	}
	if v, _ := secondfactor.Check(c, parse(t, recovery[9]), "try", start); v != secondfactor.Wrong {
		t.Errorf("a code of before is %v", v)
	}
}

// What an authenticator is shown says which game and whose account, and is read by others than this package.
func TestSetup(t *testing.T) {
	c, setup, err := secondfactor.Begin(nil, "play.example.com", "ada lovelace", chance(), start)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(setup.URI)
	if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Path != "/play.example.com:ada lovelace" ||
		uri.Query().Get("secret") != setup.Secret || uri.Query().Get("issuer") != "play.example.com" ||
		uri.Query().Get("period") != "30" || uri.Query().Get("digits") != "6" {
		t.Errorf("address %q, %v", setup.URI, err)
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(setup.Secret)
	if err != nil || len(key) != 20 {
		t.Errorf("%d bytes of key, %v", len(key), err)
	}
	picture, err := png.Decode(bytes.NewReader(setup.QR))
	if err != nil || picture.Bounds().Dx() < 256 || len(setup.QR) > 8<<10 {
		t.Errorf("QR code of %d bytes, %v", len(setup.QR), err)
	}
	if r, _, _, _ := picture.At(0, 0).RGBA(); r != 0xffff {
		t.Error("there is no white around the QR code")
	}
	if long, _, err := secondfactor.Begin(nil, strings.Repeat("g", 64), strings.Repeat("界", 42), nil, start); err != nil {
		t.Errorf("a long name: %v, %v", long, err)
	}
	late := start.Add(secondfactor.SetupLife)
	for name, tried := range map[string]struct {
		late time.Duration
		code secondfactor.Code
		want error
	}{
		"a wrong code":    {0, "000000", secondfactor.ErrWrongCode},
		"too late":        {secondfactor.SetupLife, codeAt(t, setup.Secret, late), secondfactor.ErrNoSetup},
		"a recovery code": {0, "ABCDEFGHIJKLMNOP", secondfactor.ErrWrongCode},
	} {
		if _, _, err := secondfactor.Confirm(c, tried.code, nil, start.Add(tried.late)); !errors.Is(err, tried.want) {
			t.Errorf("%s: %v, want %v", name, err, tried.want)
		}
	}
	if _, _, err := secondfactor.Confirm(nil, "123456", nil, start); !errors.Is(err, secondfactor.ErrNoSetup) {
		t.Errorf("nothing to confirm: %v", err)
	}
	if again, _, err := secondfactor.Begin(c, "g", "ada", nil, start); err != nil || len(again) != 1 {
		t.Errorf("another setup in its place: %d credentials, %v", len(again), err)
	}
	full := make([]rushgate.Credential, rushgate.MaxCredentials-1)
	if _, _, err := secondfactor.Begin(full, "g", "ada", nil, start); !errors.Is(err, secondfactor.ErrFull) {
		t.Errorf("no room: %v", err)
	}
}

func TestChanges(t *testing.T) {
	c, secret, _ := enrolled(t, start)
	if s := secondfactor.Of(c); s.Ask != secondfactor.NewDevices {
		t.Errorf("at first %+v", s)
	}
	if _, _, err := secondfactor.Begin(c, "g", "ada", nil, start); !errors.Is(err, secondfactor.ErrActive) {
		t.Errorf("a second one: %v", err)
	}
	always, err := secondfactor.SetAsk(c, secondfactor.Always)
	if err != nil || secondfactor.Of(always).Ask != secondfactor.Always || secondfactor.Of(c).Ask == secondfactor.Always {
		t.Errorf("%v, %+v", err, secondfactor.Of(always))
	}
	next := start.Add(secondfactor.Period)
	if v, after := secondfactor.Check(always, codeAt(t, secret, next), "", next); v != secondfactor.Authenticator ||
		secondfactor.Of(after).Ask != secondfactor.Always {
		t.Errorf("a code changes the setting: %v, %+v", v, secondfactor.Of(after))
	}
	if _, err := secondfactor.SetAsk(c, "never"); !errors.Is(err, secondfactor.ErrAsk) {
		t.Errorf("never: %v", err)
	}
	if left := secondfactor.Remove(c); len(left) != 1 || left[0] != federated {
		t.Errorf("%d credentials are left", len(left))
	}
	if left := secondfactor.Remove(nil); left == nil {
		t.Error("nothing stands for no change")
	}
	if _, err := secondfactor.SetAsk(nil, secondfactor.Always); !errors.Is(err, secondfactor.ErrInactive) {
		t.Errorf("asking for none: %v", err)
	}
	if _, _, err := secondfactor.Renew(nil, nil, start); !errors.Is(err, secondfactor.ErrInactive) {
		t.Errorf("recovery codes for none: %v", err)
	}
}

// What a store takes: no credential is longer than it may be, whatever attempts are called.
func TestStoredForm(t *testing.T) {
	c, secret, recovery := enrolled(t, start)
	attempt, next := strings.Repeat("a", rushgate.MaxAttemptLen), start.Add(secondfactor.Period)
	_, c = secondfactor.Check(c, codeAt(t, secret, next), attempt, next)
	_, c = secondfactor.Check(c, parse(t, recovery[0]), attempt, next)
	for _, one := range c {
		if n := len(one.Kind) + len(one.Provider) + len(one.Subject) + len(one.Secret); n > rushgate.MaxCredentialLen {
			t.Errorf("%s has %d bytes", one.Kind, n)
		}
	}
	// These were stored, and are read by every later version.
	old := []rushgate.Credential{
		{Kind: "totp", Secret: `{"key":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","ask":"always","last":1,"attempt":"a"}`},
		{Kind: "recovery-codes", Secret: `{"salt":"c2FsdA","codes":["XFW-OkDMEIHBpBXU7cbUzjhqqbxXgWfDcleKMHbwMYk"]}`},
	}
	if s := secondfactor.Of(old); !s.Active || s.Ask != secondfactor.Always || s.RecoveryCodes != 1 {
		t.Errorf("what was stored: %+v", s)
	}
	if v, _ := secondfactor.Check(old, "ABCDEFGHIJKLMNOP", "", start); v != secondfactor.Recovery {
		t.Errorf("a code of what was stored: %v", v)
	}
	damaged := []rushgate.Credential{{Kind: "totp", Secret: "damaged"}, {Kind: "recovery-codes", Secret: "damaged"}}
	if s := secondfactor.Of(damaged); !s.Active {
		t.Error("a damaged second factor is not asked for")
	}
	for _, code := range []secondfactor.Code{"123456", "ABCDEFGHIJKLMNOP", ""} {
		if v, _ := secondfactor.Check(damaged, code, "a", start); v != secondfactor.Wrong {
			t.Errorf("%q proves a damaged one: %v", code, v)
		}
	}
}

// What a player may type is a code, or refused without a word of it.
func FuzzParseCode(f *testing.F) {
	for _, s := range []string{
		"", "123456", "123 456", "abcd-efgh-ijkl-mnop", "ABCD0FGH1JKL8NOP", "１２３４５６", "12345", "a\nb",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, err := secondfactor.ParseCode(s)
		if err != nil {
			if code != "" || !errors.Is(err, secondfactor.ErrCode) {
				t.Errorf("%q, %v", code, err)
			}
			return
		}
		if again, err := secondfactor.ParseCode(string(code)); err != nil || again != code {
			t.Errorf("%q is %q, which is %q, %v", s, code, again, err)
		}
		if n := len(code); n != 0 && n != 6 && n != 16 {
			t.Errorf("%q has %d characters", code, n)
		}
	})
}

// A clock that was set, and is put right, keeps no player out for longer than a day: codes that were used while it was
// ahead do not count against those of today. Within a day they do, so that none is good twice; recovery codes always
// are.
func TestStepsOfTheClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for step, want := range map[time.Duration]secondfactor.Verdict{
		time.Hour: secondfactor.Wrong, -time.Hour: secondfactor.Authenticator,
		year: secondfactor.Authenticator, -year: secondfactor.Authenticator,
	} {
		c, secret, recovery := enrolled(t, start)
		wrong := start.Add(step)
		if v, after := secondfactor.Check(c, codeAt(t, secret, wrong), "", wrong); v == secondfactor.Authenticator {
			c = after
		} else if step > 0 || step == -year {
			t.Errorf("%v: a player whose clock is as wrong is told %v", step, v)
		}
		right := start.Add(10 * secondfactor.Period)
		v, after := secondfactor.Check(c, codeAt(t, secret, right), "", right)
		if v != want {
			t.Errorf("%v: when the clock is right again, a code is %v", step, v)
		}
		if after != nil {
			c = after
		}
		if v, _ := secondfactor.Check(c, codeAt(t, secret, right), "", right); v != secondfactor.Wrong {
			t.Errorf("%v: a code is good twice: %v", step, v)
		}
		if v, _ := secondfactor.Check(c, parse(t, recovery[0]), "", right); v != secondfactor.Recovery {
			t.Errorf("%v: a recovery code is %v", step, v)
		}
	}
}
