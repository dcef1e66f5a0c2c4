package line

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestGoldenKeyring(t *testing.T) {
	ring, err := testRing(t, 1).Rotate(bytes.NewReader(pattern(make([]byte, keySize), 5, 9)), noon.Add(KeyLife))
	if err != nil {
		t.Fatal(err)
	}
	golden := checkGolden(t, "keyring", ring.Marshal())
	back, err := ParseKeyring(golden)
	if err != nil {
		t.Fatal(err)
	}
	ticket := testTicket()
	if _, err := back.Open(testRing(t, 1).Seal(nil, &ticket)); err != nil {
		t.Error("the ring that was read does not open a ticket:", err)
	}
}

// Over weeks of rotations a ticket can be opened for as long as it can live, and no node seals with a key that another,
// which reads the ring an hour later, does not have yet.
func TestTicketsOutliveRotations(t *testing.T) {
	ring, random := testRing(t, 1), rand.NewChaCha8([keySize]byte{})
	type sealed struct {
		at time.Time
		b  []byte
	}
	var living []sealed
	late := ring // as a node has it that reads it every hour
	used := make(map[string]bool)
	for now := noon; now.Before(noon.Add(30 * 24 * time.Hour)); now = now.Add(20 * time.Minute) {
		if now.Sub(noon)%KeyLead == 0 {
			late = ring
		}
		next, err := ring.Rotate(random, now)
		if err != nil {
			t.Fatal(err)
		}
		ring = next
		ticket := testTicket()
		ticket.Issued = now
		b := ring.Seal(nil, &ticket)
		used[string(b[:headSize])] = true
		if _, err := late.Open(b); err != nil {
			t.Fatalf("after %v, with the ring of an hour ago: %v", now.Sub(noon), err)
		}
		living = append(living, sealed{now, b})
		for len(living) > 0 && now.Sub(living[0].at) > TicketLife {
			living = living[1:]
		}
		for _, s := range living {
			if _, err := ring.Open(s.b); err != nil {
				t.Fatalf("a ticket %v old: %v", now.Sub(s.at), err)
			}
		}
		if len(ring.keys) > 4 {
			t.Fatalf("%d keys after %v", len(ring.keys), now.Sub(noon))
		}
	}
	if len(used) < 29 || len(used) > 31 {
		t.Errorf("%d keys have sealed in 30 days", len(used))
	}
}

// A clock that steps by an hour costs no key that is in use.
func TestRotationUnderAClockThatSteps(t *testing.T) {
	ring := testRing(t, 1)
	ticket, random := testTicket(), rand.NewChaCha8([keySize]byte{})
	for i := range 500 {
		now := noon.Add(time.Duration(i)*time.Hour + time.Duration(i%3-1)*time.Hour)
		ticket.Issued = now
		b := ring.Seal(nil, &ticket)
		next, err := ring.Rotate(random, now)
		if err != nil {
			t.Fatal(err)
		}
		if ring = next; len(ring.keys) > maxKeys {
			t.Fatalf("%d keys", len(ring.keys))
		}
		if _, err := ring.Open(b); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

func TestKeyringsThatAreRefused(t *testing.T) {
	good := testRing(t, 1).Marshal()
	summed := func(change func(b []byte) []byte) []byte {
		b := change(bytes.Clone(good[:len(good)-ringSum]))
		sum := sha256.Sum256(b)
		return append(b, sum[:ringSum]...)
	}
	twice := func(b []byte) []byte { b[1] = 2; return append(b, b[ringHead:]...) }
	tests := map[string][]byte{
		"nothing":               nil,
		"one byte":              {ringVersion},
		"short":                 good[:len(good)-1],
		"long":                  append(bytes.Clone(good), 0),
		"no keys":               summed(func(b []byte) []byte { b[1] = 0; return b[:ringHead] }),
		"too many keys":         summed(func(b []byte) []byte { b[1] = maxKeys + 1; return b }),
		"another version":       summed(func(b []byte) []byte { b[0]++; return b }),
		"one key twice":         summed(twice),
		"a key that is not set": summed(func(b []byte) []byte { clear(b[ringHead : ringHead+keySize]); return b }),
		"a time out of range":   summed(func(b []byte) []byte { b[ringHead+keySize] = 1; return b }),
		"out of order": summed(func(b []byte) []byte {
			b = twice(b)
			b[len(b)-1], b[len(b)-9] = 0, 1
			return b
		}),
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x10
		tests[fmt.Sprint("altered at byte ", i)] = b
	}
	for name, b := range tests {
		if _, err := ParseKeyring(b); !errors.Is(err, ErrBadKeyring) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	ring := testRing(t, 1)
	secret := fmt.Sprintf("%x", ring.keys[0].secret[:4])
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, v := range []any{ring, *ring, struct{ R *Keyring }{ring}} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, secret) || strings.Contains(s, "1 8 15") {
				t.Errorf("%s prints %s", verb, s)
			}
		}
	}
	if s := ring.LogValue().String(); s != "1" {
		t.Error(s)
	}
}

func TestAKeyringNeedsRandomness(t *testing.T) {
	if _, err := NewKeyring(bytes.NewReader(make([]byte, 5)), noon); err == nil {
		t.Error("a key of 5 random bytes")
	}
	same := pattern(make([]byte, keySize), 7, 1)
	if _, err := testRing(t, 1).Rotate(bytes.NewReader(same), noon.Add(KeyLife)); err == nil {
		t.Error("a key was used twice")
	}
	if _, err := NewKeyring(nil, noon); err != nil {
		t.Error(err)
	}
}

// FuzzParseKeyring looks for bytes that crash the parser, or that are read and would not be written like that.
func FuzzParseKeyring(f *testing.F) {
	good := testRing(f, 1).Marshal()
	f.Add(good)
	f.Add(good[:len(good)-ringSum])
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b) // the fuzzer cannot guess sums: each input is tried with its own, too
		for _, b := range [][]byte{b, append(bytes.Clone(b), sum[:ringSum]...)} {
			ring, err := ParseKeyring(b)
			if err != nil {
				if !errors.Is(err, ErrBadKeyring) {
					t.Error(err)
				}
				continue
			}
			if again := ring.Marshal(); !bytes.Equal(again, b) {
				t.Errorf("%x is read, and written as %x", b, again)
			}
		}
	})
}
