package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/redistest"
)

const oldPlayers = "../../internal/importer/oldgame/testdata/redis-records.jsonl"

// runImport runs "rushgate import redis".
func runImport(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), append([]string{"import", "redis"}, args...), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

func TestImportFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	runImport(t, "--file", oldPlayers, "--data", dir, "--dry-run").want(t, 0, "would do  7 accounts", "")
	if _, err := os.Stat(dir); err == nil {
		t.Error("the dry run made a data folder")
	}
	runImport(t, "--file", oldPlayers, "--data", dir).want(t, 0, "imported  7 accounts, 1 of them without a character", "")
	runImport(t, "--file", oldPlayers, "--data", dir).want(t, 0, "present   7 accounts", "")
	if a := storedAccount(t, dir, "carol_99"); a.ID != 14 || a.Version != 3 {
		t.Errorf("carol_99 is player %d of version %d", a.ID, a.Version)
	}
	runAccount(t, "", "show", "frank", "--data", dir).want(t, 0, "frank", "")
	// A player who registers now gets an id of their own.
	runAccount(t, "correct horse", "create", "grace", "--data", dir).want(t, 0, "created player 19, grace", "")
}

func TestImportRefusals(t *testing.T) {
	dir := t.TempDir()
	records, err := os.ReadFile(oldPlayers)
	if err != nil {
		t.Fatal(err)
	}
	path, report := filepath.Join(dir, "players.jsonl"), filepath.Join(dir, "report.json")
	bad := `{"key":"account:\u001b[2Jeve","value":"(:VERSION #.(quit))"}` + "\n"
	if err := os.WriteFile(path, append([]byte(bad), records...), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runImport(t, "--file", path, "--data", filepath.Join(dir, "data"), "--json", report)
	o.want(t, 1, "imported  7 accounts", "not all records were imported: 1 were refused")
	o.want(t, 1, `line 1: "account:\x1b[2Jeve": malformed: line 1, column 11: #. asks for evaluation`, "")
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var r importer.Report
	if err := json.Unmarshal(b, &r); err != nil || r.Imported != 7 || r.RefusedBy[importer.Malformed] != 1 || r.Refusals[0].Line != 1 {
		t.Errorf("the report is %s, %v", b, err)
	}
}

// A node that has begun to take players cannot be given the old ones: their ids are in use.
func TestImportTooLate(t *testing.T) {
	dir := t.TempDir()
	runAccount(t, "correct horse", "create", "grace", "--data", dir).want(t, 0, "created player 1", "")
	runImport(t, "--file", oldPlayers, "--data", dir).want(t, 1, "imported  0 accounts", "import into an empty store")
}

func TestImportRedisToRedis(t *testing.T) {
	old, fresh := redistest.Start(t), redistest.Start(t)
	records, err := os.ReadFile(oldPlayers)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(records) {
		var r struct{ Key, Value string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if err := old.Do("SET", r.Key, r.Value).Error(); err != nil {
			t.Fatal(err)
		}
	}
	to := []string{"--from", old.URL(), "--db", "redis", "--redis-url", fresh.URL()}
	runImport(t, append(to, "--dry-run")...).want(t, 0, "would do  7 accounts", "")
	runImport(t, to...).want(t, 0, "imported  7 accounts", "")
	runImport(t, to...).want(t, 0, "present   7 accounts", "")
	// The old game's own server will do as well: its keys are left alone.
	runImport(t, "--from", old.URL(), "--db", "redis", "--redis-url", old.URL()).want(t, 0, "imported  7 accounts", "")
	runImport(t, "--from", old.URL(), "--db", "redis", "--redis-url", old.URL()).want(t, 0, "read      7 accounts and 6 characters", "")
}

func TestImportUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                           "either --file or --from",
		"--file a --from redis://b":  "either --file or --from",
		"--file a --world /none":     "--world: ",
		"--file a --db memory":       "must be one of sqlite, redis",
		"--file a surplus":           "unexpected argument \"surplus\"",
		"--file /none":               "no such file",
		"--from http://old:6379":     "not a URL such as redis://",
		"--from redis://127.0.0.1:1": "connect to Redis",
	} {
		t.Run(args, func(t *testing.T) {
			o := runImport(t, strings.Fields(args)...)
			if o.status == 0 || !strings.Contains(o.stderr, want) {
				t.Errorf("status %d, %s, want %s", o.status, o.stderr, want)
			}
		})
	}
	runImport(t, "--help").want(t, 0, "Stop the old game first", "")
	runImport(t, "--help").want(t, 0, "[MMORPG_IMPORT_REDIS_URL]", "")
	var stdout bytes.Buffer
	if status := run(t.Context(), []string{"import", "--help"}, &stdout, &stdout); status != 0 || !strings.Contains(stdout.String(), "redis") {
		t.Errorf("status %d, %s", status, stdout.String())
	}
}

func TestImportProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		p := startImportProgress(&w)
		p.set(importer.Progress{Done: 1, Total: 4})
		time.Sleep(plainProgress + time.Millisecond)
		synctest.Wait()
		p.set(importer.Progress{Writing: true, Done: 300, Total: 400, Refused: 2})
		time.Sleep(plainProgress)
		p.stop()
		want := "[IMPORT] reading  25%, 0 refused\n[IMPORT] writing  75% 300 of 400 accounts, 60/s, 2 refused\n"
		if w.String() != want {
			t.Errorf("got %q, want %q", w.String(), want)
		}
	})
	got := progressLine(importer.Progress{Writing: true, Done: 100, Total: 400}, 2*time.Second, true)
	if want := "writing [##########..............................]  25% 100 of 400 accounts, 50/s, 0 refused"; got != want {
		t.Errorf("the bar is %s, want %s", got, want)
	}
}
