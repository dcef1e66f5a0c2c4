package table

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// What helps when a server does not let the user read.
const (
	noTLS = "it does not encrypt: turn TLS on there, or read it from its own machine, or say --from-tls off if the " +
		"network between is yours"
	wrongPassword = "the password is read of --from-password-file, or of the variable MYSQL_PWD or PGPASSWORD; the user " +
		"must be let in from this machine, and perhaps encrypted: --from-tls verify"
	needsTLS    = "it takes none but encrypted connections: say --from-tls verify, or unverified"
	needsSelect = "the user needs the right SELECT on the columns that are read, or on a view of them that --table names"
	noDatabase  = "the URL ends in the name of the database, in which the user must have the right SELECT"
	hidesRows   = "row level security would hide players from the user: give it BYPASSRLS, or have it read a view " +
		"of the tables' owner that --table names"
	locked = "somebody has kept the table locked all the time, as ALTER TABLE and LOCK TABLES do: start the import " +
		"again when that is over"
	tooMany = "there are as many connections as the server allows, to all or to the user"
	cutOff  = "the server, or something between, has ended the connection: start the import again, which goes on " +
		"where it was"
)

// explainNetwork says what would help against an error of a connection about which the server has said nothing; empty
// if that is not known.
func explainNetwork(err error) string {
	var unknown *net.DNSError
	var certificate *tls.CertificateVerificationError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var silent *silence
	switch {
	case errors.As(err, &silent):
		return "it may be stopped or overloaded, or be something else than the URL says"
	case errors.As(err, &name):
		return "its certificate is of another name: connect by that name, or --from-tls unverified takes any"
	case errors.As(err, &authority):
		return "its certificate is none that this machine trusts: --from-ca FILE names the authority that it is of, and " +
			"--from-tls unverified takes any"
	case errors.As(err, &certificate):
		return "its certificate does not hold; --from-tls unverified takes any"
	case errors.As(err, &unknown):
		return "nobody knows the host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: see that the server runs, and takes connections from this machine"
	case errors.Is(err, syscall.ENOENT):
		return "there is no such socket"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return cutOff
	}
	return ""
}

// withoutValue returns an error of a server that quotes no value: those about values have them in their text.
func withoutValue(err error) error {
	const aboutValues = "22"
	var my *mysql.MySQLError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &my) && strings.HasPrefix(string(my.SQLState[:]), aboutValues):
		return fmt.Errorf("the server cannot read a value: error %d", my.Number)
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, aboutValues):
		return fmt.Errorf("the server cannot read a value: error %s", pg.Code)
	}
	return err
}
