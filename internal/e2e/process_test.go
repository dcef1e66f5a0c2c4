package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
)

// beNode has the test binary be a node, with what it is set to as data folder.
const beNode = "RUSHGATE_E2E_NODE"

// process is a node in a process of its own, which can be killed.
type process struct {
	testing.TB
	cmd  *exec.Cmd
	addr string // of the HTTP interface
}

// startProcess starts a node on an address, and returns when it is ready. It lives as long as the test.
func startProcess(t testing.TB, dir, addr string) *process {
	t.Helper()
	p := &process{TB: t, cmd: exec.Command(os.Args[0], addr)}
	p.cmd.Env = append(os.Environ(), beNode+"="+dir)
	p.cmd.Stderr = os.Stderr
	_, err := p.cmd.StdinPipe() // which ends with this process, and the node with it
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the node does not start: %v", err)
	}
	p.addr = strings.TrimSpace(line)
	return p
}

// kill ends the node as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// runNode is a node until its standard input ends.
func runNode(dir, addr string) (status int) {
	s, err := server.Start(context.Background(), server.Config{
		HTTPAddr: addr, AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", Backend: server.SQLite, DataDir: dir,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.HTTPAddr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Stop()
	return 0
}
