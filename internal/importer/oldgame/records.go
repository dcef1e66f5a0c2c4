package oldgame

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/world"
)

// Versions of the records that are understood.
const (
	minAccountVersion = 2
	maxAccountVersion = 3
	playerVersion     = 4
)

// Ranges of what a record may hold. Numbers above 1<<53 would not survive JSON readers that know only doubles.
const (
	maxID         = 1 << 52
	maxNumber     = 1 << 53
	maxPoints     = 1_000_000_000 // hit points, deaths, items
	maxCoordinate = 1e9
	maxPlaytime   = 1e9 // seconds
)

// Universal time, in which Common Lisp tells the time of day, counts seconds from the first moment of 1900, UTC.
const (
	unixEpoch   = 2_208_988_800   // in universal time
	endOfTime   = 255_611_289_600 // the year 10000 in universal time
	keyAccounts = "account:"
	keyPlayers  = "player:"
)

// parseAccount reads the value of a key account:NAME. The strings of the result share no memory with the value.
func parseAccount(key, value string) (importer.Account, error) {
	n, err := parse(value)
	if err != nil {
		return importer.Account{}, err
	}
	d := &decoder{value: value}
	a := importer.Account{Version: d.version(n, minAccountVersion, maxAccountVersion)}
	v := d.fields(n, "VERSION", "USERNAME", "PASSWORD-HASH", "CHARACTER-ID")
	a.Name = d.name(v[1], strings.TrimPrefix(key, keyAccounts))
	a.Hash = d.hash(v[2])
	if v[3].kind != kindNil {
		a.Character = rushgate.PlayerID(d.integer(v[3], "CHARACTER-ID", 1, maxID))
	}
	return a, d.err
}

// parsePlayer reads the value of the key player:ID into a character without name and level.
func parsePlayer(id rushgate.PlayerID, value string) (rushgate.Character, error) {
	n, err := parse(value)
	if err != nil {
		return rushgate.Character{}, err
	}
	d := &decoder{value: value}
	d.version(n, playerVersion, playerVersion)
	v := d.fields(n, "VERSION", "ID", "X", "Y", "HP", "LIFETIME-XP", "PLAYTIME", "CREATED-AT", "DEATHS", "STATS",
		"INVENTORY", "EQUIPMENT", "ZONE-ID")
	if got := d.integer(v[1], "ID", 1, maxID); got != int64(id) {
		d.fail(v[1], ":ID is %d, the key says %d", got, id)
	}
	c := rushgate.Character{
		ID: id,
		X:  d.number(v[2], "X", -maxCoordinate, maxCoordinate),
		Y:  d.number(v[3], "Y", -maxCoordinate, maxCoordinate),
		Numbers: rushgate.Numbers{
			rushgate.NumberHP:     d.integer(v[4], "HP", -maxPoints, maxPoints),
			rushgate.NumberXP:     d.integer(v[5], "LIFETIME-XP", 0, maxNumber),
			rushgate.NumberDeaths: d.integer(v[8], "DEATHS", 0, maxPoints),
		},
		Playtime:  time.Duration(math.Round(d.number(v[6], "PLAYTIME", 0, maxPlaytime)*1000)) * time.Millisecond,
		CreatedAt: time.Unix(d.integer(v[7], "CREATED-AT", unixEpoch, endOfTime-1)-unixEpoch, 0).UTC(),
	}
	w := world.Data{
		Version:   world.DataVersion,
		Stats:     d.stats(v[9]),
		Inventory: d.inventory(v[10]),
		Equipment: d.equipment(v[11]),
	}
	c.Zone = d.id(v[12], "ZONE-ID")
	if d.err != nil {
		return rushgate.Character{}, d.err
	}
	c.Data = w.Encode()
	return c, nil
}

// decoder takes a record's fields out of its nodes. It keeps the first error; from then on values mean nothing.
type decoder struct {
	value string
	err   error
}

func (d *decoder) fail(n node, format string, args ...any) {
	if d.err == nil {
		d.err = errorAt(d.value, n.offset, format, args...)
	}
}

// pairs checks that n is a property list: keywords, each with a value, none of them twice.
func (d *decoder) pairs(n node) []node {
	if n.kind != kindList || len(n.list)%2 != 0 {
		d.fail(n, "not a list of keywords and values")
		return nil
	}
	for i := 0; i < len(n.list); i += 2 {
		k := n.list[i]
		if k.kind != kindKeyword {
			d.fail(k, "%v where a keyword belongs", k.kind)
			return nil
		}
		for j := 0; j < i; j += 2 {
			if n.list[j].text == k.text {
				d.fail(k, ":%s is there twice", k.text)
				return nil
			}
		}
		if i > 2*64 {
			d.fail(k, "more than 64 keywords")
			return nil
		}
	}
	return n.list
}

// version returns a record's version. It is looked at first: in a record of another version nothing need be as
// expected.
func (d *decoder) version(n node, low, high int64) int {
	list := d.pairs(n)
	for i := 0; i < len(list); i += 2 {
		if list[i].text == "VERSION" {
			return int(d.integer(list[i+1], "VERSION", low, high))
		}
	}
	d.fail(n, "no :VERSION")
	return 0
}

// fields returns the values of exactly these keywords, in this order: what is missing cannot be made up, and what is
// unknown would be lost.
func (d *decoder) fields(n node, names ...string) []node {
	values := make([]node, len(names))
	found := 0
	list := d.pairs(n)
	for i := 0; i < len(list); i += 2 {
		k := slices.Index(names, list[i].text)
		if k < 0 {
			d.fail(list[i], ":%s is not known here", list[i].text)
			continue
		}
		values[k] = list[i+1]
		found++
	}
	if found == len(names) || d.err != nil {
		return values
	}
	for i, name := range names {
		if values[i].offset == 0 { // no value stands at the very beginning
			d.fail(n, "no :%s", name)
		}
	}
	return values
}

func (d *decoder) integer(n node, name string, low, high int64) int64 {
	switch {
	case n.kind != kindInteger:
		d.fail(n, ":%s is %v, not an integer", name, n.kind)
	case n.integer < low || n.integer > high:
		d.fail(n, ":%s is %d, outside %d..%d", name, n.integer, low, high)
	}
	return n.integer
}

// number returns a float, also of an integer.
func (d *decoder) number(n node, name string, low, high float64) float64 {
	x := n.float
	switch n.kind {
	case kindInteger:
		x = float64(n.integer)
	case kindFloat:
	default:
		d.fail(n, ":%s is %v, not a number", name, n.kind)
		return 0
	}
	if x < low || x > high {
		d.fail(n, ":%s is %g, outside %g..%g", name, x, low, high)
		return 0
	}
	return x
}

// name returns the name that an account will have. The one in its key must lead to the same account.
func (d *decoder) name(n node, inKey string) string {
	if n.kind != kindString {
		d.fail(n, ":USERNAME is %v, not a string", n.kind)
		return ""
	}
	name, err := rushgate.LoginName(n.text)
	if err != nil {
		d.fail(n, ":USERNAME: %v", err)
		return ""
	}
	if other, err := rushgate.LoginName(inKey); err != nil || other != name {
		d.fail(n, ":USERNAME is not the name in the key")
	}
	return strings.Clone(name)
}

// hash returns a password hash: salt$key or salt$iterations$key, the forms that the old game wrote.
func (d *decoder) hash(n node) string {
	if n.kind != kindString {
		d.fail(n, ":PASSWORD-HASH is %v, not a string", n.kind)
		return ""
	}
	_, _, err := password.Describe(n.text)
	if parts := strings.Count(n.text, "$"); err == nil && (password.Foreign(n.text) || parts > 2) {
		err = errors.New("neither salt$key nor salt$iterations$key")
	}
	if err != nil {
		d.fail(n, ":PASSWORD-HASH: %v", err)
	}
	return strings.Clone(n.text)
}

// id turns a keyword such as :RUSTY-PIPE into the id rusty-pipe.
func (d *decoder) id(n node, name string) string {
	if n.kind != kindKeyword {
		d.fail(n, ":%s is %v, not a keyword", name, n.kind)
	}
	return strings.ToLower(n.text)
}

// The three parts that follow may be NIL: that is how the empty list prints.

func (d *decoder) stats(n node) (s world.Stats) {
	if n.kind == kindNil {
		return s
	}
	v := d.fields(n, "ATTACK", "STRENGTH", "DEFENSE", "HITPOINTS")
	for i, to := range []*world.Stat{&s.Attack, &s.Strength, &s.Defense, &s.Hitpoints} {
		if v[i].kind == kindNil {
			continue
		}
		of := d.fields(v[i], "LEVEL", "XP")
		to.Level = d.integer(of[0], "LEVEL", 0, maxNumber)
		to.XP = d.integer(of[1], "XP", 0, maxNumber)
	}
	return s
}

// inventory returns what the slots hold; which of them it was in has no meaning any more.
func (d *decoder) inventory(n node) []world.Stack {
	if n.kind == kindNil {
		return nil
	}
	var items []world.Stack
	for _, slot := range d.elements(d.fields(n, "SLOTS")[0], "SLOTS") {
		if slot.kind == kindNil {
			continue
		}
		v := d.fields(slot, "ITEM-ID", "COUNT")
		items = append(items, world.Stack{Item: d.id(v[0], "ITEM-ID"), Count: int(d.integer(v[1], "COUNT", 1, maxPoints))})
	}
	return items
}

// equipment returns the items in their places, "" for an empty one.
func (d *decoder) equipment(n node) []string {
	if n.kind == kindNil {
		return nil
	}
	items := d.fields(n, "ITEMS")[0]
	list := d.elements(items, "ITEMS")
	if len(list) > world.EquipmentSlots {
		d.fail(items, "more than %d places in :ITEMS", world.EquipmentSlots)
	}
	var places []string
	for _, item := range list {
		if item.kind == kindNil {
			places = append(places, "")
			continue
		}
		places = append(places, d.id(item, "ITEMS"))
	}
	return places
}

// elements returns those of a list, which may be empty.
func (d *decoder) elements(n node, name string) []node {
	if n.kind != kindList && n.kind != kindNil {
		d.fail(n, ":%s is %v, not a list", name, n.kind)
	}
	return n.list
}

// playerKey is the key of a character.
func playerKey(id rushgate.PlayerID) string { return keyPlayers + strconv.FormatUint(uint64(id), 10) }

// parsePlayerKey returns the id in a key player:ID, which must be written as [playerKey] writes it.
func parsePlayerKey(key string) (rushgate.PlayerID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(key, keyPlayers), 10, 64)
	if err != nil || id < 1 || id > maxID || playerKey(rushgate.PlayerID(id)) != key {
		return 0, fmt.Errorf("the key has no id from 1 to %d", int64(maxID))
	}
	return rushgate.PlayerID(id), nil
}
