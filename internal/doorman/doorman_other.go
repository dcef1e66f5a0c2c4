//go:build !linux

package doorman

import (
	"errors"
	"net"
	"time"
)

// begin hands every connection over.
func (d *Doorman) begin() error {
	d.stop = func() { _ = d.l.Close() }
	d.ended.Go(func() {
		for d.passNext() {
		}
	})
	return nil
}

// passNext hands a connection over, and returns false when the doorman is closed.
func (d *Doorman) passNext() bool {
	c, err := d.l.Accept()
	switch {
	case errors.Is(err, net.ErrClosed):
		return false
	case err != nil: // there is no descriptor left, or the client has gone again
		time.Sleep(pause)
		return true
	}
	d.counts.accepted.Add(1)
	if d.hall == nil {
		d.counts.handed.Add(1)
	} else if d.out.Load() >= int64(d.cfg.MaxConns) {
		d.hall.evict(0)
	}
	select {
	case d.next() <- d.pass(c, nil):
		return true
	case <-d.closed:
		_ = c.Close() // the node stops
		return false
	}
}

// pause is how long it takes until another connection may be accepted.
const pause = 5 * time.Millisecond
