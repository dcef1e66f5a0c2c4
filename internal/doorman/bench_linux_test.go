package doorman_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/stress/flood"
)

// servant is a process that answers every knock with a refusal.
type servant struct {
	cmd  *exec.Cmd
	stop io.Closer // its standard input
	addr netip.AddrPort
}

func startServant(b *testing.B, cmd *exec.Cmd) *servant {
	b.Helper()
	s := &servant{cmd: cmd}
	var err error
	if s.stop, err = cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		b.Fatal(err)
	}
	s.addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
	return s
}

// used returns the CPU time that the process has used: clock_getcpuclockid(3) says by which clock.
func (s *servant) used(b *testing.B) time.Duration {
	b.Helper()
	const byTheScheduler = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^s.cmd.Process.Pid<<3|byTheScheduler), &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func (s *servant) end(b *testing.B) {
	b.Helper()
	s.stop.Close()
	if err := s.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// servantVariable names the servant that a test binary is to be.
const servantVariable = "RUSHGATE_TEST_SERVANT"

// The servants of this package: the server behind by itself, and with a doorman before it; and one that answers by UDP.
func TestMain(m *testing.M) {
	which := os.Getenv(servantVariable)
	if which == "" {
		os.Exit(m.Run())
	}
	runtime.GOMAXPROCS(1)
	if which == "udp" {
		if err := serveUDP(); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	f := newFrontOf(&testing.B{}, stance{doorman: which == "doorman"})
	if err := f.crowd(2000); err != nil {
		panic(err)
	}
	_, port, _ := net.SplitHostPort(f.addr)
	fmt.Println(port)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// crowd has so many clients wait in the line, who came one every ten milliseconds, and logins before them.
func (f *front) crowd(n int) error {
	f.crowded.Store(true)
	for i := range n {
		f.passed.Add(int64(10 * time.Millisecond))
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		holder := line.HolderOf(fmt.Append(nil, "a secret of ", i))
		k := door.Knock{Addr: addr, Name: fmt.Sprint("waiting-", i), Holder: holder}
		if _, refused := f.door.TurnAway(k); !refused {
			return fmt.Errorf("client %d would be let in", i)
		}
	}
	return nil
}

// A refused connection costs the doorman little more than the least that it can cost, and a fraction of what it costs
// the server behind. The figures are CPU time per connection, of the whole process; each knock is a connection of its
// own.
func BenchmarkRefusedConnection(b *testing.B) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		b.Fatal(err)
	}
	floor := filepath.Join(b.TempDir(), "epoll")
	if out, err := exec.Command(cc, "-O2", "-o", floor, "testdata/epoll.c").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	refusal := &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: time.Second}
	answer := api.NewRefuser(api.RefuserConfig{}).AppendRefusal(nil, refusal, "", false, noon)
	own := func(which string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), servantVariable+"="+which)
		return cmd
	}
	cost := map[string]time.Duration{}
	n := 0
	for b.Loop() {
		n++
		for which, cmd := range map[string]*exec.Cmd{
			"C": exec.Command(floor, string(answer)), "doorman": own("doorman"), "net/http": own("server"),
		} {
			s := startServant(b, cmd)
			knock4000(b, s.addr) // which warms it up
			before := s.used(b)
			knocks := knock4000(b, s.addr)
			cost[which] += (s.used(b) - before) / time.Duration(knocks)
			s.end(b)
		}
	}
	for which, total := range cost {
		b.ReportMetric(float64(total.Microseconds())/float64(n), "µs-"+which)
	}
	b.ReportMetric(cost["doorman"].Seconds()/cost["C"].Seconds(), "doorman/C")
	b.ReportMetric(cost["net/http"].Seconds()/cost["C"].Seconds(), "net/http/C")
}

// knock4000 has 4000 clients a second knock for 3 s, and returns how many did: all are refused.
func knock4000(b *testing.B, addr netip.AddrPort) (knocks int) {
	b.Helper()
	return come4000(b, addr, appendKnock, http.StatusServiceUnavailable)
}

// come4000 has 4000 clients a second come for 3 s, each with a request over a connection of its own, and returns how
// many did: all hear the same status.
func come4000(b *testing.B, addr netip.AddrPort, request func([]byte, int) []byte, status int) (answers int) {
	b.Helper()
	f, err := flood.New(flood.Config{
		Target: addr, Sources: netip.MustParsePrefix("127.16.0.0/12"), PerSecond: 4000, Length: length,
		Patience: 10 * time.Second, MaxOpen: 10_000, Request: request,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	r := f.Result()
	for _, a := range r.Answers {
		if a.Status == status {
			answers += a.Count
		}
	}
	if answers < r.Knocks*99/100 {
		b.Fatalf("%d of %d clients heard %d", answers, r.Knocks, status)
	}
	return answers
}

// appendKnock appends the knock of the n-th client.
func appendKnock(dst []byte, n int) []byte {
	const name = "client-0000000"
	dst = append(dst, "POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: game/1.0\r\n"+
		"Content-Type: application/json\r\nContent-Length: 56\r\n\r\n"...)
	dst = append(dst, `{"username":"`+name...)
	for i := len(dst) - 1; n > 0; i, n = i-1, n/10 {
		dst[i] = byte('0' + n%10)
	}
	return append(dst, `","password":"correct horse"}`...)
}
