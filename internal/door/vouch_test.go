package door

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/rushgate/rushgate"
)

// Each origin may ask so often about proofs, and so often at once; others do not notice.
func TestQuestionsAboutProofsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		from  string // by number
		times int
	}{
		"IPv4": {"203.0.113.7", 1}, "of a /64": {"2001:db8::%x", 1}, "of a /48": {"2001:db8:0:%x::1", 4},
	} {
		w := newBusyWorld(t, 10, nil)
		ask := func(i int) (func(), rushgate.Refusal) {
			from := c.from
			if name != "IPv4" {
				from = fmt.Sprintf(c.from, i%256<<8+i/256) // each in a /56 of its own, of those of one /48
			}
			done, err := w.Vouch(netip.MustParseAddr(from))
			if r, ok := errors.AsType[*rushgate.Refusal](err); ok {
				return nil, *r
			}
			return done, rushgate.Refusal{}
		}
		var all []func()
		for i := range 2 * vouchesAtOnce * c.times {
			if done, r := ask(i); (r.Reason == rushgate.RateLimited) != (i >= vouchesAtOnce*c.times) {
				t.Errorf("%s: %d at once: %+v", name, i+1, r)
			} else if done != nil {
				all = append(all, done)
			}
		}
		for _, done := range all {
			done()
		}
		if len(w.vouches.inFlight) > 0 {
			t.Errorf("%s: %v is left", name, w.vouches.inFlight)
		}
		n := len(all)
		for ; n < 10*originVouches; n++ {
			done, r := ask(n)
			if r.Reason == rushgate.RateLimited {
				if r.RetryAfter <= 0 || r.RetryAfter > vouchWindow {
					t.Errorf("%s: again in %v", name, r.RetryAfter)
				}
				break
			}
			done()
		}
		if n != originVouches*c.times {
			t.Errorf("%s: %d within a moment", name, n)
		}
		if done, err := w.Vouch(netip.MustParseAddr("198.51.100.1")); err != nil {
			t.Errorf("%s: another: %v", name, err)
		} else {
			done()
		}
		w.now = w.now.Add(vouchWindow / 100)
		if _, r := ask(0); r.Reason != "" {
			t.Errorf("%s: later: %+v", name, r)
		}
	}
}
