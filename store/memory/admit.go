package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Admit implements [rushgate.Leases]. An admission that is refused changes nothing. One whose account id belongs to an
// account of another name fails the whole batch.
func (s *Store) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := validate.Admissions(admissions); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if err := s.checkIDs(admissions); err != nil {
		return nil, err
	}
	admitted := make([]rushgate.Admitted, len(admissions))
	for i := range admissions {
		admitted[i] = s.admit(by, &admissions[i])
	}
	return admitted, nil
}

// checkIDs looks for ids used twice before anything is changed, because there is no rollback afterwards.
func (s *Store) checkIDs(admissions []rushgate.Admission) error {
	created := make(map[string]bool)
	ids := make(map[rushgate.PlayerID]bool)
	for i := range admissions {
		a := &admissions[i]
		if name := a.Account.Username; !a.Create || created[name] || s.names[name] != nil || s.looksHeld(name, 0) {
			continue
		}
		if ids[a.Account.ID] || s.players[a.Account.ID] != nil {
			return fmt.Errorf("memory: account id %d is in use", a.Account.ID)
		}
		created[a.Account.Username] = true
		ids[a.Account.ID] = true
	}
	return nil
}

func (s *Store) admit(by rushgate.Instance, a *rushgate.Admission) rushgate.Admitted {
	p := s.names[a.Account.Username]
	switch {
	case !a.Create && (p == nil || p.account.ID != a.Account.ID):
		return rushgate.Admitted{Err: rushgate.BadCredentials}
	case p == nil && (s.looksHeld(a.Account.Username, 0) || s.lookalike(a.Account.Username) != ""):
		return rushgate.Admitted{Err: rushgate.UsernameTaken}
	case p == nil:
		p = s.create(&a.Account)
	case !a.Create || p.account.PasswordHash == a.Account.PasswordHash:
		// A login, or the same registration once more.
	case a.Account.Attempt != "" && p.account.Attempt == a.Account.Attempt:
		return rushgate.Admitted{Err: rushgate.ErrConcurrentAttempt}
	default:
		return rushgate.Admitted{Err: rushgate.UsernameTaken}
	}

	switch {
	case !p.lease.Proves(a), p.account.Epoch != a.Account.Epoch:
		return rushgate.Admitted{Err: rushgate.BadCredentials}
	case p.account.Disabled.At(s.day()):
		return rushgate.Admitted{Err: p.account.Disabled.Refusal()}
	case !p.takesDevices(a.Devices, a.Account.Devices.Revision),
		!p.takesCredentials(a.Credentials, a.Account.Credentials):
		return rushgate.Admitted{Err: rushgate.ErrAccountChanged}
	}
	resumed, err := s.claim(by, a, p)
	switch {
	case errors.Is(err, rushgate.AlreadyLoggedIn):
		if a.Takeover {
			s.ask(p, a.Continue)
		}
		return rushgate.Admitted{Err: err, Holder: p.lease.By}
	case err != nil:
		return rushgate.Admitted{Err: err}
	}
	p.putDevices(a.Devices, a.Account.Devices.Revision)
	p.putCredentials(a.Credentials)
	if a.NewHash != "" && p.account.PasswordHash == a.Account.PasswordHash {
		p.account.PasswordHash, p.account.Version = a.NewHash, rushgate.AccountVersion
	}
	return rushgate.Admitted{
		Character:    clone(p.character),
		Lease:        p.leaseID(),
		Previous:     p.fence - 1, // each claim raises it by one
		Resumed:      resumed,
		Attempt:      p.lease.Attempt,
		HashReplaced: a.NewHash != "" && p.account.PasswordHash == a.NewHash,
	}
}

func (s *Store) create(account *rushgate.Account) *player {
	return s.add(account, &rushgate.Character{
		ID:        account.ID,
		Name:      account.Username,
		CreatedAt: account.CreatedAt,
	})
}

// add puts in a player whose name and id are free.
func (s *Store) add(account *rushgate.Account, character *rushgate.Character) *player {
	p := &player{account: *account, character: clone(*character)}
	p.account.Zone = ""
	p.account.Credentials = cloneCredentials(account.Credentials)
	p.account.Disabled = toMillisecondDisabled(account.Disabled)
	p.account.Version = cmp.Or(account.Version, rushgate.AccountVersion)
	p.account.CreatedAt = toMillisecond(account.CreatedAt)
	p.character.CreatedAt = toMillisecond(character.CreatedAt)
	p.character.Playtime = character.Playtime.Truncate(time.Millisecond)
	s.players[account.ID] = p
	s.enter(p)
	return p
}

func toMillisecond(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// claim gives the player's lease to an admission, or refuses as [lease.State.Claim] does.
func (s *Store) claim(by rushgate.Instance, a *rushgate.Admission, p *player) (resumed bool, err error) {
	next, resumed, err := p.lease.Claim(by, a, s.now(), s.ttl)
	if err != nil {
		return false, err
	}
	if !resumed {
		p.fence++
	}
	p.lease = &next
	return resumed, nil
}
