package validate

import (
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

// IdentityClaims reports what keeps claims of identities from being carried out as they are written.
func IdentityClaims(claims []rushgate.IdentityClaim) error {
	for i, c := range claims {
		if err := identityClaim(c); err != nil {
			return fmt.Errorf("claim %d: %w", i, err)
		}
	}
	return nil
}

func identityClaim(c rushgate.IdentityClaim) error {
	switch {
	case c.Player == 0 && c.Replaces == 0:
		return errors.New("neither a player nor whom to replace")
	case c.Player == c.Replaces:
		return fmt.Errorf("player %d is to replace itself", c.Player)
	}
	return nil
}
