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
	most, sort, oldest := rushgate.MaxEvents, 0, -1
	if e.SignIn {
		most = rushgate.MaxSignIns
	}
	for i := range p.events {
		if p.events[i].SignIn != e.SignIn {
			continue
		}
		if sort++; oldest < 0 {
			oldest = i
		}
	}
	if sort > most {
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
