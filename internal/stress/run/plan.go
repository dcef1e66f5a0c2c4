package run

import (
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// ask is what a player wants.
type ask uint8

const (
	askRegister ask = iota
	askLogin
	askWrongPassword
	askMalformed
	askGuest
)

// arrival is one player who is to come.
type arrival struct {
	due     time.Duration // from the beginning of the load
	ask     ask
	account int // from 0
}

// section is a part of the load; the last one lasts until every player has an outcome.
type section struct {
	name string
	from time.Duration
}

// plan is who comes when. It is made before the load begins: however slow the server is, they come (an open loop).
type plan struct {
	arrivals []arrival
	sections []section
	prepared int // accounts, the first ones, that must exist before
}

// maxPrepared bounds the accounts that are registered for others to log in to.
const maxPrepared = 10_000

// newPlan returns who comes when to a server that can let in so many per second.
func newPlan(cfg *Config, capacity float64, random func() float64) plan {
	var p plan
	p.sections = []section{{report.PhaseArrivals, 0}}
	switch cfg.Scenario {
	case report.Burst:
		p.arrivals = make([]arrival, cfg.Clients)
	case report.Ramp, report.ReconnectStorm:
		for i := range cfg.Clients {
			p.arrivals = append(p.arrivals, arrival{due: seconds(float64(i) / cfg.Rate)})
		}
	case report.Poisson, report.Mixed:
		p.arrivals = poisson(random, cfg.Rate*cfg.Length.Seconds(),
			func(n float64) time.Duration { return seconds(n / cfg.Rate) })
		p.sections = append(p.sections, section{report.PhaseRest, cfg.Length})
	case report.KnockFlood:
		rate := cfg.playersRate(capacity)
		p.arrivals = poisson(random, cfg.expectedClients(capacity),
			func(n float64) time.Duration { return seconds(n / rate) })
		p.sections = cfg.floodSections()
	case report.LaunchDay:
		up, length, decay, peak := cfg.RampUp.Seconds(), cfg.Length.Seconds(), cfg.Decay.Seconds(), cfg.Peak*capacity
		p.arrivals = poisson(random, cfg.expectedClients(capacity), func(n float64) time.Duration {
			return seconds(whenLaunched(n, peak, up, length, decay))
		})
		p.sections = []section{
			{report.PhaseRampUp, 0}, {report.PhasePeak, cfg.RampUp}, {report.PhaseDecay, cfg.RampUp + cfg.Length},
			{report.PhaseRest, cfg.RampUp + cfg.Length + cfg.Decay},
		}
	}
	p.assign(cfg, random)
	return p
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// poisson returns the arrivals of a Poisson process: when tells at what time so many are expected to have come, of
// which there are expected in all.
func poisson(random func() float64, expected float64, when func(n float64) time.Duration) []arrival {
	var list []arrival
	for n := exponential(random); n < expected && len(list) < MaxClients; n += exponential(random) {
		list = append(list, arrival{due: when(n)})
	}
	return list
}

// exponential returns a random number that is exponentially distributed with mean 1.
func exponential(random func() float64) float64 { return -math.Log1p(-random()) }

// whenLaunched returns the seconds after which n players have come, at a rate that grows from 0 to peak for up seconds,
// stays and then falls to 0.
func whenLaunched(n, peak, up, length, decay float64) float64 {
	grown, held := peak*up/2, peak*length
	switch {
	case n < grown: // n = peak/up * t²/2
		return math.Sqrt(2 * n * up / peak)
	case n < grown+held:
		return up + (n-grown)/peak
	}
	// What is left to come is a triangle like the first one, from the other end.
	left := max(0, grown+held+peak*decay/2-n)
	return up + length + decay - math.Sqrt(2*left*decay/peak)
}

// assign gives each arrival something to want and an account.
func (p *plan) assign(cfg *Config, random func() float64) {
	if cfg.Scenario != report.Mixed {
		for i := range p.arrivals {
			p.arrivals[i].account = i
			switch cfg.Mode {
			case report.Register:
			case report.Guest:
				p.arrivals[i].ask = askGuest
			default:
				p.arrivals[i].ask = askLogin
			}
		}
		return
	}
	m, sum := cfg.Mix, cfg.Mix.sum()
	edges := []float64{m.Register, m.Register + m.Login, m.Register + m.Login + m.WrongPassword}
	guests := 0 // who need an account that exists
	for i := range p.arrivals {
		x := random() * sum
		at := slices.IndexFunc(edges, func(edge float64) bool { return x < edge })
		if at < 0 {
			at = int(askMalformed)
		}
		p.arrivals[i].ask = ask(at)
		if a := p.arrivals[i].ask; a == askLogin || a == askWrongPassword {
			guests++
		}
	}
	p.prepared = min(guests, maxPrepared)
	guest, fresh := 0, p.prepared
	for i := range p.arrivals {
		a := &p.arrivals[i]
		switch a.ask {
		case askLogin, askWrongPassword:
			a.account = guest % p.prepared
			guest++
		default:
			a.account = fresh
			fresh++
		}
	}
}
