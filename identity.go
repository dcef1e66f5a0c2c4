package rushgate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// IdentityHold is for how long a claim of an identity is left alone, by the store's clock: within that time who has
// claimed it gives it to the account, or makes the account.
const IdentityHold = 30 * time.Second

// IdentityKey stands for an identity that a player has somewhere else, and for nothing else: a device that plays as a
// guest, or an account at a provider. It says nothing of the identity.
type IdentityKey [sha256.Size]byte

// NewIdentityKey returns that of an identity, the SHA-256 of its parts: what kind it is, who vouches for it, and what
// it is called there. Those of different parts differ, also of parts that read the same one after another.
func NewIdentityKey(kind, provider, subject string) IdentityKey {
	h := sha256.New()
	for _, part := range []string{"rushgate identity", kind, provider, subject} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		_, _ = h.Write(n[:]) // never fails
		_, _ = h.Write([]byte(part))
	}
	return IdentityKey(h.Sum(nil))
}

// IdentityClaim asks for an identity to lead to a player.
type IdentityClaim struct {
	Key IdentityKey
	// Player is to have it; 0 frees it, if Replaces has it.
	Player PlayerID
	// Replaces is another player, if there is one, who has claimed it, and whose account was found not to have it: it may
	// be gone, or the claim was never followed by what it was for.
	Replaces PlayerID
}

// Identities leads from identities to the players whose they may be. That says where to look and proves nothing: what
// opens an account is that it has the identity among its [Credential] values. An identity is claimed before an account
// gets it, and freed once the account has it no longer, so that no two accounts have one.
type Identities interface {
	// IdentityOwners returns for each identity who has claimed it, 0 for nobody.
	IdentityOwners(ctx context.Context, keys []IdentityKey) ([]PlayerID, error)
	// ClaimIdentities carries out claims in order, each in one atomic step, and returns who has each identity then: the
	// one who asks, if nobody else had it, or if Replaces had it and claimed it [IdentityHold] ago or before; 0, if it
	// was freed or is nobody's; and else whoever had it. A claim by the one who has it already begins the hold anew.
	ClaimIdentities(ctx context.Context, claims []IdentityClaim) ([]PlayerID, error)
}
