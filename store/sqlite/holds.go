package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/cursor"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// heldNamesQuery goes through the table in the order of its key.
const heldNamesQuery = `SELECT username, player_id, until FROM held_names
	WHERE username >= ? AND until > ? ORDER BY username LIMIT ?`

// HeldNames implements [rushgate.Holds], in the order of bytes.
func (s *Store) HeldNames(
	ctx context.Context, at string, limit int,
) (held []rushgate.LoadedHold, next string, err error) {
	if err := validate.Page(limit); err != nil {
		return nil, "", wrap(err)
	}
	from, err := cursor.From("", at)
	if err != nil {
		return nil, "", wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, "", err
	}
	defer s.leave()
	held, err = s.readHeld(ctx, from, limit+1)
	if err != nil {
		return nil, "", wrap(fmt.Errorf("go through names that are held: %w", err))
	}
	if len(held) > limit {
		held = held[:limit]
		next = cursor.After(held[limit-1].Name)
	}
	return held, next, nil
}

func (s *Store) readHeld(ctx context.Context, from string, limit int) (held []rushgate.LoadedHold, err error) {
	rows, err := s.reads.heldNames.QueryContext(ctx, from, s.holdTime().UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	for rows.Next() {
		var h rushgate.LoadedHold
		var until int64
		if err := rows.Scan(&h.Name, &h.Player, &until); err != nil {
			return nil, err
		}
		h.Until = time.UnixMilli(until).UTC()
		held = append(held, h)
	}
	return held, rows.Err()
}

// HoldNames implements [rushgate.Holds].
func (s *Store) HoldNames(ctx context.Context, held []rushgate.HeldName) ([]error, error) {
	if err := validate.HeldNames(held); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(held))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		for i := range held {
			if errs[i], err = s.holdName(ctx, &held[i]); err != nil {
				return fmt.Errorf("hold a name for player %d: %w", held[i].Player, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// holdName holds one name. The first error is the item's, the second the job's.
func (s *Store) holdName(ctx context.Context, h *rushgate.HeldName) (refused, err error) {
	p, err := scanPlayer(s.writes.player.QueryRowContext(ctx, h.Name))
	if err != nil || p != nil {
		return rushgate.UsernameTaken, err
	}
	now, until := s.holdTime().UnixMilli(), h.Until.UnixMilli()
	var player rushgate.PlayerID
	var there int64
	err = s.writes.heldFor.QueryRowContext(ctx, h.Name, now).Scan(&player, &there)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	case player != h.Player:
		return rushgate.UsernameTaken, nil
	}
	if until <= max(now, there) {
		return nil, nil
	}
	_, err = s.writes.hold.ExecContext(ctx, h.Name, int64(h.Player), until, rushgate.Skeleton(h.Name))
	return nil, err
}
