package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
)

// guard is a connection to a server that the client can rely on. The client, rueidis v1.0.79, ends the whole process
// where it meets what it takes for a bug of its own, and a server, or what stands in front of one, can send such a
// thing: an answer that no command has asked for, as a server has that refuses connections, an announcement without a
// subscription, a length that is none, an error without the address that it promises. The guard lets through what is
// an answer, and one for each command; at the first byte of anything else the connection fails, like one that the
// network has cut, and the client makes another.
//
// It also ends a connection whose server has said that it cannot do its work, once all has been answered that was sent
// before: behind an address there may be another server by now, as behind that of a load balancer, and this one's
// connection would go on leading to the old one.
type guard struct {
	net.Conn

	asked   atomic.Int64 // commands that have not been answered yet
	sent    frames       // for the client's writer
	replies frames       // for its reader, as is what follows
	last    int64        // answers until the connection ends, if the server cannot do its work
	failure error        // of every further Read
}

var (
	// errUnasked is an answer without a command.
	errUnasked = errors.New("the server has said something it was not asked for")
	// errUnfit ends the connection to a server that cannot do its work.
	errUnfit = errors.New("the server cannot do its work, and there may be another behind its address")
)

func newGuard(conn net.Conn) *guard {
	g := &guard{Conn: conn}
	g.sent.begins = func() error { g.asked.Add(1); return nil }
	g.sent.ends = func([]byte) error { return nil }
	g.replies.begins = func() error {
		if g.asked.Load() == 0 {
			return errUnasked
		}
		return nil
	}
	g.replies.ends = g.answered
	return g
}

// Write counts the commands before a server can have answered them.
func (g *guard) Write(p []byte) (int, error) {
	if _, err := g.sent.feed(p); err != nil {
		return 0, fmt.Errorf("redis: command: %w", err)
	}
	return g.Conn.Write(p)
}

// Read passes on what belongs to an answer.
func (g *guard) Read(p []byte) (int, error) {
	if g.failure != nil {
		return 0, g.failure
	}
	n, err := g.Conn.Read(p)
	good, failure := g.replies.feed(p[:n])
	if failure == nil {
		return n, err
	}
	if g.failure = failure; errors.Is(failure, errUnasked) && p[good] == '-' {
		said, _, _ := strings.Cut(string(p[good+1:n]), "\r\n")
		g.failure = fmt.Errorf("%w: %.200q", failure, said)
	}
	if good == 0 {
		return 0, g.failure
	}
	return good, nil
}

// answered notes the end of an answer, of which it is given the first line.
func (g *guard) answered(line []byte) error {
	left := g.asked.Add(-1)
	if g.last == 0 && line[0] == '-' && isUnfit(string(line[1:])) {
		g.last = left + 1
	}
	if g.last == 0 {
		return nil
	}
	if g.last--; g.last == 0 {
		return errUnfit
	}
	return nil
}

// isUnfit reports that an error is a server's word that it cannot do its work, or has forgotten who the client is. It
// may be said by a script's report of an error.
func isUnfit(text string) bool {
	for _, code := range []string{
		"READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF", "LOADING", "OOM", "NOAUTH",
	} {
		if strings.HasPrefix(text, code+" ") || strings.Contains(text, " -"+code+" ") {
			return true
		}
	}
	return false
}

// dialer makes the client's connections.
type dialer struct {
	sentinels *sentinels // nil without Sentinels
}

// dial connects to a server, or to whichever the Sentinels call the master, within dialTimeout.
func (d *dialer) dial(ctx context.Context, address string, by *net.Dialer, secure *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if d.sentinels != nil {
		var err error
		if address, err = d.sentinels.master(ctx); err != nil {
			return nil, err
		}
	}
	conn, err := dialServer(ctx, address, by, secure)
	if err != nil {
		return nil, err
	}
	g := newGuard(conn)
	if d.sentinels != nil {
		d.sentinels.follow(address, g)
	}
	return g, nil
}

// close ends what finds servers. Connections are closed by the client.
func (d *dialer) close() {
	if d.sentinels != nil {
		d.sentinels.close()
	}
}

func dialServer(ctx context.Context, address string, by *net.Dialer, secure *tls.Config) (net.Conn, error) {
	if secure == nil {
		return by.DialContext(ctx, "tcp", address)
	}
	d := tls.Dialer{NetDialer: by, Config: secure}
	return d.DialContext(ctx, "tcp", address)
}
