package report

// Scenario is how the players arrive.
type Scenario string

// The scenarios.
const (
	Burst Scenario = "burst" // all at once
	Ramp  Scenario = "ramp"  // evenly, Config.Rate a second

	// Poisson has them come independently of each other and of the server, Config.Rate a second on average for
	// Config.Length.
	Poisson Scenario = "poisson"
	// LaunchDay is Poisson with a rate that grows for Config.RampUp to Config.Peak times the capacity of the server, stays
	// there for Config.Length and falls for Config.Decay. Config.GiveUpShare of the players do not wait in patience.
	LaunchDay Scenario = "launch-day"
	// ReconnectStorm drops all players at once when they are inside, or waits until the server does, and has them return.
	ReconnectStorm Scenario = "reconnect-storm"
	// Mixed is Poisson with players who register, log in, have forgotten their password or are no players at all, in the
	// shares of Config.Mix.
	Mixed Scenario = "mixed"
	// KnockFlood is Poisson beside a flood of knocks whose clients do not wait, come back or play.
	KnockFlood Scenario = "flood"
)

// Scenarios returns all of them.
func Scenarios() []Scenario {
	return []Scenario{Burst, Ramp, Poisson, LaunchDay, ReconnectStorm, Mixed, KnockFlood}
}

// Mode is what the players ask for.
type Mode string

// The modes.
const (
	Register Mode = "register"
	Login    Mode = "login" // of the accounts that a run in mode Register with the same Prefix and Password has made
	// Opaque is to log in by OPAQUE, to accounts that the run itself has registered by it before the load.
	Opaque Mode = "opaque"
	// Guest is to come in as a guest, each by a secret of its own that the node has not seen.
	Guest Mode = "guest"
)
