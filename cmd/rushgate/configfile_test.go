package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func writeConfig(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rushgate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// The command line goes before the environment, that before the file, and that before the default.
func TestConfigFile(t *testing.T) {
	path := writeConfig(t, `# a node of two
http: 127.0.0.1:1
admin: 127.0.0.1:2
udp: 127.0.0.1:3
udp-public: [a:1, b:2]
trusted-proxies:
  - 10.0.0.1
  - 10.0.0.2
tls: true
max-players: 17
session-timeout: 7s
protocol-id: 0xfeed
opens-at: 2027-01-31T18:00:00Z
zones: [caves=node-2:8080]
`, 0o644)
	t.Setenv("RUSHGATE_ADMIN", "127.0.0.1:20")
	t.Setenv("RUSHGATE_UDP", "127.0.0.1:30")
	t.Setenv("RUSHGATE_AUTH_WORKERS", "7") // goes before the name that the old game gave it
	t.Setenv("MMORPG_AUTH_WORKERS", "8")
	t.Setenv("MMORPG_AUTH_QUEUE_MAX", "9")
	for _, args := range [][]string{{"--config", path, "--udp", "127.0.0.1:300"}, {"--udp=127.0.0.1:300"}} {
		if len(args) == 1 {
			t.Setenv("RUSHGATE_CONFIG", path)
		}
		v := newServeFlags()
		if err := v.declare().parse(args); err != nil {
			t.Fatal(err)
		}
		c := v.cfg
		if c.HTTPAddr != "127.0.0.1:1" || c.AdminAddr != "127.0.0.1:20" || c.UDPAddr != "127.0.0.1:300" || !c.TLS || c.MaxPlayers != 17 ||
			c.SessionTimeout != 7*time.Second || c.ProtocolID != 0xfeed || !slices.Equal(c.UDPPublic, []string{"a:1", "b:2"}) ||
			len(c.TrustedProxies) != 2 || c.OpensAt.Year() != 2027 || c.Zones["caves"] != "node-2:8080" || c.Workers != 7 || c.QueueDepth != 9 {
			t.Errorf("%v: %+v", args, c)
		}
	}
	// Another command takes what it has, and leaves the rest alone.
	v := newAccountFlags()
	f := newFlags("")
	v.where.declare(f)
	path = writeConfig(t, "data: d\nmax-players: 3\ndb: redis\nredis-url: redis://h\n", 0o644)
	if err := f.parse([]string{"--config", path}); err != nil || v.where.data != "d" || v.where.db.value != "redis" || v.where.redis.urls.list[0] != "redis://h" {
		t.Errorf("%+v, %v", v.where, err)
	}
}

func TestConfigFileRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"unknown":          {"http: :1\n\nhtpp: :2", `line 3: there is no setting "htpp"; did you mean http?`},
		"unlike any":       {"colour: red", `line 1: there is no setting "colour"; a file has flags of "rushgate serve"`},
		"with dashes":      {"--http: :1", `did you mean http?`},
		"command line":     {"handover: true", "handover is for the command line only"},
		"another file":     {"config: x", "config is for the command line only"},
		"range":            {"snapshot-rate: 61", `line 1: snapshot-rate "61": must be a whole number from 1 to 60`},
		"nothing":          {"http:", "line 1: http takes one value"},
		"no list":          {"page-title: [a, b]", "line 1: page-title takes one value"},
		"list of one":      {"http: [a]", "line 1: http takes one value"},
		"no list of flags": {"tls: [true]", "line 1: tls takes one value"},
		"comment":          {"tls: on\npage-accent: #0f766e", "line 2: page-accent takes one value: what follows # is a comment"},
		"comment, a list":  {"origins: # none\nhttp: :1", "line 1: origins takes a value, or a list of values: what follows #"},
		"tab":              {"http: :1\n\tudp: :2", ", line 2: not YAML: found a tab"},
		"open":             {"http: [a", ", line 1: not YAML: "},
		"name":             {"[a]: b", ", line 1: what stands before the colon"},
		"empty list":       {"origins: []", "takes a value"},
		"map":              {"zones: {caves: a:1}", "takes a value"},
		"list of lists":    {"origins: [[a]]", "takes a list of plain values"},
		"no settings":      {"- http", "is not a list of settings"},
		"twice":            {"http: :1\nhttp: :2", `, line 2: "http" is already set in line 1`},
		"password":         {"redis-port: redis://:s3cret@a", "may hold a password"},
		"no settings, URL": {"redis://:s3cret@a", "is not a list of settings"},
		"URLs":             {"redis-url: ':s3cret@a'", "redis-url: must be URLs"},
		"bare":             {"redis-url: redis://a,s3cret", "redis-url: must be URLs"},
		"empty":            {"", "has no settings"},
		"comments":         {"# http: :1\n", "has no settings"},
		"two parts":        {"http: :1\n---\nudp: :2\n", "more than one part"},
		"large":            {strings.Repeat("#", maxSettingsFile+1), "has more than"},
	} {
		status, stdout, stderr := runCommand(t, "serve", "--config", writeConfig(t, tt.text, 0o600))
		if strings.Contains(stderr, "yaml:") || strings.Contains(stderr, "!!") {
			t.Errorf("%s: %s", name, stderr)
		}
		if status != 2 || !strings.Contains(stderr, tt.want) || strings.Contains(stderr+stdout, "s3cret") {
			t.Errorf("%s: status %d, %s, want %s", name, status, stderr, tt.want)
		}
	}
	if status, _, stderr := runCommand(t, "serve", "--config", "/does/not/exist"); status != 1 || !strings.Contains(stderr, "--config: open /does/not/exist") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// Switches are on and off in as many words as people have for it.
func TestSwitches(t *testing.T) {
	for word, want := range map[string]bool{"on": true, "yes": true, "true": true, "On": true, "1": true,
		"off": false, "no": false, "false": false, "NO": false, "0": false} {
		for from, args := range map[string][]string{
			"variable": nil, "flag": {"--tls=" + word},
			"file": {"--config", writeConfig(t, "tls: "+word, 0o600)},
		} {
			t.Setenv("RUSHGATE_TLS", "")
			if from == "variable" {
				t.Setenv("RUSHGATE_TLS", word)
			}
			v := newServeFlags()
			v.cfg.TLS = !want
			if err := v.declare().parse(args); err != nil || v.cfg.TLS != want {
				t.Errorf("%s, %s: %v, %v", from, word, v.cfg.TLS, err)
			}
		}
	}
}

// A variable that is misspelt is told, and stops nothing.
func TestMisspeltVariables(t *testing.T) {
	said := misspelt(newRoot(), []string{"RUSHGATE_MAX_PLAYER=3", "RUSHGATE_MAX_PLAYERS=3", "RUSHGATE_CLIENTS=3", "RUSHGATE_HTPP=s3cret", "RUSHGATE_FLAGS=--tls", "RUSHGATE_REDIS_SERVER=x",
		"RUSHGATE_PORT=tcp://10.0.0.1:80", "RUSHGATE_SERVICE_HOST=x", detachedVariable + "=1", "PATH=x", "RUSHGATE_"})
	want := []string{
		"the environment variable RUSHGATE_HTPP is not known; did you mean RUSHGATE_HTTP?",
		"the environment variable RUSHGATE_MAX_PLAYER is not known; did you mean RUSHGATE_MAX_PLAYERS?",
	}
	if !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
	t.Setenv("RUSHGATE_MAX_PLAYER", "3")
	if status, stdout, stderr := runCommand(t, "version"); status != 0 || stderr != "rushgate version: "+want[1]+"\n" {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
}

// A password is not taken from a file that every user of the machine can read.
func TestConfigFileWithAPassword(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	const text = "redis-url: redis://:s3cret@a"
	status, _, stderr := runCommand(t, "serve", "--config", writeConfig(t, text, 0o644))
	if status != 2 || !strings.Contains(stderr, "every user of this machine can read the file") || strings.Contains(stderr, "s3cret") {
		t.Errorf("status %d, %s", status, stderr)
	}
	v := newServeFlags()
	if err := v.declare().parse([]string{"--config", writeConfig(t, text, 0o640)}); err != nil || len(v.redis.urls.list) != 1 {
		t.Error(err)
	}
}
