package redis

import (
	"context"
	"strings"
)

// Ping runs a script that writes on the server that hands out player ids, which is one of several on a Cluster. It
// counts like any other call for the circuit: while that is open it mostly fails at once.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	_, err := s.runScripts(ctx, []command{s.probe(s.idsKey())})
	return err
}

// probe is a script that writes to the server that has a key, under a name of its own.
func (s *Store) probe(key string) command {
	return command{script: probeScript, key: s.probeKey(key), args: []string{s.ttl()}}
}

// tryWriting writes to each server that commands are for. A circuit that is open must not be closed by a command that
// reads: a server whose disk is full, or that is a replica now, still answers those.
func (s *Store) tryWriting(ctx context.Context, commands []command) error {
	probed := make(map[string]bool, len(commands))
	var probes []command
	for i := range commands {
		if c := s.probe(commands[i].key); !probed[c.key] {
			probed[c.key] = true
			probes = append(probes, c)
		}
	}
	_, err := s.send(ctx, probes)
	return err
}

// probeKey returns a key that is on the same server of a Cluster as another one: a Cluster places keys by what is
// between the first braces, if there is anything.
func (s *Store) probeKey(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return s.prefix + "probe:{" + key + "}"
}
