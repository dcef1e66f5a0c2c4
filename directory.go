package rushgate

import "context"

// MaxPage is the greatest limit of a call of [Directory], and of the other calls that return a part of a list.
const MaxPage = 1000

// Directory is the way through all accounts, for those who look for one, copy them, or count them.
type Directory interface {
	// Usernames returns names of accounts that begin with prefix, which may be empty, and the cursor of the next call. A
	// walk begins with the empty cursor and is at its end when the next one is empty; a cursor that no call has returned
	// is an error. A page has about limit names, 1 to [MaxPage], and may have none. Every name that is an account's from
	// the beginning of the walk to its end is returned; one that comes or goes meanwhile, also by a rename, may be. The
	// order is the store's, and a name may come twice. Names and prefix are compared as bytes. If a call fails, the walk
	// may have to begin again.
	Usernames(ctx context.Context, prefix, cursor string, limit int) (names []string, next string, err error)
}
