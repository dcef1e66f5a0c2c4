package auth

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

const testLife = 30 * 24 * time.Hour

// use is a usage at some time after an arbitrary beginning.
func use(attempt string, after time.Duration) usage {
	now := time.UnixMilli(1_800_000_000_000).Add(after)
	return usage{attempt: attempt, now: now, life: testLife, salt: token.NewSalt()}
}

func TestResumeTokensAreJudged(t *testing.T) {
	first := token.NewResume("alice")
	fresh := remember(nil, first, "phone", use("login", 0))
	used := present(fresh, first, use("a", time.Hour))
	if used.verdict != rotated {
		t.Fatalf("the first use: %v", used.verdict)
	}
	again := present(used.devices, used.next, use("b", 2*time.Hour))
	forged := first
	for forged == first || forged.Device() != first.Device() { // of the same device
		forged = first.Next(token.NewSalt(), "x")
	}
	otherEpoch := use("c", time.Hour)
	otherEpoch.epoch = 1
	damaged := slices.Clone(used.devices)
	damaged[0].Salt = ""
	tests := []struct {
		name    string
		devices []rushgate.Device
		token   token.Resume
		use     usage
		want    verdict
	}{
		{"good", fresh, first, use("a", 0), rotated},
		{"good to the last moment", fresh, first, use("a", testLife-time.Millisecond), rotated},
		{"expired", fresh, first, use("a", testLife), over},
		{"of another epoch", fresh, first, otherEpoch, over},
		{"no devices", nil, first, use("a", 0), notKnown},
		{"of another device", fresh, token.NewResume("alice"), use("a", 0), notKnown},
		{"never the device's", fresh, forged, use("a", 0), reused},
		{"never the device's, which is expired", fresh, forged, use("a", testLife), notKnown},
		{"never the device's, by the attempt that was last", fresh, forged, use("login", 0), reused},
		{"the answer was lost", used.devices, first, use("a", time.Hour), repeated},
		{"the answer was lost long ago", used.devices, first, use("a", time.Hour+testLife-time.Millisecond), repeated},
		{"the answer was lost, too long ago", used.devices, first, use("a", time.Hour+testLife), over},
		{"replaced", used.devices, first, use("b", time.Hour), reused},
		{"replaced twice", again.devices, first, use("a", time.Hour), reused},
		{"the next", used.devices, used.next, use("b", time.Hour), rotated},
		{"the next, by the same attempt", used.devices, used.next, use("a", time.Hour), rotated},
		{"slides", used.devices, used.next, use("b", time.Hour+testLife-time.Millisecond), rotated},
		{"the salt is lost", damaged, first, use("a", time.Hour), reused},
	}
	for _, tt := range tests {
		before := slices.Clone(tt.devices)
		got := present(tt.devices, tt.token, tt.use)
		if got.verdict != tt.want {
			t.Errorf("%s: verdict %d, want %d", tt.name, got.verdict, tt.want)
		}
		if !slices.Equal(before, tt.devices) {
			t.Errorf("%s: the account's devices were changed in place", tt.name)
		}
		if tt.want == repeated && got.next != used.next {
			t.Errorf("%s: another answer than the one that was lost", tt.name)
		}
		if changes := tt.want == rotated || tt.want == reused; (got.devices != nil) != changes {
			t.Errorf("%s: devices %v", tt.name, got.devices)
		}
		if tt.want == reused && (len(got.devices) != 0 || got.attempt != tt.devices[0].Attempt) {
			t.Errorf("%s: %d devices are left, the session of %q ends", tt.name, len(got.devices), got.attempt)
		}
	}
}

func TestRememberedDevices(t *testing.T) {
	var devices []rushgate.Device
	var tokens []token.Resume
	for i := range rushgate.MaxDevices {
		tokens = append(tokens, token.NewResume("alice"))
		devices = remember(devices, tokens[i], fmt.Sprint(i), use(fmt.Sprint("login-", i), time.Duration(i)*time.Hour))
	}
	labels := func(devices []rushgate.Device) (s []string) {
		for _, d := range devices {
			s = append(s, d.Label)
		}
		slices.Sort(s)
		return s
	}
	full := present(devices, tokens[0], use("use", 10*time.Hour)).devices // so that 1 is the one used least recently
	next := token.NewResume("alice")
	if got := labels(remember(full, next, "new", use("login-8", 11*time.Hour))); !slices.Equal(got,
		[]string{"0", "2", "3", "4", "5", "6", "7", "new"}) {
		t.Errorf("one too many: %v", got)
	}
	if got := labels(remember(full, next, "new", use("login-5", 11*time.Hour))); !slices.Equal(got,
		[]string{"0", "1", "2", "3", "4", "6", "7", "new"}) {
		t.Errorf("the same attempt once more: %v", got)
	}
	if got := labels(remember(full, next, "new", use("login-8", 3*time.Hour+testLife))); !slices.Equal(got,
		[]string{"0", "4", "5", "6", "7", "new"}) {
		t.Errorf("after some have expired: %v", got)
	}
	if left, ok := forget(full, tokens[3], use("x", 11*time.Hour)); !ok ||
		!slices.Equal(labels(left), []string{"0", "1", "2", "4", "5", "6", "7"}) {
		t.Errorf("forgotten: %v, %v", labels(left), ok)
	}
	if _, ok := forget(full, next, use("x", 11*time.Hour)); ok {
		t.Error("a device was forgotten that there is not")
	}
}

// Whatever honest clients and thieves do, in whatever order and with whatever answers lost: a client that is alone with
// its token always comes in, and once a thief and the owner have both used one token, neither comes in again with it or
// with what came of it.
func TestResumeTokensOfHonestClientsAndThieves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type holder struct {
			token   token.Resume
			attempt string // under way, its answer lost
			family  int
		}
		var devices []rushgate.Device
		var holders []*holder
		var stolen []bool // by family: somebody besides the owner has had a token
		clock := time.Duration(0)
		t.Repeat(map[string]func(*rapid.T){
			"login": func(t *rapid.T) {
				if len(stolen) == rushgate.MaxDevices {
					t.Skip("no device is to be pushed out")
				}
				h := &holder{token: token.NewResume("alice"), family: len(stolen)}
				devices = remember(devices, h.token, "x", use(fmt.Sprint("login-", len(stolen)), clock))
				holders, stolen = append(holders, h), append(stolen, false)
			},
			"steal": func(t *rapid.T) {
				if len(holders) == 0 {
					t.Skip("there is nothing to steal")
				}
				thief := *rapid.SampledFrom(holders).Draw(t, "from")
				thief.attempt = ""
				stolen[thief.family] = true
				holders = append(holders, &thief)
			},
			"resume": func(t *rapid.T) {
				if len(holders) == 0 {
					t.Skip("there is nothing to resume")
				}
				clock += time.Hour
				h := rapid.SampledFrom(holders).Draw(t, "who")
				if h.attempt == "" {
					h.attempt = rapid.StringMatching("[a-z]{26}").Draw(t, "attempt")
				}
				got := present(devices, h.token, use(h.attempt, clock))
				switch got.verdict {
				case rotated:
					devices = got.devices
				case reused:
					devices = got.devices
					if find(devices, h.token.Device()) >= 0 {
						t.Fatal("a token was reused, and its family goes on")
					}
				}
				honest := !stolen[h.family]
				if comesIn := got.verdict == rotated || got.verdict == repeated; honest && !comesIn {
					t.Fatalf("an honest client does not come in: %d", got.verdict)
				}
				if rapid.Bool().Draw(t, "the answer arrives") && got.next != (token.Resume{}) {
					h.token, h.attempt = got.next, ""
				}
			},
			"": func(t *rapid.T) { // the invariants
				seen := make(map[string]bool)
				for _, d := range devices {
					if seen[d.ID] || d.Token == d.Previous || !d.UsedAt.Before(d.ExpiresAt) {
						t.Fatalf("device %+v", d)
					}
					seen[d.ID] = true
				}
				var current [rushgate.MaxDevices]map[token.Resume]bool
				for _, h := range holders { // of all who have a family's tokens, those with one token may come in by it
					if present(devices, h.token, use("invariant", clock)).verdict == rotated {
						if current[h.family] == nil {
							current[h.family] = make(map[token.Resume]bool)
						}
						current[h.family][h.token] = true
					}
				}
				for f := range current {
					if len(current[f]) > 1 {
						t.Fatalf("%d tokens of a family are good at once", len(current[f]))
					}
				}
			},
		})
	})
}
