//go:build unix

package handover

import (
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	conns := [2]*net.UnixConn{}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// What is not a message is refused, whatever it is, and a length is not believed.
func FuzzMessages(f *testing.F) {
	parts, err := appendParts(nil, []Part{{"a", []byte("b")}, {"c", nil}})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []struct {
		k    kind
		body []byte
	}{{sayHello, hello()}, {sayState, parts}, {sayGo, nil}, {sayNo, []byte("no")}} {
		f.Add(append(appendHeader(nil, m.k, 0, m.body), m.body...))
	}
	f.Add(append(appendHeader(nil, sayState, 0, make([]byte, 1<<20)), 1, 2, 3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b))
		if err != nil {
			return
		}
		again := append(appendHeader(nil, m.kind, m.files, m.body), m.body...)
		if !bytes.Equal(again, b[:len(again)]) {
			t.Fatalf("%x was read as %x", b, again)
		}
		switch m.kind {
		case sayHello:
			_ = decode(m.body, new(Hello))
		case sayOffer:
			_ = decode(m.body, new(Offer))
		case sayState:
			parts, err := parseParts(m.body)
			if err != nil {
				return
			}
			b, err := appendParts(nil, parts)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseParts(b); err != nil || len(got) != len(parts) {
				t.Fatalf("%v became %v, %v", parts, got, err)
			}
		}
	})
}

// A header or a state that names lengths of hundreds of megabytes takes no more memory than has come.
func TestLengthsAreNotBelieved(t *testing.T) {
	claims := append(appendHeader(nil, sayState, 0, nil)[:8], 0x0f, 0xff, 0xff, 0xff, 1, 2, 3, 4)
	state := append([]byte{1, 1, 'a'}, 0xff, 0xff, 0xff, 0x7f, 5)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, header := readMessage(bytes.NewReader(append(claims, make([]byte, 1000)...)))
	_, parts := parseParts(state)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 || header == nil || parts == nil {
		t.Errorf("%d bytes were taken, and %v, %v", took, header, parts)
	}
}

// Every kind of damage is noticed.
func TestDamage(t *testing.T) {
	state, err := appendParts(nil, []Part{{"realm", []byte("players")}})
	if err != nil {
		t.Fatal(err)
	}
	whole := append(appendHeader(nil, sayState, 0, state), state...)
	if _, err := readMessage(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= bit
			if m, err := readMessage(bytes.NewReader(b)); err == nil {
				t.Errorf("with byte %d changed it was read as %+v", i, m)
			}
		}
		if _, err := readMessage(bytes.NewReader(whole[:i])); err == nil {
			t.Errorf("%d of %d bytes were read", i, len(whole))
		}
	}
	for _, parts := range [][]Part{{{"", nil}}, {{"a", nil}, {"a", nil}}, make([]Part, maxParts+1)} {
		if _, err := appendParts(nil, parts); err == nil {
			t.Errorf("%v was encoded", parts)
		}
	}
}

// A process that dies in the middle of a message, with some that came unread, has hung up.
func TestDiesInTheMiddle(t *testing.T) {
	state, err := appendParts(nil, []Part{{"realm", make([]byte, 1<<20)}})
	if err != nil {
		t.Fatal(err)
	}
	whole := append(appendHeader(nil, sayState, 0, state), state...)
	for _, n := range []int{0, 1, headerSize, headerSize + 1, len(whole) / 2} {
		for _, unread := range []bool{false, true} {
			a, b := socketPair(t)
			if unread { // then the system calls it a reset
				if _, err := b.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			s := newScript(t, b)
			if _, err := a.Write(whole[:n]); err != nil {
				t.Fatal(err)
			}
			a.Close()
			if _, err := s.hear(t.Context(), patient().Answer, sayState); !errors.Is(err, errHungUp) {
				t.Errorf("after %d bytes: %v", n, err)
			}
		}
	}
}

// Descriptors that were not announced, or do not come, are an error, and none stays open.
func TestDescriptorsThatDoNotMatch(t *testing.T) {
	for _, named := range []int{0, 2} {
		a, b := socketPair(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		header := appendHeader(nil, sayConns, named, nil)
		if err := send(a, header, []File{FileOf("", w)}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		s := newScript(t, b)
		if _, err := s.hear(t.Context(), patient().Answer, sayConns); err == nil {
			t.Errorf("one descriptor where %d are named is no error", named)
		}
		s.close()
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Error("the descriptor is still open")
		}
	}
}
