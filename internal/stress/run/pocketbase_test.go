package run

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads what PocketBase has written

	"github.com/rushgate/rushgate/internal/porttest"
	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// What a report says of PocketBase is what stands in PocketBase's own table and in its own log. RUSHGATE_POCKETBASE
// names its program; docs/comparison.md tells how to build it. TestServerThatWorksForThoseGone is the short version,
// with a stand-in.
func TestPocketBaseByItsOwnTable(t *testing.T) {
	program := os.Getenv("RUSHGATE_POCKETBASE")
	if program == "" {
		t.Skip("RUSHGATE_POCKETBASE does not name the program of PocketBase")
	}
	for name, tt := range map[string]struct {
		clients int
		try     time.Duration
	}{
		"tries of 30 s": {100, 30 * time.Second}, "tries of 2 s": {100, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			pb := startPocketBase(t, program)
			rep := mustRun(t, t.Context(), Config{
				Target: pb.url, Clients: tt.clients, Prefix: "drill", MaxRetries: -1, TryTimeout: tt.try,
				Adapter: adapter.Config{Kind: adapter.PocketBase, OperatorToken: pb.token},
			})
			pb.stop(t)
			s := rep.Settled
			if s == nil || s.Accounts == nil || s.ForThoseGone == nil || s.Late == nil {
				t.Fatalf("settled %+v, notes %q", s, rep.Notes)
			}
			rows := pb.rows(t, `SELECT count(*) FROM users WHERE email LIKE 'drill-0%'`, "data.db")
			made := pb.answered(t, "/api/collections/users/records", http.MethodPost)
			logins := pb.answered(t, "/api/collections/users/auth-with-password", http.MethodPost)
			var text strings.Builder
			if err := rep.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d rows, and in the log %d registrations and %d logins with status 200\n%s", rows, made, logins, &text)
			if *s.Accounts != rows || made != rows+1 { // and that of the account that finds out whether the server is idle
				t.Errorf("the report counts %d accounts, the table %d, the log %d registrations", *s.Accounts, rows, made)
			}
			if rows != rep.OK+*s.ForThoseGone || rep.OK > logins {
				t.Errorf("%d rows, %d in, %d of those gone; %d logins in the log", rows, rep.OK, *s.ForThoseGone, logins)
			}
			known := rep.OK + rep.TimedOut + rep.Dropped + rep.Busy + rep.RateLimited + rep.Expired + failed(rep)
			if known != tt.clients {
				t.Errorf("%d of %d players are accounted for", known, tt.clients)
			}
			if rep.Subject.Hash != "bcrypt, cost 10" {
				t.Errorf("hash %q", rep.Subject.Hash)
			}
		})
	}
}

func failed(rep *report.Report) (sum int) {
	for _, n := range rep.Failed {
		sum += n
	}
	return sum
}

// pocketBase is a running PocketBase.
type pocketBase struct {
	url, dir, token string
	cmd             *exec.Cmd
	stopped         bool
}

func startPocketBase(t *testing.T, program string) *pocketBase {
	t.Helper()
	const email, secret = "operator@example.org", "operator-of-a-drill"
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), program, "superuser", "upsert", email, secret, "--dir", dir).
		CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := porttest.Addr(t)
	pb := &pocketBase{
		url: "http://" + address, dir: dir, cmd: exec.Command(program, "serve", "--http", address, "--dir", dir),
	}
	if err := pb.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pb.stop(t) })
	body, err := json.Marshal(map[string]string{"identity": email, "password": secret})
	if err != nil {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for pb.token == "" {
		pb.token = logIn(pb.url, body)
		if pb.token == "" && !sleep(deadline, 100*time.Millisecond) {
			t.Fatal("PocketBase lets its superuser not in")
		}
	}
	return pb
}

// logIn returns the superuser's token, "" if there is none yet.
func logIn(url string, body []byte) string {
	url += "/api/collections/_superusers/auth-with-password"
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return ""
	}
	return answer.Token
}

// stop ends the process, which writes its log before.
func (pb *pocketBase) stop(t *testing.T) {
	t.Helper()
	if pb.stopped {
		return
	}
	pb.stopped = true
	if err := pb.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = pb.cmd.Wait() // however it ended
}

// rows returns the one number that a query has.
func (pb *pocketBase) rows(t *testing.T, query, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(pb.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// answered returns how many requests the log has that were answered with 200.
func (pb *pocketBase) answered(t *testing.T, path, method string) int {
	t.Helper()
	return pb.rows(t, fmt.Sprintf(`SELECT count(*) FROM _logs WHERE json_extract(data, '$.url') = '%s' AND`+
		` json_extract(data, '$.method') = '%s' AND json_extract(data, '$.status') = 200`, path, method), "auxiliary.db")
}
