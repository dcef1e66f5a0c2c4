package main

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate/store/redis"
)

// hidden stands for a value that is set and not shown.
const hidden = "(not shown)"

// secret is a string that may hold a password.
type secret string

func (s *secret) String() string {
	if *s == "" {
		return ""
	}
	return hidden
}

func (s *secret) Set(value string) error { *s = secret(value); return nil }

// urls is a list of URLs, which may hold passwords.
type urls struct{ list []string }

func (u *urls) String() string {
	if len(u.list) == 0 {
		return ""
	}
	return hidden
}

func (u *urls) Set(s string) error {
	var list []string
	for url := range strings.SplitSeq(s, ",") {
		url = strings.TrimSpace(url)
		if !strings.Contains(url, "://") {
			return errURLs
		}
		list = append(list, url)
	}
	u.list = list
	return nil
}

// errURLs is about a list of URLs that is none.
var errURLs = errors.New("must be URLs such as redis://host:6379, separated by commas, none of them empty; " +
	"a comma in a password is written %2C")

// redisFlags say where the Redis or Valkey is that keeps the players.
type redisFlags struct {
	urls                   urls
	host, sentinel, prefix text
	port                   number
}

func newRedisFlags() redisFlags {
	return redisFlags{host: "127.0.0.1", port: number{6379, 1, 65535}, prefix: redis.DefaultPrefix}
}

func (v *redisFlags) declare(f *flags) {
	f.add(&v.urls, "redis-url", "MMORPG_REDIS_URL", "`URLS` of the Redis or Valkey, of some servers of a Cluster, or of "+
		"Sentinels, separated by commas: redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS. A comma in a password "+
		"is written %2C. In the variable, a password does not show in the list of processes").
		def = "--redis-host, --redis-port"
	f.add(&v.host, "redis-host", "MMORPG_REDIS_HOST", "`HOST` of the Redis or Valkey, without --redis-url")
	f.add(&v.port, "redis-port", "MMORPG_REDIS_PORT", "`PORT` of the Redis or Valkey, without --redis-url")
	f.add(&v.sentinel, "redis-sentinel", "", "`NAME` by which the Sentinels at --redis-url know the master")
	f.add(&v.prefix, "redis-prefix", "", "`PREFIX` of every key, so that several worlds can share a server")
}

// addresses returns where to connect.
func (v *redisFlags) addresses() []string {
	if len(v.urls.list) > 0 {
		return v.urls.list
	}
	return []string{"redis://" + net.JoinHostPort(string(v.host), strconv.Itoa(v.port.value))}
}
