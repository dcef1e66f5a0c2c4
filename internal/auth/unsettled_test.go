package auth

import (
	"fmt"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// A session whose opening the store has carried out without an answer, twice, can be continued like any other: the
// client that tries again has the token which the store knows, and so has the next process of the node, or another.
func TestASessionOfLostAnswersGoesOn(t *testing.T) {
	for name, knock := range map[string]func(t *testing.T, f *fixture) func() (Welcome, error){
		"registration": func(t *testing.T, f *fixture) func() (Welcome, error) {
			r := request(Register, "alice", 1)
			r.Attempt, r.Remember = "again", "phone"
			return func() (Welcome, error) { return f.Submit(t.Context(), r) }
		},
		"login": func(t *testing.T, f *fixture) func() (Welcome, error) {
			f.join(t, "alice", 1)
			f.leave(t, "alice")
			r := request(Login, "alice", 1)
			r.Attempt = "again"
			return func() (Welcome, error) { return f.Submit(t.Context(), r) }
		},
		"resume": func(t *testing.T, f *fixture) func() (Welcome, error) {
			device, _ := f.join(t, "alice", 1)
			f.leave(t, "alice")
			return func() (Welcome, error) { return f.Resume(t.Context(), resumeBy(device, "again", 1)) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			lost := &lostAnswers{}
			f := newFixture(t, func(c *settings) { lost.Store = c.Store; c.Store = lost })
			f.Start()
			try := knock(t, f)
			lost.lose = 2
			_, err := try()
			wantReason(t, "two answers lost", err, rushgate.ServerBusy)
			w, err := try()
			if err != nil {
				t.Fatalf("tried again: %v", err)
			}
			if again, err := try(); err != nil || again.Token != w.Token {
				t.Errorf("and once more: another token, %v", err)
			}
			for _, by := range []string{"the next run", "another node"} {
				next := newFixture(t, func(c *settings) {
					c.Store = lost.Store
					if c.Instance.Run = by; by == "another node" {
						c.Instance.Node = by
						c.Holder = func(rushgate.Instance) Holder { return Holder{Gone: true} }
					}
				})
				next.Start()
				on, err := next.Resume(t.Context(), Request{SessionToken: sessionToken(t, w), Addr: addr(1)})
				if err != nil || on.Token != w.Token {
					t.Errorf("by %s: %v", by, err)
				}
			}
		})
	}
}

// What is remembered of lost answers has a bound, and what was answered is forgotten.
func TestUnsettledSessionsAreBounded(t *testing.T) {
	var u unsettled
	opened := func(i int) *job {
		j := newJob(&pending{Request: Request{Attempt: fmt.Sprint("attempt-", i)}})
		j.session = token.NewSession("alice")
		return j
	}
	first, second := opened(0), opened(1)
	u.note([]*job{first, second})
	if u.sessionFor("alice", first) != first.session || u.sessionFor("bob", first) == first.session {
		t.Error("an attempt has the token of another, or not its own")
	}
	u.settle(first)
	if u.sessionFor("alice", first) == first.session {
		t.Error("what was answered is remembered")
	}
	unnamed, goesOn := newJob(&pending{}), opened(2)
	goesOn.Kind = Continue
	u.note([]*job{unnamed, goesOn})
	if len(u.recent) != 1 {
		t.Error("what no client can repeat is remembered")
	}
	for i := range 3 * maxUnsettled {
		u.note([]*job{opened(10 + i)})
		if n := len(u.recent) + len(u.before); n > maxUnsettled {
			t.Fatalf("%d are remembered", n)
		}
	}
	if u.sessionFor("alice", second) == second.session {
		t.Error("the oldest is remembered")
	}
	last := opened(10 + 3*maxUnsettled)
	u.note([]*job{last})
	if u.sessionFor("alice", last) != last.session {
		t.Error("the newest is forgotten")
	}
}
