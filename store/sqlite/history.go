package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

const historiesQuery = `SELECT a.username, a.id, e.id, e.at, e.sign_in, e.kind, e.operator, e.origin, e.text
	FROM accounts a JOIN events e ON e.player_id = a.id
	WHERE a.username IN (SELECT value FROM json_each(?)) ORDER BY e.at, e.id`

// Note implements [rushgate.Histories].
func (s *Store) Note(ctx context.Context, events []rushgate.Noted) ([]error, error) {
	if err := validate.Noted(events); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(events))
	err := s.do(ctx, func(ctx context.Context) (err error) {
		for i := range events {
			if errs[i], err = s.note(ctx, &events[i]); err != nil {
				return fmt.Errorf("note what has happened to player %d: %w", events[i].Player, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// note adds one event. The first error is the item's, the second the job's.
func (s *Store) note(ctx context.Context, e *rushgate.Noted) (refused, err error) {
	var there bool
	var n int // of its kind, before
	id := int64(e.Player)
	if err := s.writes.noted.QueryRowContext(ctx, id, e.Name, e.SignIn).Scan(&there, &n); err != nil || !there {
		return rushgate.BadCredentials, err
	}
	noted, err := affected(s.writes.note.ExecContext(ctx,
		id, e.ID, e.At.UnixMilli(), e.SignIn, e.Kind, e.By, e.From, e.Text))
	if err != nil || noted == 0 {
		return nil, err
	}
	switch {
	case e.SignIn && n < rushgate.MaxSignIns, !e.SignIn && n < rushgate.MaxEvents: // as with all who are new
	case e.SignIn:
		_, err = s.writes.trimSignIns.ExecContext(ctx, id, rushgate.MaxSignIns)
	default:
		_, err = s.writes.trimEvents.ExecContext(ctx, id, rushgate.MaxEvents, rushgate.MaxOperatorEvents)
	}
	return nil, err
}

// LoadHistories implements [rushgate.Histories].
func (s *Store) LoadHistories(ctx context.Context, usernames []string) ([]rushgate.LoadedHistory, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	found, err := s.loadHistories(ctx, usernames)
	if err != nil {
		return nil, wrap(fmt.Errorf("load histories: %w", err))
	}
	histories := make([]rushgate.LoadedHistory, len(usernames))
	for i, name := range usernames {
		histories[i] = found[name]
		histories[i].Events = slices.Clone(histories[i].Events) // a history asked for twice is two values
	}
	return histories, nil
}

func (s *Store) loadHistories(ctx context.Context, usernames []string) (map[string]rushgate.LoadedHistory, error) {
	list, err := json.Marshal(usernames)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.histories.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[string]rushgate.LoadedHistory)
	for rows.Next() {
		var (
			name   string
			player rushgate.PlayerID
			e      rushgate.AccountEvent
			at     int64
			signIn int64
		)
		err := rows.Scan(&name, &player, &e.ID, &at, &signIn, &e.Kind, &e.By, &e.From, &e.Text)
		if err != nil {
			return nil, err
		}
		e.At, e.SignIn = fromMillis(at), signIn != 0
		h := found[name]
		if err := validate.AccountEvent(&e); err != nil && h.Err == nil {
			h = rushgate.LoadedHistory{Err: damaged(player, "of its events", err)}
		}
		if h.Err == nil {
			h.Events = append(h.Events, e)
		}
		found[name] = h
	}
	return found, rows.Err()
}
