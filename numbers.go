package rushgate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Numbers are what a game counts for a character, each under a name of the game's own: "gold", "wins", "rating". A
// number that is 0 and one that is not there are the same to everything but [World], so a store may leave out either.
//
// A name has 1 to [MaxNumberName] characters of a-z, 0-9 and _, the first of them a letter, and a character has at most
// [MaxNumbers] that are not 0. Any of them can make a leaderboard, see [Board].
//
// A node leaves out of each save what is beyond that: numbers without a proper name, and of too many the last in
// alphabetical order, but for the four constants below. It tells the log of each name once, and counts them in
// rushgate_numbers_left_out_total. A number that is left out is lost when the player leaves.
//
// The node itself knows two. What players see of their own level and deaths are not [Entity].Level and [Entity].Deaths
// but [NumberLevel] and [NumberDeaths], as the store has them: what a player was told no crash takes back. In a world
// that does not count them they are 0.
type Numbers map[string]int64

// The numbers of the reference world, and of every record that was written before games had numbers of their own. They
// are also what GET /v1/me answers as hp, xp, level and deaths.
const (
	NumberHP     = "hp"
	NumberXP     = "xp"
	NumberLevel  = "level"
	NumberDeaths = "deaths"
)

const (
	// MaxNumbers is how many numbers a character may have that are not 0.
	MaxNumbers = 16
	// MaxNumberName is the greatest length of a number's name in bytes.
	MaxNumberName = 32
)

// Check returns an error that names what is wrong with numbers that no store would take.
func (n Numbers) Check() error {
	counted := 0
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if err := checkNumberName(name); err != nil {
			return err
		}
		if n[name] != 0 {
			counted++
		}
	}
	if counted > MaxNumbers {
		return fmt.Errorf("%d numbers that are not 0, at most %d can be kept", counted, MaxNumbers)
	}
	return nil
}

func checkNumberName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	if name == "" || len(name) > MaxNumberName || !strings.Contains(letters, name[:1]) ||
		strings.Trim(name, letters+"0123456789_") != "" {
		return fmt.Errorf("name of a number %.40q, want a letter and up to %d more characters of a-z, 0-9 and _",
			name, MaxNumberName-1)
	}
	return nil
}

// Equal reports whether both have the same numbers that are not 0.
func (n Numbers) Equal(other Numbers) bool {
	for name, v := range n {
		if other[name] != v {
			return false
		}
	}
	for name, v := range other {
		if n[name] != v {
			return false
		}
	}
	return true
}

// Clone returns a copy that shares no memory, never nil.
func (n Numbers) Clone() Numbers {
	c := make(Numbers, len(n))
	maps.Copy(c, n)
	return c
}

// Board names a leaderboard: that of the number by the same name, the greatest first. Every player is on each, with 0
// if there is no such number. Which boards there are is the game's to say, see Boards in package server's Config.
type Board string

// The boards that there are where a game does not say which.
const (
	BoardXP     Board = NumberXP
	BoardLevel  Board = NumberLevel
	BoardDeaths Board = NumberDeaths
)

// MaxBoards is how many leaderboards there may be.
const MaxBoards = 8

// CheckBoards returns the boards of a game that asks for some, or those that there are where it does not say which. The
// error names what is wrong with them.
func CheckBoards(asked []Board) ([]Board, error) {
	if len(asked) == 0 {
		return []Board{BoardXP, BoardLevel, BoardDeaths}, nil
	}
	if len(asked) > MaxBoards {
		return nil, fmt.Errorf("%d leaderboards, at most %d are possible", len(asked), MaxBoards)
	}
	for i, b := range asked {
		if err := checkNumberName(string(b)); err != nil {
			return nil, fmt.Errorf("leaderboard: %w", err)
		}
		if slices.Contains(asked[:i], b) {
			return nil, fmt.Errorf("leaderboard %s is there twice", b)
		}
	}
	return slices.Clone(asked), nil
}
