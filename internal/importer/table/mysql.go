package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQLSession is a connection to MySQL or MariaDB.
type mySQLSession struct {
	db   *sql.DB
	conn *sql.Conn
}

// beginMySQL is what is said first: nothing can be written, and rows may be waited for as long as the import takes.
// Times are in UTC, as in a dump.
var beginMySQL = []string{
	"SET SESSION TRANSACTION READ ONLY",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"SET SESSION time_zone = '+00:00', net_write_timeout = 86400, wait_timeout = 86400",
	"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
}

// limitsOfMySQL take away how long a query may take: the one of MySQL, the other of MariaDB.
var limitsOfMySQL = []string{"SET SESSION max_execution_time = 0", "SET SESSION max_statement_time = 0"}

func connectMySQL(ctx context.Context, a *Address) (session, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.TLS = a.User, a.Password, a.Database, a.TLS
	c.Net, c.Addr = "tcp", a.hostPort()
	if a.socket != "" {
		c.Net, c.Addr = "unix", a.socket
	}
	c.Logger = &mysql.NopLogger{} // what it says is in the errors as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &mySQLSession{db: sql.OpenDB(connector)}
	if s.conn, err = s.db.Conn(ctx); err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		s.close()
		if help := s.explain(err); help != "" {
			err = fmt.Errorf("%w\n  %s", err, help)
		}
		return nil, err
	}
	return s, nil
}

func (s *mySQLSession) begin(ctx context.Context) error {
	for _, text := range limitsOfMySQL {
		const unknownVariable = 1193
		var e *mysql.MySQLError
		if _, err := s.conn.ExecContext(ctx, text); err != nil && (!errors.As(err, &e) || e.Number != unknownVariable) {
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
	ctx context.Context, text string, visit func([][]byte) bool, args ...string,
) (columns []string, err error) {
	with := make([]any, len(args))
	for i, arg := range args {
		with[i] = arg
	}
	rows, err := s.conn.QueryContext(ctx, text, with...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	// Not sql.RawBytes, which would keep the rows from being closed as long as visit lasts.
	values, into := make([][]byte, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if !visit(values) {
			return columns, nil
		}
	}
	return columns, rows.Err()
}

func (s *mySQLSession) tables(ctx context.Context, schema string) (all []serverTable, err error) {
	_, err = s.query(ctx, "SELECT table_schema, table_name FROM information_schema.tables "+
		"WHERE table_schema = if(? = '', database(), ?) ORDER BY table_name",
		func(v [][]byte) bool {
			all = append(all, serverTable{string(v[0]), string(v[1]), true})
			return len(all) < MaxColumns
		}, schema, schema)
	return all, err
}

func (s *mySQLSession) columns(ctx context.Context, t serverTable) ([]string, error) {
	return s.query(ctx, "SELECT * FROM "+s.quoted(t.schema)+"."+s.quoted(t.name)+" LIMIT 0", nil)
}

func (s *mySQLSession) key(ctx context.Context, t serverTable) (columns []string, err error) {
	_, err = s.query(ctx, "SELECT column_name FROM information_schema.statistics "+
		"WHERE table_schema = ? AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index",
		func(v [][]byte) bool {
			columns = append(columns, string(v[0]))
			return true
		}, t.schema, t.name)
	return columns, err
}

func (s *mySQLSession) quoted(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// asText makes one byte or character more of a text than is taken, which tells that it is too long.
func (s *mySQLSession) asText(column string) string {
	return fmt.Sprintf("LEFT(%s, %d)", column, MaxValueLen+1)
}

// Numbers of MySQL's errors.
const (
	mySQLDatabaseDenied = 1044
	mySQLAccessDenied   = 1045
	mySQLNoDatabase     = 1049
	mySQLTableDenied    = 1142
	mySQLColumnDenied   = 1143
	mySQLSyntax         = 1064
)

func (s *mySQLSession) denied(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == mySQLTableDenied || e.Number == mySQLColumnDenied)
}

func (s *mySQLSession) explain(err error) string {
	var e *mysql.MySQLError
	switch {
	case errors.Is(err, mysql.ErrNoTLS):
		return noTLS
	case !errors.As(err, &e):
		return explainNetwork(err)
	case e.Number == mySQLAccessDenied:
		return wrongPassword
	case s.denied(err):
		return needsSelect
	case e.Number == mySQLNoDatabase || e.Number == mySQLDatabaseDenied:
		return noDatabase
	case e.Number == mySQLSyntax:
		return "it takes MySQL 5.6.5, MariaDB 10.0 or later, which have transactions that only read: import a dump"
	}
	return ""
}
