#!/usr/bin/env bash
# github.com/redis/rueidis 1.0.79, a Go client for Redis, hands out RESP3's verbatim strings with the three letters and
# the colon that say of which format they are: what CLUSTER NODES, INFO and LATENCY DOCTOR answer begins with "txt:". In
# RESP2, and by github.com/redis/go-redis/v9 9.17.2 in either version of the protocol, the same text comes without it.
# Whoever splits the answer of CLUSTER NODES into lines finds a first node whose id is four characters too long, and so a
# node that none of the others names as its master; a search through INFO for a field goes well, since the first line of
# that is a comment, and hides it. rueidis speaks RESP3 unless it is told not to.
#
# Seen: rueidis in RESP3 prefixes CLUSTER NODES, INFO and LATENCY DOCTOR; in RESP2 none; go-redis none.
# It runs without Rushgate and needs Go and a redis-server of version 6 or later, which it starts on a port of loopback
# that is free. Exit 0: as seen; 1: something else; 2: could not be run.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is needed"; exit 2; }
dir=$(mktemp -d)
redis=
trap '[ -z "$redis" ] || kill "$redis"; wait; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod
{ go mod init example.org/verbatim && go get github.com/redis/rueidis@v1.0.79 github.com/redis/go-redis/v9@v9.17.2; } \
	>go.log 2>&1 || { cat go.log; exit 2; }
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

func byRueidis(addr string, resp2 bool, words []string) (string, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, AlwaysRESP2: resp2, DisableCache: resp2, ForceSingleClient: true,
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.Do(context.Background(), c.B().Arbitrary(words...).Build()).ToString()
}

func byGoRedis(addr string, protocol int, words []string) (string, error) {
	c := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: protocol})
	defer c.Close()
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = w
	}
	return c.Do(context.Background(), args...).Text()
}

func main() {
	if len(os.Args) < 2 { // finds a port
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		return
	}
	ok := true
	for _, words := range [][]string{{"CLUSTER", "NODES"}, {"INFO", "server"}, {"LATENCY", "DOCTOR"}} {
		for _, t := range []struct {
			by     string
			marked bool
			ask    func() (string, error)
		}{
			{"rueidis, RESP3", true, func() (string, error) { return byRueidis(os.Args[1], false, words) }},
			{"rueidis, RESP2", false, func() (string, error) { return byRueidis(os.Args[1], true, words) }},
			{"go-redis, RESP3", false, func() (string, error) { return byGoRedis(os.Args[1], 3, words) }},
			{"go-redis, RESP2", false, func() (string, error) { return byGoRedis(os.Args[1], 2, words) }},
		} {
			text, err := t.ask()
			fmt.Printf("%-15s  %-15s  %.24q, %v\n", strings.Join(words, " "), t.by, text, err)
			ok = ok && err == nil && text != "" && strings.HasPrefix(text, "txt:") == t.marked
		}
	}
	if !ok {
		fmt.Println("not as seen before")
		os.Exit(1)
	}
}
EOF
{ go mod tidy && go build -o try .; } >>go.log 2>&1 || { cat go.log; exit 2; }
port=$(./try)
redis-server --port "$port" --bind 127.0.0.1 --cluster-enabled yes --save '' --dir "$dir" >redis.log 2>&1 &
redis=$!
for _ in $(seq 50); do redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
redis-server --version
timeout 60 ./try "127.0.0.1:$port"
