package doorman

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

const (
	// handshakeTimeout is how long a client has to complete its handshake.
	handshakeTimeout = 5 * time.Second
	// greeted is how many clients may wait for their handshake. All others wait in the kernel, which costs nothing.
	greeted = 64
)

// reception does the handshakes of a doorman's TLS: as many compute at once as there are cores, within the door's share
// of the CPU. While a handshake waits for its client it holds nothing up.
type reception struct {
	*Doorman
	hellos chan net.Conn // clients who have begun to speak
	slots  chan struct{} // of those who compute
	giveUp context.CancelFunc
	ctx    context.Context
}

func (d *Doorman) openReception() *reception {
	r := &reception{
		Doorman: d, hellos: make(chan net.Conn, greeted), slots: make(chan struct{}, d.cfg.Share.Cores),
	}
	r.ctx, r.giveUp = context.WithCancel(context.Background())
	d.ended.Go(r.greet)
	return r
}

// greet begins handshakes when the door may use the CPU.
func (r *reception) greet() {
	defer r.dismiss()
	for {
		select {
		case c := <-r.hellos:
			if !r.cfg.Share.wait(r.ctx) {
				_ = c.Close() // the node stops
				return
			}
			turn := &turn{Conn: c, reception: r}
			turn.take()
			r.ended.Go(func() { r.shake(turn) })
		case <-r.ctx.Done():
			return
		}
	}
}

// dismiss closes the connections of clients that are not greeted any more.
func (r *reception) dismiss() {
	for {
		select {
		case c := <-r.hellos:
			_ = c.Close() // the client has not been told anything
		default:
			return
		}
	}
}

// shake does one handshake, in a turn that was taken, and hands the connection over.
func (r *reception) shake(t *turn) {
	c := tls.Server(t, r.cfg.TLS)
	ctx, cancel := context.WithTimeout(r.ctx, handshakeTimeout)
	defer cancel()
	err := c.HandshakeContext(ctx)
	t.give()
	t.over = true
	if err != nil {
		r.counts.unshaken.Add(1)
		explain(err)
		_ = t.Close() // it is the client's or the network's
		return
	}
	select {
	case r.over <- c:
		r.counts.handed.Add(1)
	case <-r.ctx.Done():
		_ = t.Close()
	}
}

// explain tells a client that speaks plain HTTP what is wrong, in the words of net/http.
func explain(err error) {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil {
		return
	}
	if slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"}, string(plain.RecordHeader[:])) {
		const wrong = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
		_, _ = io.WriteString(plain.Conn, wrong) // it is as well if the client has gone
	}
}

// turn is a connection whose handshake computes only in its turn. Its methods are called on one goroutine at a time
// until the handshake is over.
type turn struct {
	net.Conn
	reception *reception
	watch     cpuclock.Stopwatch
	over      bool // the handshake
}

func (t *turn) take() {
	t.reception.slots <- struct{}{}
	t.watch = cpuclock.Start()
}

func (t *turn) give() {
	used := t.watch.Elapsed()
	t.reception.cfg.Share.spend(used)
	t.reception.counts.cpu.Add(int64(used))
	<-t.reception.slots
}

// Read gives the turn to others while the handshake waits for its client.
func (t *turn) Read(b []byte) (int, error) {
	if t.over {
		return t.Conn.Read(b)
	}
	t.give()
	n, err := t.Conn.Read(b)
	t.take()
	return n, err
}

// NetConn returns the connection below.
func (t *turn) NetConn() net.Conn { return t.Conn }
