package table

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a server that makes some answers and then none any more.
type silent struct {
	answers int // to questions, behind the login
	greets  bool
	dials   bool
}

// at has an address led to the server.
func (s *silent) at(t *testing.T, text string) *Address {
	t.Helper()
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	a.dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if !s.dials {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ours, its := net.Pipe()
		go s.serve(its, a.flavour)
		return ours, nil
	}
	return a
}

// serve answers until it falls silent, and then hears what is said.
func (s *silent) serve(c net.Conn, f flavour) {
	defer func() { _ = c.Close() }()
	w := standIn{Conn: c, flavour: f}
	if s.greets && w.greet() {
		w.letIn()
		for range s.answers {
			w.hear()
			w.done()
		}
	}
	_, _ = io.Copy(io.Discard, c)
}

// Whatever step a server does not come to is named, with how long it was waited for; before that somebody is told; and
// whoever breaks off is not held up. A server that says something now and then is waited for.
func TestSilentServers(t *testing.T) {
	for _, c := range []struct {
		server silent
		at     string
		limit  time.Duration
		want   string
	}{
		{silent{}, "mysql://ann@192.0.2.1/d", connectIn, "a connection to 192.0.2.1:3306"},
		{silent{}, "postgres://ann@192.0.2.1/d", connectIn, "a connection to 192.0.2.1:5432"},
		{silent{dials: true}, "mysql://ann@192.0.2.1/d", loginIn, "greeting and the login"},
		{silent{dials: true}, "postgres://ann@192.0.2.1/d", loginIn, "greeting and the login"},
		{silent{dials: true, greets: true}, "mysql://ann@192.0.2.1/d", answerIn, "the settings of the connection"},
		{silent{dials: true, greets: true}, "postgres://ann@192.0.2.1/d", answerIn, "the settings of the connection"},
		{silent{dials: true, greets: true, answers: 3}, "mysql://ann@192.0.2.1/d", answerIn, "the settings of"},
		{silent{dials: true, greets: true, answers: 1}, "postgres://ann@192.0.2.1/d", answerIn, "the settings of"},
	} {
		synctest.Test(t, func(t *testing.T) {
			told, start := "", time.Now()
			_, err := Connect(t.Context(), c.server.at(t, c.at), func(text string) {
				told += text + time.Since(start).String()
			})
			took := time.Since(start)
			if c.server.dials && !c.server.greets && strings.HasPrefix(c.at, "mysql") {
				took -= askIn // what it may be in its place
			}
			if took != c.limit || err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), c.limit.String()) || !strings.Contains(err.Error(), "192.0.2.1") {
				t.Errorf("%s: %v after %v, want %q after %v", c.at, err, took, c.want, c.limit)
			}
			if !strings.Contains(told, c.want) || !strings.HasSuffix(told, wordAfter.String()) {
				t.Errorf("%s: told was %q", c.at, told)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := Connect(ctx, c.server.at(t, c.at), nil)
			if took := time.Since(start); !errors.Is(err, context.Canceled) || took != time.Second {
				t.Errorf("%s: broken off after 1s: %v after %v", c.at, err, took)
			}
		})
	}
}

// paced is a session that takes its time for each thing.
type paced struct {
	spoken
	count, first, next time.Duration
}

func (s *paced) query(ctx context.Context, text string, columns int, visit func([][]byte), args ...string) error {
	sleep := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if strings.HasPrefix(text, "SELECT count") {
		return errors.Join(sleep(s.count), s.spoken.query(ctx, text, columns, visit, args...))
	}
	for i, row := range s.rows {
		d := s.next
		if i == 0 {
			d = s.first
		}
		if err := sleep(d); err != nil {
			return err
		}
		visit(row)
	}
	return nil
}

// Rows may take their time, each of them, and so may who reads them; when none comes for long, that is said.
func TestSlowRows(t *testing.T) {
	at := serverTable{schema: "s", name: "users", near: true}
	for _, c := range []struct {
		session paced
		rows    int
		want    string
	}{
		{paced{count: rowIn - 1, first: rowIn - 1, next: rowIn - 1}, 5, ""},
		{paced{count: rowIn + 1}, 0, `for the number of rows of the table "users"`},
		{paced{first: rowIn + 1}, 0, `for the first row of the table "users"`},
		{paced{next: rowIn + 1}, 1, `for the next row of the table "users"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := c.session
			s.spoken = spoken{session: &mySQLSession{}, all: []serverTable{at}, has: map[serverTable][]string{at: {"name"}},
				rows: [][][]byte{{[]byte("a")}, {[]byte("b")}, {[]byte("c")}, {[]byte("d")}, {[]byte("e")}}}
			told := map[string]int{}
			server := on(t, &s)
			server.tell = func(text string) { told[text]++ }
			n, said := 0, ""
			for _, err := range server.Open(Query{Table: "users", Columns: []string{"name"}}).Rows(t.Context()) {
				if err != nil {
					said = err.Error()
					break
				}
				n++
				time.Sleep(2 * rowIn) // of who reads them
			}
			if n != c.rows || !strings.Contains(said, c.want) || (said == "") != (c.want == "") {
				t.Errorf("%d rows, %q; want %d, %q", n, said, c.rows, c.want)
			}
			for text, times := range told {
				if times != 1 || !strings.Contains(text, "waiting for") {
					t.Errorf("told was %d times %q", times, text)
				}
			}
		})
	}
}

// Whoever breaks off while a row is waited for is not held up, whether by the context of the reading or of the
// connection.
func TestSlowRowsBrokenOff(t *testing.T) {
	at := serverTable{schema: "s", name: "users", near: true}
	for _, s := range []paced{{count: rowIn}, {first: rowIn}, {next: rowIn}} {
		for _, close := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s.spoken = spoken{session: &mySQLSession{}, all: []serverTable{at}, has: map[serverTable][]string{at: {"name"}},
					rows: [][][]byte{{[]byte("a")}, {[]byte("b")}}}
				server := on(t, &s)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if close {
					cancel = server.end
				}
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				var last error
				for _, err := range server.Open(Query{Table: "users", Columns: []string{"name"}}).Rows(ctx) {
					last = err
				}
				if took := time.Since(start); !errors.Is(last, context.Canceled) || took != time.Second {
					t.Errorf("%v after %v", last, took)
				}
			})
		}
	}
}

// Whoever stops before the last row waits for the others, unless the context has ended: then nothing of them is read.
func TestRowsThatNobodyWants(t *testing.T) {
	at := serverTable{schema: "s", name: "users", near: true}
	for _, ended := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := paced{next: time.Minute}
			s.spoken = spoken{session: &mySQLSession{}, all: []serverTable{at}, has: map[serverTable][]string{at: {"name"}},
				rows: [][][]byte{{[]byte("a")}, {[]byte("b")}, {[]byte("c")}}}
			server := on(t, &s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			start, want := time.Now(), 2*time.Minute
			for range server.Open(Query{Table: "users", Columns: []string{"name"}}).Rows(ctx) {
				if ended {
					cancel()
					want = 0
				}
				break
			}
			if took := time.Since(start); took != want {
				t.Errorf("ended %v: it took %v, want %v", ended, took, want)
			}
		})
	}
}
