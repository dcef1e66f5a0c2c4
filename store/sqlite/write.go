package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// writeStmts belong to the writer's connection and are used by its jobs only.
type writeStmts struct {
	player, idInUse, taken                  *sql.Stmt
	insertAccount, insertCharacter, setHash *sql.Stmt
	updateAccount, setDevices, devices      *sql.Stmt
	deleteAccount, deleteCharacter          *sql.Stmt
	setFence, putLease                      *sql.Stmt
	save, lastFence, endLease, refresh      *sql.Stmt
	park, endSession                        *sql.Stmt
	reserve, imports, setAside, ping        *sql.Stmt
	shared, putShared                       *sql.Stmt
	identityOwner, claim, unclaim           *sql.Stmt
	credentials, setCredentials             *sql.Stmt
	isHeld, heldFor, hold, free, freeAll    *sql.Stmt
	looksLike, rename, renameCharacter      *sql.Stmt
	noted, note, forget                     *sql.Stmt
	trimSignIns, trimEvents                 *sql.Stmt
	room, putTask, moveTask, replaceTask    *sql.Stmt
	dueTasks, hasTask, dropTask             *sql.Stmt
	audit, auditSpan, append, trimAudit     *sql.Stmt
}

// queries returns the text of the statements for accounts, sessions and what a fleet shares.
func (w *writeStmts) queries() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&w.player:  playerQuery + `WHERE a.username = ?`,
		&w.idInUse: `SELECT count(*) FROM accounts WHERE id = ?`,
		&w.taken: `SELECT EXISTS (SELECT 1 FROM accounts WHERE username = ?3),
			EXISTS (SELECT 1 FROM held_names WHERE skeleton = ?1 AND until > ?2)
			OR EXISTS (SELECT 1 FROM accounts WHERE skeleton = ?1 AND username <> ?3)`,
		&w.insertAccount: `INSERT INTO accounts (id, username, password_hash, attempt, created_at, version,
			epoch, disabled_until, disabled_reason, credentials, skeleton) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&w.insertCharacter: `INSERT INTO characters
			(id, name, created_at, fence, zone, x, y, hp, xp, level, deaths, playtime_ms, numbers, data)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&w.setHash: `UPDATE accounts SET password_hash = ?, version = ? WHERE username = ?`,
		&w.updateAccount: `UPDATE accounts SET version = ?, password_hash = ?, epoch = ?, disabled_until = ?,
			disabled_reason = ?, credentials = coalesce(?, credentials),
			devices_revision = devices_revision + (? IS NOT NULL), devices = coalesce(?, devices) WHERE id = ?`,
		&w.setDevices: `UPDATE accounts
			SET devices_revision = devices_revision + 1, devices = ?, version = ? WHERE id = ?`,
		&w.devices:         `SELECT devices FROM accounts WHERE id = ?`,
		&w.deleteAccount:   `DELETE FROM accounts WHERE id = ?`,
		&w.deleteCharacter: `DELETE FROM characters WHERE id = ?`,
		&w.setFence:        `UPDATE characters SET fence = ? WHERE id = ?`,
		&w.putLease: `INSERT INTO leases (player_id, node, run, attempt, session, expires_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (player_id) DO UPDATE SET node = excluded.node, run = excluded.run, attempt = excluded.attempt,
				session = excluded.session, parked_until = 0, expires_at = excluded.expires_at`,
		&w.save: `UPDATE characters
			SET zone = ?, x = ?, y = ?, hp = ?, xp = ?, level = ?, deaths = ?, playtime_ms = ?, numbers = ?, data = ?
			WHERE id = ? AND name = ? AND fence = ?
				AND EXISTS (SELECT 1 FROM leases WHERE player_id = characters.id AND parked_until = 0)`,
		&w.lastFence:  `SELECT count(*) FROM characters WHERE id = ? AND name = ? AND fence = ?`,
		&w.endLease:   `DELETE FROM leases WHERE player_id = ?`,
		&w.park:       `UPDATE leases SET parked_until = ?, expires_at = 0 WHERE player_id = ? AND session <> ''`,
		&w.endSession: `UPDATE leases SET session = '' WHERE player_id = ?`,
		&w.refresh: `UPDATE leases SET node = ?, run = ?, expires_at = ?
			WHERE player_id = ? AND parked_until = 0 AND (SELECT fence FROM characters WHERE id = player_id AND name = ?) = ?`,
		&w.reserve:  `UPDATE player_ids SET last = last + ? RETURNING last`,
		&w.imports:  `SELECT last, imports FROM player_ids`,
		&w.setAside: `UPDATE player_ids SET last = ?1, imports = ?1`,
		&w.shared:   sharedQuery,
		&w.putShared: `INSERT INTO shared (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		&w.claim: `INSERT INTO identities (key, player_id, claimed_at) VALUES (?1, ?2, ?4)
			ON CONFLICT (key) DO UPDATE SET player_id = excluded.player_id, claimed_at = excluded.claimed_at
			WHERE player_id = ?2 OR player_id = ?3 AND claimed_at <= ?5 RETURNING player_id`,
		&w.unclaim:        `DELETE FROM identities WHERE key = ? AND player_id = ?`,
		&w.identityOwner:  `SELECT player_id FROM identities WHERE key = ?`,
		&w.credentials:    `SELECT credentials FROM accounts WHERE id = ?`,
		&w.setCredentials: `UPDATE accounts SET credentials = ?, version = ? WHERE id = ?`,
		// Unlike an UPDATE, which leaves a page alone that has these bytes already, this always writes one.
		&w.ping: fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
	}
}

// lasting returns the text of the statements for renames, histories, the agenda and the audit log.
func (w *writeStmts) lasting() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&w.isHeld:  `SELECT count(*) FROM held_names WHERE username = ? AND until > ?`,
		&w.heldFor: `SELECT player_id, until FROM held_names WHERE username = ? AND until > ?`,
		&w.hold: `INSERT INTO held_names (username, player_id, until, skeleton) VALUES (?, ?, ?, ?)
			ON CONFLICT (username) DO UPDATE SET player_id = excluded.player_id, until = excluded.until`,
		&w.free:    `DELETE FROM held_names WHERE username = ?`,
		&w.freeAll: `DELETE FROM held_names WHERE until <= ?`,
		&w.looksLike: `SELECT EXISTS (SELECT 1 FROM accounts WHERE skeleton = ?1 AND id <> ?2)
			OR EXISTS (SELECT 1 FROM held_names WHERE skeleton = ?1 AND player_id <> ?2 AND until > ?3)`,
		&w.rename:          `UPDATE accounts SET username = ?, skeleton = ?, epoch = epoch + 1, version = ? WHERE id = ?`,
		&w.renameCharacter: `UPDATE characters SET name = ? WHERE id = ?`,
		&w.noted: `SELECT EXISTS (SELECT 1 FROM accounts WHERE username = ?2 AND id = ?1),
			(SELECT count(*) FROM events WHERE player_id = ?1 AND sign_in = ?3)`,
		&w.note: `INSERT INTO events (player_id, id, at, sign_in, kind, operator, origin, text)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (player_id, id) DO NOTHING`,
		&w.trimSignIns: `DELETE FROM events WHERE player_id = ?1 AND id IN (SELECT id FROM events
			WHERE player_id = ?1 AND sign_in = 1 ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?2)`,
		&w.trimEvents: `DELETE FROM events WHERE player_id = ?1 AND id IN (SELECT id FROM events
			WHERE player_id = ?1 AND sign_in = 0 AND (operator <> '') = (?3 <
				(SELECT count(*) FROM events WHERE player_id = ?1 AND sign_in = 0 AND operator <> ''))
			ORDER BY at, id LIMIT (SELECT max(count(*) - ?2, 0) FROM events WHERE player_id = ?1 AND sign_in = 0))`,
		&w.forget: `DELETE FROM events WHERE player_id = ?`,
		&w.room:   `SELECT max(?1 - coalesce(sum(n), 0), 0) FROM task_counts`,
		&w.putTask: `INSERT INTO tasks (kind, id, due, data) VALUES (?, ?, ?, ?)
			ON CONFLICT (kind, id) DO UPDATE SET due = excluded.due, data = excluded.data`,
		&w.replaceTask: `UPDATE tasks SET due = ?3, data = ?4 WHERE kind = ?1 AND id = ?2`,
		&w.moveTask:    `UPDATE tasks SET due = ? WHERE kind = ? AND id = ?`,
		&w.dueTasks:    dueTasksQuery,
		&w.hasTask:     `SELECT count(*) FROM tasks WHERE kind = ? AND id = ? AND due = ?`,
		&w.dropTask:    `DELETE FROM tasks WHERE kind = ? AND id = ?`,
		&w.audit:       auditQuery,
		&w.auditSpan:   auditSpanQuery,
		&w.append:      `INSERT INTO audit (seq, data) VALUES (?, ?)`,
		&w.trimAudit: `DELETE FROM audit WHERE seq IN (SELECT seq FROM audit
			WHERE seq < min(?1, (SELECT max(seq) FROM audit)) ORDER BY seq LIMIT ?2)`,
	}
}

// Save implements [rushgate.Leases]. A release that is repeated because its answer was lost answers nil and changes
// nothing, as long as no session has claimed the player in between.
func (s *Store) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	if err := validate.Saves(saves); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(saves))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		for i := range saves {
			if errs[i], err = s.save(ctx, &saves[i]); err != nil {
				return fmt.Errorf("save player %d: %w", saves[i].Character.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// save writes one character back. The first error is the item's, the second the job's.
func (s *Store) save(ctx context.Context, save *rushgate.Save) (lost, err error) {
	c := &save.Character
	if save.Credentials != nil {
		if refused, err := s.saveCredentials(ctx, save); err != nil || refused != nil {
			return refused, err
		}
	}
	n, err := affected(s.writes.save.ExecContext(ctx,
		append(characterState(c), int64(c.ID), c.Name, int64(save.Fence))...))
	if err != nil {
		return nil, err
	}
	if n == 1 {
		return nil, s.giveUp(ctx, save)
	}
	if save.Release { // with the last fence there is: then only the lease was missing, so this is a repetition
		var released int
		err := s.writes.lastFence.QueryRowContext(ctx, int64(c.ID), c.Name, int64(save.Fence)).Scan(&released)
		if err == nil && released == 1 && save.Resumable == 0 {
			_, err = s.writes.endLease.ExecContext(ctx, int64(c.ID)) // it was parked, or is gone
		}
		if err != nil || released == 1 {
			return nil, err
		}
	}
	return rushgate.ErrLeaseLost, nil
}

// saveCredentials writes the credentials that come with a save, if its lease is there. Nothing is refused otherwise: so
// is the save, which comes next.
func (s *Store) saveCredentials(ctx context.Context, save *rushgate.Save) (refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, save.Character.Name))
	if err != nil || p == nil || p.leaseID() != save.Lease() || !p.lease.Held() {
		return nil, err
	}
	if p.epoch != save.Epoch {
		return rushgate.ErrAccountChanged, nil
	}
	credentials, refused, err := s.replaceCredentials(ctx, p, save.Credentials, save.Replaces)
	if err != nil || refused != nil {
		return refused, err
	}
	_, err = s.writes.setCredentials.ExecContext(ctx, credentials, rushgate.AccountVersion, int64(save.Character.ID))
	return nil, err
}

// giveUp ends the lease with a save that says so, or parks its session.
func (s *Store) giveUp(ctx context.Context, save *rushgate.Save) error {
	if !save.Release {
		return nil
	}
	id := int64(save.Character.ID)
	if save.Resumable > 0 {
		parked, err := affected(s.writes.park.ExecContext(ctx, s.now().Add(save.Resumable).UnixMilli(), id))
		if err != nil || parked == 1 {
			return err
		}
	}
	_, err := s.writes.endLease.ExecContext(ctx, id)
	return err
}

// Refresh implements [rushgate.Leases].
func (s *Store) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) ([]error, error) {
	if err := validate.Instance(by); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(leases))
	err := s.do(ctx, func(ctx context.Context) error {
		expiresAt := s.now().Add(s.ttl).UnixMilli()
		for i, l := range leases {
			n, err := affected(s.writes.refresh.ExecContext(ctx,
				by.Node, by.Run, expiresAt, int64(l.Player), l.Name, int64(l.Fence)))
			if err != nil {
				return fmt.Errorf("refresh lease of player %d: %w", l.Player, err)
			}
			if n == 0 {
				errs[i] = rushgate.ErrLeaseLost
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// ReserveIDs implements [rushgate.Accounts].
func (s *Store) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if err := validate.Count("block of ids", n); err != nil {
		return 0, wrap(err)
	}
	var last int64
	err := s.do(ctx, func(ctx context.Context) error {
		// A sum beyond 63 bits is no integer any more, which the STRICT table refuses.
		if err := s.writes.reserve.QueryRowContext(ctx, n).Scan(&last); err != nil {
			return fmt.Errorf("reserve %d player ids: %w", n, err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return rushgate.PlayerID(last - int64(n) + 1), nil
}

// affected returns the number of rows that a statement has changed.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
