package table

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/importer/servertest"
)

// standIn says what a server says to who logs in, of MySQL or of PostgreSQL, and takes any password.
type standIn struct {
	net.Conn
	flavour flavour
	tls     *tls.Config // nil if it does not encrypt

	sequence byte // of the packet of MySQL that was heard last
}

// packet sends a message of PostgreSQL of a type, or a packet of MySQL, which has none.
func (s *standIn) packet(kind byte, payload ...byte) {
	head := []byte{byte(len(payload)), byte(len(payload) >> 8), 0, s.sequence + 1}
	if s.sequence++; s.flavour == postgres {
		head = binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)+4))
	}
	_, _ = s.Write(append(head, payload...)) // who does not listen has gone
}

// hear hears what a client has to say before it wants an answer. It returns nil when the client has gone.
func (s *standIn) hear() []byte {
	for {
		head := make([]byte, 4)
		if s.flavour == postgres {
			head = make([]byte, 5)
		}
		if _, err := io.ReadFull(s, head); err != nil {
			return nil
		}
		length := int(head[0]) | int(head[1])<<8
		if s.sequence = head[3]; s.flavour == postgres {
			length = int(binary.BigEndian.Uint32(head[1:])) - 4
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(s, payload); err != nil {
			return nil
		}
		const sync = 'S'
		if s.flavour != postgres || head[0] == sync {
			return append(head, payload...)
		}
	}
}

// greet greets, encrypts if it does and the client wants it, and hears who comes.
func (s *standIn) greet() (come bool) {
	if s.flavour == postgres {
		return s.hearStartup()
	}
	const protocol41, encrypts, secure, plugins = 0x200, 0x800, 0x8000, 0x80000
	can := uint32(protocol41 | secure | plugins)
	if s.tls != nil {
		can |= encrypts
	}
	greeting := append([]byte("\x0a8.0.0\x00"), 1, 0, 0, 0)
	greeting = append(greeting, "salt4567\x00"...)
	greeting = append(greeting, byte(can), byte(can>>8), 45, 2, 0, byte(can>>16), byte(can>>24), 21)
	greeting = append(greeting, make([]byte, 10)...)
	s.sequence = 255
	s.packet(0, append(greeting, "salt56789012\x00mysql_native_password\x00"...)...)
	const request = 4 + 32 // to encrypt
	b := s.hear()
	return len(b) > request || len(b) == request && s.encrypt() && s.hear() != nil
}

func (s *standIn) hearStartup() bool {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(s, head); err != nil {
			return false
		}
		const request = 80877103 // to encrypt
		if binary.BigEndian.Uint32(head[4:]) != request {
			_, err := io.ReadFull(s, make([]byte, binary.BigEndian.Uint32(head)-8))
			return err == nil
		}
		if s.tls == nil {
			_, _ = s.Write([]byte("N"))
			continue
		}
		if _, err := s.Write([]byte("S")); err != nil || !s.encrypt() {
			return false
		}
	}
}

func (s *standIn) encrypt() bool {
	c := tls.Server(s.Conn, s.tls)
	s.Conn = c
	return c.Handshake() == nil
}

// letIn says that the login was right, and refuse that the password was wrong.
func (s *standIn) letIn() {
	if s.flavour != postgres {
		s.done()
		return
	}
	s.packet('R', 0, 0, 0, 0)
	s.packet('Z', 'I')
}

func (s *standIn) refuse() {
	if s.flavour != postgres {
		const denied = 1045
		s.packet(0, append([]byte{0xff, denied & 0xff, denied >> 8}, "#28000denied"...)...)
		return
	}
	s.packet('E', []byte("SFATAL\x00C"+postgreSQLWrongPassword+"\x00Mdenied\x00\x00")...)
}

// done answers that what was asked is done, and has no rows.
func (s *standIn) done() {
	if s.flavour != postgres {
		s.packet(0, 0, 0, 0, 2, 0, 0, 0)
		return
	}
	s.packet('1')
	s.packet('2')
	s.packet('n')
	s.packet('C', []byte("SELECT 0\x00")...)
	s.packet('Z', 'T')
}

// row answers with a row, of PostgreSQL.
func (s *standIn) row(values ...string) {
	s.packet('1')
	s.packet('2')
	fields, row := []byte{0, byte(len(values))}, []byte{0, byte(len(values))}
	for _, v := range values {
		fields = append(append(fields, "x\x00"...), make([]byte, 18)...)
		row = append(binary.BigEndian.AppendUint32(row, uint32(len(v))), v...)
	}
	s.packet('T', fields...)
	s.packet('D', row...)
	s.packet('C', []byte("SELECT 1\x00")...)
	s.packet('Z', 'T')
}

// A server that answers something else than was asked ends the reading, and no more.
func TestWrongAnswersOfServers(t *testing.T) {
	table := []string{"s", "t", "t", "f"}
	for _, answers := range [][][]string{
		{{"x"}}, {table, {}}, {table, {"name"}, {"1", "2"}}, {table, {"name"}, {"none"}},
		{table, {"name"}, {"1"}, {"name", "id"}}, {table, {"name"}, {"1"}, {"name"}, {"a", "b"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, err := ParseAddress("postgres://ann@192.0.2.1/d")
			if err != nil {
				t.Fatal(err)
			}
			a.dialer = func(context.Context, string, string) (net.Conn, error) {
				ours, its := net.Pipe()
				go func() {
					defer its.Close() //nolint:errcheck // it is a pipe
					s := standIn{Conn: its, flavour: postgres}
					if s.greet() {
						s.letIn()
					}
					for range 3 { // settings
						s.hear()
						s.done()
					}
					for _, values := range answers {
						s.hear()
						s.row(values...)
					}
					_, _ = io.Copy(io.Discard, its)
				}()
				return ours, nil
			}
			server, err := Connect(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := server.Open(Query{Table: "t", Columns: []string{"name"}}).all(t.Context())
			if !errors.Is(err, errAnswer) || len(rows) > 0 || !strings.Contains(err.Error(), "192.0.2.1") {
				t.Errorf("%q: %v, %v", answers, rows, err)
			}
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The certificate of a server is checked, and nothing of the login is said before; unless the operator says otherwise.
func TestCertificatesOfServers(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as synctest has it
	authority, own := servertest.Certificate(t, now)
	stranger, _ := servertest.Certificate(t, now)
	itsAuthority, old := servertest.Certificate(t, now.AddDate(-1, 0, 0))
	encrypts := func(c tls.Certificate) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{c}, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS12}
	}
	pool := func(all ...*x509.Certificate) *x509.CertPool {
		p := x509.NewCertPool()
		for _, c := range all {
			p.AddCert(c)
		}
		return p
	}
	const in = "read of --from-password-file" // with a password that the stand-in says is wrong
	type how struct {
		encrypt     bool
		authorities *x509.CertPool
		trusting    bool
	}
	verified, unverified, off := how{true, pool(stranger, authority), false}, how{true, nil, true}, how{}
	for _, c := range []struct {
		name, host string
		server     *tls.Config
		how        how
		want       string
	}{
		{"right", "127.0.0.1", encrypts(own), verified, in},
		{"other name", "localhost", encrypts(own), verified, "of another name"},
		{"other authority", "127.0.0.1", encrypts(own), how{true, pool(stranger), false}, "--from-ca"},
		{"authorities of the machine", "127.0.0.1", encrypts(own), how{encrypt: true}, "--from-ca"},
		{"expired", "127.0.0.1", encrypts(old), how{true, pool(itsAuthority), false}, "does not hold"},
		{"unverified", "db.example.org", encrypts(old), unverified, in},
		{"off", "127.0.0.1", encrypts(own), off, in},
		{"none there", "127.0.0.1", nil, verified, noTLS},
		{"none there, unverified", "127.0.0.1", nil, unverified, noTLS},
		{"none there, off", "127.0.0.1", nil, off, in},
	} {
		for _, scheme := range []string{"mysql", "postgres"} {
			synctest.Test(t, func(t *testing.T) {
				a, err := ParseAddress(scheme + "://ann@" + c.host + "/d")
				if err != nil {
					t.Fatal(err)
				}
				a.Password = "s3cret"
				if c.how.encrypt {
					if err := a.Encrypt(c.how.authorities, c.how.trusting); err != nil {
						t.Fatal(err)
					}
				}
				var said bytes.Buffer
				come := false
				var ended []chan struct{}
				a.dialer = func(context.Context, string, string) (net.Conn, error) {
					ours, its := net.Pipe()
					gone := make(chan struct{})
					ended = append(ended, gone)
					go func() {
						defer close(gone)
						defer its.Close() //nolint:errcheck // it is a pipe
						s := standIn{Conn: heard{its, &said}, flavour: a.flavour, tls: c.server}
						if come = s.greet(); come {
							s.refuse()
						}
						_, _ = io.Copy(io.Discard, s)
					}()
					return ours, nil
				}
				_, err = Connect(t.Context(), a, nil)
				for _, gone := range ended {
					<-gone
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), a.Password) {
					t.Errorf("%s, %s: %v, want %q", scheme, c.name, err, c.want)
				}
				if come != (c.want == in) {
					t.Errorf("%s, %s: the login was said: %v", scheme, c.name, come)
				}
				if open := bytes.Contains(said.Bytes(), []byte("ann")); open != (!c.how.encrypt && c.want == in) {
					t.Errorf("%s, %s: the user was said in the open: %v", scheme, c.name, open)
				}
			})
		}
	}
}

// heard is a connection that keeps what comes by it.
type heard struct {
	net.Conn
	all *bytes.Buffer
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.all.Write(b[:n])
	return n, err
}

// A socket is no place to encrypt, and what is said there is not.
func TestSocketsAreNotEncrypted(t *testing.T) {
	a, err := ParseAddress("postgres://ann@/d?socket=/run")
	if err != nil {
		t.Fatal(err)
	}
	if a.Encrypt(nil, true) == nil || a.TLS != nil {
		t.Error("it is encrypted")
	}
}
