package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/peer"
)

// parking keeps the connections of players between two requests: while it is shut, nothing more is read from them, so
// that another process can go on with them and no request that is on its way is lost. It is for plain HTTP only: of a
// TLS connection the other process would need more than the socket.
type parking struct {
	mu    sync.Mutex
	shut  chan struct{} // closed when it opens; nil: it is open
	conns map[*parkable]struct{}
	used  bool                  // connections can be parked
	busy  map[net.Conn]struct{} // all connections that bring a request, or have one answered, or may be about to
}

func newParking() *parking {
	return &parking{conns: make(map[*parkable]struct{}), busy: make(map[net.Conn]struct{})}
}

// listener returns a listener whose connections can be parked.
func (p *parking) listener(l net.Listener) net.Listener {
	p.used = true
	return &parkingListener{l, p}
}

type parkingListener struct {
	net.Listener
	parking *parking
}

func (l *parkingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &parkable{Conn: c, parking: l.parking, closed: make(chan struct{})}
	handed, ok := c.(interface{ Unread() bool })
	k.fresh = ok && !handed.Unread()
	l.parking.mu.Lock()
	defer l.parking.mu.Unlock()
	l.parking.conns[k] = struct{}{}
	return k, nil
}

// observe is an [http.Server].ConnState hook.
func (p *parking) observe(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		p.busy[c] = struct{}{}
		return
	case http.StateIdle:
		if k, ok := c.(*parkable); ok {
			k.fresh, k.ahead = !k.ahead, false
		}
	}
	delete(p.busy, c)
}

// underWay returns how many connections bring a request, or have one answered.
func (p *parking) underWay() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.busy {
		if k, ok := c.(*parkable); !ok || !k.parked {
			n++
		}
	}
	return n
}

// close parks every connection that is idle, and from now on those that come to be.
func (p *parking) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut != nil {
		return
	}
	p.shut = make(chan struct{})
	for k := range p.conns {
		if k.fresh && k.reading {
			k.interrupted = true
			_ = k.Conn.SetReadDeadline(time.Unix(1, 0)) // fails for a connection that is closed
		}
	}
}

// open has the connections go on.
func (p *parking) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goOn()
}

func (p *parking) goOn() {
	if p.shut != nil {
		close(p.shut)
		p.shut = nil
	}
}

// give gives up the connections that are parked: to their server they have ended. The caller has to close them.
func (p *parking) give() (files []*os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.conns {
		tcp, ok := peer.Raw(k).(*net.TCPConn)
		if !k.parked || !ok {
			continue
		}
		f, err := tcp.File()
		if err != nil { // there is no descriptor left: the client comes again
			continue
		}
		k.given = true
		files = append(files, f)
	}
	p.goOn()
	return files
}

// parkable is a connection of a [parking]. Its fields are guarded by that.
type parkable struct {
	net.Conn
	parking  *parking
	deadline time.Time // of reads, as the server has set it

	fresh       bool // nothing has been read of the next request
	ahead       bool // a byte of it may have been, while the one before was answered
	reading     bool
	interrupted bool // the read ends because the connection is to be parked
	parked      bool
	given       bool
	closed      chan struct{}
	once        sync.Once
}

// NetConn returns the connection below.
func (k *parkable) NetConn() net.Conn { return k.Conn }

// Read reads, and waits while the connection is parked.
func (k *parkable) Read(b []byte) (int, error) {
	for {
		if !k.begin() {
			return 0, io.EOF
		}
		n, err := k.Conn.Read(b)
		if !k.end(len(b), n, err) {
			return n, err
		}
	}
}

// begin waits while the connection is parked, and reports whether it is still this process's.
func (k *parkable) begin() bool {
	p := k.parking
	p.mu.Lock()
	defer p.mu.Unlock()
	for k.fresh && p.shut != nil {
		shut := p.shut
		k.parked = true
		p.mu.Unlock()
		select {
		case <-shut:
		case <-k.closed:
		}
		p.mu.Lock()
		k.parked = false
		select {
		case <-k.closed:
			return !k.given
		default:
		}
		_ = k.Conn.SetReadDeadline(k.deadline) // fails for a connection that is closed
	}
	k.reading = true
	return !k.given
}

// end notes what a read has brought, and reports whether it ended only so that the connection be parked.
func (k *parkable) end(size, n int, err error) bool {
	k.parking.mu.Lock()
	defer k.parking.mu.Unlock()
	interrupted := k.interrupted
	k.reading, k.interrupted = false, false
	if n > 0 {
		k.ahead = k.ahead || size == 1 && !k.fresh // as net/http reads to see whether the client has gone
		k.fresh = false
		if interrupted {
			_ = k.Conn.SetReadDeadline(k.deadline) // as above
		}
		return false
	}
	return interrupted && errors.Is(err, os.ErrDeadlineExceeded)
}

// SetDeadline sets that of reads and writes.
func (k *parkable) SetDeadline(t time.Time) error {
	return errors.Join(k.SetReadDeadline(t), k.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of reads, which counts for as long as the connection is not parked.
func (k *parkable) SetReadDeadline(t time.Time) error {
	k.parking.mu.Lock()
	defer k.parking.mu.Unlock()
	if k.deadline = t; k.interrupted {
		return nil
	}
	return k.Conn.SetReadDeadline(t)
}

// Close closes the connection for this process.
func (k *parkable) Close() error {
	k.once.Do(func() {
		close(k.closed)
		k.parking.mu.Lock()
		delete(k.parking.conns, k)
		k.parking.mu.Unlock()
	})
	return k.Conn.Close()
}
