package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// SchemaError refuses a database that was written by a newer version of Rushgate.
type SchemaError struct {
	// Found is the schema version of the database.
	Found int
	// Known is the newest schema version that this program can use.
	Known int
}

// Error names both versions.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("database has schema version %d, but this program knows only versions up to %d", e.Found, e.Known)
}

// migrations lead from each schema version to the next; the version (PRAGMA user_version) is the number of those that
// have been carried out. What has been released must never be edited.
var migrations = []string{
	`CREATE TABLE accounts (
		id            INTEGER PRIMARY KEY,
		username      TEXT    NOT NULL UNIQUE,
		password_hash TEXT    NOT NULL,
		attempt       TEXT    NOT NULL,
		created_at    INTEGER NOT NULL -- Unix milliseconds
	) STRICT;

	-- fence is that of the last lease claimed. x and y are NULL for NaN, which SQLite cannot store. data comes last
	-- because what follows a long value is slow to reach.
	CREATE TABLE characters (
		id          INTEGER PRIMARY KEY REFERENCES accounts (id),
		name        TEXT    NOT NULL,
		zone        TEXT    NOT NULL,
		x           REAL,
		y           REAL,
		hp          INTEGER NOT NULL,
		xp          INTEGER NOT NULL,
		level       INTEGER NOT NULL,
		deaths      INTEGER NOT NULL,
		playtime_ms INTEGER NOT NULL,
		created_at  INTEGER NOT NULL, -- Unix milliseconds
		fence       INTEGER NOT NULL,
		data        BLOB    NOT NULL
	) STRICT;
	CREATE INDEX characters_by_xp     ON characters (xp     DESC, id);
	CREATE INDEX characters_by_level  ON characters (level  DESC, id);
	CREATE INDEX characters_by_deaths ON characters (deaths DESC, id);

	-- A row lasts from the first claim to the release, also beyond expires_at: until somebody claims the player, the
	-- holder may revive the lease and save. Its fence is that of the character.
	CREATE TABLE leases (
		player_id  INTEGER PRIMARY KEY REFERENCES characters (id),
		node       TEXT    NOT NULL,
		run        TEXT    NOT NULL,
		attempt    TEXT    NOT NULL,
		expires_at INTEGER NOT NULL -- Unix milliseconds; over when the clock shows this or more
	) STRICT;
	CREATE INDEX leases_by_expiry ON leases (expires_at);

	CREATE TABLE player_ids (
		one  INTEGER PRIMARY KEY CHECK (one = 1),
		last INTEGER NOT NULL -- the greatest id given out
	) STRICT;
	INSERT INTO player_ids VALUES (1, 0);`,

	// The version of the account record. No row is rewritten: one that was written without the column reads as the
	// default, which is what all of them were until then. A statement that inserts a row states its version.
	`ALTER TABLE accounts ADD COLUMN version INTEGER NOT NULL DEFAULT 3;`,

	// The ids 1 to imports are set aside for imported accounts.
	`ALTER TABLE player_ids ADD COLUMN imports INTEGER NOT NULL DEFAULT 0;`,

	// What version 4 of the account record adds. No row is rewritten: the defaults are what there was before.
	// disabled_until is in Unix milliseconds, 0 for an account that is not disabled; credentials is empty or a JSON array.
	`ALTER TABLE accounts ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE accounts ADD COLUMN disabled_until INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE accounts ADD COLUMN disabled_reason TEXT NOT NULL DEFAULT '';
	ALTER TABLE accounts ADD COLUMN credentials TEXT NOT NULL DEFAULT '';`,

	// What a name looks like, see rushgate.Skeleton. NULL until fillSkeletons has been there.
	`ALTER TABLE accounts ADD COLUMN skeleton TEXT;
	CREATE INDEX accounts_by_skeleton ON accounts (skeleton);`,

	// What a fleet shares by name, see rushgate.Fleet; may be secrets.
	`CREATE TABLE shared (
		name  TEXT NOT NULL PRIMARY KEY,
		value BLOB NOT NULL
	) STRICT, WITHOUT ROWID;`,

	// What version 5 of the account record adds, and what lets a session be continued. No row is rewritten: the defaults
	// are what there was before. devices is empty or a JSON array, and may be long. A lease whose parked_until is not 0,
	// in Unix milliseconds, was given up, and its expires_at is 0: what is left is the session, which can be continued
	// until then. An empty session cannot.
	`ALTER TABLE accounts ADD COLUMN devices_revision INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE accounts ADD COLUMN devices TEXT NOT NULL DEFAULT '';
	ALTER TABLE leases ADD COLUMN session TEXT NOT NULL DEFAULT '';
	ALTER TABLE leases ADD COLUMN parked_until INTEGER NOT NULL DEFAULT 0;`,

	// The numbers of a character that have no column of their own, a JSON object. No row is rewritten. A long data stands
	// before it, which makes it slow to reach only where there are such numbers: "{}" is not looked for that far.
	`ALTER TABLE characters ADD COLUMN numbers TEXT NOT NULL DEFAULT '{}';`,

	// What accounts need that people live with; nothing of it is read or written by a login of an account that is there.
	// All times are in Unix milliseconds.
	`-- Names that only one player can be renamed to, until then. Rows that have run out are removed by later renames.
	CREATE TABLE held_names (
		username  TEXT    NOT NULL PRIMARY KEY,
		player_id INTEGER NOT NULL, -- whose account may be gone
		until     INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX held_names_by_end ON held_names (until);

	-- What has happened to accounts, see rushgate.AccountEvent.
	CREATE TABLE events (
		player_id INTEGER NOT NULL REFERENCES accounts (id),
		id        TEXT    NOT NULL,
		at        INTEGER NOT NULL,
		sign_in   INTEGER NOT NULL, -- 1 for a sign-in, of which fewer are kept, else 0
		kind      TEXT    NOT NULL,
		operator  TEXT    NOT NULL,
		origin    TEXT    NOT NULL,
		text      TEXT    NOT NULL,
		PRIMARY KEY (player_id, id)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX events_by_time ON events (player_id, sign_in, at, id);

	-- What is to be done later, see rushgate.Task, and how much of each kind, which the triggers count.
	CREATE TABLE tasks (
		kind TEXT    NOT NULL,
		id   TEXT    NOT NULL,
		due  INTEGER NOT NULL,
		data BLOB    NOT NULL,
		PRIMARY KEY (kind, id)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX tasks_by_due ON tasks (kind, due, id);
	CREATE TABLE task_counts (
		kind TEXT    NOT NULL PRIMARY KEY,
		n    INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TRIGGER task_planned AFTER INSERT ON tasks BEGIN
		INSERT INTO task_counts (kind, n) VALUES (NEW.kind, 1) ON CONFLICT (kind) DO UPDATE SET n = n + 1;
	END;
	CREATE TRIGGER task_dropped AFTER DELETE ON tasks BEGIN
		UPDATE task_counts SET n = n - 1 WHERE kind = OLD.kind;
	END;

	-- The audit log, see rushgate.AuditLog. Its numbers have no gaps.
	CREATE TABLE audit (
		seq  INTEGER PRIMARY KEY,
		data BLOB NOT NULL
	) STRICT;`,

	// What a held name looks like, as with accounts.
	`ALTER TABLE held_names ADD COLUMN skeleton TEXT;
	CREATE INDEX held_names_by_skeleton ON held_names (skeleton);`,

	// Where identities lead to, see rushgate.Identities. The player may be gone. claimed_at is in Unix milliseconds.
	`CREATE TABLE identities (
		key        BLOB    NOT NULL PRIMARY KEY,
		player_id  INTEGER NOT NULL,
		claimed_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;`,
}

// migrate carries out the migrations that the database has not seen yet, each wholly or not at all.
func migrate(ctx context.Context, conn *sql.Conn, migrations []string) error {
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		if err := migrateOnce(ctx, conn, migrations[version], version+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", version+1, err)
		}
	}
	return nil
}

func migrateOnce(ctx context.Context, conn *sql.Conn, migration string, version int) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	if _, err := tx.ExecContext(ctx, migration); err != nil {
		return err
	}
	stamp := fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, version)
	if _, err := tx.ExecContext(ctx, stamp); err != nil {
		return err
	}
	return tx.Commit()
}

// preparer is what *sql.DB and *sql.Conn have in common.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepare fills in each statement, and returns those that it has prepared even if it fails at one of them. A pool
// closes its statements; those of a single connection must be closed before it, or SQLite keeps its files open.
func prepare(ctx context.Context, p preparer, queries map[**sql.Stmt]string) (prepared []*sql.Stmt, err error) {
	for stmt, query := range queries {
		if *stmt, err = p.PrepareContext(ctx, query); err != nil {
			return prepared, err
		}
		prepared = append(prepared, *stmt)
	}
	return prepared, nil
}
