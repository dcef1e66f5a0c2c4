// Package servertest starts servers with databases for tests: MariaDB, PostgreSQL and MySQL, on free ports of this
// machine, in folders of their own, gone with the test. It needs the programs of Debian's packages mariadb-server and
// postgresql. Where they are not, tests are skipped, or fail if the variable RUSHGATE_REQUIRE_OTHERS is set.
//
// MySQL is tried where the variable RUSHGATE_MYSQL names a folder with its programs mysqld, mysql and mysqldump.
package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/porttest"
)

const (
	// startTimeout is how long a server may take to become ready, and stopTimeout to end.
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// Server is a server with databases. Its methods must be called from the test's goroutine.
type Server struct {
	// Admin is the name of the user who may do everything, from this machine without a password.
	Admin string
	// Port is where it listens at 127.0.0.1, and Socket is the path of its socket.
	Port, Socket string
	// Postgres tells that it is PostgreSQL, and not one of the others.
	Postgres bool
	// Authority is the file with the certificate of the authority of that of the server, which is for 127.0.0.1 only. Who
	// comes by the port may encrypt.
	Authority string

	name   string
	tb     testing.TB
	scheme string
	dir    string
	shell  func(database string) *exec.Cmd // runs the SQL of its standard input
	dump   func(database, to string) *exec.Cmd
}

// All starts a server of each kind.
func All(tb testing.TB) []*Server {
	tb.Helper()
	all := []*Server{MariaDB(tb), PostgreSQL(tb)}
	if programs := os.Getenv("RUSHGATE_MYSQL"); programs != "" {
		all = append(all, mySQL(tb, programs))
	}
	return all
}

// MariaDB starts a MariaDB.
func MariaDB(tb testing.TB) *Server {
	tb.Helper()
	s := prepare(tb, "mysql", "mysql", "mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump")
	s.name = "MariaDB"
	s.run(exec.Command("mariadb-install-db", append(s.user(), "--auth-root-authentication-method=normal",
		"--skip-test-db")...))
	s.startMySQL("mariadbd", "mariadb", "mariadb-dump")
	return s
}

// mySQL starts a MySQL of the programs in a folder.
func mySQL(tb testing.TB, programs string) *Server {
	tb.Helper()
	tb.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	s := prepare(tb, "mysql", "mysql", "mysqld", "mysql", "mysqldump")
	s.name = "MySQL"
	s.run(exec.Command("mysqld", append(s.user(), "--initialize-insecure")...))
	s.startMySQL("mysqld", "mysql", "mysqldump", "--mysqlx=OFF", "--secure-file-priv=NULL")
	return s
}

// user is what a server of MySQL or MariaDB needs to know first.
func (s *Server) user() []string {
	user := []string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data")}
	if os.Geteuid() == 0 {
		user = append(user, "--user=mysql")
	}
	return user
}

// startMySQL starts a server of MySQL or MariaDB.
func (s *Server) startMySQL(daemon, shell, dump string, settings ...string) {
	s.tb.Helper()
	s.Admin, s.Socket = "root", filepath.Join(s.dir, "s.sock")
	connect := []string{"--no-defaults", "--user=root", "--socket=" + s.Socket, "--default-character-set=utf8mb4"}
	s.shell = func(database string) *exec.Cmd {
		c := append(slices.Clone(connect), "--batch", "--skip-column-names")
		return exec.Command(shell, append(c, "--database="+database)...)
	}
	s.dump = func(database, to string) *exec.Cmd {
		return exec.Command(dump, append(slices.Clone(connect), "--result-file="+to, database)...)
	}
	args := append(s.user(), "--port="+s.Port, "--bind-address=127.0.0.1", "--socket="+s.Socket,
		"--character-set-server=utf8mb4", "--skip-log-bin", "--skip-performance-schema", "--innodb-flush-log-at-trx-commit=0",
		"--pid-file="+filepath.Join(s.dir, "pid"), "--ssl-cert="+s.certificate(),
		"--ssl-key="+s.key())
	s.start(exec.Command(daemon, append(args, settings...)...), syscall.SIGTERM, "")
}

// PostgreSQL starts a PostgreSQL. Who comes by its port needs a password.
func PostgreSQL(tb testing.TB) *Server {
	tb.Helper()
	s := prepare(tb, "postgres", "postgres", "postgres", "initdb", "psql", "pg_dump")
	s.name, s.Postgres, s.Admin, s.Socket = "PostgreSQL", true, "admin", filepath.Join(s.dir, ".s.PGSQL."+s.Port)
	data := filepath.Join(s.dir, "data")
	s.run(s.as("postgres", "initdb", "-D", data, "-U", s.Admin, "-E", "UTF8", "--no-sync", "--auth-local=trust",
		"--auth-host=scram-sha-256"))
	s.shell = func(database string) *exec.Cmd {
		return exec.Command("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", s.dir, "-p", s.Port, "-U", s.Admin,
			"-d", database)
	}
	s.dump = func(database, to string) *exec.Cmd {
		return exec.Command("pg_dump", "-h", s.dir, "-p", s.Port, "-U", s.Admin, "-f", to, database)
	}
	s.start(s.as("postgres", "postgres", "-D", data, "-p", s.Port, "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=off", "-c", "ssl=on", "-c", "ssl_cert_file="+s.certificate(), "-c", "ssl_key_file="+s.key()),
		os.Interrupt, "postgres")
	return s
}

// prepare makes a folder for a server that a user of the machine can write to, and looks for the programs.
func prepare(tb testing.TB, scheme, user string, programs ...string) *Server {
	tb.Helper()
	path := os.Getenv("PATH") + ":/usr/sbin"
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin"); err == nil {
		path += ":" + strings.Join(found, ":")
	}
	tb.Setenv("PATH", path)
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("RUSHGATE_REQUIRE_OTHERS") != "" {
				tb.Fatal(err)
			}
			tb.Skip(err)
		}
	}
	dir, err := os.MkdirTemp("", "server") // of a short path, as sockets want it
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{tb: tb, scheme: scheme, dir: dir, Port: strconv.Itoa(porttest.Take(tb))}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		tb.Fatal(err)
	}
	s.makeCertificates()
	if os.Geteuid() == 0 {
		s.run(exec.Command("chown", "-R", user, dir))
	}
	return s
}

// as is a program that runs as a user of the machine, if root runs the test: PostgreSQL refuses root.
func (s *Server) as(user string, program ...string) *exec.Cmd {
	if os.Geteuid() != 0 {
		return exec.Command(program[0], program[1:]...)
	}
	return exec.Command("setpriv", append([]string{"--reuid=" + user, "--regid=" + user, "--clear-groups"}, program...)...)
}

func (s *Server) run(c *exec.Cmd) string {
	s.tb.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		s.tb.Fatalf("%s: %v\n%s", filepath.Base(c.Path), err, out)
	}
	return string(out)
}

// start starts the server, waits until it answers, and ends it by a signal with the test.
func (s *Server) start(c *exec.Cmd, stop os.Signal, database string) {
	s.tb.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.tb.Fatal(err)
	}
	c.Stdout, c.Stderr, c.Dir = log, log, "/"
	if err := c.Start(); err != nil {
		s.tb.Fatal(err)
	}
	_ = log.Close() // the server has it
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // its log says why it ended
	}()
	s.tb.Cleanup(func() {
		_ = c.Process.Signal(stop) // it may have ended
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			_ = c.Process.Kill()
			<-ended
		}
	})
	for end := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		ask := s.shell(database)
		ask.Stdin = strings.NewReader("SELECT 1;\n")
		if ask.Run() == nil {
			return
		}
		over := time.Now().After(end)
		select {
		case <-ended:
			over = true
		default:
		}
		if over {
			said, err := os.ReadFile(log.Name())
			s.tb.Fatalf("the server does not start: %v\n%s", err, said)
		}
	}
}

// Run runs SQL in a database, and returns what it prints. The empty name is for none, or that of the user.
func (s *Server) Run(database, text string) string {
	s.tb.Helper()
	if database == "" && s.Postgres {
		database = "postgres"
	}
	c := s.shell(database)
	c.Stdin = strings.NewReader(text)
	return strings.TrimSpace(s.run(c))
}

// String is the name of its kind.
func (s *Server) String() string { return s.name }

// Quoted is a name as it stands in SQL.
func (s *Server) Quoted(name string) string {
	quote := "`"
	if s.Postgres {
		quote = `"`
	}
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
}

// Numbers is what stands behind FROM for a table with the column n, from 1 to a million.
func (s *Server) Numbers() string {
	if s.Postgres {
		return "generate_series(1, 1000000) n"
	}
	const digits = "(SELECT 0 d" + " UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5" +
		" UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	return "(SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d n FROM " + digits + " a, " +
		digits + " b, " + digits + " c, " + digits + " d, " + digits + " e, " + digits + " f) s"
}

// Grant makes a user with a password, if there is none of that name, who may read a database as it is now.
func (s *Server) Grant(user, password, database string) {
	s.tb.Helper()
	if !s.Postgres {
		s.Run("", fmt.Sprintf("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY '%s'; GRANT SELECT ON %s.* TO %s@'%%'",
			user, password, s.Quoted(database), user))
		return
	}
	if s.Run("", fmt.Sprintf("SELECT 1 FROM pg_roles WHERE rolname = '%s'", user)) == "" {
		s.Run("", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", user, password))
	}
	for schema := range strings.FieldsSeq(s.Run(database, `SELECT nspname FROM pg_namespace
		WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'`)) {
		s.Run(database, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s",
			schema, user, schema, user))
	}
}

// Dump writes a database into a file, as the server's own program does, and returns its path.
func (s *Server) Dump(database string) string {
	s.tb.Helper()
	to := filepath.Join(s.tb.TempDir(), database+".sql")
	s.run(s.dump(database, to))
	return to
}

// URL is where a user finds a database.
func (s *Server) URL(user, database string) string {
	return fmt.Sprintf("%s://%s@127.0.0.1:%s/%s", s.scheme, user, s.Port, database)
}

// AtSocket is where a user finds a database by the socket.
func (s *Server) AtSocket(user, database string) string {
	return fmt.Sprintf("%s://%s@/%s?socket=%s", s.scheme, user, database, s.Socket)
}
