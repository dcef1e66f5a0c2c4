package run

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// Players who leave while others come are seen for as long as they are there.
func TestPlayOfThoseWhoDoNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arena
		a.metrics = []string{playMetrics(1, 1, 0, "{}"), playMetrics(1000, 2, 1000, "{}"), playMetrics(4000, 8, 7000, "{}")}
		a.metricsAt = func(at time.Duration) int { return either(at > 29*time.Second, 2, either(at > 0, 1, 0)) }
		cfg := a.open(t, 10)
		defer a.shut()
		cfg.Scenario, cfg.Rate, cfg.Clients, cfg.Stay, cfg.Admin = report.Ramp, 1, 30, 5*time.Second, "http://admin.test"
		cfg.dialUDP = refuseThird(cfg.dialUDP)
		begin := time.Now()
		rep := mustRun(t, t.Context(), cfg)
		p := rep.Play
		if p == nil || p.Players != 29 || p.ConnectsFailed != 1 || rep.LoggedOut != 30 || p.Server == nil ||
			p.Server.Tick.Ticks == 0 {
			t.Fatalf("%+v\n%+v", rep, p)
		}
		if math.Abs(p.Seconds-34) > 0.5 || math.Abs(p.Expected-30*5*20) > 30 || math.Abs(p.Share-29./30) > 0.02 {
			t.Errorf("%+v", p)
		}
		if took := time.Since(begin); took > 36*time.Second {
			t.Errorf("it took %v, in an empty world in the end", took)
		}
		time.Sleep(time.Second) // goodbyes are under way
	})
}

// refuseThird makes the third socket fail.
func refuseThird(dial dialUDPFunc) dialUDPFunc {
	var n atomic.Int32
	return func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
		if n.Add(1) == 3 {
			return nil, errors.New("no socket")
		}
		return dial(ctx, server)
	}
}
