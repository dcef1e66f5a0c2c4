package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rushgate/rushgate"
)

const (
	// DataVersion is the version of [Data].
	DataVersion = 1
	// EquipmentSlots is how many places there are for equipment.
	EquipmentSlots = 6
)

// Further bounds of [Data]. Whatever passes all of them encodes to less than [rushgate.MaxDataLen] bytes.
const (
	maxStacks = 256
	maxCount  = 1_000_000_000
	maxStat   = 1 << 53 // what every JSON reader can hold exactly
)

// Data is the reference world's part of a character, as it stands in [rushgate.Character].Data:
//
//	{"v":1,
//	 "stats":{"attack":{"level":7,"xp":4300},"strength":…,"defense":…,"hitpoints":…},
//	 "inventory":[{"item":"coin","count":250}],
//	 "equipment":["","","","rusty-pipe","",""]}
//
// All but v may be absent. Equipment has up to six places, empty ones being "" or null. Items need not be in the
// definition: one that a later definition dropped stays with its owner. Stats are carried along for games that use
// them; this world's own rules do not.
type Data struct {
	Version   int      `json:"v"`
	Stats     Stats    `json:"stats,omitzero"`
	Inventory []Stack  `json:"inventory,omitempty"`
	Equipment []string `json:"equipment,omitempty"`
}

// Stats are levels and experience of the skills of a fighter, 0 to 2^53.
type Stats struct {
	Attack    Stat `json:"attack,omitzero"`
	Strength  Stat `json:"strength,omitzero"`
	Defense   Stat `json:"defense,omitzero"`
	Hitpoints Stat `json:"hitpoints,omitzero"`
}

// Stat is one skill.
type Stat struct {
	Level int64 `json:"level"`
	XP    int64 `json:"xp"`
}

// Stack is one place of an inventory: 1 to 1,000,000,000 of an item.
type Stack struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// parseData reads Data; empty Data is that of a new character. What it does not know it refuses, for the next save
// would drop it.
func parseData(b []byte) (Data, error) {
	d := Data{Version: DataVersion}
	if len(b) == 0 {
		return d, nil
	}
	if len(b) > rushgate.MaxDataLen {
		return Data{}, fmt.Errorf("longer than %d bytes", rushgate.MaxDataLen)
	}
	d.Version = 0
	if err := decodeStrict(b, &d); err != nil {
		return Data{}, err
	}
	return d, d.check()
}

// decodeStrict decodes b, which must hold one JSON value with no unknown fields.
func decodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("line %d: %w", line(b, dec.InputOffset(), err), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: more than one JSON value", line(b, dec.InputOffset(), nil))
	}
	return nil
}

// line is the number of the line in which err occurred, at offset unless err knows better.
func line(b []byte, offset int64, err error) int {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = s.Offset
	} else if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = t.Offset
	}
	return 1 + bytes.Count(b[:min(max(offset, 0), int64(len(b)))], []byte("\n"))
}

func (d *Data) check() error {
	if d.Version != DataVersion {
		return fmt.Errorf("v: %d is not %d", d.Version, DataVersion)
	}
	for _, s := range []Stat{d.Stats.Attack, d.Stats.Strength, d.Stats.Defense, d.Stats.Hitpoints} {
		if s.Level < 0 || s.Level > maxStat || s.XP < 0 || s.XP > maxStat {
			return fmt.Errorf("stats: %d or %d is outside 0..%d", s.Level, s.XP, int64(maxStat))
		}
	}
	if len(d.Inventory) > maxStacks {
		return fmt.Errorf("inventory: more than %d items", maxStacks)
	}
	for i, s := range d.Inventory {
		if !validID(s.Item) {
			return fmt.Errorf("inventory[%d].item: %.64q is not an id", i, s.Item)
		}
		if s.Count < 1 || s.Count > maxCount {
			return fmt.Errorf("inventory[%d].count: %d is outside 1..%d", i, s.Count, maxCount)
		}
	}
	if len(d.Equipment) > EquipmentSlots {
		return fmt.Errorf("equipment: more than %d items", EquipmentSlots)
	}
	for i, item := range d.Equipment {
		if item != "" && !validID(item) {
			return fmt.Errorf("equipment[%d]: %.64q is not an id", i, item)
		}
	}
	return nil
}

// Encode returns the JSON form.
func (d *Data) Encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // no field of Data can fail
	}
	return b
}

// reserve makes room for n stacks, so that picking up loot does not allocate.
func (d *Data) reserve(n int) {
	if len(d.Inventory) < n {
		d.Inventory = append(make([]Stack, 0, n), d.Inventory...)
	}
}

// add puts items into the inventory: onto stacks that have room, then onto new stacks as long as there are fewer than
// slots. What finds no room is lost.
func (d *Data) add(item *itemSpec, count, slots int) {
	for i := range d.Inventory {
		if s := &d.Inventory[i]; s.Item == item.ID && s.Count < item.MaxStack {
			n := min(count, item.MaxStack-s.Count)
			s.Count += n
			count -= n
		}
	}
	for count > 0 && len(d.Inventory) < slots {
		n := min(count, item.MaxStack)
		d.Inventory = append(d.Inventory, Stack{Item: item.ID, Count: n})
		count -= n
	}
}
