#!/usr/bin/env bash
# MariaDB 10.11 keeps a FLOAT in 24 bits, and writes it with six digits wherever it writes text, which is too few: a
# position of -8949.953125 is stored as it is, and read as -8949.95. So one column of one row has two values for a
# program in Go: a query with arguments is prepared and answered in binary, with all that is stored; the same query
# with the number written into it is answered in text. No error tells of it. mariadb-dump reads text: what is restored
# from a dump has lost the digits for good, 16777215 has become 16777200. A comparison sees them all, so that a row is
# found by a value that it is not shown with. CAST(x AS DOUBLE) brings all digits either way, and a DOUBLE column
# loses none. Games like to keep positions in FLOAT.
#
# Seen with Debian's MariaDB 10.11 and github.com/go-sql-driver/mysql 1.10.1: -8949.95 and 16777200 in text, and in
# everything once a dump is restored; before, -8949.953 (what a float32 of -8949.953125 is in short) and 16777215 in
# binary, and all digits by CAST.
# It runs without Rushgate and needs Go and MariaDB 10.11 (Debian 12: apt-get install mariadb-server), of which it
# starts one of its own, on a socket in a folder of its own. Exit 0: as seen; 1: something else; 2: could not be run.
set -euo pipefail
PATH=$PATH:/usr/sbin
for program in go mariadbd mariadb-install-db mariadb-dump; do
	command -v $program >/dev/null || { echo "$program is needed"; exit 2; }
done
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod
{ go mod init example.org/float && go get github.com/go-sql-driver/mysql@v1.10.1; } >go.log 2>&1 ||
	{ cat go.log; exit 2; }
cat >main.go <<'EOF'
package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "github.com/go-sql-driver/mysql"
)

// one returns what a query answers with one number.
func one(db *sql.DB, query string, args ...any) (x float64) {
	if err := db.QueryRow(query, args...).Scan(&x); err != nil {
		panic(err)
	}
	return x
}

func main() {
	db, err := sql.Open("mysql", "root@unix("+os.Args[1]+")/game")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	restored, ok := os.Args[2] == "restored", true
	for id, want := range map[int][2]float64{1: {-8949.953125, -8949.95}, 2: {16777215, 16777200}} {
		exact, short := want[0], want[1]
		text := one(db, fmt.Sprintf("SELECT x FROM spot WHERE id = %d", id))
		binary := one(db, "SELECT x FROM spot WHERE id = ?", id)
		cast := one(db, fmt.Sprintf("SELECT CAST(x AS DOUBLE) FROM spot WHERE id = %d", id))
		found := one(db, fmt.Sprintf("SELECT COUNT(*) FROM spot WHERE x = %v", exact))
		fmt.Printf("%.10g, %s: text %.10g, binary %.10g, CAST %.10g, found by its value: %v\n", exact, os.Args[2], text,
			binary, cast, found == 1)
		if restored {
			exact = float64(float32(short))
		}
		ok = ok && text == short && float32(binary) == float32(exact) && cast == exact && (found == 1) != restored
	}
	if !ok {
		os.Exit(1)
	}
}
EOF
{ go mod tidy && go build -o read .; } >>go.log 2>&1 || { cat go.log; exit 2; }
user=
[ "$(id -u)" != 0 ] || user=--user=root
mariadb-install-db --no-defaults $user --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
	>install.log 2>&1 || { cat install.log; exit 2; }
mariadbd --no-defaults $user --datadir="$dir/data" --socket="$dir/socket" --skip-networking >mariadbd.log 2>&1 &
server=$!
sql() { mariadb --no-defaults --socket="$dir/socket" --user=root "$@"; }
for _ in $(seq 100); do sql -e "SELECT 1" >/dev/null 2>&1 && break; sleep 0.1; done
sql -N -e "SELECT VERSION()" || { cat mariadbd.log; exit 2; }
sql -e "CREATE DATABASE game; USE game; CREATE TABLE spot (id INT PRIMARY KEY, x FLOAT NOT NULL);
	INSERT INTO spot VALUES (1, -8949.953125), (2, 16777215)"
timeout 60 ./read "$dir/socket" stored
mariadb-dump --no-defaults --socket="$dir/socket" --user=root game >dump.sql
sql game <dump.sql
timeout 60 ./read "$dir/socket" restored
