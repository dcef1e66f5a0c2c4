package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// HeldNames implements [rushgate.Holds]: a name that is held has a record without an account, so that it is the same
// walk as that of [Store.Usernames]. It finishes renames that were left half done, which have the old name held.
func (s *Store) HeldNames(
	ctx context.Context, cursor string, limit int,
) (held []rushgate.LoadedHold, next string, err error) {
	return walkPage(s, cursor, limit, func(at *place, count int) ([]rushgate.LoadedHold, bool, error) {
		return s.walkHeld(ctx, at, count)
	})
}

// walkHeld looks at some keys, moves the place on, and reports whether there is more.
func (s *Store) walkHeld(
	ctx context.Context, at *place, count int,
) (held []rushgate.LoadedHold, more bool, err error) {
	keys, more, err := s.walkKeys(ctx, at, "", count)
	if err != nil {
		return nil, false, err
	}
	found, err := s.accountsAt(ctx, keys)
	if err != nil {
		return nil, false, err
	}
	if _, err := s.finishWalked(ctx, found.marked); err != nil {
		return nil, false, err
	}
	names := found.held
	for name, m := range found.marked {
		names = append(names, name)
		if _, too := found.marked[m.other]; !too {
			names = append(names, m.other)
		}
	}
	held, err = s.loadHolds(ctx, names)
	return held, more, err
}

// loadHolds returns which of some names are held.
func (s *Store) loadHolds(ctx context.Context, names []string) (held []rushgate.LoadedHold, err error) {
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{script: loadHoldScript, key: s.playerKey(name), args: []string{s.now()}}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		h := rushgate.LoadedHold{HeldName: rushgate.HeldName{Name: name}}
		switch a := &answers[i]; a.word {
		case "other":
			continue
		case "held":
			player, until := a.number(0), a.number(1)
			h.Player, h.Until = rushgate.PlayerID(player), time.UnixMilli(until).UTC()
		default:
			h.Err = a.problem()
		}
		held = append(held, h)
	}
	return held, nil
}

// HoldNames implements [rushgate.Holds] in two round trips or three. What looks like the names is kept with them; if a
// call fails in between, it is not yet, until the call is repeated or a node starts.
func (s *Store) HoldNames(ctx context.Context, held []rushgate.HeldName) ([]error, error) {
	if err := validate.HeldNames(held); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	names, commands := make([]string, len(held)), make([]command, len(held))
	for i := range held {
		until := "0"
		if held[i].Until.UnixMilli() > 0 {
			until = formatTime(held[i].Until)
		}
		names[i] = held[i].Name
		commands[i] = command{
			script: holdScript, key: s.playerKey(names[i]), args: []string{s.now(), formatID(held[i].Player), until},
		}
	}
	answers, err := s.runAccountScripts(ctx, commands, names)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(held))
	var looks []string
	for i := range answers {
		switch answers[i].word {
		case "held":
			looks = append(looks, names[i])
		case "over":
		case "taken", renaming:
			errs[i] = rushgate.UsernameTaken
		default:
			errs[i] = answers[i].problem()
		}
	}
	if err := s.noteOld(ctx, looks); err != nil {
		return nil, err
	}
	return errs, nil
}
