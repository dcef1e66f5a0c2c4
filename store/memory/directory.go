package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/store/internal/cursor"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Usernames implements [rushgate.Directory], in the order of bytes. It sorts all names if some have changed since the
// last call.
func (s *Store) Usernames(
	ctx context.Context, prefix, at string, limit int,
) (names []string, next string, err error) {
	if err := validate.Page(limit); err != nil {
		return nil, "", fmt.Errorf("memory: %w", err)
	}
	from, err := cursor.From(prefix, at)
	if err != nil {
		return nil, "", fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	if s.sorted == nil {
		s.sorted = slices.AppendSeq(make([]string, 0, len(s.names)), maps.Keys(s.names))
		slices.Sort(s.sorted)
	}
	first, _ := slices.BinarySearch(s.sorted, from)
	for _, name := range s.sorted[first:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if len(names) == limit {
			return names, cursor.After(names[limit-1]), nil
		}
		names = append(names, name)
	}
	return names, "", nil
}
