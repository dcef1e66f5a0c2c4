package line

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func sampleProof() Proof {
	return Proof{
		At: time.UnixMilli(1_800_000_000_123), Player: 7, Epoch: 3, Holder: HolderOf([]byte("0123456789abcdef")),
		Issuer: Issuer{1, 2, 3}, Serial: 9, Name: "alice", Imported: "ÁLICE",
	}
}

// A proof is read back whole, by every ring that has its key, and goes with its ticket alone.
func TestAProofIsReadBack(t *testing.T) {
	p := sampleProof()
	ring, err := NewKeyring(nil, p.At)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ring.SealProof(&p, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ParseKeyring(ring.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.OpenProof(text); err != nil || got != p {
		t.Errorf("read back %+v, %v", got, err)
	}
	ticket := Ticket{Issuer: p.Issuer, Serial: p.Serial, Holder: p.Holder}
	if !p.Of(&ticket) {
		t.Error("the proof is not of its ticket")
	}
	for what, other := range map[string]Ticket{
		"serial": {Issuer: p.Issuer, Serial: p.Serial + 1, Holder: p.Holder},
		"issuer": {Serial: p.Serial, Holder: p.Holder}, "holder": {Issuer: p.Issuer, Serial: p.Serial},
	} {
		if p.Of(&other) {
			t.Errorf("it goes with a ticket of another %s", what)
		}
	}
	if p.Over(p.At.Add(TicketLife)) || !p.Over(p.At.Add(TicketLife+time.Millisecond)) || !p.Over(p.At.Add(-24*time.Hour)) {
		t.Error("it does not end when it is to")
	}
	long := p
	long.Imported = strings.Repeat("x", MaxProofName-len(p.Name))
	if text, err := ring.SealProof(&long, nil); err != nil || len(text) > MaxProofText {
		t.Errorf("%d characters, %v", len(text), err)
	}
	if long.Name += "x"; true {
		if _, err := ring.SealProof(&long, nil); err == nil {
			t.Error("names without end are sealed")
		}
	}
}

// A ticket is never a proof, nor a proof a ticket; and what was altered or is another fleet's is neither.
func TestWhatIsNoProof(t *testing.T) {
	p := sampleProof()
	ring, err := NewKeyring(nil, p.At)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := NewKeyring(nil, p.At)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ring.SealProof(&p, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	ticket := ring.Seal(nil, &Ticket{Turn: p.At, Issued: p.At, Holder: p.Holder})
	relabelled := append([]byte{proofVersion}, ticket[1:]...)
	long := append(append([]byte{proofVersion}, ticket[1:]...), make([]byte, proofLeast)...)
	for what, b := range map[string][]byte{
		"ticket": ticket, "ticket with the version of a proof": relabelled, "the same, longer": long, "nothing": nil,
		"cut": sealed[:len(sealed)-1],
	} {
		if got, err := ring.OpenProof(base64.RawURLEncoding.EncodeToString(b)); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
	}
	asTicket := append([]byte{ticketVersion}, sealed[1:TicketSize]...)
	if _, err := ring.Open(asTicket); !errors.Is(err, ErrForged) {
		t.Errorf("a proof as a ticket: %v", err)
	}
	if _, err := foreign.OpenProof(text); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("of another fleet: %v", err)
	}
	for i := range sealed {
		altered := append([]byte(nil), sealed...)
		altered[i] ^= 1
		if got, err := ring.OpenProof(base64.RawURLEncoding.EncodeToString(altered)); err == nil {
			t.Fatalf("altered at %d: %+v", i, got)
		}
	}
	for what, s := range map[string]string{
		"line end": text[:8] + "\n" + text[8:], "padding": text + "=", "long": text + strings.Repeat("A", MaxProofText),
	} {
		if _, err := ring.OpenProof(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whatever is shown as a proof: what is taken for one is the text that was sealed.
func FuzzOpenProof(f *testing.F) {
	p := sampleProof()
	ring, err := NewKeyring(nil, p.At)
	if err != nil {
		f.Fatal(err)
	}
	text, err := ring.SealProof(&p, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Add(text[:len(text)-1])
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := ring.OpenProof(s); err == nil && s != text {
			t.Errorf("%q is taken for a proof", s)
		}
	})
}
