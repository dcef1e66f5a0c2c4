package run

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// maxTime bounds each time of a configuration, and so what they add up to.
const maxTime = 7 * 24 * time.Hour

// WithDefaults returns the configuration with its defaults filled in, or an error that names the field at fault.
func (cfg Config) WithDefaults() (Config, error) {
	setDefault(&cfg.Scenario, report.Burst)
	setDefault(&cfg.Mode, report.Register)
	setDefault(&cfg.Prefix, DefaultPrefix)
	setDefault(&cfg.Password, DefaultPassword)
	setDefault(&cfg.Timeout, DefaultTimeout)
	setDefault(&cfg.Settle, DefaultSettle)
	setDefault(&cfg.TryTimeout, client.DefaultTryTimeout)
	setDefault(&cfg.GiveUpAfter, DefaultPatience)
	setDefault(&cfg.Line, LineAuto)
	switch cfg.Scenario {
	case report.LaunchDay:
		setDefault(&cfg.Peak, DefaultPeak)
		setDefault(&cfg.RampUp, DefaultSlope)
		setDefault(&cfg.Decay, DefaultSlope)
		setDefault(&cfg.Length, DefaultLength)
	case report.Poisson:
		setDefault(&cfg.Length, DefaultLength)
	case report.Mixed:
		setDefault(&cfg.Length, DefaultLength)
		setDefault(&cfg.Mix, DefaultMix)
	case report.KnockFlood:
		setDefault(&cfg.Length, DefaultFlood)
		setDefault(&cfg.Knocks.Times, DefaultTimes)
		setDefault(&cfg.Knocks.Mode, report.Register)
		setDefault(&cfg.Knocks.Patience, DefaultPatience)
	case report.ReconnectStorm:
		if cfg.Outage.Command != "" {
			setDefault(&cfg.DropBy, DropByServer)
			setDefault(&cfg.Outage.Watch, DefaultWatch)
			cfg.Play = true
		}
		setDefault(&cfg.DropBy, DropByClients)
		setDefault(&cfg.Duration, DefaultInside)
	}
	if cfg.Play {
		setDefault(&cfg.Duration, DefaultPlay)
	}
	for _, check := range []func(*Config) error{
		(*Config).checkServer, (*Config).checkAccounts, (*Config).checkScenario, (*Config).checkTimes, (*Config).checkGuests,
		(*Config).checkKnocks, (*Config).checkLine,
	} {
		if err := check(&cfg); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

func (cfg *Config) checkServer() error {
	if _, err := client.New(cfg.Target, client.Options{}); err != nil {
		return invalid("Target", err)
	}
	admins := cfg.admins()
	if len(admins) > maxAdmins {
		return invalid("Admin", fmt.Errorf("%d URLs, and %d are the most", len(admins), maxAdmins))
	}
	for _, admin := range admins {
		if _, err := client.New(admin, client.Options{}); err != nil {
			return invalid("Admin", err)
		}
	}
	if cfg.WebSocket && !cfg.Play {
		return invalid("WebSocket", errors.New("it is for players who play, see Play"))
	}
	if cfg.Adapter.Kind == "" {
		return nil
	}
	if _, err := adapter.New(cfg.Adapter, nil); err != nil {
		return invalid("Adapter", err)
	}
	if cfg.Play {
		return invalid("Play", errors.New("only a Rushgate server has a world that this tool can play in"))
	}
	if cfg.Mix.Malformed > 0 {
		return invalid("Mix", errors.New("what is malformed is known of Rushgate's requests only"))
	}
	return nil
}

func (cfg *Config) checkAccounts() error {
	if _, err := rushgate.ParsePassword(cfg.Password); err != nil {
		return invalid("Password", err)
	}
	// The error of NewUsername speaks of the whole name: prefix, '-' and a number.
	longest := account(cfg.Prefix, MaxClients-1)
	switch {
	case cfg.Scenario == report.KnockFlood:
		longest = knockAccount(cfg.Prefix, MaxClients-1)
	case cfg.Outage.Command != "":
		longest = account(visitorPrefix(cfg.Prefix), MaxClients-1)
	case cfg.Crowd > 0:
		longest = account(crowdPrefix(cfg.Prefix), MaxClients-1)
	case takesCapacity(cfg.Scenario) && cfg.Capacity == 0:
		longest = account(calibrationPrefix(cfg.Prefix), MaxClients-1)
	}
	if name, err := rushgate.NewUsername(longest); err != nil {
		return invalid("Prefix", err)
	} else if name != longest {
		return invalid("Prefix", errors.New("not in canonical form (lower case)"))
	}
	if cfg.Sources < 0 || cfg.Sources > MaxClients {
		return invalid("Sources", fmt.Errorf("%d is not within 0 to %d", cfg.Sources, MaxClients))
	}
	switch modes := []report.Mode{report.Register, report.Login, report.Opaque, report.Guest}; {
	case !slices.Contains(modes, cfg.Mode):
		return invalid("Mode", fmt.Errorf("%q is none of %q", cfg.Mode, modes))
	case cfg.Mode == report.Opaque && cfg.Adapter.Kind != "":
		return invalid("Mode", errors.New("only a Rushgate server knows OPAQUE as this tool speaks it"))
	case cfg.Mode == report.Opaque && cfg.Knocks.Mode == report.Login:
		return invalid("Knocks.Mode", errors.New("in mode opaque the accounts have no passwords that knocks could bring"))
	case cfg.Mode == report.Guest && cfg.Adapter.Kind != "":
		return invalid("Mode", errors.New("only a Rushgate server knows guests as this tool speaks of them"))
	case (cfg.Mode == report.Opaque || cfg.Mode == report.Guest) && cfg.Scenario == report.Mixed:
		return invalid("Mode", errors.New("the players of scenario mixed have passwords"))
	}
	return nil
}

// takesClients reports whether the number of players is given, rather than a rate and a time.
func takesClients(s report.Scenario) bool {
	return s == report.Burst || s == report.Ramp || s == report.ReconnectStorm
}

// takesRate reports whether the scenario goes by Config.Rate.
func takesRate(s report.Scenario) bool {
	return s == report.Ramp || s == report.Poisson || s == report.ReconnectStorm || s == report.Mixed
}

// takesCapacity reports whether the scenario goes by what the server can let in.
func takesCapacity(s report.Scenario) bool { return s == report.LaunchDay || s == report.KnockFlood }

func (cfg *Config) checkScenario() error {
	switch s := cfg.Scenario; {
	case !slices.Contains(report.Scenarios(), s):
		return invalid("Scenario", fmt.Errorf("%q is none of %v", s, report.Scenarios()))
	case takesClients(s) && (cfg.Clients < 1 || cfg.Clients > MaxClients):
		return invalid("Clients", fmt.Errorf("%d is not within 1 to %d", cfg.Clients, MaxClients))
	case !takesClients(s) && cfg.Clients != 0:
		return invalid("Clients", fmt.Errorf("in scenario %q the rate decides how many there are", s))
	case takesRate(s) && !(cfg.Rate > 0 && cfg.Rate <= MaxRate):
		return invalid("Rate", fmt.Errorf("%v is not above 0 and up to %d per second", cfg.Rate, MaxRate))
	case takesRate(s) && float64(cfg.Clients-1)/cfg.Rate > maxTime.Seconds():
		return invalid("Rate",
			fmt.Errorf("at %v per second the last of %d players would come after more than %v", cfg.Rate, cfg.Clients, maxTime))
	case s == report.KnockFlood && !(cfg.Rate >= 0 && cfg.Rate <= MaxRate):
		return invalid("Rate", fmt.Errorf("%v is not within 0 to %d per second", cfg.Rate, MaxRate))
	case !takesRate(s) && s != report.KnockFlood && cfg.Rate != 0:
		return invalid("Rate", fmt.Errorf("scenario %q has none", s))
	case cfg.GiveUpShare < 0 || !(cfg.GiveUpShare <= 1):
		return invalid("GiveUpShare", fmt.Errorf("%v is not within 0 to 1", cfg.GiveUpShare))
	case s == report.LaunchDay && !(cfg.Peak > 0 && cfg.Peak <= MaxPeak):
		return invalid("Peak", fmt.Errorf("%v is not above 0 and up to %d", cfg.Peak, MaxPeak))
	case takesCapacity(s) && !(cfg.Capacity >= 0 && cfg.Capacity <= MaxRate):
		return invalid("Capacity", fmt.Errorf("%v is not within 0 to %d per second", cfg.Capacity, MaxRate))
	case s == report.ReconnectStorm && cfg.DropBy != DropByClients && cfg.DropBy != DropByServer:
		return invalid("DropBy", fmt.Errorf("%q is neither %q nor %q", cfg.DropBy, DropByClients, DropByServer))
	case cfg.Outage != (Outage{}):
		return cfg.checkOutage()
	case s == report.ReconnectStorm && cfg.Stay != 0:
		return invalid("Stay", errors.New("in a reconnect storm nobody leaves"))
	case s == report.Mixed && !cfg.Mix.valid():
		return invalid("Mix", errors.New("no share may be negative, and one has to be above 0"))
	}
	return nil
}

func (cfg *Config) checkOutage() error {
	o := &cfg.Outage
	switch {
	case cfg.Scenario != report.ReconnectStorm:
		return invalid("Outage", fmt.Errorf("scenario %q has none", cfg.Scenario))
	case cfg.Stay != 0:
		return invalid("Stay", errors.New("in a reconnect storm nobody leaves"))
	case cfg.DropBy != DropByServer:
		return invalid("DropBy", errors.New("with an outage it is the server that drops players"))
	case o.Command == "":
		return invalid("Outage.Command", errors.New("it is missing"))
	case o.Kind != report.OutageKill && o.Kind != report.OutageHandOver:
		return invalid("Outage.Kind", fmt.Errorf("%q is neither %q nor %q", o.Kind, report.OutageKill, report.OutageHandOver))
	case o.Watch < 0 || o.Watch > maxTime:
		return invalid("Outage.Watch", fmt.Errorf("%v is not within 0 to %v", o.Watch, maxTime))
	}
	return nil
}

// checkGuests makes sure that no two players of scenario Mixed want to be inside as one at the same time: there are no
// more accounts than maxPrepared, which they take in turns.
func (cfg *Config) checkGuests() error {
	if cfg.Scenario != report.Mixed {
		return nil
	}
	rate := cfg.Rate * (cfg.Mix.Login + cfg.Mix.WrongPassword) / cfg.Mix.sum() // mean number of guests per second
	taken := cfg.Length                                                        // how long an account may be in use
	if cfg.Stay > 0 {
		taken = min(taken, cfg.Stay+cfg.Timeout)
	}
	n := rate * taken.Seconds()
	if n+5*math.Sqrt(n) > maxPrepared { // so many more come by chance as good as never
		return invalid("Stay",
			fmt.Errorf("about %.0f accounts would be in use at once by players who log in, and %d are the most that are"+
				" registered for them: have each stay for a shorter time, or fewer come", n, maxPrepared))
	}
	return nil
}

func (m Mix) sum() float64 { return m.Register + m.Login + m.WrongPassword + m.Malformed }

func (m Mix) valid() bool {
	return m.Register >= 0 && m.Login >= 0 && m.WrongPassword >= 0 && m.Malformed >= 0 && m.sum() > 0 && m.sum() < 1e9
}

func (cfg *Config) checkTimes() error {
	for _, t := range []struct {
		name  string
		value time.Duration
	}{
		{"Timeout", cfg.Timeout}, {"TryTimeout", cfg.TryTimeout}, {"Settle", cfg.Settle}, {"Duration", cfg.Duration},
		{"Length", cfg.Length}, {"RampUp", cfg.RampUp},
		{"Decay", cfg.Decay}, {"GiveUpAfter", cfg.GiveUpAfter}, {"Stay", cfg.Stay},
	} {
		if t.value < 0 || t.value > maxTime {
			return invalid(t.name, fmt.Errorf("%v is not within 0 to %v", t.value, maxTime))
		}
	}
	if n := cfg.expectedClients(cfg.Capacity); n > MaxClients {
		return invalid("Length", fmt.Errorf("%.0f players would come, and %d are the most", n, MaxClients))
	}
	return nil
}

// expectedClients returns how many players come on average, if the server lets in that many per second; 0 in scenarios
// LaunchDay and KnockFlood as long as that is not known.
func (cfg *Config) expectedClients(capacity float64) float64 {
	switch cfg.Scenario {
	case report.Poisson, report.Mixed:
		return cfg.Rate * cfg.Length.Seconds()
	case report.LaunchDay:
		return cfg.Peak * capacity * (cfg.Length + (cfg.RampUp+cfg.Decay)/2).Seconds()
	case report.KnockFlood:
		return cfg.playersRate(capacity) * (cfg.Knocks.Before + cfg.Length).Seconds()
	}
	return float64(cfg.Clients)
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func invalid(field string, err error) error { return fmt.Errorf("stress: %s: %w", field, err) }

// account returns the name of player i, who counts from 0.
func account(prefix string, i int) string { return fmt.Sprintf("%s-%06d", prefix, i+1) }
