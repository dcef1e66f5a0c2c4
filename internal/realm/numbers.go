package realm

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/rushgate/rushgate"
)

// maxToldNumbers bounds the names of numbers that the log has told of: a game may make them of anything.
const maxToldNumbers = 64

// ownNumbers are those that the node knows, and that every record has had.
var ownNumbers = []string{rushgate.NumberHP, rushgate.NumberXP, rushgate.NumberLevel, rushgate.NumberDeaths}

// storable returns the numbers that a store takes, in a map of their own if they are not all, and the names of the
// others: those that are no names, and of too many the last, in alphabetical order behind the node's own.
func storable(n rushgate.Numbers) (kept rushgate.Numbers, dropped []string) {
	if n.Check() == nil {
		return n, nil
	}
	kept = make(rushgate.Numbers)
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(n)), func(s string) bool { return slices.Contains(ownNumbers, s) })
	for _, name := range append(slices.Clone(ownNumbers), others...) {
		if n[name] == 0 && (rushgate.Numbers{name: 0}).Check() == nil {
			continue // which is the same as none
		}
		if (rushgate.Numbers{name: n[name]}).Check() != nil || len(kept) == rushgate.MaxNumbers {
			dropped = append(dropped, name)
			continue
		}
		kept[name] = n[name]
	}
	return kept, dropped
}

// leaveOut counts numbers that cannot be saved, and tells the log of each name once: they come with every save.
func (r *Realm) leaveOut(player rushgate.PlayerID, names []string) {
	r.stats.numbersLeftOut.Add(int64(len(names)))
	for _, name := range names {
		if r.toldNumbers[name] || len(r.toldNumbers) >= maxToldNumbers {
			continue
		}
		r.toldNumbers[name] = true
		r.log.log(slog.LevelError, "a number of a character cannot be saved and is left out, here and from now on",
			"name", name[:min(len(name), 2*rushgate.MaxNumberName)], "player", player,
			"error", rushgate.Numbers{name: 1}.Check(), "most", rushgate.MaxNumbers)
	}
}
