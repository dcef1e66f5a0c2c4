package providers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/oidc"
	"github.com/rushgate/rushgate/internal/outbound"
	"github.com/rushgate/rushgate/internal/steam"
	"github.com/rushgate/rushgate/store/memory"
)

// counting counts what is asked of servers elsewhere, none of which answer well.
type counting struct{ asked atomic.Int64 }

// RoundTrip implements [http.RoundTripper].
func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	c.asked.Add(1)
	return &http.Response{StatusCode: 404, Header: make(http.Header), Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func guild(name string) oidc.Settings {
	return oidc.Settings{
		Name: name, Issuer: "https://id.example", ClientID: "web", Redirect: "https://play.example/back",
		Scopes: []string{"openid"},
	}
}

func newProviders(t *testing.T, change func(*Config)) *Providers {
	t.Helper()
	cfg := Config{
		Calls: outbound.New(outbound.Config{Transport: new(counting)}), Once: identity.NewSeen(100, time.Now).Once,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := line.NewKeyring(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.SetKeyring(ring)
	return p
}

// Settings that change while the node runs leave those alone that have not, and what cannot be used changes nothing.
func TestProvidersAreReplaced(t *testing.T) {
	p := newProviders(t, func(c *Config) {
		c.OpenID = []oidc.Settings{guild("a"), guild("b")}
		c.Provers = map[string]Prover{"launcher": nil}
	})
	names := func() (all []string) {
		for _, d := range p.List() {
			all = append(all, d.Name)
		}
		return all
	}
	before, _ := p.find("b")
	if changed, err := p.Replace(Settings{OpenID: []oidc.Settings{guild("a"), guild("b")}}); changed || err != nil {
		t.Errorf("the same: %v, %v", changed, err)
	}
	other := guild("a")
	other.ClientID = "another"
	tickets := &steam.TicketSettings{AppID: 480, Key: "K", Identity: "game"}
	changed, err := p.Replace(Settings{OpenID: []oidc.Settings{other, guild("b"), guild("c")}, Tickets: tickets})
	if got := names(); !changed || err != nil || !slices.Equal(got, []string{"a", "b", "c", "launcher", "steam"}) {
		t.Errorf("%v, %v, %v", got, changed, err)
	}
	if after, _ := p.find("b"); after != before {
		t.Error("a provider that has not changed has forgotten what it knows")
	}
	for name, settings := range map[string]Settings{
		"no issuer":          {OpenID: []oidc.Settings{{Name: "a"}}},
		"the name of Steam":  {OpenID: []oidc.Settings{guild("steam")}, Tickets: tickets},
		"that of a prover":   {OpenID: []oidc.Settings{guild("launcher")}},
		"a ticket of no app": {Tickets: &steam.TicketSettings{}},
	} {
		if changed, err := p.Replace(settings); changed || err == nil {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
		if got := names(); len(got) != 5 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A prover takes so many at once and no longer than it may, and one that does not end keeps its room and no more.
func TestProversAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		var inside, most atomic.Int64
		p := newProviders(t, func(c *Config) {
			c.Provers = map[string]Prover{"slow": func(context.Context, []byte) (identity.Identity, error) {
				now := inside.Add(1)
				for seen := most.Load(); seen < now && !most.CompareAndSwap(seen, now); seen = most.Load() {
					continue
				}
				defer inside.Add(-1)
				<-end
				return identity.Identity{Subject: "a"}, nil
			}}
		})
		var wg sync.WaitGroup
		for range 3 * inHand {
			wg.Go(func() {
				began := time.Now()
				_, err := p.Native(t.Context(), "slow", &Handed{Shown: []byte("x")})
				var e *identity.Error
				if !errors.As(err, &e) || e.Whose != identity.Provider || e.After < time.Second || time.Since(began) > proverTime {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		}
		wg.Wait()
		if most.Load() != proversAtOnce {
			t.Errorf("%d at once", most.Load())
		}
		close(end)
		synctest.Wait()
		if v, err := p.Native(t.Context(), "slow", &Handed{Shown: []byte("x")}); err != nil || v.Subject != "a" ||
			v.Issuer != ProverIssuer("slow") {
			t.Errorf("later: %+v, %v", v, err)
		}
	})
}

// What a prover says that is no identity is sealed by no node.
func TestAProverNamesNobodyElse(t *testing.T) {
	p := newProviders(t, func(c *Config) {
		c.Provers = map[string]Prover{"launcher": func(_ context.Context, shown []byte) (identity.Identity, error) {
			return identity.Identity{Issuer: "https://accounts.google.com", Subject: string(shown), Name: "Ada"}, nil
		}}
	})
	v, err := p.Native(t.Context(), "launcher", &Handed{Shown: []byte("1")})
	if err != nil || v.Credential() != linked.OfProvider("game:launcher", "1") {
		t.Fatalf("%+v, %v", v, err)
	}
	if got, err := p.Open(v.Text); err != nil || got.Credential() != v.Credential() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, subject := range []string{"a b", "ä", strings.Repeat("a", 256)} {
		if _, err := p.Native(t.Context(), "launcher", &Handed{Shown: []byte(subject)}); outcomeOf(err) != away {
			t.Errorf("%.10q: %v", subject, err)
		}
	}
}

// The log hears once in a while that a provider is not as it should be, however often clients have it asked.
func TestTheLogIsToldOnceInAWhile(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	var told told
	for i := range 180 {
		err := identity.Fail("guild", identity.Node, identity.ErrConfig)
		told.note(slog.New(slog.NewTextHandler(&log, nil)), now.Add(time.Duration(i)*time.Second), fmt.Errorf("x: %w", err))
	}
	if n := strings.Count(log.String(), "docs/identities.md"); n != 3 {
		t.Errorf("%d times", n)
	}
}

// What was good once is known at all nodes on a store, for one of all that ask at once, until it can be forgotten.
func TestOnceOverAFleet(t *testing.T) {
	store := memory.New(memory.Options{})
	t.Cleanup(func() { store.Close() })
	var clock atomic.Int64
	clock.Store(1_800_000_000)
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	nodes := []identity.Once{Once(store, now), Once(store, now), Once(store, now)}
	var firsts atomic.Int64
	var wg sync.WaitGroup
	until := now().Add(10 * time.Minute)
	const things = 20
	for thing := range things {
		for _, once := range nodes {
			wg.Go(func() {
				first, err := once(t.Context(), fmt.Sprint(thing), until)
				if err != nil {
					t.Error(err)
				}
				if first {
					firsts.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if firsts.Load() != things {
		t.Errorf("%d things were new %d times", things, firsts.Load())
	}
	clock.Add(10 * 60)
	if first, err := nodes[0](t.Context(), "1", until); first || err != nil {
		t.Errorf("before its time: %v, %v", first, err)
	}
	clock.Add(90)
	if first, err := nodes[0](t.Context(), "1", now().Add(time.Minute)); !first || err != nil {
		t.Errorf("after its time: %v, %v", first, err)
	}
}

// A shelf that is full refuses what is new, one that cannot be read everything: neither is a yes.
func TestShelves(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	shelf, first, err := onShelf(nil, [16]byte{1}, now, now.Add(time.Minute))
	if !first || err != nil {
		t.Fatal(first, err)
	}
	again, _, _ := onShelf(nil, [16]byte{1}, now, now.Add(time.Minute))
	if bytes.Equal(shelf, again) {
		t.Error("two nodes write the same, and both would be the first")
	}
	if _, first, err := onShelf(shelf, [16]byte{1}, now, now.Add(time.Minute)); first || err != nil {
		t.Error(first, err)
	}
	entry := shelf[onceHead:]
	full := slices.Concat(shelf[:onceHead], bytes.Repeat(entry, onceMost))
	if len(full) > rushgate.MaxSharedLen {
		t.Fatalf("%d bytes", len(full))
	}
	if _, first, err := onShelf(full, [16]byte{2}, now, now); first || !errors.Is(err, identity.ErrFull) {
		t.Error(first, err)
	}
	if next, first, err := onShelf(full, [16]byte{2}, now.Add(time.Hour), now); !first || err != nil ||
		len(next) != onceHead+onceEntry {
		t.Error(len(next), first, err)
	}
	for _, bad := range [][]byte{shelf[:5], shelf[:len(shelf)-1], append([]byte{2}, shelf[1:]...)} {
		if _, first, err := onShelf(bad, [16]byte{3}, now, now); first || !errors.Is(err, errShelf) {
			t.Errorf("%x: %v, %v", bad, first, err)
		}
	}
}

// broken is a road on which nothing arrives.
type broken struct{}

func (*broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no road") }

// The figures say of each provider what came of asking it, and whether it is left alone.
func TestFigures(t *testing.T) {
	p := newProviders(t, func(c *Config) {
		c.Calls = outbound.New(outbound.Config{Transport: new(broken), Failures: 1})
		c.OpenID = []oidc.Settings{guild("guild")}
		c.Provers = map[string]Prover{"launcher": func(_ context.Context, shown []byte) (identity.Identity, error) {
			if string(shown) != "x" {
				return identity.Identity{}, rushgate.BadCredentials
			}
			return identity.Identity{Subject: "1"}, nil
		}}
		c.SteamReturn = "https://play.example/play/back/steam"
	})
	for range 6 { // none of which answers well
		_, _, err := p.Begin(t.Context(), "guild")
		if outcomeOf(err) != away {
			t.Fatal(err)
		}
	}
	for _, shown := range []string{"x", "y", "x"} {
		_, _ = p.Native(t.Context(), "launcher", &Handed{Shown: []byte(shown)})
	}
	all := p.Figures()
	if len(all) != 3 || all[0].Name != "guild" || all[0].Away != 6 || !all[0].Left ||
		time.Since(all[0].FailedAt) > time.Minute || all[2].Name != "steam" || all[2].Left {
		t.Errorf("%+v", all)
	}
	if f := all[1]; f.Kind != Game || f.Proven != 2 || f.Refused != 1 || f.Left || !f.FailedAt.IsZero() {
		t.Errorf("%+v", f)
	}
}
