package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/server"
)

// How long a node takes to say no to a token tells nothing of the player whom it names: a stranger who measures guesses
// no better than by chance. Since the clock is the wall's, this is no test for every day; what a token costs is counted
// in TestForgedTokensLearnAndCostNothing of package auth.
func TestRefusedTokensTakeTheSameTime(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it")
	}
	everyStore := map[string]func(t *testing.T) server.Config{
		"sqlite": func(t *testing.T) server.Config { return config(t, t.TempDir()) },
		"redis":  func(t *testing.T) server.Config { return onRedis(t, redistest.Start(t)) },
	}
	for store, configured := range everyStore {
		t.Run(store, func(t *testing.T) {
			cfg := configured(t)
			cfg.OriginFailures = -1
			s := start(t, cfg)
			join(t, s, "inside-with-a-device")
			left, _ := join(t, s, "outside-with-a-device")
			call(t, s, "POST /v1/logout", "", left).want(t, "logout", 204)
			for _, known := range []string{"inside-with-a-device", "outside-with-a-device"} {
				t.Run(known, func(t *testing.T) {
					measureTokens(t, s, known)
				})
			}
		})
	}
}

// measureTokens compares tokens of a name with those of a name that there is not, of the same length.
func measureTokens(t *testing.T, s *server.Server, known string) {
	const tries = 2000
	unknown := "x" + known[1:]
	for kind, body := range map[string]func(name string) string{
		"resume":  func(name string) string { return resumeBy(token.NewResume(name).Text(), "a") },
		"session": func(name string) string { return fmt.Sprintf(`{"session_token":%q}`, token.NewSession(name).Text()) },
	} {
		var took [2][]time.Duration
		var mu sync.Mutex
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for i, first := 0, 0; i < 2*tries/8; i++ {
					if i%2 == 0 {
						first = rand.IntN(2)
					}
					which := (first + i) % 2
					request := body([]string{known, unknown}[which])
					began := time.Now()
					a := call(t, s, "POST /v1/resume", request, "")
					d := time.Since(began)
					if a.status != 401 {
						t.Errorf("%d %s", a.status, a.raw)
						return
					}
					mu.Lock()
					took[which] = append(took[which], d)
					mu.Unlock()
				}
			})
		}
		clients.Wait()
		slices.Sort(took[0])
		slices.Sort(took[1])
		figure := auc(took[0], took[1])
		t.Logf("%s tokens: AUC %.3f, medians %v and %v", kind, figure, took[0][len(took[0])/2], took[1][len(took[1])/2])
		if figure < 0.45 || figure > 0.55 {
			t.Errorf("%s tokens of a known name can be told from others: AUC %.3f", kind, figure)
		}
	}
}

// auc returns how probably one of a takes longer than one of b, both sorted; those that take the same count half.
func auc(a, b []time.Duration) float64 {
	wins := 0.0
	for _, x := range a {
		less, _ := slices.BinarySearch(b, x)
		most, _ := slices.BinarySearch(b, x+1)
		wins += float64(less) + float64(most-less)/2
	}
	return wins / float64(len(a)*len(b))
}
