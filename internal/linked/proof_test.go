package linked

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

var proofNoon = time.UnixMilli(1_800_000_000_123)

func proofRing(t testing.TB) *line.Keyring {
	t.Helper()
	ring, err := line.NewKeyring(nil, proofNoon.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func testProof() Proof {
	return Proof{
		At: proofNoon, Provider: "guild", Issuer: "https://id.guild.example", Subject: "4711", Name: "Björn",
		Email: "b@guild.example",
	}
}

// A proof is good for ten minutes, as often as it is shown, on every node of the fleet, and not with one changed
// letter.
func TestAProofIsGoodForItsTime(t *testing.T) {
	ring := proofRing(t)
	p := testProof()
	text, err := p.Seal(ring, nil)
	if err != nil || len(text) > MaxProofText || strings.Contains(text, "4711") {
		t.Fatalf("%d characters, %v", len(text), err)
	}
	for _, after := range []time.Duration{-proofSkew, 0, 0, ProofLife - time.Microsecond} {
		got, err := OpenProof(ring, text, p.At.Add(after))
		if err != nil || !got.At.Equal(p.At) || got.Credential() != OfProvider(p.Issuer, p.Subject) ||
			got.Name != p.Name || got.Email != p.Email || got.Provider != p.Provider {
			t.Errorf("after %v: %+v, %v", after, got, err)
		}
	}
	for _, after := range []time.Duration{ProofLife, -proofSkew - time.Microsecond} {
		if _, err := OpenProof(ring, text, p.At.Add(after)); !errors.Is(err, ErrOldProof) {
			t.Errorf("after %v: %v", after, err)
		}
	}
	for i := range text {
		altered := []byte(text)
		altered[i] ^= 1
		if _, err := OpenProof(ring, string(altered), p.At); !errors.Is(err, ErrBadProof) {
			t.Fatalf("with character %d altered: %v", i, err)
		}
	}
	for _, other := range []string{
		"", text + "\n", text[:9] + "\r" + text[9:], text + "AAAA", strings.Repeat("A", 1<<14),
	} {
		if _, err := OpenProof(ring, other, p.At); !errors.Is(err, ErrBadProof) {
			t.Errorf("%.20q…: %v", other, err)
		}
	}
	if _, err := OpenProof(proofRing(t), text, p.At); !errors.Is(err, ErrBadProof) {
		t.Errorf("another fleet: %v", err)
	}
}

// The largest proof fits, and what no identity has is not sealed.
func TestProofsAreBounded(t *testing.T) {
	ring := proofRing(t)
	p := Proof{
		At: proofNoon, Provider: strings.Repeat("p", maxProvider), Issuer: strings.Repeat("i", maxIssuer),
		Subject: strings.Repeat("s", maxSubject), Name: strings.Repeat("n", maxName), Email: strings.Repeat("e", maxEmail),
	}
	text, err := p.Seal(ring, nil)
	if err != nil || len(text) > MaxProofText {
		t.Fatalf("%d characters of at most %d, %v", len(text), MaxProofText, err)
	}
	if _, err := OpenProof(ring, text, proofNoon); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Proof){
		"no provider":         func(p *Proof) { p.Provider = "" },
		"a long provider":     func(p *Proof) { p.Provider += "p" },
		"no issuer":           func(p *Proof) { p.Issuer = "" },
		"a long issuer":       func(p *Proof) { p.Issuer += "i" },
		"no subject":          func(p *Proof) { p.Subject = "" },
		"a long subject":      func(p *Proof) { p.Subject += "s" },
		"a subject of spaces": func(p *Proof) { p.Subject = " " },
		"a long name":         func(p *Proof) { p.Name += "n" },
		"a name of controls":  func(p *Proof) { p.Name = "a\x00b" },
		"a name of no UTF-8":  func(p *Proof) { p.Name = "a\xff" },
		"a long address":      func(p *Proof) { p.Email += "e" },
	} {
		bad := p
		change(&bad)
		if _, err := bad.Seal(ring, nil); !errors.Is(err, ErrBadProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzProof looks for bytes that crash the parser, or that are read and would not be written like that.
func FuzzProof(f *testing.F) {
	ring := proofRing(f)
	p := testProof()
	text, err := p.Seal(ring, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, []byte("\x01\x00\x01p\x00\x01i\x00\x01s\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, text string, content []byte) {
		if _, err := OpenProof(ring, text, proofNoon); err != nil && !errors.Is(err, ErrBadProof) {
			t.Error(err)
		}
		p, err := parseProof(content) // which nobody gets to without the key
		if err != nil {
			if !errors.Is(err, ErrBadProof) {
				t.Error(err)
			}
			return
		}
		p.At = proofNoon
		text, err = p.Seal(ring, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := OpenProof(ring, text, proofNoon); err != nil || again.Credential() != p.Credential() {
			t.Errorf("%+v is read again as %+v, %v", p, again, err)
		}
	})
}
