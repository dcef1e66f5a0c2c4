#!/usr/bin/env bash
# A script in Redis 7.0 writes one number with 17 digits or with 14, by the way that it goes: an argument of
# redis.call and a number that is returned have all digits, while one that is put into a string with "..", by tostring
# or by cjson is rounded, 1700000000123456 to 1.7000000001235e+15. A number of Lua is a double, and holds such
# integers exactly (up to 2^53); the rounding is in the text alone, and nothing tells of it. Microseconds since 1970,
# as TIME gives them, have 16 digits, so two moments less than 0.1 ms apart make one key; an id that is read from JSON
# and written again is another id; and the milliseconds that a script was tested with, of 13 digits, come out right.
# string.format("%.0f", n) writes all.
#
# Seen with Debian's Redis 7.0.15: SET of a number, and one returned, all digits; "..", tostring and cjson.encode 14;
# string.format and cmsgpack all.
# It runs without Rushgate and needs redis-server and redis-cli 7.0 (Debian 12: apt-get install redis-server), and
# starts a server of its own, on a socket in a folder of its own. Exit 0: as seen; 1: something else; 2: could not be
# run.
set -euo pipefail
command -v redis-server >/dev/null && command -v redis-cli >/dev/null || { echo "redis-server is needed"; exit 2; }
dir=$(mktemp -d)
redis=
trap '[ -z "$redis" ] || kill "$redis"; wait; rm -rf "$dir"' EXIT
cd "$dir"
redis-server --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" >redis.log 2>&1 &
redis=$!
cli() { redis-cli -s "$dir/socket" "$@"; }
for _ in $(seq 50); do cli PING 2>/dev/null | grep -q PONG && break; sleep 0.1; done
cli PING >/dev/null || { cat redis.log; exit 2; }
redis-server --version
cat >digits.lua <<'END'
local n = tonumber(ARGV[1])
redis.call("SET", "number", n)
redis.call("SET", "at:" .. n, "")
return {
	"returned", n,
	"SET", redis.call("GET", "number"),
	"..", redis.call("KEYS", "at:*")[1],
	"tostring", tostring(n),
	"cjson", cjson.encode({n = n}),
	"cjson again", cjson.encode(cjson.decode('{"n":' .. ARGV[1] .. '}')),
	"cmsgpack", cmsgpack.unpack(cmsgpack.pack(n)),
	"string.format", string.format("%.0f", n),
}
END
right=0
try() { # with a number, and what is left of it in 14 digits
	cli FLUSHALL >/dev/null
	cli --eval digits.lua , "$1" | paste -d ' ' - - | tee answer
	cat >want <<-END
		returned $1
		SET $1
		.. at:$2
		tostring $2
		cjson {"n":$2}
		cjson again {"n":$2}
		cmsgpack $1
		string.format $1
	END
	cmp -s answer want || right=1
}
try 1700000000123456 1.7000000001235e+15
try 1700000000123 1700000000123
exit $right
