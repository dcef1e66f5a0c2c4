package redis

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// What a server refuses for its own sake is never taken for a record's damage, in whatever words its version says so.
func TestServersRefusals(t *testing.T) {
	var operator func(command string, args ...string) // on a connection that was there before
	var snapshot string
	for name, tt := range map[string]struct {
		does    func(*redistest.Server)
		repairs func(*redistest.Server)
	}{
		"another password": {
			func(r *redistest.Server) {
				operator = r.Hold()
				operator("CONFIG", "SET", "requirepass", "another")
				operator("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			},
			func(*redistest.Server) { operator("CONFIG", "SET", "requirepass", "") },
		},
		"a replica without a master": {
			func(r *redistest.Server) {
				r.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
				r.Do("REPLICAOF", "127.0.0.1", "1")
			},
			func(r *redistest.Server) { r.Do("REPLICAOF", "NO", "ONE") },
		},
		"snapshots cannot be written": {
			func(r *redistest.Server) {
				settings, err := r.Do("CONFIG", "GET", "dir").AsStrMap()
				if err != nil {
					t.Fatal(err)
				}
				snapshot = filepath.Join(settings["dir"], "dump.rdb", "in its place")
				if err := os.MkdirAll(snapshot, 0o700); err != nil {
					t.Fatal(err)
				}
				r.Do("CONFIG", "SET", "save", "3600 1")
				r.Do("BGSAVE")
				r.AwaitInfo(t, "persistence", "rdb_last_bgsave_status", "err")
			},
			func(r *redistest.Server) {
				if err := os.RemoveAll(filepath.Dir(snapshot)); err != nil {
					t.Fatal(err)
				}
				r.Do("BGSAVE")
			},
		},
		"out of memory": {
			func(r *redistest.Server) { r.Do("CONFIG", "SET", "maxmemory", "1") },
			func(r *redistest.Server) { r.Do("CONFIG", "SET", "maxmemory", "0") },
		},
		"a command is not allowed": {
			func(r *redistest.Server) { r.Do("ACL", "SETUSER", "default", "-hset") },
			func(r *redistest.Server) { r.Do("ACL", "SETUSER", "default", "+@all") },
		},
		"scripts are not allowed": {
			func(r *redistest.Server) { r.Do("ACL", "SETUSER", "default", "-evalsha") },
			func(r *redistest.Server) { r.Do("ACL", "SETUSER", "default", "+@all") },
		},
		"too few replicas": {
			func(r *redistest.Server) { r.Do("CONFIG", "SET", "min-replicas-to-write", "1") },
			func(r *redistest.Server) { r.Do("CONFIG", "SET", "min-replicas-to-write", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
			in := admit(t, s, nodeA, registration(1))[0]
			if err := s.settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			tt.does(server)
			for range breakAfter {
				errs, err := s.Save(t.Context(), []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence}})
				if !errors.Is(err, rushgate.ErrUnavailable) {
					t.Fatalf("Save: %v, %v; want %v", errs, err, rushgate.ErrUnavailable)
				}
			}
			if stats := s.Health(); !stats.Open {
				t.Errorf("the circuit is closed: %+v", stats)
			}
			tt.repairs(server)
			heals(t, func() error { return saves(t, s, in) })
		})
	}
}

// How an error is reported that a script has met, up to Redis 6.2 and since.
const script6, script7 = "ERR Error running script (call to f_3b): @user_script:5: ", " script: 3b, on @user_script:5."

// errorLines are what Redis 6.2 to 8 and Valkey answer in place of what a call asks for, and whether it is about one
// record; all else is the server's or the way's to it. docs/storage.md has them in a table.
var errorLines = map[string]bool{
	"WRONGTYPE Operation against a key holding the wrong kind of value":                              true,
	"WRONGTYPE Operation against a key holding the wrong kind of value" + script7:                    true,
	script6 + "WRONGTYPE Operation against a key holding the wrong kind of value":                    true,
	"ERR user_script:30: attempt to compare nil with number" + script7:                               true,
	script6 + "user_script:30: attempt to perform arithmetic on a nil value":                         true,
	"ERR user_script:9: bad argument #1 to 'match' (string expected)" + script7:                      true,
	"ERR hash value is not an integer" + script7:                                                     true,
	script6 + "ERR hash value is not an integer":                                                     true,
	"ERR increment or decrement would overflow":                                                      true,
	"OOM command not allowed when used memory > 'maxmemory'.":                                        false,
	"OOM command not allowed when used memory > 'maxmemory'." + script7:                              false,
	script6 + "@user_script: 5: -OOM command not allowed when used memory > 'maxmemory'.":            false,
	"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'":     false,
	"READONLY You can't write against a read only replica.":                                          false,
	"READONLY You can't write against a read only replica." + script7:                                false,
	script6 + "@user_script: 5: -READONLY You can't write against a read only replica.":              false,
	"READONLY Can not run script with write flag on readonly replica":                                false,
	"NOPERM this user has no permissions to run the 'evalsha' command or its subcommand":             false,
	"NOPERM this user has no permissions to access one of the keys used as arguments":                false,
	"NOPERM User default has no permissions to run the 'evalsha' command":                            false,
	"NOPERM No permissions to access a key":                                                          false,
	"ERR ACL failure in script: User default has no permissions to run the 'hset' command" + script7: false,
	"ERR The user executing the script can't run this command or subcommand" + script7:               false,
	script6 + "@user_script: 5: -NOPERM The user executing the script can't run this command":        false,
	"WRONGPASS invalid username-password pair or user is disabled.":                                  false,
	"NOAUTH Authentication required.":                                                                false,
	"NOAUTH HELLO must be called with the client already authenticated":                              false,
	"ERR invalid password": false,
	"DENIED Redis is running in protected mode because protected mode is enabled":                       false,
	"DENIED Running in protected mode because protected mode is enabled":                                false,
	"ERR max number of clients reached":                                                                 false,
	"ERR max number of clients + cluster connections reached":                                           false,
	"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":  false,
	"MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.": false,
	"MISCONF Errors writing to the AOF file: No space left on device":                                   false,
	script6 + "@user_script: 5: -MISCONF Errors writing to the AOF file: No space left on device":       false,
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                  false,
	"NOREPLICAS Not enough good replicas to write.":                                                     false,
	"NOREPLICAS Not enough good replicas to write." + script7:                                           false,
	"LOADING Redis is loading the dataset in memory":                                                    false,
	"LOADING Valkey is loading the dataset in memory":                                                   false,
	"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":            false,
	"BUSY Valkey is busy running a module command.":                                                     false,
	"NOSCRIPT No matching script. Please use EVAL.":                                                     false,
	"NOSCRIPT No matching script.":                                                                      false,
	"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'":          false,
	"ERR Script attempted to access nonexistent global variable 'x'" + script7:                          false,
	"ERR Error running script (call to f_3b): Script killed by user with SCRIPT KILL...":                false,
	"UNKILLABLE Sorry the script already executed write commands against the dataset.":                  false,
	"ERR unknown command 'EVALSHA', with args beginning with: ":                                         false,
	"ERR unknown command `EVALSHA`, with args beginning with: ":                                         false,
	"ERR wrong number of arguments for 'hmget' command":                                                 false,
	"ERR syntax error":                                                 false,
	"ERR DB index is out of range":                                     false,
	"ERR Protocol error: invalid bulk length":                          false,
	"EXECABORT Transaction discarded because of previous errors.":      false,
	"UNBLOCKED client unblocked via CLIENT UNBLOCK":                    false,
	"NOPROTO unsupported protocol version":                             false,
	"CLUSTERDOWN The cluster is down":                                  false,
	"CLUSTERDOWN The cluster is down and only accepts read commands":   false,
	"CLUSTERDOWN Hash slot not served":                                 false,
	"CROSSSLOT Keys in request don't hash to the same slot":            false,
	"TRYAGAIN Multiple keys request during rehashing of slot":          false,
	"MOVED 3999 127.0.0.1:6381":                                        false,
	"ASK 3999 127.0.0.1:6381":                                          false,
	"REDIRECT 127.0.0.1:6381":                                          false,
	"ERR Script attempted to access a non local key in a cluster node": false,
	"NOMASTERLINK Can't SYNC while not connected with my master":       false,
	"INPROG Failover already in progress":                              false,
	"IOERR error or timeout connecting to the client":                  false,
	"ERR upstream failure":                                             false, // Envoy
	"ERR no upstream host, attempt to connect failed":                  false,
	"Connection refused":                                               false, // twemproxy
	"ERR WRONGTYPE of backend":                                         false,
	"SOMETHING that no version says yet":                               false,
	"":                                                                 false,
}

// Of all that a server may answer only what is wrong with a record counts as that, and nothing against the player.
func TestErrorLines(t *testing.T) {
	record, away := openSaying(t, 20*time.Second), openSaying(t, 100*time.Millisecond)
	for says, about := range errorLines {
		if isAboutText(says) != about || isAboutText(strings.TrimPrefix(says, "ERR ")) != about {
			t.Errorf("%s: about the record %v, want %v", says, !about, about)
		}
		if about {
			record.wantRefused(t, says, rushgate.ErrDamagedRecord)
		} else {
			away.wantRefused(t, says, rushgate.ErrUnavailable)
		}
	}
	if isFailure(nil) || isFailure(rueidis.Nil) || !isFailure(errors.New("connection reset")) {
		t.Error("no error, no value, or no connection is taken for another")
	}
}

// FuzzRefusals has a server say anything in place of every answer.
func FuzzRefusals(f *testing.F) {
	for says := range errorLines {
		f.Add(says)
	}
	s := openSaying(f, 50*time.Millisecond)
	f.Fuzz(func(t *testing.T, says string) {
		s.wantRefused(t, says, rushgate.ErrUnavailable, rushgate.ErrDamagedRecord)
	})
}

// saying is a store whose server answers with one error whatever it is asked.
type saying struct {
	*Store
	says atomic.Pointer[string]
}

// wantRefused makes the calls that could turn a player out or away, and wants one of the errors from each.
func (s *saying) wantRefused(t *testing.T, says string, want ...error) {
	t.Helper()
	says = strings.NewReplacer("\r", " ", "\n", " ").Replace(says)
	s.says.Store(&says)
	lease := rushgate.Lease{Player: 1, Name: "player1", Fence: 1}
	for name, call := range map[string]func() ([]error, error){
		"Save": func() ([]error, error) {
			c := rushgate.Character{ID: 1, Name: "player1", Numbers: rushgate.Numbers{"level": 1}}
			return s.Save(t.Context(), []rushgate.Save{{Character: c, Fence: 1}})
		},
		"Refresh": func() ([]error, error) { return s.Refresh(t.Context(), nodeA, []rushgate.Lease{lease}) },
		"Admit": func() ([]error, error) {
			in, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(1)})
			return errorsOf(in, func(a rushgate.Admitted) error { return a.Err }), err
		},
		"LoadAccounts": func() ([]error, error) {
			a, err := s.LoadAccounts(t.Context(), []string{"player1"})
			return errorsOf(a, func(a rushgate.LoadedAccount) error { return a.Err }), err
		},
		"DeleteAccount": func() ([]error, error) { return nil, s.DeleteAccount(t.Context(), "player1") },
	} {
		s.breaker.mu.Lock()
		s.breaker.open, s.breaker.failures = false, 0
		s.breaker.mu.Unlock()
		errs, err := call()
		if err == nil && len(errs) == 1 {
			err = errs[0]
		}
		if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			t.Errorf("%s while the server says %q: %v, want %v", name, says, err, want)
		}
	}
}

// openSaying opens a store on a server that knows how to begin a connection and nothing else.
func openSaying(tb testing.TB, patience time.Duration) *saying {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &saying{}
	s.says.Store(new(string)) // for what a store asks by itself
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	s.Store = openStore(tb, Options{URLs: []string{"redis://" + l.Addr().String()}, Logger: quiet(), patience: patience})
	return s
}

func (s *saying) serve(conn net.Conn) {
	defer conn.Close()
	greetings := map[string]string{
		"HELLO": "%1\r\n$5\r\nproto\r\n:3\r\n", "CLIENT": "+OK\r\n", "PING": "+PONG\r\n",
		"CLUSTER": "-ERR This instance has cluster support disabled\r\n",
	}
	for r := bufio.NewReader(conn); ; {
		words, err := readCommand(r)
		if err != nil {
			return
		}
		answer := greetings[words[0]]
		if answer == "" {
			answer = "-" + *s.says.Load() + "\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// readCommand reads a command as clients send it.
func readCommand(r *bufio.Reader) ([]string, error) {
	number := func() (n int, err error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.Trim(line, "*$\r\n"))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		length, err := number()
		if err != nil {
			return nil, err
		}
		word := make([]byte, length+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:length])
	}
	return words, nil
}
