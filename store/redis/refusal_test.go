package redis

import (
	"errors"
	"testing"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// What a server refuses for its own sake is never taken for a record's damage, in whatever words its version says so.
func TestServersRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		does    func(*redistest.Server)
		repairs func(*redistest.Server)
	}{
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
			eventually(t, func() error {
				errs, err := s.Refresh(t.Context(), nodeA, []rushgate.Lease{in.Lease})
				return errors.Join(append(errs, err)...)
			})
		})
	}
}

// What older and newer servers say, of which the tests have one.
func TestIsAboutRecord(t *testing.T) {
	const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	const script6, script7 = "ERR Error running script (call to f_3b): @user_script:5: ", " script: 3b, on @user_script:5."
	for says, want := range map[string]bool{
		wrongType:           true,
		wrongType + script7: true,
		script6 + wrongType: true,
		"ERR user_script:30: attempt to compare nil with number" + script7:             true,
		script6 + "user_script:30: attempt to perform arithmetic on a nil value":       true,
		"ERR user_script:9: bad argument #1 to 'match' (string expected)" + script7:    true,
		"ERR hash value is not an integer" + script7:                                   true,
		"ERR increment or decrement would overflow":                                    true,
		"OOM command not allowed when used memory > 'maxmemory'." + script7:            false,
		script6 + "@user_script: 5: -OOM command not allowed when used memory":         false,
		"READONLY You can't write against a read only replica." + script7:              false,
		script6 + "-READONLY You can't write against a read only replica.":             false,
		"NOPERM this user has no permissions to run the 'evalsha' command":             false,
		"ERR ACL failure in script: User default has no permissions to run 'hset'":     false,
		"ERR The user executing the script can't run this command" + script7:           false,
		"WRONGPASS invalid username-password pair or user is disabled.":                false,
		"NOAUTH Authentication required.":                                              false,
		"MISCONF Redis is configured to save RDB snapshots, but is unable to persist.": false,
		"ERR Script attempted to access nonexistent global variable 'x'":               false,
		"BUSY Redis is busy running a script.":                                         false,
		"LOADING Redis is loading the dataset in memory":                               false,
		"SOMETHING that no version says yet":                                           false,
	} {
		if got := isAboutText(says); got != want {
			t.Errorf("%s: about the record %v, want %v", says, got, want)
		}
	}
	if isFailure(nil) || isFailure(rueidis.Nil) || !isFailure(errors.New("connection reset")) {
		t.Error("no error, no value, or no connection is taken for another")
	}
}
