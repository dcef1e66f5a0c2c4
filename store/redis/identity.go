package redis

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

func (s *Store) identityKey(key rushgate.IdentityKey) string {
	return s.prefix + "identity:" + base64.RawURLEncoding.EncodeToString(key[:])
}

// IdentityOwners implements [rushgate.Identities].
func (s *Store) IdentityOwners(ctx context.Context, keys []rushgate.IdentityKey) ([]rushgate.PlayerID, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(keys))
	for i, key := range keys {
		commands[i] = command{name: "HGET", key: s.identityKey(key), args: []string{"player"}}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	owners := make([]rushgate.PlayerID, len(keys))
	for i := range results {
		text, err := results[i].ToString()
		if rueidis.IsRedisNil(err) {
			continue
		}
		owner, bad := parseUint(text)
		if err != nil || bad != nil { // and the next claim is refused for it
			s.breaker.log.Error("the owner of an identity cannot be read", "key", commands[i].key, "error", err)
			continue
		}
		owners[i] = rushgate.PlayerID(owner)
	}
	return owners, nil
}

// ClaimIdentities implements [rushgate.Identities], each claim by one script.
func (s *Store) ClaimIdentities(ctx context.Context, claims []rushgate.IdentityClaim) ([]rushgate.PlayerID, error) {
	if err := validate.IdentityClaims(claims); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(claims))
	hold := strconv.FormatInt(rushgate.IdentityHold.Milliseconds(), 10)
	for i := range claims {
		c := &claims[i]
		commands[i] = command{
			script: claimIdentity, key: s.identityKey(c.Key),
			args: []string{s.now(), formatID(c.Player), formatID(c.Replaces), hold},
		}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	owners := make([]rushgate.PlayerID, len(claims))
	for i := range answers {
		a := &answers[i]
		if a.word != "owner" {
			return nil, fmt.Errorf("%w, of key %s", a.problem(), commands[i].key)
		}
		owners[i] = rushgate.PlayerID(a.number(0))
	}
	return owners, nil
}
