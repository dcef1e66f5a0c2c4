package doorman

import "time"

// row is a list of connections, by their descriptors, in the order in which they came into it.
type row struct{ first, last int32 } // 0 if there is none

// rowOf returns the row that a connection is in, or belongs to.
func (l *loop) rowOf(c *conn) *row {
	if c.kept {
		return &l.kept
	}
	return &l.silent
}

// link appends a connection to its row.
func (l *loop) link(fd int) {
	c := &l.conns[fd]
	r := l.rowOf(c)
	c.since, c.prev, c.next = l.now, r.last, 0
	if r.last != 0 {
		l.conns[r.last].next = int32(fd)
	} else {
		r.first = int32(fd)
	}
	r.last = int32(fd)
}

// unlink takes a connection out of its row.
func (l *loop) unlink(fd int) {
	c := &l.conns[fd]
	r := l.rowOf(c)
	if c.prev != 0 {
		l.conns[c.prev].next = c.next
	} else {
		r.first = c.next
	}
	if c.next != 0 {
		l.conns[c.next].prev = c.prev
	} else {
		r.last = c.prev
	}
}

// put takes a connection in that has brought nothing yet.
func (l *loop) put(fd int) {
	c := &l.conns[fd]
	l.number++
	c.ours, c.number = true, l.number
	l.link(fd)
	l.counts.own.Add(1)
}

// keep has a connection wait for another request.
func (l *loop) keep(fd int) {
	l.unlink(fd)
	l.conns[fd].kept = true
	l.link(fd)
}

// remove gives a connection up.
func (l *loop) remove(fd int) {
	c := &l.conns[fd]
	if !c.ours {
		return
	}
	l.unlink(fd)
	c.ours = false
	l.counts.own.Add(-1)
}

// expire closes the connections that have brought nothing for too long.
func (l *loop) expire() {
	for l.silent.first != 0 && l.left(l.silent, silence) <= 0 {
		l.counts.silent.Add(1)
		l.drop(int(l.silent.first))
	}
	for l.kept.first != 0 && l.left(l.kept, l.cfg.Idle) <= 0 {
		l.counts.idle.Add(1)
		l.drop(int(l.kept.first))
	}
}

// left returns how long the first connection of a row, of those that may bring nothing for so long, still may.
func (l *loop) left(r row, may time.Duration) time.Duration {
	since := l.conns[r.first].since
	if left := may - l.now.Sub(since); left > 0 {
		return left
	}
	return may - l.cfg.Since(since) // the process may have stood still
}

// nextEnd returns when the next connection is to be closed; the zero time if there is none.
func (l *loop) nextEnd() (end time.Time) {
	if l.silent.first != 0 {
		end = l.now.Add(l.left(l.silent, silence))
	}
	if l.kept.first != 0 {
		if kept := l.now.Add(l.left(l.kept, l.cfg.Idle)); end.IsZero() || kept.Before(end) {
			end = kept
		}
	}
	return end
}

func (l *loop) closeAll() {
	for _, r := range []*row{&l.silent, &l.kept} {
		for r.first != 0 {
			l.drop(int(r.first))
		}
	}
}
