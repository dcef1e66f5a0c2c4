//go:build unix

package handover

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A process takes the place of another: it gets descriptors, state and connections, and the old one ends.
func TestHandOver(t *testing.T) {
	o := newOld(t, patient())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var waiting []net.Conn
	var left []*os.File
	for range 2*maxFiles + 3 {
		ours, theirs := socketPair(t)
		waiting = append(waiting, ours)
		f, err := theirs.File()
		if err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		left = append(left, f)
	}
	o.offers([]File{FileOf("pipe", w)}, left)
	n, err := Dial(t.Context(), o.path, Hello{Program: "new"}, patient())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if got := n.Offer(); got.Program != "old" || got.Facts["run"] != "1" {
		t.Errorf("the offer is %+v", got)
	}
	pipe := n.File("pipe")
	if pipe == nil || n.File("pipe") != nil || n.File("other") != nil {
		t.Fatal("the descriptor is not there, or is there twice")
	}
	pipe.WriteString("x")
	if b := make([]byte, 1); func() error { _, err := r.Read(b); return err }() != nil || b[0] != 'x' {
		t.Error("the descriptor is another file's")
	}
	pipe.Close()
	if o.did("prepare") {
		t.Error("the old process is disturbed before the new one is able")
	}
	parts, err := n.Await(t.Context())
	if err != nil || len(parts) != 2 || parts[0].Name != "realm" || string(parts[0].Data) != "players" {
		t.Fatalf("the state is %v, %v", parts, err)
	}
	if err := n.Loaded(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.Done()
	o.wantFate(t, "gone")
	i := 0
	n.Connections(t.Context(), func(f *os.File) { // in the order in which they were given
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		c.Write([]byte{'y'})
		c.Close()
		if _, err := io.ReadFull(waiting[i], make([]byte, 1)); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		i++
	})
	if i != len(waiting) {
		t.Errorf("%d of %d connections have come", i, len(waiting))
	}
	if _, err := Dial(t.Context(), o.path, Hello{}, patient()); !errors.Is(err, ErrNobody) {
		t.Errorf("where the old process was: %v", err)
	}
}

// newSteps are what a process does that takes over, up to the one that says that it runs.
var newSteps = []func(s *script){
	func(s *script) { s.mustSay(sayHello, hello()) },
	func(s *script) { closeFiles(s.mustHear(sayOffer).files) },
	func(s *script) { s.mustSay(sayAble, nil) },
	func(s *script) { s.mustHear(sayState) },
	func(s *script) { s.mustSay(sayLoaded, nil) },
	func(s *script) { s.mustHear(sayGo) },
	func(s *script) { s.mustSay(sayDone, nil) },
}

// Whenever the new process dies, the old one goes on; once the new one has said that it runs, it does not.
func TestNewDies(t *testing.T) {
	for died, fate := range []string{"", "", "", "thawed", "thawed", "thawed", "thawed", "gone"} {
		o := newOld(t, patient())
		s := dialScript(t, o.path)
		for _, step := range newSteps[:died] {
			step(s)
		}
		s.close()
		if fate != "" {
			o.wantFate(t, fate)
		}
		o.host.Stop() // waits for the end of the attempt
		if o.mu.Lock(); o.tried != (died == 5 || died == 6) {
			t.Errorf("after step %d the old process is told that another was tried: %v", died, o.tried)
		}
		o.mu.Unlock()
		if fate == "" && len(o.fate) > 0 {
			t.Errorf("after step %d the old process has %s", died, <-o.fate)
		}
	}
}

// A new process that has put its own socket in the place of the old one's, and dies before it has said that it runs,
// leaves an old one that can still be replaced.
func TestNewDiesAfterTakingThePath(t *testing.T) {
	o := newOld(t, patient())
	s := dialScript(t, o.path)
	for _, step := range newSteps[:6] {
		step(s)
	}
	dead, err := listen(o.path)
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	s.close()
	o.wantFate(t, "thawed")
	var n *Taker
	for { // until the attempt is over
		n, err = Dial(t.Context(), o.path, Hello{Program: "new"}, patient())
		if !errors.Is(err, ErrNobody) && refusal(err) == "" {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.Await(t.Context()); err != nil {
		t.Error(err)
	}
	n.Fail(errors.New("no"))
	o.wantFate(t, "thawed")
	o.host.Stop()
	if _, err := Dial(t.Context(), o.path, Hello{}, patient()); !errors.Is(err, ErrNobody) {
		t.Errorf("where the old process was: %v", err)
	}
}

// A process that says nothing more holds nothing up for longer than the limit of the step, and is killed if it may run.
// This one, which is the old one too, cannot be.
func TestNewHangs(t *testing.T) {
	tests := []struct {
		name  string
		limit func(*Limits)
		steps int
		fate  string
	}{
		{"before hello", func(l *Limits) { l.Answer = soon }, 0, ""},
		{"making ready", func(l *Limits) { l.Able = soon }, 2, ""},
		{"loading", func(l *Limits) { l.Load = soon }, 4, "thawed"},
		{"beginning", func(l *Limits) { l.Done, l.Dead = soon, soon }, 6, "undead"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := patient()
			tt.limit(&limits)
			o := newOld(t, limits)
			s := dialScript(t, o.path)
			for _, step := range newSteps[:tt.steps] {
				step(s)
			}
			if tt.fate != "" {
				o.wantFate(t, tt.fate)
			}
			_, err := s.hear(t.Context(), time.Minute, sayConns)
			if tt.fate == "undead" && !errors.Is(err, errHungUp) || tt.fate != "undead" && refusal(err) != errLate.Error() {
				t.Errorf("the new process hears %v", err)
			}
		})
	}
}

// A new process that says that it cannot run is waited for until it has hung up.
func TestNewFails(t *testing.T) {
	o := newOld(t, patient())
	s := dialScript(t, o.path)
	for _, step := range newSteps[:6] {
		step(s)
	}
	s.mustSay(sayNo, []byte("the disk is full"))
	if len(o.fate) > 0 {
		t.Errorf("the old process has %s while the new one may run", <-o.fate)
	}
	s.close()
	o.wantFate(t, "thawed")
}

// A new process that says something out of turn is not given the state.
func TestOutOfTurn(t *testing.T) {
	for _, k := range []kind{sayLoaded, sayDone, sayGo, sayHello} {
		o := newOld(t, patient())
		s := dialScript(t, o.path)
		for _, step := range newSteps[:2] {
			step(s)
		}
		s.mustSay(k, nil)
		if _, err := s.hear(t.Context(), time.Minute, sayState); refusal(err) == "" {
			t.Errorf("%v: %v", k, err)
		}
	}
}

// What the old process cannot do, the new one hears in words, and the old one goes on.
func TestOldRefuses(t *testing.T) {
	for step, fate := range map[string]string{"offer": "", "prepare": "thawed", "freeze": "thawed"} {
		o := newOld(t, patient())
		o.failAt(step, errors.New("the world cannot be kept"))
		n, err := Dial(t.Context(), o.path, Hello{}, patient())
		if err == nil {
			_, err = n.Await(t.Context())
			n.Close()
		}
		if got := refusal(err); got != "the world cannot be kept" {
			t.Errorf("%s: %v", step, err)
		}
		if fate != "" {
			o.wantFate(t, fate)
		}
	}
}

func TestOtherVersion(t *testing.T) {
	o := newOld(t, patient())
	s := dialScript(t, o.path)
	s.mustSay(sayHello, marshal(Hello{Version: Version + 1}))
	if _, err := s.hear(t.Context(), time.Minute, sayOffer); !strings.Contains(refusal(err), "version 2") {
		t.Errorf("another version is told %v", err)
	}
}

// One at a time: the second hears so, and the first goes on.
func TestTwoAtOnce(t *testing.T) {
	o := newOld(t, patient())
	first, err := Dial(t.Context(), o.path, Hello{}, patient())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Dial(t.Context(), o.path, Hello{}, patient()); refusal(err) != "another hand-over is under way" {
		t.Errorf("the second hears %v", err)
	}
	if _, err := first.Await(t.Context()); err != nil {
		t.Error(err)
	}
	first.Fail(errors.New("no"))
	o.wantFate(t, "thawed")
	for { // until the attempt is over
		again, err := Dial(t.Context(), o.path, Hello{}, patient())
		if err == nil {
			again.Close()
			return
		}
		if refusal(err) == "" {
			t.Fatal(err)
		}
	}
}

// An old process that is told to stop ends an attempt that has not come to "go", and the new one hears so.
func TestStopDuringAttempt(t *testing.T) {
	o := newOld(t, patient())
	n, err := Dial(t.Context(), o.path, Hello{}, patient())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.host.Stop()
	o.wantFate(t, "thawed")
	if err := n.Loaded(t.Context()); refusal(err) != errStopping.Error() {
		t.Errorf("the new process hears %v", err)
	}
}

// Whenever the old process dies, the new one runs: with the state if it has it, and as after a crash if not. If the old
// one has hung up and lives, the new one must not run, whatever it has.
func TestOldDies(t *testing.T) {
	state, err := appendParts(nil, []Part{{"realm", []byte("players")}})
	if err != nil {
		t.Fatal(err)
	}
	steps := []func(s *script){
		func(s *script) { s.mustHear(sayAble) },
		func(s *script) { s.mustSay(sayState, state) },
		func(s *script) { s.mustHear(sayLoaded) },
		func(s *script) { s.mustSay(sayGo, nil) },
		func(s *script) { s.mustHear(sayDone) },
	}
	type outcome struct{ state, run bool }
	dead := []outcome{{false, true}, {false, true}, {true, true}, {true, true}, {true, true}, {true, true}}
	lives := []outcome{{false, false}, {false, false}, {true, false}, {true, false}, {true, true}, {true, true}}
	for died := range dead {
		for _, alive := range []bool{false, true} {
			want := dead[died]
			limits := patient()
			if alive {
				want, limits.Dead = lives[died], soon
			}
			ours, theirs := socketPair(t)
			s := newScript(t, theirs)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				s.mustHear(sayHello)
				s.mustSay(sayOffer, marshal(Offer{Files: []string{aliveName}}), FileOf(aliveName, r))
				r.Close()
				for _, step := range steps[:died] {
					step(s)
				}
				s.close()
				if !alive {
					w.Close()
				}
			}()
			n := &Taker{wire: newWire(ours, peer{}), limits: limits, files: make(map[string]*os.File)}
			if err := n.greet(t.Context(), Hello{}); err != nil {
				t.Fatal(err)
			}
			parts, err := n.Await(t.Context())
			if err == nil {
				err = n.Loaded(t.Context())
			}
			got := outcome{parts != nil, err == nil || errors.Is(err, ErrOldDied)}
			if got != want {
				t.Errorf("the old process is gone after %d steps, lives %v: state and run %+v, want %+v (%v)", died, alive, got,
					want, err)
			}
			if n.Done(); err == nil {
				n.Connections(t.Context(), func(*os.File) { t.Error("a connection") })
			}
			n.Close()
			w.Close()
		}
	}
}

// An interrupted process says so, and the old one goes on.
func TestInterrupted(t *testing.T) {
	o := newOld(t, patient())
	ctx, cancel := context.WithCancel(t.Context())
	o.at("prepare", cancel)
	n, err := Dial(t.Context(), o.path, Hello{}, patient())
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Await(ctx)
	if err == nil { // the state was there first
		err = n.Loaded(ctx)
	}
	n.Fail(errors.Join(err, errors.New("interrupted")))
	o.wantFate(t, "thawed")
}

// The path leads to one process or the other at every moment: a third one that comes while they change places is heard
// by the new one as soon as that hears, and never finds nobody.
func TestThePathIsNeverNobodys(t *testing.T) {
	o := newOld(t, patient())
	ended := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for range 2000 { // less than may wait
			select {
			case <-ended:
				return
			default:
			}
			c, err := reach(t.Context(), o.path)
			if err != nil {
				t.Errorf("while the path changes hands: %v", err)
				return
			}
			c.Close()
		}
	})
	for range 50 {
		next, err := Listen(o.path, o.host.node, o.host.logger, patient())
		if err != nil {
			t.Fatal(err)
		}
		o.host.Close()
		o.host = next // which is not started: those who come wait
	}
	close(ended)
	asking.Wait()
	waited := make(chan error, 1)
	go func() {
		for {
			n, err := Dial(t.Context(), o.path, Hello{}, patient())
			if refusal(err) != "" { // those that have asked before are looked at first
				continue
			}
			if err == nil {
				n.Close()
			}
			waited <- err
			return
		}
	}()
	o.host.Start()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	o.host.Close()
}

// Where others can enter the folder, a socket is opened only if the system tells whose processes come.
func TestFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mayListenIn(dir); (err == nil) != peersKnown {
		t.Errorf("a folder of mode 0755 where peers are known %v: %v", peersKnown, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mayListenIn(dir); err != nil {
		t.Error(err)
	}
	socket, err := listen(filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v; want the socket alone", entries, err)
	}
	if info, err := os.Stat(filepath.Join(dir, SocketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
}

func TestNobody(t *testing.T) {
	o := newOld(t, patient())
	o.host.Close()
	if _, err := Dial(t.Context(), o.path, Hello{}, patient()); !errors.Is(err, ErrNobody) {
		t.Errorf("a socket that nothing listens at: %v", err)
	}
	if _, err := Dial(t.Context(), o.path+"x", Hello{}, patient()); !errors.Is(err, ErrNobody) {
		t.Errorf("no socket: %v", err)
	}
}
