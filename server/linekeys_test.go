package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/store/memory"
)

// ringed is a node's part that has the keys of the line, and what it hands on.
type ringed struct {
	*lineKeys
	log lines

	mu     sync.Mutex
	handed []*line.Keyring
}

func newRinged(store rushgate.Fleet) *ringed {
	r := &ringed{}
	r.lineKeys = newLineKeys(store, slog.New(slog.NewTextHandler(&r.log, nil)), func(ring *line.Keyring) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.handed = append(r.handed, ring)
	})
	return r
}

// now returns the ring that was handed on last, nil for none.
func (r *ringed) now() *line.Keyring {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.handed) == 0 {
		return nil
	}
	return r.handed[len(r.handed)-1]
}

// sealed returns a ticket that a ring has sealed now.
func sealed(ring *line.Keyring) []byte {
	return ring.Seal(nil, &line.Ticket{Turn: time.Now(), Issued: time.Now(), Line: line.ForDoor})
}

// wantShared checks that each of some rings opens the tickets of all.
func wantShared(t *testing.T, rings ...*line.Keyring) {
	t.Helper()
	for i, a := range rings {
		for j, b := range rings {
			if a == nil || b == nil {
				t.Fatalf("ring %d is %v, ring %d is %v", i, a, j, b)
			}
			if _, err := b.Open(sealed(a)); err != nil {
				t.Errorf("a ticket of %d at %d: %v", i, j, err)
			}
		}
	}
}

// Nodes that start at once on an empty store come to one ring.
func TestNodesMakeOneRing(t *testing.T) {
	store := memory.New(memory.Options{})
	defer store.Close()
	var nodes []*ringed
	var wg sync.WaitGroup
	for range 8 {
		r := newRinged(store)
		nodes = append(nodes, r)
		wg.Go(func() {
			if again := r.look(t.Context()); again != ringEvery {
				t.Errorf("looks again after %v", again)
			}
		})
	}
	wg.Wait()
	var rings []*line.Keyring
	made := 0
	for _, r := range nodes {
		rings = append(rings, r.now())
		made += r.log.count("first keys of the line were made")
	}
	wantShared(t, rings...)
	if made != 1 {
		t.Errorf("%d nodes say that they have made the keys", made)
	}
}

// Over days, two nodes rotate one ring, and each opens at any time what the other has sealed, up to a day before.
func TestNodesRotateOneRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Options{})
		defer store.Close()
		a, b := newRinged(store), newRinged(store)
		a.begin(t.Context())
		a.start()
		defer a.stop()
		time.Sleep(ringEvery / 2)
		b.begin(t.Context())
		b.start()
		defer b.stop()
		const days = 4
		var living [][]byte
		values := make(map[string]bool)
		for range days * 24 * 2 {
			time.Sleep(30 * time.Minute)
			synctest.Wait()
			wantShared(t, a.now(), b.now())
			living = append(living, sealed(a.now()), sealed(b.now()))
			living = living[max(len(living)-2*24*2, 0):]
			for _, ticket := range living {
				for _, r := range []*ringed{a, b} {
					if _, err := r.now().Open(ticket); err != nil {
						t.Fatalf("a ticket of the last day: %v", err)
					}
				}
			}
			value, err := store.Shared(t.Context(), line.SharedName)
			if err != nil {
				t.Fatal(err)
			}
			values[string(value)] = true
		}
		if len(values) != 1+days || len(a.handed) != len(values) || len(b.handed) != len(values) {
			t.Errorf("%d rings in %d days, of which %d and %d were handed on", len(values), days, len(a.handed), len(b.handed))
		}
		if logged := a.log.count("level=WARN") + b.log.count("level=WARN"); logged > 0 {
			t.Errorf("%d warnings", logged)
		}
	})
}

// troubled is a store that is away while err is set, and in which another swaps first so many times.
type troubled struct {
	rushgate.Fleet
	mu    sync.Mutex
	err   error
	hang  bool
	rival int
}

func (s *troubled) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *troubled) Shared(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.Fleet.Shared(ctx, name)
}

func (s *troubled) SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (bool, error) {
	if s.rival > 0 {
		s.rival--
		ring, err := line.NewKeyring(nil, time.Now().Add(-48*time.Hour)) // to be rotated at once
		if err != nil {
			return false, err
		}
		if _, err := s.Fleet.SwapShared(ctx, name, oldValue, ring.Marshal()); err != nil {
			return false, err
		}
	}
	return s.Fleet.SwapShared(ctx, name, oldValue, newValue)
}

// A store that is away costs the ring for as long as it is away, at the start, and later nothing. The log hears of it
// once.
func TestRingWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Options{})
		defer inner.Close()
		store := &troubled{Fleet: inner, err: fmt.Errorf("no route: %w", rushgate.ErrUnavailable)}
		r := newRinged(store)
		r.begin(t.Context())
		r.start()
		defer r.stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.now() != nil || r.log.count("cannot be read from the store") != 1 || r.log.count("players get no tickets") != 1 {
			t.Errorf("ring %v; the log says\n%s", r.now(), r.log.b.String())
		}
		store.set(nil)
		time.Sleep(ringRetry)
		synctest.Wait()
		first := r.now()
		if first == nil || r.log.count("have been read from the store") != 1 {
			t.Fatalf("ring %v; the log says\n%s", first, r.log.b.String())
		}
		store.set(rushgate.ErrUnavailable)
		time.Sleep(3 * ringEvery)
		synctest.Wait()
		if r.now() != first || r.log.count("those of before stay in use") != 1 || r.log.count("\n") != 4 {
			t.Errorf("the log says\n%s", r.log.b.String())
		}
	})
}

// A store that does not answer keeps no node from starting or stopping.
func TestRingOfAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRinged(&troubled{hang: true})
		began := time.Now()
		r.begin(t.Context())
		r.start()
		if took := time.Since(began); took > ringTimeout {
			t.Errorf("the start took %v", took)
		}
		time.Sleep(ringRetry + time.Second)
		began = time.Now()
		r.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("the stop took %v", took)
		}
		if r.log.count("cannot be read from the store") != 1 || r.log.count("\n") != 1 {
			t.Errorf("the log says\n%s", r.log.b.String())
		}
	})
}

// Swaps that are lost to other nodes end with the ring that those have put there.
func TestRingThatOthersChangeFirst(t *testing.T) {
	for rivals, want := range map[int]time.Duration{1: ringEvery, ringSwaps - 1: ringEvery, ringSwaps: ringRetry} {
		inner := memory.New(memory.Options{})
		defer inner.Close()
		r := newRinged(&troubled{Fleet: inner, rival: rivals})
		if again := r.look(t.Context()); again != want {
			t.Errorf("%d rivals: looks again after %v, want %v", rivals, again, want)
		}
		if r.look(t.Context()) != ringEvery {
			t.Errorf("%d rivals: no ring at the second look", rivals)
		}
		value, err := inner.Shared(t.Context(), line.SharedName)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := line.ParseKeyring(value)
		if err != nil {
			t.Fatal(err)
		}
		wantShared(t, stored, r.now())
	}
}

// badRings are values that a node must not take for keys of its own, nor overwrite.
func badRings(t *testing.T) map[string]string {
	t.Helper()
	ring, err := line.NewKeyring(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good := string(ring.Marshal())
	return map[string]string{
		"text":              "keys: 1234",
		"cut off":           good[:len(good)-3],
		"altered":           good[:20] + string(good[20]^1) + good[21:],
		"of a newer format": "\x02" + good[1:],
		"with more":         good + "\x00",
		"zeros":             strings.Repeat("\x00", len(good)),
	}
}

// A ring that cannot be read is told with what to do, and left as it is: a node that has none goes without, one that
// has goes on with its own. Once it is removed, all is well.
func TestRingThatIsDamaged(t *testing.T) {
	for name, bad := range badRings(t) {
		t.Run(name, func(t *testing.T) {
			store, other := memory.New(memory.Options{}), memory.New(memory.Options{})
			defer store.Close()
			defer other.Close()
			swap(t, store, "", bad)
			fresh, running := newRinged(store), newRinged(other)
			running.look(t.Context())
			ring := running.now()
			running.store = store
			for range 3 {
				for _, r := range []*ringed{fresh, running} {
					if again := r.look(t.Context()); again != ringRetry {
						t.Errorf("looks again after %v", again)
					}
				}
			}
			if value, err := store.Shared(t.Context(), line.SharedName); err != nil || string(value) != bad {
				t.Errorf("the store has %q, %v", value, err)
			}
			if fresh.now() != nil || running.now() != ring {
				t.Errorf("the rings are %v and %v", fresh.now(), running.now())
			}
			for _, r := range []*ringed{fresh, running} {
				if r.log.count("level=ERROR") != 1 || r.log.count("docs/operations.md") != 1 ||
					r.log.count("name="+line.SharedName) == 0 {
					t.Errorf("the log says\n%s", r.log.b.String())
				}
				if r.log.count(bad) > 0 || r.log.count("1234") > 0 {
					t.Errorf("the log shows the value:\n%s", r.log.b.String())
				}
			}
			empty := memory.New(memory.Options{}) // as after the value was removed
			defer empty.Close()
			for _, r := range []*ringed{running, fresh} {
				if r.store = empty; r.look(t.Context()) != ringEvery {
					t.Errorf("the log says\n%s", r.log.b.String())
				}
			}
			wantShared(t, ring, fresh.now(), running.now())
		})
	}
}

func swap(t *testing.T, store rushgate.Fleet, oldValue, newValue string) {
	t.Helper()
	swapped, err := store.SwapShared(t.Context(), line.SharedName, []byte(oldValue), []byte(newValue))
	if err != nil || !swapped {
		t.Fatal(swapped, err)
	}
}

// What a store says of a damaged record is not taken for its being away.
func TestRingInADamagedRecord(t *testing.T) {
	r := newRinged(&troubled{err: fmt.Errorf("field value: %w", rushgate.ErrDamagedRecord)})
	if r.look(t.Context()) != ringRetry || r.now() != nil || r.log.count("level=ERROR") != 1 {
		t.Errorf("ring %v; the log says\n%s", r.now(), r.log.b.String())
	}
}

// A ring that the store has lost is put back by a node that has it, rotated if it is time, and no ticket is lost.
func TestRingThatWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := memory.New(memory.Options{})
		defer first.Close()
		r := newRinged(first)
		r.look(t.Context())
		ticket := sealed(r.now())
		time.Sleep(line.KeyLife)
		empty := memory.New(memory.Options{})
		defer empty.Close()
		r.store = empty
		r.look(t.Context())
		newcomer := newRinged(empty)
		newcomer.look(t.Context())
		wantShared(t, r.now(), newcomer.now())
		if _, err := newcomer.now().Open(ticket); err != nil {
			t.Errorf("a ticket of before: %v", err)
		}
		if r.log.count("had lost the keys of the line") != 1 || len(r.handed) != 2 {
			t.Errorf("%d rings; the log says\n%s", len(r.handed), r.log.b.String())
		}
	})
}

// Nothing of a key is in the log, whatever happens.
func TestNoKeyOfTheLineInTheLog(t *testing.T) {
	store := memory.New(memory.Options{})
	defer store.Close()
	r := newRinged(&troubled{Fleet: store})
	r.look(t.Context())
	value, err := store.Shared(t.Context(), line.SharedName)
	if err != nil {
		t.Fatal(err)
	}
	r.store = &troubled{err: errors.New("away")}
	r.look(t.Context())
	r.store = memory.New(memory.Options{})
	r.look(t.Context())
	secret := string(value[4:12])
	for _, verb := range []string{"%s", "%x", "%X", "%q", "%d"} {
		if r.log.count(strings.Trim(fmt.Sprintf(verb, []byte(secret)), `[]"`)) > 0 {
			t.Errorf("the log shows a key:\n%s", r.log.b.String())
		}
	}
}
