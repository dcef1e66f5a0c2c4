package protocol

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

var update = flag.Bool("update", false, "write the messages in testdata anew")

// goldenIntents are the intents in testdata, by the name of the file.
func goldenIntents() map[string]Intent {
	return map[string]Intent{
		"intent-idle": {Seq: 1},
		"intent-attack": {
			Seq: 258, Ack: 1200, Intent: rushgate.Intent{MoveX: 1, MoveY: -0.5, Action: 1, Target: 1<<63 | 41},
		},
	}
}

// goldenSnapshot is a snapshot in testdata. Those of a sequence after the first are relative to the one before.
type goldenSnapshot struct {
	name     string
	header   Header
	entities []State
}

// goldenDay is what happens in the document's example.
func goldenDay() []goldenSnapshot {
	anna := State{ID: 7, Name: "anna", X: 6500, Y: 3136, HP: 40, MaxHP: 40, Level: 1, Kind: 1}
	rat := State{ID: 1<<63 | 41, Name: "rat", X: 6336, Y: 3300, HP: 12, MaxHP: 12, Kind: 2}
	zofie := State{ID: 300, Name: "Žofie", X: 5000, Y: 4000, HP: 55, MaxHP: 56, Level: 3, Kind: 1}
	own := Own{Zone: 1, X: 6400, Y: 3200, HP: 40, MaxHP: 48, Level: 2, XP: 250, Deaths: 1}

	ratLater, annaLater, ownLater := rat, anna, own
	ratLater.HP, ratLater.Flags = 5, 1
	annaLater.X, annaLater.Y, annaLater.Level, annaLater.MaxHP, annaLater.Flags = 6560, 3117, 2, 48, 1
	ownLater.X, ownLater.Y, ownLater.HP, ownLater.Flags = 6423, 3189, 37, 1
	bob := State{ID: 8, Name: "bob", X: 9000, Y: 3200, MaxHP: 40, Level: 1, Kind: 1, Flags: 2}

	return []goldenSnapshot{
		{"snapshot-full", Header{Tick: 1200, Intent: 257, Own: own}, []State{anna, rat, zofie}},
		{"snapshot-delta", Header{Tick: 1203, Base: 1200, Intent: 258, Own: ownLater}, []State{ratLater, annaLater, bob}},
		{"snapshot-still", Header{Tick: 1206, Base: 1203, Intent: 258, Own: ownLater}, []State{ratLater, annaLater, bob}},
		{"snapshot-alone", Header{Tick: 1209, Base: 1206, Intent: 259, Own: ownLater}, nil},
	}
}

// goldenWrap has every number at an end of its range, then ticks that begin again, and the longest way there is.
func goldenWrap() []goldenSnapshot {
	own := Own{
		Zone: math.MaxUint16, X: maxFixed, Y: -maxFixed, HP: math.MinInt32, MaxHP: math.MaxInt32, XP: math.MaxInt64,
		Level: math.MaxUint16, Deaths: math.MaxUint32, Flags: 255,
	}
	far := State{
		ID: math.MaxUint64, Name: strings.Repeat("n", rushgate.MaxEntityName), X: -maxFixed, Y: maxFixed,
		HP: math.MaxInt32, MaxHP: math.MaxInt32, Level: math.MaxUint16, Kind: 255, Flags: 255,
	}
	farLater := far
	farLater.X, farLater.Y, farLater.HP = maxFixed, -maxFixed, math.MinInt32
	return []goldenSnapshot{
		{"snapshot-extremes", Header{Tick: math.MaxUint32, Intent: math.MaxUint32, Own: own}, []State{far, {ID: 1}}},
		{"snapshot-wrap", Header{Tick: 3, Base: math.MaxUint32, Intent: 1, Own: own}, []State{farLater, {ID: 1}}},
	}
}

// goldenCrowd has more entities than fit a message as new ones, so that counts and references take two bytes.
func goldenCrowd() []goldenSnapshot {
	const first, all = 100, 140
	crowd := make([]State, all)
	for i := range crowd {
		crowd[i] = State{ID: uint64(i + 1), Kind: 1, X: int32(i), HP: 5, MaxHP: 5}
	}
	backwards := slices.Clone(crowd)
	slices.Reverse(backwards)
	backwards[0].HP = 4
	return []goldenSnapshot{
		{"snapshot-crowd-1", Header{Tick: 300}, crowd[:first]},
		{"snapshot-crowd-2", Header{Tick: 303, Base: 300}, crowd},
		{"snapshot-crowd-3", Header{Tick: 306, Base: 303}, backwards},
	}
}

func pointers(states []State) []*State {
	list := make([]*State, len(states))
	for i := range states {
		list[i] = &states[i]
	}
	return list
}

// goldenFile returns the bytes that a file in testdata stands for, having required that its text is the dissection of
// message and what must follow.
func goldenFile(t testing.TB, name string, message []byte, result string) []byte {
	t.Helper()
	return goldenText(t, name, dissect(message)+result)
}

// goldenText returns the bytes that a file in testdata stands for, having required that want is its text.
func goldenText(t testing.TB, name, want string) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("%s is\n%s\nwant\n%s", path, text, want)
	}
	b, err := assemble(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return b
}

func TestGoldenIntents(t *testing.T) {
	for name, in := range goldenIntents() {
		got, err := ParseIntent(goldenFile(t, name, AppendIntent(nil, in), ""))
		if err != nil {
			t.Fatal(err)
		}
		if d := math.Abs(float64(got.MoveY - in.MoveY)); d > 0.5/moveScale {
			t.Errorf("%s: move y is %v off", name, d)
		}
		got.MoveY = in.MoveY
		if got != in {
			t.Errorf("%s is %+v, want %+v", name, got, in)
		}
	}
}

func TestGoldenSnapshots(t *testing.T) {
	for _, snapshots := range [][]goldenSnapshot{goldenDay(), goldenWrap(), goldenCrowd()} {
		checkGolden(t, snapshots)
	}
}

func checkGolden(t *testing.T, snapshots []goldenSnapshot) {
	var e Encoder
	var d Decoder
	var baseline []State
	for _, g := range snapshots {
		message := encode(&e, g.header, pointers(baseline), pointers(g.entities))
		got := decoded(t, &d, goldenFile(t, g.name, message, result(g.entities)))
		want := Snapshot{Tick: g.header.Tick, Intent: g.header.Intent, Own: g.header.Own, Entities: g.entities}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, want\n%+v", g.name, got, want)
		}
		baseline = g.entities
	}
}

// result is what a client has after a snapshot, as comments.
func result(entities []State) string {
	if len(entities) == 0 {
		return "# result: nobody\n"
	}
	var text strings.Builder
	for i, s := range entities {
		fmt.Fprintf(&text, "# result %d: id %d kind %d flags %d level %d x %d/64 y %d/64 hp %d of %d %q\n",
			i+1, s.ID, s.Kind, s.Flags, s.Level, s.X, s.Y, s.HP, s.MaxHP, s.Name)
	}
	return text.String()
}

// The messages that the document explains are those in testdata.
func TestDocument(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{"intent-attack", "snapshot-full", "snapshot-delta", "reliable-first", "reliable-answer"}
	for _, name := range shown {
		text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc), "```\n"+string(text)+"```\n") {
			t.Errorf("docs/protocol.md does not show %s.hex as it is", name)
		}
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "*.hex"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".hex"); !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/protocol.md does not mention %s", name)
		}
	}
	for _, number := range []string{fmt.Sprintf("0x%x", ID), "1200", "1/64", "1/32767"} {
		if !strings.Contains(string(doc), number) {
			t.Errorf("docs/protocol.md does not mention %s", number)
		}
	}
}
