package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// Durability returns one sentence for each setting by which a server may lose what it has acknowledged, and none if there
// is no such setting. A server that does not let its settings be read, as those of most cloud providers, is one of
// the warnings. The error is that of a server that cannot be asked.
//
// It says nothing of what a failover loses: replicas follow their master after it has acknowledged.
func (s *Store) Durability(ctx context.Context) ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nodes := s.client.Nodes()
	var warnings []string
	for _, address := range slices.Sorted(maps.Keys(nodes)) {
		found, err := durability(ctx, nodes[address])
		if err != nil {
			return nil, fmt.Errorf("redis: settings of %s: %w: %w", address, rushgate.ErrUnavailable, err)
		}
		for _, w := range found {
			warnings = append(warnings, address+": "+w)
		}
	}
	return warnings, nil
}

func durability(ctx context.Context, node rueidis.Client) ([]string, error) {
	get := func(setting string) (string, error) {
		values, err := node.Do(ctx, node.B().ConfigGet().Parameter(setting).Build()).AsStrMap()
		return values[setting], err
	}
	appendOnly, err := get("appendonly")
	if _, refused := rueidis.IsRedisErr(err); refused {
		return []string{"the server does not say whether it keeps what it acknowledges (CONFIG GET is refused)"}, nil
	}
	sync, err2 := get("appendfsync")
	policy, err3 := get("maxmemory-policy")
	for _, err := range []error{err, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	var warnings []string
	if appendOnly != "yes" {
		warnings = append(warnings, fmt.Sprintf(
			"appendonly is %q: a crash loses what was acknowledged since the last snapshot", appendOnly))
	} else if sync != "always" {
		warnings = append(warnings, fmt.Sprintf(
			"appendfsync is %q: a crash loses what was acknowledged in the last second or more", sync))
	}
	if policy != "noeviction" {
		warnings = append(warnings, fmt.Sprintf(
			"maxmemory-policy is %q: the server may drop players when memory is short", policy))
	}
	return warnings, nil
}
