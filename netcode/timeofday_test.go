package netcode

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// The time of day is not what it was when the server began, and what has passed since: it was set meanwhile.
func TestATimeOfDayThatIsSetRefusesNoToken(t *testing.T) {
	for _, set := range []time.Duration{-time.Hour, time.Hour, -365 * 24 * time.Hour, 0} {
		synctest.Test(t, func(t *testing.T) {
			f := serve(t, memnet.Options{}, 4, func(c *ServerConfig) { c.began = time.Now().Round(0).Add(-set) })
			defer f.server.Stop()
			time.Sleep(time.Minute)
			grant := spec(1)
			grant.CreatedAt = f.server.Now()
			grant.ExpiresAt = grant.CreatedAt.Add(30 * time.Second)
			token := f.token(grant)
			time.Sleep(20 * time.Second) // within its life
			c := f.dial(clientAddr(1), token)
			if !c.connect(time.Second) {
				t.Fatalf("set by %v: a token of this server is refused", set)
			}
			c.leave()
			grant.ClientID = 2
			late := f.token(grant)
			time.Sleep(20 * time.Second) // beyond it
			if f.dial(clientAddr(2), late).connect(time.Second) {
				t.Errorf("set by %v: a token is good for longer than its life", set)
			}
			if got := f.server.Stats().Ignored.Expired; got == 0 {
				t.Errorf("set by %v: not counted", set)
			}
		})
	}
}

// An issuer whose clock differs by less than a token's life has its tokens taken.
func TestTokensOfAnIssuerWhoseClockDiffersALittle(t *testing.T) {
	for _, differs := range []time.Duration{-20 * time.Second, -2 * time.Second, 2 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := serve(t, memnet.Options{}, 4, nil)
			defer f.server.Stop()
			grant := spec(1)
			grant.CreatedAt, grant.ExpiresAt = grant.CreatedAt.Add(differs), grant.ExpiresAt.Add(differs)
			if !f.dial(clientAddr(1), f.token(grant)).connect(time.Second) {
				t.Errorf("a clock that differs by %v", differs)
			}
		})
	}
}
