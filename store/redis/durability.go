package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// Durability returns one sentence for each setting by which a server may lose what it has acknowledged, and none if
// there is no such setting. A server that does not let its settings be read, as those of most cloud providers, is one
// of the warnings. The error is that of a server that cannot be asked.
//
// It says nothing of what a failover loses: replicas follow their master after it has acknowledged.
//
// A store looks again three times a minute, logs what has changed, and has [Store.Health] return it.
func (s *Store) Durability(ctx context.Context) ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	warnings, err := s.findWarnings(ctx)
	if err != nil {
		return nil, err
	}
	s.noteWarnings(warnings)
	return slices.Clone(warnings), nil
}

func (s *Store) findWarnings(ctx context.Context) ([]string, error) {
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

// isSecret reports that a server does not let its settings be read, whatever it says besides: hosted ones know no such
// command, or allow it to no user. Codes other than NOPERM are for servers that cannot be asked now.
func isSecret(err error) bool {
	e, refused := rueidis.IsRedisErr(err)
	if !refused {
		return false
	}
	code, _, _ := strings.Cut(e.Error(), " ")
	return code == "NOPERM" || code != strings.ToUpper(code)
}

func durability(ctx context.Context, node rueidis.Client) ([]string, error) {
	settings := make(map[string]string)
	for _, name := range []string{"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy"} {
		values, err := node.Do(ctx, node.B().ConfigGet().Parameter(name).Build()).AsStrMap()
		if isSecret(err) {
			return []string{"the server does not say whether it keeps what it acknowledges (CONFIG GET is refused)"}, nil
		}
		if err != nil {
			return nil, err
		}
		settings[name] = values[name]
	}
	var warnings []string
	warn := func(name, consequence string) {
		warnings = append(warnings, fmt.Sprintf("%s is %q: %s", name, settings[name], consequence))
	}
	switch {
	case settings["appendonly"] != "yes":
		warn("appendonly", "a crash loses what was acknowledged since the last snapshot")
	case settings["appendfsync"] != "always":
		warn("appendfsync", "a crash loses what was acknowledged in the last second or more")
	}
	if settings["appendonly"] == "yes" && settings["no-appendfsync-on-rewrite"] == "yes" {
		warn("no-appendfsync-on-rewrite",
			"a crash while the append-only file is rewritten loses what was acknowledged in the last 30 seconds or so")
	}
	// What the policies volatile-… drop has a time to live, as no player has.
	if strings.HasPrefix(settings["maxmemory-policy"], "allkeys-") {
		warn("maxmemory-policy", "the server may drop players when memory is short")
	}
	return warnings, nil
}
