package lossy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// outlet is an output that a test can block or let fail.
type outlet struct {
	mu      sync.Mutex
	blocked chan struct{} // if not nil, writes wait until it is closed
	room    int           // bytes that it takes before it fails; negative: no bound
	text    strings.Builder
}

var errFull = errors.New("full")

func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	blocked := o.blocked
	o.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room >= 0 && len(p) > o.room {
		n := o.room
		o.text.Write(p[:n])
		o.room = 0
		return n, errFull
	}
	if o.room >= 0 {
		o.room -= len(p)
	}
	return o.text.Write(p)
}

func (o *outlet) set(room int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room = room
}

func (o *outlet) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func note(lost uint64) []byte { return fmt.Appendf(nil, "lost %d\n", lost) }

func TestLinesComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outlet{room: -1}
		w := New(o, note)
		var want strings.Builder
		for i := range 1000 {
			fmt.Fprintf(w, "line %d\n", i)
			fmt.Fprintf(&want, "line %d\n", i)
		}
		w.Close(time.Second)
		w.Close(time.Second)
		if o.String() != want.String() || w.Lost() != 0 {
			t.Errorf("%d lost, got %q", w.Lost(), o)
		}
	})
}

// An output that takes nothing costs no caller anything and no more than Limit of memory; once it takes lines again, it
// gets those that waited and is told how many are missing.
func TestBlockedOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outlet{room: -1, blocked: make(chan struct{})}
		w := New(o, note)
		line := strings.Repeat("x", 1023) + "\n"
		fmt.Fprint(w, line)
		synctest.Wait() // it is under way
		const more = 5000
		for range more {
			if n, err := fmt.Fprint(w, line); n != len(line) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
		}
		const lost = more - Limit/1024
		if w.Lost() != lost {
			t.Errorf("%d lines lost, want %d", w.Lost(), lost)
		}
		close(o.blocked)
		synctest.Wait()
		if want := strings.Repeat(line, 1+Limit/1024) + fmt.Sprintf("lost %d\n", lost); o.String() != want {
			t.Errorf("the output has %d bytes, want %d", len(o.String()), len(want))
		}
		fmt.Fprint(w, "after\n")
		w.Close(time.Second)
		if !strings.HasSuffix(o.String(), "\nafter\n") {
			t.Error("the line after the note is missing")
		}
	})
}

// Close does not wait for an output that takes nothing for longer than it is told to.
func TestCloseWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outlet{room: -1, blocked: make(chan struct{})}
		w := New(o, nil)
		fmt.Fprint(w, "line\n")
		start := time.Now()
		w.Close(3 * time.Second)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Close took %v", took)
		}
		fmt.Fprint(w, "too late\n")
		if w.Lost() != 1 {
			t.Errorf("%d lines lost after Close, want 1", w.Lost())
		}
		close(o.blocked)
		synctest.Wait()
		if o.String() != "line\n" {
			t.Errorf("got %q", o)
		}
	})
}

// A full disk takes the beginning of a line; the next one, when there is room, begins a line of its own.
func TestFailingOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &outlet{room: 10}
		w := New(o, note)
		write := func(text string) {
			fmt.Fprint(w, text)
			synctest.Wait()
		}
		write("one\n")
		write("two\nthree\n") // "two" and the beginning of "three" find room
		write("four\nfive\n")
		if w.Lost() != 3 {
			t.Errorf("%d lines lost, want 3", w.Lost())
		}
		o.set(-1)
		write("six\n")
		write("seven\n")
		w.Close(time.Second)
		if want := "one\ntwo\nth\nlost 3\nsix\nseven\n"; o.String() != want {
			t.Errorf("got %q, want %q", o, want)
		}
	})
}

// A broken pipe takes nothing ever again, and keeps no goroutine busy or behind.
func TestBrokenOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(&outlet{room: 0}, note)
		for range 10 {
			fmt.Fprint(w, "line\n")
		}
		synctest.Wait()
		w.Close(time.Second)
		if w.Lost() != 10 {
			t.Errorf("%d lines lost, want 10", w.Lost())
		}
	})
}

func TestManyWriters(t *testing.T) {
	o := &outlet{room: -1}
	w := New(o, note)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				fmt.Fprint(w, "a line\n")
			}
		})
	}
	wg.Wait()
	w.Close(time.Minute)
	if n := strings.Count(o.String(), "a line\n"); n != 4000 || w.Lost() != 0 {
		t.Errorf("%d lines, %d lost", n, w.Lost())
	}
}
