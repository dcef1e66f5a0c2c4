package main

import (
	"net"
	"strconv"
)

// redisFlags say where the Redis or Valkey is that keeps the players.
type redisFlags struct {
	urls                   words
	host, sentinel, prefix text
	port                   number
}

func newRedisFlags() redisFlags {
	return redisFlags{host: "127.0.0.1", port: number{6379, 1, 65535}}
}

func (v *redisFlags) declare(f *flags) {
	f.add(&v.urls, "redis-url", "MMORPG_REDIS_URL", "`URLS` of the Redis or Valkey, of some servers of a Cluster, or of Sentinels, separated by commas: redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS. In the variable, a password does not show in the list of processes")
	f.add(&v.host, "redis-host", "MMORPG_REDIS_HOST", "`HOST` of the Redis or Valkey, without --redis-url")
	f.add(&v.port, "redis-port", "MMORPG_REDIS_PORT", "`PORT` of the Redis or Valkey, without --redis-url")
	f.add(&v.sentinel, "redis-sentinel", "", "`NAME` by which the Sentinels at --redis-url know the master")
	f.add(&v.prefix, "redis-prefix", "", "`PREFIX` of every key, so that several worlds can share a server; default \"rushgate:\"")
}

// addresses returns where to connect.
func (v *redisFlags) addresses() []string {
	if len(v.urls) > 0 {
		return v.urls
	}
	return []string{"redis://" + net.JoinHostPort(string(v.host), strconv.Itoa(v.port.value))}
}
