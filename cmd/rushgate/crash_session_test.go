package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/redistest"
)

// ask sends a request to a node and returns the status and the answer.
func ask(t *testing.T, base, request, body, session string) (status int, answer map[string]any) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if session != "" {
		req.Header.Set("Authorization", "Bearer "+session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %s: %v", request, resp.Status, err)
	}
	return resp.StatusCode, answer
}

const aliceOnAPhone = `{"username":"alice","password":"correct horse","remember":"phone"}`

// kill -9 ends no session: with the next run of the node it goes on, at once and without a password.
func TestKill9EndsNoSession(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	status, in := ask(t, n.http, "POST /v1/register", aliceOnAPhone, "")
	if status != 201 {
		t.Fatalf("register: %d %v", status, in)
	}
	session := in["session_token"].(string)
	for round := range 3 {
		n.signal(t, syscall.SIGKILL)
		n.wait(t)
		n = startNode(t, dir)
		if status, c := ask(t, n.http, "POST /v1/connect", "", session); status != 200 || c["connect_token"] == nil {
			t.Fatalf("round %d: connect: %d %v", round, status, c)
		}
		if status, me := ask(t, n.http, "GET /v1/me", "", session); status != 200 || me["player_id"] != in["player_id"] {
			t.Fatalf("round %d: me: %d %v", round, status, me)
		}
	}
	n.signal(t, syscall.SIGKILL)
	n.wait(t)
	n = startNode(t, dir)
	resume := map[string]any{"resume_token": in["resume_token"], "attempt_id": "a", "takeover": true}
	body, err := json.Marshal(resume)
	if err != nil {
		t.Fatal(err)
	}
	status, back := ask(t, n.http, "POST /v1/resume", string(body), "")
	if status != 200 || back["player_id"] != in["player_id"] {
		t.Errorf("resume: %d %v", status, back)
	}
}

// A node that is killed is gone for the others after five seconds, and its players go on there.
func TestKill9LeavesPlayersToTheOtherNode(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("takes ten seconds; set RUSHGATE_LONG to run it. TestFleetKnowsWhoIsGone is the short one")
	}
	redis := redistest.Start(t)
	node := func() *node { return startNode(t, t.TempDir(), "--db", "redis", "--redis-url", redis.URL()) }
	here, there := node(), node()
	status, in := ask(t, here.http, "POST /v1/register", aliceOnAPhone, "")
	if status != 201 {
		t.Fatalf("register: %d %v", status, in)
	}
	session := in["session_token"].(string)
	here.signal(t, syscall.SIGKILL)
	here.wait(t)
	died := time.Now()
	for {
		status, me := ask(t, there.http, "GET /v1/me", "", session)
		if status == 200 {
			break
		}
		if status != 503 || time.Since(died) > time.Minute {
			t.Fatalf("after %v: %d %v", time.Since(died), status, me)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("the session goes on at the other node %v after the kill", time.Since(died).Round(100*time.Millisecond))
}
