package wschannel

import (
	"errors"
	"slices"
	"sync"
)

// maxQueue is how many bytes of the game's messages wait for a connection: twice what the realm sends at once before it
// waits for an acknowledgement. A client that does not take them in [WriteTimeout] is given up.
const maxQueue = 64 << 10

var errQueueFull = errors.New("wschannel: the client does not take its messages")

// queue holds packets of the game's messages until they can be sent. No sender waits for it.
type queue struct {
	mu      sync.Mutex
	packets [][]byte
	bytes   int
}

// put copies a packet into the queue, if there is room.
func (q *queue) put(packet []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(packet) > maxQueue {
		return false
	}
	q.packets = append(q.packets, slices.Clone(packet))
	q.bytes += len(packet)
	return true
}

// take returns the oldest packet; false means that there is none.
func (q *queue) take() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.packets) == 0 {
		return nil, false
	}
	packet := q.packets[0]
	q.bytes -= len(packet)
	if q.packets = slices.Delete(q.packets, 0, 1); len(q.packets) == 0 {
		q.packets = nil
	}
	return packet, true
}
