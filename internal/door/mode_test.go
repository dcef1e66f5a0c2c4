package door

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/store/memory"
)

// decided returns the rules of a fleet, which change sets.
func decided(t *testing.T) *access.Keeper {
	t.Helper()
	store := memory.New(memory.Options{})
	t.Cleanup(func() { store.Close() })
	return access.New(access.Config{Store: store})
}

func set(t *testing.T, k *access.Keeper, s access.State) {
	t.Helper()
	if _, err := k.SetMode(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// crowdAtDoors is a crowd at doors that an operator can close.
func crowdAtDoors(t *testing.T, rate int) (*crowd, *access.Keeper) {
	k := decided(t)
	return newCrowd(t, rate, func(c *Config) { c.Rules = k.Rules }), k
}

// An opening is no stampede, whenever it comes: those who have come to closed doors are let in at the door's pace and
// in their order, with and without tickets, before those who come then, and nobody is let in before.
func TestOpeningFlowsIntoTheLine(t *testing.T) {
	for name, opens := range map[string]time.Duration{
		"earlier than said": 2 * time.Hour, "later": 5 * time.Minute, "not said": 0,
	} {
		t.Run(name, func(t *testing.T) {
			const rate, early, late = 100, 3000, 300
			c, k := crowdAtDoors(t, rate)
			closed := access.State{Mode: rushgate.ModeClosed}
			if opens > 0 {
				closed.OpensAt = c.now.Add(opens)
			}
			set(t, k, closed)
			for i := range early {
				v := c.add(addr(i), fmt.Sprintf("early-%d", i), time.Duration(i)*20*time.Millisecond)
				v.tickets = i%10 != 0
				if !v.tickets { // those who know nothing of tickets come back when they are told to, a while after the others
					v.after = func(told time.Duration) time.Duration { return min(told, time.Minute) }
				}
			}
			c.run(t, 10*time.Minute)
			if _, out := waits(c.clients, func(v *visitor) time.Time { return c.now }); out != early {
				t.Fatalf("%d were let in at closed doors", early-out)
			}
			set(t, k, access.State{Mode: rushgate.ModeOpen})
			opened := c.now
			for i := range late {
				c.add(addr(early+i), fmt.Sprintf("late-%d", i), time.Duration(i)*10*time.Millisecond).tickets = true
			}
			c.run(t, 10*time.Minute)
			all, out := waits(c.clients, func(*visitor) time.Time { return opened })
			if out > 0 {
				t.Fatalf("%d of %d are still outside", out, early+late)
			}
			last := all[len(all)-1]
			if least := (early + late) / rate * time.Second; last < least || last > 7*time.Minute {
				t.Errorf("the last came in after %v, want %v or more, as it is served, and the longest pause at most", last, least)
			}
			tries := 0
			for _, v := range c.clients[:early] {
				tries += v.tries
			}
			if most := early * 20; tries > most {
				t.Errorf("they have knocked %d times, %d at most", tries, most)
			}
		})
	}
}

// Those who wait when the doors are closed keep their places, and those who were called come in when they open.
func TestPlacesOutlastClosedDoors(t *testing.T) {
	c, k := crowdAtDoors(t, 10)
	for i := range 600 {
		c.add(addr(i), fmt.Sprintf("p%d", i), 0).tickets = true
	}
	c.run(t, 20*time.Second)
	before, out := waits(c.clients, func(*visitor) time.Time { return c.now })
	if len(before) == 0 || out == 0 {
		t.Fatalf("%d are in, %d wait", len(before), out)
	}
	set(t, k, access.State{Mode: rushgate.ModeClosed})
	c.run(t, 25*time.Minute) // longer than a turn is good for
	_, still := waits(c.clients, func(*visitor) time.Time { return c.now })
	if still < out-200 { // but for those in the queue
		t.Fatalf("%d came in at closed doors", out-still)
	}
	set(t, k, access.State{Mode: rushgate.ModeOpen})
	c.run(t, 10*time.Minute)
	if _, out := waits(c.clients, func(*visitor) time.Time { return c.now }); out != 0 {
		t.Errorf("%d are still outside", out)
	}
	if lost := c.Stats().Line.Expired; lost != 0 {
		t.Errorf("%d have lost their turns", lost)
	}
}

func TestStaffDoesNotStandInLine(t *testing.T) {
	c, k := crowdAtDoors(t, 100)
	if _, err := k.Edit(t.Context(), access.Staff, []string{"ann"}, nil); err != nil {
		t.Fatal(err)
	}
	set(t, k, access.State{Mode: rushgate.ModeClosed})
	for i := range 50 {
		v := c.add(addr(i), fmt.Sprintf("p%d", i), 0)
		v.tickets = true
		// For staff alone there are no places to be told of.
		v.after = func(told time.Duration) time.Duration { return max(told, time.Second) }
	}
	c.run(t, time.Second)
	set(t, k, access.State{Mode: rushgate.ModeStaff})
	if seat, err := c.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "ann"}); err != nil {
		t.Errorf("staff: %v", err)
	} else {
		seat.Close(Inside)
	}
	c.run(t, 10*time.Minute)
	if _, out := waits(c.clients, func(*visitor) time.Time { return c.now }); out != 50 {
		t.Errorf("%d others came in", 50-out)
	}
	set(t, k, access.State{Mode: rushgate.ModeOpen})
	c.run(t, 10*time.Minute)
	if _, out := waits(c.clients, func(*visitor) time.Time { return c.now }); out != 0 {
		t.Errorf("%d are still outside after the opening", out)
	}
}

// Nobody comes past closed doors: with a token, from the world's line, or with a seat that is kept.
func TestAllWaysInHeedTheMode(t *testing.T) {
	k := decided(t)
	w := newBusyWorld(t, 1, func(c *Config) { c.Rules = k.Rules })
	first, second := newHopeful(1), newHopeful(2)
	if err := w.login(first); err != nil {
		t.Fatal(err)
	}
	if _, ok := second.told(w.login(second)); !ok {
		t.Fatal("the second has no place in the world's line")
	}
	w.leave(first, Silent) // whose seat is kept
	set(t, k, access.State{Mode: rushgate.ModeClosed, Message: "Later"})
	w.now = w.now.Add(time.Second)
	_, resumed := w.Resume(Knock{Addr: first.addr, Name: first.name, Want: Resume})
	_, continued := w.Resume(Knock{Addr: first.addr, Name: first.name, Want: Continue})
	for what, err := range map[string]error{
		"a login": w.login(first), "a resume": resumed, "a session that goes on": continued, "a turn": w.enter(second),
		"one that had a seat already": w.Barred(first.name),
	} {
		var r *rushgate.Refusal
		if !errors.As(err, &r) || r.Reason != rushgate.ServerBusy || r.Mode != rushgate.ModeClosed || r.Text != "Later" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if seat, err := w.Resume(Knock{Addr: first.addr, Name: first.name, Want: Forget}); err != nil {
		t.Errorf("a device that is to be forgotten: %v", err)
	} else {
		seat.Close(Right)
	}
	if standing, _, _ := w.Ask(nil, first.addr, line.Holder{}, nil); standing == ComeIn {
		t.Error("who asks by UDP is told to come in")
	}
	w.now = w.now.Add(time.Hour)
	set(t, k, access.State{Mode: rushgate.ModeOpen})
	w.now = w.now.Add(time.Second)
	w.Move()
	w.now = w.now.Add(time.Second)
	if err := w.enter(second); err != nil {
		t.Errorf("after the opening: %v", err)
	}
}

func TestTheTimeOfOpeningIsWhenToComeBack(t *testing.T) {
	c, k := crowdAtDoors(t, 100)
	for until, want := range map[time.Duration][2]time.Duration{
		0: {unknownOpening, 2 * unknownOpening}, -time.Minute: {unknownOpening, 2 * unknownOpening},
		time.Hour: {time.Hour, time.Hour + openingSpread}, 100 * time.Hour: {latestReturn, latestReturn},
	} {
		s := access.State{Mode: rushgate.ModeClosed}
		if until != 0 {
			s.OpensAt = c.now.Add(until)
		}
		set(t, k, s)
		r, refused := c.TurnAway(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "ann"})
		if !refused || r.RetryAfter < want[0] || r.RetryAfter > want[1] {
			t.Errorf("opening in %v: to come back in %v, want %v", until, r.RetryAfter, want)
		}
	}
}

func TestDevicesOfPlayersInsideSurviveAHandover(t *testing.T) {
	c := newCrowd(t, 100, nil)
	d := access.DeviceOf("box")
	seat, err := c.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "ann", Device: d})
	if err != nil {
		t.Fatal(err)
	}
	seat.Close(Inside)
	next := newCrowd(t, 100, func(cfg *Config) { cfg.State = c.State() })
	want := From{netip.MustParsePrefix("192.0.2.1/32"), d}
	if got := next.Whence([]string{"ann", "bob"}); got[0] != want || got[1] != (From{}) {
		t.Errorf("they come from %+v, want %+v and nowhere", got, want)
	}
}
