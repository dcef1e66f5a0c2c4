package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/stress/flood"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// Knocks says what beats against the door in scenario [report.KnockFlood]. The zero value of each field selects its
// default.
type Knocks struct {
	// PerSecond is how many there are, up to [flood.MaxPerSecond]. Zero has Times decide.
	PerSecond float64
	// Times is how many there are in multiples of the capacity, up to [MaxPeak]. Default [DefaultTimes].
	Times float64
	// Mode is what they ask for: accounts with fresh names, the sessions of accounts that are registered before, or, in
	// [report.Opaque], no more than to begin logins by OPAQUE with fresh names: none of these gets in. Default
	// [report.Register].
	Mode report.Mode
	// Sources are the IPv4 addresses that they come from. The machine must own them. Default [flood.Loopback] if the
	// target is on loopback; for any other there is none.
	Sources netip.Prefix
	// Patience is how long each waits for an answer, up to [flood.MaxPatience]. Default [DefaultPatience].
	Patience time.Duration
	// Before is how long the players have the server for themselves before the flood. Default none.
	Before time.Duration
}

// Defaults of scenario [report.KnockFlood].
const (
	DefaultTimes  = 11
	DefaultFlood  = 30 * time.Second // Config.Length
	honestPlayers = 0.1              // Config.Rate as a share of the capacity
)

const (
	// knockAccounts are those that knocks in mode Login take turns at.
	knockAccounts = 1000
	// onsetOfFlood bounds the beginning of a flood that does not count: nobody has come through the queue yet.
	onsetOfFlood = 2 * time.Second
	// promptAnswer is how long a server may take in any case, as far as open files are concerned.
	promptAnswer = 250 * time.Millisecond
)

// onset returns how much of the beginning of the flood does not count.
func (cfg *Config) onset() time.Duration { return min(onsetOfFlood, cfg.Length/5) }

// playersRate returns how many players come per second in scenario KnockFlood.
func (cfg *Config) playersRate(capacity float64) float64 {
	if cfg.Rate > 0 {
		return cfg.Rate
	}
	return honestPlayers * capacity
}

// knocksRate returns how many knocks come per second.
func (cfg *Config) knocksRate(capacity float64) float64 {
	if cfg.Knocks.PerSecond > 0 {
		return cfg.Knocks.PerSecond
	}
	return cfg.Knocks.Times * capacity
}

// floodSections are the parts of the load in scenario KnockFlood.
func (cfg *Config) floodSections() []section {
	begin := cfg.Knocks.Before
	list := []section{
		{report.PhaseOnset, begin}, {report.PhaseFlood, begin + cfg.onset()}, {report.PhaseRest, begin + cfg.Length},
	}
	if begin > 0 {
		list = append([]section{{report.PhaseBefore, 0}}, list...)
	}
	return list
}

// checkKnocks checks what only scenario KnockFlood has.
func (cfg *Config) checkKnocks() error {
	k := &cfg.Knocks
	if cfg.Scenario != report.KnockFlood {
		if *k != (Knocks{}) {
			return invalid("Knocks", fmt.Errorf("scenario %q has none", cfg.Scenario))
		}
		return nil
	}
	switch {
	case cfg.Adapter.Kind != "":
		return invalid("Adapter", errors.New("only a Rushgate server can be flooded"))
	case !(k.PerSecond >= 0 && k.PerSecond <= flood.MaxPerSecond):
		return invalid("Knocks.PerSecond", fmt.Errorf("%v is not within 0 to %d", k.PerSecond, flood.MaxPerSecond))
	case !(k.Times > 0 && k.Times <= MaxPeak):
		return invalid("Knocks.Times", fmt.Errorf("%v is not above 0 and up to %d", k.Times, MaxPeak))
	case k.Mode != report.Register && k.Mode != report.Login && k.Mode != report.Opaque:
		return invalid("Knocks.Mode", fmt.Errorf("%q is none of %q, %q and %q", k.Mode, report.Register, report.Login,
			report.Opaque))
	case k.Before < 0 || k.Before > maxTime:
		return invalid("Knocks.Before", fmt.Errorf("%v is not within 0 to %v", k.Before, maxTime))
	}
	return nil
}

// flooding is the flood of a run.
type flooding struct {
	*flood.Flood
	cfg  flood.Config
	mode report.Mode
	wg   sync.WaitGroup
	err  error // of the generator; to be read after wg.Wait
}

// newFlooding returns the flood for a server of some capacity, or an error that says why there cannot be one. Where the
// capacity is not known yet it is 0, and what depends on it is not looked at.
func (r *run) newFlooding(ctx context.Context, capacity float64) (*flooding, error) {
	cfg := &r.cfg
	u, err := url.Parse(cfg.Target)
	if err != nil {
		return nil, err
	}
	target, err := addressOf(ctx, u)
	if err != nil {
		return nil, err
	}
	c := flood.Config{
		Target: target, Sources: cfg.Knocks.Sources, PerSecond: cfg.knocksRate(capacity), Length: cfg.Length,
		Warm: cfg.onset(), Patience: cfg.Knocks.Patience, MaxOpen: 1,
	}
	if c.PerSecond == 0 {
		c.PerSecond = 1
	}
	switch {
	case c.Sources.IsValid():
	case !target.Addr().IsLoopback():
		return nil, fmt.Errorf("%w: the target %v is not on loopback: give a prefix (--knock-sources) that is routed to"+
			" this machine", flood.ErrSources, target.Addr())
	default:
		c.Sources = flood.Loopback
	}
	if u.Scheme == "https" {
		c.TLS = r.network.tls.Clone()
		c.TLS.ServerName = u.Hostname()
		c.TLS.NextProtos = []string{"http/1.1"}
		c.TLS.MinVersion = tls.VersionTLS12
	}
	if c.MaxOpen, err = cfg.roomForKnocks(c.PerSecond, capacity, raiseFileLimit); err != nil {
		return nil, err
	}
	if c.Request, err = newKnockRequest(cfg, u, r.cfg.random); err != nil {
		return nil, err
	}
	f, err := flood.New(c)
	if err != nil {
		return nil, err
	}
	return &flooding{Flood: f, cfg: c, mode: cfg.Knocks.Mode}, nil
}

// addressOf returns the IPv4 address and port of the server that a URL names.
func addressOf(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Port() == "" {
		port, err = either[uint64](u.Scheme == "https", 443, 80), nil
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		all, failed := resolver.LookupNetIP(ctx, "ip4", u.Hostname())
		if failed != nil {
			return netip.AddrPort{}, failed
		}
		addr = all[0]
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// roomForKnocks returns how many knocks may be under way at once: all that come until the first of them lose patience,
// if the process may open so many files.
func (cfg *Config) roomForKnocks(perSecond, capacity float64,
	raise func(need uint64) (limit uint64, known bool)) (int, error) {
	others := reservedFiles + 2*int(cfg.expectedClients(capacity))
	wanted := int(perSecond*cfg.Knocks.Patience.Seconds()) + 1
	limit, known := raise(uint64(others + wanted))
	if !known {
		return wanted, nil
	}
	room, least := int(min(limit, 1<<30))-others, int(min(perSecond*promptAnswer.Seconds()+1, float64(wanted)))
	if room < least {
		return 0, fmt.Errorf("%w: %d for knocks that are answered promptly and %d for players, and this process may open %d;"+
			" raise the hard limit (ulimit -Hn) or take fewer knocks", ErrTooManyFiles, least, others, limit)
	}
	return min(wanted, room), nil
}

// begin begins the flood at a time, unless ctx ends before.
func (f *flooding) begin(ctx context.Context, at time.Time) {
	f.wg.Go(func() {
		if sleep(ctx, time.Until(at)) {
			f.err = f.Run(ctx)
		}
	})
}

// knocksOf returns counts as the report has them.
func knocksOf(c flood.Counts) report.Knocks {
	return report.Knocks{
		Made: c.Knocks, Late: c.Late, Unmade: c.Unmade, Full: c.Full, In: c.In, Refused: c.Refused,
		Gone: c.Gone, Silent: c.Silent, Open: c.Open,
	}
}

// fillFlood puts what became of the knocks into the report, whose phases are filled.
func (r *run) fillFlood(rep *report.Report) {
	f := r.flood
	if f == nil {
		return
	}
	if f.err != nil {
		rep.Note(fmt.Sprintf("the flood ended early: %v", f.err))
	}
	res := f.Result()
	if res.Knocks+res.Unmade == 0 {
		return
	}
	k := &report.KnockReport{
		PerSecond: f.cfg.PerSecond, Mode: f.mode, TLS: f.cfg.TLS != nil, Sources: f.cfg.Sources.String(),
		Length: res.Length.Seconds(), Patience: f.cfg.Patience.Seconds(),
		Knocks: knocksOf(res.Counts), Counted: knocksOf(res.Counted),
		CountedSeconds: res.CountedLength.Seconds(), Answers: []report.KnockAnswers{}, Delay: res.Delay,
	}
	k.MadePerSecond = share(float64(k.Made), k.Length)
	k.Times = share(k.PerSecond, rep.Capacity)
	k.KnocksInPerS = share(float64(k.Counted.In), k.CountedSeconds)
	for _, p := range rep.Phases {
		if p.Name == report.PhaseFlood {
			k.PlayersInPerS = p.PerSecond
		}
	}
	if f.mode == report.Opaque { // what is begun lets nobody in
		k.KnocksInPerS = 0
	}
	k.InPerSecond = k.KnocksInPerS + k.PlayersInPerS
	k.Goodput = share(k.InPerSecond, rep.Capacity)
	k.AnsweredOfKnocks = share(float64(k.In+k.Refused), float64(k.Made))
	k.GeneratorMicros = share(float64(res.CPU.Microseconds()), float64(k.Made))
	for _, a := range res.Answers {
		to := &k.Refusal
		if a.Status >= 200 && a.Status < 300 {
			to = &k.Entry
		}
		*to = merged(*to, a.Age)
		a.Age.Buckets = "" // those of all kinds together are enough
		k.Answers = append(k.Answers, report.KnockAnswers{Status: a.Status, Reason: a.Reason, Count: a.Count, Age: a.Age})
	}
	k.Delay.Buckets = ""
	rep.Flood = k
}

// share returns a/b, 0 if b is 0.
func share(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// cpuBetween returns what went into which part of the server between two readings; nil if it does not tell.
func cpuBetween(a, b *serverCPU) *report.CPU {
	if b == nil {
		return nil
	}
	if a == nil {
		a = new(serverCPU)
	}
	c := report.CPU{
		Process: (b.Process - a.Process) / 1000, Hash: (b.Hash - a.Hash) / 1000, Door: (b.Door - a.Door) / 1000,
		Tick: (b.Tick - a.Tick) / 1000,
	}
	c.Other = max(0, c.Process-c.Hash-c.Door-c.Tick)
	return &c
}

// cpuTogether returns what two successive parts of the run took together, weighing a as so many times b.
func cpuTogether(a, b *report.CPU, times float64) *report.CPU {
	if a == nil || b == nil {
		return either(b == nil, a, b)
	}
	c := a.Times(times / (times + 1)).Plus(b.Times(1 / (times + 1)))
	return &c
}
