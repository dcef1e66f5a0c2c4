package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/sqlite"
)

// BenchmarkResume lets the same number of players in by passwords and by resume tokens, on one core and a SQLite
// database that makes each commit durable, and shows what each way does in a second, and the ratio: resumes are to be
// 15 times as fast or more. The passwords have 100,000 iterations.
func BenchmarkResume(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const logins, resumes = 256, 8192
	p := newBenchPool(b, resumes)
	for b.Loop() {
		byPassword := p.measure(b, logins, func(i int) error {
			_, err := p.Submit(context.Background(), auth.Request{Username: name(i), Password: secretOfAll, Addr: address(i)})
			return err
		})
		p.release(b)
		byToken := p.measure(b, resumes, func(i int) error {
			w, err := p.Resume(context.Background(), auth.Request{ResumeToken: p.tokens[i], Addr: address(i)})
			if err == nil {
				p.tokens[i], err = token.ParseResume(w.ResumeToken)
			}
			return err
		})
		p.release(b)
		b.ReportMetric(byPassword, "logins/s")
		b.ReportMetric(byToken, "resumes/s")
		b.ReportMetric(byToken/byPassword, "ratio")
		b.ReportMetric(0, "ns/op")
	}
}

const secretOfAll = "correct horse"

func name(i int) string { return fmt.Sprintf("player-%d", i) }

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// benchPool is a pool with players who are remembered.
type benchPool struct {
	*auth.Pool
	store  rushgate.Store
	tokens []token.Resume

	mu     sync.Mutex
	inside []rushgate.Save
}

func newBenchPool(b *testing.B, players int) *benchPool {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	hasher, err := password.NewHasher(password.Config{Iterations: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	p := &benchPool{store: store}
	hashTime := hasher.Measure(auth.BatchMax)
	batch, pace := auth.Capacity(auth.DefaultWorkers, time.Hour, hashTime)
	d, err := door.New(door.Config{
		World: 1 << 20, MaxAge: time.Hour, Batch: batch, Pace: pace, ResumePace: 1 << 20, OriginShare: 100,
	})
	if err != nil {
		b.Fatal(err)
	}
	p.Pool, err = auth.NewPool(auth.Config{
		Store: store, Hasher: hasher, HashTime: hashTime, Door: d, MaxAge: time.Hour, Remember: time.Hour,
		Instance: rushgate.Instance{Node: "node", Run: "run"}, Logger: slog.New(slog.DiscardHandler),
		Enter: func(a rushgate.Arrival) {
			p.mu.Lock()
			p.inside = append(p.inside, rushgate.Save{Character: a.Character, Fence: a.Lease.Fence, Release: true})
			p.mu.Unlock()
			a.Reply(rushgate.Session{Player: a.Lease.Player, Token: a.Token}, nil)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	p.fill(b, hasher, players)
	p.Start()
	b.Cleanup(p.Stop)
	return p
}

// fill makes players, each with a device.
func (p *benchPool) fill(b *testing.B, hasher *password.Hasher, players int) {
	job := password.New(secretOfAll)
	hasher.Run(b.Context(), []*password.Job{&job})
	first, err := p.store.ReserveIDs(b.Context(), players)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	var admissions []rushgate.Admission
	for i := range players {
		t := token.NewResume(name(i))
		p.tokens = append(p.tokens, t)
		admissions = append(admissions, rushgate.Admission{
			Create: true, Attempt: "fill", Account: rushgate.Account{
				ID: first + rushgate.PlayerID(i), Username: name(i), PasswordHash: job.Hash, Attempt: "fill", CreatedAt: now,
			},
			Devices: []rushgate.Device{{
				ID: t.Device(), Label: "phone", Token: t.Hash(), Attempt: "fill", CreatedAt: now, UsedAt: now,
				ExpiresAt: now.Add(time.Hour),
			}},
		})
	}
	results, err := p.store.Admit(b.Context(), rushgate.Instance{Node: "node", Run: "run"}, admissions)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		p.inside = append(p.inside, rushgate.Save{Character: r.Character, Fence: r.Lease.Fence, Release: true})
	}
	p.release(b)
}

// release has all leave who are inside.
func (p *benchPool) release(b *testing.B) {
	if _, err := p.store.Save(context.Background(), p.inside); err != nil {
		b.Fatal(err)
	}
	p.inside = nil
}

// measure has n players come at once, and returns how many came in per second.
func (p *benchPool) measure(b *testing.B, n int, come func(i int) error) float64 {
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		wg.Go(func() {
			if err := come(i); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}
