package redis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

var nodeB = rushgate.Instance{Node: "b", Run: "1"}

// sessionHash is of what a session token might be.
const sessionHash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

// enter registers a player whose session can be continued, and returns the admission that does so.
func enter(t *testing.T, s *Store, id rushgate.PlayerID) (rushgate.Admitted, rushgate.Admission) {
	t.Helper()
	a := registration(id)
	a.Session = sessionHash
	goOn := login(id, "of no matter")
	goOn.Session, goOn.Continue, goOn.Grace = sessionHash, true, time.Hour
	return admit(t, s, nodeA, a)[0], goOn
}

func park(t *testing.T, s *Store, in rushgate.Admitted) {
	t.Helper()
	save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true, Resumable: time.Hour}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
}

func wantRefused(t *testing.T, s *Store, what string, by rushgate.Instance, a rushgate.Admission, want error) {
	t.Helper()
	if got, err := s.Admit(t.Context(), by, []rushgate.Admission{a}); err != nil || !errors.Is(got[0].Err, want) {
		t.Errorf("%s: %+v, %v; want %v", what, got, err, want)
	}
}

// A node with an older program claims and releases players without a word about sessions. What is left of one that it
// knew nothing of is no session of another login, and none that goes on.
func TestOlderProgramsEndSessions(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	lease := []string{"lease_node", "lease_run", "lease_attempt", "lease_until", "lease_epoch"}
	claims := func(key string) {
		fence, _ := server.Do("HINCRBY", key, "fence", "1").ToInt64()
		server.Do("HSET", key, "previous_fence", fmt.Sprint(fence-1), "saved", "0", "lease_node", "old", "lease_run", "1",
			"lease_attempt", "b", "lease_until", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()), "lease_epoch", "0")
	}
	releases := func(key string) { server.Do("HDEL", append([]string{key}, lease...)...) }
	raises := func(key string) { server.Do("HSET", key, "epoch", "1") }
	for i, tt := range []struct {
		name   string
		parked bool
		older  []func(key string)
		epoch  uint64
		holder string // of the lease afterwards
	}{
		{"released", false, []func(string){releases}, 0, ""},
		{"claimed", false, []func(string){claims}, 0, "old"},
		{"claimed and released", false, []func(string){claims, releases}, 0, ""},
		{"parked, claimed", true, []func(string){claims}, 0, "old"},
		{"parked, claimed and released", true, []func(string){claims, releases}, 0, ""},
		{"held under an older epoch", false, []func(string){raises}, 1, "a"},
		{"parked under an older epoch", true, []func(string){raises}, 1, ""},
	} {
		in, goOn := enter(t, s, rushgate.PlayerID(i+1))
		name := in.Lease.Name
		if tt.parked {
			park(t, s, in)
		}
		for _, older := range tt.older {
			older(s.playerKey(name))
		}
		goOn.Account.Epoch, goOn.Takeover = tt.epoch, true
		for _, by := range []rushgate.Instance{nodeA, nodeB, {Node: "old", Run: "2"}} {
			wantRefused(t, s, tt.name, by, goOn, rushgate.BadCredentials)
		}
		if p, err := s.Presence(t.Context(), []string{name}); err != nil || p[0].Node != tt.holder {
			t.Errorf("%s: the player is %+v, %v; want at %q", tt.name, p, err, tt.holder)
		}
		again := login(goOn.Account.ID, "again")
		again.Account.Epoch, again.Session = tt.epoch, sessionHash
		again.Gone = rushgate.Instance{Node: tt.holder, Run: "1"}
		if tt.holder == "" {
			again.Gone = rushgate.Instance{}
		}
		admit(t, s, nodeB, again)
		admit(t, s, nodeB, goOn)
	}
	for _, node := range []string{"a", "b", "old"} {
		if got, err := s.Wanted(t.Context(), rushgate.Instance{Node: node, Run: "1"}); err != nil || len(got) != 0 {
			t.Errorf("%s is asked for %+v, %v", node, got, err)
		}
	}
}

// A record that an older program has written has no session and no devices, and is not made to have them.
func TestRecordsOfOlderPrograms(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	a := registration(1)
	a.Account.Version = 4
	in := admit(t, s, nodeA, a)[0]
	goOn := login(1, "of no matter")
	goOn.Session, goOn.Continue = sessionHash, true
	wantRefused(t, s, "a session without a name", nodeA, goOn, rushgate.BadCredentials)
	leave(t, s, []rushgate.Admitted{in})
	leave(t, s, admit(t, s, nodeB, login(1, "b")))
	fields, err := server.Do("HKEYS", s.playerKey(in.Lease.Name)).AsStrSlice()
	for _, field := range []string{"session", "devices", "devices_revision", "lease_node"} {
		if err != nil || slices.Contains(fields, field) {
			t.Errorf("the record has %v, %v: there is no reason for %s", fields, err, field)
		}
	}
	account, err := s.LoadAccounts(t.Context(), []string{in.Lease.Name})
	if err != nil || account[0].Version != 4 || account[0].Devices.Revision != 0 || account[0].Devices.List != nil {
		t.Errorf("the account is %+v, %v", account, err)
	}
}

// A released session leaves nothing in the record.
func TestSessionsAreCleanedUp(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	in, goOn := enter(t, s, 1)
	has := func() bool {
		n, err := server.Do("HEXISTS", s.playerKey(in.Lease.Name), "session").ToInt64()
		return err == nil && n == 1
	}
	park(t, s, in)
	if !has() {
		t.Error("a parked session has gone")
	}
	leave(t, s, []rushgate.Admitted{in})
	if has() {
		t.Error("a session that was parked and released is there")
	}
	leave(t, s, admit(t, s, nodeA, login(1, "b")))
	in, _ = enter(t, s, 2)
	park(t, s, in)
	goOn.Account = login(2, "").Account
	in = admit(t, s, nodeB, goOn)[0]
	leave(t, s, []rushgate.Admitted{in})
	if has() {
		t.Error("a session that was continued and released is there")
	}
	in, _ = enter(t, s, 3)
	park(t, s, in)
	admit(t, s, nodeA, login(3, "b"))
	if has() {
		t.Error("a login that has no session claims over one, which is there")
	}
}

func TestParseWanted(t *testing.T) {
	lease := func(fence uint64, name string, move bool) rushgate.Wanted {
		return rushgate.Wanted{Lease: rushgate.Lease{Player: 7, Name: name, Fence: fence}, Move: move}
	}
	for _, tt := range []struct {
		members []string
		want    []rushgate.Wanted
	}{
		{nil, nil},
		{[]string{"7 5 alice"}, []rushgate.Wanted{lease(5, "alice", false)}}, // also of an older program
		{[]string{"move 7 5 alice"}, []rushgate.Wanted{lease(5, "alice", true)}},
		{[]string{"move 7 5 move 7 5 x"}, []rushgate.Wanted{lease(5, "move 7 5 x", true)}},
		{[]string{"7 5 a b", "7 5 \x00"}, []rushgate.Wanted{lease(5, "a b", false), lease(5, "\x00", false)}},
		{[]string{"move 7 5 alice", "7 5 alice"}, []rushgate.Wanted{lease(5, "alice", false)}},
		{[]string{"7 5 alice", "move 7 5 alice"}, []rushgate.Wanted{lease(5, "alice", false)}},
		{[]string{"move 7 6 alice", "7 5 alice"}, []rushgate.Wanted{lease(6, "alice", true), lease(5, "alice", false)}},
		{[]string{"", "move", "move ", "7", "7 5", "7 5 ", "x 5 alice", "7 x alice", "drop 7 5 alice", "-7 5 a"}, nil},
	} {
		if got := parseAllWanted(tt.members); !slices.Equal(got, tt.want) {
			t.Errorf("%q are read as %+v, want %+v", tt.members, got, tt.want)
		}
	}
}

// A node of an older program that is asked to let a session move passes over it.
func TestOlderProgramsPassOverMoves(t *testing.T) {
	member := movePrefix + wantedMember("7", "5", "alice")
	if lease, ok := parseWanted(member); ok { // as all programs have read them until now
		t.Errorf("%q is read as %+v", member, lease)
	}
}

// Devices that cannot be read cost their player the login, and no other.
func TestDamagedDevicesFailAlone(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	const secret = "hunter22"
	id := rushgate.PlayerID(0)
	for field, values := range map[string][]string{
		"devices":          {secret, "[]", "{}", `[{"id":"` + secret + `"}]`},
		"devices_revision": {secret, "", "-1", "1.5"},
	} {
		for _, value := range values {
			id += 2
			in := admit(t, s, nodeA, registration(id), registration(id+1))
			names := []string{in[0].Lease.Name, in[1].Lease.Name}
			key := s.playerKey(names[0])
			server.Do("HSET", key, field, value)
			before, err := server.Do("HGETALL", key).AsStrMap()
			if err != nil {
				t.Fatal(err)
			}
			accounts, err := s.LoadAccounts(t.Context(), names)
			wantDamagedAlone(t, "LoadAccounts", errorsOf(accounts, func(a rushgate.LoadedAccount) error { return a.Err }), err)
			says := fmt.Sprint(accounts[0].Err)
			if !strings.Contains(says, field) {
				t.Errorf("%s=%q: the error is %s", field, value, says)
			}
			if field == "devices" {
				if strings.Contains(says, secret) {
					t.Errorf("the error repeats what was read: %s", says)
				}
				continue
			}
			batch := []rushgate.Admission{login(id, "b"), login(id+1, "b")}
			changes := []rushgate.AccountChange{{Player: id, Name: names[0]}, {Player: id + 1, Name: names[1]}}
			for i := range batch {
				batch[i].Gone, batch[i].Devices, changes[i].Devices = nodeA, []rushgate.Device{}, []rushgate.Device{}
				changes[i].DevicesRevision = 1
			}
			admitted, err := s.Admit(t.Context(), nodeB, batch)
			wantDamagedAlone(t, "Admit", errorsOf(admitted, func(a rushgate.Admitted) error { return a.Err }), err)
			errs, err := s.UpdateAccounts(t.Context(), changes)
			wantDamagedAlone(t, "UpdateAccounts", errs, err)
			if after, err := server.Do("HGETALL", key).AsStrMap(); err != nil || !maps.Equal(after, before) {
				t.Errorf("%s=%q: the record is %v, %v; was %v", field, value, after, err, before)
			}
		}
	}
}

// A session that cannot be read is not continued. Every other login is let in, and what it writes can be read again.
func TestDamagedSessionIsNotContinued(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	for i, value := range []string{"", "x", sessionHash, "1 0 0 " + sessionHash, "-1 0 0 x y", "1 0 1e3 x y", "1 0 0  y"} {
		for _, parked := range []bool{false, true} {
			id := rushgate.PlayerID(4*i + 1)
			if parked {
				id += 2
			}
			in, goOn := enter(t, s, id)
			_, other := enter(t, s, id+1)
			if parked {
				park(t, s, in)
			}
			key := s.playerKey(in.Lease.Name)
			server.Do("HSET", key, "session", value)
			admitted, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{goOn, other})
			wantDamagedAlone(t, "Admit", errorsOf(admitted, func(a rushgate.Admitted) error { return a.Err }), err)
			if says := fmt.Sprint(admitted[0].Err); !strings.Contains(says, "session") {
				t.Errorf("%q: the error is %s", value, says)
			}
			if !parked {
				park(t, s, in) // is released: there is no session that could be parked
			}
			change := rushgate.AccountChange{Player: id, Name: in.Lease.Name, EndAttempt: "z"}
			if errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
				t.Errorf("%q: UpdateAccounts: %v, %v", value, errs, err)
			}
			again := login(id, "again")
			again.Session = sessionHash
			admit(t, s, nodeB, again)
			admit(t, s, nodeB, goOn)
		}
	}
}

// What is under the name of a node and makes no sense costs the nodes that beat nothing, and is put right.
func TestDamagedBeats(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	key := s.beatsKey()
	now := fmt.Sprint(time.Now().UnixMilli())
	for node, value := range map[string]string{
		"empty": "", "no time": `{"run":"1"}`, "no run": now + " {}", "no JSON": now + " {", "negative": "-1 {}",
	} {
		server.Do("HSET", key, node, value)
	}
	beat := rushgate.NodeBeat{Instance: nodeA, Address: "a.example:7777"}
	want := []rushgate.NodeStatus{{Instance: nodeA, Address: beat.Address}}
	for range 2 {
		if got, err := s.Beat(t.Context(), beat); err != nil || !slices.Equal(got, want) {
			t.Errorf("the nodes are %+v, %v; want %+v", got, err, want)
		}
	}
	if ttl, err := server.Do("PTTL", key).ToInt64(); err != nil || ttl <= 0 || ttl > (24*time.Hour).Milliseconds() {
		t.Errorf("the key lives for %d ms, %v", ttl, err)
	}
	server.Do("DEL", key)
	server.Do("SET", key, "not a hash")
	_, err := s.Beat(t.Context(), beat)
	if !errors.Is(err, rushgate.ErrDamagedRecord) || !strings.Contains(err.Error(), key) {
		t.Errorf("a key that is no hash: %v, want %v of %s", err, rushgate.ErrDamagedRecord, key)
	}
	if stats := s.Health(); stats.Failures != 0 || stats.Open {
		t.Errorf("a damaged key counts as the server's failure: %+v", stats)
	}
}
