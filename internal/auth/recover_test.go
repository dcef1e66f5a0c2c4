package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
)

// lost is the wish of a player for another password, with whatever code.
func lost(name string, i int) Request {
	return Request{Kind: Recover, Username: name, Code: token.NewCode(), Password: "another horse", Addr: addr(i)}
}

// Those who come with codes get a hash each, known or not, and wait for nobody else's refusal, which is told later than
// it is known.
func TestCodesAreJudgedAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		var judged atomic.Int64
		f := newFixture(t, func(c *settings) {
			c.Workers = 2
			c.Errands = func(_ context.Context, proved []Proved) ([]error, error) {
				errs := make([]error, len(proved))
				for i, p := range proved {
					judged.Add(1)
					if _, _, err := password.Describe(p.NewHash); err != nil || p.Code == (token.Code{}) || p.Kind != Recover {
						t.Errorf("an errand without a hash or a code: %v", err)
					}
					errs[i] = rushgate.BadCredentials
				}
				return errs, nil
			}
		})
		f.have(t, n)
		f.Start()
		began := time.Now()
		for i := range n {
			for _, name := range []string{fmt.Sprintf("player-%d", i), fmt.Sprintf("nobody-%d", i)} {
				go func() {
					for {
						_, err := f.Errand(t.Context(), lost(name, i))
						if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok && refusal.Reason == rushgate.ServerBusy {
							time.Sleep(refusal.RetryAfter)
							continue
						}
						if !errors.Is(err, rushgate.BadCredentials) {
							t.Errorf("%s: %v", name, err)
						}
						return
					}
				}()
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if judged.Load() != 2*n {
			t.Errorf("%d codes were judged within %v, want %d", judged.Load(), time.Since(began), 2*n)
		}
		if s := f.Stats().Errands; s.Fail[rushgate.BadCredentials] != 2*n || s.Expired != 0 || s.Depth != 0 {
			t.Errorf("the figures are %+v", s)
		}
	})
}

func TestRightCodeIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) {
			c.Errands = func(_ context.Context, proved []Proved) ([]error, error) { return make([]error, len(proved)), nil }
		})
		f.have(t, 1)
		f.Start()
		began := time.Now()
		a, err := f.Errand(t.Context(), lost("player-0", 0))
		if err != nil || a.Username != "player-0" || time.Since(began) >= recoverStep {
			t.Errorf("%q after %v, error %v", a.Username, time.Since(began), err)
		}
	})
}
