package door

import (
	"fmt"
	"net/netip"
	"testing"
)

// The cost of a knock that is let in, and of one that is refused, with full tables.
func BenchmarkKnock(b *testing.B) {
	f := newFixture(b, func(c *Config) { c.Queue = 200 })
	knocks := make([]Knock, 1<<17)
	for i := range knocks {
		knocks[i] = Knock{
			Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Name: fmt.Sprint("name-", i),
		}
		f.try(knocks[i], Wrong)
	}
	b.Run("let in", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.try(knocks[i%len(knocks)], NotJudged)
		}
	})
	for i := range 200 {
		if _, err := f.Knock(knocks[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := f.Knock(knocks[i%len(knocks)]); err == nil {
				b.Fatal("let in")
			}
		}
	})
}
