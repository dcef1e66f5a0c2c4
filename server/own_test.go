package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

// own is a store of an embedder's own, which tells of its health and remembers the nodes that have let players in.
type own struct {
	*memory.Store
	health rushgate.Health

	mu    sync.Mutex
	nodes []string // of one admission after the other
}

func newOwn(t *testing.T) *own {
	s := &own{Store: memory.New(memory.Options{})}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *own) Health() rushgate.Health { return s.health }

func (s *own) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	s.mu.Lock()
	s.nodes = append(s.nodes, by.Node)
	s.mu.Unlock()
	return s.Store.Admit(ctx, by, admissions)
}

func TestOwnStoreConforms(t *testing.T) {
	c := storetest.NewClock()
	storetest.Run(t, storetest.Harness{
		Open: func(*testing.T) rushgate.Store {
			return &diary{Store: memory.New(memory.Options{Now: c.Now, Boards: storetest.Boards()})}
		},
		Advance: c.Advance,
	})
}

// A node on a store of the embedder's own does all that it does on the others, and leaves the store open when it stops.
// Its id is in the data folder, as always.
func TestNodeOnAnOwnStore(t *testing.T) {
	store, dir := newOwn(t), t.TempDir()
	cfg := config(t, dir)
	cfg.Store = store
	s := start(t, cfg)
	if _, err := server.Start(t.Context(), cfg); err == nil {
		t.Error("two nodes run on one data folder")
	}
	first, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Errorf("the store after the node has stopped: %v", err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, server.DatabaseName)); err != nil || len(names) > 0 {
		t.Errorf("in the data folder are %q, %v", names, err)
	}
	s = start(t, cfg)
	second, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", "correct horse")
	if err != nil || second.PlayerID != first.PlayerID {
		t.Errorf("login after a restart: %+v, %v", second, err)
	}
	if n := store.nodes; len(n) != 2 || n[0] != n[1] {
		t.Errorf("the node had the ids %q", n)
	}
}

// Two nodes on one store of the embedder's own share its players.
func TestTwoNodesOnAnOwnStore(t *testing.T) {
	store := newOwn(t)
	var nodes []*server.Server
	for range 2 {
		cfg := config(t, t.TempDir())
		cfg.Store = store
		nodes = append(nodes, start(t, cfg))
	}
	first, err := newClient(t, nodes[0], client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	there := newClient(t, nodes[1], client.Options{MaxRetries: 50})
	if _, err := there.Login(t.Context(), "alice", "correct horse"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Errorf("login on the other node: %v", err)
	}
	second, err := there.Takeover(t.Context(), "alice", "correct horse")
	if err != nil || second.PlayerID != first.PlayerID {
		t.Fatalf("takeover from the other node: %+v, %v", second, err)
	}
	if _, err := first.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the session that was taken over: %v", err)
	}
}

// What a store tells of its health is shown, also of one that the embedder has written.
func TestHealthOfAnOwnStore(t *testing.T) {
	store := newOwn(t)
	store.health = rushgate.Health{
		Open: true, Failures: 4, Openings: 3, Pending: 2, Warnings: []string{"its disk is a floppy", "and read only"},
	}
	cfg := config(t, t.TempDir())
	cfg.Store = store
	s := start(t, cfg)
	var dump struct{ Store rushgate.Health }
	if err := json.Unmarshal([]byte(metrics(t, s)), &dump); err != nil || !reflect.DeepEqual(dump.Store, store.health) {
		t.Errorf("/metrics.json has %+v, %v", dump, err)
	}
	text := exposition(t, s)
	for sample, want := range map[string]float64{
		"rushgate_store_circuit_open": 1, "rushgate_store_circuit_failures": 4, "rushgate_store_circuit_openings_total": 3,
		"rushgate_store_standings_pending": 2, "rushgate_store_warnings": 2,
	} {
		if got := value(t, text, sample); got != want {
			t.Errorf("%s is %v, want %v", sample, got, want)
		}
	}
}

func TestStoreAndBackendContradict(t *testing.T) {
	for says, change := range map[string]func(*server.Config){
		"the backend memory besides":                               func(c *server.Config) { c.Backend = server.Memory },
		"an address of Redis, but the store is the embedder's own": func(c *server.Config) { c.RedisPrefix = "p:" },
	} {
		store := newOwn(t)
		cfg := config(t, t.TempDir())
		cfg.Store = store
		change(&cfg)
		s, err := server.Start(t.Context(), cfg)
		if err == nil {
			s.Stop()
		}
		if !errors.Is(err, server.ErrInvalidConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want an error that says %q", err, says)
		}
		if err := store.Ping(t.Context()); err != nil {
			t.Errorf("the store after a start that failed: %v", err)
		}
	}
}

// The policy is asked with what the client claims; what it says is what the client hears.
func TestPolicyOfTheEmbedder(t *testing.T) {
	knocks := make(chan rushgate.Knock, 2)
	cfg := config(t, t.TempDir())
	cfg.Policy = func(k rushgate.Knock) error {
		knocks <- k
		if k.Kind == rushgate.KnockLogin {
			return nil
		}
		return rushgate.RateLimited
	}
	s := start(t, cfg)
	c := newClient(t, s, client.Options{})
	if _, err := c.Register(t.Context(), "Alice", "correct horse"); !errors.Is(err, rushgate.RateLimited) {
		t.Errorf("registration: %v", err)
	}
	if _, err := c.Login(t.Context(), "Alice", "correct horse"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("login: %v", err)
	}
	for _, kind := range []rushgate.KnockKind{rushgate.KnockRegister, rushgate.KnockLogin} {
		if k := <-knocks; k.Kind != kind || k.Name != "alice" || k.Origin.String() != "127.0.0.1" {
			t.Errorf("the policy was asked about %+v", k)
		}
	}
	if n := value(t, exposition(t, s), `rushgate_auth_requests_total{outcome="refused"}`); n != 1 {
		t.Errorf("%v are counted as refused, want 1", n)
	}
	if status, _ := operator(t, s, "/readyz"); status != http.StatusOK {
		t.Errorf("the node is not ready: %d", status)
	}
}

// No name that a player or a provider has chosen passes by the policy, in whatever way it comes.
func TestPolicySeesEveryName(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.GuestKeep = server.Memory, time.Hour
	cfg.Provers = map[string]server.Prover{
		"launcher": func(_ context.Context, shown []byte) (server.ProvenIdentity, error) {
			return server.ProvenIdentity{Subject: "1", Name: string(shown)}, nil
		},
	}
	var mu sync.Mutex
	var seen []rushgate.Knock
	cfg.Policy = func(k rushgate.Knock) error {
		mu.Lock()
		defer mu.Unlock()
		if seen = append(seen, k); strings.Contains(k.Name, "rude") {
			return rushgate.UsernameTaken
		}
		return nil
	}
	c := newClient(t, start(t, cfg), client.Options{MaxRetries: 3})
	ctx := t.Context()
	proof, err := c.VouchShown(ctx, "launcher", "Rude")
	if err != nil {
		t.Fatal(err)
	}
	federated, err := c.LoginWithIdentity(ctx, proof)
	if err != nil {
		t.Fatal(err)
	}
	if me, err := federated.Me(ctx); err != nil || !strings.HasPrefix(me.Name, "player-") {
		t.Errorf("%+v, %v", me, err)
	}
	device := client.NewGuest()
	guest, err := c.Guest(ctx, device)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"rename":  federated.RenameBy(ctx, "rude-one", client.ByIdentity(proof)),
		"upgrade": guest.Upgrade(ctx, "rude-two", "correct horse battery", client.ByGuest(device)),
	} {
		if !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := guest.Upgrade(ctx, "kind", "correct horse battery", client.ByGuest(device)); err != nil {
		t.Errorf("a name that is let pass: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []rushgate.Knock{
		{Kind: rushgate.KnockRegister, Name: "rude", By: rushgate.KnockFederated},
		{Kind: rushgate.KnockRename, Name: "rude-one"}, {Kind: rushgate.KnockRename, Name: "rude-two"},
	} {
		if want.Origin = seen[0].Origin; !slices.Contains(seen, want) {
			t.Errorf("the policy did not see %+v, but %+v", want, seen)
		}
	}
}
