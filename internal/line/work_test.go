package line

import (
	"encoding/hex"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// workCase is a proof of work that clients in other languages have to find: the first nonce from 0 on.
type workCase struct {
	Secret string `json:"secret"`
	Holder string `json:"holder"`
	Salt   string `json:"salt"`
	Bits   int    `json:"bits"`
	Nonce  string `json:"nonce"`
}

func workCases() []workCase {
	var all []workCase
	for i, secret := range []string{
		"0123456789abcdef", "a-secret_of-the-client-s", strings.Repeat("Zz09", 14) + "-_", strings.Repeat("x", MaxSecret),
	} {
		for _, bits := range []int{0, 1, 7, 8, 11, 16} {
			h, salt := HolderOf([]byte(secret)), Salt(pattern(make([]byte, 8), byte(2*i+1), byte(bits)))
			n, ok := FindWork(salt, h, bits, 0, 1<<24)
			if !ok {
				panic("there is no proof")
			}
			all = append(all, workCase{secret, hex.EncodeToString(h[:]), salt.String(), bits, n.String()})
		}
	}
	return all
}

// The page finds the same proofs in TypeScript, and its tests read the same file.
func TestGoldenWork(t *testing.T) {
	path, cases := filepath.Join("testdata", "work.json"), workCases()
	golden := goldenCases(t, path, cases)
	for i, got := range cases {
		if got != golden[i] {
			t.Errorf("%+v, want %+v", got, golden[i])
		}
	}
}

// All nodes of a fleet have the same salt, whenever each of them has read the ring again, and of other builds too.
func TestGoldenSalt(t *testing.T) {
	ring := testRing(t, 1)
	salt := ring.Salt(noon)
	checkGolden(t, "salt", salt[:])
	next, err := ring.Rotate(nil, noon.Add(KeyLife-KeyLead))
	if err != nil || next == ring {
		t.Fatal("there is no new key:", err)
	}
	if next.Salt(noon) != salt || next.Salt(noon.Add(KeyLife-KeyLead)) != ring.Salt(noon.Add(KeyLife-KeyLead)) {
		t.Error("a node with the next ring has another salt before the next key is used")
	}
	if testRing(t, 2).Salt(noon) == salt {
		t.Error("another fleet has the same salt")
	}
}

// A proof is good for its holder, for as many bits as it has, with the salts of two slices and of clocks ahead.
func TestValidWork(t *testing.T) {
	ring, h, now := testRing(t, 1), HolderOf([]byte("0123456789abcdef")), noon.Truncate(WorkSlice)
	const least = 12
	n, ok := FindWork(ring.Salt(now), h, least, 0, 1<<20)
	if !ok {
		t.Fatal("no proof was found")
	}
	id, ok := ring.ValidWork(now, h, n, least)
	if !ok {
		t.Fatal("what was found is no proof")
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{
		{-clockSkew - 1, false}, {-clockSkew, true}, {WorkSlice - 1, true}, {WorkSlice, true}, {2*WorkSlice - 1, true},
		{2 * WorkSlice, false}, {time.Hour, false}, {-time.Hour, false}, {KeyLife, false},
	} {
		if again, ok := ring.ValidWork(now.Add(tt.after), h, n, least); ok != tt.want || ok && again != id {
			t.Errorf("after %v: %v, id %x, want %v, %x", tt.after, ok, again, tt.want, id)
		}
	}
	other := n
	other[0]++
	for what, bad := range map[string]bool{
		"another's":       valid(ring, now, HolderOf([]byte("another-secret-0")), n, least),
		"more work":       valid(ring, now, h, n, 64),
		"another nonce":   valid(ring, now, h, other, 40),
		"another fleet's": valid(testRing(t, 2), now, h, n, 40),
	} {
		if bad {
			t.Errorf("%s: a good proof", what)
		}
	}
	if ring.Salt(now) != ring.Salt(now.Add(WorkSlice-1)) || ring.Salt(now) == ring.Salt(now.Add(WorkSlice)) {
		t.Error("a slice of time has no salt of its own")
	}
}

func valid(r *Keyring, now time.Time, h Holder, n Nonce, least int) bool {
	_, ok := r.ValidWork(now, h, n, least)
	return ok
}

// A search that is taken up where it was left finds what one at a stretch does, and ends where it is to.
func TestFindWorkInStretches(t *testing.T) {
	const least, stretch = 10, 100
	whole, ok := FindWork(Salt{1}, Holder{2}, least, 0, 1<<20)
	if !ok {
		t.Fatal("no proof was found")
	}
	first := uint64(0)
	n, ok := FindWork(Salt{1}, Holder{2}, least, first, stretch)
	for ; !ok; n, ok = FindWork(Salt{1}, Holder{2}, least, first, stretch) {
		first += stretch
	}
	if n != whole {
		t.Errorf("%v, want %v", n, whole)
	}
	if n, ok := FindWork(Salt{}, Holder{}, 64, math.MaxUint64-10, 20); ok || n != (Nonce{}) {
		t.Errorf("%v is no proof", n)
	}
}

func TestParseNonce(t *testing.T) {
	for text, want := range map[string]bool{
		"0123456789abcdef": true, "0123456789ABCDEF": true, "": false, "0123456789abcde": false, "0123456789abcdef0": false,
		"0123456789abcdeg": false, "0x23456789abcdef": false, " 123456789abcdef": false, "0123456789abcdé": false,
	} {
		n, ok := ParseNonce(text)
		if ok != want || ok && n.String() != strings.ToLower(text) {
			t.Errorf("%q: %v, %v", text, n, ok)
		}
		if s, ok := ParseSalt(text); ok != want || ok && s.String() != strings.ToLower(text) {
			t.Errorf("%q: %v, %v", text, s, ok)
		}
	}
}

// BenchmarkValidWork measures the worst case, a proof that is none.
func BenchmarkValidWork(b *testing.B) {
	ring, h := testRing(b, 1), HolderOf([]byte("0123456789abcdef"))
	now := noon.Truncate(WorkSlice).Add(WorkSlice - 1) // so that there is a salt ahead
	b.ReportAllocs()
	for i := range b.N {
		if valid(ring, now, h, Nonce{byte(i)}, 40) {
			b.Fatal("a good proof")
		}
	}
}

// BenchmarkFindWork measures what 16 bits cost a client, on average.
func BenchmarkFindWork(b *testing.B) {
	for range b.N {
		FindWork(Salt{1}, Holder{2}, 64, 0, 1<<16)
	}
}
