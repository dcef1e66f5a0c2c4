package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/sqlite"
)

// accountRecord is what may be shown of a player: no part of the hash but what it costs.
type accountRecord struct {
	PlayerID      rushgate.PlayerID `json:"player_id"`
	Name          string            `json:"name"`
	CreatedAt     time.Time         `json:"created_at"`
	RecordVersion int               `json:"record_version"`
	HashScheme    string            `json:"hash_scheme"`
	HashCost      string            `json:"hash_cost"`
	Zone          string            `json:"zone"`
	X             *float64          `json:"x"` // null if it is not a finite number, which JSON cannot express
	Y             *float64          `json:"y"`
	HP            int               `json:"hp"`
	XP            int64             `json:"xp"`
	Level         int               `json:"level"`
	Deaths        int               `json:"deaths"`
	PlaytimeMS    int64             `json:"playtime_ms"`
	Online        bool              `json:"online"`
}

func accountShow(ctx context.Context, args []string, stdout, _ io.Writer) error {
	v := newAccountFlags()
	f := newFlags(`Usage: rushgate account show NAME [flags]

Prints an account and its character: what the last save has, how the password is hashed, but no secret. A player counts
as online while there is a live session, which a node that did not end in order leaves behind for up to a minute.

  rushgate account show alice
  rushgate account show alice --json | jq .level`)
	v.declareData(f)
	f.add(&v.json, "json", "", "print one JSON object")
	name, err := f.parseName(args, stdout, whyOneName)
	if err != nil {
		return err
	}
	return v.withStore(ctx, false, func(store *sqlite.Store) error {
		r, err := loadRecord(ctx, store, name)
		if err != nil {
			return err
		}
		if v.json {
			e := json.NewEncoder(stdout)
			e.SetIndent("", "  ")
			return e.Encode(r)
		}
		return r.writeText(stdout)
	})
}

func loadRecord(ctx context.Context, store *sqlite.Store, name string) (*accountRecord, error) {
	a, err := find(ctx, store, name)
	if err != nil {
		return nil, err
	}
	characters, err := store.LoadCharacters(ctx, []string{a.Username})
	if err != nil {
		return nil, err
	}
	where, err := store.Presence(ctx, []string{a.Username})
	if err != nil {
		return nil, err
	}
	scheme, cost, err := password.Describe(a.PasswordHash)
	if err != nil { // all the more reason to look at the rest
		scheme, cost = "unreadable", err.Error()
	}
	c := &characters[0].Character
	return &accountRecord{
		PlayerID: a.ID, Name: a.Username, CreatedAt: a.CreatedAt, RecordVersion: a.Version, HashScheme: scheme, HashCost: cost,
		Zone: c.Zone, X: finite(c.X), Y: finite(c.Y), HP: c.HP, XP: c.XP, Level: c.Level, Deaths: c.Deaths,
		PlaytimeMS: c.Playtime.Milliseconds(), Online: where[0].Inside(),
	}, nil
}

func finite(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

func (r *accountRecord) writeText(w io.Writer) error {
	coordinate := func(f *float64) string {
		if f == nil {
			return "unknown"
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	zone, online := printable(r.Zone), "no"
	if r.Zone == "" {
		zone = "none yet"
	}
	if r.Online {
		online = "yes"
	}
	_, err := fmt.Fprintf(w, `player id       %d
name            %s
created         %s
record version  %d
password hash   %s, %s
zone            %s
position        %s, %s
hit points      %d
experience      %d
level           %d
deaths          %d
playtime        %v
online          %s
`,
		r.PlayerID, r.Name, r.CreatedAt.Format(time.RFC3339), r.RecordVersion, r.HashScheme, r.HashCost,
		zone, coordinate(r.X), coordinate(r.Y), r.HP, r.XP, r.Level, r.Deaths,
		time.Duration(r.PlaytimeMS)*time.Millisecond, online)
	return err
}

// printable quotes a text that a terminal would not show as it is, or take as a command.
func printable(s string) string {
	if q := strconv.QuoteToGraphic(s); q != `"`+s+`"` {
		return q
	}
	return s
}
