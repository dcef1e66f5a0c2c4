package opaquerecord

import (
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaque"
)

// A state is noted once, until it expires; what is noted is bounded, and nothing else of the account changes.
func TestUse(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	proof := Proof{NewIdentifier([16]byte{1}, "x"), sample(t)}
	before := []rushgate.Credential{{Kind: "federated", Provider: "p"}, proof.Credential()}
	use := func(c []rushgate.Credential, n byte, at time.Time) ([]rushgate.Credential, bool) {
		return Use(c, opaque.StateID{n, 0xff, 0xfe}, at.Add(time.Minute), at)
	}
	c, fresh := use(before, 1, now)
	if !fresh || before[1].Provider != "" || c[0] != before[0] {
		t.Fatalf("%v, %+v from %+v", fresh, c, before)
	}
	if got, ok := Of(c); !ok || got != proof {
		t.Errorf("the record is %v, %v", got, ok)
	}
	if _, fresh := use(c, 1, now.Add(time.Minute)); fresh {
		t.Error("a state is good twice")
	}
	c, fresh = use(c, 2, now.Add(2*time.Minute))
	if want := "Av_-AAAAAAA:vf7fp9"; !fresh || c[1].Provider[:12] != want[:12] || len(c[1].Provider) != len(want) {
		t.Errorf("noted %q, %v", c[1].Provider, fresh)
	}
	for n := range byte(100) {
		if c, fresh = use(c, n+3, now.Add(2*time.Minute)); !fresh {
			t.Fatalf("state %d", n)
		}
	}
	if size := len(c[1].Kind + c[1].Provider + c[1].Subject + c[1].Secret); size > rushgate.MaxCredentialLen {
		t.Errorf("%d bytes", size)
	}
	if _, fresh := use(c, 102, now.Add(2*time.Minute)); fresh {
		t.Error("the last state is good twice")
	}
	c[1].Provider = "what a newer version notes: 7 :: a:!"
	if c, fresh = use(c, 1, now); !fresh || len(c[1].Provider) != len("Av_-AAAAAAA:vf7fp9") {
		t.Errorf("noted %q, %v", c[1].Provider, fresh)
	}
	if c, fresh = use(before[:1], 1, now); !fresh || len(c) != 1 || c[0] != before[0] {
		t.Errorf("without a record: %+v, %v", c, fresh)
	}
}
