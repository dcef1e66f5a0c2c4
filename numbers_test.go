package rushgate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func TestNumbersThatNoStoreTakes(t *testing.T) {
	many := rushgate.Numbers{"zero": 0}
	for i := range rushgate.MaxNumbers {
		many[fmt.Sprint("n", i)] = 1
	}
	if err := many.Check(); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	more := many.Clone()
	more["one_more"] = -1
	for name, n := range map[string]rushgate.Numbers{
		"too many":   more,
		"no name":    {"": 1},
		"long":       {"a" + strings.Repeat("b", rushgate.MaxNumberName): 1},
		"upper case": {"XP": 1},
		"digit":      {"1st": 1},
		"quote":      {"a'b": 1},
		"point":      {"a.b": 1},
		"not ASCII":  {"köln": 1},
		"even if 0":  {"A": 0},
	} {
		if err := n.Check(); err == nil {
			t.Errorf("%s: %v is taken", name, n)
		}
	}
	longest := rushgate.Numbers{"a" + strings.Repeat("b", rushgate.MaxNumberName-1): 1}
	if err := longest.Check(); err != nil {
		t.Errorf("the longest name: %v", err)
	}
}

func TestANumberThatIsNotThereIsZero(t *testing.T) {
	for _, c := range []struct {
		a, b  rushgate.Numbers
		equal bool
	}{
		{nil, rushgate.Numbers{}, true},
		{nil, rushgate.Numbers{"a": 0}, true},
		{rushgate.Numbers{"a": 1, "b": 0}, rushgate.Numbers{"a": 1, "c": 0}, true},
		{rushgate.Numbers{"a": 1}, nil, false},
		{rushgate.Numbers{"a": 1}, rushgate.Numbers{"a": 2}, false},
		{rushgate.Numbers{"a": 1}, rushgate.Numbers{"b": 1}, false},
	} {
		if c.a.Equal(c.b) != c.equal || c.b.Equal(c.a) != c.equal {
			t.Errorf("%v and %v: equal is not %v", c.a, c.b, c.equal)
		}
	}
}

func TestBoardsOfAGame(t *testing.T) {
	usual := []rushgate.Board{rushgate.BoardXP, rushgate.BoardLevel, rushgate.BoardDeaths}
	if got, err := rushgate.CheckBoards(nil); err != nil || !slices.Equal(got, usual) {
		t.Errorf("without any: %v, %v", got, err)
	}
	own := []rushgate.Board{"wins", "gold"}
	if got, err := rushgate.CheckBoards(own); err != nil || !slices.Equal(got, own) {
		t.Errorf("of its own: %v, %v", got, err)
	}
	for _, asked := range [][]rushgate.Board{
		{""}, {"Wins"}, {"wins", "wins"}, {"a); DROP TABLE accounts; --"},
		{"a", "b", "c", "d", "e", "f", "g", "h", "i"},
	} {
		if got, err := rushgate.CheckBoards(asked); err == nil {
			t.Errorf("%v: %v", asked, got)
		}
	}
}
