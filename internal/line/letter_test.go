package line_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// A letter is opened by every node that has the key, for what it was made for and nothing else.
func TestLetter(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_123)
	ring, shared, other := keyrings(t, now)
	content := []byte("what is in it")
	b, err := ring.SealLetter("identity", now, content, nil)
	if err != nil || len(b) != line.LetterOverhead+len(content) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if at, got, err := shared.OpenLetter("identity", b); err != nil || !at.Equal(now) || !bytes.Equal(got, content) {
		t.Errorf("another node opens it as %v, %q, %v", at, got, err)
	}
	if _, _, err := shared.OpenLetter("another", b); !errors.Is(err, line.ErrForged) {
		t.Errorf("for another purpose: %v", err)
	}
	if _, _, err := other.OpenLetter("identity", b); !errors.Is(err, line.ErrUnknownKey) {
		t.Errorf("another fleet: %v", err)
	}
	for i := range b {
		forged := bytes.Clone(b)
		forged[i] ^= 1
		if _, _, err := ring.OpenLetter("identity", forged); err == nil {
			t.Errorf("byte %d can be altered", i)
		}
		if _, _, err := ring.OpenLetter("identity", b[:i]); err == nil {
			t.Errorf("the first %d bytes are taken", i)
		}
	}
	if _, err := ring.SealLetter("identity", now, make([]byte, line.MaxLetter+1), nil); err == nil {
		t.Error("a letter that is too long was sealed")
	}
}
