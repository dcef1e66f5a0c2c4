package linked

import (
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// maxDoubts is how many claims of identities are remembered that lead to a name without the account, at the least half
// of them: of an attempt each whose node died, or of a player who is being renamed.
const maxDoubts = 8192

// Doubts has the claims of identities which lead to a player whose account is not there by the name that the player is
// said to have. For a moment that is so while the account is renamed, and has the identity all the same. It stays so if
// a node died when it had claimed the identity, noted the name, and not made the account; or when it had deleted the
// account and not that name. The zero value has none. It is safe for concurrent use.
type Doubts struct {
	mu             sync.Mutex
	recent, before map[doubt]span
}

type doubt struct {
	key   rushgate.IdentityKey
	owner rushgate.PlayerID
}

// span is when a doubt was noted first and last. One that nobody has noted for a while is over.
type span struct{ first, last time.Time }

// Stale takes note of a claim in doubt, and reports whether it has been for so long that nothing is under way any more:
// for [rushgate.IdentityHold], within which it was noted again and again.
func (d *Doubts) Stale(key rushgate.IdentityKey, owner rushgate.PlayerID, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := doubt{key, owner}
	noted, known := d.recent[at]
	if !known {
		noted = d.before[at]
		if d.recent == nil || len(d.recent) >= maxDoubts/2 {
			d.recent, d.before = make(map[doubt]span), d.recent
		}
	}
	if now.Sub(noted.last) > rushgate.IdentityHold {
		noted.first = now
	}
	noted.last = now
	d.recent[at] = noted
	return now.Sub(noted.first) >= rushgate.IdentityHold
}
