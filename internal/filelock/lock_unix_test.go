//go:build unix

package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Who has opened the file of a lock before it was removed does not have the lock, however late it looks.
func TestRemovedBeforeItIsLocked(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	late, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if there, err := acquire(late); there || !errors.Is(err, ErrLocked) {
		t.Errorf("while another has it: %v, %v", there, err)
	}
	if err := Remove(first); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	if there, err := acquire(late); there || err != nil {
		t.Errorf("after it was removed: %v, %v", there, err)
	}
	second, err := Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := acquire(late); there || err != nil {
		t.Errorf("beside a new one: %v, %v", there, err)
	}
	if err := Remove(late); err == nil { // which has no name any more: that of the new one stays
		_, err = Acquire(name)
		if !errors.Is(err, ErrLocked) {
			t.Errorf("the second lock is gone: %v", err)
		}
	} else {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// However many take a lock at once, and remove its file when they give it back, one has it at a time.
func TestOneHolderAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	var holders atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for had := 0; had < 50; {
				lock, err := Acquire(name)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n > 1 {
					t.Errorf("%d have the lock", n)
				}
				had++
				holders.Add(-1)
				give := (*os.File).Close
				if i%2 == 0 {
					give = Remove
				}
				if err := give(lock); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}
