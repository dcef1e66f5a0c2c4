package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// sharedField is the one field of a hash. Not a plain value, so that a server that restricts which commands the nodes
// may use needs to allow none that they do not use already.
const sharedField = "value"

// Shared implements [rushgate.Fleet].
func (s *Store) Shared(ctx context.Context, name string) ([]byte, error) {
	if err := validate.SharedName(name); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	results, err := s.run(ctx, []command{{name: "HGET", key: s.sharedKey(name), args: []string{sharedField}}})
	if err != nil {
		return nil, err
	}
	value, err := results[0].AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, damagedRecord(fmt.Errorf("key %s: %w", s.sharedKey(name), err))
	}
	if err := validate.Shared(name, value); err != nil {
		return nil, fmt.Errorf("redis: key %s: %w", s.sharedKey(name), err)
	}
	return value, nil
}

// SwapShared implements [rushgate.Fleet]. The script looks and writes in one step, also on a Cluster, since there is
// but one key.
func (s *Store) SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error) {
	if err := validate.Swap(name, oldValue, newValue); err != nil {
		return false, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	answers, err := s.runScripts(ctx, []command{{
		script: swapScript, key: s.sharedKey(name),
		args: []string{string(oldValue), string(newValue), strconv.Itoa(rushgate.MaxSharedLen)},
	}})
	if err != nil {
		return false, err
	}
	switch a := &answers[0]; a.word {
	case "swapped":
		return true, nil
	case "other":
		return false, nil
	case damaged:
		return false, fmt.Errorf("%w of key %s", a.err, s.sharedKey(name))
	default:
		return false, a.problem()
	}
}
