package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
	"github.com/rushgate/rushgate/server"
)

// waitingAt returns how many wait in the line of a node, -1 if it does not say.
func waitingAt(base string) int {
	resp, err := http.Get(base + "/v1/line")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	var d struct {
		Waiting int `json:"waiting"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&d) != nil {
		return -1
	}
	return d.Waiting
}

// awaitLine returns once so many wait in the line of a node as ok says.
func awaitLine(t *testing.T, n *node, ok func(waiting int) bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !ok(waitingAt(n.http)); {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait in the line; the log says:\n%s", waitingAt(n.http), n.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stopCommits has a node commit nothing until the function that it returns is called: it holds a lock on the database,
// as an operator with the sqlite3 shell may.
func stopCommits(t *testing.T, dir string) (goOn func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, server.DatabaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		conn.Close()
		db.Close()
	})
}

// kill -9 while players wait in line: when the node is back, every ticket is honoured, and the order is kept. With
// RUSHGATE_LONG=1 it is a line of some minutes, and the node is killed three times.
func TestKill9KeepsTheLine(t *testing.T) {
	const queue = 32
	long := os.Getenv("RUSHGATE_LONG") != ""
	players, kills, iterations := 120, 1, "300000"
	if long {
		players, kills, iterations = 3000, 3, "1000000"
	}
	dir := t.TempDir()
	// An address of its own: no outgoing connection can take its ports while the node is away.
	start := func(httpAddr, udpAddr string) *node {
		return startNode(t, dir, "--http", httpAddr, "--udp", udpAddr, "--auth-workers", "1",
			"--auth-queue-max", strconv.Itoa(queue), "--password-hash-iterations", iterations)
	}
	n := start("127.77.0.1:0", "127.77.0.1:0")
	httpAddr, udpAddr := strings.TrimPrefix(n.http, "http://"), n.udp
	goOn := func() {}
	if !long { // so that the line does not end before it is seen
		goOn = stopCommits(t, dir)
		defer goOn()
	}
	var rep *report.Report
	var run sync.WaitGroup
	run.Go(func() {
		var err error
		rep, err = stress.Run(t.Context(), stress.Config{
			Target: n.http, Admin: n.admin, Clients: players, Line: stress.LineAuto, MaxRetries: 100, Timeout: 10 * time.Minute,
		})
		if err != nil {
			t.Error(err)
		}
	})
	defer run.Wait()
	for k := range kills {
		if long { // part of them are in, part in the queue, part in the line
			most := players * (kills - k) / (kills + 1)
			awaitLine(t, n, func(waiting int) bool { return k > 0 || waiting >= most })
			awaitLine(t, n, func(waiting int) bool { return waiting >= 0 && waiting <= most })
		} else {
			awaitLine(t, n, func(waiting int) bool { return waiting >= queue })
		}
		n.signal(t, syscall.SIGKILL)
		_ = n.wait(t) // it was killed, and says so
		goOn()
		n = start(httpAddr, udpAddr)
	}
	run.Wait()
	if rep == nil {
		return
	}
	var text strings.Builder
	_ = rep.WriteText(&text) // to memory
	l := rep.Line
	switch {
	case l == nil:
		t.Fatalf("no player had a place:\n%s", &text)
	case rep.OK != players || l.In != l.Placed || l.Placed < players/2 || l.TicketKnocks == 0:
		t.Errorf("not all are in:\n%s", &text)
	case len(l.PlacesLost) > 0:
		t.Errorf("places were lost:\n%s", &text)
	// Those who are called within some seconds come in any order: they ask once a second, and may find no room. So of the
	// short form, which lasts little longer, it is the first half of this that counts.
	case float64(l.OvertakenP99) > 2*report.Batch+6*rep.LoginsPerSecond:
		t.Errorf("the order was not kept:\n%s", &text)
	}
	t.Logf("%s", &text)
}
