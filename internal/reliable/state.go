package reliable

import (
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
	"github.com/rushgate/rushgate/protocol"
)

var errState = errors.New("reliable: an end that cannot be")

// Describe writes an end on its way into another process, or reads it into e, which is new. Where it is read, all that
// waits will be sent again.
func (e *End) Describe(c *packed.Codec) {
	packed.Uint(c, &e.id)
	packed.Uint(c, &e.peer)
	c.Uint64(&e.base)
	c.Uint64(&e.heard)
	c.Bool(&e.lost)
	packed.Slice(c, &e.waiting, MaxWaiting, 2, func(data *[]byte) { c.Bytes(data, rushgate.MaxMessage) })
	if !c.Reading() {
		return
	}
	e.bytes = 0
	for _, data := range e.waiting {
		if e.bytes += len(data); len(data) == 0 {
			c.Fail(errState)
		}
	}
	const most = protocol.MaxNumber - MaxWaiting
	if e.id == 0 || e.base == 0 || e.base > most || e.heard > protocol.MaxNumber || e.bytes > MaxWaitingBytes {
		c.Fail(errState)
	}
	// From an end that was not heard of nothing has come, and it has acknowledged nothing: it would wait for what came
	// before for ever.
	if e.peer == 0 && (e.heard > 0 || e.base > 1 && !e.lost) {
		c.Fail(errState)
	}
	e.highest = e.base + uint64(len(e.waiting))
	e.due = e.peer != 0
	e.rewind()
}
