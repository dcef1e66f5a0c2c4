package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgreSQLSession is a connection to PostgreSQL.
type postgreSQLSession struct {
	conn *pgconn.PgConn // nil as long as there is none
	raw  net.Conn       // that by which conn speaks
}

// settingsOfPostgreSQL are those of the transaction, as far as the server knows them, which a pool between here and the
// server lets pass: rows may be waited for as long as the import takes, those that the user may not see are an error
// rather than left out, and values are written as in a dump, as they are where nobody knows their encoding. Rows that
// are not sorted come as they are stored.
var settingsOfPostgreSQL = `SELECT pg_catalog.set_config(s.name, v.value, true)
	FROM pg_catalog.pg_settings s JOIN (VALUES
	('client_encoding',
		CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END),
	('row_security', 'off'), ('idle_in_transaction_session_timeout', '0'),
	('transaction_timeout', '0'), ('lock_timeout', '` + lockIn.String() + `'),
	('timezone', 'UTC'), ('datestyle', 'ISO'), ('intervalstyle', 'postgres'), ('bytea_output', 'hex'),
	('extra_float_digits', '3'),
	('synchronize_seqscans', 'off'), ('max_parallel_workers_per_gather', '0'), ('enable_indexonlyscan', 'off'),
	('enable_bitmapscan', 'off')) v (name, value) ON pg_catalog.lower(s.name) = v.name`

func connectPostgreSQL(w *wait, a *Address) (session, error) {
	c, err := configOfPostgreSQL(a)
	if err != nil {
		return nil, err
	}
	s, dial := &postgreSQLSession{}, a.dial(w)
	c.DialFunc = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		if s.raw != nil { // to have what is asked broken off, as it is when the connection ends
			return nil, net.ErrClosed
		}
		s.raw, err = dial(ctx, network, address)
		return s.raw, err
	}
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // dial does it
	s.conn, err = pgconn.ConnectConfig(w, c)
	return begun(w, s, err)
}

func (s *postgreSQLSession) begin(ctx context.Context) error {
	for _, text := range []string{
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL statement_timeout = 0", settingsOfPostgreSQL,
	} {
		if err := s.query(ctx, text, 1, func([][]byte) {}); err != nil {
			return err
		}
	}
	return nil
}

func configOfPostgreSQL(a *Address) (*pgconn.Config, error) {
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
		return nil, errVariables
	}
	if a.Password != "" { // otherwise it may have one of the file .pgpass
		c.Password = a.Password
	}
	c.MaxProtocolMessageBodyLen = maxMessage
	c.TLSConfig, c.Fallbacks, c.ValidateConnect, c.ConnectTimeout = a.TLS, nil, nil, 0
	c.RuntimeParams = map[string]string{"client_encoding": "UTF8", "application_name": "rushgate import"}
	return c, nil
}

// maxMessage is the greatest length of what the server says at once in bytes, such as a row; it is that of MySQL.
const maxMessage = 64 << 20

var errVariables = errors.New("a variable PG… of the environment is not as it should be: unset those")

// close says goodbye, unless what was asked was broken off.
func (s *postgreSQLSession) close() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // it was only read
	_ = s.raw.Close()     // for which the goroutine waits that has broken off
	<-s.conn.CleanupDone()
}

func (s *postgreSQLSession) query(
	ctx context.Context, text string, columns int, visit func([][]byte), args ...string,
) (err error) {
	with := make([][]byte, len(args))
	for i, arg := range args {
		with[i] = []byte(arg)
	}
	rows := s.conn.ExecParams(ctx, text, with, nil, nil, nil)
	for rows.NextRow() {
		if values := rows.Values(); len(values) == columns {
			visit(values)
		} else {
			err = errAnswer
		}
	}
	_, ended := rows.Close()
	return cmp.Or(ended, err)
}

func (s *postgreSQLSession) tables(ctx context.Context, schema string) (all []serverTable, err error) {
	err = s.query(ctx, "SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid), c.relkind IN ('v', 'f') "+
		"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "+
		"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' "+
		"AND n.nspname <> 'information_schema' AND ($1::text = '' OR lower(n.nspname) = lower($1::text)) "+
		fmt.Sprintf("AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2 LIMIT %d", maxTables+1),
		4, func(v [][]byte) {
			if len(all) > maxTables {
				return
			}
			all = append(all, serverTable{
				schema: string(v[0]), name: string(v[1]), near: string(v[2]) == "t", view: string(v[3]) == "t",
			})
		}, schema)
	return all, err
}

func (s *postgreSQLSession) columns(ctx context.Context, t serverTable) (columns []string, err error) {
	err = s.query(ctx, "SELECT a.attname FROM pg_catalog.pg_attribute a "+
		"JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "+
		"WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped "+
		"AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum",
		1, appendTo(&columns), t.schema, t.name)
	return columns, err
}

func (s *postgreSQLSession) key(ctx context.Context, t serverTable) (columns []string, err error) {
	err = s.query(ctx, "SELECT a.attname FROM pg_catalog.pg_index i "+
		"JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "+
		"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "+
		"WHERE i.indisprimary AND n.nspname = $1 AND c.relname = $2 "+
		"ORDER BY pg_catalog.array_position(i.indkey::int2[], a.attnum)", 1, appendTo(&columns), t.schema, t.name)
	return columns, err
}

func (s *postgreSQLSession) asStored() string { return "" }

func (s *postgreSQLSession) quoted(name string) string { return quoted(name) }

// asText writes a value as COPY does, with one character more of it than is taken, which tells that it is too long. A
// composite value of which a part is NULL is not NULL itself.
func (s *postgreSQLSession) asText(column string) string {
	return fmt.Sprintf("CASE WHEN %s IS DISTINCT FROM NULL THEN left(concat(%s), %d) END", column, column, MaxValueLen+1)
}

// Codes of PostgreSQL's errors.
const (
	postgreSQLNoLogin       = "28000"
	postgreSQLWrongPassword = "28P01"
	postgreSQLNoDatabase    = "3D000"
	postgreSQLConflict      = "40001"
	postgreSQLDenied        = "42501"
	postgreSQLConnections   = "53300"
	postgreSQLLocked        = "55P03"
	postgreSQLShutdown      = "57P01"
	postgreSQLCrash         = "57P02"
)

func (s *postgreSQLSession) explain(err error) string {
	var e *pgconn.PgError
	switch {
	case err != nil && strings.Contains(err.Error(), "server refused TLS"):
		return noTLS
	case !errors.As(err, &e):
		return explainNetwork(err)
	}
	switch e.Code {
	case postgreSQLWrongPassword, postgreSQLNoLogin:
		return wrongPassword
	case postgreSQLNoDatabase:
		return noDatabase
	case postgreSQLDenied:
		if e.Routine == "check_enable_rls" {
			return hidesRows
		}
		return needsSelect
	case postgreSQLConnections:
		return tooMany
	case postgreSQLLocked:
		return locked
	case postgreSQLConflict:
		return "a standby did not keep the rows as they were: start the import again, and have it " +
			"max_standby_streaming_delay longer, or read the primary"
	case postgreSQLShutdown, postgreSQLCrash:
		return cutOff
	}
	return ""
}
