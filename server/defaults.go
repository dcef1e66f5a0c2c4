package server

import (
	"log/slog"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/acme"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/protocol"
)

// ranged is a number of a [Config]: what it is called in errors, its default, and the least and the greatest value.
type ranged[T int | time.Duration] struct {
	field          *T
	name           string
	def, low, high T
}

// numbers declares every number of a configuration. Defaults, checks and command lines go by it; what [Config] says of
// the field is checked against it by a test.
func (c *Config) numbers() []ranged[int] {
	cores := min(runtime.GOMAXPROCS(0), realm.MaxSnapshotWorkers)
	return []ranged[int]{
		{&c.SnapshotRate, "snapshot rate", realm.DefaultSnapshotRate, 1, realm.MaxSnapshotRate},
		{&c.SnapshotWorkers, "number of snapshot workers", cores, 1, realm.MaxSnapshotWorkers},
		{&c.MaxConns, "number of connections", api.DefaultMaxConns, 16, 1 << 20},
		{&c.Workers, "number of auth workers", auth.DefaultWorkers, 1, auth.MaxWorkers},
		{&c.QueueDepth, "queue depth", auth.DefaultQueueDepth, Unbounded, 1 << 30},
		{&c.OriginFailures, "failures of one address", door.DefaultOriginFailures, Unbounded, 1 << 20},
		{&c.OriginRegistrations, "registrations of one address", door.DefaultOriginRegistrations, Unbounded, 1 << 20},
		{&c.OriginGuests, "guests of one address", door.DefaultOriginGuests, Unbounded, 1 << 20},
		{&c.OriginShare, "share of one address", door.DefaultOriginShare, 1, 100},
		{&c.SteamAppID, "app id at Steam", 0, 0, math.MaxInt32},
		{&c.LineWork, "work for a place in the line", 0, 0, line.MaxWorkBits},
		{&c.PasswordMin, "length of new passwords", rushgate.DefaultPasswordLen, 1, rushgate.MaxMinPasswordLen},
		{&c.HashIterations, "password hash iterations",
			password.DefaultIterations, password.MinIterations, password.MaxIterations},
		{&c.MessagesPerTick, "messages per tick", realm.DefaultMessagesPerTick, 1, 1_000_000},
		{&c.MaxPlayers, "number of players", realm.DefaultMaxPlayers, 1, 1_000_000},
	}
}

// durations declares every duration of a configuration.
func (c *Config) durations() []ranged[time.Duration] {
	return []ranged[time.Duration]{
		{&c.MaxAge, "request age", auth.DefaultMaxAge, time.Second, time.Hour},
		{&c.LineGrace, "grace of a turn in the line", line.DefaultGrace, line.MinGrace, line.MaxGrace},
		{&c.SeatHold, "hold of a place in the world", door.DefaultSeatHold, time.Second, time.Hour},
		{&c.IdleTimeout, "idle timeout", api.DefaultIdleTimeout, time.Second, time.Hour},
		{&c.SessionTimeout, "session timeout", realm.DefaultSessionTimeout, time.Second, time.Hour},
		{&c.RememberFor, "time for which a device is remembered", DefaultRememberFor, Never, 365 * 24 * time.Hour},
		{&c.GuestKeep, "time for which a guest is kept", 0, 0, 10 * 365 * 24 * time.Hour},
		{&c.AuditKeep, "time for which the audit log is kept", DefaultAuditKeep, 24 * time.Hour, 10 * 365 * 24 * time.Hour},
		{&c.DeleteAfter, "time until an account is deleted", DefaultDeleteAfter, AtOnce, 365 * 24 * time.Hour},
		{&c.RenameAfter, "time until an account can be renamed again", DefaultRenameAfter, AtOnce, 10 * 365 * 24 * time.Hour},
		{&c.RenameHold, "time for which a name is held", DefaultRenameHold, AtOnce, 10 * 365 * 24 * time.Hour},
		{&c.DrainTimeout, "drain timeout", 15 * time.Second, time.Second, time.Hour},
	}
}

// DefaultConfig returns what the zero [Config] stands for, as far as it can be written down: Backend, Store, World and
// Logger are left empty. It is for command lines that show defaults, or bind flags to the fields.
func DefaultConfig() Config {
	var c Config
	c.fill()
	return c
}

// IntRange returns the least and the greatest value of a number of c, given by its address, such as &c.MaxPlayers. Zero
// always stands for the default, whatever the range. It panics if field is not a number of c.
func (c *Config) IntRange(field *int) (low, high int) { return rangeOf(c.numbers(), field) }

// DurationRange is IntRange for durations, such as &c.MaxAge.
func (c *Config) DurationRange(field *time.Duration) (low, high time.Duration) {
	return rangeOf(c.durations(), field)
}

func rangeOf[T int | time.Duration](all []ranged[T], field *T) (low, high T) {
	for _, r := range all {
		if r.field == field {
			return r.low, r.high
		}
	}
	panic("server: the range of what is no number of this configuration")
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// fill puts the defaults where a value is missing.
func (c *Config) fill() {
	or(&c.HTTPAddr, DefaultHTTPAddr)
	or(&c.AdminAddr, DefaultAdminAddr)
	or(&c.UDPAddr, DefaultUDPAddr)
	or(&c.ProtocolID, protocol.ID)
	or(&c.DataDir, DefaultDataDir)
	or(&c.ACMEDirectory, acme.LetsEncrypt)
	or(&c.HashKernel, "auto")
	or(&c.Opaque, OpaqueOff)
	or(&c.SteamIdentity, DefaultSteamIdentity)
	for _, n := range c.numbers() {
		or(n.field, n.def)
	}
	for _, d := range c.durations() {
		or(d.field, d.def)
	}
}

// names is what holds for players who rename their accounts.
func (c *Config) names() account.RenameRules {
	return account.RenameRules{After: max(c.RenameAfter, 0), Hold: max(c.RenameHold, 0)}
}

// withDefaults returns the configuration as a node goes by it: whole, and sharing nothing that the caller may change.
func (c Config) withDefaults() Config {
	c.fill()
	if c.Store == nil {
		or(&c.Backend, SQLite)
	}
	or(&c.Logger, slog.Default())
	c.TLS = c.TLS || c.TLSCert != "" || len(c.TLSNames) > 0 || c.GetCertificate != nil || len(c.ACMEDomains) > 0
	c.Zones = maps.Clone(c.Zones) // the node reads it as long as it runs
	c.PasskeyOrigins = slices.Clone(c.PasskeyOrigins)
	c.cloneProviders()
	c.Origins = slices.Clone(c.Origins)
	for i, origin := range c.Origins {
		if canonical, err := api.ParseOrigin(origin); err == nil { // the others are for validate
			c.Origins[i] = canonical
		}
	}
	return c
}
