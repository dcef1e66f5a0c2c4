package measured

import (
	"context"
	"time"

	"github.com/rushgate/rushgate"
)

// The methods are written out rather than embedded, so that one which is added cannot go unmeasured.

// LoadAccounts implements [rushgate.Accounts].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) (accounts []rushgate.LoadedAccount, err error) {
	defer s.measure(loadAccounts, time.Now(), &err)
	return s.store.LoadAccounts(ctx, usernames)
}

// PlayerNames implements [rushgate.Accounts].
func (s *Store) PlayerNames(ctx context.Context, players []rushgate.PlayerID) (names []string, err error) {
	defer s.measure(playerNames, time.Now(), &err)
	return s.store.PlayerNames(ctx, players)
}

// IdentityOwners implements [rushgate.Identities].
func (s *Store) IdentityOwners(
	ctx context.Context, keys []rushgate.IdentityKey,
) (owners []rushgate.PlayerID, err error) {
	defer s.measure(identityOwners, time.Now(), &err)
	return s.store.IdentityOwners(ctx, keys)
}

// ClaimIdentities implements [rushgate.Identities].
func (s *Store) ClaimIdentities(
	ctx context.Context, claims []rushgate.IdentityClaim,
) (owners []rushgate.PlayerID, err error) {
	defer s.measure(claimIdentities, time.Now(), &err)
	return s.store.ClaimIdentities(ctx, claims)
}

// Lookalikes implements [rushgate.Accounts].
func (s *Store) Lookalikes(ctx context.Context, usernames []string) (names []string, err error) {
	defer s.measure(lookalikes, time.Now(), &err)
	return s.store.Lookalikes(ctx, usernames)
}

// Admit implements [rushgate.Leases].
func (s *Store) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) (admitted []rushgate.Admitted, err error) {
	defer s.measure(admit, time.Now(), &err)
	admitted, err = s.store.Admit(ctx, by, admissions)
	s.leases.admitted(admitted)
	return admitted, err
}

// Save implements [rushgate.Leases].
func (s *Store) Save(ctx context.Context, saves []rushgate.Save) (errs []error, err error) {
	defer s.measure(save, time.Now(), &err)
	errs, err = s.store.Save(ctx, saves)
	s.leases.saved(saves, errs)
	return errs, err
}

// Refresh implements [rushgate.Leases].
func (s *Store) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) (errs []error, err error) {
	defer s.measure(refresh, time.Now(), &err)
	errs, err = s.store.Refresh(ctx, by, leases)
	s.leases.refreshed(leases, errs)
	return errs, err
}

// ReserveIDs implements [rushgate.Accounts].
func (s *Store) ReserveIDs(ctx context.Context, n int) (first rushgate.PlayerID, err error) {
	defer s.measure(reserveIDs, time.Now(), &err)
	return s.store.ReserveIDs(ctx, n)
}

// Top implements [rushgate.Boards].
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) (ranks []rushgate.Rank, err error) {
	defer s.measure(top, time.Now(), &err)
	return s.store.Top(ctx, board, limit)
}

// Wanted implements [rushgate.Leases].
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) (leases []rushgate.Wanted, err error) {
	defer s.measure(wanted, time.Now(), &err)
	return s.store.Wanted(ctx, by)
}

// Presence implements [rushgate.Leases].
func (s *Store) Presence(ctx context.Context, usernames []string) (found []rushgate.Presence, err error) {
	defer s.measure(presence, time.Now(), &err)
	return s.store.Presence(ctx, usernames)
}

// Want implements [rushgate.Leases].
func (s *Store) Want(ctx context.Context, usernames []string) (found []rushgate.Presence, err error) {
	defer s.measure(want, time.Now(), &err)
	return s.store.Want(ctx, usernames)
}

// LoadCharacters implements [rushgate.Characters].
func (s *Store) LoadCharacters(
	ctx context.Context, usernames []string,
) (characters []rushgate.LoadedCharacter, err error) {
	defer s.measure(loadCharacters, time.Now(), &err)
	return s.store.LoadCharacters(ctx, usernames)
}

// CreateAccounts implements [rushgate.Accounts].
func (s *Store) CreateAccounts(ctx context.Context, accounts []rushgate.Account) (errs []error, err error) {
	defer s.measure(createAccounts, time.Now(), &err)
	return s.store.CreateAccounts(ctx, accounts)
}

// UpdateAccounts implements [rushgate.Accounts].
func (s *Store) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) (errs []error, err error) {
	defer s.measure(updateAccounts, time.Now(), &err)
	return s.store.UpdateAccounts(ctx, changes)
}

// DeleteAccount implements [rushgate.Accounts].
func (s *Store) DeleteAccount(ctx context.Context, username string) (err error) {
	defer s.measure(deleteAccount, time.Now(), &err)
	return s.store.DeleteAccount(ctx, username)
}

// BeginImport implements [rushgate.Importer].
func (s *Store) BeginImport(ctx context.Context, highest rushgate.PlayerID) (err error) {
	defer s.measure(beginImport, time.Now(), &err)
	return s.store.BeginImport(ctx, highest)
}

// Import implements [rushgate.Importer].
func (s *Store) Import(ctx context.Context, records []rushgate.Record) (errs []error, err error) {
	defer s.measure(importRecords, time.Now(), &err)
	return s.store.Import(ctx, records)
}

// Shared implements [rushgate.Fleet].
func (s *Store) Shared(ctx context.Context, name string) (value []byte, err error) {
	defer s.measure(shared, time.Now(), &err)
	return s.store.Shared(ctx, name)
}

// SwapShared implements [rushgate.Fleet].
func (s *Store) SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error) {
	defer s.measure(swapShared, time.Now(), &err)
	return s.store.SwapShared(ctx, name, oldValue, newValue)
}

// Beat implements [rushgate.Fleet].
func (s *Store) Beat(ctx context.Context, by rushgate.NodeBeat) (nodes []rushgate.NodeStatus, err error) {
	defer s.measure(beat, time.Now(), &err)
	return s.store.Beat(ctx, by)
}

// RenameAccount implements [rushgate.Accounts].
func (s *Store) RenameAccount(ctx context.Context, rename rushgate.Rename) (err error) {
	defer s.measure(renameAccount, time.Now(), &err)
	return s.store.RenameAccount(ctx, rename)
}

// Usernames implements [rushgate.Directory].
func (s *Store) Usernames(
	ctx context.Context, prefix, cursor string, limit int,
) (names []string, next string, err error) {
	defer s.measure(usernames, time.Now(), &err)
	return s.store.Usernames(ctx, prefix, cursor, limit)
}

// HeldNames implements [rushgate.Holds].
func (s *Store) HeldNames(
	ctx context.Context, cursor string, limit int,
) (held []rushgate.LoadedHold, next string, err error) {
	defer s.measure(heldNames, time.Now(), &err)
	return s.store.HeldNames(ctx, cursor, limit)
}

// HoldNames implements [rushgate.Holds].
func (s *Store) HoldNames(ctx context.Context, held []rushgate.HeldName) (errs []error, err error) {
	defer s.measure(holdNames, time.Now(), &err)
	return s.store.HoldNames(ctx, held)
}

// Note implements [rushgate.Histories].
func (s *Store) Note(ctx context.Context, events []rushgate.Noted) (errs []error, err error) {
	defer s.measure(note, time.Now(), &err)
	return s.store.Note(ctx, events)
}

// LoadHistories implements [rushgate.Histories].
func (s *Store) LoadHistories(
	ctx context.Context, usernames []string,
) (histories []rushgate.LoadedHistory, err error) {
	defer s.measure(loadHistories, time.Now(), &err)
	return s.store.LoadHistories(ctx, usernames)
}

// PlanTasks implements [rushgate.Agenda].
func (s *Store) PlanTasks(ctx context.Context, tasks []rushgate.Task) (errs []error, err error) {
	defer s.measure(planTasks, time.Now(), &err)
	return s.store.PlanTasks(ctx, tasks)
}

// TakeTasks implements [rushgate.Agenda].
func (s *Store) TakeTasks(
	ctx context.Context, kind string, limit int, hold time.Duration,
) (tasks []rushgate.Task, err error) {
	defer s.measure(takeTasks, time.Now(), &err)
	return s.store.TakeTasks(ctx, kind, limit, hold)
}

// DropTasks implements [rushgate.Agenda].
func (s *Store) DropTasks(ctx context.Context, tasks []rushgate.Task) (err error) {
	defer s.measure(dropTasks, time.Now(), &err)
	return s.store.DropTasks(ctx, tasks)
}

// LoadTasks implements [rushgate.Agenda].
func (s *Store) LoadTasks(ctx context.Context, ids []rushgate.TaskID) (tasks []rushgate.Task, err error) {
	defer s.measure(loadTasks, time.Now(), &err)
	return s.store.LoadTasks(ctx, ids)
}

// CountTasks implements [rushgate.Agenda].
func (s *Store) CountTasks(ctx context.Context, kind string) (n int, err error) {
	defer s.measure(countTasks, time.Now(), &err)
	return s.store.CountTasks(ctx, kind)
}

// AppendAudit implements [rushgate.AuditLog].
func (s *Store) AppendAudit(ctx context.Context, after uint64, data [][]byte) (appended bool, err error) {
	defer s.measure(appendAudit, time.Now(), &err)
	return s.store.AppendAudit(ctx, after, data)
}

// LoadAudit implements [rushgate.AuditLog].
func (s *Store) LoadAudit(ctx context.Context, from uint64, limit int) (records []rushgate.AuditRecord, err error) {
	defer s.measure(loadAudit, time.Now(), &err)
	return s.store.LoadAudit(ctx, from, limit)
}

// AuditSpan implements [rushgate.AuditLog].
func (s *Store) AuditSpan(ctx context.Context) (first, last uint64, err error) {
	defer s.measure(auditSpan, time.Now(), &err)
	return s.store.AuditSpan(ctx)
}

// TrimAudit implements [rushgate.AuditLog].
func (s *Store) TrimAudit(ctx context.Context, first uint64) (err error) {
	defer s.measure(trimAudit, time.Now(), &err)
	return s.store.TrimAudit(ctx, first)
}

// Ping implements [rushgate.Store].
func (s *Store) Ping(ctx context.Context) (err error) {
	defer s.measure(ping, time.Now(), &err)
	return s.store.Ping(ctx)
}

// Close implements [rushgate.Store].
func (s *Store) Close() error { return s.store.Close() }
