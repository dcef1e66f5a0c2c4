// Package number divides a character's numbers for the stores: four have fields of their own in every record, since the
// records that were written before games had numbers of their own have those; all others are one value.
package number

import (
	"encoding/json"
	"errors"
	"maps"

	"github.com/rushgate/rushgate"
)

// Four are the numbers with fields of their own.
type Four struct{ HP, XP, Level, Deaths int64 }

// FourOf returns those of a character's numbers that have fields of their own.
func FourOf(n rushgate.Numbers) Four {
	return Four{
		HP: n[rushgate.NumberHP], XP: n[rushgate.NumberXP], Level: n[rushgate.NumberLevel],
		Deaths: n[rushgate.NumberDeaths],
	}
}

// Own reports whether a number has a field of its own.
func Own(name string) bool {
	switch name {
	case rushgate.NumberHP, rushgate.NumberXP, rushgate.NumberLevel, rushgate.NumberDeaths:
		return true
	}
	return false
}

// Join returns the numbers of a character, without those that are 0, given the rest as [MarshalRest] has written it.
func Join(four Four, rest string) (rushgate.Numbers, error) {
	numbers, err := unmarshalRest(rest)
	if err != nil {
		return nil, err
	}
	for name, v := range map[string]int64{
		rushgate.NumberHP: four.HP, rushgate.NumberXP: four.XP, rushgate.NumberLevel: four.Level,
		rushgate.NumberDeaths: four.Deaths,
	} {
		if v != 0 {
			numbers[name] = v
		}
	}
	return numbers, nil
}

// MarshalRest returns the numbers that have no field of their own as a JSON object, in the order of their names and
// without those that are 0. Without any it is "{}".
func MarshalRest(n rushgate.Numbers) string {
	rest := maps.Clone(n)
	maps.DeleteFunc(rest, func(name string, v int64) bool { return v == 0 || Own(name) })
	if len(rest) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(rest) // cannot fail: there are only texts and numbers in it
	return string(b)
}

// errForm says nothing of the value, which the log would show.
var errForm = errors.New("not a JSON object of numbers as it is written")

func unmarshalRest(rest string) (rushgate.Numbers, error) {
	numbers := make(rushgate.Numbers)
	if rest == "" || rest == "{}" {
		return numbers, nil
	}
	if json.Unmarshal([]byte(rest), &numbers) != nil || numbers == nil {
		return nil, errForm
	}
	if err := numbers.Check(); err != nil {
		return nil, err
	}
	if MarshalRest(numbers) != rest { // a server's script reads it, too, and knows one form only
		return nil, errForm
	}
	return numbers, nil
}

// In returns one number of those that [MarshalRest] has written, 0 if there is none.
func In(rest, name string) (int64, error) {
	numbers, err := unmarshalRest(rest)
	return numbers[name], err
}
