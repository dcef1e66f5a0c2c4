package udpknock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// patience is how long a client waits for an answer to each of its tries.
var patience = [...]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}

// ErrNoAnswer is wrapped by the errors of [Asker.Ask] when nothing was heard that answers the question, so that the
// client is to ask over HTTP.
var ErrNoAnswer = errors.New("udpknock: no answer")

// Asker asks one node by UDP, again and again: keep it as long as the client is in the line. One goroutine at a time;
// the Asker has none of its own.
type Asker struct {
	// Conn is a socket that is connected to the node, and takes datagrams from there only. Its owner closes it. Ask
	// sets its read deadlines.
	Conn net.Conn

	// Rand is where nonces are read from; nil means crypto/rand.Reader.
	Rand io.Reader

	cookie Cookie // the newest, which spares a client that asks again one round trip
}

// Ask knocks, and returns what the node says. The ticket is the one that the client holds already, up to [MaxTicket]
// bytes, nil for none. That of the reply is the caller's to keep, beside the one it had: the reply is not
// authenticated, and the ticket may turn out to be none.
//
// It tries three times, and gives up after 1.75 s: sooner if the socket fails, since a machine that listens at no such
// port may say so. The error then wraps [ErrNoAnswer], and what the socket said, if it did; or it wraps that of ctx. It
// sends six datagrams at most, whatever comes. What does not answer this question, or answers it as no node does, is
// ignored.
func (a *Asker) Ask(ctx context.Context, holder Holder, ticket []byte) (Reply, error) {
	if len(ticket) > MaxTicket {
		return Reply{}, fmt.Errorf("udpknock: a ticket of %d bytes, want %d at most", len(ticket), MaxTicket)
	}
	random := a.Rand
	if random == nil {
		random = rand.Reader
	}
	q := question{conn: a.Conn, knock: Knock{Cookie: a.cookie, Holder: holder, Ticket: ticket}}
	defer func() { a.cookie = q.knock.Cookie }()
	if _, err := io.ReadFull(random, q.knock.Nonce[:]); err != nil {
		return Reply{}, fmt.Errorf("udpknock: nonce: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = a.Conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for _, wait := range patience {
		if r, ok, err := q.try(ctx, time.Now().Add(wait)); ok || err != nil {
			return r, err
		}
	}
	return Reply{}, ErrNoAnswer
}

// question is one that is being asked. Its nonce stays the same over all tries.
type question struct {
	conn  net.Conn
	knock Knock
	out   [KnockSize]byte
	in    [KnockSize]byte // more than any answer has, so that none that is longer is cut to one that is right
}

// try knocks, and listens until a time. Without an answer by then it is not ok.
func (q *question) try(ctx context.Context, until time.Time) (_ Reply, ok bool, _ error) {
	if err := q.send(ctx); err != nil {
		return Reply{}, false, err
	}
	for returned := false; ; {
		b, err := q.read(ctx, until)
		if b == nil || err != nil {
			return Reply{}, false, err
		}
		if nonce, c, r, ok := ParseAnswer(b); ok && nonce == q.knock.Nonce {
			q.knock.Cookie = c
			r.Ticket = append([]byte(nil), r.Ticket...)
			return r, true, nil
		}
		// One cookie of each try goes back at once: the node no longer knows the one that it was shown.
		if nonce, c, ok := ParseCookie(b); ok && nonce == q.knock.Nonce && c != q.knock.Cookie && !returned {
			q.knock.Cookie, returned = c, true
			if err := q.send(ctx); err != nil {
				return Reply{}, false, err
			}
		}
	}
}

func (q *question) send(ctx context.Context) error {
	_, err := q.conn.Write(AppendKnock(q.out[:0], &q.knock))
	return q.failure(ctx, err)
}

// read returns the next datagram, or nil when it is time.
func (q *question) read(ctx context.Context, until time.Time) ([]byte, error) {
	for {
		err := q.conn.SetReadDeadline(until)
		if err == nil && ctx.Err() == nil { // a context that ends from here on ends the read
			var n int
			if n, err = q.conn.Read(q.in[:]); err == nil {
				return q.in[:n], nil
			}
		}
		if ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, q.failure(ctx, err)
		}
		if !time.Now().Before(until) {
			return nil, nil
		}
	}
}

// failure is the error of Ask for one of the socket; that of the context goes before it.
func (q *question) failure(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("udpknock: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	default:
		return nil
	}
}
