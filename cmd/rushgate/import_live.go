package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/records"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/internal/importer/table"
	"github.com/rushgate/rushgate/internal/smallfile"
	"github.com/rushgate/rushgate/internal/textfile"
)

// liveFlags say where the database is that another system uses, and how to get at it.
type liveFlags struct {
	from             secret
	passwordFile, ca text
	tls              choice
}

// How a connection to a database is encrypted.
const (
	tlsVerify     = "verify"
	tlsUnverified = "unverified"
	tlsOff        = "off"
)

func (v *liveFlags) declare(f *flags) {
	v.tls = choice{"", []string{tlsVerify, tlsUnverified, tlsOff}}
	f.add(&v.from, "from", "", "`URL` of the database that --system uses: mysql://USER@HOST[:PORT]/DATABASE or "+
		"postgres://USER@HOST[:PORT]/DATABASE, or ://USER@/DATABASE?socket=PATH")
	f.add(&v.passwordFile, "from-password-file", "", "`FILE` with the password of that user, a line that not everybody may be "+
		"able to read; without it MYSQL_PWD or PGPASSWORD has it")
	f.add(&v.tls, "from-tls", "", "`HOW` the connection to --from is encrypted: verify, unverified takes any certificate").
		def = "verify, on this machine off"
	f.add(&v.ca, "from-ca", "", "`FILE` with the authority that signed the certificate of --from, PEM, if this machine trusts "+
		"none that did")
}

// fromServer is what is read of a database, with the connection to it.
type fromServer struct {
	*records.Table
	server *table.Server
}

// Close implements [importer.Source]. The connection goes first, so that nothing is read to its end.
func (s fromServer) Close() error { return errors.Join(s.server.Close(), s.Table.Close()) }

// open connects to the database and looks at the tables of a system. What is said to stderr comes from several
// goroutines.
func (v *liveFlags) open(
	ctx context.Context, system *source.System, how source.Options, schemes *scheme.Set, stderr io.Writer,
) (importer.Source, error) {
	address, err := v.address()
	if err != nil {
		return nil, err
	}
	server, err := table.Connect(ctx, address, func(text string) {
		clear := ""
		if isTerminal(stderr) {
			clear = "\r\x1b[K" // there may be a bar
		}
		fmt.Fprintf(stderr, "%s--from: %s\n", clear, text)
	})
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	players, err := system.OpenServer(ctx, server, how)
	if err == nil {
		err = tellMissing(players, "database", stderr)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--from: %w", err), server.Close())
	}
	return fromServer{records.FromTable(players, schemes), server}, nil
}

// address returns where the database is, with what it takes to get at it.
func (v *liveFlags) address() (*table.Address, error) {
	a, err := table.ParseAddress(string(v.from))
	if err != nil {
		return nil, usagef("--from: %w; --from-password-file is for the password", err)
	}
	if v.passwordFile != "" {
		a.Password, err = readPassword(string(v.passwordFile))
	} else {
		a.Password = os.Getenv(a.PasswordVariable())
	}
	if err != nil {
		return nil, fmt.Errorf("--from-password-file: %w", err)
	}
	var authorities *x509.CertPool
	if v.ca != "" {
		const longest = 1 << 20
		pem, _, err := smallfile.Read(string(v.ca), longest)
		if err != nil {
			return nil, fmt.Errorf("--from-ca: %w", err)
		}
		if authorities = x509.NewCertPool(); !authorities.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--from-ca: there is no certificate in %s", v.ca)
		}
	}
	switch how := v.tls.value; {
	case v.ca != "" && how != "" && how != tlsVerify:
		return nil, usagef("--from-ca is for --from-tls %s", tlsVerify)
	case how == tlsOff, how == "" && a.Local() && v.ca == "":
		return a, nil
	default:
		if err := a.Encrypt(authorities, how == tlsUnverified); err != nil {
			return nil, usagef("--from-tls, --from-ca: %w", err)
		}
		return a, nil
	}
}

// readPassword reads a line from a file that not everybody on the machine can read. Errors tell nothing of it.
func readPassword(path string) (string, error) {
	const longest = 1024
	b, info, err := smallfile.Read(path, longest)
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s is open to everybody on this machine (mode %#o); chmod 600 it", path, mode)
	}
	if b, err = textfile.Text(b); err != nil {
		return "", fmt.Errorf("%s is %w", path, err)
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 || len(b) > longest || bytes.ContainsAny(b, "\r\n\x00") {
		return "", fmt.Errorf("%s holds no line, or several, or too long a one", path)
	}
	return string(b), nil
}
