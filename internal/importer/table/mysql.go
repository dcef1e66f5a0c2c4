package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQLSession is a connection to MySQL or MariaDB.
type mySQLSession struct {
	db   *sql.DB
	conn *sql.Conn
}

// settingsOfMySQL are those of the session. Rows may be waited for as long as the import takes, and there may be as
// many as there are; others wait for a table that is locked, but not for ever. Names and values are written as in a
// dump, with times in UTC. Not every version has all of them: the last four are MySQL's, or MariaDB's.
var settingsOfMySQL = []string{
	"sql_mode = ''", "time_zone = '+00:00'", "sql_select_limit = 18446744073709551615", "sql_big_selects = 1",
	"sort_buffer_size = 16777216", // in which a row of a view must have its place
	"net_write_timeout = 86400", "wait_timeout = 86400", fmt.Sprintf("lock_wait_timeout = %d", int(lockIn.Seconds())),
	"max_execution_time = 0", "max_statement_time = 0", "idle_transaction_timeout = 0",
	"idle_readonly_transaction_timeout = 0",
}

// beginMySQL is what is said after that: nothing can be written.
var beginMySQL = []string{
	"SET NAMES utf8mb4",
	"SET SESSION TRANSACTION READ ONLY",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
}

func connectMySQL(w *wait, a *Address) (session, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.TLS = a.User, a.Password, a.Database, a.TLS
	c.Net, c.Addr, c.DialFunc = "tcp", a.hostPort(), a.dial(w)
	if a.socket != "" {
		c.Net, c.Addr = "unix", a.socket
	}
	c.Logger = &mysql.NopLogger{} // what it says is in the errors as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &mySQLSession{db: sql.OpenDB(connector)}
	s.conn, err = s.db.Conn(w)
	return begun(w, s, err)
}

func (s *mySQLSession) begin(ctx context.Context) error {
	for _, setting := range settingsOfMySQL {
		var e *mysql.MySQLError
		_, err := s.conn.ExecContext(ctx, "SET SESSION "+setting)
		if err != nil && (!errors.As(err, &e) || e.Number != mySQLNoVariable) {
			return err
		}
	}
	for _, text := range beginMySQL {
		if _, err := s.conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *mySQLSession) close() {
	if s.conn != nil {
		_ = s.conn.Close() // it was only read
	}
	_ = s.db.Close()
}

func (s *mySQLSession) query(
	ctx context.Context, text string, columns int, visit func([][]byte), args ...string,
) (err error) {
	with := make([]any, len(args))
	for i, arg := range args {
		with[i] = arg
	}
	rows, err := s.conn.QueryContext(ctx, text, with...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err == nil && len(names) != columns {
		err = errAnswer
	}
	if err != nil {
		return err
	}
	// Not sql.RawBytes, which would keep the rows from being closed as long as visit lasts.
	values, into := make([][]byte, columns), make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		visit(values)
	}
	return rows.Err()
}

// snapshots are the engines whose tables a transaction sees as they were.
var snapshots = []string{"innodb", "rocksdb", "tokudb"}

func (s *mySQLSession) tables(ctx context.Context, schema string) (all []serverTable, err error) {
	err = s.query(ctx, "SELECT table_schema, table_name, table_type LIKE '%VIEW', engine FROM information_schema.tables "+
		fmt.Sprintf("WHERE table_schema = if(? = '', database(), ?) ORDER BY table_name LIMIT %d", maxTables+1),
		4, func(v [][]byte) {
			t := serverTable{schema: string(v[0]), name: string(v[1]), near: true, view: string(v[2]) == "1"}
			if engine := string(v[3]); !slices.Contains(snapshots, strings.ToLower(engine)) {
				t.engine = engine
			}
			if len(all) <= maxTables {
				all = append(all, t)
			}
		}, schema, schema)
	return all, err
}

func (s *mySQLSession) columns(ctx context.Context, t serverTable) (columns []string, err error) {
	err = s.query(ctx, "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? "+
		"AND find_in_set('select', privileges) ORDER BY ordinal_position", 1, appendTo(&columns), t.schema, t.name)
	return columns, err
}

// key returns nothing if the user may not see the columns before the last that is seen.
func (s *mySQLSession) key(ctx context.Context, t serverTable) (columns []string, err error) {
	whole := true
	err = s.query(ctx, "SELECT column_name, seq_in_index FROM information_schema.statistics "+
		"WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index",
		2, func(v [][]byte) {
			appendTo(&columns)(v)
			whole = whole && string(v[1]) == strconv.Itoa(len(columns))
		}, t.schema, t.name)
	if !whole {
		return nil, err
	}
	return columns, err
}

func (s *mySQLSession) quoted(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// asStored has no index read, of which the server might take another one the second time.
func (s *mySQLSession) asStored() string { return " USE INDEX ()" }

// asText makes one byte or character more of a text than is taken, which tells that it is too long.
func (s *mySQLSession) asText(column string) string {
	return fmt.Sprintf("LEFT(%s, %d)", column, MaxValueLen+1)
}

// Numbers of MySQL's errors.
const (
	mySQLConnections    = 1040
	mySQLDatabaseDenied = 1044
	mySQLAccessDenied   = 1045
	mySQLNoDatabase     = 1049
	mySQLSyntax         = 1064
	mySQLHostDenied     = 1130
	mySQLTableDenied    = 1142
	mySQLColumnDenied   = 1143
	mySQLNoVariable     = 1193
	mySQLUserBusy       = 1203
	mySQLLocked         = 1205
	mySQLUserLimit      = 1226
	mySQLDefinition     = 1412
	mySQLNoPassword     = 1698 // of a user who is let in in some other way
	mySQLNeedsTLS       = 3159
)

func (s *mySQLSession) explain(err error) string {
	var e *mysql.MySQLError
	switch {
	case errors.Is(err, mysql.ErrNoTLS):
		return noTLS
	case errors.Is(err, mysql.ErrInvalidConn):
		return cutOff
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword),
		errors.Is(err, mysql.ErrCleartextPassword):
		return "let a user read it who is let in by mysql_native_password, caching_sha2_password or ed25519"
	case !errors.As(err, &e):
		return explainNetwork(err)
	}
	switch e.Number {
	case mySQLAccessDenied, mySQLHostDenied, mySQLNoPassword:
		return wrongPassword
	case mySQLTableDenied, mySQLColumnDenied:
		return needsSelect
	case mySQLNoDatabase, mySQLDatabaseDenied:
		return noDatabase
	case mySQLSyntax:
		return "it takes MySQL 5.6.5, MariaDB 10.0 or later, which have transactions that only read: import a dump"
	case mySQLConnections, mySQLUserBusy, mySQLUserLimit:
		return tooMany
	case mySQLLocked:
		return locked
	case mySQLDefinition:
		return "somebody has changed the table since the import began: start it again"
	case mySQLNeedsTLS:
		return needsTLS
	}
	return ""
}
