package measured

import (
	"context"
	"time"

	"github.com/rushgate/rushgate"
)

// The methods are written out rather than embedded, so that one which is added cannot go unmeasured.

// LoadAccounts implements [rushgate.Store].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) (accounts []rushgate.Account, err error) {
	defer s.measure(loadAccounts, time.Now(), &err)
	return s.store.LoadAccounts(ctx, usernames)
}

// Admit implements [rushgate.Store].
func (s *Store) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) (admitted []rushgate.Admitted, err error) {
	defer s.measure(admit, time.Now(), &err)
	admitted, err = s.store.Admit(ctx, by, admissions)
	s.leases.admitted(admitted)
	return admitted, err
}

// Save implements [rushgate.Store].
func (s *Store) Save(ctx context.Context, saves []rushgate.Save) (errs []error, err error) {
	defer s.measure(save, time.Now(), &err)
	errs, err = s.store.Save(ctx, saves)
	s.leases.saved(saves, errs)
	return errs, err
}

// Refresh implements [rushgate.Store].
func (s *Store) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) (errs []error, err error) {
	defer s.measure(refresh, time.Now(), &err)
	errs, err = s.store.Refresh(ctx, by, leases)
	s.leases.refreshed(leases, errs)
	return errs, err
}

// ReserveIDs implements [rushgate.Store].
func (s *Store) ReserveIDs(ctx context.Context, n int) (first rushgate.PlayerID, err error) {
	defer s.measure(reserveIDs, time.Now(), &err)
	return s.store.ReserveIDs(ctx, n)
}

// Top implements [rushgate.Store].
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) (ranks []rushgate.Rank, err error) {
	defer s.measure(top, time.Now(), &err)
	return s.store.Top(ctx, board, limit)
}

// Wanted implements [rushgate.Store].
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) (leases []rushgate.Lease, err error) {
	defer s.measure(wanted, time.Now(), &err)
	return s.store.Wanted(ctx, by)
}

// LoadCharacters implements [rushgate.Store].
func (s *Store) LoadCharacters(ctx context.Context, usernames []string) (characters []rushgate.Character, err error) {
	defer s.measure(loadCharacters, time.Now(), &err)
	return s.store.LoadCharacters(ctx, usernames)
}

// SetPasswordHash implements [rushgate.Store].
func (s *Store) SetPasswordHash(ctx context.Context, username, hash string) (err error) {
	defer s.measure(setPasswordHash, time.Now(), &err)
	return s.store.SetPasswordHash(ctx, username, hash)
}

// DeleteAccount implements [rushgate.Store].
func (s *Store) DeleteAccount(ctx context.Context, username string) (err error) {
	defer s.measure(deleteAccount, time.Now(), &err)
	return s.store.DeleteAccount(ctx, username)
}

// BeginImport implements [rushgate.Store].
func (s *Store) BeginImport(ctx context.Context, highest rushgate.PlayerID) (err error) {
	defer s.measure(beginImport, time.Now(), &err)
	return s.store.BeginImport(ctx, highest)
}

// Import implements [rushgate.Store].
func (s *Store) Import(ctx context.Context, records []rushgate.Record) (errs []error, err error) {
	defer s.measure(importRecords, time.Now(), &err)
	return s.store.Import(ctx, records)
}

// Online implements [rushgate.Store].
func (s *Store) Online(ctx context.Context) (players int, err error) {
	defer s.measure(online, time.Now(), &err)
	return s.store.Online(ctx)
}

// Ping implements [rushgate.Store].
func (s *Store) Ping(ctx context.Context) (err error) {
	defer s.measure(ping, time.Now(), &err)
	return s.store.Ping(ctx)
}

// Close implements [rushgate.Store].
func (s *Store) Close() error { return s.store.Close() }
