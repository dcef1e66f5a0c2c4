package door

import "container/list"

// table is a map that remembers a bounded number of entries. The entry that was used longest ago gives way to a new
// one, unless it is pinned: an entry that a seat is charged to must be there when the seat is closed.
type table[K comparable, V any] struct {
	limit   int
	entries map[K]*list.Element // of *entry[K, V]
	recent  *list.List          // used longest ago first
	pinned  func(*V) bool
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newTable[K comparable, V any](limit int, pinned func(*V) bool) *table[K, V] {
	return &table[K, V]{limit: limit, entries: make(map[K]*list.Element), recent: list.New(), pinned: pinned}
}

// get returns the value of a key, which counts as a use, or nil.
func (t *table[K, V]) get(key K) *V {
	e, ok := t.entries[key]
	if !ok {
		return nil
	}
	t.recent.MoveToBack(e)
	return &e.Value.(*entry[K, V]).value
}

// make returns the value of a key, the zero value if it is new. The pointer holds until the entry gives way.
func (t *table[K, V]) make(key K) *V {
	if v := t.get(key); v != nil {
		return v
	}
	t.makeRoom()
	added := &entry[K, V]{key: key}
	t.entries[key] = t.recent.PushBack(added)
	return &added.value
}

// makeRoom drops the oldest entry of a full table. What is pinned is passed over, and counts as used: the table grows
// beyond its limit only by what is pinned, of which there is no more than there are open seats and tries.
func (t *table[K, V]) makeRoom() {
	for range min(len(t.entries), maxPinnedSkips) {
		if len(t.entries) < t.limit {
			return
		}
		oldest := t.recent.Front()
		e := oldest.Value.(*entry[K, V])
		if t.pinned != nil && t.pinned(&e.value) {
			t.recent.MoveToBack(oldest)
			continue
		}
		t.recent.Remove(oldest)
		delete(t.entries, e.key)
	}
}

// maxPinnedSkips bounds the work of one call of makeRoom.
const maxPinnedSkips = 1024

// drop forgets a key.
func (t *table[K, V]) drop(key K) {
	if e, ok := t.entries[key]; ok {
		t.recent.Remove(e)
		delete(t.entries, key)
	}
}

func (t *table[K, V]) len() int { return len(t.entries) }
