package doorman_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialFront opens a connection to a front.
func dialFront(t *testing.T, f *front) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // for the day when nothing comes
	return c
}

// answered reads an answer and returns its status.
func answered(t *testing.T, c net.Conn) int {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r.Body)
	if r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode
}

// A doorman that holds accepts nothing and goes on with what it has; those that wait are served once it goes on.
func TestHold(t *testing.T) {
	f := newFront(t, true)
	kept := dialFront(t, f)
	io.WriteString(kept, ask())
	if got := answered(t, kept); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	f.doorman.Hold()
	f.doorman.Hold()
	before := f.doorman.Stats().Accepted
	waiting := dialFront(t, f)
	io.WriteString(waiting, ask())
	for range 3 {
		io.WriteString(kept, ask())
		if got := answered(t, kept); got != http.StatusOK {
			t.Errorf("over the connection that was there: status %d", got)
		}
	}
	if after := f.doorman.Stats().Accepted; after != before {
		t.Errorf("%d connections were accepted meanwhile", after-before)
	}
	f.doorman.Resume()
	if got := answered(t, waiting); got != http.StatusOK {
		t.Errorf("over the one that waited: status %d", got)
	}
}

// A doorman that is frozen does nothing, and does it when it goes on.
func TestFreeze(t *testing.T) {
	f := newFront(t, true)
	c := dialFront(t, f)
	io.WriteString(c, ask())
	answered(t, c)
	f.doorman.Freeze()
	told := f.doorman.Stats().Told
	io.WriteString(c, ask())
	f.doorman.Freeze() // which it heeds, as it would the request
	if got := f.doorman.Stats().Told; got != told {
		t.Errorf("%d were told meanwhile", got-told)
	}
	f.doorman.Resume()
	if got := answered(t, c); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
}

// The connections of a doorman that is frozen go on at another, those that have brought something with what they have
// brought: none of their clients notices.
func TestReleaseAndAdopt(t *testing.T) {
	f, next := newFront(t, true), newFront(t, true)
	silent, kept, brought := dialFront(t, f), dialFront(t, f), dialFront(t, f)
	for _, c := range []net.Conn{kept, brought} {
		io.WriteString(c, ask())
		answered(t, c)
	}
	for f.doorman.Stats().Open < 3 {
		time.Sleep(time.Millisecond) // until the silent one is accepted
	}
	f.doorman.Freeze()
	io.WriteString(brought, knock("/v1/login", `{"username":"alice","password":"correct horse"}`))
	released := f.doorman.Release()
	if len(released) != 3 || f.doorman.Stats().Open != 0 || len(f.doorman.Release()) != 0 {
		t.Fatalf("%d connections were released, %d are left", len(released), f.doorman.Stats().Open)
	}
	for _, file := range released {
		c, err := net.FileConn(file)
		if file.Close(); err != nil {
			t.Fatal(err)
		}
		next.doorman.Adopt(c)
	}
	f.doorman.Close()
	if got := answered(t, brought); got != http.StatusServiceUnavailable {
		t.Errorf("the knock: status %d", got)
	}
	for _, c := range []net.Conn{silent, kept} {
		io.WriteString(c, ask())
		if got := answered(t, c); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	}
}

// A doorman that begins held can be closed, and one that is closed heeds nothing and holds nothing up.
func TestHoldAndClose(t *testing.T) {
	for _, before := range []string{"", "hold", "freeze"} {
		f := newFront(t, true)
		switch before {
		case "hold":
			f.doorman.Hold()
		case "freeze":
			f.doorman.Freeze()
		}
		if err := f.doorman.Close(); err != nil && !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
		f.doorman.Hold()
		f.doorman.Resume()
		if got := f.doorman.Release(); len(got) > 0 {
			t.Errorf("a closed doorman releases %d connections", len(got))
		}
	}
}
