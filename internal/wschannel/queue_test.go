package wschannel

import (
	"fmt"
	"testing"
)

// Packets of the game's messages come out in their order, none in the place of another, as many as there is room for.
func TestQueue(t *testing.T) {
	var q queue
	if _, ok := q.take(); ok {
		t.Error("an empty queue has something")
	}
	buf := make([]byte, 0, 16)
	for i := range 100 {
		buf = fmt.Appendf(buf[:0], "packet %d", i) // which is the sender's again
		if !q.put(buf) {
			t.Fatalf("no room for packet %d", i)
		}
	}
	for i := range 100 {
		if p, ok := q.take(); !ok || string(p) != fmt.Sprintf("packet %d", i) {
			t.Fatalf("packet %d is %q", i, p)
		}
	}
	n := 0
	for ; q.put(make([]byte, 1000)); n++ {
	}
	if n != maxQueue/1000 || q.bytes > maxQueue {
		t.Errorf("%d packets wait", n)
	}
	for range n {
		q.take()
	}
	if _, ok := q.take(); ok || q.bytes != 0 || q.packets != nil {
		t.Errorf("%d bytes are left", q.bytes)
	}
}

// A connection that has ended takes no messages, and one that does not send them no more than there is room for.
func TestMessagesForAConnection(t *testing.T) {
	c := newConn(&Channel{}, Guest{})
	var err error
	for range maxQueue/1000 + 1 {
		err = c.sendMessages(make([]byte, 1000))
	}
	if err == nil || len(c.slot.ready) != 1 {
		t.Errorf("%v; the writer is told: %v", err, len(c.slot.ready) == 1)
	}
	c.end(sessionEnded)
	if c.sendMessages([]byte("late")) == nil {
		t.Error("a connection that has ended takes messages")
	}
}
