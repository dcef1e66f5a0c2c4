package udpknock

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the messages in testdata anew")

// golden is a message in testdata.
type golden struct {
	name    string
	message []byte
}

// goldenTalk is the example of the document: a client's first question, with what comes of it, and later ones.
func goldenTalk(t testing.TB) []golden {
	t.Helper()
	nonce := func(n byte) Nonce { return Nonce{n, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7} }
	ticket := make([]byte, 66)
	for i := range ticket {
		ticket[i] = byte(i + 1)
	}
	replies := map[Nonce]Reply{
		nonce(1): {Verdict: Wait, Ticket: ticket, Place: 4711, ETALow: 80 * time.Second, ETAHigh: 2 * time.Minute,
			After: 20 * time.Second},
		nonce(2): {Verdict: ComeIn, Ticket: ticket},
		nonce(3): {Verdict: Refused, After: 15 * time.Second},
	}
	var at Nonce // of the question at hand
	a, err := NewAnswerer(Config{
		Knock: func([]byte, netip.Addr, Holder, []byte) Reply { return replies[at] },
		Rand:  rand.NewChaCha8([32]byte{'k'}), Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	k := Knock{Nonce: nonce(1), Holder: HolderOf([]byte("the secret of a client's choice"))}
	var talk []golden
	say := func(knock, answer string) []byte {
		at = k.Nonce
		datagram := AppendKnock(nil, &k)
		b := a.Answer(nil, alice, datagram)
		talk = append(talk, golden{knock, datagram}, golden{answer, b})
		return b
	}
	_, k.Cookie, _ = ParseCookie(say("knock-first", "cookie"))
	say("knock-cookie", "answer-wait")
	k.Nonce, k.Ticket = nonce(2), ticket
	say("knock-ticket", "answer-come-in")
	k.Nonce = nonce(3)
	at = k.Nonce
	return append(talk, golden{"answer-refused", a.Answer(nil, alice, AppendKnock(nil, &k))})
}

// dissect writes a message as text: a line for each field, its bytes in hexadecimal and what they mean. It reads
// messages by itself, so that the text in testdata does not depend on the code.
func dissect(b []byte) string {
	var text strings.Builder
	line := func(n int, format string, args ...any) {
		if n > 0 {
			fmt.Fprintf(&text, "%-47s # %s\n", strings.TrimSpace(fmt.Sprintf("% x", b[:n])), fmt.Sprintf(format, args...))
			b = b[n:]
		}
	}
	lines := func(n int, what string) {
		for n > 0 {
			line(min(n, 16), "%s", what)
			n -= 16
		}
	}
	u32 := func(format string) { line(4, format, binary.LittleEndian.Uint32(b)) }
	line(4, `magic, ff "RGK"`)
	line(1, "version %d", b[0])
	kind := b[0]
	line(1, "kind %d", kind)
	switch kind {
	case kindAnswer:
		line(1, "verdict %d", b[0])
	default:
		line(1, "zero")
	}
	length := int(b[0])
	if kind == kindCookie {
		line(1, "zero")
	} else {
		line(1, "length of the ticket %d", length)
	}
	line(8, "nonce")
	line(16, "cookie")
	switch kind {
	case kindKnock:
		line(16, "holder")
	case kindAnswer:
		u32("place %d")
		u32("at least %d ms")
		u32("at most %d ms")
		u32("ask again after %d ms")
	}
	if kind != kindCookie {
		lines(length, "ticket")
		lines(len(b), "zeros")
	}
	return text.String()
}

// assemble returns the bytes of a text.
func assemble(t testing.TB, text string) []byte {
	t.Helper()
	var all []byte
	for line := range strings.Lines(text) {
		digits, _, _ := strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// goldenBytes returns the bytes that a file in testdata stands for, having required that want is its text.
func goldenBytes(t testing.TB, name, want string) []byte {
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
	return assemble(t, string(text))
}

func TestGoldenMessages(t *testing.T) {
	for _, g := range goldenTalk(t) {
		b := goldenBytes(t, g.name, dissect(g.message))
		if !bytes.Equal(b, g.message) {
			t.Errorf("%s is\n%x\nwant\n%x", g.name, b, g.message)
		}
		if !same(b) {
			t.Errorf("%s is read as another message", g.name)
		}
	}
}

// same reports whether b is a message, and what is read of it is written as b.
func same(b []byte) bool {
	if k, ok := ParseKnock(b); ok {
		return bytes.Equal(AppendKnock(nil, &k), b)
	}
	if nonce, c, ok := ParseCookie(b); ok {
		return bytes.Equal(AppendCookie(nil, nonce, c), b)
	}
	if nonce, c, r, ok := ParseAnswer(b); ok {
		return bytes.Equal(AppendAnswer(nil, nonce, c, &r), b)
	}
	return false
}

// parses reports whether b is a message of any kind.
func parses(b []byte) bool {
	_, knock := ParseKnock(b)
	_, _, cookie := ParseCookie(b)
	_, _, _, answer := ParseAnswer(b)
	return knock || cookie || answer
}

// edit is a message of the talk in which some bytes are others.
type edit struct {
	name, of string
	at       int
	now      string // in hexadecimal
	why      string
}

var refused = []edit{
	{"refused-knock-magic", "knock-first", 0, "fe", "another magic"},
	{"refused-knock-version", "knock-first", 4, "02", "another version"},
	{"refused-knock-kind", "knock-first", 5, "04", "another kind"},
	{"refused-knock-reserved", "knock-first", 6, "01", "byte 6 is not zero"},
	{"refused-knock-ticket-97", "knock-ticket", 7, "61", "a ticket of 97 bytes"},
	{"refused-knock-ticket-65", "knock-ticket", 7, "41", "a byte after the ticket is not zero"},
	{"refused-knock-end", "knock-first", 255, "01", "the last byte is not zero"},
	{"refused-cookie-reserved", "cookie", 7, "01", "byte 7 is not zero"},
	{"refused-cookie-zero", "cookie", 16, strings.Repeat("00", 16), "the cookie is zero"},
	{"refused-answer-verdict-0", "answer-wait", 6, "00", "verdict 0"},
	{"refused-answer-verdict-4", "answer-wait", 6, "04", "verdict 4"},
	{"refused-answer-cookie-zero", "answer-wait", 16, strings.Repeat("00", 16), "the cookie is zero"},
	{"refused-answer-ticket-97", "answer-wait", 7, "61", "a ticket of 97 bytes"},
	{"refused-answer-ticket-65", "answer-wait", 7, "41", "a byte after the ticket is not zero"},
	{"refused-answer-times", "answer-wait", 36, "c1 d4 01 00", "at least 120001 ms, at most 120000 ms"},
	{"refused-answer-come-in-place", "answer-come-in", 32, "01", "a place for one who may come in"},
	{"refused-answer-come-in-after", "answer-come-in", 44, "01", "when to ask again for one who may come in"},
	{"refused-answer-refused-time", "answer-refused", 40, "01", "a time to wait without a line"},
	{"refused-answer-refused-ticket", "answer-refused", 7, "01", "a ticket without a line"},
}

func TestGoldenRefused(t *testing.T) {
	talk := make(map[string][]byte)
	for _, g := range goldenTalk(t) {
		talk[g.name] = g.message
	}
	for _, e := range refused {
		message := bytes.Clone(talk[e.of])
		copy(message[e.at:], assemble(t, e.now))
		text := "# refused: " + e.why + "\n" + fmt.Sprintf("# %s but for byte %d\n", e.of, e.at)
		for b := range bytes.SplitSeq(bytes.TrimSpace([]byte(hexLines(message))), []byte("\n")) {
			text += string(b) + "\n"
		}
		if parses(goldenBytes(t, e.name, text)) {
			t.Errorf("%s is taken", e.name)
		}
	}
	for name, message := range talk {
		for n := range message {
			if parses(message[:n]) {
				t.Errorf("%d bytes of %s are taken", n, name)
			}
		}
		if parses(append(bytes.Clone(message), 0)) {
			t.Errorf("%s and a byte too many are taken", name)
		}
	}
}

// hexLines writes bytes in hexadecimal, 16 to a line.
func hexLines(b []byte) string {
	var text strings.Builder
	for len(b) > 0 {
		n := min(16, len(b))
		fmt.Fprintf(&text, "% x\n", b[:n])
		b = b[n:]
	}
	return text.String()
}

// The messages that the document explains are those in testdata.
func TestDocument(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"knock-first", "cookie", "knock-cookie", "answer-wait"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc), "```\n"+string(text)+"```\n") {
			t.Errorf("docs/protocol.md does not show %s.hex as it is", name)
		}
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "*.hex"))
	if err != nil || len(paths) != len(refused)+7 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".hex"); !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/protocol.md does not mention %s", name)
		}
	}
}

// HolderOf returns the holder who has a secret, as docs/protocol.md says it.
func HolderOf(secret []byte) Holder {
	sum := sha256.Sum256(secret)
	return Holder(sum[:])
}
