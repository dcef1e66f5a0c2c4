package opaquerecord

import (
	"strconv"
	"strings"
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
	use := func(c []rushgate.Credential, n byte, at time.Time) ([]rushgate.Credential, Verdict) {
		v, after := Use(c, opaque.StateID{n, 0xff, 0xfe}, strconv.Itoa(int(n)), at.Add(time.Minute), at)
		if v != Fresh { // of another attempt
			v, after = Use(c, opaque.StateID{n, 0xff, 0xfe}, "", at.Add(time.Minute), at)
		}
		return after, v
	}
	c, v := use(before, 1, now)
	if v != Fresh || before[1].Provider != "" || c[0] != before[0] {
		t.Fatalf("%v, %+v from %+v", v, c, before)
	}
	if got, ok := Of(c); !ok || got != proof {
		t.Errorf("the record is %v, %v", got, ok)
	}
	if _, v := use(c, 1, now.Add(time.Minute)); v != Used {
		t.Errorf("a state is good twice: %v", v)
	}
	c, v = use(c, 2, now.Add(2*time.Minute))
	const note = "Av_-AAAAAAA.********:vf7fp9"
	if got := c[1].Provider; v != Fresh || !strings.HasPrefix(got, note[:12]) || len(got) != len(note) {
		t.Errorf("noted %q, %v", c[1].Provider, v)
	}
	for n := range byte(100) {
		if c, v = use(c, n+3, now.Add(2*time.Minute)); v != Fresh {
			t.Fatalf("state %d", n)
		}
	}
	if size := len(c[1].Kind + c[1].Provider + c[1].Subject + c[1].Secret); size > rushgate.MaxCredentialLen {
		t.Errorf("%d bytes", size)
	}
	if _, v := use(c, 102, now.Add(2*time.Minute)); v != Used {
		t.Errorf("the last state is good twice: %v", v)
	}
	c[1].Provider = "what a newer version notes: 7 :: a:! .: a.b:"
	if c, v = use(c, 1, now); v != Fresh || len(c[1].Provider) != len(note) {
		t.Errorf("noted %q, %v", c[1].Provider, v)
	}
	if c, v = use(before[:1], 1, now); v != Fresh || len(c) != 1 || c[0] != before[0] {
		t.Errorf("without a record: %+v, %v", c, v)
	}
}

// The attempt that has used a state may show it again, and no other; of a note that tells of none, none may.
func TestUseAgain(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	end := now.Add(time.Minute)
	proof := Proof{NewIdentifier([16]byte{1}, "x"), sample(t)}
	v, c := Use([]rushgate.Credential{proof.Credential()}, opaque.StateID{1}, "a", end, now)
	if v != Fresh {
		t.Fatal(v)
	}
	if v, after := Use(c, opaque.StateID{1}, "a", end, now); v != Repeated || after != nil {
		t.Errorf("the same attempt: %v, %v", v, after)
	}
	if v, after := Use(c, opaque.StateID{1}, "b", end, now); v != Used || after != nil {
		t.Errorf("another attempt: %v, %v", v, after)
	}
	v, c = Use(c, opaque.StateID{2}, "a", end, now)
	notes := strings.Fields(c[0].Provider)
	if v != Fresh || len(notes) != 2 {
		t.Fatalf("another state: %v, noted %q", v, notes)
	}
	if of := func(note string) string { return note[12:20] }; of(notes[0]) == of(notes[1]) {
		t.Errorf("the notes %q tell that they are of one attempt", notes)
	}
	c[0].Provider = "AQAAAAAAAAA:" + strconv.FormatInt(end.Unix(), 36) // without the attempt, as it was before
	for _, attempt := range []string{"a", ""} {
		if v, _ := Use(c, opaque.StateID{1}, attempt, end, now); v != Used {
			t.Errorf("an old note, attempt %q: %v", attempt, v)
		}
	}
}
