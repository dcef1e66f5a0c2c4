package rushgate

import (
	"context"
	"time"
)

// HeldName is a name that is nobody's, and that only one player can be renamed to, see RenameAccount in [Accounts].
type HeldName struct {
	Name   string
	Player PlayerID // whose account may be gone
	// Until is when the hold ends, in milliseconds.
	Until time.Time
}

// LoadedHold is what a [Store] knows of a name that is held. Err wraps [ErrDamagedRecord] if what it has of the hold
// cannot be read; then Name alone is set.
type LoadedHold struct {
	HeldName
	Err error
}

// Holds is the way of names that are held from one [Store] into another.
type Holds interface {
	// HeldNames returns names that are held, and the cursor of the next call, as Usernames of [Directory] does: a page
	// has about limit names, 1 to [MaxPage], and may have none; the order is the store's, and a name may come twice. Every
	// name that is held from the beginning of the walk to its end is returned, and none whose hold has ended.
	HeldNames(ctx context.Context, cursor string, limit int) (held []LoadedHold, next string, err error)
	// HoldNames has names held, as RenameAccount would have. Of one that is held for the same player already the later end
	// counts, so that the call can be repeated; one whose end has passed is not held, which is no error. Each item's error
	// is nil or [UsernameTaken] (there is an account of this name, or it is held for another player), or wraps
	// [ErrDamagedRecord].
	HoldNames(ctx context.Context, held []HeldName) ([]error, error)
}
