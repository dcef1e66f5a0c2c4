package table

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Address is where a server with a database is, and who asks it.
type Address struct {
	// Database is the name of the database.
	Database string
	// User is the user's name; Password may be empty.
	User, Password string
	// TLS is how the connection is encrypted, nil for not at all; see [Address.Encrypt].
	TLS *tls.Config

	flavour flavour
	host    string // without Socket
	port    uint16
	socket  string                                                               // the path of a Unix socket
	dialer  func(ctx context.Context, network, address string) (net.Conn, error) // nil for that of package net
	lookup  func(ctx context.Context, host string) ([]string, error)             // nil for that of package net
}

// flavour is which of the servers it is.
type flavour string

const (
	mariaDB  flavour = "MySQL"
	postgres flavour = "PostgreSQL"
)

var (
	errAddress  = errors.New("it is not of the form mysql://USER@HOST/DATABASE or postgres://USER@HOST/DATABASE")
	errPassword = errors.New("there is a password in it, which others can see in the list of processes")
)

// ParseAddress reads the URL of a database: mysql:// or mariadb://, postgres:// or postgresql://, with a user, a host
// and perhaps a port, and the name of the database. A socket of Unix stands behind it: ?socket=PATH. A password must
// not be in it. Errors repeat nothing of the text.
func ParseAddress(text string) (*Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errAddress // that of package url has the text
	}
	a := &Address{User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/"), host: u.Hostname()}
	switch u.Scheme {
	case "mysql", "mariadb":
		a.flavour, a.port = mariaDB, 3306
	case "postgres", "postgresql":
		a.flavour, a.port = postgres, 5432
	default:
		return nil, errAddress
	}
	if _, given := u.User.Password(); given {
		return nil, errPassword
	}
	values, err := url.ParseQuery(u.RawQuery)
	a.socket = values.Get("socket")
	values.Del("socket")
	switch {
	case err != nil || len(values) > 0 || u.Fragment != "":
		return nil, errors.New("behind the database there may be ?socket=PATH and nothing else")
	case a.User == "" || a.Database == "" || (a.host == "") == (a.socket == ""),
		strings.ContainsFunc(a.User+a.Database+a.host+a.socket, unicode.IsControl):
		return nil, errAddress
	case a.socket != "" && !filepath.IsAbs(a.socket):
		return nil, errors.New("the path of the socket does not begin with /")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("the port is not 1 to 65535")
		}
		a.port = uint16(n)
	}
	return a, nil
}

// String is the address without the user and the password, for people.
func (a *Address) String() string {
	if a.socket != "" {
		return fmt.Sprintf("the database %+q of %s at %s", a.Database, a.flavour, a.socket)
	}
	return fmt.Sprintf("the database %+q of %s at %s", a.Database, a.flavour, a.hostPort())
}

func (a *Address) hostPort() string { return net.JoinHostPort(a.host, strconv.Itoa(int(a.port))) }

// Local tells that what is said to the server does not leave the machine.
func (a *Address) Local() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.socket != "" || a.host == "localhost" || err == nil && ip.IsLoopback()
}

// PasswordVariable is the environment variable in which the server's own programs look for a password.
func (a *Address) PasswordVariable() string {
	if a.flavour == postgres {
		return "PGPASSWORD"
	}
	return "MYSQL_PWD"
}

// Encrypt has the connection encrypted. The server's certificate must be one for the host of an authority that the
// machine trusts, or of those of authorities if there are any; unless trusting is set, which takes any. It is an error
// where there is no host.
func (a *Address) Encrypt(authorities *x509.CertPool, trusting bool) error {
	if a.socket != "" {
		return errors.New("what is said by a socket does not leave the machine, and is not encrypted")
	}
	a.TLS = &tls.Config{
		ServerName: a.host, RootCAs: authorities, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: trusting, //nolint:gosec // as the operator says
	}
	return nil
}
