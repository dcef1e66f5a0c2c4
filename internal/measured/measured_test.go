package measured_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/measured"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

func TestConformance(t *testing.T) {
	c := storetest.NewClock()
	storetest.Run(t, storetest.Harness{
		Open: func(*testing.T) rushgate.Store {
			return measured.New(memory.New(memory.Options{Now: c.Now, Boards: storetest.Boards()}))
		},
		Advance: c.Advance,
	})
}

// slowStore answers every call after a second, with an error if there is one to answer with.
type slowStore struct{ err error }

func (s slowStore) answer() error {
	time.Sleep(time.Second)
	return s.err
}

func (s slowStore) LoadAccounts(context.Context, []string) ([]rushgate.LoadedAccount, error) {
	return nil, s.answer()
}

func (s slowStore) PlayerNames(context.Context, []rushgate.PlayerID) ([]string, error) {
	return nil, s.answer()
}
func (s slowStore) Lookalikes(context.Context, []string) ([]string, error) { return nil, s.answer() }

func (s slowStore) Admit(context.Context, rushgate.Instance, []rushgate.Admission) ([]rushgate.Admitted, error) {
	return nil, s.answer()
}

func (s slowStore) Save(context.Context, []rushgate.Save) ([]error, error) { return nil, s.answer() }

func (s slowStore) Refresh(context.Context, rushgate.Instance, []rushgate.Lease) ([]error, error) {
	return nil, s.answer()
}

func (s slowStore) ReserveIDs(context.Context, int) (rushgate.PlayerID, error) { return 0, s.answer() }

func (s slowStore) Top(context.Context, rushgate.Board, int) ([]rushgate.Rank, error) {
	return nil, s.answer()
}

func (s slowStore) Wanted(context.Context, rushgate.Instance) ([]rushgate.Wanted, error) {
	return nil, s.answer()
}

func (s slowStore) LoadCharacters(context.Context, []string) ([]rushgate.LoadedCharacter, error) {
	return nil, s.answer()
}

func (s slowStore) Presence(context.Context, []string) ([]rushgate.Presence, error) {
	return nil, s.answer()
}

func (s slowStore) Want(context.Context, []string) ([]rushgate.Presence, error) {
	return nil, s.answer()
}

func (s slowStore) CreateAccounts(context.Context, []rushgate.Account) ([]error, error) {
	return nil, s.answer()
}

func (s slowStore) UpdateAccounts(context.Context, []rushgate.AccountChange) ([]error, error) {
	return nil, s.answer()
}

func (s slowStore) DeleteAccount(context.Context, string) error          { return s.answer() }
func (s slowStore) BeginImport(context.Context, rushgate.PlayerID) error { return s.answer() }
func (s slowStore) Import(context.Context, []rushgate.Record) ([]error, error) {
	return nil, s.answer()
}
func (s slowStore) Shared(context.Context, string) ([]byte, error) { return nil, s.answer() }
func (s slowStore) SwapShared(context.Context, string, []byte, []byte) (bool, error) {
	return false, s.answer()
}
func (s slowStore) Beat(context.Context, rushgate.NodeBeat) ([]rushgate.NodeStatus, error) {
	return nil, s.answer()
}
func (s slowStore) RenameAccount(context.Context, rushgate.Rename) error { return s.answer() }
func (s slowStore) HeldNames(context.Context, string, int) ([]rushgate.LoadedHold, string, error) {
	return nil, "", s.answer()
}

func (s slowStore) HoldNames(context.Context, []rushgate.HeldName) ([]error, error) {
	return nil, s.answer()
}

func (s slowStore) Usernames(context.Context, string, string, int) ([]string, string, error) {
	return nil, "", s.answer()
}
func (s slowStore) Note(context.Context, []rushgate.Noted) ([]error, error) { return nil, s.answer() }
func (s slowStore) LoadHistories(context.Context, []string) ([]rushgate.LoadedHistory, error) {
	return nil, s.answer()
}
func (s slowStore) PlanTasks(context.Context, []rushgate.Task) ([]error, error) {
	return nil, s.answer()
}
func (s slowStore) TakeTasks(context.Context, string, int, time.Duration) ([]rushgate.Task, error) {
	return nil, s.answer()
}
func (s slowStore) DropTasks(context.Context, []rushgate.Task) error { return s.answer() }
func (s slowStore) LoadTasks(context.Context, []rushgate.TaskID) ([]rushgate.Task, error) {
	return nil, s.answer()
}
func (s slowStore) CountTasks(context.Context, string) (int, error) { return 0, s.answer() }
func (s slowStore) AppendAudit(context.Context, uint64, [][]byte) (bool, error) {
	return false, s.answer()
}
func (s slowStore) LoadAudit(context.Context, uint64, int) ([]rushgate.AuditRecord, error) {
	return nil, s.answer()
}
func (s slowStore) AuditSpan(context.Context) (first, last uint64, err error) {
	return 0, 0, s.answer()
}
func (s slowStore) IdentityOwners(context.Context, []rushgate.IdentityKey) ([]rushgate.PlayerID, error) {
	return nil, s.answer()
}
func (s slowStore) ClaimIdentities(context.Context, []rushgate.IdentityClaim) ([]rushgate.PlayerID, error) {
	return nil, s.answer()
}
func (s slowStore) TrimAudit(context.Context, uint64) error { return s.answer() }
func (s slowStore) Ping(context.Context) error              { return s.answer() }
func (s slowStore) Close() error                            { return nil }

// calls has one call of each method but Close, by the name under which it is measured.
var calls = map[string]func(context.Context, rushgate.Store) error{
	"load_accounts": func(ctx context.Context, s rushgate.Store) error { _, err := s.LoadAccounts(ctx, nil); return err },
	"player_names":  func(ctx context.Context, s rushgate.Store) error { _, err := s.PlayerNames(ctx, nil); return err },
	"identity_owners": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.IdentityOwners(ctx, nil)
		return err
	},
	"claim_identities": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.ClaimIdentities(ctx, nil)
		return err
	},
	"lookalikes": func(ctx context.Context, s rushgate.Store) error { _, err := s.Lookalikes(ctx, nil); return err },
	"admit": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.Admit(ctx, rushgate.Instance{}, nil)
		return err
	},
	"save": func(ctx context.Context, s rushgate.Store) error { _, err := s.Save(ctx, nil); return err },
	"refresh": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.Refresh(ctx, rushgate.Instance{}, nil)
		return err
	},
	"reserve_ids": func(ctx context.Context, s rushgate.Store) error { _, err := s.ReserveIDs(ctx, 1); return err },
	"top": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.Top(ctx, rushgate.BoardXP, 1)
		return err
	},
	"wanted": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.Wanted(ctx, rushgate.Instance{})
		return err
	},
	"load_characters": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.LoadCharacters(ctx, nil)
		return err
	},
	"presence": func(ctx context.Context, s rushgate.Store) error { _, err := s.Presence(ctx, nil); return err },
	"want":     func(ctx context.Context, s rushgate.Store) error { _, err := s.Want(ctx, nil); return err },
	"create_accounts": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.CreateAccounts(ctx, nil)
		return err
	},
	"update_accounts": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.UpdateAccounts(ctx, nil)
		return err
	},
	"delete_account": func(ctx context.Context, s rushgate.Store) error { return s.DeleteAccount(ctx, "alice") },
	"begin_import":   func(ctx context.Context, s rushgate.Store) error { return s.BeginImport(ctx, 1) },
	"import":         func(ctx context.Context, s rushgate.Store) error { _, err := s.Import(ctx, nil); return err },
	"shared":         func(ctx context.Context, s rushgate.Store) error { _, err := s.Shared(ctx, "a"); return err },
	"swap_shared": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.SwapShared(ctx, "a", nil, []byte("b"))
		return err
	},
	"beat": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.Beat(ctx, rushgate.NodeBeat{})
		return err
	},
	"rename_account": func(ctx context.Context, s rushgate.Store) error {
		return s.RenameAccount(ctx, rushgate.Rename{})
	},
	"usernames": func(ctx context.Context, s rushgate.Store) error {
		_, _, err := s.Usernames(ctx, "", "", 1)
		return err
	},
	"held_names": func(ctx context.Context, s rushgate.Store) error {
		_, _, err := s.HeldNames(ctx, "", 1)
		return err
	},
	"hold_names": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.HoldNames(ctx, nil)
		return err
	},
	"note": func(ctx context.Context, s rushgate.Store) error { _, err := s.Note(ctx, nil); return err },
	"load_histories": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.LoadHistories(ctx, nil)
		return err
	},
	"plan_tasks": func(ctx context.Context, s rushgate.Store) error { _, err := s.PlanTasks(ctx, nil); return err },
	"take_tasks": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.TakeTasks(ctx, "mail", 1, time.Second)
		return err
	},
	"drop_tasks":  func(ctx context.Context, s rushgate.Store) error { return s.DropTasks(ctx, nil) },
	"load_tasks":  func(ctx context.Context, s rushgate.Store) error { _, err := s.LoadTasks(ctx, nil); return err },
	"count_tasks": func(ctx context.Context, s rushgate.Store) error { _, err := s.CountTasks(ctx, "mail"); return err },
	"append_audit": func(ctx context.Context, s rushgate.Store) error {
		_, err := s.AppendAudit(ctx, 0, nil)
		return err
	},
	"load_audit": func(ctx context.Context, s rushgate.Store) error { _, err := s.LoadAudit(ctx, 0, 1); return err },
	"audit_span": func(ctx context.Context, s rushgate.Store) error { _, _, err := s.AuditSpan(ctx); return err },
	"trim_audit": func(ctx context.Context, s rushgate.Store) error { return s.TrimAudit(ctx, 1) },
	"ping":       func(ctx context.Context, s rushgate.Store) error { return s.Ping(ctx) },
}

// Every method is measured under its own name, its error passed on and counted.
func TestEveryCallIsMeasured(t *testing.T) {
	bounds := []time.Duration{999 * time.Millisecond / 2, time.Second}
	for name, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			s := measured.New(slowStore{rushgate.ErrUnavailable})
			if err := call(t.Context(), s); !errors.Is(err, rushgate.ErrUnavailable) {
				t.Errorf("%s = %v", name, err)
			}
			all := s.Operations(bounds)
			if len(all) != len(calls) {
				t.Errorf("%d operations, want %d", len(all), len(calls))
			}
			for _, op := range all {
				want := "{0 0s [0 0]} 0"
				if op.Name == name {
					want = "{1 1s [0 1]} 1"
				}
				if got := fmt.Sprint(op.Calls, op.Errors); got != want {
					t.Errorf("after one %s, %s has %s, want %s", name, op.Name, got, want)
				}
			}
		})
	}
}

func TestWhatCountsAsAnError(t *testing.T) {
	for err, want := range map[error]uint64{
		nil:                     0,
		rushgate.BadCredentials: 0,
		fmt.Errorf("store: %w", rushgate.AlreadyLoggedIn): 0,
		rushgate.ErrIDsInUse:                              0,
		fmt.Errorf("%w", context.Canceled):                0,
		context.DeadlineExceeded:                          1,
		errors.New("disk full"):                           1,
		fmt.Errorf("%w", rushgate.ErrUnavailable):         1,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := measured.New(slowStore{err})
			if got := s.Ping(t.Context()); !errors.Is(got, err) {
				t.Errorf("got %v, want %v", got, err)
			}
			for _, op := range s.Operations(nil) {
				if op.Name == "ping" && (op.Errors != want || op.Calls.Count != 1) {
					t.Errorf("%v is counted as %d errors of %d calls, want %d", err, op.Errors, op.Calls.Count, want)
				}
			}
		})
	}
}
