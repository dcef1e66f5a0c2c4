package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

func push(t *testing.T, q *Queue[int], items ...int) {
	t.Helper()
	for _, i := range items {
		if !q.TryPush(i) {
			t.Fatalf("TryPush(%d) = false with %d in the queue", i, q.Len())
		}
	}
}

func pop(t *testing.T, q *Queue[int], max int, want ...int) {
	t.Helper()
	got, err := q.PopBatch(t.Context(), max)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("PopBatch(%d) = %v, %v; want %v", max, got, err, want)
	}
}

func TestQueueKeepsOrder(t *testing.T) {
	q := NewQueue[int](nil)
	push(t, q, 1, 2, 3, 4, 5)
	pop(t, q, 2, 1, 2)
	push(t, q, 6)
	pop(t, q, 3, 3, 4, 5)
	push(t, q, 7, 8)
	pop(t, q, 16, 6, 7, 8)
	if q.Len() != 0 {
		t.Errorf("Len = %d, want 0", q.Len())
	}
}

// Those who were called one after the other are served so, also if they do not come so.
func TestQueueKeepsTurns(t *testing.T) {
	q := NewQueue(func(i int) int64 { return int64(i / 10) })
	push(t, q, 35, 12, 31, 11, 20, 13)
	pop(t, q, 3, 12, 11, 13)
	push(t, q, 5, 36)
	pop(t, q, 16, 5, 20, 35, 31, 36)
}

func TestQueueUnbounded(t *testing.T) {
	q := NewQueue[int](nil)
	for i := range 100_000 {
		push(t, q, i)
	}
	for i, got := range q.Drain() {
		if got != i {
			t.Fatalf("item %d is %d", i, got)
		}
	}
	if cap(q.waiting) > minRoom {
		t.Errorf("an empty queue keeps room for %d", cap(q.waiting))
	}
}

func TestQueueDrainOfEmpty(t *testing.T) {
	if got := NewQueue[int](nil).Drain(); len(got) != 0 {
		t.Errorf("Drain of an empty queue = %v", got)
	}
}

func TestQueuePopBlocksWhileEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[int](nil)
		var popped atomic.Bool
		go func() {
			got, err := q.PopBatch(t.Context(), 16)
			if err != nil || !slices.Equal(got, []int{1}) {
				t.Errorf("PopBatch = %v, %v", got, err)
			}
			popped.Store(true)
		}()
		synctest.Wait()
		if popped.Load() {
			t.Fatal("PopBatch of an empty queue returned")
		}
		push(t, q, 1)
		synctest.Wait()
		if !popped.Load() {
			t.Fatal("PopBatch waited for more than the first item")
		}
	})
}

func TestQueueWakesEveryConsumerThatHasWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[int](nil)
		var sum atomic.Int64
		for range 4 {
			go func() {
				if got, err := q.PopBatch(t.Context(), 1); err == nil {
					sum.Add(int64(got[0]))
				}
			}()
		}
		synctest.Wait()
		push(t, q, 1, 10, 100, 1000)
		synctest.Wait()
		if sum.Load() != 1111 {
			t.Errorf("sum of what four consumers took is %d, want 1111", sum.Load())
		}
	})
}

func TestQueuePopEndsWithContextAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[int](nil)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { _, err := q.PopBatch(ctx, 1); errs <- err }()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("after cancel: %v", err)
		}
		push(t, q, 1)
		q.Close()
		q.Close()
		if q.TryPush(2) {
			t.Error("a closed queue took an item")
		}
		pop(t, q, 16, 1)
		if _, err := q.PopBatch(t.Context(), 1); !errors.Is(err, ErrQueueClosed) {
			t.Errorf("closed and empty: %v", err)
		}
	})
}

// The model: a slice. Every operation must agree with it, whatever the sequence.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := NewQueue[int](nil)
		var model []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "n") {
					if !q.TryPush(next) {
						t.Fatalf("TryPush = false with %d in the queue", len(model))
					}
					model = append(model, next)
					next++
				}
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("would block")
				}
				n := rapid.IntRange(1, 20).Draw(t, "n")
				got, err := q.PopBatch(context.Background(), n)
				want := model[:min(n, len(model))]
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("PopBatch(%d) = %v, %v; want %v", n, got, err, want)
				}
				model = model[len(want):]
			},
			"drain": func(t *rapid.T) {
				if got := q.Drain(); !slices.Equal(got, model) {
					t.Fatalf("Drain = %v, want %v", got, model)
				}
				model = nil
			},
			"": func(t *rapid.T) {
				if q.Len() != len(model) {
					t.Fatalf("Len = %d, want %d", q.Len(), len(model))
				}
			},
		})
	})
}

// With several producers and consumers nothing is lost, nothing comes twice, each producer's items stay in
// order.
func TestQueueConcurrentModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		producers := rapid.IntRange(2, 5).Draw(t, "producers")
		consumers := rapid.IntRange(2, 5).Draw(t, "consumers")
		batch := rapid.IntRange(1, 16).Draw(t, "batch")
		const each = 200
		type item struct{ producer, n int }
		q := NewQueue[item](nil)
		taken := make([][]item, consumers)
		accepted := make([]int, producers)
		var producing, consuming sync.WaitGroup
		for c := range consumers {
			consuming.Go(func() {
				for {
					items, err := q.PopBatch(context.Background(), batch)
					if err != nil {
						return
					}
					if len(items) > batch {
						t.Errorf("a batch of %d, want at most %d", len(items), batch)
					}
					taken[c] = append(taken[c], items...)
				}
			})
		}
		for p := range producers {
			producing.Go(func() {
				for n := range each {
					if q.TryPush(item{p, n}) {
						accepted[p]++
					}
				}
			})
		}
		producing.Wait()
		q.Close()
		consuming.Wait()
		got := make([]int, producers)
		for _, items := range taken {
			last := map[int]int{}
			for _, it := range items {
				if prev, ok := last[it.producer]; ok && it.n <= prev {
					t.Fatalf("a consumer saw %d of producer %d after %d", it.n, it.producer, prev)
				}
				last[it.producer] = it.n
				got[it.producer]++
			}
		}
		if !slices.Equal(got, accepted) {
			t.Fatalf("accepted %v, taken %v", accepted, got)
		}
	})
}

// The cost of one push and one pop must not depend on how many are waiting.
func BenchmarkQueuePushPop(b *testing.B) {
	for _, depth := range []int{10, 1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			q := NewQueue[*int](nil)
			x := new(int)
			for range depth {
				q.TryPush(x)
			}
			b.ReportAllocs()
			for b.Loop() {
				q.TryPush(x)
				if _, err := q.PopBatch(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
