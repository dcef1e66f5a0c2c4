package oldgame

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// redisTimeout is how long one call is tried for. A server that is loading or failing over may take a while, and
	// only the operator is waiting.
	redisTimeout = 30 * time.Second
	scanCount    = 1000 // keys that a SCAN looks at
	fetchCount   = 500  // keys that an MGET reads
)

// errNoString is one error for two things, because MGET has one answer for them.
var errNoString = errors.New("the key does not hold a string, or is gone")

// live is the records in a running Redis or Valkey server, or a Cluster. It sends only SCAN, MGET and what tells
// it about the servers (HELLO, ROLE, CLUSTER), so a user with read rights will do. Records that are written during the
// import may be missed or refused.
type live struct {
	client rueidis.Client
}

// OpenRedis connects to the server whose address is a URL, such as redis://user:password@host:6379/0; rediss:// is for
// TLS. The errors do not contain the URL.
func OpenRedis(address string) (*Source, error) {
	opts, err := rueidis.ParseURL(address)
	// With '#' or '?' in a password its beginning counts as the host, which errors of the connection would name.
	if u, parseErr := url.Parse(address); err != nil || parseErr != nil || u.Fragment != "" ||
		strings.Contains(u.RawQuery, "@") {
		return nil, errors.New("legacy: not a URL such as redis://host:6379/0") // the cause may quote the password
	}
	opts.DisableCache = true
	opts.AlwaysRESP2 = true // the old game's server may be an old one
	opts.ClientSetInfo = rueidis.DisableClientSetInfo
	client, err := rueidis.NewClient(opts)
	if err != nil {
		return nil, fmt.Errorf("legacy: connect to Redis: %w", err)
	}
	return &Source{&live{client: client}}, nil
}

func (s *live) close() error {
	s.client.Close()
	return nil
}

func (s *live) repeats() bool { return true }

func (s *live) scan(ctx context.Context, visit func(item) error) error {
	for _, prefix := range []string{keyAccounts, keyPlayers} {
		for _, node := range s.client.Nodes() {
			if err := s.scanNode(ctx, node, prefix, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanNode visits the records of one kind on one server, unless another server has them in the first place.
func (s *live) scanNode(ctx context.Context, node rueidis.Client, prefix string, visit func(item) error) error {
	replica, err := isReplica(ctx, node)
	if err != nil || replica && len(s.client.Nodes()) > 1 {
		return err
	}
	for cursor := uint64(0); ; {
		page, err := scanPage(ctx, node, cursor, prefix)
		if err != nil {
			return err
		}
		items := make([]item, len(page.Elements))
		for i, key := range page.Elements {
			items[i].key = key
		}
		if prefix == keyAccounts { // the characters' turn comes with their accounts
			if err := s.read(ctx, items); err != nil {
				return err
			}
		}
		for _, it := range items {
			if err := visit(it); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

func isReplica(ctx context.Context, node rueidis.Client) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
	if err != nil {
		if _, refused := rueidis.IsRedisErr(err); refused { // no right to ask; at worst records are visited twice
			return false, nil
		}
		return false, err
	}
	if len(role) == 0 {
		return false, nil
	}
	name, err := role[0].ToString()
	return name == "slave", err
}

func scanPage(ctx context.Context, node rueidis.Client, cursor uint64, prefix string) (rueidis.ScanEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return node.Do(ctx, node.B().Scan().Cursor(cursor).Match(prefix+"*").Count(scanCount).Build()).AsScanEntry()
}

func (s *live) fetch(ctx context.Context, refs []ref) ([]item, error) {
	items := make([]item, len(refs))
	for i, r := range refs {
		items[i].ref = r
	}
	return items, s.read(ctx, items)
}

// read fills in the values of keys.
func (s *live) read(ctx context.Context, items []item) error {
	for some := range slices.Chunk(items, fetchCount) {
		keys := make([]string, len(some))
		for i := range some {
			keys[i] = some[i].key
		}
		values, err := s.values(ctx, keys)
		if err != nil {
			return err
		}
		for i := range some {
			some[i].value, some[i].err = text(values[some[i].key])
		}
	}
	return nil
}

func (s *live) values(ctx context.Context, keys []string) (map[string]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return rueidis.MGet(s.client, ctx, keys)
}

// text is the string of an answer.
func text(m rueidis.RedisMessage) (string, error) {
	value, err := m.ToString() // fails for nil
	if err != nil {
		return "", errNoString
	}
	return value, nil
}
