package redis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// counts is what servers have counted since they were started.
type counts struct {
	commands    map[string]int // by name, also those that scripts have given
	reads       []int          // times that each server has read from a connection: a pipeline is one
	connections int
}

func count(t *testing.T, servers []*redistest.Server) counts {
	t.Helper()
	c := counts{commands: make(map[string]int)}
	for _, server := range servers {
		for name, value := range server.Info("commandstats") {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			c.commands[strings.TrimPrefix(name, "cmdstat_")] += whole(t, calls)
		}
		stats := server.Info("stats")
		c.reads = append(c.reads, whole(t, stats["total_reads_processed"]))
		c.connections += whole(t, stats["total_connections_received"])
	}
	return c
}

func whole(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A batch of logins or registrations costs the player two round trips to each server, the server one command to load
// and one script per player, and neither a new connection.
func TestCostOfABatch(t *testing.T) {
	t.Run("Single", func(t *testing.T) {
		server := redistest.Start(t)
		costOfBatches(t, []*redistest.Server{server}, openStore(t, Options{URLs: []string{server.URL()}}))
		if clients := whole(t, server.Info("clients")["connected_clients"]); clients != 2 { // one is the question's
			t.Errorf("%d connections are open, want 2", clients)
		}
	})
	t.Run("Cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		costOfBatches(t, cluster.Masters[:], openStore(t, Options{URLs: cluster.URLs()}))
	})
}

const (
	costBatches = 50
	costSize    = 16
)

func costOfBatches(t *testing.T, servers []*redistest.Server, s *Store) {
	batch := func(number int, kind string) {
		var batch []rushgate.Admission
		var names []string
		for i := range costSize {
			a := registration(rushgate.PlayerID(1 + number*costSize + i))
			if names = append(names, a.Account.Username); kind == "login" {
				a = login(a.Account.ID, fmt.Sprint("login ", i))
			}
			batch = append(batch, a)
		}
		if _, err := s.LoadAccounts(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		in := admit(t, s, nodeA, batch...)
		if err := s.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave(t, s, in)
	}
	for i := range 10 {
		batch(costBatches+i, "registration") // connects, and teaches the servers their scripts
	}
	for _, kind := range []string{"registration", "login"} {
		before := count(t, servers)
		for i := range costBatches {
			batch(i, kind)
		}
		more := 0
		if kind == "registration" {
			more = 1 // the claim of what the name looks like
		}
		wantCost(t, kind, more, before, count(t, servers))
	}
}

// leave ends sessions in two round trips, the save and what follows from it.
func leave(t *testing.T, s *Store, in []rushgate.Admitted) {
	t.Helper()
	var saves []rushgate.Save
	for i := range in {
		saves = append(saves, rushgate.Save{Character: in[i].Character, Fence: in[i].Lease.Fence, Release: true})
	}
	if _, err := s.Save(t.Context(), saves); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantCost(t *testing.T, kind string, more int, before, after counts) {
	t.Helper()
	const players = costBatches * costSize
	spent := func(command string) int { return after.commands[command] - before.commands[command] }
	// Load and admit, for which the player waits; standings, save, and standings again, for which no player does. What is
	// left are the client's pings, the questions of this test, and pipelines beyond the server's buffer of 16 KiB.
	for i := range after.reads {
		if reads := after.reads[i] - before.reads[i]; reads > (6+more)*costBatches {
			t.Errorf("server %d has read %d times for %d batches of a %s, want at most %d each",
				i, reads, costBatches, kind, 6+more)
		}
	}
	// One script admits and one saves.
	if scripts := spent("evalsha"); scripts > (2+more)*players {
		t.Errorf("%d scripts for %d of a %s", scripts, players, kind)
	}
	if n := spent("eval"); n != 0 {
		t.Errorf("%d scripts were sent whole, to servers that know them", n)
	}
	// Loading is one command; inside of scripts, admitting reads twice and saving once.
	if reads := spent("hmget"); reads > 4*players {
		t.Errorf("%d HMGET for %d of a %s", reads, players, kind)
	}
	if n := after.connections - before.connections; n > 2*len(after.reads) { // those of the questions
		t.Errorf("%d connections were made", n)
	}
	total := 0
	for name := range after.commands {
		total += spent(name)
	}
	perPlayer := float64(total) / players
	if perPlayer > 17 {
		t.Errorf("%.1f commands per %s with its save, inside and outside of scripts, want at most 17", perPlayer, kind)
	}
	t.Logf("%.1f commands per %s with its save", perPlayer, kind)
}

// Held names cost the walk that a node begins with some round trips for all of them, not some for each.
func TestCostOfHeldNames(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}})
	<-s.noted
	const held = 400
	names := make([]string, held)
	holds := make([]command, held)
	for i := range names {
		names[i] = fmt.Sprintf("held%d", i)
		until := formatTime(rushgate.Forever())
		if i%2 == 0 {
			until = "1"
		}
		holds[i] = command{name: "HSET", key: s.playerKey(names[i]), args: []string{"held_for", "1", "held_until", until}}
	}
	if _, err := s.run(t.Context(), holds); err != nil {
		t.Fatal(err)
	}
	if err := s.noteOld(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	before := count(t, []*redistest.Server{server})
	if err := s.noteHeld(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	after := count(t, []*redistest.Server{server})
	// A round trip for each name would be a read for each. Four for all of them are about 50 reads: some are many times
	// the server's buffer of 16 KiB, and the kernel may cut them smaller.
	if reads := after.reads[0] - before.reads[0]; reads > held/2 {
		t.Errorf("the server has read %d times for %d names", reads, held)
	}
	claimed, err := s.claimsAt(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range claimed {
		if ended := i%2 == 0; ended != (at == "") {
			t.Fatalf("%s, whose hold has ended: %v; its look was claimed at %q", names[i], ended, at)
		}
	}
}
