package protocol

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// talk is a message in testdata with game messages.
type talk struct {
	name     string
	head     *Reliable // nil: unreliable
	messages []string
}

func (g *talk) bytes() []byte {
	b := AppendUnreliable(nil)
	if g.head != nil {
		b = AppendReliable(nil, *g.head)
	}
	for _, m := range g.messages {
		var ok bool
		if b, ok = AppendMessage(b, []byte(m)); !ok {
			panic(g.name + ": no room")
		}
	}
	return b
}

// goldenTalk is a short conversation, as the document has it, and what lies at the ends of ranges.
func goldenTalk() []talk {
	const client, node = 0x2f9a3b41, 0x0c5d11e7
	return []talk{
		{"reliable-first", &Reliable{From: client, First: 1}, []string{"hello", "trade 7 for 3"}},
		{"reliable-answer", &Reliable{From: node, To: client, Ack: 2, First: 1}, []string{"anna: hello"}},
		{"reliable-ack", &Reliable{From: client, To: node, Ack: 1, First: 3}, nil},
		{"reliable-lost", &Reliable{From: node, To: client, Ack: 2, First: 300, Lost: true}, []string{"look around anew"}},
		{"reliable-extremes", &Reliable{From: 1<<32 - 1, To: 1<<32 - 1, Ack: MaxNumber, First: MaxNumber}, []string{"\x00"}},
		{"reliable-longest", &Reliable{From: 1, First: 1},
			[]string{strings.Repeat("m", rushgate.MaxMessage), strings.Repeat("n", 140)}},
		{"unreliable-one", nil, []string{"boo"}},
		{"unreliable-two", nil, []string{"boo", "Žofie waves"}},
	}
}

// readTalk returns the head and the game messages of a message.
func readTalk(b []byte) (head *Reliable, messages []string, err error) {
	var all Messages
	if KindOf(b) == KindUnreliable {
		all, err = ParseUnreliable(b)
	} else {
		var r Reliable
		r, err = ParseReliable(b)
		all, r.Messages = r.Messages, Messages{}
		head = &r
	}
	for data, ok := all.Next(); ok; data, ok = all.Next() {
		messages = append(messages, string(data))
	}
	return head, messages, err
}

func TestGoldenMessages(t *testing.T) {
	for _, g := range goldenTalk() {
		head, messages, err := readTalk(goldenFile(t, g.name, g.bytes(), ""))
		if err != nil || !reflect.DeepEqual(head, g.head) || !reflect.DeepEqual(messages, g.messages) {
			t.Errorf("%s is %+v, %q, %v", g.name, head, messages, err)
		}
	}
}

// editedTalk are messages of which one line says something else: those with a reason are refused.
func editedTalk() []edited {
	of := make(map[string][]byte)
	for _, g := range goldenTalk() {
		of[g.name] = g.bytes()
	}
	first, answer, one, two := of["reliable-first"], of["reliable-answer"], of["unreliable-one"], of["unreliable-two"]
	long := strings.TrimSpace(strings.Repeat("6d ", 32))
	return []edited{
		{"reliable-overlong", answer, "02 # ack 2", "82 00 # ack 2", "", nil},
		{"refused-reliable-short", answer, `61 6e 6e 61 3a 20 68 65 6c 6c 6f # "anna: hello"`,
			`61 6e 6e 61 3a 20 68 65 6c 6c # "anna: hell"`, "cut short", ErrMalformed},
		{"refused-reliable-no-first", of["reliable-ack"], "03 # first 3", "", "cut short", ErrMalformed},
		{"refused-reliable-version", answer, "01 # version 1", "02 # version 2", "another version", ErrVersion},
		{"refused-reliable-kind", answer, "04 # kind 4", "05 # kind 5", "another kind", ErrMalformed},
		{"refused-reliable-flags", answer, "00 # flags 0", "02 # flags 2", "bit 1 of flags", ErrMalformed},
		{"refused-reliable-from-0", answer, "e7 11 5d 0c # from 207426023", "00 00 00 00 # from 0", "from 0", ErrMalformed},
		{"refused-reliable-ack-of-none", first, "00 # ack 0", "01 # ack 1", "ack without to", ErrMalformed},
		{"refused-reliable-ack-too-large", answer, "02 # ack 2", "80 80 80 80 80 80 80 10 # ack 2^53", "ack out of range",
			ErrMalformed},
		{"refused-reliable-first-0", answer, "01 # first 1", "00 # first 0", "first 0", ErrMalformed},
		{"refused-reliable-first-too-large", first, "01 # first 1", "ff ff ff ff ff ff ff 0f # first 2^53 - 1",
			"the second is out of range", ErrMalformed},
		{"refused-reliable-length-0", first, "05 # length 5", "00 # length 0\n05 # length 5", "an empty game message",
			ErrMalformed},
		{"refused-reliable-length-1025", of["reliable-longest"], "80 08 # length 1024", "81 08 # length 1025",
			"a game message too long", ErrMalformed},
		{"refused-reliable-uvarint-11", answer, "02 # ack 2", "82 80 80 80 80 80 80 80 80 80 00 # ack 2",
			"a uvarint of 11 bytes", ErrMalformed},
		{"refused-unreliable-none", AppendUnreliable(nil), "03 # kind 3", "03 # kind 3", "no game message", ErrMalformed},
		{"refused-unreliable-version", one, "01 # version 1", "02 # version 2", "another version", ErrVersion},
		{"refused-unreliable-kind", one, "03 # kind 3", "05 # kind 5", "another kind", ErrMalformed},
		{"refused-unreliable-length-0", one, "03 # length 3", "00 # length 0\n03 # length 3", "an empty game message",
			ErrMalformed},
		{"refused-unreliable-short", two, "0c # length 12", "0d # length 13", "cut short", ErrMalformed},
		{"refused-unreliable-length-1025", one, `62 6f 6f # "boo"`, `62 6f 6f # "boo"` + "\n81 08 # length 1025" +
			strings.Repeat("\n"+long+" # 32 of 1025", 32) + "\n6d # the last", "a game message too long", ErrMalformed},
	}
}

func TestGoldenEditedMessages(t *testing.T) {
	for _, m := range editedTalk() {
		head, messages, err := readTalk(goldenText(t, m.name, m.text(t)))
		if m.want == nil && (err != nil || head.Ack != 2 || len(messages) != 1) {
			t.Errorf("%s: %+v, %q, %v", m.name, head, messages, err)
		}
		if m.want != nil && (!errors.Is(err, m.want) || len(messages) > 0) {
			t.Errorf("%s: %q, %v; want %v", m.name, messages, err, m.want)
		}
	}
}

// What must be refused is refused for the reason it states.
func TestGoldenRefusedMessagesForTheirReason(t *testing.T) {
	problems := map[string]string{
		"short": "truncated", "no-first": "truncated", "unreliable-none": "truncated",
		"version": "unknown protocol version", "kind": "kind",
		"flags": "flags", "from-0": "from: zero", "of-none": "not known", "ack-too-large": "ack: out of range",
		"first-0": "first: zero", "first-too-large": "first: too large", "length-0": "length: zero",
		"length-1025": "length: out of range", "uvarint-11": "more than 64 bits",
	}
	checked := 0
	for _, m := range editedTalk() {
		b, err := assemble(m.text(t))
		if err != nil {
			t.Fatal(m.name, err)
		}
		_, _, err = readTalk(b)
		for part, problem := range problems {
			if m.want != nil && strings.HasSuffix(m.name, part) {
				checked++
				if err == nil || !strings.Contains(err.Error(), problem) {
					t.Errorf("%s: %v; want %q", m.name, err, problem)
				}
			}
		}
	}
	if checked < len(editedTalk())-1 {
		t.Errorf("%d of %d are checked", checked, len(editedTalk()))
	}
}

// A packet takes game messages as long as they fit, one of any length that is allowed among them.
func TestAppendMessageFillsAPacket(t *testing.T) {
	for _, n := range []int{0, rushgate.MaxMessage + 1} {
		if b, ok := AppendMessage([]byte{1}, make([]byte, n)); ok || len(b) != 1 {
			t.Errorf("a message of %d bytes is added", n)
		}
	}
	head := AppendReliable(nil, Reliable{From: 1<<32 - 1, To: 1<<32 - 1, Ack: MaxNumber, First: MaxNumber, Lost: true})
	b, ok := AppendMessage(head, make([]byte, rushgate.MaxMessage))
	if !ok || len(head) != 27 {
		t.Errorf("the longest does not fit after a head of %d bytes", len(head))
	}
	for ok {
		before := b
		if b, ok = AppendMessage(b, []byte("x")); !ok && (len(b) != MaxSnapshot && len(b) != MaxSnapshot-1 ||
			!bytes.Equal(b, before)) {
			t.Errorf("it ends with %d bytes", len(b))
		}
	}
}

func TestKindOf(t *testing.T) {
	for want, b := range map[Kind][]byte{
		KindIntent: AppendIntent(nil, Intent{}), KindUnreliable: AppendUnreliable(nil),
		KindReliable: AppendReliable(nil, Reliable{From: 1, First: 1}), 7: {1, 7}, 0: {2, 4},
	} {
		if got := KindOf(b); got != want {
			t.Errorf("%x is of kind %d, want %d", b, got, want)
		}
	}
	if KindOf(nil) != 0 || KindOf([]byte{1}) != 0 {
		t.Error("what is cut short has a kind")
	}
}

func TestMessagesAllocateNothing(t *testing.T) {
	g := goldenTalk()[0]
	message, buf, data := g.bytes(), make([]byte, 0, MaxSnapshot), []byte("data")
	allocs := testing.AllocsPerRun(100, func() {
		r, err := ParseReliable(message)
		if err != nil {
			t.Fatal(err)
		}
		for _, ok := r.Messages.Next(); ok; _, ok = r.Messages.Next() {
		}
		buf, _ = AppendMessage(AppendReliable(buf[:0], r), data)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// What ParseReliable and ParseUnreliable take is written the same again, in the shortest form.
func FuzzParseMessages(f *testing.F) {
	for _, prefix := range []string{"reliable-", "unreliable-", "refused-reliable-", "refused-unreliable-"} {
		for _, b := range golden(f, prefix) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		head, messages, err := readTalk(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(b) > MaxSnapshot {
			return // no packet is so long, so AppendMessage does not make it
		}
		again := (&talk{"again", head, messages}).bytes()
		h, m, err := readTalk(again)
		if len(again) > len(b) || err != nil || !reflect.DeepEqual(h, head) || !reflect.DeepEqual(m, messages) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
