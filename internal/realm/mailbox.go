package realm

import (
	"slices"
	"sync"
)

// mailbox hands items from any goroutine to the tick, or back, without ever making either wait for the other. Its
// users bound what is in it by what they have under way.
type mailbox[T any] struct {
	mu     sync.Mutex
	items  []T
	closed bool
}

// put adds an item; false means that the mailbox is closed.
func (m *mailbox[T]) put(item T) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.items = append(m.items, item)
	return true
}

// take exchanges the contents for buf, emptied.
func (m *mailbox[T]) take(buf []T) []T {
	clear(buf)
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = buf[:0]
	return items
}

// peek returns a copy of the contents, which stay.
func (m *mailbox[T]) peek() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.items)
}

// close refuses further items and returns those that are left.
func (m *mailbox[T]) close() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	items := m.items
	m.items = nil
	return items
}
