package doorman

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
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

	mu      sync.Mutex
	shaking int       // handshakes under way
	reading list.List // of *turn, those that wait for their clients, in the order in which they began to
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
			turn := r.begin(c)
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

// begin notes a connection whose handshake begins.
func (r *reception) begin(c net.Conn) *turn {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shaking++
	return &turn{Conn: c, reception: r}
}

// end notes that a handshake has ended. The server behind counts the connection from now on.
func (r *reception) end(t *turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.evicted {
		r.shaking--
	}
}

// await notes that a handshake waits for its client, or does no longer.
func (r *reception) await(t *turn, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waits {
		t.since, t.place = time.Now(), r.reading.PushBack(t)
	} else {
		r.reading.Remove(t.place)
	}
}

// evict closes the connection whose handshake has waited for its client for the longest, if that is as long as least. A
// client that waits for its turn has done what it could.
func (r *reception) evict(least time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.reading.Front()
	if first == nil {
		return false
	}
	t := first.Value.(*turn)
	if time.Since(t.since) < least {
		return false
	}
	r.reading.Remove(first)
	t.evicted = true
	r.shaking--
	r.counts.evicted.Add(1)
	_ = t.Close() // which ends the handshake
	return true
}

// underWay returns how many handshakes are under way.
func (r *reception) underWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shaking
}

// shake does one handshake, in a turn that was taken, answers the first request if the door refuses it or it asks for
// the line, and hands the connection over.
func (r *reception) shake(t *turn) {
	c := tls.Server(t, r.cfg.TLS)
	// The deadline is the connection's, which leaves out the time for which the process stands still, unlike a context's.
	_ = t.SetDeadline(time.Now().Add(handshakeTimeout)) // fails for a connection that is closed
	on, err := net.Conn(c), c.HandshakeContext(r.ctx)
	switch {
	case err != nil: // it is the client's or the network's
		r.counts.unshaken.Add(1)
		explain(err)
	case c.ConnectionState().NegotiatedProtocol != "h2":
		on, err = r.hear(c)
	}
	t.give()
	t.over = true
	r.end(t)
	if err != nil {
		_ = t.Close()
		return
	}
	_ = t.SetDeadline(time.Time{})
	r.counts.handed.Add(1) // before the server behind can answer over it
	select {
	case r.over <- on:
	case <-r.ctx.Done(): // the node stops
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

// errOver says of a connection that all has been said.
var errOver = errors.New("doorman: the connection is over")

// hear reads the first request over a connection, and answers it if the door refuses it or it asks for the line. It
// returns the connection as it is to be handed over, or an error if there is none.
func (r *reception) hear(c *tls.Conn) (net.Conn, error) {
	addr := addrOf(c)
	if r.cfg.Passes != nil && r.cfg.Passes(addr) {
		return c, nil
	}
	stop := context.AfterFunc(r.ctx, func() { _ = c.NetConn().Close() }) // the node stops
	defer stop()
	_ = c.SetDeadline(time.Now().Add(silence)) // sockets take deadlines
	var first [1]byte                          // so that a client that says nothing holds no more than this
	if _, err := c.Read(first[:]); err != nil {
		r.counts.silent.Add(1)
		return nil, err
	}
	h := hearings.Get().(*hearing)
	defer hearings.Put(h)
	h.in[0] = first[0]
	n, err := c.Read(h.in[1:]) // the rest of it is there, unless the client sends in pieces
	if err != nil {
		r.counts.silent.Add(1)
		return nil, err
	}
	read := h.in[:1+n]
	var ok bool
	if h.answer, ok = r.reply(h.answer[:0], read, addr, &h.request, time.Now()); !ok {
		return &heard{Conn: c, read: append([]byte(nil), read...)}, nil
	}
	if _, err := c.Write(h.answer); err != nil {
		return nil, err
	}
	if h.request.last {
		_ = c.CloseWrite() // or it has gone
		return nil, errOver
	}
	return c, nil
}

// addrOf returns the address of a client.
func addrOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// hearing is what is needed to read a request and answer it.
type hearing struct {
	in      [maxRequest]byte
	answer  []byte
	request request
}

var hearings = sync.Pool{New: func() any { return new(hearing) }}

// heard is a connection of which some bytes have been read.
type heard struct {
	*tls.Conn
	read unread
}

// Read returns first what was read before.
func (c *heard) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		return c.read.take(b), nil
	}
	return c.Conn.Read(b)
}

// turn is a connection whose handshake computes only in its turn. Its methods are called on one goroutine at a time
// until the handshake is over.
type turn struct {
	net.Conn
	reception *reception
	place     *list.Element // among those that wait for their clients, since when
	since     time.Time
	evicted   bool // closed, and no longer counted; under reception.mu
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
	t.reception.await(t, true)
	n, err := t.Conn.Read(b)
	t.reception.await(t, false)
	t.take()
	return n, err
}

// NetConn returns the connection below.
func (t *turn) NetConn() net.Conn { return t.Conn }
