package opaque

import (
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

// BenchmarkLogin measures what CPU time a login costs a server: start and finish, of this package and of the library,
// and beside them a password of a batch of sixteen, of 100,000 iterations. x-password says how many of such logins can
// be had for one such password.
func BenchmarkLogin(b *testing.B) {
	var password float64
	report := func(b *testing.B, logins int, cpu time.Duration) {
		price := float64(cpu.Nanoseconds()) / float64(b.N) / float64(logins)
		if password == 0 {
			password = price
		}
		b.ReportMetric(price/1e6, "cpu-ms/login")
		b.ReportMetric(password/price, "x-password")
	}
	b.Run("password", func(b *testing.B) {
		const batch, iterations = 16, 100_000
		cpu := cpuclock.Process()
		for b.Loop() {
			lanes := make([]*pbkdf2x.Lane, batch)
			for i := range lanes {
				lanes[i] = &pbkdf2x.Lane{
					Password: []byte("correct horse"), Salt: []byte("0123456789abcdef"), Iterations: iterations,
				}
			}
			pbkdf2x.Kernel{}.Derive(lanes)
		}
		report(b, batch, cpuclock.Process()-cpu)
	})
	s, p := newTestServer(b, func(cfg *Config) { cfg.Random, cfg.Used = nil, NewUsed(DefaultLife, 1<<30) }), newPlayer(b)
	record := p.register(s, "alice", "correct horse")
	ke1, _ := p.ke1("correct horse")
	for name, r := range map[string]*Record{"opaque": &record, "opaque-unknown-name": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			cpu := cpuclock.Process()
			for b.Loop() {
				_, state, err := s.LoginStart("alice", r, ke1, PurposeLogin)
				if err != nil {
					b.Fatal(err)
				}
				// The proof is wrong, and as costly as a right one.
				if _, err := finish(s, state, ke1[:KE3Size], r, PurposeLogin); err == nil {
					b.Fatal("a made-up proof is right")
				}
			}
			report(b, 1, cpuclock.Process()-cpu)
		})
	}
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		theirs := libraryServer(b, s.Keys().current())
		var c chance
		c.keyShareSeed[0], c.serverNonce[0], c.maskingNonce[0] = 1, 2, 3
		cpu := cpuclock.Process()
		for b.Loop() {
			libraryLogin(b, theirs, "alice", record.upload[:], ke1, &c)
		}
		report(b, 1, cpuclock.Process()-cpu)
	})
}
