package udpknock

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"time"
)

// probing is when a probe is sent again that is not answered. After the last pause it fails.
var probing = [...]time.Duration{150 * time.Millisecond, 300 * time.Millisecond, 550 * time.Millisecond}

// Probe asks whether there is a road by UDP to a node and back: it knocks without a cookie, and returns nil when the
// cookie has come, which costs the node a fraction of a microsecond. It asks for no place in the line. The answer is
// not authenticated: a machine on the way can give it, too.
//
// It sends three datagrams at most, within a second. The error wraps [ErrNoAnswer], or that of ctx. The socket is as
// [Asker].Conn.
func Probe(ctx context.Context, conn net.Conn) error {
	q := question{conn: conn}
	_, _ = rand.Read(q.knock.Nonce[:]) // neither fails
	_, _ = rand.Read(q.knock.Holder[:])
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for _, wait := range probing {
		if err := q.send(ctx); err != nil {
			return err
		}
		for until := time.Now().Add(wait); ; {
			b, err := q.read(ctx, until)
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if nonce, _, ok := ParseCookie(b); ok && nonce == q.knock.Nonce {
				return nil
			}
		}
	}
	return fmt.Errorf("%w to a probe", ErrNoAnswer)
}
