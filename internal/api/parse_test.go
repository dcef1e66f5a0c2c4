package api

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/peer"
	"github.com/rushgate/rushgate/internal/token"
)

// Whatever is sent as an entry: what is accepted has all its parts, in their forms.
func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"ticket":"a","line_secret":"0123456789abcdef","proof":"b","attempt_id":"c","takeover":true}`))
	f.Add([]byte(`{"ticket":"a","line_secret":"0123456789abcdef"}`))
	f.Add([]byte(`{"password":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, _, err := parseEntry(body)
		if err != nil {
			var m malformed
			if !errors.As(err, &m) || m.message == "" {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		if e.Ticket == "" || len(e.Ticket) > line.MaxText || e.Proof == "" || len(e.Proof) > line.MaxProofText ||
			e.Holder == (line.Holder{}) || e.Attempt != "" && !rushgate.ValidAttempt(e.Attempt) {
			t.Fatalf("accepted %+v", e)
		}
	})
}

func FuzzParseCredentials(f *testing.F) {
	for _, s := range []string{
		`{"username":"alice","password":"correct horse"}`,
		`{"username":"Ａｌｉｃｅ","password":"\u00e9","attempt_id":"a-1"}`,
		`{"username":"alice","password":"x","extra":1}`,
		`{"username":"alice","password":"x","takeover":true}`,
		`{"username":"alice","password":"x","takeover":"true"}`,
		`{"username":null,"password":[]}`, "\uFEFF" + `{"username":"alice","password":"x","attempt_id":null,"takeover":null}`,
		`{"username":"alice","password":"x"} {}`,
		`{"username":"\ud800alice","password":"\u0000"}`,
		`{"username":"alice","password":"pa\u00a0ss"}`, `{"username":"alice","password":"a\tb"}`,
		`[[[[`, `"`, `{`, ``, "\xff", `{"USERNAME":"alice","password":"x","username":"bob"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if c, err := parseCredentials(body, registerForm(1)); err == nil {
			if pw, err := rushgate.ParsePassword(c.password); err != nil || pw != c.password {
				t.Fatalf("accepted a new password that is not canonical")
			}
			if name, err := rushgate.ParseUsername(c.username); c.takeover || err != nil || name != c.username || c.exact != "" {
				t.Fatalf("accepted a registration of %q, takeover %v, exact %q", c.username, c.takeover, c.exact)
			}
		}
		c, err := parseCredentials(body, loginForm())
		if err != nil {
			var m malformed
			if !errors.As(err, &m) || m.message == "" || rushgate.ReasonOf(err) != rushgate.MissingCredentials {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		if name, err := rushgate.LoginName(c.username); err != nil || name != c.username {
			t.Fatalf("accepted the username %q, which is not canonical", c.username)
		}
		if pw, err := rushgate.ParsePassword(c.password); (err != nil || pw != c.password) && c.password != "" {
			t.Fatalf("accepted a password that is not canonical")
		}
		if c.password == "" && c.exact == "" || c.exact != "" && c.exact == c.password ||
			len(c.exact) > 2*rushgate.MaxPasswordLen || strings.ContainsRune(c.exact, 0) {
			t.Fatalf("accepted a password in the forms %q and %q", c.password, c.exact)
		}
		if c.attempt != "" && !rushgate.ValidAttempt(c.attempt) {
			t.Fatalf("accepted the attempt id %q", c.attempt)
		}
	})
}

// Whatever is sent as a resume, with whatever cookie: what is accepted has one token, and what is refused says why.
func FuzzParseResume(f *testing.F) {
	session, resume := token.NewSession("alice").Text(), token.NewResume("alice").Text()
	f.Add([]byte(`{"resume_token":"`+resume+`","attempt_id":"a","takeover":true}`), "")
	f.Add([]byte(`{"session_token":"`+session+`"}`), resume)
	f.Add([]byte(`{"remember_cookie":true,"wait":true,"line_secret":"0123456789abcdef"}`), resume)
	f.Add([]byte(`{}`), "")
	h := &handler{Config: Config{Proxies: peer.NewProxies(nil, slog.New(slog.DiscardHandler))}}
	f.Fuzz(func(t *testing.T, body []byte, cookie string) {
		r := httptest.NewRequest("POST", resumePath, nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
		got, _, err := h.parseResume(r, body)
		if err != nil {
			var m malformed
			if !errors.Is(err, rushgate.BadCredentials) && (!errors.As(err, &m) || m.message == "") {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		if (got.SessionToken == token.Session{}) == (got.ResumeToken == token.Resume{}) {
			t.Fatalf("%s: not one token", body)
		}
		if got.Attempt != "" && !rushgate.ValidAttempt(got.Attempt) || got.Wait && got.Holder == (line.Holder{}) {
			t.Fatalf("%s: accepted %+v", body, got)
		}
	})
}

// Whatever is sent as the proof that an account is the player's: what is accepted has a password, or what finishes a
// proof by OPAQUE.
func FuzzParseProof(f *testing.F) {
	f.Add([]byte(`{"password":"correct horse"}`))
	f.Add([]byte(`{"password":"a\tb"}`))
	f.Add([]byte(`{"password":"correct horse","code":"123 456"}`))
	f.Add([]byte(`{"login_state":"AQ","ke3":"` + strings.Repeat("A", 86) + `","code":"123 456"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parseProof(body)
		if _, _, removal := parseRemoval(body); err == nil && removal != nil {
			t.Fatalf("a proof is none to remove a passkey: %v", removal)
		}
		var m malformed
		if err != nil && (!errors.As(err, &m) || m.message == "") {
			t.Fatalf("error %v is not one for the player", err)
		}
		if err == nil && (!p.shown() || strings.ContainsRune(p.password+p.exact, 0)) {
			t.Fatal("accepted a password that cannot be")
		}
		if p.byOpaque() && err == nil && (len(p.opaque.Message) != opaque.KE3Size || p.password != "") {
			t.Fatal("accepted a proof by OPAQUE that cannot be")
		}
	})
}

// opaquely is a handler of a node with OPAQUE, which parses and asks nobody.
var opaquely = &handler{Config: Config{OpaqueMode: OpaquePrefer, Opaque: &opaque.Server{}}}

// Whatever is sent to begin or to finish by OPAQUE: what is accepted has messages of their sizes, and what is refused
// says why.
func FuzzParseOpaque(f *testing.F) {
	zeros := func(n int) string { return strings.Repeat("A", (8*n+5)/6) }
	for _, s := range []string{
		`{"username":"Alice","ke1":"` + zeros(96) + `","device_id":"d"}`,
		`{"username":"alice","request":"` + zeros(32) + `","recover":true}`,
		`{"username":"alice","state":"` + zeros(214) + `","ke3":"` + zeros(64) + `","wait":false,"code":"123456"}`,
		`{"username":"alice","state":"` + zeros(91) + `","upload":"` + zeros(192) + `","remember":"phone"}`,
		`{"state":"AQ","upload":"` + zeros(192) + `","login_state":"AQ","ke3":"` + zeros(64) + `"}`, `{"ke1":"A="}`, `[]`,
	} {
		f.Add([]byte(s))
	}
	session := token.NewSession("alice").Text()
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := parseBegin(body)
		wantForPlayer(t, err)
		if err == nil && (b.Username == "" || len(b.Opaque.Message) != opaque.KE1Size) {
			t.Fatalf("%s: accepted %+v", body, b)
		}
		for _, form := range []form{
			{name: loginName, login: true, message: "ke3", size: opaque.KE3Size},
			{name: newName, message: "upload", size: opaque.UploadSize},
		} {
			c, err := parseCredentials(body, form)
			wantForPlayer(t, err)
			if err == nil && (c.username == "" || c.password != "" || len(c.opaque.Message) != form.size ||
				len(c.opaque.State) == 0 || len(c.opaque.State) > opaque.MaxLoginState) {
				t.Fatalf("%s: accepted %+v", body, c)
			}
		}
		r := httptest.NewRequest("POST", "/v1/opaque/register/start", bytes.NewReader(body))
		b, err = opaquely.parseRegistration(r)
		wantForPlayer(t, err)
		if err == nil && (b.Username == "" || len(b.Opaque.Message) != opaque.RequestSize || b.Opaque.For == "") {
			t.Fatalf("%s: accepted %+v", body, b)
		}
		r = httptest.NewRequest("POST", "/v1/opaque/register/finish", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+session)
		i, err := opaquely.parseInside(r)
		wantForPlayer(t, err)
		if err == nil && (len(i.registration.Message) != opaque.UploadSize || len(i.registration.State) == 0 ||
			i.proof.byOpaque() && len(i.proof.opaque.Message) != opaque.KE3Size) {
			t.Fatalf("%s: accepted %+v", body, i)
		}
	})
}

// Whatever is sent as a wish for another name: what is accepted has a name that there can be, and a password.
func FuzzParseRename(f *testing.F) {
	f.Add([]byte(`{"name":"Alina","password":"correct horse","code":"123 456","remember":"phone"}`))
	f.Add([]byte(`{"name":"al\u0131na","password":"a\tb"}`))
	f.Add([]byte(`{"password":"correct horse"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseRename(body)
		wantForPlayer(t, err)
		if err != nil {
			return
		}
		if name, err := rushgate.NewUsername(got.name); err != nil || name != got.name {
			t.Fatalf("accepted the name %q", got.name)
		}
		if got.password == "" && got.exact == "" {
			t.Fatal("accepted no password")
		}
	})
}

// Whatever is sent as a change of the password: what is accepted has two passwords, of which the new one may be.
func FuzzParsePasswordChange(f *testing.F) {
	f.Add([]byte(`{"current":"correct horse","new":"better horse","attempt_id":"a","remember":"phone"}`))
	f.Add([]byte(`{"current":"a\tb","new":"better horse","remember_cookie":true}`))
	f.Add([]byte(`{"current":"correct horse","new":"correct horse"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parsePasswordChange(body, "alice", 0)
		if err != nil {
			var m malformed
			if !errors.As(err, &m) || m.message == "" {
				t.Fatalf("error %v is not one for the player", err)
			}
			return
		}
		if pw, err := rushgate.NewPassword(c.next, "alice", 0); err != nil || pw != c.next || pw == c.password {
			t.Fatal("accepted a new password that may not be")
		}
		if c.password == "" && c.exact == "" || strings.ContainsRune(c.password+c.exact+c.next, 0) {
			t.Fatal("accepted a password that cannot be")
		}
		if c.attempt != "" && !rushgate.ValidAttempt(c.attempt) {
			t.Fatalf("accepted the attempt id %q", c.attempt)
		}
	})
}

// What is accepted about addresses and lost passwords has the forms that those who get it rely on.
func FuzzParseRecovery(f *testing.F) {
	f.Add([]byte(`{"username":"Alice"}`))
	f.Add([]byte(`{"username":"alice","code":"7k2m qx9d 4hpt","password":"better horse"}`))
	f.Add([]byte(`{"email":"alice@example.org","current":"correct horse"}`))
	f.Add([]byte(`{"email":"alice@example.org\r\nBcc: eve@example.org","current":"a\tb"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		typed, name, err := parseRecover(body)
		wantForPlayer(t, err)
		if err == nil && (name == "" || len(typed) > 4096) {
			t.Fatalf("accepted the name %q as %q", typed, name)
		}
		r, err := parseFinish(body, 0)
		wantForPlayer(t, err)
		if err == nil && (r.Kind != auth.Recover || r.Username == "" || (r.Password == "") == (r.Opaque.State == nil) ||
			r.Code == (token.Code{})) {
			t.Fatal("accepted a code without a name, or a password")
		}
		address, p, err := parseEmail(body)
		wantForPlayer(t, err)
		if err == nil && (strings.ContainsAny(address, "\r\n <>") || !p.shown()) {
			t.Fatalf("accepted the address %q, or no password", address)
		}
	})
}

func wantForPlayer(t *testing.T, err error) {
	t.Helper()
	if m, ok := errors.AsType[malformed](err); err != nil && (!ok || m.message == "") {
		t.Fatalf("error %v is not one for the player", err)
	}
}
