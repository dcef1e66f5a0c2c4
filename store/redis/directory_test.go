package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A walk that cannot be sure any more to see every name says so.
func TestWalkOverARestart(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	populate(t, s, 200)
	_, cursor, err := s.Usernames(t.Context(), "", "", 10)
	if err != nil || cursor == "" {
		t.Fatal(cursor, err)
	}
	if _, cursor, err = s.Usernames(t.Context(), "", cursor, 10); err != nil || cursor == "" {
		t.Fatal(cursor, err)
	}
	server.Kill()
	server.Restart()
	eventually(t, func() error { return s.Ping(t.Context()) })
	if names, _, err := s.Usernames(t.Context(), "", cursor, 10); !errors.Is(err, errOtherServers) ||
		!errors.Is(err, rushgate.ErrUnavailable) {
		t.Errorf("Usernames = %q, %v; want %v", names, err, errOtherServers)
	}
	if names := walk(t, s, ""); len(distinct(names)) != 200 {
		t.Errorf("a walk from the beginning has found %d names", len(names))
	}
	if h := s.Health(); h.Open || h.Failures != 0 {
		t.Errorf("a walk that has ended counts as the server's failure: %+v", h)
	}
}

func TestWalkBehindSentinels(t *testing.T) {
	t.Parallel() // it waits for the Sentinel most of the time
	w := redistest.StartWatched(t)
	s := openStore(t, Options{URLs: []string{w.Sentinel.URL()}, SentinelMaster: redistest.MasterName, Logger: quiet()})
	populate(t, s, 50)
	if names := walk(t, s, "player1"); len(distinct(names)) != 11 {
		t.Errorf("a walk has found %q", names)
	}
	_, cursor, err := s.Usernames(t.Context(), "", "", 5)
	if err != nil || cursor == "" {
		t.Fatal(cursor, err)
	}
	w.Replica.AwaitAll(t, w.Master)
	w.Master.Kill()
	w.AwaitFailover(t)
	heals(t, func() error { return s.Ping(t.Context()) })
	heals(t, func() error {
		names, _, err := s.Usernames(t.Context(), "", cursor, 5)
		if errors.Is(err, errOtherServers) {
			return nil
		}
		if err == nil {
			t.Errorf("a walk goes on over a failover: %q", names)
		}
		return err
	})
}

func populate(t *testing.T, s *Store, n int) {
	t.Helper()
	var accounts []rushgate.Account
	for id := range n {
		accounts = append(accounts, registration(rushgate.PlayerID(id+1)).Account)
	}
	errs, err := s.CreateAccounts(t.Context(), accounts)
	if err != nil || errors.Join(errs...) != nil {
		t.Fatal(errs, err)
	}
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// Keys that are moved between the masters of a Cluster, and a master that takes the place of another, end a walk.
func TestWalkOverAChangeOfMasters(t *testing.T) {
	cluster := redistest.StartCluster(t)
	s := openStore(t, Options{URLs: cluster.URLs(), Logger: quiet()})
	const players = 600
	populate(t, s, players)
	if names := walk(t, s, ""); len(distinct(names)) != players {
		t.Fatalf("a walk has found %d names", len(distinct(names)))
	}
	begin := func() (cursor string) {
		t.Helper()
		_, cursor, err := s.Usernames(t.Context(), "", "", 10)
		if err != nil || cursor == "" {
			t.Fatal(cursor, err)
		}
		return cursor
	}
	goOn := func(cursor string) error {
		for cursor != "" {
			var err error
			if _, cursor, err = s.Usernames(t.Context(), "", cursor, 10); err != nil {
				return err
			}
		}
		return nil
	}
	cursor := begin()
	ids := make([]string, 2)
	for i := range ids {
		ids[i], _ = cluster.Masters[i].Do("CLUSTER", "MYID").ToString()
	}
	cluster.Masters[0].Do("CLUSTER", "SETSLOT", "0", "MIGRATING", ids[1])
	if err := goOn(cursor); !errors.Is(err, errOtherServers) {
		t.Errorf("while keys are moved: %v", err)
	}
	cluster.Masters[0].Do("CLUSTER", "SETSLOT", "0", "STABLE")
	if err := goOn(begin()); err != nil {
		t.Errorf("afterwards: %v", err)
	}

	cursor = begin()
	cluster.AwaitReplicas(t)
	cluster.Masters[1].Kill()
	cluster.AwaitFailover(t, 1)
	heals(t, func() error { return s.Ping(t.Context()) })
	heals(t, func() error {
		err := goOn(cursor)
		if errors.Is(err, errOtherServers) {
			return nil
		}
		if err == nil {
			t.Error("a walk goes on over a failover")
		}
		return err
	})
	heals(t, func() error {
		var names []string
		cursor := ""
		for {
			page, next, err := s.Usernames(t.Context(), "", cursor, 100)
			if err != nil {
				return err
			}
			if names = append(names, page...); next == "" {
				break
			}
			cursor = next
		}
		if n := len(distinct(names)); n != players {
			t.Errorf("after the failover a walk has found %d names", n)
		}
		return nil
	})
}

func TestClusterMasters(t *testing.T) {
	const nodes = "txt:b1 10.0.0.2:6379@16379,host-b myself,master - 0 0 2 connected 0-99 200 [300->-a1]\n" +
		"c1 10.0.0.3:6379@16379 slave b1 0 0 2 connected\n" +
		"d1 10.0.0.4:6379@16379 master - 0 0 3 connected\n" +
		"a1 10.0.0.1:6379@16379,,shard-id=x master,fail? - 0 0 1 connected 100-199\n"
	want := []clusterMaster{
		{"a1", []string{"10.0.0.1:6379"}, "100-199 "},
		{"b1", []string{"10.0.0.2:6379", "host-b:6379"}, "0-99 200 "},
	}
	if got := clusterMasters(nodes); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("masters are %+v, want %+v", got, want)
	}
	layout, moving := layoutOf(nodes)
	still, other := layoutOf(strings.ReplaceAll(nodes, " [300->-a1]", ""))
	moved, _ := layoutOf(strings.ReplaceAll(nodes, " 200", ""))
	if !moving || other || layout != still || layout == moved {
		t.Errorf("layouts are %s (moving: %v), %s (%v) and %s", layout, moving, still, other, moved)
	}
}

// A cursor that is read is one that is written.
func FuzzParsePlace(f *testing.F) {
	for _, p := range []place{{"", "", "ab1", 7}, {"0f", "a", "", 0}, {"0f", "a", "b", 1 << 63}} {
		f.Add(p.cursor())
	}
	f.Add("")
	f.Add("no cursor")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parsePlace(cursor)
		if err == nil && p.cursor() != cursor {
			t.Errorf("%q is read as %+v, and written as %q", cursor, p, p.cursor())
		}
	})
}
