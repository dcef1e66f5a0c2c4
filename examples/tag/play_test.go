package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// awaiter keeps what is written and calls found with whatever is what it waits for.
type awaiter struct {
	is    func(written string) bool
	found func()

	mu sync.Mutex
	b  bytes.Buffer
}

func (a *awaiter) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, err := a.b.Write(p)
	if a.is(string(p)) {
		a.found()
	}
	return n, err
}

func (a *awaiter) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.b.String()
}

// Bots play until one catches another, who says something about it. What they have then is on the leaderboard, and
// theirs again at the next login.
func TestCatchesAreSaved(t *testing.T) {
	cfg := config()
	cfg.HashIterations = password.MinIterations
	node, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Stop()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The one who is caught says so, and alice, who shows what is said, hears it.
	told := &awaiter{is: func(s string) bool { return strings.HasSuffix(s, ": not again!\n") }, found: cancel}
	bots := newBots(2, told, false)
	if err := play(ctx, c, bots); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() == nil {
		t.Fatalf("the bots stopped before there was a catch:\n%s", told)
	}
	catches, caught := checkSaved(t, c, bots)
	if catches == 0 || catches != caught {
		t.Errorf("%d catches are saved, and being caught %d times", catches, caught)
	}
}

// checkSaved logs the bots in again, compares what they have with the leaderboard, and returns the sums.
func checkSaved(t *testing.T, c *client.Client, bots []*bot) (catches, caught int) {
	t.Helper()
	ranks, err := c.Leaderboard(t.Context(), numberCatches, 0)
	if err != nil {
		t.Fatal(err)
	}
	board := make(map[string]int64)
	for _, r := range ranks {
		board[r.Name] = r.Score
	}
	for _, b := range bots {
		session, err := c.Login(t.Context(), b.name, b.password)
		if err != nil {
			t.Fatal(err)
		}
		me, err := session.Me(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if score, ok := board[b.name]; !ok || score != me.Numbers[numberCatches] || me.Zone != zone {
			t.Errorf("%s has %d catches in %q; the leaderboard says %d (%v)", b.name, me.Numbers[numberCatches], me.Zone, score,
				ok)
		}
		catches, caught = catches+int(me.Numbers[numberCatches]), caught+int(me.Numbers["deaths"])
	}
	return catches, caught
}

// With -draw the picture is shown until the end comes, here when all three have been in it at once, and then who is
// best.
func TestDraw(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var whole string // the first picture with everybody in it
	shown := &awaiter{found: cancel}
	shown.is = func(s string) bool {
		if whole == "" && len(players(s)) == 3 {
			whole = s
		}
		return whole != ""
	}
	if err := run(ctx, shown, 3, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(players(whole), "*") {
		t.Errorf("nobody is shown as it:\n%s", whole)
	}
	for _, name := range names[:3] {
		if !strings.Contains(shown.String(), ". "+name) {
			t.Errorf("%s is not on the leaderboard:\n%s", name, shown)
		}
	}
}

// players returns what a picture of the field shows of the players: a letter for each, but one for those in one place.
// Of anything that is not a picture it returns nothing.
func players(picture string) string {
	field, ok := strings.CutPrefix(picture, home)
	if !ok {
		return ""
	}
	return strings.NewReplacer(".", "", "\n", "").Replace(field)
}

func at(server, received time.Duration, x float64) *client.View {
	return &client.View{
		ServerTime: server, ReceivedAt: time.Unix(0, 0).Add(received),
		Self:     rushgate.Entity{ID: 1, X: x},
		Entities: []rushgate.Entity{{ID: 2, Name: "bob", X: 2 * x, Flags: flagIt}},
	}
}

// Between views everything moves evenly, however unevenly they come; once none comes any more it stands still.
func TestFrame(t *testing.T) {
	const second, ms = time.Second, time.Millisecond
	s := &screen{out: io.Discard}
	for i := range 3 * keptViews { // a view every 50 ms, and one unit each
		s.add(at(second+time.Duration(i)*50*ms, time.Duration(i)*50*ms, float64(i)))
	}
	last := float64(3*keptViews - 1)
	received := s.views[len(s.views)-1].ReceivedAt
	for _, tt := range []struct {
		after time.Duration
		want  float64
	}{
		{0, last - 3}, {25 * ms, last - 2.5}, {50 * ms, last - 2}, {delay, last}, {second, last},
	} {
		self, others := s.frame(received.Add(tt.after))
		if self.X != tt.want || len(others) != 1 || others[0].X != 2*tt.want {
			t.Errorf("%v after the last view: at %v, the other at %+v, want %v", tt.after, self.X, others, tt.want)
		}
	}
	if len(s.views) != keptViews {
		t.Errorf("%d views are kept", len(s.views))
	}
}

func TestSteer(t *testing.T) {
	me := func(flags uint8) rushgate.Entity {
		return rushgate.Entity{X: fieldSize / 2, Y: fieldSize / 2, Flags: flags}
	}
	near := rushgate.Entity{ID: 2, X: fieldSize/2 + 2, Y: fieldSize / 2}
	aside := rushgate.Entity{ID: 4, X: fieldSize/2 + 6, Y: fieldSize/2 + 8}
	far := rushgate.Entity{ID: 3, X: fieldSize / 2, Y: fieldSize/2 + 5, Flags: flagIt}
	for name, tt := range map[string]struct {
		self   rushgate.Entity
		others []rushgate.Entity
		want   rushgate.Intent
	}{
		"alone":             {me(flagIt), nil, rushgate.Intent{}},
		"after the nearest": {me(flagIt), []rushgate.Entity{near, far}, rushgate.Intent{MoveX: 1}},
		"straight":          {me(flagIt), []rushgate.Entity{aside}, rushgate.Intent{MoveX: 0.6, MoveY: 0.8}},
		"away from it":      {me(0), []rushgate.Entity{near, far}, rushgate.Intent{MoveY: -1}},
		"nobody is it":      {me(0), []rushgate.Entity{near}, rushgate.Intent{}},
	} {
		if got := steer(&client.View{Self: tt.self, Entities: tt.others}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
