package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
	"github.com/rushgate/rushgate/store/internal/device"
	"github.com/rushgate/rushgate/store/internal/lease"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// player is one account and all that hangs on it, as it is read before an admission.
type player struct {
	passwordHash, attempt string
	epoch                 uint64
	disabled              rushgate.Disabled
	character             rushgate.Character
	damaged               error  // nil, or why the character cannot be used
	revision              uint64 // of the devices
	fence                 int64
	lease                 *lease.State // nil: released, or never claimed
	made                  bool         // by the admission, with the fence of the lease that it is about to claim
}

// leaseID is what names the player's present lease, or the last one.
func (p *player) leaseID() rushgate.Lease {
	return rushgate.Lease{Player: p.character.ID, Name: p.character.Name, Fence: uint64(p.fence)}
}

const playerQuery = `SELECT a.password_hash, a.attempt, a.epoch, a.disabled_until, a.disabled_reason,
	a.devices_revision, c.fence, l.node, l.run, l.attempt, l.session, l.parked_until, l.expires_at,
	` + characterColumns + `
	FROM accounts a JOIN characters c ON c.id = a.id LEFT JOIN leases l ON l.player_id = a.id `

// scanPlayer reads the row of a playerQuery; it returns nil if there is none.
func scanPlayer(row *sql.Row) (*player, error) {
	var (
		p                           player
		c                           characterRow
		node, run, attempt, session sql.NullString
		parkedUntil, expiresAt      sql.NullInt64
		disabledUntil               int64
		epoch, revision             int64
	)
	own := []any{
		&p.passwordHash, &p.attempt, &epoch, &disabledUntil, &p.disabled.Reason, &revision,
		&p.fence, &node, &run, &attempt, &session, &parkedUntil, &expiresAt,
	}
	err := row.Scan(append(own, c.columns()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.character, p.damaged = c.value()
	p.epoch, p.revision = uint64(epoch), uint64(revision) // what is negative is none that an admission goes by
	p.disabled.Until = fromMillis(disabledUntil)
	if node.Valid {
		p.lease = &lease.State{
			By: rushgate.Instance{Node: node.String, Run: run.String}, Attempt: attempt.String, Session: session.String,
			Parked: parkedUntil.Int64 != 0, ExpiresAt: max(parkedUntil.Int64, expiresAt.Int64), // one of which is 0
		}
	}
	return &p, nil
}

// Admit implements [rushgate.Leases]. An admission that is refused changes nothing. One whose account id belongs to an
// account of another name fails the whole batch.
func (s *Store) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	if err := validate.Instance(by); err != nil {
		return nil, wrap(err)
	}
	if err := validate.Admissions(admissions); err != nil {
		return nil, wrap(err)
	}
	admitted := make([]rushgate.Admitted, len(admissions))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		for i := range admissions {
			if admitted[i], err = s.admit(ctx, by, &admissions[i]); err != nil {
				return fmt.Errorf("admit player %d: %w", admissions[i].Account.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return admitted, nil
}

// admit carries out one admission. Its error is the job's; that of the admission is in the result.
func (s *Store) admit(ctx context.Context, by rushgate.Instance, a *rushgate.Admission) (rushgate.Admitted, error) {
	p, refused, err := s.findOrCreate(ctx, a)
	if err != nil || refused != nil {
		return rushgate.Admitted{Err: refused}, err
	}
	switch {
	case !p.lease.Proves(a), p.epoch != a.Account.Epoch:
		return rushgate.Admitted{Err: rushgate.BadCredentials}, nil
	case p.disabled.At(s.day()):
		return rushgate.Admitted{Err: p.disabled.Refusal()}, nil
	case p.damaged != nil:
		return rushgate.Admitted{Err: p.damaged}, nil
	}
	devices, changed, err := s.devices(ctx, p, a.Devices, a.Account.Devices.Revision)
	if err != nil || changed {
		return rushgate.Admitted{Err: rushgate.ErrAccountChanged}, err
	}
	credentials, refused, err := s.replaceCredentials(ctx, p, a.Credentials, a.Account.Credentials)
	if err != nil || refused != nil {
		return rushgate.Admitted{Err: refused}, err
	}
	next, resumed, refused := p.lease.Claim(by, a, s.now(), s.ttl)
	switch {
	case errors.Is(refused, rushgate.AlreadyLoggedIn):
		if a.Takeover {
			s.ask(p, a.Continue)
		}
		return rushgate.Admitted{Err: refused, Holder: p.lease.By}, nil
	case refused != nil:
		return rushgate.Admitted{Err: refused}, nil
	}
	if err := s.claim(ctx, p, &next, resumed); err != nil {
		return rushgate.Admitted{}, err
	}
	replaced, err := s.putProofs(ctx, p, a, devices, credentials)
	if err != nil {
		return rushgate.Admitted{}, err
	}
	return rushgate.Admitted{
		Character:    p.character,
		Lease:        p.leaseID(),
		Previous:     uint64(p.fence) - 1, // each claim raises it by one
		Resumed:      resumed,
		Attempt:      next.Attempt,
		HashReplaced: replaced,
	}, nil
}

// putProofs writes by what the player will prove the account, as far as an admission changes it. It reports whether the
// hash is now the admission's new one.
func (s *Store) putProofs(
	ctx context.Context, p *player, a *rushgate.Admission, devices, credentials sql.NullString,
) (replaced bool, err error) {
	id := int64(p.character.ID)
	if devices.Valid {
		if _, err := s.writes.setDevices.ExecContext(ctx, devices, rushgate.AccountVersion, id); err != nil {
			return false, err
		}
	}
	if credentials.Valid {
		if _, err := s.writes.setCredentials.ExecContext(ctx, credentials, rushgate.AccountVersion, id); err != nil {
			return false, err
		}
	}
	if a.NewHash == "" || p.passwordHash != a.Account.PasswordHash {
		return a.NewHash != "" && p.passwordHash == a.NewHash, nil // before, by this same admission
	}
	_, err = s.writes.setHash.ExecContext(ctx, a.NewHash, rushgate.AccountVersion, p.character.Name)
	return true, err
}

// findOrCreate returns the player of an admission, or why the player is not let in.
func (s *Store) findOrCreate(ctx context.Context, a *rushgate.Admission) (_ *player, refused, err error) {
	if a.Create {
		if p, refused, err := s.register(ctx, &a.Account); err != nil || refused != nil || p != nil {
			return p, refused, err
		}
	}
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, a.Account.Username))
	switch {
	case err != nil:
		return nil, nil, err
	case !a.Create && (p == nil || p.character.ID != a.Account.ID):
		return nil, rushgate.BadCredentials, nil
	case p == nil: // what has the name has no character
		return nil, rushgate.UsernameTaken, nil
	case !a.Create || p.passwordHash == a.Account.PasswordHash:
		return p, nil, nil // a login, or the same registration once more
	case a.Account.Attempt != "" && p.attempt == a.Account.Attempt:
		return nil, rushgate.ErrConcurrentAttempt, nil
	default:
		return nil, rushgate.UsernameTaken, nil
	}
}

// register makes an account for a player who is about to claim the first lease, unless there is one of the name, for
// which it returns nil, or the name is held, or can be taken for another's, or for one that is held.
func (s *Store) register(ctx context.Context, a *rushgate.Account) (_ *player, refused, err error) {
	var there, taken bool
	now := s.holdTime().UnixMilli()
	err = s.writes.taken.QueryRowContext(ctx, rushgate.Skeleton(a.Username), now, a.Username).Scan(&there, &taken)
	switch {
	case err != nil || there:
		return nil, nil, err
	case taken:
		return nil, rushgate.UsernameTaken, nil
	}
	const fence = 1 // of the lease
	c, err := s.create(ctx, a, fence)
	if err != nil {
		return nil, nil, err
	}
	return &player{
		passwordHash: a.PasswordHash, attempt: a.Attempt, epoch: a.Epoch, character: c, fence: fence, made: true,
	}, nil, nil
}

// create makes an account, whose character has had so many leases.
func (s *Store) create(ctx context.Context, a *rushgate.Account, fence int64) (rushgate.Character, error) {
	c := rushgate.Character{
		ID: a.ID, Name: a.Username, Numbers: rushgate.Numbers{}, CreatedAt: toMillisecond(a.CreatedAt),
	}
	return c, s.insert(ctx, a, &c, fence)
}

func toMillisecond(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// millis and fromMillis keep the zero time, which stands for "never", as 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// insert writes an account and its character, which has had so many leases.
func (s *Store) insert(ctx context.Context, a *rushgate.Account, c *rushgate.Character, fence int64) error {
	credentials, err := credential.Marshal(a.Credentials)
	if err != nil {
		return err
	}
	_, err = s.writes.insertAccount.ExecContext(ctx, int64(a.ID), a.Username, a.PasswordHash, a.Attempt,
		a.CreatedAt.UnixMilli(), cmp.Or(a.Version, rushgate.AccountVersion),
		int64(a.Epoch), millis(a.Disabled.Until), a.Disabled.Reason, credentials, rushgate.Skeleton(a.Username))
	if err != nil {
		return err
	}
	names := []any{int64(c.ID), c.Name, c.CreatedAt.UnixMilli(), fence}
	_, err = s.writes.insertCharacter.ExecContext(ctx, append(names, characterState(c)...)...)
	return err
}

// notNull makes no data empty data: nil would be NULL.
func notNull(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// claim gives the player's lease to an admission.
func (s *Store) claim(ctx context.Context, p *player, next *lease.State, resumed bool) error {
	id := int64(p.character.ID)
	if !resumed && !p.made {
		p.fence++
		if _, err := s.writes.setFence.ExecContext(ctx, p.fence, id); err != nil {
			return err
		}
	}
	_, err := s.writes.putLease.ExecContext(ctx,
		id, next.By.Node, next.By.Run, next.Attempt, next.Session, next.ExpiresAt)
	return err
}

// devices tells what to write if devices shall replace those of a revision; NULL leaves what there is. They have
// changed if that is another revision, unless it is the next one and they are these.
func (s *Store) devices(
	ctx context.Context, p *player, devices []rushgate.Device, revision uint64,
) (written sql.NullString, changed bool, err error) {
	if devices == nil {
		return sql.NullString{}, false, nil
	}
	list, err := device.Marshal(devices)
	if err != nil || p.revision == revision {
		return sql.NullString{String: list, Valid: true}, false, err
	}
	if p.revision != revision+1 {
		return sql.NullString{}, true, nil
	}
	var there string
	err = s.writes.devices.QueryRowContext(ctx, int64(p.character.ID)).Scan(&there)
	return sql.NullString{}, there != list, err
}
