package doorman

import (
	"net"
	"os"
)

// Hold has the doorman accept no more connections, which wait in the kernel, and returns when it does not. Those that
// it has are served as ever. It is idempotent.
func (d *Doorman) Hold() { d.order(func(o *orders) { o.held = true }) }

// Freeze has the doorman do nothing at all, and returns when it does not. Handshakes that are under way go on. It is
// idempotent.
func (d *Doorman) Freeze() { d.order(func(o *orders) { o.held, o.frozen = true, true }) }

// Resume ends what Hold and Freeze began. It is idempotent.
func (d *Doorman) Resume() { d.order(func(o *orders) { o.held, o.frozen = false, false }) }

// Release gives up the connections of a doorman that is frozen: those whose request, if they have sent one, has not
// been read. The caller has to close them.
func (d *Doorman) Release() (conns []*os.File) {
	d.order(func(o *orders) { conns = o.release() })
	return conns
}

// Adopt hands over a connection that another doorman has released, as one of this one's.
func (d *Doorman) Adopt(c net.Conn) {
	d.counts.accepted.Add(1)
	if d.hall == nil {
		d.counts.handed.Add(1)
	}
	select {
	case d.next() <- d.pass(c, nil):
	case <-d.closed:
		_ = c.Close() // the node stops
	}
}

// Busy returns how many connections wait to be handed over, or for their handshake, or for their first answer.
func (d *Doorman) Busy() int {
	n := len(d.over)
	if d.hall != nil {
		n += len(d.hall.hellos) + d.hall.underWay()
	}
	return n
}

// orders are what the goroutine that accepts goes by. They are its own.
type orders struct {
	held, frozen bool
	release      func() []*os.File
}

// order has the goroutine that accepts change its orders, and returns when it goes by them, or has ended.
func (d *Doorman) order(change func(*orders)) {
	done := make(chan struct{})
	d.mu.Lock()
	select {
	case <-d.closed:
		d.mu.Unlock()
		return
	default:
	}
	d.changes = append(d.changes, func(o *orders) { change(o); close(done) })
	d.ordered.Store(true)
	d.wakeUp()
	d.mu.Unlock()
	select {
	case <-done:
	case <-d.gone:
	}
}

// heed carries out what was ordered since it was last called.
func (d *Doorman) heed(o *orders) {
	d.mu.Lock()
	changes := d.changes
	d.changes = nil
	d.mu.Unlock()
	for _, change := range changes {
		change(o)
	}
}
