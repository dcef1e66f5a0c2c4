//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/server"
)

// fateVariable names a step of a hand-over and the signal that a process of a test sends itself there, once: "STEP=9"
// kills it. Only the tests' own binary looks at it.
const fateVariable = "RUSHGATE_TEST_HANDOVER_FATE"

func init() {
	step, number, found := strings.Cut(os.Getenv(fateVariable), "=")
	if !found || os.Getenv(beRushgate) == "" {
		return
	}
	var signal int
	if _, err := fmt.Sscan(number, &signal); err != nil {
		panic(err)
	}
	var once sync.Once
	handover.At = func(at handover.Step) {
		if string(at) == step {
			once.Do(func() { meet(at, syscall.Signal(signal)) })
		}
	}
}

// meet has the process meet its fate.
func meet(at handover.Step, s syscall.Signal) {
	fmt.Fprintf(os.Stderr, "fate: %v at %q\n", s, at)
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(err)
	}
	if s == syscall.SIGKILL {
		select {}
	}
	time.Sleep(10 * time.Millisecond) // not every thread stops at once
}

// fate is the variable for a step and a signal.
func fate(at handover.Step, s syscall.Signal) []string {
	return []string{fmt.Sprintf("%s=%s=%d", fateVariable, at, int(s))}
}

// drill is a node that is replaced again and again, with players inside, while one of the two processes dies or hangs.
type drill struct {
	t     *testing.T
	dir   string
	node  *node
	all   []*gamer
	named []string // flags with the addresses at which the first node was, so that one that is started anew is there too
	saved map[string]stored
}

// stored is what the database has of a character, as far as it never becomes less.
type stored struct{ playtime, xp, level, fence int64 }

// newDrill starts a node that meets a fate, if env says so, with players inside.
func newDrill(t *testing.T, env []string) *drill {
	t.Helper()
	d := &drill{t: t, dir: t.TempDir()}
	d.node = startNodeIn(t, env, nil, d.dir)
	d.named = []string{
		"--http", strings.TrimPrefix(d.node.http, "http://"), "--admin", strings.TrimPrefix(d.node.admin, "http://"),
		"--udp", d.node.udp,
	}
	d.all = party(t, d.node, 3, &http.Transport{DisableKeepAlives: true}) // no request goes to a process that hangs
	d.check()
	return d
}

// checkAnew is check where the node has started anew, and counts its steps from the beginning.
func (d *drill) checkAnew() {
	d.t.Helper()
	awaitViews(d.t, d.all, 2)
	for _, g := range d.all {
		g.wrong.Store("")
	}
	d.check()
}

// check reports players who are not inside, and what was saved and is lost; and that a newcomer comes in, which is saved
// from now on.
func (d *drill) check() {
	d.t.Helper()
	awaitViews(d.t, d.all, 2)
	for _, g := range d.all {
		if wrong, _ := g.wrong.Load().(string); wrong != "" {
			d.t.Errorf("%s: %v", g.name, wrong)
		}
		if _, err := g.session.Me(d.t.Context()); err != nil {
			d.t.Errorf("%s: the session: %v", g.name, err)
		}
	}
	name := fmt.Sprintf("newcomer-%d", len(d.saved))
	s, err := newClient(d.t, d.node.http, client.Options{}).Register(d.t.Context(), name, "correct horse")
	if err == nil {
		err = s.Logout(d.t.Context()) // answered once the character is saved
	}
	if err != nil {
		d.t.Errorf("a newcomer: %v", err)
	}
	now := d.read()
	for name, before := range d.saved {
		if v := now[name]; v.playtime < before.playtime || v.xp < before.xp || v.level < before.level ||
			v.fence < before.fence {
			d.t.Errorf("%s was saved as %+v and is %+v", name, before, v)
		}
	}
	if _, ok := now[name]; !ok {
		d.t.Errorf("%s has been let in and is not stored", name)
	}
	d.saved = now
}

// read returns what is stored, by the name of the character.
func (d *drill) read() map[string]stored {
	d.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, server.DatabaseName)+"?mode=ro")
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name, playtime_ms, xp, level, fence FROM characters")
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]stored)
	for rows.Next() {
		var name string
		var v stored
		if err := rows.Scan(&name, &v.playtime, &v.xp, &v.level, &v.fence); err != nil {
			d.t.Fatal(err)
		}
		all[name] = v
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// try has a new process that meets a fate try to take over, and returns it, which is not to be ready.
func (d *drill) try(env []string) *node {
	d.t.Helper()
	n := &node{log: newSyncBuffer(), ended: make(chan error, 1)}
	args := append([]string{"serve", "--data", d.dir, "--password-hash-iterations", "1000", "--handover"}, d.named...)
	n.cmd = exec.Command(os.Args[0], args...)
	n.cmd.Env = append(commandEnv(), env...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		n.ended <- n.cmd.Wait()
		close(n.ended)
	}()
	d.t.Cleanup(func() { n.cmd.Process.Kill(); <-n.ended })
	return n
}

// take has a new process that meets a fate later take over, or start anew if the one before has died.
func (d *drill) take(env []string, extra ...string) {
	d.t.Helper()
	d.node = startNodeIn(d.t, env, nil, d.dir, append(d.named, extra...)...)
}

// connects returns how often each player has connected.
func (d *drill) connects() (n []int64) {
	for _, g := range d.all {
		g.gap.Store(0)
		n = append(n, g.rt.Stats().Connects)
	}
	return n
}

// keeps reports players who have connected since, and had not to: who have never been without views for long.
func (d *drill) keeps(before []int64) {
	d.t.Helper()
	for i, g := range d.all {
		if got := g.rt.Stats().Connects; got != before[i] && g.gap.Load() < clientNotices {
			d.t.Errorf("%s has connected %d times, and before %d times", g.name, got, before[i])
		}
	}
}

// quick is what is tried of steps where time is short.
func quick(all []handover.Step, some ...handover.Step) []handover.Step {
	if long() {
		return all
	}
	return some
}

// kill -9 of a process that takes over, at each step: up to the one at which it says that it runs, the old one goes on,
// its players play on over the connections that they have, and it can be replaced. After it, nothing runs, and whatever
// is started next has them inside without a password. One that is stopped while it makes ready takes over later.
func TestHandoverWhereverTheNewProcessDies(t *testing.T) {
	t.Parallel()
	d := newDrill(t, nil)
	steps := quick(handover.NewSteps, handover.NewTold, handover.NewRunning, handover.NewDone)
	for i, step := range steps {
		connects := d.connects()
		next := d.try(fate(step, syscall.SIGKILL))
		next.wait(t)
		next.log.waitFor(t, "fate:")
		if step == handover.NewDone {
			if err := d.node.wait(t); err != nil {
				t.Errorf("the old process, which has heard that the new one runs: %v", err)
			}
			d.take(nil)
			d.checkAnew()
			break
		}
		d.node.log.waitForCount(t, "not handed over: this process goes on as before", i+1)
		d.check()
		d.keeps(connects)
	}
	d.newHangsForAWhile(handover.NewAble)
}

// kill -9 of a process that is replaced, at each step: the new one goes on, with its sockets, and once it has been told
// the state, with its connections too. Before that, players connect again, without a password. One that is stopped once
// it has said that the other may run ends when it is continued.
func TestHandoverWhereverTheOldProcessDies(t *testing.T) {
	t.Parallel()
	steps := quick(handover.OldSteps, handover.OldFrozen, handover.OldTold, handover.OldWent)
	d := newDrill(t, fate(steps[0], syscall.SIGKILL))
	for i, step := range steps {
		old, connects := d.node, d.connects()
		next := fate(handover.OldWent, syscall.SIGSTOP)
		if i+1 < len(steps) {
			next = fate(steps[i+1], syscall.SIGKILL)
		}
		d.take(next, "--handover")
		old.wait(t)
		old.log.waitFor(t, "fate:")
		if step == handover.OldOffered || step == handover.OldPrepared || step == handover.OldFrozen {
			d.checkAnew()
		} else {
			d.check()
			d.keeps(connects)
		}
		if t.Failed() {
			t.Fatalf("killed at %q; the new process says:\n%s", step, d.node.log)
		}
	}
	d.oldHangsAfterGo()
}

// A process that hangs holds up the other for as long as the limit is, and no longer; continued, it does not go on
// beside it.
func TestHandoverWhicheverProcessHangs(t *testing.T) {
	if !long() {
		t.Skip("takes fifteen seconds; set RUSHGATE_LONG to run it")
	}
	tests := map[handover.Step]func(*drill, handover.Step){
		handover.NewTold: (*drill).newHangsBeforeGo, handover.NewGoing: (*drill).newHangsAfterGo,
		handover.NewRunning: (*drill).newHangsAfterGo, handover.OldTold: (*drill).oldHangsBeforeGo,
		handover.OldGone: (*drill).oldHangsForGood,
	}
	for step, test := range tests {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			var env []string
			if strings.HasPrefix(string(step), "old") {
				env = fate(step, syscall.SIGSTOP)
			}
			test(newDrill(t, env), step)
		})
	}
}

// newHangsForAWhile is for a step at which the old process is not disturbed yet.
func (d *drill) newHangsForAWhile(step handover.Step) {
	connects := d.connects()
	next := d.try(fate(step, syscall.SIGSTOP))
	next.log.waitFor(d.t, "fate:")
	d.check()
	old := d.node
	next.signal(d.t, syscall.SIGCONT)
	if err := old.wait(d.t); err != nil {
		d.t.Errorf("the old process: %v", err)
	}
	d.check()
	d.keeps(connects)
}

// newHangsBeforeGo is for a new process that may not run yet: the old one goes on, and the new one ends when it hears of
// that.
func (d *drill) newHangsBeforeGo(step handover.Step) {
	next := d.try(fate(step, syscall.SIGSTOP))
	d.node.log.waitFor(d.t, "not handed over: this process goes on as before")
	d.check()
	next.signal(d.t, syscall.SIGCONT)
	if err := next.wait(d.t); err == nil {
		d.t.Error("the new process has ended as if it had not failed")
	}
	next.log.waitFor(d.t, "not handed over, the node that runs goes on")
	d.check()
}

// newHangsAfterGo is for a new process that may run: it is killed, and the old one goes on.
func (d *drill) newHangsAfterGo(step handover.Step) {
	next := d.try(fate(step, syscall.SIGSTOP))
	d.node.log.waitFor(d.t, "not handed over: this process goes on as before")
	next.wait(d.t)
	d.check()
	d.take(nil, "--handover")
	d.check()
}

// oldHangsBeforeGo is for an old process that has told its state, and not said that the new one may run: the new one
// gives up, and the old one goes on when it can.
func (d *drill) oldHangsBeforeGo(handover.Step) {
	next := d.try(nil)
	if err := next.wait(d.t); err == nil {
		d.t.Error("the new process runs")
	}
	d.node.signal(d.t, syscall.SIGCONT)
	d.node.log.waitFor(d.t, "not handed over: this process goes on as before")
	d.check()
}

// oldHangsAfterGo is for an old process that has said that the new one may run: continued, it ends.
func (d *drill) oldHangsAfterGo() {
	connects, old := d.connects(), d.node
	d.take(nil, "--handover")
	d.check()
	old.signal(d.t, syscall.SIGCONT)
	if err := old.wait(d.t); err != nil {
		d.t.Errorf("the old process, continued: %v", err)
	}
	d.check()
	d.keeps(connects)
}

// oldHangsForGood is for an old process that is not continued: it is killed, for it has connections of players.
func (d *drill) oldHangsForGood(handover.Step) {
	connects, old := d.connects(), d.node
	d.take(nil, "--handover")
	d.check()
	if err := old.wait(d.t); err == nil {
		d.t.Error("the old process, which is stopped, has ended by itself")
	}
	d.node.log.waitFor(d.t, "the process that was replaced does not end, and is killed")
	d.check()
	d.keeps(connects)
}
