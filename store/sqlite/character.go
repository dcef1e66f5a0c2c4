package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// characterColumns are those that a characterRow is scanned from, of a table called c.
const characterColumns = `c.id, c.name, c.zone, c.x, c.y, c.hp, c.xp, c.level, c.deaths, ` +
	`c.playtime_ms, c.created_at, c.data`

// characterRow is a character as it is in the database.
type characterRow struct {
	character         rushgate.Character
	x, y              sql.NullFloat64
	playtime, created int64
}

// columns returns where to scan the characterColumns to.
func (r *characterRow) columns() []any {
	c := &r.character
	return []any{&c.ID, &c.Name, &c.Zone, &r.x, &r.y, &c.HP, &c.XP, &c.Level, &c.Deaths, &r.playtime, &r.created, &c.Data}
}

// value returns the character, once the columns are scanned.
func (r *characterRow) value() rushgate.Character {
	c := r.character
	c.X, c.Y = float(r.x), float(r.y)
	c.Playtime = time.Duration(r.playtime) * time.Millisecond
	c.CreatedAt = time.UnixMilli(r.created).UTC()
	if len(c.Data) == 0 {
		c.Data = nil
	}
	return c
}

func float(f sql.NullFloat64) float64 {
	if !f.Valid {
		return math.NaN()
	}
	return f.Float64
}

// LoadCharacters implements [rushgate.Characters].
func (s *Store) LoadCharacters(ctx context.Context, usernames []string) ([]rushgate.LoadedCharacter, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	characters, err := s.loadCharacters(ctx, usernames)
	if err != nil {
		return nil, wrap(fmt.Errorf("load characters: %w", err))
	}
	return characters, nil
}

func (s *Store) loadCharacters(ctx context.Context, usernames []string) (_ []rushgate.LoadedCharacter, err error) {
	list, err := json.Marshal(usernames)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.characters.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	found := make(map[string]rushgate.Character, len(usernames))
	for rows.Next() {
		var r characterRow
		if err := rows.Scan(r.columns()...); err != nil {
			return nil, err
		}
		found[r.character.Name] = r.value()
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	characters := make([]rushgate.LoadedCharacter, len(usernames))
	for i, name := range usernames {
		characters[i].Character = found[name]
		characters[i].Data = slices.Clone(characters[i].Data) // a player asked for twice is two values
	}
	return characters, nil
}
