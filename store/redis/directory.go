package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// A walk through all names asks one master after the other with SCAN, which returns every key that is there all the
// time, as long as it is one process that is asked. The cursor therefore names the process, and on a Cluster which
// master has which keys. Where either is another by now, or keys are moved from one master to another, the walk has to
// begin again: it never leaves out names without saying so.
var (
	errOtherServers = fmt.Errorf("%w: the servers have changed, and the walk has to begin again", rushgate.ErrUnavailable)
	errWalkCursor   = errors.New("cursor is none that this walk has returned")
)

// place is how far a walk has come: the parts of a cursor.
type place struct {
	layout string // of the Cluster, or nothing
	master string // the id of the next one to ask, or nothing
	run    string // of its process, or nothing if it was not asked yet
	scan   uint64 // its own cursor
}

func (p *place) cursor() string {
	text := strings.Join([]string{p.layout, p.master, p.run, strconv.FormatUint(p.scan, 10)}, " ")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// parsePlace reads a cursor that is not empty.
func parsePlace(cursor string) (place, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	parts := strings.Split(string(text), " ")
	if err != nil || len(parts) != 4 || parts[0]+parts[2] == "" {
		return place{}, errWalkCursor
	}
	for _, id := range parts[:3] {
		if strings.Trim(id, "0123456789abcdef") != "" {
			return place{}, errWalkCursor
		}
	}
	p := place{layout: parts[0], master: parts[1], run: parts[2]}
	if p.scan, err = strconv.ParseUint(parts[3], 10, 64); err != nil || p.cursor() != cursor {
		return place{}, errWalkCursor
	}
	return p, nil
}

// Names that begin with a prefix may be far apart. A page asks so often at most, for more keys each time.
const scansOfAPage = 16

// Usernames implements [rushgate.Directory]. A walk that finds other servers than at its beginning, after a restart, a
// failover or while a Cluster moves keys, fails with [rushgate.ErrUnavailable] and has to begin again. The order is
// that of the servers' own tables.
func (s *Store) Usernames(
	ctx context.Context, prefix, cursor string, limit int,
) (names []string, next string, err error) {
	return walkPage(s, cursor, limit, func(at *place, count int) ([]string, bool, error) {
		return s.walk(ctx, at, prefix, count)
	})
}

// walkPage returns a page of a walk from a cursor on, and the next one's. The walk looks at about so many keys, moves
// the place on, and reports whether there is more.
func walkPage[T any](
	s *Store, cursor string, limit int, walk func(at *place, count int) (found []T, more bool, err error),
) (found []T, next string, err error) {
	if err := validate.Page(limit); err != nil {
		return nil, "", fmt.Errorf("redis: %w", err)
	}
	var at place
	if cursor != "" {
		if at, err = parsePlace(cursor); err != nil {
			return nil, "", fmt.Errorf("redis: %w", err)
		}
	}
	if err := s.enter(); err != nil {
		return nil, "", err
	}
	defer s.leave()
	more := true
	for i := 0; i < scansOfAPage && more && len(found) == 0; i++ {
		found, more, err = walk(&at, min(limit<<i, rushgate.MaxPage))
		if err != nil {
			return nil, "", err
		}
	}
	if more {
		next = at.cursor()
	}
	return found, next, nil
}

// walk looks at some keys, moves the place on, and reports whether there is more.
func (s *Store) walk(ctx context.Context, at *place, prefix string, count int) (names []string, more bool, err error) {
	keys, more, err := s.walkKeys(ctx, at, prefix, count)
	if err != nil {
		return nil, false, err
	}
	found, err := s.accountsAt(ctx, keys)
	if err != nil {
		return nil, false, err
	}
	names = found.names
	moved, err := s.finishWalked(ctx, found.marked)
	for _, name := range moved {
		if strings.HasPrefix(name, prefix) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, more, err
}

// walkKeys is walk for the keys themselves.
func (s *Store) walkKeys(
	ctx context.Context, at *place, prefix string, count int,
) (keys []string, more bool, err error) {
	trial, err := s.breaker.allow()
	if err != nil {
		return nil, false, err
	}
	inner, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if trial {
		err = s.tryWriting(inner, []command{{key: s.idsKey()}})
	}
	if err == nil {
		keys, more, err = s.scanOnce(inner, at, prefix, int64(count))
	}
	switch {
	case err == nil:
		s.breaker.done(trial, answered, nil)
		return keys, more, nil
	case ctx.Err() != nil:
		s.breaker.done(trial, abandoned, nil)
		return nil, false, fmt.Errorf("redis: %w", ctx.Err())
	case errors.Is(err, errOtherServers):
		s.breaker.done(trial, abandoned, nil)
		return nil, false, fmt.Errorf("redis: %w", err)
	default:
		err = fmt.Errorf("redis: %w: %w", rushgate.ErrUnavailable, err)
		o := failed
		if _, refused := rueidis.IsRedisErr(err); refused { // INFO, perhaps, without which all else works
			o = abandoned
		}
		s.breaker.done(trial, o, err)
		return nil, false, err
	}
}

// scanOnce asks the master at a place for some keys.
func (s *Store) scanOnce(
	ctx context.Context, at *place, prefix string, count int64,
) (keys []string, more bool, err error) {
	masters, layout, err := s.masters(ctx)
	if err != nil {
		return nil, false, err
	}
	if at.layout == "" && at.run == "" {
		at.layout, at.master = layout, masters[0].id
	}
	which := slices.IndexFunc(masters, func(m master) bool { return m.id == at.master })
	if at.layout != layout || which < 0 {
		return nil, false, errOtherServers
	}
	node := masters[which].client
	// The process is asked for before and after, so that it is the one that has answered in between.
	asked := []rueidis.Completed{whoAreYou(node), s.scan(node, prefix, at.scan, count), whoAreYou(node)}
	if layout != "" {
		asked = append(asked, node.B().ClusterNodes().Build())
	}
	results := node.DoMulti(ctx, asked...)
	entry, err := results[1].AsScanEntry()
	if err != nil {
		return nil, false, err
	}
	for _, i := range []int{0, 2} {
		run, err := runOf(&results[i])
		if err != nil {
			return nil, false, err
		}
		if at.run == "" && i == 0 {
			at.run = run
		}
		if run != at.run {
			return nil, false, errOtherServers
		}
	}
	if layout != "" {
		text, err := results[3].ToString()
		if err != nil {
			return nil, false, err
		}
		if there, moving := layoutOf(text); moving || there != layout {
			return nil, false, errOtherServers
		}
	}
	if at.scan = entry.Cursor; at.scan != 0 {
		return entry.Elements, true, nil
	}
	if which++; which < len(masters) {
		at.master, at.run = masters[which].id, ""
		return entry.Elements, true, nil
	}
	return entry.Elements, false, nil
}

// scan asks a server for some keys of players whose names begin with a prefix.
func (s *Store) scan(node rueidis.Client, prefix string, cursor uint64, count int64) rueidis.Completed {
	return node.B().Scan().Cursor(cursor).Match(escapeGlob(s.playerKey(prefix)) + "*").Count(count).Build()
}

func whoAreYou(node rueidis.Client) rueidis.Completed { return node.B().Info().Build() }

// runOf returns the id of a process that is a master.
func runOf(result *rueidis.RedisResult) (string, error) {
	info, err := result.ToString()
	if err != nil {
		return "", fmt.Errorf("who the server is: %w", err)
	}
	run, role := infoLine(info, "run_id"), infoLine(info, "role")
	if run == "" || role != "master" {
		return "", fmt.Errorf("the server is a %q, whose process is %q", role, run)
	}
	return run, nil
}

func infoLine(info, field string) string {
	_, rest, _ := strings.Cut("\n"+info, "\n"+field+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(value, "\r")
}

// master is a server that has keys. Outside of a Cluster it has no id.
type master struct {
	id     string
	client rueidis.Client
}

// masters returns all masters in the order of a walk, and which keys they have.
func (s *Store) masters(ctx context.Context) (masters []master, layout string, err error) {
	info, err := s.client.Do(ctx, whoAreYou(s.client)).ToString()
	if err != nil {
		return nil, "", fmt.Errorf("who the server is: %w", err)
	}
	if infoLine(info, "cluster_enabled") != "1" {
		return []master{{client: s.client}}, "", nil
	}
	text, err := s.client.Do(ctx, s.client.B().ClusterNodes().Build()).ToString()
	if err != nil {
		return nil, "", err
	}
	layout, _ = layoutOf(text)
	clients := s.client.Nodes()
	for _, n := range clusterMasters(text) {
		var client rueidis.Client
		for _, address := range n.addresses {
			if client == nil {
				client = clients[address]
			}
		}
		if client == nil {
			return nil, "", fmt.Errorf("%w: a master is not known yet", errOtherServers)
		}
		masters = append(masters, master{n.id, client})
	}
	if len(masters) == 0 {
		return nil, "", errors.New("the Cluster names no master")
	}
	return masters, layout, nil
}

// clusterMaster is a line of CLUSTER NODES about a master that has slots.
type clusterMaster struct {
	id        string
	addresses []string
	slots     string
}

// clusterMasters reads the answer to CLUSTER NODES, by id. Slots that are on their way are not among the slots.
func clusterMasters(nodes string) (masters []clusterMaster) {
	for line := range strings.Lines(strings.TrimPrefix(nodes, "txt:")) { // which the client leaves before such a text
		fields := strings.Fields(line)
		if len(fields) < 9 || !slices.Contains(strings.Split(fields[2], ","), "master") {
			continue
		}
		m := clusterMaster{id: fields[0]}
		for _, slots := range fields[8:] {
			if !strings.HasPrefix(slots, "[") {
				m.slots += slots + " "
			}
		}
		where, host, _ := strings.Cut(fields[1], ",")
		address, _, _ := strings.Cut(where, "@")
		m.addresses = append(m.addresses, address)
		host, _, _ = strings.Cut(host, ",")
		if i := strings.LastIndexByte(address, ':'); host != "" && i >= 0 {
			m.addresses = append(m.addresses, host+address[i:])
		}
		if m.slots != "" {
			masters = append(masters, m)
		}
	}
	slices.SortFunc(masters, func(a, b clusterMaster) int { return strings.Compare(a.id, b.id) })
	return masters
}

// layoutOf says in short which master has which keys, and whether the server that has answered moves some.
func layoutOf(nodes string) (layout string, moving bool) {
	h := sha256.New()
	for _, m := range clusterMasters(nodes) {
		fmt.Fprintf(h, "%s %s\n", m.id, m.slots)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), strings.Contains(nodes, " [")
}

// keysFound are what is under some keys of players.
type keysFound struct {
	names  []string        // of accounts
	marked map[string]mark // by name, whether there is an account or not: what a rename has left
	held   []string        // names that may be held, and are no account's
}

func (s *Store) accountsAt(ctx context.Context, keys []string) (*keysFound, error) {
	commands := make([]command, len(keys))
	for i, key := range keys {
		commands[i] = command{name: "HMGET", key: key, args: []string{"id", renameField}}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	found := &keysFound{marked: make(map[string]mark)}
	for i, key := range keys {
		name := key[len(s.playerKey("")):]
		values, err := results[i].ToArray()
		if err != nil || len(values) != 2 { // what is no record keeps its name
			found.names = append(found.names, name)
			continue
		}
		text, err := values[1].ToString()
		m, ok := parseMark(text)
		if err == nil && ok {
			found.marked[name] = m
		}
		switch {
		case !values[0].IsNil():
			found.names = append(found.names, name)
		case err != nil:
			found.held = append(found.held, name)
		}
	}
	return found, nil
}

// finishWalked finishes the renames that were left half done, and returns the names of their accounts, old or new.
func (s *Store) finishWalked(ctx context.Context, marked map[string]mark) (names []string, err error) {
	for name, m := range marked {
		if err := s.finishRename(ctx, name); err != nil && !errors.Is(err, rushgate.ErrDamagedRecord) {
			return nil, err
		}
		both := []string{name, m.other}
		there, err := s.existing(ctx, nil, both...)
		if err != nil {
			return nil, err
		}
		for _, one := range both {
			if there[one] {
				names = append(names, one)
			}
		}
	}
	return names, nil
}
