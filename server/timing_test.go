package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
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

// How long a login by OPAQUE takes to begin, and to fail, tells nothing of whether there is such an account, or a
// record.
func TestOpaqueTakesTheSameTime(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it")
	}
	opaqueEverywhere(t, server.OpaquePrefer, func(t *testing.T, o opaquely) {
		const names, triesEach = 500, 4 // as many as one name may have under way
		o.out(t, o.register(t, "template", "correct horse").text("session_token"))
		template := o.account(t, "template")
		accounts := make([]rushgate.Account, names)
		for i := range accounts {
			accounts[i] = rushgate.Account{
				ID: rushgate.PlayerID(10_000 + i), Username: fmt.Sprintf("k%06d", i), PasswordHash: password.Locked(),
				Credentials: template.Credentials, CreatedAt: time.Now(),
			}
		}
		if errs, err := o.store.CreateAccounts(t.Context(), accounts); err != nil || errs[0] != nil {
			t.Fatal(err, errs[0])
		}
		ke1, err := unstretched(t).GenerateKE1([]byte("guess"))
		if err != nil {
			t.Fatal(err)
		}
		var took [2][2][]time.Duration // by step, and by whether there is an account
		var mu sync.Mutex
		var clients sync.WaitGroup
		for client := range 4 {
			clients.Go(func() {
				for i := client; i < names*triesEach; i += 4 {
					first := rand.IntN(2)
					for _, which := range []int{first, 1 - first} {
						begun, failed := o.timed(t, fmt.Sprintf("%c%06d", "ku"[which], i%names), encode(ke1.Serialize()))
						mu.Lock()
						took[0][which], took[1][which] = append(took[0][which], begun), append(took[1][which], failed)
						mu.Unlock()
					}
				}
			})
		}
		clients.Wait()
		for step, name := range []string{"to begin", "to fail"} {
			known, unknown := took[step][0], took[step][1]
			slices.Sort(known)
			slices.Sort(unknown)
			figure := auc(known, unknown)
			t.Logf("%s: AUC %.3f, medians %v and %v of %d and %d", name, figure, known[len(known)/2], unknown[len(unknown)/2],
				len(known), len(unknown))
			if figure < 0.45 || figure > 0.55 {
				t.Errorf("names with an account can be told from others by the time that a login takes %s: AUC %.3f", name, figure)
			}
		}
	})
}

// timed has a login begin and fail, and returns how long each took.
func (o opaquely) timed(t *testing.T, name, ke1 string) (begun, failed time.Duration) {
	start := time.Now()
	b := call(t, o.s, "POST /v1/opaque/login/start", with(nil, "username", name, "ke1", ke1), "")
	begun = time.Since(start)
	b.want(t, "begin", 200)
	start = time.Now()
	body := with(nil, "username", name, "state", b.text("state"), "ke3", encode(make([]byte, 64)))
	call(t, o.s, "POST /v1/opaque/login/finish", body, "").want(t, "finish", 401)
	return begun, time.Since(start)
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
