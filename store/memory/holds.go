package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/cursor"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// HeldNames implements [rushgate.Holds], in the order of bytes. It looks at all names that are held.
func (s *Store) HeldNames(
	ctx context.Context, at string, limit int,
) (all []rushgate.LoadedHold, next string, err error) {
	if err := validate.Page(limit); err != nil {
		return nil, "", fmt.Errorf("memory: %w", err)
	}
	from, err := cursor.From("", at)
	if err != nil {
		return nil, "", fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	now := s.holdTime()
	for _, names := range s.held {
		for name, h := range names {
			if name >= from && now.Before(h.until) {
				one := rushgate.HeldName{Name: name, Player: h.player, Until: h.until}
				all = append(all, rushgate.LoadedHold{HeldName: one})
			}
		}
	}
	slices.SortFunc(all, func(a, b rushgate.LoadedHold) int { return strings.Compare(a.Name, b.Name) })
	if len(all) > limit {
		all = slices.Clone(all[:limit])
		next = cursor.After(all[limit-1].Name)
	}
	return all, next, nil
}

// HoldNames implements [rushgate.Holds].
func (s *Store) HoldNames(ctx context.Context, names []rushgate.HeldName) ([]error, error) {
	if err := validate.HeldNames(names); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.endHolds()
	errs := make([]error, len(names))
	for i := range names {
		n := &names[i]
		if s.names[n.Name] != nil || s.isHeld(n.Name, n.Player) {
			errs[i] = rushgate.UsernameTaken
			continue
		}
		h := held{n.Player, toMillisecond(n.Until)}
		if there := s.held[rushgate.Skeleton(n.Name)][n.Name]; there.player != n.Player || there.until.Before(h.until) {
			s.hold(n.Name, h)
		}
	}
	return errs, nil
}
