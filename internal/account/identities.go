package account

import (
	"context"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
)

// freeing deletes accounts by a function that says what became of each, and then frees the identities of those that are
// gone. That may fail: who comes by such an identity finds no account, and it is free from then on.
func (l *Ledger) freeing(ctx context.Context, names []string, do func(names []string) []error) []error {
	accounts, err := l.store.LoadAccounts(ctx, names)
	errs := do(names)
	if err != nil || len(accounts) != len(names) {
		return errs
	}
	var claims []rushgate.IdentityClaim
	for i := range accounts {
		if errs[i] == nil && accounts[i].Err == nil {
			for _, key := range linked.Keys(accounts[i].Credentials) {
				claims = append(claims, rushgate.IdentityClaim{Key: key, Replaces: accounts[i].ID})
			}
		}
	}
	if len(claims) > 0 {
		_, _ = l.store.ClaimIdentities(ctx, claims)
	}
	return errs
}
