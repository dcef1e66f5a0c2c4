package rushgate

import "context"

// MaxPage is the greatest limit of a call of [Directory].
const MaxPage = 1000

// Directory is the way through all accounts, for those who look for one, copy them, or count them.
type Directory interface {
	// Usernames returns names of accounts that begin with prefix, which may be empty, and the cursor of the next call. A
	// walk begins with the empty cursor and is at its end when the next one is empty; a cursor that no call has returned
	// is an error. A page has about limit names, 1 to [MaxPage], and may have none. Every account that is there from the
	// beginning of the walk to its end is returned; one that comes or goes meanwhile may be. The order is the store's, and
	// a name may come twice.
	Usernames(ctx context.Context, prefix, cursor string, limit int) (names []string, next string, err error)
}
