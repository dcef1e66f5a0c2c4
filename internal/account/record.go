package account

import (
	"context"
	"maps"
	"math"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
)

// Record is what may be shown of an account and its character: no part of the hash but what it costs, and no secret.
// Its names in JSON are part of the command line and of the operator's listener.
type Record struct {
	PlayerID       rushgate.PlayerID `json:"player_id"`
	Name           string            `json:"name"`
	CreatedAt      time.Time         `json:"created_at"`
	RecordVersion  int               `json:"record_version"`
	HashScheme     string            `json:"hash_scheme"`
	HashCost       string            `json:"hash_cost"`
	Credentials    []string          `json:"credentials"` // the kinds of those beside the password
	Epoch          uint64            `json:"epoch"`
	DisabledUntil  *time.Time        `json:"disabled_until"` // null if it never was
	DisabledReason string            `json:"disabled_reason"`
	Zone           string            `json:"zone"`
	X              *float64          `json:"x"` // null if it is not a finite number, which JSON cannot express
	Y              *float64          `json:"y"`
	HP             int64             `json:"hp"` // these are among the numbers, too
	XP             int64             `json:"xp"`
	Level          int64             `json:"level"`
	Deaths         int64             `json:"deaths"`
	Numbers        rushgate.Numbers  `json:"numbers"` // without those that are 0
	PlaytimeMS     int64             `json:"playtime_ms"`
	Online         bool              `json:"online"`
	Node           string            `json:"node"` // that has the player; empty if none has
}

// Show returns what may be shown of an account and its character, as last saved.
func (l *Ledger) Show(ctx context.Context, name string) (Record, error) {
	a, err := l.Find(ctx, name)
	if err != nil {
		return Record{}, err
	}
	characters, err := l.store.LoadCharacters(ctx, []string{a.Username})
	if err != nil {
		return Record{}, err
	}
	if err := characters[0].Err; err != nil {
		return Record{}, err
	}
	where, err := l.store.Presence(ctx, []string{a.Username})
	if err != nil {
		return Record{}, err
	}
	if err := where[0].Err; err != nil {
		return Record{}, err
	}
	r := describe(&a)
	c := &characters[0].Character
	r.Zone, r.X, r.Y, r.PlaytimeMS = c.Zone, finite(c.X), finite(c.Y), c.Playtime.Milliseconds()
	r.HP, r.XP = c.Numbers[rushgate.NumberHP], c.Numbers[rushgate.NumberXP]
	r.Level, r.Deaths = c.Numbers[rushgate.NumberLevel], c.Numbers[rushgate.NumberDeaths]
	r.Numbers = c.Numbers.Clone()
	maps.DeleteFunc(r.Numbers, func(_ string, v int64) bool { return v == 0 })
	r.Online, r.Node = where[0].Inside(), where[0].Node
	return r, nil
}

// describe returns what may be shown of an account.
func describe(a *rushgate.Account) Record {
	scheme, cost, err := password.Describe(a.PasswordHash)
	if err != nil { // all the more reason to look at the rest
		scheme, cost = "unreadable", err.Error()
	}
	r := Record{
		PlayerID: a.ID, Name: a.Username, CreatedAt: a.CreatedAt, RecordVersion: a.Version,
		HashScheme: scheme, HashCost: cost, Credentials: []string{}, Epoch: a.Epoch, DisabledReason: a.Disabled.Reason,
	}
	for _, c := range a.Credentials {
		r.Credentials = append(r.Credentials, c.Kind)
	}
	if until := a.Disabled.Until; !until.IsZero() {
		r.DisabledUntil = &until
	}
	return r
}

func finite(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}
