#!/usr/bin/env bash
# SQLite 3.40 has several ways to copy a database, which leave different things behind, and none says so:
#   .backup        nothing: user_version, application_id and WAL come along
#   VACUUM INTO    WAL: the copy has a rollback journal
#   .dump, .clone  WAL, and user_version and application_id, which are 0 in the copy, though it has all of the schema
# Whoever numbers the versions of a schema by user_version, as is common, takes what is restored from .dump for a file
# as old as can be, and migrates what has been migrated; who reads application_id takes it for a file of another
# program; and where WAL was set once, when the file was made, readers now wait for writers.
#
# Seen with Debian's sqlite3 3.40.1: user_version 7, application_id 99 and wal in the original and after .backup; 7,
# 99 and delete after VACUUM INTO; 0, 0 and delete after .dump and .clone.
# It runs without Rushgate and needs sqlite3 3.40 (Debian 12: apt-get install sqlite3). Exit 0: as seen; 1: something
# else; 2: could not be run.
set -euo pipefail
command -v sqlite3 >/dev/null || { echo "sqlite3 is needed"; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
sqlite3 --version | cut -d' ' -f1
sqlite3 original.db "PRAGMA journal_mode = wal; PRAGMA user_version = 7; PRAGMA application_id = 99;
	CREATE TABLE player (name TEXT PRIMARY KEY); INSERT INTO player VALUES ('alice')" >/dev/null
sqlite3 original.db ".backup backup.db" "VACUUM INTO 'vacuum.db'" ".clone clone.db" >/dev/null
sqlite3 original.db .dump | sqlite3 dump.db
right=0
while read -r copy want; do
	seen=$(sqlite3 -separator ' ' "$copy.db" "SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT journal_mode FROM pragma_journal_mode),
		(SELECT group_concat(name) FROM player)")
	echo "$copy: $seen"
	[ "$seen" = "$want alice" ] || right=1
done <<'END'
original 7 99 wal
backup 7 99 wal
vacuum 7 99 delete
dump 0 0 delete
clone 0 0 delete
END
exit $right
