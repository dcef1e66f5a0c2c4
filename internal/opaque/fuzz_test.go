package opaque

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// FuzzParseKeys looks for files that crash the parser, or that change when they are written anew.
func FuzzParseKeys(f *testing.F) {
	f.Add(newTestKeys(f).Marshal())
	f.Add([]byte(keyFileVersion + "\n"))
	if more, err := newTestKeys(f).Prepared(chanceOf(9)); err == nil {
		f.Add(more.Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(b)
		if err != nil {
			if !errors.Is(err, ErrBadKeys) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := ParseKeys(k.Marshal())
		if err != nil || !bytes.Equal(again.Marshal(), k.Marshal()) {
			t.Errorf("written anew it is another, %v", err)
		}
	})
}

// FuzzParseRecord looks for texts that crash the parser, or are read as a record whose text is another.
func FuzzParseRecord(f *testing.F) {
	f.Add(newPlayer(f).register(newTestServer(f, nil), "alice", "correct horse").Marshal())
	f.Add(recordPrefix + "00000000$" + strings.Repeat("A", uploadText))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecord(text)
		if err == nil && r.Marshal() != text {
			t.Errorf("%q is read as %q", text, r.Marshal())
		}
		if err == nil != (r != Record{}) {
			t.Errorf("a record of %q and %v", text, err)
		}
	})
}

// FuzzState looks for states that crash a server, or are taken though it has not made them.
func FuzzState(f *testing.F) {
	g := readGolden(f) // the same in each process of the fuzzer
	record, err := ParseRecord(g.Record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(g.State), []byte(g.KE3))
	f.Add([]byte(g.RegisterState), []byte(g.Upload))
	f.Fuzz(func(t *testing.T, sealed, message []byte) {
		s := g.server(t)
		if _, err := finish(s, sealed, message, &record, PurposeLogin); err == nil {
			if !bytes.Equal(sealed, g.State) || !bytes.Equal(message, g.KE3) {
				t.Error("a login by what the server has not made")
			}
		} else if errors.Is(err, ErrPanic) {
			t.Error(err)
		}
		if _, r, err := s.RegisterFinish(sealed, message); err == nil {
			if _, ok := element(r.upload[:elementSize]); !ok || !bytes.Equal(sealed, g.RegisterState) {
				t.Error("a registration by what the server has not made, or with no key")
			}
		} else if errors.Is(err, ErrPanic) {
			t.Error(err)
		}
	})
}

// FuzzRequest looks for requests that crash a server, or that the library answers in another way.
func FuzzRequest(f *testing.F) {
	k := newTestKeys(f).current()
	theirs := libraryServer(f, k)
	request, _ := newPlayer(f).request("correct horse")
	f.Add("alice", request)
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if checkName(name) != nil {
			t.Skip()
		}
		ours, err := k.register(name, b)
		m, errTheirs := theirs.Deserialize.RegistrationRequest(b)
		if err == nil != (errTheirs == nil) {
			t.Fatalf("%x: %v and %v", b, err, errTheirs)
		}
		if err != nil {
			return
		}
		response, errTheirs := theirs.RegistrationResponse(m, []byte(name), nil)
		if errTheirs != nil || !bytes.Equal(response.Serialize(), ours) {
			t.Errorf("%x is answered in another way, %v", b, errTheirs)
		}
	})
}

// FuzzKE1 looks for messages and uploads that crash a server, or that the library answers in another way.
func FuzzKE1(f *testing.F) {
	p, k := newPlayer(f), newTestKeys(f).current()
	theirs := libraryServer(f, k)
	record := p.register(newTestServer(f, nil), "alice", "correct horse")
	ke1, _ := p.ke1("correct horse")
	f.Add("alice", ke1, record.upload[:])
	f.Add("bob", ke1, k.fake("bob")[:])
	f.Fuzz(func(t *testing.T, name string, b, upload []byte) {
		r, err := newRecord(k.id, upload)
		_, errTheirs := theirs.Deserialize.RegistrationRecord(upload)
		if err == nil != (errTheirs == nil) {
			t.Fatalf("upload %x: %v and %v", upload, err, errTheirs)
		}
		if err != nil || checkName(name) != nil {
			return
		}
		var c chance
		chanceOf(7).Read(c.keyShareSeed[:])
		c.serverNonce[0], c.maskingNonce[0] = 1, 2
		a, err := k.login(name, &r.upload, b, &c)
		_, errTheirs = theirs.Deserialize.KE1(b)
		if err == nil != (errTheirs == nil) {
			t.Fatalf("%x: %v and %v", b, err, errTheirs)
		}
		if err != nil {
			return
		}
		ke2, output := libraryLogin(t, theirs, name, upload, b, &c)
		if !bytes.Equal(ke2, a.ke2) || !bytes.Equal(output.SessionSecret, a.sessionKey) {
			t.Errorf("%x is answered in another way", b)
		}
	})
}
