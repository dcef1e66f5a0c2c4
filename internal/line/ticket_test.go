package line

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

var noon = time.UnixMilli(1_795_000_000_123)

// pattern fills b with b[i] = i*m + o.
func pattern(b []byte, m, o byte) []byte {
	for i := range b {
		b[i] = byte(i)*m + o
	}
	return b
}

func testRing(tb testing.TB, o byte) *Keyring {
	tb.Helper()
	r, err := NewKeyring(bytes.NewReader(pattern(make([]byte, keySize), 7, o)), noon.Add(-time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func testTicket() Ticket {
	t := Ticket{
		Turn: noon.Add(90 * time.Second), Issued: noon, Serial: 0x0102030405060708, Line: ForWorld, Tier: 5,
		Holder: HolderOf([]byte("a secret of the client's")),
	}
	pattern(t.Issuer[:], 3, 1)
	return t
}

// goldens are the bytes in testdata by name: tickets and keyrings of other builds stay readable.
func goldens(t *testing.T) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for text := range strings.Lines(string(b)) {
		name, digits, ok := strings.Cut(strings.TrimSpace(text), ": ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if all[name], err = hex.DecodeString(digits); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// checkGolden compares bytes with those in testdata.
func checkGolden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	want := goldens(t)[name]
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %x, want %x", name, got, want)
	}
	return want
}

func TestGoldenTicket(t *testing.T) {
	ring, ticket := testRing(t, 1), testTicket()
	golden := checkGolden(t, "ticket", ring.Seal(nil, &ticket))
	if len(golden) != TicketSize {
		t.Fatalf("%d bytes, want %d", len(golden), TicketSize)
	}
	if got, err := ring.Open(golden); err != nil || got != ticket {
		t.Errorf("%+v, %v; want %+v", got, err, ticket)
	}
	text := EncodeText(golden)
	if want := string(goldens(t)["text"]); text != want {
		t.Errorf("%s, want %s", text, want)
	}
	if b, err := DecodeText(text); err != nil || !bytes.Equal(b, golden) {
		t.Errorf("%x, %v", b, err)
	}
}

// The bytes are as docs and comments say, checked with nothing but the primitives.
func TestATicketIsWhatItsLayoutSays(t *testing.T) {
	ring, ticket := testRing(t, 1), testTicket()
	b := ring.Seal(nil, &ticket)
	key := pattern(make([]byte, keySize), 7, 1)
	nonce := append(bytes.Clone(b[4:20]), make([]byte, 8)...)
	sub, err := chacha20.HChaCha20(key, nonce[:16])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(sub)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, make([]byte, 12), b[20:], b[:4])
	if err != nil {
		t.Fatal(err)
	}
	var turn, issued [8]byte
	copy(turn[2:], plain[2:8])
	copy(issued[2:], plain[8:14])
	got := []any{b[0], hex.EncodeToString(b[4:12]), hex.EncodeToString(b[12:20]), plain[0], plain[1],
		hex.EncodeToString(turn[:]), hex.EncodeToString(issued[:]), Holder(plain[14:])}
	want := []any{byte(1), "0104070a0d101316", "0102030405060708", ForWorld, byte(5),
		hex48(noon.Add(90 * time.Second)), hex48(noon), HolderOf([]byte("a secret of the client's"))}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("field %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func hex48(t time.Time) string {
	var b [8]byte
	put48(b[2:], uint64(t.UnixMilli()))
	return hex.EncodeToString(b[:])
}

func TestTicketsThatAreRefused(t *testing.T) {
	ring, ticket := testRing(t, 1), testTicket()
	good := ring.Seal(nil, &ticket)
	change := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	tests := map[string]struct {
		b    []byte
		want error
	}{
		"nothing":            {nil, ErrMalformed},
		"one byte too few":   {good[:TicketSize-1], ErrMalformed},
		"one byte too many":  {append(bytes.Clone(good), 0), ErrMalformed},
		"of another version": {change(0), ErrMalformed},
		"of another fleet":   {testRing(t, 2).Seal(nil, &ticket), ErrUnknownKey},
		"another key's id":   {change(1), ErrUnknownKey},
	}
	for name, tt := range tests {
		if _, err := ring.Open(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for at := headSize; at < TicketSize; at++ {
		if _, err := ring.Open(change(at)); !errors.Is(err, ErrForged) {
			t.Errorf("altered at byte %d: %v", at, err)
		}
	}
	text := EncodeText(good)
	for name, bad := range map[string]string{
		"empty": "", "short": text[1:], "long": text + "A", "padded": text[:TextSize-1] + "=",
		"with a line end": text[:TextSize-1] + "\n", "of the other alphabet": "+" + text[1:],
	} {
		if _, err := DecodeText(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("text %s: %v", name, err)
		}
	}
}

func TestTimesBeyondWhatATicketHolds(t *testing.T) {
	ring := testRing(t, 1)
	for _, tt := range []struct{ at, want time.Time }{
		{time.Time{}, time.UnixMilli(0)},
		{time.UnixMilli(maxMillis + 1), time.UnixMilli(maxMillis)},
		{noon.Add(999 * time.Microsecond), noon},
	} {
		got, err := ring.Open(ring.Seal(nil, &Ticket{Turn: tt.at, Issued: tt.at}))
		if err != nil || !got.Turn.Equal(tt.want) || !got.Issued.Equal(tt.want) {
			t.Errorf("%v: %v, %v, %v", tt.at, got.Turn, got.Issued, err)
		}
	}
}

func TestSealingAllocatesNothing(t *testing.T) {
	ring, ticket := testRing(t, 1), testTicket()
	b := make([]byte, 0, TicketSize)
	if n := testing.AllocsPerRun(1000, func() { b = ring.Seal(b[:0], &ticket) }); n != 0 {
		t.Errorf("sealing allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := ring.Open(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("opening allocates %v times", n)
	}
}

// FuzzOpen looks for bytes that crash the reader, or that open and would not be sealed like that.
func FuzzOpen(f *testing.F) {
	ring, ticket := testRing(f, 1), testTicket()
	f.Add(ring.Seal(nil, &ticket), []byte{})
	f.Add(testRing(f, 2).Seal(nil, &ticket), []byte("x"))
	// The fuzzer cannot guess tags: plain bytes are sealed for it, too.
	f.Fuzz(func(t *testing.T, b, plain []byte) {
		for _, b := range [][]byte{b, sealRaw(ring, b, plain)} {
			got, err := ring.Open(b)
			if err != nil {
				continue
			}
			if again := ring.Seal(nil, &got); !bytes.Equal(again, b) {
				t.Errorf("%x opens, and is sealed as %x", b, again)
			}
			text := EncodeText(b)
			if back, err := DecodeText(text); err != nil || !bytes.Equal(back, b) {
				t.Errorf("%s is read as %x, %v", text, back, err)
			}
		}
	})
}

func sealRaw(ring *Keyring, nonce, plain []byte) []byte {
	key := &ring.keys[0]
	head := append([]byte{ticketVersion}, key.id[:]...)
	var n [chacha20poly1305.NonceSizeX]byte
	copy(n[:nonceSent], nonce)
	var p [plainSize]byte
	copy(p[:], plain)
	return key.aead.Seal(append(bytes.Clone(head), n[:nonceSent]...), n[:], p[:], head)
}

func FuzzDecodeText(f *testing.F) {
	ring, ticket := testRing(f, 1), testTicket()
	f.Add(EncodeText(ring.Seal(nil, &ticket)))
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := DecodeText(text); err == nil && EncodeText(b) != text {
			t.Errorf("%q is read, and written as %q", text, EncodeText(b))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	ring, ticket := testRing(b, 1), testTicket()
	buf := make([]byte, 0, TicketSize)
	b.ReportAllocs()
	for b.Loop() {
		ticket.Serial++
		buf = ring.Seal(buf[:0], &ticket)
	}
}

func BenchmarkOpen(b *testing.B) {
	ring, ticket := testRing(b, 1), testTicket()
	sealed := ring.Seal(nil, &ticket)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Open(sealed); err != nil {
			b.Fatal(err)
		}
	}
}
