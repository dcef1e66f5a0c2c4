package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type whole struct {
	u8       uint8
	u32      uint32
	u64      uint64
	i        int
	d        time.Duration
	f        float64
	b        bool
	raw      [4]byte
	bytes    []byte
	s        string
	list     []int
	instant  time.Time
	time     time.Time
	addrPort netip.AddrPort
	addr     netip.Addr
	prefix   netip.Prefix
}

func (w *whole) describe(c *Codec, now time.Time) {
	c.Header("whole", 6, 7)
	Uint(c, &w.u8)
	Uint(c, &w.u32)
	c.Uint64(&w.u64)
	Int(c, &w.i)
	Int(c, &w.d)
	c.Float64(&w.f)
	c.Bool(&w.b)
	c.Raw(w.raw[:])
	c.Bytes(&w.bytes, 100)
	c.String(&w.s, 100)
	Slice(c, &w.list, 50, 1, func(v *int) { Int(c, v) })
	c.Instant(&w.instant, now)
	c.Time(&w.time)
	c.AddrPort(&w.addrPort)
	c.Addr(&w.addr)
	c.Prefix(&w.prefix)
}

var now = time.Date(2026, 11, 28, 12, 0, 0, 5, time.UTC)

func drawWhole(t *rapid.T) *whole {
	addr := rapid.SampledFrom([]netip.Addr{
		{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"),
		netip.MustParseAddr("::ffff:10.0.0.1"),
	})
	w := &whole{
		u8: rapid.Uint8().Draw(t, "u8"), u32: rapid.Uint32().Draw(t, "u32"), u64: rapid.Uint64().Draw(t, "u64"),
		i: rapid.Int().Draw(t, "i"), d: time.Duration(rapid.Int64().Draw(t, "d")),
		f: rapid.Float64().Draw(t, "f"), b: rapid.Bool().Draw(t, "b"),
		bytes:    rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "bytes"),
		s:        string(rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "s")),
		list:     rapid.SliceOfN(rapid.Int(), 1, 50).Draw(t, "list"),
		time:     time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).UTC(),
		addrPort: netip.AddrPortFrom(addr.Draw(t, "addr"), rapid.Uint16().Draw(t, "port")),
		addr:     addr.Draw(t, "other"),
	}
	copy(w.raw[:], w.bytes)
	if rapid.Bool().Draw(t, "moment") {
		w.instant = now.Add(time.Duration(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "instant")))
	}
	if a := addr.Draw(t, "network"); a.IsValid() {
		w.prefix = netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	}
	return w
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, read := drawWhole(t), &whole{}
		b := Append([]byte("before"), func(c *Codec) { w.describe(c, now) })[len("before"):]
		if err := Parse(b, func(c *Codec) { read.describe(c, now) }); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(w, read) {
			t.Fatalf("wrote %+v, read %+v", w, read)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if err := Parse(b[:cut], func(c *Codec) { read.describe(c, now) }); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut off after %d of %d bytes: %v", cut, len(b), err)
		}
		if err := Parse(append(b, 0), func(c *Codec) { read.describe(c, now) }); !errors.Is(err, ErrMalformed) {
			t.Fatalf("with a byte more: %v", err)
		}
	})
}

func TestInstantsGoOnFromWhereTheyWere(t *testing.T) {
	at := now.Add(-3 * time.Second)
	b := Append(nil, func(c *Codec) { c.Instant(&at, now) })
	later := now.Add(time.Hour)
	var read time.Time
	if err := Parse(b, func(c *Codec) { c.Instant(&read, later) }); err != nil || !read.Equal(later.Add(-3*time.Second)) {
		t.Errorf("%v, %v", read, err)
	}
}

func TestWhatIsNoSuchValueIsRefused(t *testing.T) {
	many := bytes.Repeat([]byte{0xff}, 9)
	mine := errors.New("mine")
	header := func(of string, version uint64) []byte {
		return Append(nil, func(c *Codec) { c.Header(of, version, version) })
	}
	readHeader := func(c *Codec) { c.Header("head", 1, 1) }
	for name, v := range map[string]struct {
		b    []byte
		read func(*Codec)
		err  error
	}{
		"another header":       {header("herd", 1), readHeader, nil},
		"another version":      {header("head", 2), readHeader, nil},
		"a longer name":        {header("header", 1), readHeader, nil},
		"a number of 11 bytes": {append(many, 0xff, 1), func(c *Codec) { var v uint64; c.Uint64(&v) }, nil},
		"a number beyond 8":    {[]byte{0x80, 2}, func(c *Codec) { var v uint8; Uint(c, &v) }, nil},
		"a number below 8":     {[]byte{0xff, 0x7f}, func(c *Codec) { var v int8; Int(c, &v) }, nil},
		"a truth of 2":         {[]byte{2}, func(c *Codec) { var v bool; c.Bool(&v) }, nil},
		"too many bytes":       {[]byte{3, 1, 2, 3}, func(c *Codec) { var v []byte; c.Bytes(&v, 2) }, nil},
		"a count that is huge": {append(many, 1), func(c *Codec) {
			var v []int
			Slice(c, &v, math.MaxInt, 1, func(*int) {})
		}, nil},
		"more than there are bytes for": {[]byte{2, 0, 0, 0}, func(c *Codec) {
			var v []int
			Slice(c, &v, 10, 2, func(*int) {})
		}, nil},
		"an address of 5 bytes": {[]byte{5, 1, 2, 3, 4, 5}, func(c *Codec) { var v netip.Addr; c.Addr(&v) }, nil},
		"a second of 2 seconds": {Append(nil, func(c *Codec) {
			v := int64(2e9)
			c.Int64(&v)
			c.Int64(&v)
		}), func(c *Codec) { var v time.Time; c.Time(&v) }, nil},
		"what the caller refuses": {[]byte{1}, func(c *Codec) {
			var v uint64
			c.Uint64(&v)
			c.Fail(mine)
			c.Uint64(&v)
		}, mine},
	} {
		t.Run(name, func(t *testing.T) {
			want := v.err
			if want == nil {
				want = ErrMalformed
			}
			if err := Parse(v.b, v.read); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

// A length that is not true takes no more memory than a small multiple of the bytes there are, however large what it
// counts is.
func TestLyingLengthsTakeLittleMemory(t *testing.T) {
	type large struct{ _ [4096]byte }
	counts := []uint64{1 << 10, 1 << 20, math.MaxInt32, math.MaxInt64, math.MaxUint64}
	for name, read := range map[string]func(*Codec){
		"bytes":  func(c *Codec) { var v []byte; c.Bytes(&v, math.MaxInt) },
		"string": func(c *Codec) { var v string; c.String(&v, math.MaxInt) },
		"items": func(c *Codec) {
			var v []large
			Slice(c, &v, math.MaxInt32, 1024, func(*large) { c.Raw(make([]byte, 1024)) })
		},
		"items in items": func(c *Codec) {
			var v [][]large
			Slice(c, &v, math.MaxInt32, 1, func(inner *[]large) {
				Slice(c, inner, math.MaxInt32, 1024, func(*large) { c.Raw(make([]byte, 1024)) })
			})
		},
	} {
		for _, n := range counts {
			b := append(binary.AppendUvarint(nil, n), bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 7}, 1000)...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := Parse(b, read)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 32*uint64(len(b)) {
				t.Errorf("%s, %d of them in %d bytes: %d bytes were taken, and %v", name, n, len(b), took, err)
			}
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %d of them: %v", name, n, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	w := &whole{u8: 1, s: "name", list: []int{1, 2}, addr: netip.MustParseAddr("fe80::1%eth0")}
	f.Add(Append(nil, func(c *Codec) { w.describe(c, now) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := &whole{}
		if Parse(b, func(c *Codec) { read.describe(c, now) }) != nil {
			return
		}
		again := &whole{}
		written := Append(nil, func(c *Codec) { read.describe(c, now) })
		if err := Parse(written, func(c *Codec) { again.describe(c, now) }); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
