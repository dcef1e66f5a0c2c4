package memory

import (
	"context"
	"slices"

	"github.com/rushgate/rushgate"
)

// Lookalikes implements [rushgate.Accounts].
func (s *Store) Lookalikes(ctx context.Context, usernames []string) ([]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	names := make([]string, len(usernames))
	for i, name := range usernames {
		names[i] = s.lookalike(name)
	}
	return names, nil
}

// lookalike returns the name of an account that can be taken for that of another name, or nothing. It passes over some.
func (s *Store) lookalike(name string, but ...string) string {
	for _, other := range s.looks[rushgate.Skeleton(name)] {
		if other != name && !slices.Contains(but, other) {
			return other
		}
	}
	return ""
}

func (s *Store) forgetLook(name string) {
	skeleton := rushgate.Skeleton(name)
	left := slices.DeleteFunc(s.looks[skeleton], func(other string) bool { return other == name })
	if s.looks[skeleton] = left; len(left) == 0 {
		delete(s.looks, skeleton)
	}
}
