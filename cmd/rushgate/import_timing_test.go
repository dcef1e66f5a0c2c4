package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// How long the refusal of a wrong password takes does not tell an imported account from a name that nobody has. Kinds
// that cannot be hidden are measured as well, for docs/import.md; RUSHGATE_KINDS has parts of the names of those to be
// measured, with commas between them.
func TestImportedKindsTakeTheSameTime(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it")
	}
	kinds := make(map[string]imported)
	for _, v := range vectors(t) {
		kind := proofOf(t, v).Scheme
		for part := range strings.SplitSeq(os.Getenv("RUSHGATE_KINDS"), ",") {
			if strings.Contains(kind, part) {
				kinds[kind] = v
			}
		}
	}
	dir, names := filepath.Join(t.TempDir(), "data"), slices.Sorted(maps.Keys(kinds))
	var all []imported // of each kind so many
	for i, kind := range names {
		for k := range copies {
			v := kinds[kind]
			v.As = fmt.Sprintf("player-%03d-%02d", i, k)
			all = append(all, v)
		}
	}
	runImportRecords(t, "--file", writeRecords(t, all), "--data", dir, "--password-hash-iterations",
		fmt.Sprint(password.DefaultIterations)).want(t, 0, fmt.Sprintf("imported  %d accounts", len(all)), "")
	hashes := storedHashes(t, dir, all)
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", DataDir: dir, OriginFailures: server.Unbounded,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	q := refusals{node: s}
	for i, kind := range names {
		slow := hasher.Slow(hashes[i*copies])
		figure, known, unknown := q.compare(t, i, 0, slow)
		if !slow && !noBetter(figure) { // which chance does not do again
			figure, known, unknown = q.compare(t, i, copies/2, slow)
		}
		of := proofOf(t, kinds[kind]).Recipe
		takes, tells := of.Cost(), of.Cost() >= hiddenBelow || of.Readings() > 1
		t.Logf("%-32s AUC %.3f, medians %8.3f and %8.3f ms; the old digest %v, slow lane %v", kind, figure,
			known.Seconds()*1e3, unknown.Seconds()*1e3, takes, slow)
		if !tells && !noBetter(figure) {
			t.Errorf("%s can be told from unknown names: AUC %.3f", kind, figure)
		}
	}
}

// hiddenBelow is what making an old digest may take for its kind to be hidden, if there is one reading of it.
const hiddenBelow = time.Millisecond

// noBetter reports whether somebody who measures guesses no better than by chance.
func noBetter(figure float64) bool { return figure >= 0.45 && figure <= 0.55 }

// refusals measures how long a node takes to refuse a password.
type refusals struct {
	node  *server.Server
	mu    sync.Mutex
	asked int // requests, each of which comes from an address of its own
}

const (
	// guesses is how often a name may be asked about, before it is guarded.
	guesses = door.SlowLimit - 2
	// copies is how many accounts there are of a kind, for it to be asked about twice, so often.
	copies, tries, slowTries = 2 * ((tries + guesses - 1) / guesses), 300, 20
)

// compare asks a node about accounts of a kind, and about names like theirs that nobody has, in turns. It returns how
// probably the former takes longer, and the medians. The first of the accounts is that of a number.
func (q *refusals) compare(t *testing.T, kind, first int, slow bool) (figure float64, known, unknown time.Duration) {
	t.Helper()
	tries, clients := tries, 8
	if slow {
		tries, clients = slowTries, 1
	}
	var took [2][]time.Duration
	var asking sync.WaitGroup
	for k := range clients {
		asking.Go(func() {
			for i := k; i < tries; i += clients {
				for j := range 2 {
					which := (i/clients + j) % 2 // each is asked about first as often as second
					d := q.ask(t, fmt.Sprintf("%clayer-%03d-%02d", "px"[which], kind, first+i/guesses))
					q.mu.Lock()
					took[which] = append(took[which], d)
					q.mu.Unlock()
				}
			}
		})
	}
	asking.Wait()
	slices.Sort(took[0])
	slices.Sort(took[1])
	wins := 0.0
	for _, d := range took[0] {
		less, _ := slices.BinarySearch(took[1], d)
		most, _ := slices.BinarySearch(took[1], d+1)
		wins += float64(less) + float64(most-less)/2
	}
	return wins / float64(tries*tries), took[0][tries/2], took[1][tries/2]
}

// ask tries a wrong password, and returns how long it takes to be told so.
func (q *refusals) ask(t *testing.T, name string) time.Duration {
	q.mu.Lock()
	q.asked++
	from := fmt.Sprintf("10.%d.%d.%d", q.asked>>16, q.asked>>8&255, q.asked&255)
	q.mu.Unlock()
	body := fmt.Sprintf(`{"username":%q,"password":"wrong horse"}`, name)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+q.node.HTTPAddr().String()+"/v1/login", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("X-Forwarded-For", from)
	start := time.Now()
	answer, err := http.DefaultClient.Do(r)
	took := time.Since(start)
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s from %s: %s", name, from, answer.Status)
	}
	return took
}
