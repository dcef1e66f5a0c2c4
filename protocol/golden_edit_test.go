package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// edited is a message in testdata that neither [Encoder] nor [AppendIntent] writes: another message of which one line
// says something else.
type edited struct {
	name string
	of   []byte
	old  string // the line, as "bytes # meaning" with one space between
	now  string // the line or lines in its place
	why  string // what is wrong, empty for what must be taken
	want error
}

// text is the file: the dissection of the message with its lines replaced.
func (m *edited) text(t *testing.T) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(dissect(m.of), "\n"), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.Join(strings.Fields(line), " ") == m.old })
	if at < 0 {
		t.Fatalf("%s: there is no line %q in\n%s", m.name, m.old, dissect(m.of))
	}
	var now []string
	for line := range strings.Lines(m.now) {
		b, meaning, _ := strings.Cut(strings.TrimSpace(line), " # ")
		now = append(now, fmt.Sprintf("%-30s # %s", b, meaning))
	}
	text := strings.Join(slices.Replace(lines, at, at+1, now...), "\n") + "\n"
	if m.why != "" {
		text = "# refused: " + m.why + "\n" + text
	}
	return text
}

// ofDay returns the messages of the document's example by name.
func ofDay() map[string][]byte {
	messages := make(map[string][]byte)
	for name, in := range goldenIntents() {
		messages[name] = AppendIntent(nil, in)
	}
	var e Encoder
	var baseline []State
	for _, g := range goldenDay() {
		messages[g.name] = bytes.Clone(encode(&e, g.header, pointers(baseline), pointers(g.entities)))
		baseline = g.entities
	}
	return messages
}

const (
	fiveIn11 = "85 80 80 80 80 80 80 80 80 80 00"
	bits65   = "80 80 80 80 80 80 80 80 80 02"
)

func refusedIntents() []edited {
	idle := ofDay()["intent-idle"]
	return []edited{
		{"refused-intent-short", idle, "00 # target 0", "", "cut short", ErrMalformed},
		{"refused-intent-trailing", idle, "00 # target 0", "00 # target 0\n00 # one byte too many",
			"a byte is left over", ErrMalformed},
		{"refused-intent-version", idle, "01 # version 1", "02 # version 2", "another version", ErrVersion},
		{"refused-intent-kind", idle, "01 # kind 1", "02 # kind 2", "another kind", ErrMalformed},
		{"refused-intent-move", idle, "00 00 # move x 0/32767", "00 80 # move x -32768/32767", "move x out of range",
			ErrMalformed},
		{"refused-intent-uvarint-11", idle, "00 # target 0", fiveIn11 + " # target 5", "a uvarint of 11 bytes", ErrMalformed},
		{"refused-intent-65-bits", idle, "00 # target 0", bits65 + " # target 2^64", "a uvarint of 65 bits", ErrMalformed},
	}
}

// refusedSnapshots are to be read by one who has snapshot-full.
func refusedSnapshots() []edited {
	day := ofDay()
	full, delta, still := day["snapshot-full"], day["snapshot-delta"], day["snapshot-still"]
	list := []edited{
		{"refused-snapshot-short", delta, `62 6f 62 # "bob"`, `62 6f # "bo"`, "cut short", ErrMalformed},
		{"refused-snapshot-trailing", delta, `62 6f 62 # "bob"`, "62 6f 62 # \"bob\"\n00 # one byte too many",
			"a byte is left over", ErrMalformed},
		{"refused-snapshot-version", delta, "01 # version 1", "02 # version 2", "another version", ErrVersion},
		{"refused-snapshot-kind", delta, "02 # kind 2", "03 # kind 3", "another kind", ErrMalformed},
		{"refused-snapshot-tick-0", full, "b0 04 00 00 # tick 1200", "00 00 00 00 # tick 0", "tick 0", ErrMalformed},
		{"refused-snapshot-base-65", delta, "03 # base: 3 ticks older, 0 for none", "41 # base: 65 ticks older, 0 for none",
			"base out of range", ErrMalformed},
		{"refused-snapshot-no-baseline", still, "03 # base: 3 ticks older, 0 for none",
			"07 # base: 7 ticks older, 0 for none",
			"no snapshot of tick 1199 has come", ErrNoBaseline},
		{"refused-snapshot-own-position", full, "80 64 # x 6400/64", "82 80 80 80 08 # x 1073741825/64",
			"position out of range", ErrMalformed},
		{"refused-snapshot-new-position", full, "c0 0c # y: own +800/64", "82 ce ff ff 07 # y: own +1073738625/64",
			"position out of range, 1073741825/64", ErrMalformed},
		{"refused-snapshot-moved-position", delta, "78 # x: baseline +60/64", "c9 e5 80 80 08 # x: baseline -1073748325/64",
			"position out of range, -1073741825/64", ErrMalformed},
		{"refused-snapshot-ref-twice", delta, "01 # ref 1", "02 # ref 2", "the same ref twice", ErrMalformed},
		{"refused-snapshot-ref-4", delta, "01 # ref 1", "04 # ref 4", "ref out of range, the baseline has 3", ErrMalformed},
		{"refused-snapshot-id-0", full, "07 # id 7", "00 # id 0", "id 0", ErrMalformed},
		{"refused-snapshot-id-uvarint-11", full, "07 # id 7", fiveIn11 + " # id 5", "a uvarint of 11 bytes", ErrMalformed},
		{"refused-snapshot-id-65-bits", full, "07 # id 7", bits65 + " # id 2^64", "a uvarint of 65 bits", ErrMalformed},
		{"refused-snapshot-name-utf-8", full, `72 61 74 # "rat"`, "72 ff 74 # name", "name not UTF-8", ErrMalformed},
		{"refused-snapshot-name-65", full, "04 # length of name 4", "41 # length of name 65\n" +
			strings.TrimSpace(strings.Repeat("6e ", 61)) + " # the first 61 of 65", "name too long", ErrMalformed},
	}
	for bit := 4; bit < 8; bit++ {
		list = append(list, edited{fmt.Sprint("refused-snapshot-changed-", bit), delta, "06 # changed 0110",
			fmt.Sprintf("%02x # changed %08b", 6|1<<bit, 6|1<<bit), fmt.Sprintf("bit %d of changed", bit), ErrMalformed})
	}
	return list
}

func TestGoldenRefusedIntents(t *testing.T) {
	for _, m := range refusedIntents() {
		in, err := ParseIntent(goldenText(t, m.name, m.text(t)))
		if !errors.Is(err, m.want) || in != (Intent{}) {
			t.Errorf("%s: %+v, %v; want %v", m.name, in, err, m.want)
		}
	}
}

// A message that is refused changes nothing: what is relative to an earlier one still decodes.
func TestGoldenRefusedSnapshots(t *testing.T) {
	day := ofDay()
	for _, m := range refusedSnapshots() {
		var d Decoder
		got := decoded(t, &d, day["snapshot-full"])
		before := got
		before.Entities = slices.Clone(got.Entities)
		if err := d.Decode(goldenText(t, m.name, m.text(t)), &got); !errors.Is(err, m.want) {
			t.Errorf("%s: %v; want %v", m.name, err, m.want)
		}
		if !reflect.DeepEqual(got, before) {
			t.Errorf("%s: the snapshot has become %+v", m.name, got)
		}
		if got := decoded(t, &d, day["snapshot-delta"]); !slices.Equal(got.Entities, goldenDay()[1].entities) {
			t.Errorf("%s: the next snapshot has become %+v", m.name, got.Entities)
		}
	}
}

// What must be refused is refused for the reason it states.
func TestGoldenRefusedForTheirReason(t *testing.T) {
	problems := map[string]string{
		"short": "truncated", "trailing": "trailing", "version": "unknown protocol version", "kind": "kind",
		"intent-move": "move x", "uvarint-11": "more than 64 bits", "65-bits": "more than 64 bits",
		"tick-0": "tick: zero", "base-65": "base", "no-baseline": "1199", "position": "out of range",
		"ref-twice": "used twice", "ref-4": "ref: out of range",
		"id-0": "id: zero", "name-utf-8": "not UTF-8", "name-65": "length of name", "changed": "mask",
	}
	check := func(name string, err error) {
		for part, problem := range problems {
			if strings.Contains(name, part) && (err == nil || !strings.Contains(err.Error(), problem)) {
				t.Errorf("%s: %v; want %q", name, err, problem)
			}
		}
	}
	for _, m := range refusedIntents() {
		b, err := assemble(m.text(t))
		if err != nil {
			t.Fatal(m.name, err)
		}
		_, err = ParseIntent(b)
		check(m.name, err)
	}
	full := ofDay()["snapshot-full"]
	for _, m := range refusedSnapshots() {
		b, err := assemble(m.text(t))
		if err != nil {
			t.Fatal(m.name, err)
		}
		var d Decoder
		decoded(t, &d, full)
		check(m.name, d.Decode(b, new(Snapshot)))
	}
}

// Numbers that are longer than they have to be mean the same.
func TestGoldenOverlong(t *testing.T) {
	day := ofDay()
	intent := edited{name: "intent-overlong", of: day["intent-idle"], old: "00 # target 0", now: "85 00 # target 5"}
	if in, err := ParseIntent(goldenText(t, intent.name, intent.text(t))); err != nil || in.Target != 5 {
		t.Errorf("%s: %+v, %v", intent.name, in, err)
	}
	entities := slices.Clone(goldenDay()[0].entities)
	entities[0].ID = 5
	snapshot := edited{name: "snapshot-overlong", of: day["snapshot-full"], old: "07 # id 7", now: "85 00 # id 5"}
	got := decoded(t, new(Decoder), goldenText(t, snapshot.name, snapshot.text(t)+result(entities)))
	if !slices.Equal(got.Entities, entities) {
		t.Errorf("%s: %+v", snapshot.name, got.Entities)
	}
}
