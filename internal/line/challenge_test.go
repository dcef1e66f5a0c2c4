package line_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// keyrings returns the keys of a fleet, the same as another node of it has them, and those of another fleet.
func keyrings(t *testing.T, now time.Time) (ring, shared, other *line.Keyring) {
	t.Helper()
	ring, err := line.NewKeyring(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if other, err = line.NewKeyring(nil, now); err != nil {
		t.Fatal(err)
	}
	if shared, err = line.ParseKeyring(ring.Marshal()); err != nil {
		t.Fatal(err)
	}
	return ring, shared, other
}

// A challenge is known again by every node that has the key, for what it was made for and nothing else.
func TestChallenge(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_123)
	ring, shared, other := keyrings(t, now)
	b, err := ring.SealChallenge("login", now, nil)
	if err != nil || len(b) != line.ChallengeSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if at, err := shared.OpenChallenge("login", b); err != nil || !at.Equal(now) {
		t.Errorf("another node opens it as %v, %v", at, err)
	}
	if _, err := shared.OpenChallenge("add 7", b); !errors.Is(err, line.ErrForged) {
		t.Errorf("for another purpose: %v", err)
	}
	if _, err := other.OpenChallenge("login", b); !errors.Is(err, line.ErrUnknownKey) {
		t.Errorf("another fleet: %v", err)
	}
	for i := range b {
		forged := bytes.Clone(b)
		forged[i] ^= 1
		if _, err := ring.OpenChallenge("login", forged); err == nil {
			t.Errorf("byte %d can be altered", i)
		}
	}
	if again, err := ring.SealChallenge("login", now, nil); err != nil || bytes.Equal(again, b) {
		t.Errorf("the same once more, %v", err)
	}
}
