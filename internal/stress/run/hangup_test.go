package run

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Who was told to come back, came, and hung up a moment later was not left in silence; who waited for long was.
func TestHangingUpSoonIsNoSilence(t *testing.T) {
	for patience, silent := range map[time.Duration]bool{brief: false, brief + 3*time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.knock = func(w http.ResponseWriter, r *http.Request, _ string, try int) {
				if try > 1 {
					silence(r)
					return
				}
				refuse(w, 0, 503, "server-busy", time.Minute)
			}
			cfg := f.start(t)
			// Patience, a pause of half as long, patience again, and no time left after that.
			cfg.Clients, cfg.GiveUpShare, cfg.GiveUpAfter, cfg.Timeout = 1, 1, patience, patience*5/2+time.Second
			rep := mustRun(t, t.Context(), cfg)
			if rep.HungUp != 2 || (rep.TimedOut == 1) != silent || (rep.Busy == 1) == silent {
				t.Errorf("patience of %v: busy %d, timed out %d, hung up %d", patience, rep.Busy, rep.TimedOut, rep.HungUp)
			}
		})
	}
}
