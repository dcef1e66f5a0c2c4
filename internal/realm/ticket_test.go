package realm

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// However a player spreads the renewals that the realm grants, the channel takes every connect token made after one.
func TestNoRenewalIsGrantedInVain(t *testing.T) {
	for name, pauses := range map[string][]time.Duration{
		"as soon as allowed":            {0, ConnectWindow, ConnectWindow, ConnectWindow},
		"late in one window, then anew": {0, ConnectWindow - 2*time.Second, 2 * time.Second, ConnectWindow},
		"now and then":                  {0, 7 * time.Second, 11 * time.Second, 7 * time.Second, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newArena(t, memnet.Options{}, nil)
				s, p := a.play(t, "alice")
				start, granted := time.Now(), 0
				for i, pause := range pauses {
					time.Sleep(pause)
					// One renewal at the start, as many as there may be later.
					for n := 0; i > 0 || n == 0; n++ {
						renewed, err := a.Renew(s.Token)
						if err != nil {
							break
						}
						old := p
						if p, err = a.dial(t, renewed); err != nil {
							t.Fatalf("renewal %d, after %v: %v", granted+1, time.Since(start), err)
						}
						<-old.done
						granted++
					}
				}
				if st := a.cfg.Channel.Stats(); st.Ignored.TooManyTokens != 0 || granted < maxRenewals {
					t.Errorf("%d renewals granted, channel %+v", granted, st.Ignored)
				}
			})
		})
	}
}
