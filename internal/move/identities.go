package move

import (
	"context"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
)

// claim has the identities of players lead to them in the other store, as far as they lead to them in this one, and
// looks whether they do.
func (m *mover) claim(ctx context.Context, players []player) error {
	var claims []rushgate.IdentityClaim
	for i := range players {
		a := &players[i].account
		for _, key := range linked.Keys(a.Credentials) {
			claims = append(claims, rushgate.IdentityClaim{Key: key, Player: a.ID})
		}
	}
	for some := range slices.Chunk(claims, rushgate.MaxPage) {
		if err := m.claimSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) claimSome(ctx context.Context, claims []rushgate.IdentityClaim) error {
	keys := make([]rushgate.IdentityKey, len(claims))
	for i := range claims {
		keys[i] = claims[i].Key
	}
	owners, err := m.from.IdentityOwners(ctx, keys)
	if err != nil {
		return fmt.Errorf("read whose identities are: %w", err)
	}
	open, players := claims[:0:0], make([]rushgate.PlayerID, 0, len(claims))
	keys = keys[:0]
	for i, c := range claims {
		if owners[i] == c.Player { // else it was left behind, and opens nothing
			open, keys, players = append(open, c), append(keys, c.Key), append(players, c.Player)
		}
	}
	if len(open) == 0 {
		return nil
	}
	if _, err := m.to.ClaimIdentities(ctx, open); err != nil {
		return fmt.Errorf("write whose identities are: %w", err)
	}
	there, err := m.to.IdentityOwners(ctx, keys)
	if err != nil {
		return fmt.Errorf("read whose identities are there: %w", err)
	}
	for i, owner := range there {
		if owner != players[i] {
			return fmt.Errorf("an identity of player %d leads to player %d: %w", players[i], owner, ErrDiffers)
		}
	}
	return nil
}
