package table

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// maxAddresses is how many addresses of a name are waited for as long as it takes.
const maxAddresses = 6

// dial makes a connection, and then waits for the login.
func (a *Address) dial(w *wait) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		limit := connectIn * time.Duration(a.addresses(ctx, w))
		awaited := "a connection to " + address
		w.on(awaited, limit)
		dial := a.dialer
		if dial == nil { // which gives each address its part of the time
			dial = (&net.Dialer{Timeout: limit}).DialContext
		}
		conn, err := dial(ctx, network, address)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
			err = &silence{awaited, limit}
		}
		if err != nil {
			return nil, err
		}
		w.on("its greeting and the login", loginIn)
		w.first = &firstWords{Conn: conn}
		return w.first, nil
	}
}

// addresses returns how many addresses the host has, 1 to maxAddresses: 1 if they cannot be told, of which dialling
// will say more.
func (a *Address) addresses(ctx context.Context, w *wait) int {
	lookup := a.lookup
	if lookup == nil && a.dialer == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	if a.socket != "" || lookup == nil {
		return 1
	}
	w.on("the addresses of "+a.host, connectIn)
	all, err := lookup(ctx, a.host)
	if err != nil {
		return 1
	}
	return min(max(len(all), 1), maxAddresses)
}

// firstWords is a connection that remembers how what the server says begins. One goroutine at a time reads.
type firstWords struct {
	net.Conn
	rest []byte // of what was said, that nobody has read yet

	mu   sync.Mutex
	said []byte
}

func (c *firstWords) begins() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

// firstLen is how much of it is remembered.
const firstLen = 64

// Read implements [net.Conn].
func (c *firstWords) Read(b []byte) (int, error) {
	if c.begins() == nil && len(b) > 0 {
		buf := make([]byte, firstLen)
		n, err := c.Conn.Read(buf)
		if n == 0 {
			return 0, err
		}
		c.mu.Lock()
		c.said, c.rest = buf[:n], buf[:n]
		c.mu.Unlock()
	}
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// otherServer says what listens in the place of the server that a URL says, after a connection to it was made and came
// to nothing; empty if it may be that server.
func (a *Address) otherServer(ctx context.Context, w *wait) string {
	if w.first == nil {
		return ""
	}
	said := w.first.begins()
	const mistaken = "what listens there is %s, and the URL is one of %s: write %s:// and the port of the database"
	switch {
	case a.flavour == postgres && likeMySQL(said):
		return fmt.Sprintf(mistaken, "MySQL or MariaDB", "PostgreSQL", "mysql")
	case a.flavour == mariaDB && len(said) == 0 && w.err() != nil && a.answersAsPostgreSQL(ctx):
		return fmt.Sprintf(mistaken, "PostgreSQL", "MySQL", "postgres")
	case a.flavour == postgres && len(said) > 0 && !likePostgreSQL(said),
		a.flavour == mariaDB && len(said) > 0 && !likeMySQL(said):
		return fmt.Sprintf("what listens there does not speak as %s does", a.flavour)
	}
	return ""
}

// likeMySQL reports whether a server begins as MySQL does: with its first packet, which is a greeting or an error.
func likeMySQL(said []byte) bool {
	const greeting, failed = 10, 0xff
	return len(said) > 4 && said[3] == 0 && (said[4] == greeting || said[4] == failed)
}

// likePostgreSQL reports whether a server begins as PostgreSQL does: with a yes or no to encryption, with what it wants
// for the login, with what it is able to, or with an error.
func likePostgreSQL(said []byte) bool {
	switch said[0] {
	case 'S', 'N':
		return len(said) == 1 || said[1] == 0 // no text
	case 'R', 'E', 'v':
		return len(said) < 5 || binary.BigEndian.Uint32(said[1:]) < 1<<16
	}
	return false
}

// answersAsPostgreSQL asks in the way of PostgreSQL for encryption, to which nobody else says yes or no. A server of
// that kind says nothing before it is asked.
func (a *Address) answersAsPostgreSQL(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	dial := a.dialer
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	network, address := "tcp", a.hostPort()
	if a.socket != "" {
		network, address = "unix", a.socket
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	answer := make([]byte, 1)
	if _, err := c.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return false
	}
	_, err = io.ReadFull(c, answer)
	return err == nil && (answer[0] == 'S' || answer[0] == 'N')
}
