package doorman_test

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/udpknock"
	"github.com/rushgate/rushgate/netcode"
)

// deaf is the Handler of a server that no player connects to.
type deaf struct{}

func (deaf) Connected(*netcode.Peer)           {}
func (deaf) Received(*netcode.Peer, []byte)    {}
func (deaf) Disconnected(*netcode.Peer, error) {}

// serveUDP is the servant that tells everybody by UDP to wait.
func serveUDP() error {
	conn, err := netcode.ListenUDP("127.0.0.1:0", netcode.UDPOptions{})
	if err != nil {
		return err
	}
	knock := func(dst []byte, _ netip.Addr, holder udpknock.Holder, ticket []byte) udpknock.Reply {
		if len(ticket) == 0 {
			ticket = append(dst, holder[:]...)
		}
		return udpknock.Reply{
			Verdict: udpknock.Wait, Ticket: ticket, Place: 4711, ETAHigh: time.Minute, After: 10 * time.Second,
		}
	}
	a, err := udpknock.NewAnswerer(udpknock.Config{Knock: knock, AnswersPerSecond: 200_000})
	if err != nil {
		return err
	}
	server, err := netcode.NewServer(netcode.ServerConfig{
		Conn: conn, Keys: []netcode.Key{{1}}, Addresses: []netip.AddrPort{conn.LocalAddr()}, MaxClients: 100, Other: a.Answer,
	})
	if err != nil {
		return err
	}
	server.Start(deaf{})
	fmt.Println(conn.LocalAddr().Port())
	io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return nil
}

// BenchmarkKnockByUDP compares what it costs a node to tell a client that waits where it stands with what it costs to
// refuse it over HTTP, with a connection of its own. The figures are CPU time of the whole process, the kernel's part
// included: of the document of the line, over a connection of its own that the client closes or the node, and over one
// that is kept; of a client's first knock by UDP, which takes a cookie and so four datagrams, and of one that asks
// again and has its cookie still, which takes two.
// What the reader of the port costs by itself, for it wakes 500 times a second when anything comes, is there with the
// first player; it is measured by as much of nothing, and left out of the figures that say "beside players".
func BenchmarkKnockByUDP(b *testing.B) {
	cost := map[string]time.Duration{}
	n := 0
	measure := func(which string, knock func(netip.AddrPort) int) (used time.Duration, knocks int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), servantVariable+"="+which)
		s := startServant(b, cmd)
		defer s.end(b)
		knock(s.addr) // which warms it up
		before := s.used(b)
		knocks = knock(s.addr)
		return s.used(b) - before, knocks
	}
	for b.Loop() {
		n++
		used, knocks := measure("doorman", func(to netip.AddrPort) int { return knock4000(b, to) })
		cost["http"] += used / time.Duration(knocks)
		var clients askers
		for name, asks := range map[string]func(netip.AddrPort) int{
			"document":      func(to netip.AddrPort) int { return askOnce(b, to, false) },
			"document-last": func(to netip.AddrPort) int { return askOnce(b, to, true) },
			"document-kept": func(to netip.AddrPort) int {
				if clients == nil {
					clients = newAskers(b, to)
				}
				return clients.ask(b)
			},
		} {
			used, answers := measure("doorman", asks)
			cost[name] += used / time.Duration(answers)
		}
		awake, _ := measure("udp", func(to netip.AddrPort) int {
			return knockByUDP(b, to, load{perSecond: 1000, junk: true})
		})
		for name, l := range map[string]load{
			"first-4000/s": {perSecond: 4000, first: true}, "again-4000/s": {perSecond: 4000},
			"first-20000/s": {perSecond: 20_000, first: true}, "again-20000/s": {perSecond: 20_000},
		} {
			used, knocks := measure("udp", func(to netip.AddrPort) int { return knockByUDP(b, to, l) })
			cost[name] += used / time.Duration(knocks)
			cost[name+"-beside-players"] += (used - awake) / time.Duration(knocks)
		}
	}
	for name, total := range cost {
		b.ReportMetric(float64(total.Nanoseconds())/1000/float64(n), "µs-"+name)
		if name != "http" {
			b.ReportMetric(cost["http"].Seconds()/total.Seconds(), "http/"+name)
		}
	}
}

// load is what knocks by UDP.
type load struct {
	perSecond int
	first     bool // clients that have no cookie yet
	junk      bool // no clients, and nothing to be answered
}

// length is for how long it does.
const length = 3 * time.Second

// knockers are as many clients as there are knocks, behind one socket.
type knockers struct {
	b        *testing.B
	conn     *netcode.UDPConn
	load     load
	cookie   udpknock.Cookie
	in, out  []netcode.Message
	answered int
}

// knockByUDP knocks, and returns how many were told to wait: all of them.
func knockByUDP(b *testing.B, to netip.AddrPort, l load) int {
	b.Helper()
	conn, err := netcode.ListenUDP("127.0.0.1:0", netcode.UDPOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	k := &knockers{b: b, conn: conn, load: l, in: make([]netcode.Message, 64)}
	for i := range k.in {
		k.in[i].Buf = make([]byte, udpknock.KnockSize)
	}
	if !l.first && !l.junk {
		k.knock(to, udpknock.Cookie{})
		for began := time.Now(); k.answered == 0 && time.Since(began) < time.Second; { // whose cookie the others have then
			k.exchange()
		}
	}
	const most = 1024
	all, start := l.perSecond*int(length/time.Second), time.Now()
	for asked := 0; asked < all || k.answered < all && time.Since(start) < length+5*time.Second; {
		due := min(int(time.Since(start).Seconds()*float64(l.perSecond)), all)
		for ; asked < due && len(k.out) < most; asked++ {
			k.knock(to, k.cookie)
		}
		k.exchange()
		if l.junk && asked == all {
			return all
		}
	}
	if k.answered < all*99/100 {
		b.Fatalf("%d of %d knocks were answered", k.answered, all)
	}
	return k.answered
}

// knock adds a knock to what is to be sent.
func (k *knockers) knock(to netip.AddrPort, c udpknock.Cookie) {
	m := netcode.Message{Buf: udpknock.AppendKnock(nil, &udpknock.Knock{Cookie: c}), Addr: to}
	if m.N = len(m.Buf); k.load.junk {
		m.N = 1
	}
	k.out = append(k.out, m)
}

// exchange sends what there is to be sent, waits, and reads what has come: to each cookie the knock with it is the next
// to be sent.
func (k *knockers) exchange() {
	if _, err := k.conn.WriteBatch(k.out); err != nil {
		k.b.Fatal(err)
	}
	k.out = k.out[:0]
	time.Sleep(time.Millisecond) // so that the server wakes nothing with each datagram that it sends
	for {
		n, err := k.conn.ReadBatch(k.in, time.Unix(1, 0))
		if err != nil {
			return
		}
		for _, m := range k.in[:n] {
			b := m.Buf[:min(m.N, len(m.Buf))]
			if _, c, ok := udpknock.ParseCookie(b); ok {
				k.knock(m.Addr, c)
			} else if _, c, r, ok := udpknock.ParseAnswer(b); ok && r.Verdict == udpknock.Wait {
				k.answered++
				if !k.load.first {
					k.cookie = c
				}
			}
		}
	}
}
