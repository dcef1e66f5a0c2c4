package main

import (
	"slices"
	"strings"
	"testing"
)

// No error repeats what may be a URL with a password, or a part of it; it names the flag or variable that it is about.
func TestPasswordsInURLsAreNotRepeated(t *testing.T) {
	const redis, old = "MMORPG_REDIS_URL", "MMORPG_IMPORT_REDIS_URL"
	tests := []struct {
		name           string
		variable, text string
		args           []string
		want           string
	}{
		{"empty URL in the variable", redis, "redis://:s3cret@a:6379,", nil, redis + ": must be URLs"},
		{"comma in a password in the variable", redis, "redis://:x,s3cret@a:6379", nil, "written %2C"},
		{"no URL in the variable", redis, "s3cret", nil, redis + ": must be URLs"},
		{"empty URL", "", "", []string{"--redis-url", "redis://:s3cret@a:6379,"}, "--redis-url: must be URLs"},
		{"empty URL after an equals sign", "", "", []string{"--redis-url=,redis://:s3cret@a"}, "--redis-url: must be URLs"},
		{"comma in a password", "", "", []string{"--redis-url", "redis://:x,s3cret@a"}, "written %2C"},
		{"bad URL", "", "", []string{"--db", "redis", "--redis-url", "redis://:x@a:s3cret"}, "redis"},
		{"space in a password", "", "", []string{"--redis-url", "redis://:x", "s3cret@a"}, "unexpected argument"},
		{"spaces in a password", "", "", []string{"--redis-url", "redis://:x", "s3cret", "y@a"}, "unexpected argument"},
		{"no flag", "", "", []string{"redis://:s3cret@a"}, "unexpected argument"},
		{"three dashes", "", "", []string{"---redis-url=redis://:s3cret@a"}, "may hold a password"},
		{"dashes and no flag", "", "", []string{"--redis://:s3cret@a"}, "may hold a password"},
		{"another flag", "", "", []string{"--redis-port", "redis://:s3cret@a"}, "may hold a password"},
		{"another variable", "MMORPG_REDIS_PORT", "redis://:s3cret@a", nil, "MMORPG_REDIS_PORT: the value"},
		{"end of a URL in another variable", "MMORPG_REDIS_PORT", "s3cret@a", nil, "MMORPG_REDIS_PORT: the value"},
		{"the old game's variable", old, "http://:s3cret@a", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir()) // for the default data folder
			if tt.variable != "" {
				t.Setenv(tt.variable, tt.text)
			}
			commands := [][]string{{"serve"}, {"import", "redis", "--file", "/none"}}
			if tt.variable == old {
				commands = [][]string{{"import", "redis"}}
				tt.want = "not a URL such as redis://"
			}
			for _, command := range commands {
				status, stdout, stderr := runCommand(t, append(slices.Clone(command), tt.args...)...)
				if status == 0 || !strings.Contains(stderr, tt.want) {
					t.Errorf("%v: status %d, %s, want %s", command, status, stderr, tt.want)
				}
				if strings.Contains(stdout+stderr, "s3cret") {
					t.Errorf("%v prints the password: %s%s", command, stdout, stderr)
				}
			}
		})
	}
}

func TestRedisURLs(t *testing.T) {
	t.Setenv("MMORPG_REDIS_URL", "redis://:p%2Cw@a, redis://:p%2Cw@b:7")
	want := []string{"redis://:p%2Cw@a", "redis://:p%2Cw@b:7"}
	v := newServeFlags()
	f := v.declare()
	if err := f.parse(nil); err != nil || !slices.Equal(v.redis.addresses(), want) {
		t.Errorf("from the variable: %v, %v", v.redis.addresses(), err)
	}
	if s := f.Lookup("redis-url").Value.String(); s != hidden {
		t.Errorf("the flag shows %s", s)
	}
	// The command line wins, and of a flag given twice the last.
	v = newServeFlags()
	args := []string{"--redis-url", "redis://b", "--redis-url", "rediss://c"}
	if err := v.declare().parse(args); err != nil || !slices.Equal(v.redis.addresses(), []string{"rediss://c"}) {
		t.Errorf("from the command line: %v, %v", v.redis.addresses(), err)
	}
}

// The old game's Redis may be named by a variable, which the command line goes before and a file does not.
func TestImportFromVariable(t *testing.T) {
	t.Setenv("MMORPG_IMPORT_REDIS_URL", "redis://:s3cret@old:6379")
	v := newImportFlags()
	f := v.declare()
	if err := f.parse(nil); err != nil || v.from != "redis://:s3cret@old:6379" {
		t.Errorf("%q, %v", string(v.from), err)
	}
	if s := f.Lookup("from").Value.String(); s != hidden {
		t.Errorf("the flag shows %s", s)
	}
	v = newImportFlags()
	if err := v.declare().parse([]string{"--from", "redis://other"}); err != nil || v.from != "redis://other" {
		t.Errorf("%q, %v", string(v.from), err)
	}
	runImport(t, "--file", oldPlayers, "--dry-run").want(t, 2, "", "MMORPG_IMPORT_REDIS_URL")
}
