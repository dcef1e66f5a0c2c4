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
	"github.com/rushgate/rushgate/store/internal/validate"
)

// player is one account and all that hangs on it, as it is read before an admission.
type player struct {
	passwordHash, attempt string
	epoch                 uint64
	disabled              rushgate.Disabled
	character             rushgate.Character
	fence                 int64
	lease                 *lease // nil: released, or never claimed
}

type lease struct {
	by        rushgate.Instance
	attempt   string
	expiresAt int64
}

// leaseID is what names the player's present lease, or the last one.
func (p *player) leaseID() rushgate.Lease {
	return rushgate.Lease{Player: p.character.ID, Name: p.character.Name, Fence: uint64(p.fence)}
}

func (l *lease) live(now time.Time) bool { return l != nil && now.UnixMilli() < l.expiresAt }

const playerQuery = `SELECT a.password_hash, a.attempt, a.epoch, a.disabled_until, a.disabled_reason,
	c.fence, l.node, l.run, l.attempt, l.expires_at, ` + characterColumns + `
	FROM accounts a JOIN characters c ON c.id = a.id LEFT JOIN leases l ON l.player_id = a.id `

// scanPlayer reads the row of a playerQuery; it returns nil if there is none.
func scanPlayer(row *sql.Row) (*player, error) {
	var (
		p                  player
		c                  characterRow
		node, run, attempt sql.NullString
		expiresAt          sql.NullInt64
		disabledUntil      int64
	)
	own := []any{
		&p.passwordHash, &p.attempt, &p.epoch, &disabledUntil, &p.disabled.Reason,
		&p.fence, &node, &run, &attempt, &expiresAt,
	}
	err := row.Scan(append(own, c.columns()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.character = c.value()
	p.disabled.Until = fromMillis(disabledUntil)
	if node.Valid {
		p.lease = &lease{rushgate.Instance{Node: node.String, Run: run.String}, attempt.String, expiresAt.Int64}
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
	if p.epoch != a.Account.Epoch {
		return rushgate.Admitted{Err: rushgate.BadCredentials}, nil
	}
	if p.disabled.At(s.day()) {
		return rushgate.Admitted{Err: p.disabled.Refusal()}, nil
	}
	resumed, refused, err := s.claim(ctx, by, a.Attempt, p)
	if refused != nil && a.Takeover {
		s.ask(p, false)
	}
	if err != nil || refused != nil {
		return rushgate.Admitted{Err: refused}, err
	}
	replaced := a.NewHash != "" && p.passwordHash == a.NewHash // before, by this same admission
	if a.NewHash != "" && p.passwordHash == a.Account.PasswordHash {
		if _, err := s.writes.setHash.ExecContext(ctx, a.NewHash, rushgate.AccountVersion, p.character.Name); err != nil {
			return rushgate.Admitted{}, err
		}
		replaced = true
	}
	return rushgate.Admitted{
		Character:    p.character,
		Lease:        p.leaseID(),
		Previous:     uint64(p.fence) - 1, // each claim raises it by one
		Resumed:      resumed,
		HashReplaced: replaced,
	}, nil
}

// findOrCreate returns the player of an admission, or why the player is not let in.
func (s *Store) findOrCreate(ctx context.Context, a *rushgate.Admission) (_ *player, refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, a.Account.Username))
	switch {
	case err != nil:
		return nil, nil, err
	case !a.Create && (p == nil || p.character.ID != a.Account.ID):
		return nil, rushgate.BadCredentials, nil
	case p == nil:
		return s.register(ctx, &a.Account)
	case !a.Create || p.passwordHash == a.Account.PasswordHash:
		return p, nil, nil // a login, or the same registration once more
	case a.Account.Attempt != "" && p.attempt == a.Account.Attempt:
		return nil, rushgate.ErrConcurrentAttempt, nil
	default:
		return nil, rushgate.UsernameTaken, nil
	}
}

// register makes an account for a player, unless its name can be taken for another's.
func (s *Store) register(ctx context.Context, a *rushgate.Account) (_ *player, refused, err error) {
	other, err := lookalike(ctx, s.writes.lookalike, a.Username)
	if err != nil {
		return nil, nil, err
	}
	if other != "" {
		return nil, rushgate.UsernameTaken, nil
	}
	p, err := s.create(ctx, a)
	return p, nil, err
}

func (s *Store) create(ctx context.Context, a *rushgate.Account) (*player, error) {
	c := rushgate.Character{ID: a.ID, Name: a.Username, Level: 1, CreatedAt: toMillisecond(a.CreatedAt)}
	if err := s.insert(ctx, a, &c); err != nil {
		return nil, err
	}
	return &player{passwordHash: a.PasswordHash, attempt: a.Attempt, epoch: a.Epoch, character: c}, nil
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

// insert writes an account and its character.
func (s *Store) insert(ctx context.Context, a *rushgate.Account, c *rushgate.Character) error {
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
	_, err = s.writes.insertCharacter.ExecContext(ctx, int64(c.ID), c.Name, c.CreatedAt.UnixMilli(),
		c.Zone, c.X, c.Y, c.HP, c.XP, c.Level, c.Deaths, c.Playtime.Milliseconds(), notNull(c.Data))
	return err
}

// notNull makes no data empty data: nil would be NULL.
func notNull(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// claim gives the player's lease to this attempt, or refuses with [rushgate.AlreadyLoggedIn].
func (s *Store) claim(
	ctx context.Context, by rushgate.Instance, attempt string, p *player,
) (resumed bool, refused, err error) {
	now := s.now()
	if l := p.lease; l != nil {
		resumed = l.by == by && l.attempt == attempt
		live := l.live(now)
		left := l.by.Node == by.Node && l.by.Run != by.Run // by a process of this node that is gone
		if live && !left && !resumed {
			return false, rushgate.AlreadyLoggedIn, nil
		}
	}
	id := int64(p.character.ID)
	if !resumed {
		p.fence++
		if _, err := s.writes.setFence.ExecContext(ctx, p.fence, id); err != nil {
			return false, nil, err
		}
	}
	_, err = s.writes.putLease.ExecContext(ctx, id, by.Node, by.Run, attempt, now.Add(s.ttl).UnixMilli())
	return resumed, nil, err
}
