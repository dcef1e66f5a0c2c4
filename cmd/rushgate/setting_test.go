package main

import (
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// A node that cannot start names the flag and the way out, and leaves no data folder behind.
func TestStartInVain(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	used := tcp.Addr().String()
	for _, tt := range []struct {
		args   string
		status int
		want   []string
	}{
		{"--http " + used, 1, []string{"--http: ", "address already in use", "with --http", "--handover"}},
		{"--http 127.0.0.1:0 --admin " + used, 1, []string{"--admin: ", "another address with --admin"}},
		{"--http 127.0.0.1:0 --admin 127.0.0.1:0 --udp " + udp.LocalAddr().String(), 1, []string{"--udp: ", "another address with --udp"}},
		{"--http 192.0.2.1:0 --insecure-http --udp none", 1, []string{"--http: ", "this machine has no such address"}},
		{"--http 0.0.0.0:0", 2, []string{"--http: plain HTTP on 0.0.0.0:0", "--acme-domain", "--insecure-http"}},
		{"--admin 0.0.0.0:0", 2, []string{"--admin-token-file: ", "openssl rand", "--admin-tls-cert: "}},
		{"--udp 0.0.0.0:0", 2, []string{"--udp-public: ", "--udp none"}},
		{"--db redis --redis-url http://127.0.0.1:1", 2, []string{"--redis-url: ", "redis[s]://"}},
		{"--db redis --redis-url redis://127.0.0.1:1", 1, []string{"--redis-url: ", "runs and takes connections", "--redis-host"}},
		{"--db redis --redis-port 1", 1, []string{"--redis-url: ", "--redis-port"}},
		{"--udp 127.0.0.1:0 --udp-public nowhere.invalid:4000", 1, []string{"--udp-public: ", "nowhere.invalid", "--udp none"}},
		{"--proxy-protocol", 2, []string{"--trusted-proxies: "}},
		{"--tls-cert a", 2, []string{"--tls-key: "}},
		{"--tls-cert /none/a --tls-key b", 1, []string{"--tls-cert: ", "/none/a"}},
		{"--admin-tls-cert /none/a --admin-tls-key b", 1, []string{"--admin-tls-cert: ", "/none/a"}},
		{"--admin-token-file /none/t", 2, []string{"--admin-token-file: ", "/none/t"}},
		{"--password-pepper-file /none/p", 1, []string{"--password-pepper-file: ", "/none/p"}},
		{"--world /none/w", 1, []string{"/none/w"}},
		{"--db memory --handover", 2, []string{"--handover: "}},
	} {
		t.Chdir(t.TempDir())
		status, stdout, stderr := runCommand(t, append([]string{"serve"}, strings.Fields(tt.args)...)...)
		for _, want := range tt.want {
			if status != tt.status || !strings.Contains(stderr, want) {
				t.Errorf("%s: status %d, %s%s, want %d and %q", tt.args, status, stdout, stderr, tt.status, want)
			}
		}
		if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", tt.args, left, err)
		}
	}
}

// badValues are values that a flag of serve does not take, for those that take any text, or need other flags to be wrong.
var badValues = map[string]string{
	"config": "/none/c", "http": "nowhere", "admin": "nowhere", "admin-token-file": "/none/t", "udp": "nowhere",
	"admin-tls-cert": "/none/a --admin-tls-key b", "admin-tls-key": "b",
	"udp-public": "nowhere.invalid:4000", "tls-cert": "/none/a --tls-key b", "tls-key": "b", "tls-names": "a/b",
	"acme-domain": "a/b", "acme-directory": "nowhere --acme-domain a.example", "trusted-proxies": "x", "origins": "x",
	"data": "/dev/null/d", "redis-url": "http://127.0.0.1:1 --db redis", "redis-host": "nowhere.invalid --db redis",
	"redis-port": "0", "redis-prefix": "{a} --db redis", "password-pepper-file": "/none/p", "public-address": "x", "zones": "x",
	"page-title": strings.Repeat("x", 41), "page-accent": "red", "world": "/none/w", "opens-at": "x", "seed": "x",
	"opaque-key-file": "/none/k --opaque prefer",
	"protocol-id":     "x", "handover": "true --db memory", "detach": "true", "smtp-url": "x --mail-from a@b.example",
	"passkey-origin": "x", "oidc": "/none/o", "steam-key-file": "/none/k --steam-app-id 480", "steam-return": "x",
}

// takeAll are the flags of serve whose values cannot be wrong by themselves.
var takeAll = []string{
	"acme-email",                             // for the authority to judge
	"redis-sentinel",                         // for the Sentinels to know
	"tls", "insecure-http", "proxy-protocol", // true and false
}

// Whatever is wrong with a flag's value, the error names the flag, and nothing is left behind.
func TestEveryFlagIsNamed(t *testing.T) {
	for _, d := range newServeFlags().declare().declared {
		bad, ok := badValues[d.name]
		switch {
		case slices.Contains(takeAll, d.name):
			continue
		case !ok:
			bad = "x" // of a number, a time, one of a few words
		}
		t.Chdir(t.TempDir())
		args := []string{"serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", "127.0.0.1:0"}
		status, stdout, stderr := runCommand(t, append(args, strings.Fields("--"+d.name+"="+bad)...)...)
		if status == 0 || !strings.Contains(stderr, "--"+d.name) {
			t.Errorf("--%s=%s: status %d, %s%s", d.name, bad, status, stdout, stderr)
		}
		if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
			t.Errorf("--%s=%s: left behind: %v, %v", d.name, bad, left, err)
		}
	}
}

func TestSettingFlagsAreFlags(t *testing.T) {
	f := newServeFlags().declare()
	for field, name := range settingFlags {
		if _, ok := reflect.TypeFor[server.Config]().FieldByName(field); !ok || f.Lookup(name) == nil {
			t.Errorf("%s, --%s", field, name)
		}
	}
}

// Shells are told which values a flag has, and which flags take a folder or a file.
func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"serve --db ":           "sqlite\nredis\nmemory\n:4\n",
		"serve --data ":         ":16\n", // folders
		"serve --tls-cert ":     ":0\n",  // files
		"serve --max-players ":  ":4\n",  // nothing
		"serve --handov":        "--handover\tgo on in place",
		"account sh":            "show\tprint an account",
		"stress burst --mode r": "register\n",
		"completion ":           "bash\nzsh\nfish\npowershell\n",
	} {
		status, stdout, stderr := runCommand(t, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%q: status %d, %s%s, want %q", args, status, stdout, stderr, want)
		}
	}
	for _, shell := range shells {
		if status, stdout, stderr := runCommand(t, "completion", shell); status != 0 || !strings.Contains(stdout, "__complete") {
			t.Errorf("%s: status %d, %.200s%s", shell, status, stdout, stderr)
		}
	}
}
