package opaquerecord

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaque"
)

// sample is a record of the vectors of package opaque.
func sample(t *testing.T) opaque.Record {
	t.Helper()
	golden, err := os.ReadFile("../opaque/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\$opaque\$v=1,k=[0-9a-f]{8}\$[A-Za-z0-9_-]{256}`).Find(golden)
	record, err := opaque.ParseRecord(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestIdentifiers(t *testing.T) {
	one, other := NewIdentifier([16]byte{1}, "new alice"), NewIdentifier([16]byte{2}, "new alice")
	fake := FakeIdentifier("alice")
	if one == other || !one.Of("new alice") || one.Of("new bob") || one.Of("") || fake.Of("new alice") {
		t.Errorf("%q, %q and %q", one, other, fake)
	}
	if fake != FakeIdentifier("alice") || fake == FakeIdentifier("bob") {
		t.Error("a name has not one identifier of its own")
	}
	if len(one) != identifierLen || len(fake) != identifierLen || len(FakeIdentifier("")) != identifierLen {
		t.Errorf("lengths %d and %d", len(one), len(fake))
	}
	if Identifier("x").Of("") || Identifier("").Of("") {
		t.Error("what is no identifier is of something")
	}
}

func TestProofs(t *testing.T) {
	p := Proof{NewIdentifier([16]byte{1}, "new alice"), sample(t)}
	others := []rushgate.Credential{{Kind: "email", Subject: "a@example.org"}, {Kind: "totp", Secret: "x"}}
	with := With(others, p)
	if got, ok := Of(with); !ok || got != p || !Has(with) || len(with) != 3 {
		t.Errorf("read %+v, %v", got, ok)
	}
	next := p
	next.Identifier = NewIdentifier([16]byte{2}, "player 1")
	if again := With(with, next); len(again) != 3 || !slices.Contains(again, next.Credential()) {
		t.Errorf("replaced: %d credentials", len(again))
	}
	if got := Without(with); !slices.Equal(got, others) || Has(got) {
		t.Errorf("without: %v", got)
	}
	if got := Without(nil); got == nil || len(got) != 0 {
		t.Error("without any, nil would change nothing")
	}
	for name, bad := range map[string]rushgate.Credential{
		"no record": {Kind: Kind, Subject: string(p.Identifier)}, "no identifier": {Kind: Kind, Secret: p.Record.Marshal()},
	} {
		if got, ok := Of([]rushgate.Credential{bad}); ok || !Has([]rushgate.Credential{bad}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	c := p.Credential()
	if n := len(c.Kind + c.Subject + c.Secret); n > rushgate.MaxCredentialLen {
		t.Errorf("a credential has %d bytes, more than a store takes", n)
	}
}
