package protocol

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// golden returns the messages in testdata whose names begin with prefix, in the order of their names.
func golden(f *testing.F, prefix string) (messages [][]byte) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", prefix+"*.hex"))
	if err != nil || len(paths) == 0 {
		f.Fatal(prefix, " files: ", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		b, err := assemble(string(text))
		if err != nil {
			f.Fatal(path, err)
		}
		messages = append(messages, b)
	}
	return messages
}

// What ParseIntent takes, AppendIntent writes the same, in the shortest form.
func FuzzParseIntent(f *testing.F) {
	for _, b := range slices.Concat(golden(f, "intent-"), golden(f, "refused-intent-")) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ParseIntent(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%v", err)
			}
			return
		}
		again := AppendIntent(nil, in)
		if len(again) > len(b) || !bytes.HasPrefix(b, again[:15]) {
			t.Fatalf("%x became %x", b, again)
		}
		if got, err := ParseIntent(again); err != nil || got != in {
			t.Fatalf("%+v became %+v, %v", in, got, err)
		}
	})
}

// join makes one fuzzing input of messages: each with its length, 0 to 65535, in front.
func join(messages ...[]byte) (input []byte) {
	for _, m := range messages {
		input = append(input, byte(len(m)), byte(len(m)>>8))
		input = append(input, m...)
	}
	return input
}

// split is the reverse of join for any input.
func split(input []byte) (messages [][]byte) {
	for len(input) >= 2 {
		n := min(int(input[0])|int(input[1])<<8, len(input)-2)
		messages = append(messages, input[2:2+n])
		input = input[2+n:]
	}
	return messages
}

// Whatever sequence of messages a client gets, it neither panics nor gathers without bound, what it shows is within the
// documented bounds, and the same message means the same for a while.
func FuzzDecodeSnapshot(f *testing.F) {
	for _, b := range golden(f, "snapshot-") {
		f.Add(join(b))
	}
	full := golden(f, "snapshot-full")[0]
	for _, b := range golden(f, "refused-snapshot-") {
		f.Add(join(full, b, full))
	}
	for _, snapshots := range [][]goldenSnapshot{goldenDay(), goldenWrap(), goldenCrowd()} {
		var e Encoder
		var sequence [][]byte
		var baseline []State
		for _, g := range snapshots {
			sequence = append(sequence, bytes.Clone(encode(&e, g.header, pointers(baseline), pointers(g.entities))))
			baseline = g.entities
		}
		f.Add(join(sequence...))
		f.Add(join(slices.Concat(sequence, sequence)...))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var d Decoder
		var s Snapshot
		for _, m := range split(input) {
			if err := d.Decode(m, &s); err != nil {
				if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrNoBaseline) {
					t.Fatalf("%x: %v", m, err)
				}
				continue
			}
			checkSnapshot(t, &s)
			reencode(t, &s)
			if len(d.held) > MaxBase+1 {
				t.Fatalf("%d snapshots are held", len(d.held))
			}
		}
	})
}

func checkSnapshot(t *testing.T, s *Snapshot) {
	t.Helper()
	own := &s.Own
	if len(s.Entities) > MaxEntities || s.Tick == 0 || own.MaxHP < 0 || own.XP < 0 || !inRange(own.X) || !inRange(own.Y) {
		t.Fatalf("%d entities, tick %d, own %+v", len(s.Entities), s.Tick, s.Own)
	}
	for _, e := range s.Entities {
		if e.ID == 0 || len(e.Name) > rushgate.MaxEntityName || !utf8.ValidString(e.Name) || e.MaxHP < 0 {
			t.Fatalf("%+v", e)
		}
		if !inRange(e.X) || !inRange(e.Y) {
			t.Fatalf("%+v is out of range", e)
		}
	}
}

// reencode requires that a snapshot can be sent on, as far as it fits.
func reencode(t *testing.T, s *Snapshot) {
	t.Helper()
	var e Encoder
	e.Begin(Header{Tick: s.Tick, Intent: s.Intent, Own: s.Own}, nil)
	var want []State
	for i := range s.Entities {
		if e.Add(&s.Entities[i]) {
			want = append(want, s.Entities[i])
		}
	}
	got := decoded(t, new(Decoder), e.Bytes())
	if got.Tick != s.Tick || got.Intent != s.Intent || got.Own != s.Own || !slices.Equal(got.Entities, want) {
		t.Fatalf("%+v became %+v", s, got)
	}
}
