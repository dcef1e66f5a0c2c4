package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

var identityCases = []testCase{
	{"ClaimedLeadsToThePlayer", identityClaimed},
	{"HoldIsKept", identityHold},
	{"FreedOnlyByItsOwner", identityFreed},
	{"OfClaimersAtOnceOneWins", identityRace},
	{"BoundsAreNamed", badIdentityClaims},
	{"DurableAcrossReopen", identityReopen},
	{"Model", identityModel},
}

func guestKey(n int) rushgate.IdentityKey { return rushgate.NewIdentityKey("guest", "", fmt.Sprint(n)) }

// claimIdentities checks who has the identities after claims, also when asked.
func claimIdentities(t *testing.T, s rushgate.Store, want []rushgate.PlayerID, claims ...rushgate.IdentityClaim) {
	t.Helper()
	keys := make([]rushgate.IdentityKey, len(claims))
	for i, c := range claims {
		keys[i] = c.Key
	}
	got, err := s.ClaimIdentities(t.Context(), claims)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("ClaimIdentities(%v): %v, %v; want %v", claims, got, err, want)
	}
	wantOwners(t, s, want[len(want)-1:], keys[len(keys)-1])
}

func wantOwners(t *testing.T, s rushgate.Store, want []rushgate.PlayerID, keys ...rushgate.IdentityKey) {
	t.Helper()
	got, err := s.IdentityOwners(t.Context(), keys)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("IdentityOwners: %v, %v; want %v", got, err, want)
	}
}

func identityClaimed(t *testing.T, h Harness) {
	s := h.open(t)
	wantOwners(t, s, []rushgate.PlayerID{0, 0}, guestKey(1), guestKey(2))
	claimIdentities(t, s, []rushgate.PlayerID{1, 2, 1, 1},
		rushgate.IdentityClaim{Key: guestKey(1), Player: 1},
		rushgate.IdentityClaim{Key: guestKey(2), Player: 2},
		rushgate.IdentityClaim{Key: guestKey(3), Player: 1}, // one player may have many
		rushgate.IdentityClaim{Key: guestKey(1), Player: 1}) // repeated
	claimIdentities(t, s, []rushgate.PlayerID{1}, rushgate.IdentityClaim{Key: guestKey(1), Player: 3})
	wantOwners(t, s, []rushgate.PlayerID{2, 1, 0, 2}, guestKey(2), guestKey(1), guestKey(4), guestKey(2))
	wantOwners(t, s, nil)
	if owners, err := s.ClaimIdentities(t.Context(), nil); len(owners) != 0 || err != nil {
		t.Errorf("no claims: %v, %v", owners, err)
	}
}

func identityHold(t *testing.T, h Harness) {
	s := h.open(t)
	first := rushgate.IdentityClaim{Key: guestKey(1), Player: 1}
	second := rushgate.IdentityClaim{Key: guestKey(1), Player: 2, Replaces: 1}
	claimIdentities(t, s, []rushgate.PlayerID{1}, first)
	h.Advance(rushgate.IdentityHold - time.Millisecond)
	claimIdentities(t, s, []rushgate.PlayerID{1}, second)
	claimIdentities(t, s, []rushgate.PlayerID{1}, first) // the hold begins anew
	h.Advance(rushgate.IdentityHold - time.Millisecond)
	claimIdentities(t, s, []rushgate.PlayerID{1}, second)
	h.Advance(time.Millisecond)
	claimIdentities(t, s, []rushgate.PlayerID{1},
		rushgate.IdentityClaim{Key: guestKey(1), Player: 3, Replaces: 4}) // has found another there
	claimIdentities(t, s, []rushgate.PlayerID{1}, rushgate.IdentityClaim{Key: guestKey(1), Player: 3})
	claimIdentities(t, s, []rushgate.PlayerID{2}, second)
	claimIdentities(t, s, []rushgate.PlayerID{2}, second) // repeated
	claimIdentities(t, s, []rushgate.PlayerID{2}, first)
}

func identityFreed(t *testing.T, h Harness) {
	s := h.open(t)
	free := rushgate.IdentityClaim{Key: guestKey(1), Replaces: 1}
	claimIdentities(t, s, []rushgate.PlayerID{0}, free) // is nobody's
	claimIdentities(t, s, []rushgate.PlayerID{1}, rushgate.IdentityClaim{Key: guestKey(1), Player: 1})
	claimIdentities(t, s, []rushgate.PlayerID{1}, rushgate.IdentityClaim{Key: guestKey(1), Replaces: 2})
	claimIdentities(t, s, []rushgate.PlayerID{0}, free)
	claimIdentities(t, s, []rushgate.PlayerID{0}, free)
	claimIdentities(t, s, []rushgate.PlayerID{2}, rushgate.IdentityClaim{Key: guestKey(1), Player: 2})
	claimIdentities(t, s, []rushgate.PlayerID{2}, free)
}

func identityRace(t *testing.T, h Harness) {
	s := h.open(t)
	const claimers = 8
	owners := make([]rushgate.PlayerID, claimers)
	var wg sync.WaitGroup
	for i := range claimers {
		wg.Go(func() {
			got, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{
				{Key: guestKey(1), Player: rushgate.PlayerID(i + 1)},
			})
			if err != nil {
				t.Error(err)
				return
			}
			owners[i] = got[0]
		})
	}
	wg.Wait()
	for _, owner := range owners {
		if owner == 0 || owner != owners[0] {
			t.Fatalf("of claimers at once each was told: %v", owners)
		}
	}
	wantOwners(t, s, owners[:1], guestKey(1))
}

func badIdentityClaims(t *testing.T, h Harness) {
	s := h.open(t)
	for name, bad := range map[string]rushgate.IdentityClaim{
		"nobody":          {Key: guestKey(1)},
		"replace oneself": {Key: guestKey(1), Player: 1, Replaces: 1},
	} {
		good := rushgate.IdentityClaim{Key: guestKey(2), Player: 1}
		if owners, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{good, bad}); err == nil {
			t.Errorf("%s: %v", name, owners)
		}
		wantOwners(t, s, []rushgate.PlayerID{0}, guestKey(2))
	}
}

func identityReopen(t *testing.T, h Harness) {
	s := h.open(t)
	claimIdentities(t, s, []rushgate.PlayerID{1}, rushgate.IdentityClaim{Key: guestKey(1), Player: 1})
	s = h.reopen(t, s)
	wantOwners(t, s, []rushgate.PlayerID{1, 0}, guestKey(1), guestKey(2))
}

// identityModel compares a store with a map, over claims in any order and time.
func identityModel(t *testing.T, h Harness) {
	s := h.open(t)
	const identities, players = 3, 3
	type state struct {
		owner rushgate.PlayerID
		held  time.Duration
	}
	var now time.Duration
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		model := make(map[rushgate.IdentityKey]state)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			advance := rapid.SampledFrom([]time.Duration{0, rushgate.IdentityHold / 2, rushgate.IdentityHold}).Draw(t, "advance")
			h.Advance(advance)
			now += advance
			c := rushgate.IdentityClaim{
				Key:      guestKey(1000*round + rapid.IntRange(1, identities).Draw(t, "identity")),
				Player:   rushgate.PlayerID(rapid.IntRange(0, players).Draw(t, "player")),
				Replaces: rushgate.PlayerID(rapid.IntRange(0, players).Draw(t, "replaces")),
			}
			if c.Player == c.Replaces {
				continue
			}
			has := model[c.Key]
			switch {
			case c.Player == 0:
				if has.owner == c.Replaces {
					has = state{}
				}
			case has.owner == 0, has.owner == c.Player, has.owner == c.Replaces && now-has.held >= rushgate.IdentityHold:
				has = state{c.Player, now}
			}
			model[c.Key] = has
			owners, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{c})
			if err != nil || owners[0] != has.owner {
				t.Fatalf("%+v: %v, %v; want %d", c, owners, err, has.owner)
			}
		}
	})
}
