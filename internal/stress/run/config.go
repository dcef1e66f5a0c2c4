// Package run sends a rush of players to a Rushgate server and measures what becomes of them.
//
// [Run] starts every player as a real [client.Client] with a connection of its own and, when the target is on
// loopback, a source address of its own, so that the server's per-address protections see what they would see in the
// wild. Players who got in keep their session open until the last one has an outcome, or play for a while if
// [Config.Play] is set, and then log out. While they come in, a probe polls the target's /healthz on a fixed schedule.
// The [report.Report] holds the outcomes and latencies, what the players saw of the world, and what the server's own
// metrics say about the same time.
package run

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// DropBy is who ends the connections in scenario [report.ReconnectStorm].
type DropBy string

// The two ends.
const (
	DropByClients DropBy = "clients" // all hang up at once, without a word, and are back at the door at once
	DropByServer  DropBy = "server"  // they play until the server is gone by other hands, and find out for themselves
)

// Mix is how many of the players of scenario [report.Mixed] do what. Only the proportions count.
type Mix struct {
	Register      float64 `json:"register"`       // new accounts
	Login         float64 `json:"login"`          // of an account that exists
	WrongPassword float64 `json:"wrong_password"` // of an account that exists
	Malformed     float64 `json:"malformed"`      // requests that no client of this world sends
}

// DefaultMix is the default of [Config.Mix].
var DefaultMix = Mix{Register: 0.2, Login: 0.6, WrongPassword: 0.15, Malformed: 0.05}

// Bounds and defaults of [Config].
const (
	MaxClients      = 1_000_000
	MaxRate         = 100_000 // clients per second
	MaxPeak         = 1000
	DefaultPrefix   = "stress"
	DefaultPassword = "stress-test-password" // no secret: stress accounts belong on test servers
	DefaultTimeout  = 120 * time.Second
	DefaultPlay     = 60 * time.Second // Config.Duration with Config.Play
	DefaultInside   = 10 * time.Second // Config.Duration in scenario ReconnectStorm
	DefaultLength   = 60 * time.Second
	DefaultPeak     = 3
	DefaultSettle   = 2 * time.Minute
	DefaultSlope    = 20 * time.Second // Config.RampUp and Config.Decay
	DefaultPatience = 10 * time.Second // Config.GiveUpAfter
)

// Config says what to do to which server. The zero value of each field but Target and Clients selects its default.
type Config struct {
	// Target is the base URL of the server. Required.
	Target string
	// Admin is the base URL of the server's admin listener, whose /metrics.json goes into the report, or those of all
	// nodes behind the target, with commas between them. A listener of a node that is not found at the target is not
	// used, and the report says so. Default: none.
	Admin string
	// Adapter, if its Kind is set, says that the target is another kind of server than Rushgate.
	Adapter adapter.Config
	// Scenario is how the players arrive. Default [report.Burst].
	Scenario report.Scenario
	// Mode is what they ask for, but for those of scenario Mixed. Default [report.Register]. In mode Opaque the accounts
	// are registered before, and the players' Argon2id is left out, see [report.OpaqueCost]. In
	// mode Guest they have none before: the server deletes them some time after.
	Mode report.Mode
	// Clients is the number of players, 1 to [MaxClients]: required in scenarios Burst, Ramp and ReconnectStorm. In the
	// others the rate decides, and it has to be zero.
	Clients int
	// Rate is how many players start per second, above 0 and up to [MaxRate]: exactly in scenarios Ramp and
	// ReconnectStorm, on average in Poisson, Mixed and KnockFlood, where zero stands for a tenth of the capacity. Zero in
	// the others.
	Rate float64
	// Length is for how long players arrive, in scenarios Poisson and Mixed; in LaunchDay how long the peak lasts, in
	// KnockFlood the flood. Default [DefaultLength], in KnockFlood [DefaultFlood].
	Length time.Duration
	// Capacity is how many players per second the server can let in, for scenarios LaunchDay and KnockFlood. Zero, the
	// default, has it
	// measured first: as the number of players who get in within ten seconds if there are always a hundred at the door, or
	// as many as it takes for the server to let in no more.
	Capacity float64
	// Peak is the rate at the peak of scenario LaunchDay in multiples of the capacity, up to [MaxPeak]. Default
	// [DefaultPeak].
	Peak float64
	// RampUp and Decay are how long the rate grows and falls in scenario LaunchDay. Default [DefaultSlope].
	RampUp, Decay time.Duration
	// GiveUpShare is the share of players, 0 to 1, who hang up when they are not in after GiveUpAfter, and come back
	// after half to one and a half times as long, until they are in or Timeout has passed. Default none of them, and
	// [DefaultPatience].
	GiveUpShare float64
	GiveUpAfter time.Duration
	// Mix is what the players of scenario Mixed want. Default [DefaultMix]. The accounts that some of them log in to are
	// registered before, at a polite pace.
	Mix Mix
	// DropBy says who ends the connections in scenario ReconnectStorm. Default [DropByClients].
	DropBy DropBy
	// Outage, if it has a Command, is what the players of scenario ReconnectStorm live through, in place of DropBy. They
	// play. Others log in meanwhile, ten a second, whose names begin with Prefix-vis.
	Outage Outage
	// Prefix begins the account names, which are Prefix-000001 and so on. Default [DefaultPrefix].
	Prefix string
	// Password is that of all accounts. Default [DefaultPassword].
	Password string
	// MaxRetries is that of [client.Options]: zero means [client.DefaultMaxRetries], negative none.
	MaxRetries int
	// TryTimeout is how long one try may take, from dialing to the last byte of the answer, whatever the kind of server
	// and in however many requests. Default [client.DefaultTryTimeout].
	TryTimeout time.Duration
	// Timeout is how long a player goes on trying, all retries together. Default [DefaultTimeout].
	Timeout time.Duration
	// Play has each player who got in connect to the world by UDP, walk about in it and check what it shows, rather
	// than only keep the session open.
	Play bool
	// WebSocket has those who play connect over a WebSocket, as browsers do, instead of UDP. It needs Play.
	WebSocket bool
	// Stay is how long each player stays inside before logging out. Default: until the end of the run.
	Stay time.Duration
	// Duration is how long everybody stays once the last one has an outcome and, with Play, is connected. Default
	// [DefaultPlay] with Play, otherwise none: the players leave at once. In scenario ReconnectStorm it is how long they
	// are inside before they are dropped, or how long the run waits for the server to do it; default [DefaultInside].
	Duration time.Duration
	// Sources is how many source addresses the players take turns at, up to [MaxClients], if Target is on IPv4 loopback
	// and the system allows it, as Linux does. A server that bounds what one address may do sees as many machines, and
	// each address has ephemeral ports of its own. 1 is the address that the system chooses, for all, and all there is
	// for other targets. Zero, the default, has each player come from one of their own.
	Sources int
	// KeepAlive has a player make all tries over one connection for as long as the server keeps it. By default each try
	// has a connection of its own, with its own TLS handshake, since on a launch day no player has a warm one.
	KeepAlive bool
	// InsecureTLS accepts any certificate of Target and Admin.
	InsecureTLS bool
	// RootCAs, if set, are the only certificate authorities trusted.
	RootCAs *x509.CertPool
	// Line is what the players know of the line of the server. Default [LineAuto].
	Line LineMode
	// KnockAddr is where they ask by UDP where they stand, host:port. Default: where the server says.
	KnockAddr string
	// ShareDocument has one reading of the line's document in a second serve all players, as a content delivery network
	// does. By default each reads it for itself.
	ShareDocument bool
	// Crowd is how many more clients come beside the players, up to [MaxClients], all from one address, which wait in line
	// as they do and leave as soon as they are in. The run is made twice then, without the crowd first, to compare.
	// Scenarios Burst, Ramp, Poisson and LaunchDay.
	Crowd int
	// Knocks says how scenario [report.KnockFlood] floods the server. No other has any.
	Knocks Knocks
	// Settle bounds how long another server than Rushgate is waited for until it is idle, before the load and after it.
	// Default [DefaultSettle].
	Settle time.Duration
	// Subject is what the operator says of the server, in place of what it does not tell.
	Subject report.Subject
	// Limits are what the report gives a verdict on.
	Limits report.Limits
	// Progress receives the state of the run while it goes on: every 5 s, or repainted in place several times a
	// second if Terminal is set. Errors in writing it are ignored. Default: none.
	Progress io.Writer
	Terminal bool

	alone *report.Report // the run without the crowd, in the one beside it

	dial    dialFunc    // in place of net.Dialer, for tests
	dialUDP dialUDPFunc // likewise
	// startCommand begins the command of the outage, and its result waits for its end; likewise.
	startCommand func(line string) (wait func() error, err error)
	random       func() float64 // in [0,1), for arrivals, the players' backoff, keep-alives and walks; nil: math/rand/v2
}

type (
	dialFunc    func(ctx context.Context, network, address string) (net.Conn, error)
	dialUDPFunc func(ctx context.Context, server netip.AddrPort) (net.Conn, error)
)

// transport returns what the players connect to the world over.
func (cfg *Config) transport() string {
	if cfg.WebSocket {
		return report.TransportWebSocket
	}
	return report.TransportUDP
}
