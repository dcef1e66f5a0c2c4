package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

const (
	mergePassword = "correct horse"
	// mergesAtOnce is how many players merge in each round, mergeLooks how long it takes at most until all looks at what
	// was broken off have been taken, by nodes that are there.
	mergesAtOnce = 8
	mergeLooks   = 4 * time.Minute
)

// merger is a player who has an account and has played as a guest before, or, in a chain, as a second guest, too, into
// whose account the first is merged at the same time.
type merger struct {
	keep client.Keep
	// accounts are those of the guests, and the one with a password.
	accounts []*mergedOne

	mu   sync.Mutex
	told [2]bool // that the first merge, or the second of a chain, is done
}

// mergedOne is one account of a merger.
type mergedOne struct {
	name       string
	id         rushgate.PlayerID
	device     client.Guest // the zero Guest for the one with a password
	credential rushgate.Credential
	fence      uint64            // of a session before
	opens      rushgate.PlayerID // whose session the device opens in the end
}

// mergeNodes are nodes of which one is killed in each round, and their store.
type mergeNodes struct {
	t     *testing.T
	nodes []*node
	start func(i int) *node
	open  func() (rushgate.Store, error) // while a node is down
	tasks func() int
	hash  string
	made  int
}

// kill -9 of a node while guests are merged into accounts, at any instant, again and again: in the end each merge is
// done whole, or not at all. No character is lost that was to be kept, or is there twice, each device opens one account
// that there is, and a merge that its player was told of is done. It is RUSHGATE_CRASH_ROUNDS kills in all;
// TestMergeIsEndedByALook of internal/account is the short form.
func TestKill9DuringMerges(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("takes minutes; set RUSHGATE_LONG to run it")
	}
	rounds := 30
	if v, err := strconv.Atoi(os.Getenv("RUSHGATE_CRASH_ROUNDS")); err == nil {
		rounds = v
	}
	t.Run("two nodes on Redis", func(t *testing.T) { killDuringMerges(t, onRedis(t), rounds) })
	t.Run("a node on SQLite", func(t *testing.T) { killDuringMerges(t, onSQLite(t), rounds) })
}

var mergeFlags = []string{
	"--guest-keep", "720h", "--origin-guests", "0", "--origin-registrations", "0", "--origin-failures", "0",
	"--origin-share", "100",
}

func onRedis(t *testing.T) *mergeNodes {
	server := redistest.Start(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	n := &mergeNodes{t: t, nodes: make([]*node, 2)}
	n.start = func(i int) *node {
		return startNode(t, dirs[i], append([]string{"--db", "redis", "--redis-url", server.URL()}, mergeFlags...)...)
	}
	store, err := redis.Open(t.Context(), redis.Options{URLs: []string{server.URL()}, Prefix: "rushgate:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	n.open = func() (rushgate.Store, error) { return keptOpen{store}, nil }
	n.tasks = func() int {
		tasks, err := store.CountTasks(t.Context(), account.DeletionTask)
		if err != nil {
			t.Fatal(err)
		}
		return tasks
	}
	return n
}

// keptOpen is a store that others go on with.
type keptOpen struct{ rushgate.Store }

func (keptOpen) Close() error { return nil }

func onSQLite(t *testing.T) *mergeNodes {
	dir := t.TempDir()
	path := filepath.Join(dir, server.DatabaseName)
	n := &mergeNodes{t: t, nodes: make([]*node, 1)}
	n.start = func(int) *node { return startNode(t, dir, mergeFlags...) }
	n.open = func() (rushgate.Store, error) { return sqlite.Open(t.Context(), path, sqlite.Options{}) }
	n.tasks = func() int {
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var tasks int
		err = db.QueryRow("SELECT count(*) FROM tasks WHERE kind = ?", account.DeletionTask).Scan(&tasks)
		if err != nil {
			t.Fatal(err)
		}
		return tasks
	}
	return n
}

func killDuringMerges(t *testing.T, n *mergeNodes, rounds int) {
	n.hash = hashed(mergePassword)
	var all []*merger
	next := n.make()
	for i := range n.nodes {
		n.nodes[i] = n.start(i)
	}
	for range rounds {
		all = append(all, next...)
		next = n.mergeAndKill(rand.IntN(len(n.nodes)), next)
		if t.Failed() {
			break
		}
	}
	for deadline := time.Now().Add(mergeLooks); n.tasks() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Second)
	}
	if left := n.tasks(); left > 0 {
		t.Errorf("%d looks are still to be taken", left)
	}
	n.look(all)
	n.judge(all)
}

// make makes the accounts of as many as merge in a round, while no node is in the way.
func (n *mergeNodes) make() []*merger {
	n.t.Helper()
	s, err := n.open()
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	round := make([]*merger, mergesAtOnce)
	for i := range round {
		m := &merger{keep: client.KeepGuest}
		if i%4 == 2 {
			m.keep = client.KeepOwn
		}
		m.accounts = append(m.accounts, n.makeOne(s, 1000, true))
		if i%4 == 3 {
			m.accounts = append(m.accounts, n.makeOne(s, 2000, true))
		}
		m.accounts = append(m.accounts, n.makeOne(s, 4000, false))
		round[i] = m
	}
	return round
}

func (n *mergeNodes) makeOne(s rushgate.Store, xp int64, guest bool) *mergedOne {
	n.t.Helper()
	n.made++
	one := &mergedOne{name: fmt.Sprint("player-", n.made)}
	a := rushgate.Account{Username: one.name, PasswordHash: n.hash, CreatedAt: time.Now()}
	if guest {
		one.device, one.name = client.NewGuest(), linked.GuestName()
		secret, err := token.ParseGuest(one.device.Text())
		if err != nil {
			n.t.Fatal(err)
		}
		one.credential = linked.OfGuest(secret.Secret())
		a.Username, a.PasswordHash, a.Credentials = one.name, password.Locked(), []rushgate.Credential{one.credential}
	}
	ctx := n.t.Context()
	var err error
	if one.id, err = s.ReserveIDs(ctx, 1); err != nil {
		n.t.Fatal(err)
	}
	a.ID = one.id
	if key, ok := linked.Key(one.credential); ok {
		if _, err := s.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Player: one.id}}); err != nil {
			n.t.Fatal(err)
		}
	}
	if errs, err := s.CreateAccounts(ctx, []rushgate.Account{a}); err != nil || errs[0] != nil {
		n.t.Fatal(errs, err)
	}
	one.fence = n.visit(s, one, func(c *rushgate.Character) {
		c.Zone, c.Numbers = "somewhere", rushgate.Numbers{rushgate.NumberXP: xp, rushgate.NumberHP: 100}
	})
	return one
}

// visit has a player in and out, who changes the character, and returns the fence.
func (n *mergeNodes) visit(s rushgate.Store, one *mergedOne, change func(*rushgate.Character)) uint64 {
	n.t.Helper()
	loaded, err := s.LoadAccounts(n.t.Context(), []string{one.name})
	if err != nil || loaded[0].Err != nil {
		n.t.Fatal(loaded, err)
	}
	in, err := s.Admit(n.t.Context(), rushgate.Instance{Node: "test", Run: "test"},
		[]rushgate.Admission{{Account: loaded[0].Account, Attempt: "visit"}})
	if err != nil || in[0].Err != nil {
		n.t.Errorf("%s does not come in: %v, %v", one.name, in, err)
		return 0
	}
	change(&in[0].Character)
	errs, err := s.Save(n.t.Context(), []rushgate.Save{
		{Character: in[0].Character, Fence: in[0].Lease.Fence, Release: true},
	})
	if err != nil || errs[0] != nil {
		n.t.Fatal(errs, err)
	}
	return in[0].Lease.Fence
}

// enter has a player in by one of the accounts.
func (n *mergeNodes) enter(on *node, one *mergedOne) (*client.Session, error) {
	c := newClient(n.t, on.http, client.Options{MaxRetries: 3})
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	if one.device.IsZero() {
		return c.Takeover(ctx, one.name, mergePassword)
	}
	return c.Guest(ctx, one.device)
}

// merge merges the guest at i into the next account, by a session of that.
func (m *merger) merge(ctx context.Context, s *client.Session, i int) {
	by := client.ByPassword(mergePassword)
	if into := m.accounts[i+1]; !into.device.IsZero() {
		by = client.ByGuest(into.device)
	}
	err := s.Merge(ctx, m.accounts[i].device, m.keep, by)
	if err == nil || errors.Is(err, client.ErrMerged) {
		m.mu.Lock()
		m.told[i] = true
		m.mu.Unlock()
	}
}

// mergeAndKill has players merge, kills a node meanwhile, and starts it again. It returns those of the next round.
func (n *mergeNodes) mergeAndKill(victim int, players []*merger) []*merger {
	n.t.Helper()
	type begun struct {
		m       *merger
		session *client.Session
		guest   int
	}
	var begin []begun
	for k, m := range players {
		for i := range m.accounts {
			if i == 0 && k%2 == 0 { // the guest is not inside
				continue
			}
			s, err := n.enter(n.nodes[rand.IntN(len(n.nodes))], m.accounts[i])
			if err != nil {
				n.t.Errorf("%s does not come in: %v", m.accounts[i].name, err)
			} else if i > 0 {
				begin = append(begin, begun{m, s, i - 1})
			}
		}
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, b := range begin {
		all.Go(func() { b.m.merge(ctx, b.session, b.guest) })
	}
	within := []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 1500 * time.Millisecond}
	time.Sleep(rand.N(within[rand.IntN(len(within))]))
	n.nodes[victim].signal(n.t, syscall.SIGKILL)
	_ = n.nodes[victim].wait(n.t) // it was killed, and says so
	all.Wait()
	next := n.make()
	n.nodes[victim] = n.start(victim)
	for _, m := range players { // some ask again, whatever they were told
		if into := len(m.accounts) - 1; rand.IntN(4) == 0 {
			all.Go(func() {
				if s, err := n.enter(n.nodes[rand.IntN(len(n.nodes))], m.accounts[into]); err == nil {
					m.merge(ctx, s, into-1)
				}
			})
		}
	}
	all.Wait()
	return next
}

// look notes what there is in the end.
func (n *mergeNodes) look(all []*merger) {
	n.t.Helper()
	for _, m := range all {
		for _, one := range m.accounts {
			s, err := n.enter(n.nodes[0], one)
			if err != nil {
				n.t.Errorf("%v: %s does not come in: %v", m, one.name, err)
				continue
			}
			one.opens = s.PlayerID
			if err := s.Logout(n.t.Context()); err != nil {
				n.t.Error(err)
			}
		}
	}
	for i, nd := range n.nodes {
		nd.signal(n.t, syscall.SIGTERM)
		if err := nd.wait(n.t); err != nil {
			n.t.Errorf("node %d: %v", i, err)
		}
	}
}

// outcomes are the experience of the accounts in the end that a merger may find, of which 0 is an account that is gone.
func (m *merger) outcomes() (all []string) {
	switch none := "1000 4000"; {
	case len(m.accounts) == 3:
		if m.told == [2]bool{} {
			all = append(all, "1000 2000 4000")
		}
		if !m.told[1] {
			all = append(all, "0 1000 4000")
		}
		if !m.told[0] {
			all = append(all, "1000 0 2000")
		}
		return append(all, "0 0 1000")
	case !m.told[0]:
		all = append(all, none)
	}
	if m.keep == client.KeepGuest {
		return append(all, "0 1000")
	}
	return append(all, "0 4000")
}

// judge checks what there is in the end, and counts it.
func (n *mergeNodes) judge(all []*merger) {
	n.t.Helper()
	s, err := n.open()
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	found := make(map[string]int)
	for _, m := range all {
		var left []string
		for _, one := range m.accounts {
			left = append(left, strconv.FormatInt(n.judgeOne(s, m, one), 10))
		}
		outcome := strings.Join(left, " ")
		if !slices.Contains(m.outcomes(), outcome) {
			n.t.Errorf("%v: %s", m, outcome)
		}
		found[string(m.keep)+": "+outcome]++
	}
	n.t.Logf("%d players: %v", len(all), found)
}

// judgeOne returns the experience of an account that there is, whose device opens it, and nothing else does, or of one
// that is gone, whose device opens another one.
func (n *mergeNodes) judgeOne(s rushgate.Store, m *merger, one *mergedOne) (xp int64) {
	n.t.Helper()
	accounts, err := s.LoadAccounts(n.t.Context(), []string{one.name})
	if err != nil || accounts[0].Err != nil {
		n.t.Fatal(accounts, err)
	}
	a := accounts[0].Account
	for _, c := range a.Credentials {
		if c.Kind != linked.Guest && c.Kind != linked.Visited {
			n.t.Errorf("%v: %s has a credential of the kind %s", m, one.name, c.Kind)
		}
	}
	for _, other := range m.accounts { // their devices
		has := slices.Contains(a.Credentials, other.credential)
		if !other.device.IsZero() && has != (a.ID != 0 && other.opens == a.ID) {
			n.t.Errorf("%v: the device of %s opens %d; %s, which is %d, has it: %v", m, other.name, other.opens, one.name,
				a.ID, has)
		}
	}
	if a.ID == 0 {
		return 0
	}
	if a.Disabled.At(time.Now()) {
		n.t.Errorf("%v: %s is shut: %s", m, one.name, a.Disabled.Reason)
	}
	if fence := n.visit(s, one, func(c *rushgate.Character) { xp = c.Numbers[rushgate.NumberXP] }); fence <= one.fence {
		n.t.Errorf("%v: a session of %s has the fence %d after %d", m, one.name, fence, one.fence)
	}
	return xp
}

// String says what a merger has done, for the log.
func (m *merger) String() string {
	names := make([]string, len(m.accounts))
	for i, one := range m.accounts {
		names[i] = fmt.Sprintf("%s (%d)", one.name, one.id)
	}
	return fmt.Sprintf("%s, keep %s, told that it is done: %v", strings.Join(names, " into "), m.keep, m.told)
}

func hashed(text string) string {
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		panic(err)
	}
	job := password.New(text)
	hasher.Run(context.Background(), []*password.Job{&job})
	return job.Hash
}
