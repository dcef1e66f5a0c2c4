package server_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// A node whose data folder is deleted under it says that it is not ready, and registers no player.
func TestDataFolderThatIsDeleted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let files that are open be deleted")
	}
	dir := filepath.Join(t.TempDir(), "data")
	cfg := config(t, dir)
	cfg.DrainTimeout = time.Second // there is nothing that the players could be saved in
	s := start(t, cfg)
	c := newClient(t, s, client.Options{})
	if _, err := c.Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bob", "carol"} {
		if _, err := c.Register(t.Context(), name, "correct horse"); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a registration without a database: %v", err)
		}
	}
	waitUntil(t, func() bool { // an answer from before the folder went holds for a second
		resp, err := http.Get("http://" + s.HTTPAddr().String() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	waitUntil(t, func() bool { return strings.Contains(metrics(t, s), sqlite.ErrGone.Error()) })
}

// waitUntil returns when something has come true.
func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not come true in a minute")
		}
	}
}

// A node does not begin empty where it had players, until it is told to.
func TestStartWithoutTheDatabase(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"deleted": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := server.RotateKeys(dir); err != nil { // an operator may make keys before the first start
				t.Fatal(err)
			}
			if err := start(t, config(t, dir)).Stop(); err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Join(dir, server.DatabaseName)); err != nil {
				t.Fatal(err)
			}
			_, err := server.Start(t.Context(), config(t, dir))
			if !errors.Is(err, sqlite.ErrMissing) || !strings.Contains(err.Error(), "node-id") {
				t.Fatalf("the start: %v", err)
			}
			for _, consent := range []string{"node-id", "rushgate.db.used"} {
				if err := os.Remove(filepath.Join(dir, consent)); err != nil {
					t.Fatal(err)
				}
			}
			start(t, config(t, dir))
		})
	}
}
