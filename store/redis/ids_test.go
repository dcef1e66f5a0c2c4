package redis

import (
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

const idBlock = 1000

// reserve returns the first of a block of ids, as soon as the server answers.
func reserve(t *testing.T, s *Store) (first rushgate.PlayerID) {
	t.Helper()
	eventually(t, func() (err error) {
		first, err = s.ReserveIDs(t.Context(), idBlock)
		return err
	})
	return first
}

// wantSkip checks that a block lies so far behind another one that nothing given out in between can be in it.
func wantSkip(t *testing.T, first, before rushgate.PlayerID) {
	t.Helper()
	if first < before+idBlock+idSkip || first >= before+idBlock+idSkip+idSkipMore {
		t.Errorf("a block begins at %d after one at %d, want a skip of %d to %d",
			first, before, idSkip, idSkip+idSkipMore)
	}
}

func TestIDsFollowOneAnotherOnAServerThatForgetsNothing(t *testing.T) {
	server := redistest.Start(t)
	a := openStore(t, Options{URLs: []string{server.URL()}})
	b := openStore(t, Options{URLs: []string{server.URL()}})
	for i, s := range []*Store{a, b, a} {
		if first := reserve(t, s); first != rushgate.PlayerID(1+i*idBlock) {
			t.Errorf("block %d begins at %d", i, first)
		}
	}
}

// A server that is back with older data, from before a crash or from a backup, gives out no id again.
func TestIDsForgottenInACrash(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	kept := reserve(t, s)
	onDisk, err := server.Do("DUMP", s.idsKey()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	forgotten := reserve(t, s)
	server.Do("RESTORE", s.idsKey(), "0", onDisk, "REPLACE")
	server.Restart()
	first := reserve(t, s)
	wantSkip(t, first, kept)
	if first < forgotten+idBlock {
		t.Errorf("ids from %d on are given out after those from %d on", first, forgotten)
	}
	if next := reserve(t, s); next != first+idBlock {
		t.Errorf("the next block begins at %d after one at %d", next, first)
	}
}

// follow makes one server the replica of another and returns when it has the other's data.
func follow(t *testing.T, replica, master *redistest.Server) {
	t.Helper()
	replica.Do("REPLICAOF", "127.0.0.1", master.Port())
	replica.AwaitMaster(t)
}

// What a replica had not heard of when it was promoted is not given out again, neither by it nor by the old master that
// takes its place back before the counter was used.
func TestIDsForgottenInAFailover(t *testing.T) {
	for _, back := range []bool{false, true} {
		name := map[bool]string{false: "the replica goes on", true: "the old master is back"}[back]
		t.Run(name, func(t *testing.T) {
			master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
			replica := redistest.Start(t, "--repl-diskless-sync-delay", "0")
			follow(t, replica, master) // the first time, a master takes another name
			replica.Do("REPLICAOF", "NO", "ONE")
			s := openStore(t, Options{URLs: []string{master.URL()}, Logger: quiet()})
			kept := reserve(t, s)
			follow(t, replica, master)
			replica.Do("REPLICAOF", "NO", "ONE")
			forgotten := reserve(t, s)
			if forgotten != kept+idBlock {
				t.Errorf("a block begins at %d after one at %d", forgotten, kept)
			}
			if back {
				follow(t, master, replica)
				master.Do("REPLICAOF", "NO", "ONE")
			} else {
				s = openStore(t, Options{URLs: []string{replica.URL()}, Logger: quiet()})
			}
			first := reserve(t, s)
			wantSkip(t, first, kept)
			if first < forgotten+idBlock {
				t.Errorf("ids from %d on are given out after those from %d on", first, forgotten)
			}
		})
	}
}

// A server that does not say who it is may forget without a sign: each block is far from the one before.
func TestIDsOfAServerThatRefusesInfo(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "default", "-info")
	s := openStore(t, Options{URLs: []string{server.URL()}})
	before := reserve(t, s)
	for range 3 {
		first := reserve(t, s)
		wantSkip(t, first, before)
		before = first
	}
}

// Players who are brought to a server that has given out no id leave no gap behind them, as long as that server forgets
// nothing. Where the counter is lost, an import that is begun again closes no gap.
func TestIDsFollowAnImport(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	begin := func(highest rushgate.PlayerID) {
		t.Helper()
		if err := s.BeginImport(t.Context(), highest); err != nil {
			t.Fatal(err)
		}
	}
	begin(20)
	begin(30) // one that goes on further
	if first := reserve(t, s); first != 31 {
		t.Errorf("after an import of 30 ids a block begins at %d", first)
	}
	last := reserve(t, s)
	if last != 31+idBlock {
		t.Errorf("the second block begins at %d", last)
	}
	server.Do("DEL", s.idsKey(), s.idsCopyKey())
	begin(30)
	first := reserve(t, s)
	if first < last+idBlock {
		t.Errorf("after the loss of the counter and an import a block begins at %d, where %d were given out", first,
			last+idBlock-1)
	}
	// Another process knows of none but by the leaderboards.
	server.Do("DEL", s.idsKey(), s.idsCopyKey())
	server.Do("ZADD", s.boardKey("xp"), "1", "7")
	s = openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	begin(30)
	if first := reserve(t, s); first <= 30+idSkip {
		t.Errorf("where the leaderboards alone know of players a block begins at %d after an import of 30 ids", first)
	}
}
