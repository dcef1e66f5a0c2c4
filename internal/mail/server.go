package mail

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// ErrServer is wrapped by the errors about what names no mail server. They hold no password.
var ErrServer = errors.New("not a mail server")

// security is how the way to a mail server is kept from being listened to.
type security int

const (
	implicitTLS security = iota // from the first byte on
	startTLS                    // or nothing is sent
	plain                       // within this machine
)

// server is where mail is handed in.
type server struct {
	security security
	host     string
	port     int
	user     string // empty: it asks for none
}

// parseServer reads "smtps://USER@HOST:465", which is TLS from the first byte on, "smtp://USER@HOST:587", which is
// STARTTLS, or "smtp+plain://HOST:25", which is no TLS, and of this machine only. Ports can be left out.
func parseServer(s string) (server, error) {
	u, err := url.Parse(s)
	if err != nil { // which may quote a password
		return server{}, fmt.Errorf("%w: want smtps://USER@HOST:465 or smtp://USER@HOST:587", ErrServer)
	}
	var out server
	port := 0
	switch u.Scheme {
	case "smtps":
		out.security, port = implicitTLS, 465
	case "smtp":
		out.security, port = startTLS, 587
	case "smtp+plain":
		out.security, port = plain, 25
	default:
		return server{}, fmt.Errorf("%w: it begins with none of smtps://, smtp:// (STARTTLS) and smtp+plain://", ErrServer)
	}
	if _, has := u.User.Password(); has {
		return server{}, fmt.Errorf("%w: passwords do not belong on a command line, but into a file of their own", ErrServer)
	}
	if u.Hostname() == "" || u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return server{}, fmt.Errorf("%w: want a scheme, perhaps a user, a host and perhaps a port", ErrServer)
	}
	out.host, out.port, out.user = u.Hostname(), port, u.User.Username()
	if p := u.Port(); p != "" {
		if out.port, err = strconv.Atoi(p); err != nil || out.port < 1 || out.port > 65535 {
			return server{}, fmt.Errorf("%w: there is no port %q", ErrServer, p)
		}
	}
	if out.security == plain && !isLoopback(out.host) {
		return server{}, fmt.Errorf("%w: smtp+plain:// is for one on this machine, 127.0.0.1 say; to others mail goes "+
			"by smtps:// or smtp://", ErrServer)
	}
	return out, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (s server) addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }
