package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
)

// crashPlayers is how many register at once in each round.
const crashPlayers = 60

// crashes are what befalls a burst of registrations; the rounds take them in turn. The node is killed afterwards at the
// latest.
var crashes = []func(redis *redistest.Server, killNode func(), burst <-chan struct{}){
	func(redis *redistest.Server, _ func(), burst <-chan struct{}) { // Redis is back before anybody gives up
		redis.Kill()
		redis.Restart()
		<-burst
	},
	func(redis *redistest.Server, killNode func(), burst <-chan struct{}) { // both die at once
		redis.Kill()
		killNode()
		redis.Restart()
		<-burst
	},
	func(redis *redistest.Server, _ func(), burst <-chan struct{}) { // Redis stays away until everybody is told so
		redis.Kill()
		<-burst
		redis.Restart()
	},
}

// kill -9 of the Redis server in the middle of a burst of registrations, then of the node, again and again. A player
// who has got a 201 can log in; one who has not finds out by sending the same attempt again; no account is made by
// halves or twice; and a player who is inside has one session. The environment variable RUSHGATE_CRASH_ROUNDS sets the
// number of rounds.
func TestKill9OfRedisAndNode(t *testing.T) {
	rounds := 2
	if v := os.Getenv("RUSHGATE_CRASH_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 || rounds > 255 {
			t.Fatalf("RUSHGATE_CRASH_ROUNDS is %q, want 1 to 255", v)
		}
	}
	redis, dir := redistest.Start(t), t.TempDir()
	start := func() *node { // which takes the registrations in several batches, one after the other
		return startNode(t, dir, "--db", "redis", "--redis-url", redis.URL(), "--session-timeout", "1h",
			"--auth-workers", "1", "--password-hash-iterations", "20000")
	}
	ids := make(map[rushgate.PlayerID]string)
	var onTheWay, promised, unanswered int
	for round := range rounds {
		n, burst := start(), make([]*newcomer, crashPlayers)
		for i := range burst {
			burst[i] = newNewcomer(t, round, i)
		}
		killNode := sync.OnceFunc(func() {
			n.signal(t, syscall.SIGKILL)
			n.wait(t)
		})
		some := 1 + (round*17)%(crashPlayers/2)
		waiting, told := registerDuring(t, n, burst, some, func(done <-chan struct{}) {
			crashes[round%len(crashes)](redis, killNode, done)
		})
		killNode()
		onTheWay, promised = onTheWay+waiting, promised+told
		unanswered += len(readState(t, redis).records) - round*crashPlayers - told

		n = start()
		logIn(t, n, burst)
		noteIDs(t, ids, burst)
		wantRecords(t, redis, (round+1)*crashPlayers, names(burst))
		wantOneSession(t, n, burst)
		waitFor(t, n, fmt.Sprintf(`"players": %d`, len(burst)))
		logOut(t, burst)
		wantRecords(t, redis, (round+1)*crashPlayers, nil)
		n.signal(t, syscall.SIGKILL)
		n.wait(t)
		if t.Failed() {
			t.Fatalf("in round %d; the node's log says:\n%s", round, n.log)
		}
	}
	t.Logf("%d rounds, %d kills of Redis, %d of the node: of %d registrations %d were on the way when Redis was killed, "+
		"%d were promised in the end, %d were carried out and not answered, %d were not carried out",
		rounds, rounds, 2*rounds, rounds*crashPlayers, onTheWay, promised, unanswered,
		rounds*crashPlayers-promised-unanswered)
}

// noteIDs checks that no player has the id of another.
func noteIDs(t *testing.T, ids map[rushgate.PlayerID]string, players []*newcomer) {
	t.Helper()
	for _, p := range players {
		if p.session == nil {
			continue
		}
		if other, taken := ids[p.session.PlayerID]; taken {
			t.Errorf("%s has the id of %s", p.name, other)
		}
		ids[p.session.PlayerID] = p.name
	}
}

// newcomer is a player who registers during a crash.
type newcomer struct {
	name    string
	options client.Options
	id      rushgate.PlayerID // as promised, 0 if nothing was
	session *client.Session   // after the crash
}

// newNewcomer gives the player an address, so that a failure of one does not lock out the others, and one attempt id.
func newNewcomer(t *testing.T, round, i int) *newcomer {
	t.Helper()
	transport := &http.Transport{DialContext: (&net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, byte(round), byte(i+1))},
	}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	p := &newcomer{name: fmt.Sprintf("player-%d-%d", round, i)}
	p.options = client.Options{
		Transport: transport, MaxRetries: -1, AttemptID: func() string { return "attempt-of-" + p.name },
	}
	return p
}

func names(players []*newcomer) []string {
	var list []string
	for _, p := range players {
		list = append(list, p.name)
	}
	return list
}

// registerDuring lets all register at once and calls crash when some of them have been let in. It returns how many
// had no answer then, and how many were let in in the end.
func registerDuring(
	t *testing.T, n *node, players []*newcomer, some int, crash func(done <-chan struct{}),
) (waiting, told int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	enough, done := make(chan struct{}), make(chan struct{})
	for _, p := range players {
		c := newClient(t, n.http, p.options)
		wg.Go(func() {
			session, err := c.Register(t.Context(), p.name, "correct horse")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				p.id = session.PlayerID
				if told++; told == some {
					close(enough)
				}
			case !errors.Is(err, rushgate.ServerBusy) && !errors.Is(err, client.ErrNoAnswer):
				t.Errorf("%s, during the crash: %v, want %v or %v", p.name, err, rushgate.ServerBusy, client.ErrNoAnswer)
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	select {
	case <-enough:
	case <-done:
		t.Errorf("only %d were let in without a crash, want %d", told, some)
	}
	mu.Lock()
	waiting = len(players) - told
	mu.Unlock()
	crash(done)
	return waiting, told
}

// logIn lets everybody in: those who were promised an account by their passwords, the others by sending the attempt
// again that has come to nothing, and every other one of the former as well, as if the answer had been lost.
func logIn(t *testing.T, n *node, players []*newcomer) {
	t.Helper()
	var wg sync.WaitGroup
	for i, p := range players {
		opts := p.options
		opts.MaxRetries = 10
		wg.Go(func() {
			var err error
			if p.id == 0 || i%2 == 0 {
				p.session, err = newClient(t, n.http, opts).Register(t.Context(), p.name, "correct horse")
			} else {
				opts.AttemptID = nil
				p.session, err = newClient(t, n.http, opts).Login(t.Context(), p.name, "correct horse")
			}
			switch {
			case err != nil:
				t.Errorf("%s, told of an account with id %d, does not get in: %v", p.name, p.id, err)
			case p.id != 0 && p.session.PlayerID != p.id:
				t.Errorf("%s was told of an account with id %d and is %d", p.name, p.id, p.session.PlayerID)
			}
		})
	}
	wg.Wait()
}

// wantOneSession checks that no player who is inside is let in once more.
func wantOneSession(t *testing.T, n *node, players []*newcomer) {
	t.Helper()
	var wg sync.WaitGroup
	for _, p := range players {
		opts := p.options
		opts.AttemptID = nil
		c := newClient(t, n.http, opts)
		wg.Go(func() {
			if _, err := c.Login(t.Context(), p.name, "correct horse"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
				t.Errorf("%s is inside and logs in: %v, want %v", p.name, err, rushgate.AlreadyLoggedIn)
			}
		})
	}
	wg.Wait()
}

func logOut(t *testing.T, players []*newcomer) {
	t.Helper()
	var wg sync.WaitGroup
	for _, p := range players {
		if p.session == nil {
			continue
		}
		wg.Go(func() {
			if err := p.session.Logout(t.Context()); err != nil {
				t.Errorf("%s leaves: %v", p.name, err)
			}
		})
	}
	wg.Wait()
}

// redisState is what Redis holds of all players at one moment.
type redisState struct {
	records map[string]map[string]string // by username
}

// leases returns the end of the lease by username, of those who have one.
func (s redisState) leases() map[string]string {
	leases := make(map[string]string)
	for name, record := range s.records {
		if until := record["lease_until"]; until != "" {
			leases[name] = until
		}
	}
	return leases
}

// recordFields are those that every record has, leaseFields those that it has while the player has a session.
var (
	recordFields = []string{
		"v", "id", "username", "password_hash", "attempt", "created_at", "account_version", "character_created_at", "fence",
		"saved", "zone", "x", "y", "hp", "xp", "level", "deaths", "playtime_ms", "data",
	}
	leaseFields = []string{"lease_node", "lease_run", "lease_attempt", "lease_until", "lease_epoch"}
)

func readState(t *testing.T, redis *redistest.Server) redisState {
	t.Helper()
	records, err := redis.Do("EVAL", `
		local records = {}
		for i, key in ipairs(redis.call('KEYS', 'rushgate:player:*')) do
			records[i] = redis.call('HGETALL', key)
		end
		return records`,
		"0").ToArray()
	if err != nil {
		t.Fatal(err)
	}
	s := redisState{records: make(map[string]map[string]string)}
	for i := range records {
		record, err := records[i].AsStrMap()
		if err != nil {
			t.Fatal(err)
		}
		s.records[record["username"]] = record
	}
	return s
}

// wantRecords checks that there are so many accounts, each with all that belongs to it and an id of its own, and
// that those have a session, and only those, who ought to: by their leases and, a moment later, in the set of players
// online.
func wantRecords(t *testing.T, redis *redistest.Server, accounts int, inside []string) {
	t.Helper()
	s := readState(t, redis)
	if len(s.records) != accounts {
		t.Errorf("there are %d accounts, want %d", len(s.records), accounts)
	}
	names := make(map[string]string) // by id
	for name, record := range s.records {
		missing := func(field string) bool { _, ok := record[field]; return !ok }
		if slices.ContainsFunc(recordFields, missing) {
			t.Errorf("the record of %s is incomplete: %v", name, slices.Sorted(maps.Keys(record)))
		}
		if n := len(slices.DeleteFunc(slices.Clone(leaseFields), missing)); n != 0 && n != len(leaseFields) {
			t.Errorf("the lease of %s is incomplete: %v", name, slices.Sorted(maps.Keys(record)))
		}
		if other, taken := names[record["id"]]; taken {
			t.Errorf("%s and %s both have id %s", name, other, record["id"])
		}
		names[record["id"]] = name
	}
	if got, want := slices.Sorted(maps.Keys(s.leases())), slices.Sorted(slices.Values(inside)); !slices.Equal(got, want) {
		t.Errorf("those with a session are %q, want %q", got, want)
	}
}
