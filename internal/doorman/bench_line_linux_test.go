package doorman_test

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// askOnce has 4000 clients a second ask how far the line has come, each over a connection of its own, and returns how
// many did. last has the doorman close it, or else the client does.
func askOnce(b *testing.B, addr netip.AddrPort, last bool) (answers int) {
	b.Helper()
	question := []byte(ask("User-Agent: game/1.0", "Accept-Encoding: gzip"))
	if last {
		question = []byte(ask("User-Agent: game/1.0", "Accept-Encoding: gzip", "Connection: close"))
	}
	appendAsk := func(dst []byte, _ int) []byte { return append(dst, question...) }
	return come4000(b, addr, appendAsk, http.StatusOK)
}

// askers are clients that ask how far the line has come once a second each, 4000 times a second in all, each over the
// one connection that it keeps.
type askers []*asker

func newAskers(b *testing.B, addr netip.AddrPort) askers {
	b.Helper()
	clients := make(askers, 4000)
	for i := range clients {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		clients[i] = &asker{conn: c}
		if i%100 == 99 {
			time.Sleep(time.Millisecond) // the kernel's queue is not longer than it has to be
		}
	}
	return clients
}

// ask has them ask for 3 s, and returns how often they were told.
func (clients askers) ask(b *testing.B) (answers int) {
	b.Helper()
	question := []byte(ask("User-Agent: game/1.0", "Accept-Encoding: gzip"))
	all, start := len(clients)*int(length/time.Second), time.Now()
	for asked := 0; asked < all; time.Sleep(time.Millisecond) {
		for due := min(int(time.Since(start).Seconds()*float64(len(clients))), all); asked < due; asked++ {
			c := clients[asked%len(clients)]
			answers += c.read(b)
			if _, err := c.conn.Write(question); err != nil {
				b.Fatal(err)
			}
			c.waits = true
		}
	}
	for _, c := range clients {
		answers += c.read(b)
	}
	return answers
}

// asker is a client that keeps its connection.
type asker struct {
	conn  net.Conn
	waits bool // for an answer
	in    [4096]byte
}

// read reads the whole answer that the client waits for, and returns how many that are.
func (a *asker) read(b *testing.B) int {
	b.Helper()
	if !a.waits {
		return 0
	}
	a.waits = false
	_ = a.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for n := 0; ; {
		got, err := a.conn.Read(a.in[n:])
		if err != nil {
			b.Fatal(err)
		}
		n += got
		head, body, whole := bytes.Cut(a.in[:n], []byte("\r\n\r\n"))
		if !whole {
			continue
		}
		_, rest, _ := bytes.Cut(head, []byte("Content-Length: "))
		digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
		size, err := strconv.Atoi(string(digits))
		if err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			b.Fatalf("told %q", head)
		}
		if len(body) == size {
			return 1
		}
	}
}
