#!/usr/bin/env bash
# pgcrypto of PostgreSQL 15 makes and checks bcrypt in SQL, but of the names that it goes by it knows $2a$ and $2x$
# alone, and gives no error for those that most others write today, $2b$, and PHP's $2y$: crypt(password, hash) takes
# a hash of a kind that it does not know for one of traditional DES, whose salt are the first two letters, and answers
# with 13 letters that begin with "$2". So the comparison with the stored hash is false for the right password as for
# a wrong one, and nothing tells why. The same goes for $argon2id$ and $6$. With $2a$ written in its place the same
# hash is matched: for passwords of ASCII the three are one thing. A table that a service in Node.js, Python or PHP
# has filled has to be rewritten so before SQL can check it.
#
# Seen with Debian's PostgreSQL 15 and bcryptjs 3.0.3 (npm): $2b$ and $2y$ 13 letters and false, $2a$ 60 letters and
# true.
# It runs without Rushgate and needs Node.js and PostgreSQL 15 (Debian 12: apt-get install postgresql), of which it
# starts one of its own, on a socket in a folder of its own: as the user postgres if root runs it. Exit 0: as seen; 1:
# something else; 2: could not be run.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
[ -x $bin/postgres ] && command -v node >/dev/null || { echo "Node.js and PostgreSQL 15 are needed"; exit 2; }
dir=$(mktemp -d)
as=()
[ "$(id -u)" != 0 ] || { as=(setpriv --reuid=postgres --regid=postgres --init-groups); chown postgres "$dir"; }
server=
trap 'cd /; [ -z "$server" ] || kill -INT "$server"; wait; rm -rf "$dir"' EXIT
cd "$dir"
npm install --no-audit --no-fund --ignore-scripts bcryptjs@3.0.3 >npm.log 2>&1 || { cat npm.log; exit 2; }
hash=$(node -e 'require("bcryptjs").hash("correct horse", 6).then((h) => console.log(h.slice(3)))') # without its $2b
"${as[@]}" $bin/initdb -D data -A trust -U postgres --no-sync >initdb.log 2>&1 || { cat initdb.log; exit 2; }
"${as[@]}" $bin/postgres -D data -k "$dir" -c listen_addresses= -c fsync=off >postgres.log 2>&1 &
server=$!
sql() { psql -X -h "$dir" -U postgres -v ON_ERROR_STOP=1 "$@"; }
for _ in $(seq 100); do sql -c "SELECT 1" >/dev/null 2>&1 && break; sleep 0.1; done
sql -At -c "CREATE EXTENSION pgcrypto" -c "SELECT version()" || { cat postgres.log; exit 2; }
right=0
for kind in a b y; do
	seen=$(sql -At -F ' letters, matches: ' -v hash="\$2$kind$hash" 2>&1 <<-'END'
		SELECT length(crypt('correct horse', :'hash')), crypt('correct horse', :'hash') = :'hash'
	END
	)
	echo "\$2$kind\$: $seen"
	case $kind in a) want="60 letters, matches: t" ;; *) want="13 letters, matches: f" ;; esac
	[ "$seen" = "$want" ] || right=1
done
exit $right
