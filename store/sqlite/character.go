package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/number"
)

// characterColumns are those that a characterRow is scanned from, of a table called c.
const characterColumns = `c.id, c.name, c.zone, c.x, c.y, c.hp, c.xp, c.level, c.deaths, ` +
	`c.playtime_ms, c.created_at, c.numbers, c.data`

// characterRow is a character as it is in the database.
type characterRow struct {
	character         rushgate.Character
	x, y              sql.NullFloat64
	playtime, created int64
	four              number.Four
	numbers           string
}

// columns returns where to scan the characterColumns to.
func (r *characterRow) columns() []any {
	c := &r.character
	return []any{
		&c.ID, &c.Name, &c.Zone, &r.x, &r.y, &r.four.HP, &r.four.XP, &r.four.Level, &r.four.Deaths,
		&r.playtime, &r.created, &r.numbers, &c.Data,
	}
}

// value returns the character, once the columns are scanned. That they have their types is the database's doing; what
// is in numbers is not; the error wraps [rushgate.ErrDamagedRecord], and all else is there nevertheless.
func (r *characterRow) value() (rushgate.Character, error) {
	c := r.character
	c.X, c.Y = float(r.x), float(r.y)
	c.Playtime = time.Duration(r.playtime) * time.Millisecond
	c.CreatedAt = time.UnixMilli(r.created).UTC()
	if len(c.Data) == 0 {
		c.Data = nil
	}
	var err error
	if c.Numbers, err = number.Join(r.four, r.numbers); err != nil {
		return c, damaged(c.ID, "numbers", err)
	}
	return c, nil
}

// characterState returns what saves change, in the order of the statements that write it.
func characterState(c *rushgate.Character) []any {
	four := number.FourOf(c.Numbers)
	return []any{
		c.Zone, c.X, c.Y, four.HP, four.XP, four.Level, four.Deaths, c.Playtime.Milliseconds(),
		number.MarshalRest(c.Numbers), notNull(c.Data),
	}
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
	found := make(map[string]rushgate.LoadedCharacter, len(usernames))
	for rows.Next() {
		var r characterRow
		if err := rows.Scan(r.columns()...); err != nil {
			return nil, err
		}
		c, err := r.value()
		if err != nil {
			c = rushgate.Character{}
		}
		found[r.character.Name] = rushgate.LoadedCharacter{Character: c, Err: err}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	characters := make([]rushgate.LoadedCharacter, len(usernames))
	for i, name := range usernames {
		characters[i] = found[name]
		characters[i].Data = slices.Clone(characters[i].Data) // a player asked for twice is two values
		characters[i].Numbers = maps.Clone(characters[i].Numbers)
	}
	return characters, nil
}
