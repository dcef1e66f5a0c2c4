package table

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// What helps when a server does not let the user read.
const (
	noTLS = "it does not encrypt: turn TLS on there, or read it from its own machine, or say --from-tls off if the " +
		"network between is yours"
	wrongPassword = "the password is read of --from-password-file, or of the variable MYSQL_PWD or PGPASSWORD; the user " +
		"must be let in from this machine"
	needsSelect = "the user needs the right SELECT on the whole table, or on a view of it that --table names"
	noDatabase  = "the URL ends in the name of the database, in which the user must have the right SELECT"
)

// explainNetwork says what would help against an error before the server has said anything; empty if that is not
// known.
func explainNetwork(err error) string {
	var unknown *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "its certificate is none that this machine trusts: --from-ca FILE names the authority that it is of, and " +
			"--from-tls unverified takes any"
	case errors.As(err, &unknown):
		return "nobody knows the host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: see that the server runs, and takes connections from this machine"
	case errors.Is(err, syscall.ENOENT):
		return "there is no such socket"
	}
	return ""
}
