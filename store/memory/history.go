package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Note implements [rushgate.Histories].
func (s *Store) Note(ctx context.Context, events []rushgate.Noted) ([]error, error) {
	if err := validate.Noted(events); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(events))
	for i, e := range events {
		if p := s.names[e.Name]; p != nil && p.account.ID == e.Player {
			p.note(e.AccountEvent)
		} else {
			errs[i] = rushgate.BadCredentials
		}
	}
	return errs, nil
}

// note adds an event to those of a player, which are in order.
func (p *player) note(e rushgate.AccountEvent) {
	if slices.ContainsFunc(p.events, func(other rushgate.AccountEvent) bool { return other.ID == e.ID }) {
		return
	}
	e.At = toMillisecond(e.At)
	after := slices.IndexFunc(p.events, func(other rushgate.AccountEvent) bool { return other.At.After(e.At) })
	if after < 0 {
		after = len(p.events)
	}
	p.events = slices.Insert(p.events, after, e)
	if e.SignIn {
		p.trim(rushgate.MaxSignIns, func(e *rushgate.AccountEvent) bool { return e.SignIn }, nil)
		return
	}
	operators := 0
	for i := range p.events {
		if !p.events[i].SignIn && p.events[i].By != "" {
			operators++
		}
	}
	goes := func(e *rushgate.AccountEvent) bool { return (e.By != "") == (operators > rushgate.MaxOperatorEvents) }
	p.trim(rushgate.MaxEvents, func(e *rushgate.AccountEvent) bool { return !e.SignIn }, goes)
}

// trim removes the oldest event of a sort for which goes holds, if there are more than so many of the sort; nil holds
// for all.
func (p *player) trim(most int, of, goes func(*rushgate.AccountEvent) bool) {
	n, oldest := 0, -1
	for i := range p.events {
		if !of(&p.events[i]) {
			continue
		}
		if n++; oldest < 0 && (goes == nil || goes(&p.events[i])) {
			oldest = i
		}
	}
	if n > most {
		p.events = slices.Delete(p.events, oldest, oldest+1)
	}
}

// LoadHistories implements [rushgate.Histories].
func (s *Store) LoadHistories(ctx context.Context, usernames []string) ([]rushgate.LoadedHistory, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	histories := make([]rushgate.LoadedHistory, len(usernames))
	for i, name := range usernames {
		if p := s.names[name]; p != nil {
			histories[i].Events = slices.Clone(p.events)
		}
	}
	return histories, nil
}
