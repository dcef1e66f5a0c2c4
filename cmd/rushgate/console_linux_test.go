package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// session is a "rushgate account" on a terminal, as an operator has it.
type session struct {
	cmd      *exec.Cmd
	terminal *os.File    // the operator's side
	screen   *syncBuffer // what is shown
	ended    chan error
}

// startSession runs a command on a pseudo-terminal (pty(7)).
func startSession(t *testing.T, args ...string) *session {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{terminal: terminal, screen: newSyncBuffer(), ended: make(chan error, 1)}
	s.cmd = exec.Command(os.Args[0], append([]string{"account"}, args...)...)
	s.cmd.Env = commandEnv()
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = theirs, theirs, theirs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The other end stays open here so that the terminal's state outlasts the command.
	t.Cleanup(func() { s.cmd.Process.Kill(); theirs.Close() })
	go func() {
		b := make([]byte, 1024)
		for {
			n, err := terminal.Read(b)
			s.screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() { s.ended <- s.cmd.Wait() }()
	return s
}

// echoes reports whether the terminal shows what is typed.
func (s *session) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(s.terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// answer types a line, or whatever keys it ends with, once the prompt is there and the terminal is ready for it.
func (s *session) answer(t *testing.T, prompt, keys string, echo bool) {
	t.Helper()
	s.screen.waitFor(t, prompt)
	for deadline := time.Now().Add(time.Minute); s.echoes(t) != echo; {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal's echo stays %v after\n%s", !echo, s.screen)
		}
	}
	if _, err := s.terminal.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit status, once the screen shows a text.
func (s *session) wait(t *testing.T, text string) int {
	t.Helper()
	s.screen.waitFor(t, text)
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		t.Fatalf("it does not end:\n%s", s.screen)
	}
	if !s.echoes(t) {
		t.Error("the terminal is left without echo")
	}
	return s.cmd.ProcessState.ExitCode()
}

func TestPasswordFromATerminal(t *testing.T) {
	const secret = "correct horse"
	tests := []struct {
		name          string
		first, second string // typed; nothing if empty
		status        int
		says          string
	}{
		{"twice the same", secret + "\n", secret + "\n", 0, "created player 1, alice"},
		{"two different ones", secret + "\n", "battery staple\n", 1, "not the same"},
		{"an empty one", "\n", "", 1, "no password was typed"},
		{"interrupted", "correct\x03", "", 1, "interrupted"},
		{"interrupted at the repetition", secret + "\n", "\x03", 1, "interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := startSession(t, "create", "alice", "--data", dir, "--password-hash-iterations", "1000")
			s.answer(t, "Password: ", tt.first, false)
			if tt.second != "" {
				s.answer(t, "Once more: ", tt.second, false)
			}
			if status := s.wait(t, tt.says); status != tt.status {
				t.Errorf("status %d:\n%s", status, s.screen)
			}
			if screen := s.screen.String(); strings.Contains(screen, "correct") || strings.Contains(screen, "staple") {
				t.Errorf("a password is on the screen:\n%s", screen)
			}
			if created := storedAccount(t, dir, "alice").ID != 0; created != (tt.status == 0) {
				t.Errorf("created: %v", created)
			}
		})
	}
}

func TestDeleteOnATerminal(t *testing.T) {
	for typed, status := range map[string]int{"alice\n": 0, "Alice\n": 1, "yes\n": 1, "\n": 1, "\x04": 1, "\x03": 1} {
		t.Run(fmt.Sprintf("%q", typed), func(t *testing.T) {
			dir := t.TempDir()
			runAccount(t, "correct horse", "create", "alice", "--data", dir, "--password-hash-iterations", "1000").want(t, 0, "created", "")
			s := startSession(t, "delete", "alice", "--data", dir)
			s.answer(t, "Type the name to go on: ", typed, true)
			says := "rushgate account delete: "
			if status == 0 {
				says = "deleted player 1, alice"
			}
			if got := s.wait(t, says); got != status {
				t.Errorf("status %d:\n%s", got, s.screen)
			}
			if left := storedAccount(t, dir, "alice").ID != 0; left != (status != 0) {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestCalibrateShowsProgressOnATerminal(t *testing.T) {
	s := startSession(t, "calibrate")
	s.screen.waitFor(t, "measuring, 1 of 9")
	if _, err := s.terminal.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if status := s.wait(t, "interrupted"); status != 1 {
		t.Errorf("status %d:\n%s", status, s.screen)
	}
}
