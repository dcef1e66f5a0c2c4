package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
	"github.com/rushgate/rushgate/store/internal/device"
	"github.com/rushgate/rushgate/store/internal/number"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// readStmts belong to the pool of readers; each connection prepares them once.
type readStmts struct {
	accounts, characters, presence, ping, lookalike, shared *sql.Stmt
	usernames, histories, isDue, task, tasksOf              *sql.Stmt
	playerNames, heldNames                                  *sql.Stmt
	audit, auditSpan, identityOwners                        *sql.Stmt
	top                                                     map[rushgate.Board]*sql.Stmt
}

func (r *readStmts) prepare(ctx context.Context, db *sql.DB, boards []rushgate.Board) error {
	_, err := prepare(ctx, db, map[**sql.Stmt]string{
		&r.accounts: `SELECT a.id, a.username, a.password_hash, a.attempt, a.created_at, a.version,
			a.epoch, a.disabled_until, a.disabled_reason, a.credentials, a.devices_revision, a.devices, coalesce(c.zone, '')
			FROM accounts a LEFT JOIN characters c ON c.id = a.id WHERE a.username IN (SELECT value FROM json_each(?))`,
		&r.characters: `SELECT ` + characterColumns + ` FROM accounts a JOIN characters c ON c.id = a.id
			WHERE a.username IN (SELECT value FROM json_each(?))`,
		&r.presence: `SELECT a.username, a.id, c.fence, l.node, l.expires_at
			FROM accounts a JOIN characters c ON c.id = a.id JOIN leases l ON l.player_id = a.id
			WHERE a.username IN (SELECT value FROM json_each(?)) AND l.expires_at > ?`,
		&r.playerNames:    `SELECT id, username FROM accounts WHERE id IN (SELECT value FROM json_each(?))`,
		&r.lookalike:      lookalikeQuery,
		&r.shared:         sharedQuery,
		&r.identityOwners: identityOwnersQuery,
		&r.usernames:      usernamesQuery,
		&r.heldNames:      heldNamesQuery,
		&r.histories:      historiesQuery,
		&r.isDue:          `SELECT EXISTS (SELECT 1 FROM tasks WHERE kind = ? AND due <= ?)`,
		&r.task:           `SELECT kind, id, due, data FROM tasks WHERE kind = ? AND id = ?`,
		&r.tasksOf:        `SELECT coalesce(max(n), 0) FROM task_counts WHERE kind = ?`,
		&r.audit:          auditQuery,
		&r.auditSpan:      auditSpanQuery,
		&r.ping:           `SELECT count(*) FROM (SELECT 1 FROM accounts LIMIT 1)`,
	})
	if err != nil {
		return err
	}
	r.top = make(map[rushgate.Board]*sql.Stmt, len(boards))
	for _, board := range boards {
		if r.top[board], err = db.PrepareContext(ctx, topQuery(board)); err != nil {
			return err
		}
	}
	return nil
}

// scoreOf is the expression by which a board is ordered, and by which its index is. That of a number without a column
// of its own says nothing of one that is damaged but that it is 0. The name of a board holds nothing that would have to
// be quoted.
func scoreOf(board rushgate.Board) string {
	if number.Own(string(board)) {
		return string(board)
	}
	return fmt.Sprintf(`CASE WHEN json_valid(numbers) AND json_type(numbers, '$.%[1]s') = 'integer'
		THEN CAST(json_extract(numbers, '$.%[1]s') AS INTEGER) ELSE 0 END`, board)
}

func topQuery(board rushgate.Board) string {
	return fmt.Sprintf(`SELECT id, name, %[1]s FROM characters ORDER BY %[1]s DESC, id LIMIT ?`, scoreOf(board))
}

// indexBoards makes the index by which each board is read, if it is not there yet: the first time that takes a moment
// for each hundred thousand players. That of a board which a game has given up stays.
func indexBoards(ctx context.Context, conn *sql.Conn, boards []rushgate.Board) error {
	for _, board := range boards {
		create := fmt.Sprintf(`CREATE INDEX IF NOT EXISTS characters_by_%s ON characters (%s DESC, id)`,
			board, scoreOf(board))
		if _, err := conn.ExecContext(ctx, create); err != nil {
			return fmt.Errorf("index leaderboard %s: %w", board, err)
		}
	}
	return nil
}

// LoadAccounts implements [rushgate.Accounts].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) ([]rushgate.LoadedAccount, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	accounts, err := s.loadAccounts(ctx, usernames)
	if err != nil {
		return nil, wrap(fmt.Errorf("load accounts: %w", err))
	}
	return accounts, nil
}

func (s *Store) loadAccounts(ctx context.Context, usernames []string) (_ []rushgate.LoadedAccount, err error) {
	list, err := json.Marshal(usernames)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.accounts.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[string]rushgate.LoadedAccount, len(usernames))
	for rows.Next() {
		name, account, err := scanAccount(rows)
		if err != nil {
			return nil, err
		}
		found[name] = account
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	accounts := make([]rushgate.LoadedAccount, len(usernames))
	for i, name := range usernames {
		accounts[i] = found[name]
		accounts[i].Credentials = slices.Clone(accounts[i].Credentials) // an account asked for twice is two values
		accounts[i].Devices.List = slices.Clone(accounts[i].Devices.List)
	}
	return accounts, nil
}

// PlayerNames implements [rushgate.Accounts].
func (s *Store) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	names, err := s.playerNames(ctx, players)
	if err != nil {
		return nil, wrap(fmt.Errorf("player names: %w", err))
	}
	return names, nil
}

func (s *Store) playerNames(ctx context.Context, players []rushgate.PlayerID) (_ []string, err error) {
	list, err := json.Marshal(players)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.playerNames.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[rushgate.PlayerID]string, len(players))
	for rows.Next() {
		var id rushgate.PlayerID
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		found[id] = name
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	names := make([]string, len(players))
	for i, id := range players {
		names[i] = found[id]
	}
	return names, nil
}

// scanAccount reads one row. That the columns have their types is the database's doing; what is in credentials and
// devices is not.
func scanAccount(rows *sql.Rows) (name string, _ rushgate.LoadedAccount, _ error) {
	var (
		a                      rushgate.Account
		created, disabledUntil int64
		epoch, revision        int64
		credentials, devices   string
	)
	err := rows.Scan(&a.ID, &a.Username, &a.PasswordHash, &a.Attempt, &created, &a.Version,
		&epoch, &disabledUntil, &a.Disabled.Reason, &credentials,
		&revision, &devices, &a.Zone)
	if err != nil {
		return "", rushgate.LoadedAccount{}, err
	}
	a.CreatedAt = time.UnixMilli(created).UTC()
	a.Disabled.Until = fromMillis(disabledUntil)
	if epoch < 0 || revision < 0 {
		return a.Username, rushgate.LoadedAccount{Err: damaged(a.ID, "epoch or devices_revision", errNegative)}, nil
	}
	a.Epoch, a.Devices.Revision = uint64(epoch), uint64(revision)
	if a.Credentials, err = credential.Unmarshal(credentials); err != nil {
		return a.Username, rushgate.LoadedAccount{Err: damaged(a.ID, "credentials", err)}, nil
	}
	if a.Devices.List, err = device.Unmarshal(devices); err != nil {
		return a.Username, rushgate.LoadedAccount{Err: damaged(a.ID, "devices", err)}, nil
	}
	return a.Username, rushgate.LoadedAccount{Account: a}, nil
}

var errNegative = errors.New("a count is negative")

func damaged(player rushgate.PlayerID, column string, err error) error {
	return fmt.Errorf("sqlite: player %d: %w: column %s: %w", player, rushgate.ErrDamagedRecord, column, err)
}

// Top implements [rushgate.Boards]. It takes time in proportion to limit, not to the number of characters.
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) ([]rushgate.Rank, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	stmt, ok := s.reads.top[board]
	if !ok {
		return nil, fmt.Errorf("sqlite: unknown leaderboard %q", board)
	}
	if err := validate.Count("leaderboard limit", limit); err != nil {
		return nil, wrap(err)
	}
	ranks, err := top(ctx, stmt, limit)
	if err != nil {
		return nil, wrap(fmt.Errorf("leaderboard: %w", err))
	}
	return ranks, nil
}

func top(ctx context.Context, stmt *sql.Stmt, limit int) (ranks []rushgate.Rank, err error) {
	rows, err := stmt.QueryContext(ctx, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		r := rushgate.Rank{Rank: len(ranks) + 1}
		if err := rows.Scan(&r.Player, &r.Name, &r.Score); err != nil {
			return nil, err
		}
		if n := len(ranks); n > 0 && ranks[n-1].Score == r.Score {
			r.Rank = ranks[n-1].Rank
		}
		ranks = append(ranks, r)
	}
	return ranks, rows.Err()
}

// Ping implements [rushgate.Store]. It reads from the file, and writes its first page anew with what is there.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	var n int
	if err := s.reads.ping.QueryRowContext(ctx).Scan(&n); err != nil {
		return wrap(fmt.Errorf("ping: %w", err))
	}
	written := make(chan error, 1)
	go func() { // ends with its write, for which Close waits
		written <- s.do(ctx, func(ctx context.Context) error {
			if _, err := s.writes.ping.ExecContext(ctx); err != nil {
				return fmt.Errorf("ping: %w", err)
			}
			return nil
		})
	}()
	select {
	case err := <-written:
		return err
	case <-ctx.Done(): // a disk that hangs is not to hang the probe
		return ctx.Err()
	}
}
