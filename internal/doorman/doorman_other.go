//go:build !linux

package doorman

import (
	"errors"
	"net"
	"os"
	"time"
)

// begin hands every connection over.
func (d *Doorman) begin() error {
	o := orders{held: d.cfg.Held, release: func() []*os.File { return nil }}
	// Accept returns, to be called again unless the doorman is held or closed.
	d.wakeUp = func() { _ = d.l.SetDeadline(time.Unix(1, 0)) }
	d.ended.Go(func() {
		defer close(d.gone)
		for {
			select {
			case <-d.closed:
				return
			default:
			}
			if d.ordered.Swap(false) {
				d.heed(&o)
			}
			if o.held {
				time.Sleep(pause)
				continue
			}
			_ = d.l.SetDeadline(time.Time{})
			if !d.ordered.Load() && !d.passNext() {
				return
			}
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
	case errors.Is(err, os.ErrDeadlineExceeded): // there is an order
		return true
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
