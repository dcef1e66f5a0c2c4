package opaque

import (
	"errors"
	"testing"
	"time"
)

func stateID(n int) (id StateID) {
	id[0], id[1], id[2] = byte(n), byte(n>>8), byte(n>>16)
	return id
}

// However many states are used, so many are remembered and no more; each for as long as it lives.
func TestUsedIsBounded(t *testing.T) {
	const room = 100
	u, now := NewUsed(time.Minute, room), newClock().now
	for i := range room {
		if err := u.Take(stateID(i), now); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		if err := u.Take(stateID(room+i), now.Add(59*time.Second)); !errors.Is(err, ErrFull) {
			t.Fatalf("the %dth: %v", room+i, err)
		}
	}
	if err := u.Take(stateID(1), now.Add(119*time.Second)); !errors.Is(err, ErrUsed) {
		t.Errorf("used before: %v", err)
	}
	if u.Len() != room {
		t.Errorf("%d are remembered", u.Len())
	}
	if err := u.Take(stateID(1), now.Add(4*time.Minute)); err != nil || u.Len() != 1 {
		t.Errorf("after all have expired: %v, %d are remembered", err, u.Len())
	}
}

// A state is remembered for its life, whenever in the turns of the memory it was used.
func TestUsedRemembersForALife(t *testing.T) {
	for at := range 120 {
		u, start := NewUsed(time.Minute, 1000), newClock().now
		for s := 0; s <= at; s += 7 { // others meanwhile
			_ = u.Take(stateID(1000+s), start.Add(time.Duration(s)*time.Second))
		}
		used := start.Add(time.Duration(at) * time.Second)
		if err := u.Take(stateID(1), used); err != nil {
			t.Fatal(err)
		}
		for s := range 60 {
			_ = u.Take(stateID(2000+s), used.Add(time.Duration(s)*time.Second))
			if err := u.Take(stateID(1), used.Add(time.Duration(s)*time.Second)); !errors.Is(err, ErrUsed) {
				t.Fatalf("used at %d, and again %d seconds later: %v", at, s, err)
			}
		}
	}
}

func TestUsedWithAClockThatGoesBack(t *testing.T) {
	u, now := NewUsed(time.Minute, 10), newClock().now
	if err := u.Take(stateID(1), now); err != nil {
		t.Fatal(err)
	}
	if err := u.Take(stateID(1), now.Add(-time.Hour)); !errors.Is(err, ErrUsed) {
		t.Errorf("an hour back: %v", err)
	}
}
