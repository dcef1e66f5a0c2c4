// Package doorman answers clients whom the door refuses before HTTP is spoken with them. Under a flood of knocks nearly
// every connection brings one login that is refused, and for these the doorman does what has to be done and no more: it
// accepts the connection, reads the request, asks the door, and sends an answer that differs from the one before in the
// time to come back. There is no decoding of JSON, no allocation but the name, and, but for TLS, no goroutine for the
// connection. In the same way it tells those who wait in the line how far that has come: all of them the same, which is
// made a few times a second.
//
// Everything else is handed to net/http, with the bytes that have been read: a login that the door might let in,
// another path, a request in pieces or in an unusual form, the connections of trusted proxies. So the doorman never
// has to know what is right with a request that it does not recognise, and a client hears the same from both.
//
// A refused connection is closed. To keep it for the client's next try would cost the doorman half as much again, for
// the end of a connection that its client closes is one more event and one more read, and a client that is told to come
// back in a minute would hold a descriptor and some kilobytes of the kernel until then
// (BenchmarkRefusedConnection measures what a refusal costs; what the kernel keeps of a connection closed from here is
// some hundred bytes, and bounded by net.ipv4.tcp_max_tw_buckets). From proxies, which keep theirs for many clients,
// connections are kept by the server behind; and over TLS, where a connection costs a handshake: there the doorman
// answers the first request only, and hands the connection over.
//
// A connection over which a client has asked how far the line has come is kept: most clients ask again every few
// seconds, and are then told for about two thirds of what a refusal costs (BenchmarkKnockByUDP). A connection that is
// kept costs no goroutine, lasts for as long as it would behind, and makes room for another before any that the server
// behind has.
//
// The doorman also keeps the door's share of the CPU, see [Share].
package doorman

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// Config is what a [Doorman] needs. With TLS its functions are called on many goroutines at once. They must not block.
type Config struct {
	// Door is asked for every knock. Required.
	Door *door.Door
	// Name returns the account's name that the API would make of a username in printable ASCII, or false if it would
	// refuse the username or the password for their form, or if they are not in the form that is usual. It must not
	// change or keep either. Required.
	Name func(want door.Want, username, password []byte) (name string, ok bool)
	// Begin does the same for what begins a login or registration by OPAQUE, with the message in base64url; recovers says
	// that what is registered is for an account that there is. Finish does it for what ends one, and returns the try that
	// this was begun as, if it is a login whose state is good; a state that is not it leaves to the server behind. Nil
	// where OPAQUE is off; both or none.
	Begin  func(want door.Want, recovers bool, username, message []byte) (name string, ok bool)
	Finish func(want door.Want, username, state, message []byte) (name string, id door.TryID, ok bool)
	// Page returns the origin, of those that the operator allows, of the page that a request comes from; "" if it comes
	// from no page, or from one of the node's own. It reports false for other pages, or if that is not plain: the server
	// behind knows. It is given what the fields Origin, Sec-Fetch-Site and Host say, nil for those that are not there, and
	// must not keep it. Required.
	Page func(origin, site, host []byte) (allowed string, ok bool)
	// Refuse appends the API's answer to a request over HTTP/1.1 that is refused: status line, header fields and body.
	// page is what Page returned; last says that the client wants the connection closed. Without TLS the answer says that
	// it is in any case. Required.
	Refuse func(dst []byte, r *rushgate.Refusal, page string, last bool, now time.Time) []byte
	// Line appends the API's answer to the question how far a line has come, that of the world or that before the door;
	// page and last are as for Refuse. Required.
	Line func(dst []byte, world bool, page string, last bool, now time.Time) []byte
	// Idle is how long a connection over which a client has asked for the line may bring nothing before it is closed: as
	// long as the server behind gives its own between requests. 0 stands for 5 s.
	Idle time.Duration
	// Passes reports whether the connections of a peer are handed over unread: those of proxies, which bring the requests
	// of many. Nil means none.
	Passes func(peer netip.Addr) bool
	// Wrap, if not nil, has the last word on a connection that is handed over. TLS, if there is any, is spoken above it.
	Wrap func(net.Conn) net.Conn
	// Since returns how long ago something was, less the time for which the process stood still. Nil means [time.Since].
	Since func(time.Time) time.Duration
	// MaxConns is how many connections may be open, with those handed over. The server behind has to keep to it, and to
	// count with its own those of [Doorman.Outside]. Required.
	MaxConns int
	// TLS has the doorman do the handshakes, and hand over only connections that have passed theirs: those that speak
	// HTTP/2 as [*tls.Conn], all others with its methods. Nil for plain HTTP.
	TLS *tls.Config
	// Share bounds the CPU time. Required.
	Share *Share
	// Held has the doorman begin as after [Doorman.Hold].
	Held bool
}

// Doorman is a [net.Listener] whose Accept returns the connections that the doorman does not answer. Its methods may be
// called from many goroutines.
type Doorman struct {
	cfg    Config
	l      *net.TCPListener
	over   chan net.Conn // handed over
	closed chan struct{}
	once   sync.Once
	err    error
	ended  sync.WaitGroup
	wakeUp func()     // wakes the goroutine that accepts; under mu, and not once that is gone
	hall   *reception // of TLS; nil without
	counts counts
	out    atomic.Int64 // connections handed over and not closed
	shares shareMeter

	ordered atomic.Bool // there are changes
	mu      sync.Mutex
	changes []func(*orders) // that the goroutine that accepts has not heeded yet
	gone    chan struct{}   // closed when that has ended

	waited func(fd int) time.Duration // a test's word on how long clients have waited; nil for the kernel's
}

// counts are what [Stats] shows.
type counts struct {
	accepted, refused, told, handed, silent, idle, evicted, own, unshaken atomic.Int64
	cpu                                                                   atomic.Int64 // ns
}

// Stats are the figures of a doorman since its start.
type Stats struct {
	Accepted int64 `json:"accepted"` // connections
	Refused  int64 `json:"refused"`  // knocks that the doorman has answered
	Told     int64 `json:"told"`     // clients told by the doorman how far the line has come, each time
	Handed   int64 `json:"handed"`   // connections handed to net/http
	Silent   int64 `json:"silent"`   // connections closed because they brought nothing
	Idle     int64 `json:"idle"`     // connections closed because, after an answer, they brought nothing more
	Evicted  int64 `json:"evicted"`  // connections closed to make room for others
	Unshaken int64 `json:"unshaken"` // connections whose TLS handshake has failed
	Greeting int64 `json:"greeting"` // connections that have begun to speak and wait for their TLS handshake
	Open     int64 `json:"open"`     // connections that the doorman has
	Out      int64 `json:"out"`      // connections that were handed over, or wait for their handshake, and are open
	CPUMS    int64 `json:"cpu_ms"`   // CPU time for all of it, milliseconds
}

// Stats returns the doorman's figures.
func (d *Doorman) Stats() Stats {
	c := &d.counts
	return Stats{
		Accepted: c.accepted.Load(), Refused: c.refused.Load(), Told: c.told.Load(), Handed: c.handed.Load(),
		Silent: c.silent.Load(), Idle: c.idle.Load(), Evicted: c.evicted.Load(), Unshaken: c.unshaken.Load(),
		Greeting: d.greeting(), Open: c.own.Load(), Out: d.out.Load(), CPUMS: time.Duration(c.cpu.Load()).Milliseconds(),
	}
}

// Outside returns how many connections are open that the server behind does not know of.
func (d *Doorman) Outside() int { return int(d.counts.own.Load()) + d.Busy() }

// greeting is how many clients wait for their handshake.
func (d *Doorman) greeting() int64 {
	if d.hall == nil {
		return 0
	}
	return int64(len(d.hall.hellos))
}

// New returns a doorman that accepts connections from a listener, and closes that when it is closed itself. On other
// systems than Linux it answers no request itself: clients hear the same, at a higher cost.
func New(l *net.TCPListener, cfg Config) (*Doorman, error) { return open(l, cfg, nil) }

func open(l *net.TCPListener, cfg Config, waited func(fd int) time.Duration) (*Doorman, error) {
	if cfg.Wrap == nil {
		cfg.Wrap = func(c net.Conn) net.Conn { return c }
	}
	if cfg.Idle == 0 {
		cfg.Idle = silence
	}
	if cfg.Since == nil {
		cfg.Since = time.Since
	}
	d := &Doorman{cfg: cfg, l: l, over: make(chan net.Conn, handover), closed: make(chan struct{}), waited: waited}
	d.gone = make(chan struct{})
	if cfg.TLS != nil {
		d.hall = d.openReception()
	}
	if err := d.begin(); err != nil {
		d.wakeUp = func() {}
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

const (
	// handover is how many connections may wait for Accept.
	handover = 256
	// silence is how long a connection may bring nothing from the start.
	silence = 5 * time.Second
)

// Accept returns the next connection that is not the doorman's, or [net.ErrClosed].
func (d *Doorman) Accept() (net.Conn, error) {
	select {
	case c := <-d.over:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Addr returns the address that clients connect to.
func (d *Doorman) Addr() net.Addr { return d.l.Addr() }

// Close closes the listener and the connections that were not handed over, and returns when the doorman's goroutine has
// ended. It is idempotent.
func (d *Doorman) Close() error {
	d.once.Do(func() {
		d.mu.Lock()
		close(d.closed)
		d.wakeUp()
		d.mu.Unlock()
		if d.hall != nil {
			d.hall.giveUp()
		}
		d.ended.Wait()
		d.err = d.l.Close()
		for {
			select {
			case c := <-d.over:
				_ = c.Close() // no request of it has been read as far as its client knows
			default:
				return
			}
		}
	})
	return d.err
}

// unread are bytes of a connection that were read before it was handed over.
type unread []byte

// take moves bytes to b, and returns how many.
func (u *unread) take(b []byte) int {
	n := copy(b, *u)
	if *u = (*u)[n:]; len(*u) == 0 {
		*u = nil // a connection may last for long
	}
	return n
}

// passed is a connection that was handed over, of which some bytes may have been read.
type passed struct {
	net.Conn
	read  unread
	once  sync.Once
	close func()
}

// Read returns first what was read before.
func (c *passed) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		return c.read.take(b), nil
	}
	return c.Conn.Read(b)
}

// Close closes the connection.
func (c *passed) Close() error {
	c.once.Do(c.close)
	return c.Conn.Close()
}

// Unread reports whether bytes have been read that Read has yet to return.
func (c *passed) Unread() bool { return len(c.read) > 0 }

// NetConn returns the connection below.
func (c *passed) NetConn() net.Conn { return c.Conn }

// next hands a connection on, if there is room.
func (d *Doorman) next() (to chan net.Conn) {
	if d.hall != nil {
		return d.hall.hellos
	}
	return d.over
}

// reply appends the answer to what a client has sent from an address, or returns false if the door would let the client
// in, or it is for the server behind to say what is wrong with the request. It parses into r.
func (d *Doorman) reply(dst, b []byte, addr netip.Addr, r *request, now time.Time) (answer []byte, ok bool) {
	if len(b) >= maxRequest || !parse(b, r) {
		return dst, false
	}
	page, ok := d.cfg.Page(r.origin, r.site, r.host)
	if !ok {
		return dst, false
	}
	if r.asks {
		d.counts.told.Add(1)
		return d.cfg.Line(dst, r.world, page, r.last, now), true
	}
	refusal, refused := d.refuses(addr, r)
	if !refused {
		return dst, false
	}
	return d.cfg.Refuse(dst, &refusal, page, r.last, now), true
}

// refuses returns the door's refusal of a login or registration from an address, or of a part of one, if it does refuse
// it.
func (d *Doorman) refuses(addr netip.Addr, r *request) (refusal rushgate.Refusal, refused bool) {
	var ok bool
	knock := door.Knock{
		Addr: addr, Want: r.want, Takeover: r.takeover, Wait: r.wait, Ticket: r.ticket, Work: r.work,
	}
	if len(r.secret) > 0 {
		knock.Holder = line.HolderOf(r.secret)
	}
	switch {
	case r.step == whole:
		if knock.Name, ok = d.cfg.Name(r.want, r.username, r.password); ok {
			refusal, refused = d.cfg.Door.TurnAway(knock)
		}
	case d.cfg.Begin == nil:
	case r.step == begins:
		if knock.Name, ok = d.cfg.Begin(r.want, r.recovers, r.username, r.message); ok {
			refusal, refused = d.cfg.Door.TurnAwayBegin(knock)
		}
	default:
		var id door.TryID
		if knock.Name, id, ok = d.cfg.Finish(r.want, r.username, r.state, r.message); ok {
			refusal, refused = d.cfg.Door.TurnAwayFinish(knock, id)
		}
	}
	if refused {
		d.counts.refused.Add(1)
	}
	return refusal, refused
}

func (d *Doorman) pass(c net.Conn, read []byte) *passed {
	d.out.Add(1)
	return &passed{Conn: d.cfg.Wrap(c), read: read, close: func() { d.out.Add(-1) }}
}
