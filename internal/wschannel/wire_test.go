package wschannel

import (
	"testing"
	"time"
)

// deadlines keeps the read deadline of a connection.
type deadlines struct {
	void
	read time.Time
}

func (d *deadlines) SetDeadline(at time.Time) error     { d.read = at; return nil }
func (d *deadlines) SetReadDeadline(at time.Time) error { d.read = at; return nil }

// A frame that comes during the end of a connection does not put that off.
func TestNothingPutsOffTheEnd(t *testing.T) {
	d := &deadlines{}
	w := wire{Conn: d, stats: &counters{}}
	w.silence(SilenceTimeout)
	if time.Until(d.read) < closeTimeout {
		t.Fatalf("the silence ends at %v", d.read)
	}
	w.finish(closeTimeout)
	last := d.read
	w.silence(SilenceTimeout)
	if !d.read.Equal(last) {
		t.Errorf("the end was put off by %v", d.read.Sub(last))
	}
}
