package netcode

import (
	"bytes"
	"errors"
	"testing"
)

func TestChallengeTampered(t *testing.T) {
	aead := newAEAD(goldenChallengeKey())
	sealed := goldenFile(t, "challenge_token_encrypted")
	opens := func(b []byte, seq uint64) bool {
		var c challenge
		return openChallenge(&c, bytes.Clone(b), aead, seq) == nil
	}
	for i := range sealed {
		for bit := range 8 {
			sealed[i] ^= 1 << bit
			if opens(sealed, goldenChallengeSeq) {
				t.Fatalf("opened with byte %d bit %d flipped", i, bit)
			}
			sealed[i] ^= 1 << bit
		}
	}
	for n := range sealed {
		if opens(sealed[:n], goldenChallengeSeq) {
			t.Fatalf("opened the first %d bytes", n)
		}
	}
	var c challenge
	other := *goldenChallengeKey()
	other[0] ^= 1
	switch {
	case opens(append(bytes.Clone(sealed), 0), goldenChallengeSeq):
		t.Error("opened with a byte too many")
	case opens(sealed, goldenChallengeSeq+1):
		t.Error("opened under another sequence number")
	case openChallenge(&c, bytes.Clone(sealed), newAEAD(&other), goldenChallengeSeq) == nil:
		t.Error("opened with another key")
	case !opens(sealed, goldenChallengeSeq):
		t.Error("the unchanged token does not open")
	}
}

// A token of another size is refused even if it was sealed with the right key.
func TestChallengeSize(t *testing.T) {
	aead := newAEAD(goldenChallengeKey())
	for _, size := range []int{0, 8 + UserDataSize, challengeSize - tagSize - 1, challengeSize - tagSize + 1} {
		var c challenge
		token := aead.Seal(nil, c.sc.nonceFor(1), make([]byte, size), nil)
		if err := openChallenge(&c, token, aead, 1); !errors.Is(err, errMalformed) {
			t.Errorf("%d bytes inside: error %v, want %v", size, err, errMalformed)
		}
	}
}
