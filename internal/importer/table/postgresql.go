package table

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgreSQLSession is a connection to PostgreSQL.
type postgreSQLSession struct{ conn *pgconn.PgConn }

// settingsOfPostgreSQL are those of the connection: nothing can be written, rows may be waited for as long as the
// import takes, and values are written as in a dump.
var settingsOfPostgreSQL = map[string]string{
	"default_transaction_read_only": "on", "client_encoding": "UTF8", "TimeZone": "UTC", "DateStyle": "ISO",
	"bytea_output": "hex", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
	"synchronize_seqscans": "off", "application_name": "rushgate import",
}

func connectPostgreSQL(ctx context.Context, a *Address) (session, error) {
	host, port := a.host, a.port
	if a.socket != "" { // its folder, or the socket itself
		host = a.socket
		if n, ok := strings.CutPrefix(filepath.Base(a.socket), ".s.PGSQL."); ok {
			if number, err := strconv.ParseUint(n, 10, 16); err == nil {
				host, port = filepath.Dir(a.socket), uint16(number)
			}
		}
	}
	u := url.URL{Scheme: "postgres", User: url.User(a.User), Path: "/" + a.Database, RawQuery: url.Values{
		"host": {host}, "port": {strconv.Itoa(int(port))}, "sslmode": {"disable"},
	}.Encode()}
	c, err := pgconn.ParseConfig(u.String())
	if err != nil {
		return nil, errAddress
	}
	if a.Password != "" { // otherwise it may have one of the file .pgpass
		c.Password = a.Password
	}
	c.TLSConfig, c.Fallbacks, c.RuntimeParams = a.TLS, nil, settingsOfPostgreSQL
	s := &postgreSQLSession{}
	if s.conn, err = pgconn.ConnectConfig(ctx, c); err == nil {
		_, err = s.query(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", nil)
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

func (s *postgreSQLSession) close() {
	if s.conn == nil {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel() // it says no goodbye to a server that may not listen
	_ = s.conn.Close(over)
}

func (s *postgreSQLSession) query(
	ctx context.Context, text string, visit func([][]byte) bool, args ...string,
) (columns []string, err error) {
	with := make([][]byte, len(args))
	for i, arg := range args {
		with[i] = []byte(arg)
	}
	rows := s.conn.ExecParams(ctx, text, with, nil, nil, nil)
	defer func() {
		_, more := rows.Close() // which reads what is left
		err = errors.Join(err, more)
	}()
	for _, f := range rows.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	for rows.NextRow() {
		if !visit(rows.Values()) {
			return columns, nil
		}
	}
	return columns, nil
}

func (s *postgreSQLSession) tables(ctx context.Context, schema string) (all []serverTable, err error) {
	_, err = s.query(ctx, "SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid) "+
		"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "+
		"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' "+
		"AND n.nspname <> 'information_schema' AND ($1::text = '' OR lower(n.nspname) = lower($1::text)) "+
		"AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2",
		func(v [][]byte) bool {
			all = append(all, serverTable{string(v[0]), string(v[1]), string(v[2]) == "t"})
			return len(all) < MaxColumns
		}, schema)
	return all, err
}

// columns asks within a savepoint: an error would end the transaction.
func (s *postgreSQLSession) columns(ctx context.Context, t serverTable) ([]string, error) {
	if _, err := s.query(ctx, "SAVEPOINT looking", nil); err != nil {
		return nil, err
	}
	columns, err := s.query(ctx, "SELECT * FROM "+s.quoted(t.schema)+"."+s.quoted(t.name)+" LIMIT 0", nil)
	if s.denied(err) {
		_, further := s.query(ctx, "ROLLBACK TO SAVEPOINT looking", nil)
		err = errors.Join(err, further)
	}
	return columns, err
}

func (s *postgreSQLSession) key(ctx context.Context, t serverTable) (columns []string, err error) {
	_, err = s.query(ctx, "SELECT a.attname FROM pg_catalog.pg_index i "+
		"JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "+
		"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "+
		"WHERE i.indisprimary AND n.nspname = $1 AND c.relname = $2 "+
		"ORDER BY pg_catalog.array_position(i.indkey::int2[], a.attnum)",
		func(v [][]byte) bool {
			columns = append(columns, string(v[0]))
			return true
		}, t.schema, t.name)
	return columns, err
}

func (s *postgreSQLSession) quoted(name string) string { return quoted(name) }

// asText writes a value as COPY does, with one character more of it than is taken, which tells that it is too long.
func (s *postgreSQLSession) asText(column string) string {
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN left(concat(%s), %d) END", column, column, MaxValueLen+1)
}

// Codes of PostgreSQL's errors.
const (
	postgreSQLDenied        = "42501"
	postgreSQLWrongPassword = "28P01"
	postgreSQLNoLogin       = "28000"
	postgreSQLNoDatabase    = "3D000"
)

func (s *postgreSQLSession) denied(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == postgreSQLDenied
}

func (s *postgreSQLSession) explain(err error) string {
	var e *pgconn.PgError
	switch {
	case err != nil && strings.Contains(err.Error(), "server refused TLS"):
		return noTLS
	case !errors.As(err, &e):
		return explainNetwork(err)
	case e.Code == postgreSQLWrongPassword, e.Code == postgreSQLNoLogin:
		return wrongPassword
	case e.Code == postgreSQLNoDatabase:
		return noDatabase
	case e.Code == postgreSQLDenied:
		return needsSelect
	}
	return ""
}
