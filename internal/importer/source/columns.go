package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/importer/scheme"
)

// OfColumns returns a system of which the operator says what is in which column: pairs such as name=login, of which
// "name" is the player's name and the others are what is stored.
func OfColumns(system, table string, columns []string) (*System, error) {
	l := Layout{Table: table}
	for _, c := range columns {
		as, path, ok := strings.Cut(c, "=")
		switch {
		case !ok || as == "" || path == "":
			return nil, fmt.Errorf("%+q is not of the form NAME=COLUMN", c)
		case as == "name":
			l.Name = append(l.Name, path)
		default:
			l.Stored = append(l.Stored, c)
		}
	}
	if table == "" {
		l.In = slices.DeleteFunc(slices.Clone(tabular), needsTable)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return &System{Name: system, About: "columns as they were given", Layouts: []Layout{l}}, nil
}

// ReadValues reads a JSON object whose values go into every record.
func ReadValues(path string) (map[string]any, error) {
	b, err := scheme.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil || values == nil || d.More() {
		return nil, errors.New("it is not a JSON object")
	}
	return values, nil
}

// Describe says in a line what is read, for people.
func (l *Layout) Describe() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if l.Table != "" {
		add("%s", l.Table)
	}
	if l.List != "" {
		add("the list %s", l.List)
	}
	add("name %s", strings.Join(l.Name, " or "))
	add("stored %s", strings.Join(l.Stored, " "))
	for _, of := range []struct {
		what       string
		conditions map[string][]string
	}{{"left out if", l.Skip}, {"only if", l.Only}, {"banned if", l.Banned}, {"banned for good if", l.Closed}} {
		for _, path := range slices.Sorted(maps.Keys(of.conditions)) {
			add("%s %s is %s", of.what, path, strings.Join(of.conditions[path], " or "))
		}
	}
	if l.Until != "" {
		add("banned until %s", l.Until)
	}
	if l.Expires != "" {
		add("ends at %s", l.Expires)
	}
	for i := range l.Joins {
		add("with %s where %s is %s", l.Joins[i].tables(), l.Joins[i].Its, l.Joins[i].Ours)
	}
	return strings.Join(parts, ", ")
}

// tables says which tables a join is of, for people.
func (j *Join) tables() string {
	all := j.Table
	for i := range j.With {
		all += " and " + j.With[i].Table
	}
	if j.Or != nil && j.Or.Table != j.Table {
		all += " or " + j.Or.Table
	}
	return all
}
