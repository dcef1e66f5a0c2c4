package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Wanted implements [rushgate.Store] with one command. Requests that the node has not fetched within
// [rushgate.LeaseTTL] are forgotten.
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Lease, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	results, err := s.run(ctx, []command{{
		name: "SPOP", key: s.wantedKey(by.Node), args: []string{strconv.Itoa(rushgate.MaxWanted)},
		once: true, // what the first had popped would be gone
	}})
	if err != nil {
		return nil, err
	}
	members, err := results[0].AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("redis: leases asked for: %w", err)
	}
	var leases []rushgate.Lease
	for _, m := range members {
		if l, ok := parseWanted(m); ok {
			leases = append(leases, l)
		}
	}
	return leases, nil
}

// ask notes that the holder of a lease shall be asked to leave: an answer of node, id and fence.
func (s *Store) ask(name string, answer *answer) {
	s.standings.ask(answer.text(0), wantedMember(answer.text(1), answer.text(2), name))
}

// wantedMember names a lease; the name comes last because it may contain anything.
func wantedMember(id, fence, name string) string { return id + " " + fence + " " + name }

func parseWanted(member string) (rushgate.Lease, bool) {
	id, rest, _ := strings.Cut(member, " ")
	fence, name, _ := strings.Cut(rest, " ")
	player, err1 := strconv.ParseUint(id, 10, 64)
	number, err2 := strconv.ParseUint(fence, 10, 64)
	lease := rushgate.Lease{Player: rushgate.PlayerID(player), Name: name, Fence: number}
	return lease, err1 == nil && err2 == nil && name != ""
}

func (s *Store) wantedCommands(asked map[string]map[string]struct{}) []command {
	var commands []command
	for node, members := range asked {
		key := s.wantedKey(node)
		commands = append(commands,
			command{name: "SADD", key: key, args: slices.Collect(maps.Keys(members))},
			command{name: "PEXPIRE", key: key, args: []string{s.ttl()}})
	}
	return commands
}
