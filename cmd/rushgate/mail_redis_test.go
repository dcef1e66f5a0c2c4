package main

import (
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/smtptest"
)

// Of two nodes on one Redis, one sends what players have asked for, once. One that is killed while a mail is on its way
// leaves it to the other, which sends it when nobody can be sending it any more: the player gets a mail that works,
// whether or not the server has kept the first.
func TestMailOfTwoNodes(t *testing.T) {
	const due = "rushgate:{rushgate:agenda}:due:mail"
	redis := redistest.Start(t)
	var hung atomic.Int32
	hangs, hanging := make(chan struct{}), new(atomic.Bool)
	by := smtptest.Start(t, smtptest.Config{Reply: func(command string) string {
		if command == "." && hanging.Load() && hung.Add(1) == 1 {
			close(hangs)
			return smtptest.Hang
		}
		return ""
	}})
	startOne := func() *node {
		return startNode(t, t.TempDir(), "--db", "redis", "--redis-url", redis.URL(), "--smtp-url", by.URL(),
			"--mail-from", "noreply@example.org")
	}
	first := startOne()
	one := newClient(t, first.http, client.Options{})
	session, err := one.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := session.SetEmail(t.Context(), "alice@example.org", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	hasten(t, redis, due)
	if err := session.VerifyEmail(t.Context(), codeIn(t, by.Await(1)[0])); err != nil {
		t.Fatal(err)
	}
	hanging.Store(true)
	if err := one.Recover(t.Context(), "alice", ""); err != nil {
		t.Fatal(err)
	}
	hasten(t, redis, due)
	<-hangs
	second := startOne()
	first.signal(t, syscall.SIGKILL)
	_ = first.wait(t) // killed

	left, err := redis.Do("ZRANGE", due, "0", "-1", "WITHSCORES").AsZScores()
	if err != nil || len(left) != 1 || left[0].Score < float64(time.Now().Add(time.Minute).UnixMilli()) {
		t.Fatalf("what is left to do is %+v, %v; want one mail, kept from other nodes for some minutes", left, err)
	}
	redis.Do("ZADD", due, strconv.FormatInt(time.Now().UnixMilli(), 10), left[0].Member) // some minutes pass
	two := newClient(t, second.http, client.Options{})
	if err := two.Recover(t.Context(), "nobody", ""); err != nil { // so that the node looks soon
		t.Fatal(err)
	}
	m := by.Await(2)[1]
	if m.To != "alice@example.org" {
		t.Fatalf("the mail is for %s", m.To)
	}
	if err := two.FinishRecovery(t.Context(), "alice", codeIn(t, m), "a better horse"); err != nil {
		t.Error(err)
	}
	third := startOne() // of two that run and look, one sends
	for who, n := range map[string]*node{"nobody": third, "alice": second} {
		if err := newClient(t, n.http, client.Options{}).Recover(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
	}
	hasten(t, redis, due)
	by.Await(3)
	for planned(t, redis, due) > 0 { // until it is noted that all is done
		time.Sleep(10 * time.Millisecond)
	}
	if mails := by.Mails(); len(mails) != 3 {
		t.Errorf("%d mails were sent, want 3", len(mails))
	}
}

// hasten has the mails that are to be sent in some seconds, by chance, be due now. One that a node is sending is left
// alone: it is kept from the others for minutes.
func hasten(t *testing.T, redis *redistest.Server, due string) {
	t.Helper()
	const script = `for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[2])) do
		redis.call('ZADD', KEYS[1], ARGV[1], id)
	end
	return 0`
	at := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	now := time.Now()
	if err := redis.Do("EVAL", script, "1", due, at(now), at(now.Add(10*time.Second))).Error(); err != nil {
		t.Fatal(err)
	}
}

// planned returns how many tasks there are.
func planned(t *testing.T, redis *redistest.Server, key string) int64 {
	t.Helper()
	n, err := redis.Do("ZCARD", key).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// codeIn returns the code in a mail.
func codeIn(t *testing.T, m smtptest.Mail) string {
	t.Helper()
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(m.Text)
	if code == "" {
		t.Fatalf("there is no code in %q", m.Text)
	}
	return code
}
