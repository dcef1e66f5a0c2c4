package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
)

// holderOf is one who waits in a line, another for each number below 1000.
func holderOf(i int) line.Holder {
	return line.HolderOf(fmt.Appendf(nil, "0123456789abcdef0123456789abc%03d", i))
}

// wantPlace checks that a player was given a place in the world's line, and a proof.
func wantPlace(t *testing.T, who string, err error) {
	t.Helper()
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok || refusal.Place.Number == 0 || refusal.Place.Proof == "" {
		t.Errorf("%s is told %v, and has no place with a proof", who, err)
	}
}

// Of many who come by OPAQUE in front of a full world, what they have used up is written at once: a session token
// beside them would wait for each of the calls.
func TestStatesOfABatchAreUsedUpTogether(t *testing.T) {
	const n = 8
	f := opaquely(t, func(s *settings) { s.World = 1 })
	f.Start()
	f.openLine(t)
	for i := range n {
		f.enlist(t, fmt.Sprint("player-", i), i+10)
		f.leave(t, fmt.Sprint("player-", i))
	}
	f.holdLane(t)
	_, err := f.Submit(t.Context(), request(Register, "first", 3))
	wantReason(t, "the first", err, "")
	results := make([]chan error, n)
	finishes := make([]Request, n)
	for i := range n {
		r, err := f.begin(t.Context(), t, fmt.Sprint("player-", i), i+10)
		if err != nil {
			t.Fatal(err)
		}
		r.Attempt, r.Wait, r.Holder = "attempt", true, holderOf(i)
		finishes[i], results[i] = r, make(chan error, 1)
		go func() { _, err := f.Finish(t.Context(), r); results[i] <- err }()
	}
	for f.lane.Len() < n {
		time.Sleep(time.Millisecond)
	}
	before := f.store.updates.Load()
	f.release()
	for i := range n {
		wantPlace(t, fmt.Sprint("player-", i), <-results[i])
	}
	if calls := f.store.updates.Load() - before; calls != 1 {
		t.Errorf("%d calls of the store for a batch of %d", calls, n)
	}
	other := finishes[0]
	other.Attempt = "another"
	if _, err := f.Finish(t.Context(), other); !errors.Is(err, opaque.ErrUsed) {
		t.Errorf("another attempt with the same state: %v", err)
	}
}

// The same is so of the codes of those who come with a password.
func TestCodesOfABatchAreUsedUpTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4
		f := newFixture(t, func(s *settings) { s.World, s.Workers = 1, 1 })
		f.have(t, n)
		f.openLine(t)
		keys := make([]string, n)
		for i := range n {
			keys[i], _ = f.enrol(t, fmt.Sprint("player-", i))
		}
		time.Sleep(secondfactor.Period)
		f.Start()
		_, err := f.Submit(t.Context(), request(Register, "first", 3))
		wantReason(t, "the first", err, "")
		gate := make(chan struct{})
		f.store.beforeLoad = func([]string) { f.store.beforeLoad = nil; <-gate }
		nobody := request(Login, "nobody", 4)
		nobody.Wait, nobody.Holder = true, holderOf(n+1)
		held := f.submit(t.Context(), nobody)
		synctest.Wait()
		results := make([]<-chan error, n)
		for i := range n {
			r := withCode(fmt.Sprint("player-", i), i+10, "a", codeOf(t, keys[i]))
			r.Wait, r.Holder = true, holderOf(i)
			results[i] = f.submit(t.Context(), r)
		}
		time.Sleep(time.Millisecond)
		twice := withCode("player-0", 30, "b", codeOf(t, keys[0]))
		twice.Wait, twice.Holder = true, holderOf(n)
		second := f.submit(t.Context(), twice)
		synctest.Wait()
		before := f.store.updates.Load()
		close(gate)
		wantReason(t, "nobody", <-held, rushgate.BadCredentials)
		for i := range n {
			wantPlace(t, fmt.Sprint("player-", i), <-results[i])
		}
		wantReason(t, "who shows the same code", <-second, rushgate.ServerBusy)
		if calls := f.store.updates.Load() - before; calls != 1 {
			t.Errorf("%d calls of the store for a batch of %d", calls, n+1)
		}
		_, err = f.Submit(t.Context(), twice)
		wantReason(t, "who shows it again", err, rushgate.SecondFactor)
		f.Stop()
	})
}

// losesAdmissions is a store of which the answers are lost.
type losesAdmissions struct{ rushgate.Store }

func (l losesAdmissions) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	_, err := l.Store.Admit(ctx, by, admissions)
	return nil, errors.Join(err, rushgate.ErrUnavailable)
}

// Who is told to try again can send the same request once more, though the account says by then that its state is used.
// Another attempt with the same state cannot.
func TestTheSameFinishOnceMore(t *testing.T) {
	enterBusy := false
	f := opaquely(t, func(s *settings) {
		s.World = 2
		enter := s.Enter
		s.Enter = func(a rushgate.Arrival) {
			if enterBusy {
				a.Reply(rushgate.Session{}, rushgate.ServerBusy)
				return
			}
			enter(a)
		}
	})
	f.Start()
	f.openLine(t)
	plain := f.store.Store
	for i, c := range []struct {
		name        string
		break_, fix func()
	}{
		{"the world was busy", func() { enterBusy = true }, func() { enterBusy = false }},
		{"the answer of the store was lost", func() { f.store.Store = losesAdmissions{plain} },
			func() { f.store.Store = plain }},
	} {
		name := fmt.Sprint("player-", i)
		f.enlist(t, name, i+10)
		f.leave(t, name)
		r, err := f.begin(t.Context(), t, name, i+10)
		if err != nil {
			t.Fatal(err)
		}
		r.Attempt = "attempt"
		c.break_()
		_, err = f.Finish(t.Context(), r)
		wantReason(t, c.name, err, rushgate.ServerBusy)
		c.fix()
		other := r
		other.Attempt = "another"
		if _, err := f.Finish(t.Context(), other); !errors.Is(err, opaque.ErrUsed) {
			t.Errorf("%s, another attempt: %v", c.name, err)
		}
		w, err := f.Finish(t.Context(), r)
		if err != nil || w.SessionProof == "" {
			t.Errorf("%s, once more: %v", c.name, err)
		}
		if _, err := f.Finish(t.Context(), r); !errors.Is(err, opaque.ErrUsed) {
			t.Errorf("%s, once it was good: %v", c.name, err)
		}
		f.leave(t, name)
	}
}

// Who has a place in the world's line, and sends the same request again, keeps it. The panic of another job has its
// batch served again.
func TestTheSameFinishInTheLine(t *testing.T) {
	f := opaquely(t, func(s *settings) { s.World = 1 })
	f.Start()
	f.openLine(t)
	f.enlist(t, "carol", 1)
	f.leave(t, "carol")
	f.enlist(t, "bob", 2) // who stays inside
	carol, err := f.begin(t.Context(), t, "carol", 1)
	if err != nil {
		t.Fatal(err)
	}
	carol.Wait, carol.Holder = true, holderOf(1)
	bob, err := f.begin(t.Context(), t, "bob", 2)
	if err != nil {
		t.Fatal(err)
	}
	bob.Takeover = true
	gate, held := make(chan struct{}), make(chan struct{})
	f.store.beforeLoad = func([]string) { f.store.beforeLoad = nil; close(held); <-gate }
	go f.Resume(t.Context(), Request{ResumeToken: token.NewResume("holds-the-lane"), Addr: addr(99)})
	<-held
	f.store.beforeAdmit = func([]rushgate.Admission) { panic("of bob's admission") }
	placed, failed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := f.Finish(t.Context(), carol); placed <- err }()
	go func() { _, err := f.Finish(t.Context(), bob); failed <- err }()
	for f.lane.Len() < 2 {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	wantPlace(t, "carol", <-placed)
	wantReason(t, "bob", <-failed, rushgate.InternalError)
	f.store.beforeAdmit = nil
	carol, err = f.begin(t.Context(), t, "carol", 1)
	if err != nil {
		t.Fatal(err)
	}
	carol.Attempt, carol.Wait, carol.Holder = "attempt", true, holderOf(1)
	for range 2 {
		_, err := f.Finish(t.Context(), carol)
		wantPlace(t, "carol", err)
	}
}
