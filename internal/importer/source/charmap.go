package source

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer/scheme"
)

// Map says which columns go into a character. Every path may be left out.
type Map struct {
	// ID is the path to the number of the player, which becomes that of the account and the character: 1 to [MaxID]. It
	// may be left out where the [Layout] has one.
	ID string `json:"id"`
	// Own tells that the game has a world of its own, to which the numbers and the data are left. Without it they are
	// those of the reference world, which works out the level.
	Own bool `json:"own"`
	// Zone is the path to the zone, and X and Y are those to the place in it.
	Zone string   `json:"zone"`
	X    *Measure `json:"x"`
	Y    *Measure `json:"y"`
	// Numbers are those of the character, by name.
	Numbers map[string]*Measure `json:"numbers"`
	// Data is the path to the data of the character, which is taken as it is; or paths by name, of which a JSON object is
	// made.
	Data any `json:"data"`
	// Playtime is in seconds, and Created a time.
	Playtime *Measure `json:"playtime"`
	Created  string   `json:"created"`
	// Characters is the table with the characters, if they are in one of their own. Who has none there gets an account
	// alone. Of several the one with the greatest Best is taken; without Best such a player is refused.
	Characters *Join `json:"characters"`
}

// MaxID is the greatest id of a character that is brought in.
const MaxID = 1 << 52

// Measure is a path to a number, which is multiplied, and added to.
type Measure struct {
	Path  string
	Times float64
	Plus  float64
}

// UnmarshalJSON reads a path, or an object with a path and with what to do to the number.
func (m *Measure) UnmarshalJSON(b []byte) error {
	m.Times = 1
	if json.Unmarshal(b, &m.Path) == nil {
		return nil
	}
	full := struct {
		Path  string  `json:"path"`
		Times float64 `json:"times"`
		Plus  float64 `json:"plus"`
	}{Times: 1}
	if strict(b, &full) != nil {
		return errors.New(`a number is a path, or {"path": "…", "times": 1, "plus": 0}`)
	}
	*m = Measure(full)
	return nil
}

// ReadMap reads a file that says which columns go into a character.
func ReadMap(path string) (*Map, error) {
	b, err := scheme.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseMap(b)
}

// ParseMap reads the JSON of a [Map].
func ParseMap(b []byte) (*Map, error) {
	var m Map
	if err := strict(b, &m); err != nil {
		return nil, fmt.Errorf("not the JSON of a map: %w", err)
	}
	if c := m.Characters; c != nil && (c.Table == "" || c.Its == "" || c.Ours == "") {
		return nil, errors.New(`"characters" needs a "table", and with "its" and "ours" the columns that have the same value`)
	}
	if c := m.Characters; c != nil && (c.Or != nil || len(c.With) > 0) {
		return nil, errors.New("the characters are in one table: they have no \"or\" and no \"with\"")
	}
	if _, level := m.Numbers[rushgate.NumberLevel]; level && !m.Own {
		return nil, errors.New("the reference world works out the level from the number xp: map that")
	}
	dummy := rushgate.Numbers{}
	for name := range m.Numbers {
		dummy[name] = 1
	}
	if err := dummy.Check(); err != nil {
		return nil, err
	}
	paths, err := m.paths()
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if _, err := parsePath(p); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// paths returns all paths of the map.
func (m *Map) paths() ([]string, error) {
	var all []string
	for _, p := range []string{m.ID, m.Zone, m.Created} {
		if p != "" {
			all = append(all, p)
		}
	}
	measures := append(slices.Collect(maps.Values(m.Numbers)), m.X, m.Y, m.Playtime)
	for _, v := range measures {
		if v != nil {
			all = append(all, v.Path)
		}
	}
	switch d := m.Data.(type) {
	case nil:
	case string:
		all = append(all, d)
	case map[string]any:
		for _, v := range d {
			p, ok := v.(string)
			if !ok {
				return nil, errors.New(`"data" has something that is not a path`)
			}
			all = append(all, p)
		}
	default:
		return nil, errors.New(`"data" is neither a path nor an object of paths`)
	}
	return all, nil
}

// of has a layout read what the map asks for as well. It returns the map for it, and its columns.
func (m *Map) of(l *Layout) (own *Map, columns []string, err error) {
	full := *m
	if full.ID = cmp.Or(m.ID, strings.TrimSuffix(l.ID, "?")); full.ID == "" {
		return nil, nil, errors.New(`the map needs the "id" of the player`)
	}
	paths, err := full.paths()
	if err != nil {
		return nil, nil, err
	}
	if m.Characters == nil {
		return &full, paths, nil
	}
	j := *m.Characters
	j.character = true
	for _, p := range paths {
		steps, err := parsePath(p)
		switch {
		case err != nil:
			return nil, nil, err
		case steps[0].name != j.name():
			columns = append(columns, p)
		case len(steps) > 1 && steps[1].name != "" && !slices.Contains(j.Columns, steps[1].name):
			j.Columns = append(slices.Clone(j.Columns), steps[1].name)
		}
	}
	if j.Best != "" && !slices.Contains(j.Columns, j.Best) {
		j.Columns = append(slices.Clone(j.Columns), j.Best)
	}
	l.Joins = append(slices.Clone(l.Joins), j)
	return &full, append(columns, j.Ours), nil
}

// character makes the character of a player. It is nil for one who has none.
func (m *Map) character(values map[string]any) (*rushgate.Character, error) {
	if c := m.Characters; c != nil {
		row, there := values[c.name()].(map[string]any)
		switch {
		case !there:
			return nil, nil
		case row[several] != nil:
			return nil, errors.New("the player has several characters; \"best\" says which is taken")
		}
	}
	id, err := strconv.ParseUint(textAt(values, m.ID), 10, 64)
	if err != nil || id < 1 || id > MaxID {
		return nil, fmt.Errorf("%+q is no number from 1 to %d", m.ID, MaxID)
	}
	c := &rushgate.Character{ID: rushgate.PlayerID(id), Zone: textAt(values, m.Zone), Numbers: rushgate.Numbers{}}
	d := measurer{values: values}
	c.X, c.Y = d.of(m.X), d.of(m.Y)
	for _, name := range slices.Sorted(maps.Keys(m.Numbers)) {
		c.Numbers[name] = d.whole(m.Numbers[name])
	}
	c.Playtime = time.Duration(max(0, min(d.of(m.Playtime), 1e9)) * float64(time.Second)).Truncate(time.Millisecond)
	if d.err != nil {
		return nil, d.err
	}
	if m.Created != "" {
		c.CreatedAt = moment(textAt(values, m.Created)).UTC()
	}
	if c.Data, err = m.data(values); err == nil && len(c.Data) > rushgate.MaxDataLen {
		err = fmt.Errorf("the data of the character is longer than %d bytes", rushgate.MaxDataLen)
	}
	if len(c.Zone) > maxZone {
		err = fmt.Errorf("the zone is longer than %d bytes", maxZone)
	}
	return c, err
}

// maxZone is the greatest length of a zone's name in bytes.
const maxZone = 64

// measurer reads numbers, and keeps the first error.
type measurer struct {
	values map[string]any
	err    error
}

// of returns a number; 0 for one that is not there or NULL.
func (d *measurer) of(m *Measure) float64 {
	if m == nil {
		return 0
	}
	s := strings.TrimSpace(textAt(d.values, m.Path))
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	n = n*m.Times + m.Plus
	const greatest = 1 << 53
	if err != nil || math.IsNaN(n) || math.Abs(n) > greatest {
		if d.err == nil {
			d.err = fmt.Errorf("%+q is no number up to 2^53", m.Path)
		}
		return 0
	}
	return n
}

func (d *measurer) whole(m *Measure) int64 { return int64(math.Round(d.of(m))) }

// data returns the data of a character.
func (m *Map) data(values map[string]any) ([]byte, error) {
	switch d := m.Data.(type) {
	case string:
		v, _ := look(values, d)
		if s, ok := v.(string); ok || v == nil {
			return []byte(s), nil
		}
		return json.Marshal(v)
	case map[string]any:
		object := map[string]any{}
		for name, path := range d {
			if p, ok := path.(string); ok {
				if v, there := look(values, p); there && v != nil {
					object[name] = v
				}
			}
		}
		return json.Marshal(object)
	}
	return nil, nil
}
