package server_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/smtptest"
)

// crowdVariable has the program of the tests be a crowd: it says which.
const crowdVariable = "RUSHGATE_TEST_CROWD"

// orders is what a crowd is to be.
type orders struct {
	Rush    rush
	Errands bool
}

// crowd is a process with the clients of a rush and their mail server, so that what they cost is not the node's. They
// talk by lines.
type crowd struct {
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Scanner
}

func startCrowd(t *testing.T, r rush, errands bool) *crowd {
	t.Helper()
	order, err := json.Marshal(orders{r, errands})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrowd$")
	cmd.Env = append(os.Environ(), crowdVariable+"="+string(order))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &crowd{cmd, bufio.NewWriter(in), bufio.NewScanner(out)}
}

// tell sends a line.
func (c *crowd) tell(t *testing.T, line string) {
	t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	if err := cmp.Or(err, c.in.Flush()); err != nil {
		t.Fatal(err)
	}
}

// hears waits for a line that begins with a word, and returns the rest of it.
func (c *crowd) hears(t *testing.T, word string) string {
	t.Helper()
	for c.out.Scan() {
		if rest, ok := strings.CutPrefix(c.out.Text(), "crowd "+word); ok {
			return strings.TrimSpace(rest)
		}
		t.Log(c.out.Text())
	}
	t.Fatalf("the crowd never said %q: %v", word, c.cmd.Wait())
	return ""
}

// end waits for the process, and has the test fail if something went wrong there.
func (c *crowd) end(t *testing.T) {
	t.Helper()
	var said []string
	for c.out.Scan() {
		said = append(said, c.out.Text())
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the crowd: %v\n%s", err, strings.Join(said, "\n"))
	}
}

// TestCrowd is the other process of TestRushBesideErrands.
func TestCrowd(t *testing.T) {
	var o orders
	if text := os.Getenv(crowdVariable); text == "" {
		t.Skip("it is a part of TestRushBesideErrands")
	} else if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	by, in := smtptest.Start(t, smtptest.Config{Implicit: true}), bufio.NewScanner(os.Stdin)
	fmt.Printf("crowd mail %s\ncrowd authority %s\n", by.URL(), by.CA())
	in.Scan()
	o.rush(t, in.Text(), by, in)
	fmt.Println("crowd done")
}

// rush comes to a node at an address, once it is told to.
func (o orders) rush(t *testing.T, node string, by *smtptest.Server, in *bufio.Scanner) {
	changers := make([]*client.Session, o.Rush.Changes)
	eachOf(o.Rush.Changes, func(i int) {
		var err error
		if changers[i], err = from(t, node, i).Login(t.Context(), fmt.Sprint("changer", i), oldPassword); err != nil {
			t.Error(err)
		}
	})
	fmt.Println("crowd ready")
	in.Scan()
	var others sync.WaitGroup
	if o.Errands {
		others.Go(func() {
			eachOf(o.Rush.Changes, func(i int) {
				if err := changers[i].ChangePassword(t.Context(), oldPassword, newPassword); err != nil {
					t.Errorf("a change: %v", err)
				}
			})
		})
		others.Go(func() { loseAll(t, node, o.Rush.Recoveries, by) })
	}
	var inside atomic.Int64
	eachOf(o.Rush.Logins, func(i int) {
		if _, err := from(t, node, 1000+i).Login(t.Context(), fmt.Sprint("rusher", i), oldPassword); err != nil {
			t.Errorf("a login: %v", err)
		}
		if inside.Add(1) == int64(o.Rush.Logins)*9/10 {
			fmt.Println("crowd most")
		}
	})
	fmt.Println("crowd in")
	others.Wait()
}

// loseAll has so many players ask for a code, who choose another password as soon as their mail comes.
func loseAll(t *testing.T, node string, n int, by *smtptest.Server) {
	eachOf(n, func(i int) {
		if err := from(t, node, 3000+i).Recover(t.Context(), fmt.Sprint("loser", i), ""); err != nil {
			t.Errorf("a recovery: %v", err)
		}
	})
	var finishing sync.WaitGroup
	for i := range n {
		m := by.Await(i + 1)[i]
		finishing.Go(func() {
			var loser int
			if _, err := fmt.Sscanf(m.To, "loser%d@example.org", &loser); err != nil {
				t.Error(err)
			}
			c := from(t, node, 3000+loser)
			for {
				err := c.FinishRecovery(t.Context(), fmt.Sprint("loser", loser), codeOf(t, m), newPassword)
				busy, ok := errors.AsType[*rushgate.Refusal](err)
				if ok && busy.Reason == rushgate.ServerBusy {
					time.Sleep(busy.RetryAfter) // as a page does
					continue
				}
				if err != nil {
					t.Errorf("the end of a recovery: %v", err)
				}
				return
			}
		})
	}
	finishing.Wait()
}

// eachOf calls f for each of n, all at once, and returns when all have returned.
func eachOf(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// from is a client at an address of its own, which waits for as long as it takes.
func from(t *testing.T, node string, i int) *client.Client {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, byte(i/250), byte(1+i%250))}}
	transport := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New("http://"+node, client.Options{MaxRetries: 1000, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
