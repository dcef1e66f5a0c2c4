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

// Wanted implements [rushgate.Leases] with one command. Requests that the node has not fetched within
// [rushgate.LeaseTTL] are forgotten.
func (s *Store) Wanted(ctx context.Context, by rushgate.Instance) ([]rushgate.Wanted, error) {
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
	return parseAllWanted(members), nil
}

// Presence implements [rushgate.Leases], each player by one script.
func (s *Store) Presence(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(string, *answer) {})
}

// Want implements [rushgate.Leases]. The holders are asked in another round trip, which Want does not wait for.
func (s *Store) Want(ctx context.Context, usernames []string) ([]rushgate.Presence, error) {
	return s.look(ctx, usernames, func(name string, held *answer) { s.ask(name, held, false) })
}

// look says where players are, and calls inside with each who has a live lease.
func (s *Store) look(
	ctx context.Context, usernames []string, inside func(name string, held *answer),
) ([]rushgate.Presence, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(usernames))
	for i, name := range usernames {
		commands[i] = command{script: presenceScript, key: s.playerKey(name), args: []string{s.now()}}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	found := make([]rushgate.Presence, len(usernames))
	for i := range answers {
		switch a := &answers[i]; a.word {
		case "out":
		case "held":
			found[i] = rushgate.Presence{Node: a.text(0), Until: fromMillis(a.number(3))}
			inside(usernames[i], a)
		default:
			found[i].Err = a.problem()
		}
	}
	return found, nil
}

// ask notes that the holder of a lease shall be asked to end the session, or to let it move: an answer of node, id and
// fence.
func (s *Store) ask(name string, answer *answer, move bool) {
	member := wantedMember(answer.text(1), answer.text(2), name)
	if move {
		member = movePrefix + member
	}
	s.standings.ask(answer.text(0), member)
}

// movePrefix stands before the name of a lease whose session shall move, which older programs pass over.
const movePrefix = "move "

// wantedMember names a lease; the name comes last because it may contain anything.
func wantedMember(id, fence, name string) string { return id + " " + fence + " " + name }

// parseAllWanted returns each lease once, and passes over what names none. What shall end does not move.
func parseAllWanted(members []string) []rushgate.Wanted {
	var all []rushgate.Wanted
	seen := make(map[rushgate.Lease]int)
	for _, m := range members {
		m, move := strings.CutPrefix(m, movePrefix)
		l, ok := parseWanted(m)
		if !ok {
			continue
		}
		if i, again := seen[l]; again {
			all[i].Move = all[i].Move && move
			continue
		}
		seen[l] = len(all)
		all = append(all, rushgate.Wanted{Lease: l, Move: move})
	}
	return all
}

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
